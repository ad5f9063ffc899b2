//! Many keys published by one request: what is asked for, and the answer. Ours: no server or scheduler of another make knows it.
//!
//! It shares its path with the publication of one content, which stays as it was: what tells them apart is the member `CIDs`.

use std::collections::HashMap;

use parsec_measure::{Cid, MAX_KEYS_AT_ONCE, Manner, ProvidedKey, ProvidedMany, escaped_json};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::number::Nanos;
use super::request::{BadRequest, Target, read_target};
use crate::text::cut;

/// Why a request to publish many keys cannot be served; the text is fit to be the body of a 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadMany {
    /// Not the JSON of such a request.
    #[error(
        "the body is not a request to provide many keys: {0}; expected {{\"CIDs\": array of CIDs, \"Strategy\": \"sweep\" (optional)}}"
    )]
    Malformed(String),
    /// Both kinds of request in one.
    #[error("the body has both `Content` and `CIDs`; expected one of them")]
    Both,
    /// Nothing to publish.
    #[error("`CIDs` is empty; expected 1 to {MAX_KEYS_AT_ONCE} CIDs")]
    None,
    /// More than are published at once.
    #[error("`CIDs` has {0} CIDs, at most {MAX_KEYS_AT_ONCE} are published by one request")]
    TooMany(usize),
    /// One of them is none.
    #[error("`CIDs[{place}]`: {reason}")]
    NoCid {
        /// Its place in the list, from 0.
        place: usize,
        /// What it is, and what is wrong with it.
        reason: String,
    },
    /// One is there twice. Records are kept by the multihash, so that two CIDs may be the same key.
    #[error("`CIDs[{place}]`, `{cid}`, has the same multihash as `CIDs[{first}]`; expected each key once")]
    Twice {
        /// The place of the second, from 0.
        place: usize,
        /// That of the first.
        first: usize,
        /// The second.
        cid: String,
    },
    /// A way that no server has.
    #[error("unknown `Strategy` `{0}`; expected `sweep`, or none for the way in which the server publishes one key")]
    UnknownStrategy(String),
    /// A target that no server has.
    #[error(transparent)]
    Target(#[from] BadRequest),
}

/// The body of `POST /provide` for many keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvideManyRequest {
    /// What to publish: each key once, at least one and at most [`MAX_KEYS_AT_ONCE`].
    pub cids: Vec<Cid>,
    /// How.
    pub manner: Manner,
    /// Where.
    pub target: Target,
}

/// Which members a body has.
#[derive(Deserialize)]
struct Members {
    #[serde(rename = "CIDs")]
    cids: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(rename = "CIDs")]
    cids: Vec<String>,
    content: Option<IgnoredAny>,
    strategy: Option<String>,
    target: Option<String>,
    routing: Option<String>,
}

impl ProvideManyRequest {
    /// Whether a body asks for many keys. What is no JSON asks for one, and is refused there.
    pub fn is_meant_by(body: &[u8]) -> bool {
        let is_object = body.trim_ascii_start().first() == Some(&b'{');
        is_object && serde_json::from_slice::<Members>(body).is_ok_and(|members| members.cids.is_some())
    }

    /// Reads such a body. Its length is bounded by whoever received it.
    ///
    /// # Errors
    /// Says what is wrong with the body, in words for whoever sent it.
    pub fn decode(body: &[u8]) -> Result<Self, BadMany> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| BadMany::Malformed(cut(&error.to_string())))?;
        if wire.content.is_some() {
            return Err(BadMany::Both);
        }
        let manner = match wire.strategy.as_deref() {
            None | Some("") => Manner::Each,
            Some(name) if name == Manner::Sweep.as_str() => Manner::Sweep,
            Some(other) => return Err(BadMany::UnknownStrategy(cut(other))),
        };
        let target = read_target("Target", wire.target.as_deref())?;
        let routing = read_target("Routing", wire.routing.as_deref())?;
        Ok(Self { cids: read_cids(&wire.cids)?, manner, target: target.or(routing).unwrap_or_default() })
    }
}

