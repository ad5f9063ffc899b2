//! Fleets: servers with one configuration, and the groups of fleets that a scheduler goes round.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest fleet name: far longer than any in the field, short enough for a metric label.
const MAX_NAME_CHARS: usize = 64;

/// The name of a fleet. A server that was given none is in the fleet with the empty name, as in the original.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fleet(String);

/// A fleet name or a list of them that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseFleetError {
    /// Nothing where a name should stand, as in `default,,fullrt`.
    #[error(
        "fleet list `{0}` has an empty name in it; write names separated by `,` (one loop each) or `+` (one loop over both)"
    )]
    EmptyName(String),
    /// A character that would be read as syntax, or that no label should carry.
    #[error("fleet `{name}` contains {character:?}; use letters, digits, `.`, `_` and `-`")]
    BadCharacter {
        /// The name as given.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// Longer than any name should be.
    #[error("fleet `{0}` is longer than {MAX_NAME_CHARS} characters")]
    TooLong(String),
    /// The same fleet or group twice: two loops would then measure the same servers at once.
    #[error("fleet list names `{0}` twice; each loop needs servers of its own")]
    Twice(String),
}

impl Fleet {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Fleet {
    type Err = ParseFleetError;

    /// Takes any name without list syntax, the empty one included.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(ParseFleetError::TooLong(name.chars().take(MAX_NAME_CHARS).collect()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        match name.chars().find(|c| !allowed(*c)) {
            Some(character) => Err(ParseFleetError::BadCharacter { name: name.to_owned(), character }),
            None => Ok(Self(name.to_owned())),
        }
    }
}

crate::name::as_text! { Fleet, FleetGroup }

/// The fleets that one round loop covers: usually one, several for cross-fleet measurements
/// (content published by one implementation, looked up by another).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FleetGroup(Vec<Fleet>);

impl FleetGroup {
    /// The fleets of this group, at least one, in the order given.
    pub fn fleets(&self) -> &[Fleet] {
        &self.0
    }

    /// What a scheduler calls itself in the header `x-scheduler-id`: its fleets joined by a comma, as the original does.
    pub fn scheduler_id(&self) -> String {
        self.join(",")
    }

    /// Reads a scheduler's list: `,` separates round loops, `+` joins fleets into one loop.
    ///
    /// # Errors
    /// Names the part of the list that is wrong.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, ParseFleetError> {
        let mut groups: Vec<Self> = Vec::new();
        for part in list.split(',') {
            let group: Self = part.trim().parse().map_err(|error| {
                if part.trim().is_empty() { ParseFleetError::EmptyName(list.to_owned()) } else { error }
            })?;
            if groups.contains(&group) {
                return Err(ParseFleetError::Twice(group.to_string()));
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn join(&self, separator: &str) -> String {
        self.0.iter().map(Fleet::as_str).collect::<Vec<_>>().join(separator)
    }
}

impl fmt::Display for FleetGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join("+"))
    }
}

impl FromStr for FleetGroup {
    type Err = ParseFleetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fleets: Vec<Fleet> = Vec::new();
        for name in text.split('+').map(str::trim) {
            if name.is_empty() {
                return Err(ParseFleetError::EmptyName(text.to_owned()));
            }
            let fleet: Fleet = name.parse()?;
            if fleets.contains(&fleet) {
                return Err(ParseFleetError::Twice(name.to_owned()));
            }
            fleets.push(fleet);
        }
        Ok(Self(fleets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn groups(list: &str) -> Result<Vec<String>, ParseFleetError> {
        Ok(FleetGroup::parse_list(list)?.iter().map(FleetGroup::to_string).collect())
    }

    #[test]
    fn a_comma_separates_loops_and_a_plus_joins_fleets() {
        assert_eq!(groups("default, optprov").unwrap(), ["default", "optprov"]);
        assert_eq!(groups("default+fullrt").unwrap(), ["default+fullrt"]);
        assert_eq!(groups("default,default+fullrt").unwrap(), ["default", "default+fullrt"]);
    }

    #[test]
    fn the_scheduler_id_joins_with_commas() {
        let group: FleetGroup = "default+fullrt".parse().unwrap();
        assert_eq!(group.scheduler_id(), "default,fullrt");
    }

    #[test]
    fn a_wrong_list_is_refused_with_its_part_named() {
        for (list, part) in [
            ("", "``"),
            ("default,", "`default,`"),
            ("default,,x", "`default,,x`"),
            ("a+", "`a+`"),
            ("a b", "`a b`"),
            ("a,a", "`a`"),
            ("a+a", "`a`"),
        ] {
            let message = groups(list).unwrap_err().to_string();
            assert!(message.contains(part), "{list:?}: {message}");
        }
    }

    #[test]
    fn a_server_may_be_in_the_nameless_fleet() {
        assert_eq!("".parse::<Fleet>().unwrap().as_str(), "");
    }

    proptest! {
        #[test]
        fn printing_a_group_and_parsing_it_are_inverse(names in proptest::collection::btree_set("[a-z0-9._-]{1,12}", 1..5)) {
            let text = names.into_iter().collect::<Vec<_>>().join("+");
            prop_assert_eq!(text.parse::<FleetGroup>().unwrap().to_string(), text);
        }
    }
}
