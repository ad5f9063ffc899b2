//! Settings of the original that have nothing behind them here. They are read, so that a deployment starts unchanged; a
//! value that says nothing is refused, and one that asks for something is told that it has no effect.

use std::fmt::Debug;
use std::time::Duration;

use crate::access::host;
use crate::declare::row;
use crate::error::{ConfigError, Origin};
use crate::key::{Key, Section};
use crate::sources::Sources;
use crate::values::{Reading, Value};

const LEVEL_DB: &str = "provider records are kept in memory";
const NO_EVENTS: &str = "no events are sent to Amazon Data Firehose";
const DHT_ONLY: &str = "this build measures DHTs only";

/// Those of a server.
pub(crate) const OF_SERVERS: &[&Section] = &[&DATASTORE, &FIREHOSE, &IPNI];

/// Those of a scheduler.
pub(crate) const OF_SCHEDULERS: &[&Section] = &[&ROUTING];

static DATASTORE: Section = Section {
    heading: "Datastore",
    global: false,
    keys: &[row!(String, "server.level_db", "level-db", "DIR")
        .variable("PARSEC_SERVER_LEVELDB")
        .default("./leveldb")
        .idle(LEVEL_DB, any)
        .help("Where the original keeps its datastore")],
};

static FIREHOSE: Section = Section {
    heading: "Firehose",
    global: false,
    keys: &[
        row!(String, "server.firehose.region", "firehose-region", "REGION")
            .default("us-east-1")
            .idle(NO_EVENTS, any)
            .help("Region of the delivery stream"),
        row!(String, "server.firehose.stream", "firehose-stream", "STREAM")
            .idle(NO_EVENTS, any)
            .help("Delivery stream that the original sends its events to"),
        row!(Duration, "server.firehose.batch_time", "firehose-batch-time", "DURATION")
            .default("30s")
            .idle(NO_EVENTS, meaning::<Duration>)
            .help("How long the original collects events"),
        row!(u32, "server.firehose.batch_size", "firehose-batch-size", "N")
            .default("500")
            .idle(NO_EVENTS, meaning::<u32>)
            .help("How many events the original sends at a time"),
        row!(bool, "server.firehose.connection_events", "firehose-connection-events", "BOOL")
            .default("true")
            .idle(NO_EVENTS, meaning::<bool>)
            .help("Whether the original sends an event for each connection"),
        row!(bool, "server.firehose.rpc_events", "firehose-rpc-events", "BOOL")
            .default("true")
            .idle(NO_EVENTS, meaning::<bool>)
            .help("Whether the original sends an event for each request of a peer"),
    ],
};

static IPNI: Section = Section {
    heading: "IPNI",
    global: false,
    keys: &[
        row!(String, "server.ipni.indexer_host", "indexer-host", "HOST")
            .older(&["PARSEC_SERVER_INDEXER_HOST"])
            .idle(DHT_ONLY, host)
            .help("Indexer that the original announces to"),
        row!(Duration, "server.ipni.indexer_index_timeout", "indexer-index-timeout", "DURATION")
            .default("1m")
            .idle(DHT_ONLY, meaning::<Duration>)
            .help("How long the original waits for the indexer to fetch an announcement"),
        row!(Duration, "server.ipni.indexer_availability_timeout", "indexer-availability-timeout", "DURATION")
            .default("2m")
            .idle(DHT_ONLY, meaning::<Duration>)
            .help("How long the original waits for content to be found"),
        row!(Duration, "server.ipni.indexer_interval", "indexer-interval", "DURATION")
            .default("1s")
            .idle(DHT_ONLY, meaning::<Duration>)
            .help("How often the original asks whether content is found"),
        row!(String, "server.ipni.publisher_host", "publisher-host", "HOST")
            .default("127.0.0.1")
            .idle(DHT_ONLY, host)
            .help("Address on which the original waits for the indexer"),
        row!(u16, "server.ipni.publisher_port", "publisher-port", "PORT")
            .default("2020")
            .idle(DHT_ONLY, meaning::<u16>)
            .help("Port on which the original waits for the indexer"),
    ],
};

static ROUTING: Section = Section {
    heading: "Routing",
    global: false,
    keys: &[row!(String, "scheduler.routing", "routing", "ROUTING")
        .default("DHT")
        .idle(DHT_ONLY, routing)
        .help("What to measure: DHT (accepted for configurations from 2023)")],
};

fn any(text: &str) -> Reading<String> {
    Ok(text.to_owned())
}

fn routing(text: &str) -> Reading<String> {
    match text {
        "DHT" => Ok(text.to_owned()),
        "IPNI" => Err(format!("{DHT_ONLY}; expected DHT")),
        _ => Err("expected DHT".to_owned()),
    }
}

/// What a text means, as a text that is the same for all that mean the same.
fn meaning<T: Value + Debug>(text: &str) -> Reading<String> {
    T::read(text).map(|value| format!("{value:?}"))
}

/// Reads what the command has no use for.
///
/// # Errors
/// Names the first setting that says nothing.
pub(crate) fn check(from: &Sources) -> Result<(), ConfigError> {
    idle(from).try_for_each(|key| from.optional(key.name, key.idle_reader).map(drop))
}

/// Where settings without effect were made with another value than their default, for each reason why they have none.
pub(crate) fn made(from: &Sources) -> Vec<(Vec<Origin>, &'static str)> {
    let mut found: Vec<(Vec<Origin>, &'static str)> = Vec::new();
    for key in idle(from) {
        let Ok(Some(value)) = from.optional(key.name, key.idle_reader) else { continue };
        let default = key.default.and_then(|default| (key.idle_reader)(default).ok()).unwrap_or_default();
        let Some(reason) = key.idle.filter(|_| value != default) else { continue };
        let origin = from.origin(key.name).clone();
        match found.iter_mut().find(|(_, other)| *other == reason) {
            Some((set, _)) => set.push(origin),
            None => found.push((vec![origin], reason)),
        }
    }
    found
}

fn idle(from: &Sources) -> impl Iterator<Item = &'static Key> {
    from.scope().map(|(_, key)| key).filter(|key| key.idle.is_some())
}

#[cfg(test)]
mod tests {
    use crate::programs::keys;

    #[test]
    fn every_setting_without_effect_has_a_default_that_says_something() {
        let idle: Vec<_> = keys().filter(|key| key.idle.is_some()).collect();
        assert_eq!(idle.len(), 14);
        for key in idle {
            assert!(key.default.is_none_or(|default| (key.idle_reader)(default).is_ok()), "{}", key.name);
        }
    }
}