fn read_cids(texts: &[String]) -> Result<Vec<Cid>, BadMany> {
    match texts.len() {
        0 => return Err(BadMany::None),
        many if many > MAX_KEYS_AT_ONCE => return Err(BadMany::TooMany(many)),
        _ => {}
    }
    let (mut cids, mut places) = (Vec::with_capacity(texts.len()), HashMap::new());
    for (place, text) in texts.iter().enumerate() {
        let cid: Cid = text
            .parse()
            .map_err(|error: parsec_measure::ParseCidError| BadMany::NoCid { place, reason: error.to_string() })?;
        if let Some(first) = places.insert(cid.multihash(), place) {
            return Err(BadMany::Twice { place, first, cid: cid.to_string() });
        }
        cids.push(cid);
    }
    Ok(cids)
}

/// The body of an answer to a request for many keys.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ManyAnswer {
    strategy: &'static str,
    keys: usize,
    keys_failed: usize,
    duration: Nanos,
    routing_table_size: u32,
    lookups: u64,
    questions: u64,
    records: u64,
    dials: u64,
    peers_chosen: u64,
    peers_reached: u64,
    busiest_second: u64,
    #[serde(rename = "CIDs")]
    cids: Vec<WireKey>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireKey {
    #[serde(rename = "CID")]
    cid: String,
    outcome: &'static str,
    error: String,
    holders_stored: u32,
    holders_confirmed: u32,
    holders_failed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Nanos>,
}

impl ManyAnswer {
    /// What publishing many keys came to. Keys that failed come first, and otherwise all in the order in which they were given.
    pub fn of(all: &ProvidedMany) -> Self {
        Self {
            strategy: all.manner.as_str(),
            keys: all.keys.len(),
            keys_failed: all.lost(),
            duration: Nanos(all.duration),
            routing_table_size: all.routing_table_size,
            lookups: all.lookups,
            questions: all.questions,
            records: all.records,
            dials: all.dials,
            peers_chosen: all.chosen,
            peers_reached: all.reached,
            busiest_second: all.busiest_second,
            cids: all.failures_first().into_iter().map(WireKey::of).collect(),
        }
    }

    /// The body. Whoever prints it as it is gets nothing that steers their terminal.
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("text and numbers in an object are always JSON");
        escaped_json(&json).into_owned().into_bytes()
    }
}

