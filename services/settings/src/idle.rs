//! Settings of the original that have nothing behind them here. They are read, so that a deployment starts unchanged; a
//! value that says nothing is refused, and one that asks for something is told that it has no effect.

use crate::error::{ConfigError, Origin};
use crate::key::{DHT_ONLY, Key, Program};
use crate::sources::Sources;
use crate::values::{self, Reading};

/// Reads a value, and gives back a text that is the same for values that mean the same.
type Reader = fn(&str) -> Reading<String>;

const READERS: &[(&str, Reader)] = &[
    ("server.level_db", values::any_text),
    ("server.firehose.region", values::any_text),
    ("server.firehose.stream", values::any_text),
    ("server.firehose.batch_time", positive_duration),
    ("server.firehose.batch_size", whole_number),
    ("server.firehose.connection_events", switch),
    ("server.firehose.rpc_events", switch),
    ("server.ipni.indexer_host", values::host),
    ("server.ipni.indexer_index_timeout", positive_duration),
    ("server.ipni.indexer_availability_timeout", positive_duration),
    ("server.ipni.indexer_interval", positive_duration),
    ("server.ipni.publisher_host", values::host),
    ("server.ipni.publisher_port", port),
    ("scheduler.routing", routing),
];

fn reader(key: &Key) -> Reader {
    let found = READERS.iter().find(|(name, _)| *name == key.name);
    found.map_or(values::any_text, |(_, reader)| *reader)
}

fn positive_duration(text: &str) -> Reading<String> {
    values::positive_duration(text).map(|duration| duration.as_nanos().to_string())
}

fn whole_number(text: &str) -> Reading<String> {
    values::within(0..=u32::MAX)(text).map(|number| number.to_string())
}

fn port(text: &str) -> Reading<String> {
    values::within(0..=u16::MAX)(text).map(|number| number.to_string())
}

fn switch(text: &str) -> Reading<String> {
    values::switch(text).map(|switch| switch.to_string())
}

fn routing(text: &str) -> Reading<String> {
    match text {
        "DHT" => Ok(text.to_owned()),
        "IPNI" => Err(format!("{DHT_ONLY}; expected DHT")),
        _ => Err("expected DHT".to_owned()),
    }
}

/// Reads what `program` has no use for.
///
/// # Errors
/// Names the first setting that says nothing.
pub(super) fn check(from: &Sources, program: Program) -> Result<(), ConfigError> {
    idle(program).try_for_each(|key| from.optional(key.name, reader(key)).map(drop))
}

/// Where settings without effect were made with another value than their default, for each reason why they have none.
pub(super) fn made(from: &Sources, program: Program) -> Vec<(Vec<Origin>, &'static str)> {
    let mut found: Vec<(Vec<Origin>, &'static str)> = Vec::new();
    for key in idle(program) {
        let Ok(Some(value)) = from.optional(key.name, reader(key)) else { continue };
        let default = key.default.and_then(|default| reader(key)(default).ok()).unwrap_or_default();
        let Some(reason) = key.idle.filter(|_| value != default) else { continue };
        let origin = from.origin(key.name).clone();
        match found.iter_mut().find(|(_, other)| *other == reason) {
            Some((set, _)) => set.push(origin),
            None => found.push((vec![origin], reason)),
        }
    }
    found
}

fn idle(program: Program) -> impl Iterator<Item = &'static Key> {
    program.keys().filter(|key| key.idle.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::keys;

    #[test]
    fn every_setting_without_effect_is_read_all_the_same() {
        let idle: Vec<_> = keys().filter(|key| key.idle.is_some()).map(|key| key.name).collect();
        assert_eq!(idle, READERS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for key in keys().filter(|key| key.idle.is_some()) {
            assert!(key.default.is_none_or(|default| reader(key)(default).is_ok()), "{}", key.name);
        }
    }
}
