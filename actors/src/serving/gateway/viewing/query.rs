//! What stands behind the question mark of an address.

use std::collections::BTreeMap;

use actix_web::web;
use parsec_measure::{AttemptId, When, harmless};
use parsec_show::page::Place;
use uuid::Uuid;

use super::parts::MAX_QUOTED_CHARS;
use crate::viewing::question::{Filter, Question};

/// How many attempts a page of them has, unless fewer or more are asked for.
const LIMIT: u32 = 100;

/// How many it has at most.
const MAX_LIMIT: u32 = 1_000;

/// How many names a parameter lists at most.
const MAX_NAMES: usize = 32;

/// Which parameters there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Page(Place),
    Operations,
}

impl Wanted {
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Page(Place::Overview | Place::Operation) => &[],
            Self::Page(Place::Measurements | Place::Peers) => {
                &["network", "fleet", "region", "strategy", "kind", "since", "until"]
            }
            Self::Page(Place::Compare) => &["a", "b", "region", "kind", "since", "until"],
            Self::Page(Place::Incidents) => &["fleet", "region", "kind", "since", "until"],
            Self::Operations => {
                &["network", "fleet", "region", "strategy", "kind", "since", "until", "cursor", "limit"]
            }
        }
    }
}

/// Parameters that were read and can be used.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Query {
    texts: BTreeMap<String, String>,
    filter: Filter,
    before: Option<AttemptId>,
    limit: Option<u32>,
}

impl Query {
    /// Those of a page.
    ///
    /// # Errors
    /// In words, what cannot be used and what could.
    pub(super) fn read(place: Place, text: &str) -> Result<Self, String> {
        Self::read_as(Wanted::Page(place), text)
    }

    /// The same of whatever is wanted.
    pub(super) fn read_as(wanted: Wanted, text: &str) -> Result<Self, String> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text).map_err(|error| error.to_string())?;
        let (mut query, allowed) = (Self::default(), wanted.parameters());
        for (name, value) in pairs.into_inner() {
            let shown = harmless(&name, MAX_QUOTED_CHARS);
            if !allowed.contains(&name.as_str()) {
                let known = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
                return Err(format!("the parameter `{shown}` is not known here; known are: {known}"));
            }
            // A form sends what is not filled in as nothing.
            if value.is_empty() {
                continue;
            }
            query.take(&name, &value).map_err(|expected| {
                format!("cannot use `{}` for {shown}: {expected}", harmless(&value, MAX_QUOTED_CHARS))
            })?;
            if query.texts.insert(name, value).is_some() {
                return Err(format!("the parameter `{shown}` stands there twice; separate several names by commas"));
            }
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let names = || -> Result<Vec<String>, String> {
            let names: Vec<_> = value.split(',').map(|name| name.trim().to_owned()).collect();
            if names.len() > MAX_NAMES { Err(format!("expected at most {MAX_NAMES} names")) } else { Ok(names) }
        };
        let filter = &mut self.filter;
        match name {
            "network" => filter.networks = names()?,
            "fleet" => filter.fleets = names()?,
            "region" => filter.regions = names()?,
            "strategy" => filter.strategies = names()?,
            "kind" => filter.kind = Some(value.parse().map_err(|_| "expected provide or retrieve".to_owned())?),
            "since" => filter.since = Some(value.parse::<When>()?),
            "until" => filter.until = Some(value.parse::<When>()?),
            "cursor" => {
                let id =
                    Uuid::parse_str(value).map_err(|_| "expected a next_cursor of an earlier answer".to_owned())?;
                self.before = Some(AttemptId(id));
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = Some(limit.ok_or_else(|| format!("expected a number from 1 to {MAX_LIMIT}"))?);
            }
            _ => {}
        }
        Ok(())
    }

    /// What was written for a parameter.
    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// What a page asks the archive.
    pub(super) fn question(&self, place: Place) -> Question {
        let of = self.filter.clone();
        match place {
            Place::Overview | Place::Operation => Question::Overview,
            Place::Measurements => Question::Measurements(of),
            Place::Compare => Question::Comparison { a: self.text("a").to_owned(), b: self.text("b").to_owned(), of },
            Place::Peers => Question::Peers(of),
            Place::Incidents => Question::Incidents(of),
        }
    }

    /// A page of attempts.
    pub(super) fn operations(&self) -> Question {
        Question::Operations { of: self.filter.clone(), before: self.before, limit: self.limit.unwrap_or(LIMIT) }
    }

    /// As it stands in an address, with its question mark.
    pub(super) fn written(&self) -> String {
        let pairs: Vec<_> = self.texts.iter().map(|(name, value)| format!("{name}={}", coded(value))).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

fn coded(value: &str) -> String {
    let code = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_an_address_is_what_is_shown_and_can_be_shared() {
        let text = "fleet=default%2Coptprov&region=&since=7d&kind=provide";
        let query = Query::read(Place::Measurements, text).unwrap();
        assert_eq!((query.filter.fleets.len(), query.filter.regions.len(), query.text("since")), (2, 0, "7d"));
        assert_eq!(query.written(), "?fleet=default%2Coptprov&kind=provide&since=7d");
        assert_eq!(Query::read(Place::Measurements, &query.written()[1..]).unwrap(), query);
        let odd = Query::read(Place::Measurements, "fleet=%3Cb%3E%26").unwrap();
        assert_eq!((odd.text("fleet"), odd.written().as_str()), ("<b>&", "?fleet=%3Cb%3E%26"));
    }

    #[test]
    fn what_cannot_be_used_is_said_with_what_could() {
        for (place, text, says) in [
            (Place::Measurements, "colour=red", "`colour` is not known here; known are: network, fleet"),
            (Place::Overview, "fleet=a", "known are: none"),
            (Place::Measurements, "since=yesterday", "cannot use `yesterday` for since: expected a day"),
            (Place::Measurements, "kind=both", "expected provide or retrieve"),
            (Place::Measurements, "fleet=a&fleet=b", "stands there twice"),
        ] {
            let reason = Query::read(place, text).unwrap_err();
            assert!(reason.contains(says), "{text}: {reason}");
        }
        for text in ["limit=0", "limit=1001", "cursor=x"] {
            assert!(Query::read_as(Wanted::Operations, text).is_err(), "{text}");
        }
    }
}