impl WireKey {
    fn of(key: &ProvidedKey) -> Self {
        Self {
            cid: key.cid.to_string(),
            outcome: key.class.as_str(),
            error: key.error.clone().unwrap_or_default(),
            holders_stored: key.stored,
            holders_confirmed: key.confirmed,
            holders_failed: key.failed,
            first: key.first.map(Nanos),
            last: key.last.map(Nanos),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::{Content, OutcomeClass};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::MAX_ANSWER_BYTES;

    const HELLO: &str = "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5";

    fn cid(number: usize) -> Cid {
        Content::from(number.to_be_bytes().to_vec()).cid()
    }

    fn decode(body: &str) -> Result<ProvideManyRequest, String> {
        assert!(ProvideManyRequest::is_meant_by(body.as_bytes()), "{body}");
        ProvideManyRequest::decode(body.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn many_keys_are_read_in_their_order_with_the_way_to_publish_them() {
        let (one, other) = (cid(1), cid(2).raw_v1());
        for (strategy, manner) in [
            ("", Manner::Each),
            (r#","Strategy":"""#, Manner::Each),
            (r#","Strategy":null"#, Manner::Each),
            (r#","Strategy":"sweep""#, Manner::Sweep),
        ] {
            let read = decode(&format!(r#"{{"CIDs":["{one}","{other}"]{strategy},"Extra":{{}}}}"#));
            assert_eq!(
                read,
                Ok(ProvideManyRequest { cids: vec![one.clone(), other.clone()], manner, target: Target::Dht })
            );
        }
        let ipni = decode(&format!(r#"{{"CIDs":["{one}"],"Target":"IPNI"}}"#));
        assert_eq!(ipni.unwrap().target, Target::Ipni);
    }

    #[test]
    fn a_body_without_cids_is_a_publication_of_one_content_as_ever() {
        for body in [
            r#"{"Content":"aGVsbG8="}"#,
            r#"{"Content":"","CIDs":null}"#,
            r#"{"cids":[]}"#,
            "{",
            "",
            "[]",
            r#"["CIDs"]"#,
            "{}",
        ] {
            assert!(!ProvideManyRequest::is_meant_by(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn bad_keys_are_named_with_their_place_and_what_would_be_right() {
        let too_many: Vec<String> = (0..=MAX_KEYS_AT_ONCE).map(|number| cid(number).to_string()).collect();
        let raw = HELLO.parse::<Cid>().unwrap().raw_v1();
        for (body, words) in [
            (json!({ "CIDs": [] }), "`CIDs` is empty; expected 1 to 5000 CIDs"),
            (
                json!({ "CIDs": [HELLO, "Qmnonsense"] }),
                "`CIDs[1]`: `Qmnonsense` is not a CID: a CIDv0 has 46 characters, this has 10",
            ),
            (
                json!({ "CIDs": [HELLO, cid(1).to_string(), raw.to_string()] }),
                "has the same multihash as `CIDs[0]`; expected each key once",
            ),
            (json!({ "CIDs": too_many }), "`CIDs` has 5001 CIDs, at most 5000 are published by one request"),
            (json!({ "CIDs": [HELLO], "Content": "aGVsbG8=" }), "both `Content` and `CIDs`; expected one of them"),
            (json!({ "CIDs": [HELLO], "Strategy": "broom" }), "unknown `Strategy` `broom`; expected `sweep`, or none"),
            (json!({ "CIDs": [HELLO], "Target": "MOON" }), "unknown `Target` `MOON`; expected `DHT` or `IPNI`"),
            (json!({ "CIDs": HELLO }), "expected a sequence"),
            (json!({ "CIDs": [7] }), "expected a string"),
        ] {
            let message = decode(&body.to_string()).unwrap_err();
            assert!(message.contains(words) && message.len() < 600, "{message}");
        }
    }

    fn key(number: usize, error: Option<&str>) -> ProvidedKey {
        let is_stored = error.is_none();
        ProvidedKey {
            cid: cid(number).raw_v1(),
            class: if is_stored { OutcomeClass::Ok } else { OutcomeClass::DialFailed },
            error: error.map(str::to_owned),
            stored: if is_stored { 20 } else { 0 },
            confirmed: if is_stored { 19 } else { 0 },
            failed: 20,
            first: is_stored.then_some(Duration::from_secs(100)),
            last: is_stored.then_some(Duration::from_secs(1_000)),
        }
    }

    #[test]
    fn keys_that_failed_come_first_and_have_no_times() {
        let keys = vec![key(0, None), key(1, Some("no")), key(2, None), key(3, Some("nobody"))];
        let all = ProvidedMany { keys, lookups: 7, ..ProvidedMany::nothing(Manner::Sweep) };
        let read: Value = serde_json::from_slice(&ManyAnswer::of(&all).encode()).unwrap();
        let rows = read["CIDs"].as_array().unwrap();
        let cids: Vec<_> = rows.iter().map(|row| row["CID"].as_str().unwrap()).collect();
        assert_eq!(cids, [1, 3, 0, 2].map(|number| cid(number).raw_v1().to_string()));
        assert_eq!(
            (&read["Strategy"], &read["Keys"], &read["KeysFailed"], &read["Lookups"]),
            (&json!("sweep"), &json!(4), &json!(2), &json!(7))
        );
        assert_eq!(
            (&rows[0]["First"], &rows[0]["Error"], &rows[2]["First"]),
            (&Value::Null, &json!("no"), &json!(100_000_000_000_u64))
        );
    }

    #[test]
    fn the_longest_answer_is_no_longer_than_an_answer_may_be() {
        let words = "failed to complete provide: record stored at no peer, 20 puts failed, for instance: dial failed: "
            .to_owned()
            + &"x".repeat(100);
        let keys = (0..MAX_KEYS_AT_ONCE).map(|number| key(number, Some(&words))).collect();
        let all = ProvidedMany { keys, ..ProvidedMany::nothing(Manner::Each) };
        let bytes = ManyAnswer::of(&all).encode().len();
        assert!(bytes < MAX_ANSWER_BYTES, "{bytes}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (ProvideManyRequest::is_meant_by(&body), ProvideManyRequest::decode(&body));
        }

        #[test]
        fn no_json_makes_the_decoder_panic(body in r#"\{"CIDs":[\[\]{}",0-9a-zQm:.-]{0,60}\}?"#) {
            let _ = ProvideManyRequest::decode(body.as_bytes());
        }
    }
}
