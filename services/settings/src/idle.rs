//! Settings of the original that have nothing behind them here. They are read, so that a deployment starts unchanged; a
//! value that says nothing is refused, and one that asks for something is told that it has no effect.

use std::time::Duration;

use crate::access::host;
use crate::declare::settings;
use crate::values::{Idle, Reading};

const NO_EVENTS: &str = "no events are sent to Amazon Data Firehose";
const DHT_ONLY: &str = "this build measures DHTs only";

settings! {
    /// Where the original keeps provider records.
    DatastoreConfig(from) = "Datastore";
    level_db: Idle<String> = ("server.level_db", "level-db", "DIR").variable("PARSEC_SERVER_LEVELDB").default("./leveldb")
        .idle("provider records are kept in memory"), "Where the original keeps its datastore";
}

settings! {
    /// What the original sends to Amazon Data Firehose.
    FirehoseConfig(from) = "Firehose";
    region: Idle<String> = ("server.firehose.region", "firehose-region", "REGION").default("us-east-1").idle(NO_EVENTS),
        "Region of the delivery stream";
    stream: Idle<String> = ("server.firehose.stream", "firehose-stream", "STREAM").idle(NO_EVENTS),
        "Delivery stream that the original sends its events to";
    batch_time: Idle<Duration> = ("server.firehose.batch_time", "firehose-batch-time", "DURATION").default("30s").idle(NO_EVENTS),
        "How long the original collects events";
    batch_size: Idle<u32> = ("server.firehose.batch_size", "firehose-batch-size", "N").default("500").idle(NO_EVENTS),
        "How many events the original sends at a time";
    connections: Idle<bool> = ("server.firehose.connection_events", "firehose-connection-events", "BOOL").default("true").idle(NO_EVENTS),
        "Whether the original sends an event for each connection";
    rpcs: Idle<bool> = ("server.firehose.rpc_events", "firehose-rpc-events", "BOOL").default("true").idle(NO_EVENTS),
        "Whether the original sends an event for each request of a peer";
}

settings! {
    /// What the original needs to measure an indexer.
    IpniConfig(from) = "IPNI";
    indexer: Idle<String> = ("server.ipni.indexer_host", "indexer-host", "HOST").older(&["PARSEC_SERVER_INDEXER_HOST"]).idle(DHT_ONLY) by host,
        "Indexer that the original announces to";
    index_timeout: Idle<Duration> = ("server.ipni.indexer_index_timeout", "indexer-index-timeout", "DURATION").default("1m").idle(DHT_ONLY),
        "How long the original waits for the indexer to fetch an announcement";
    timeout: Idle<Duration> = ("server.ipni.indexer_availability_timeout", "indexer-availability-timeout", "DURATION").default("2m")
        .idle(DHT_ONLY), "How long the original waits for content to be found";
    interval: Idle<Duration> = ("server.ipni.indexer_interval", "indexer-interval", "DURATION").default("1s").idle(DHT_ONLY),
        "How often the original asks whether content is found";
    publisher: Idle<String> = ("server.ipni.publisher_host", "publisher-host", "HOST").default("127.0.0.1").idle(DHT_ONLY) by host,
        "Address on which the original waits for the indexer";
    publisher_port: Idle<u16> = ("server.ipni.publisher_port", "publisher-port", "PORT").default("2020").idle(DHT_ONLY),
        "Port on which the original waits for the indexer";
}

settings! {
    /// What the original lets its servers measure.
    RoutingConfig(from) = "Routing";
    routing: Idle<String> = ("scheduler.routing", "routing", "ROUTING").default("DHT").idle(DHT_ONLY) by routing,
        "What to measure: DHT (accepted for configurations from 2023)";
}

fn routing(text: &str) -> Reading<String> {
    match text {
        "DHT" => Ok(text.to_owned()),
        "IPNI" => Err(format!("{DHT_ONLY}; expected DHT")),
        _ => Err("expected DHT".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::programs::keys;

    #[test]
    fn every_setting_without_effect_has_a_default_that_says_something() {
        let idle: Vec<_> = keys().filter(|key| key.idle.is_some()).collect();
        assert_eq!(idle.len(), 14);
        for key in idle {
            assert!(key.default.is_none_or(|default| (key.meaning)(default).is_ok()), "{}", key.name);
        }
    }
}
