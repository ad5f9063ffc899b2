//! The settings of the commands that serve a deployment: `server`, `scheduler`, `health`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use parsec_api::place::{HostPort, ServerUrl};
use parsec_dht::{PrivatePeers, Warmth};
use parsec_ecs::Container;
use parsec_layers::{ConfigError, Kind, Sources};
use parsec_measure::{Fleet, FleetGroup, Share, StrategyKind};
use reqwest::Url;

use crate::access::{CallingConfig, ServingConfig, TrustConfig, health_url, host};
use crate::common::{
    CommonConfig, DatabaseConfig, RecordingConfig, SpoolConfig, SpoolLimitsConfig, StopConfig, TelemetryConfig,
};
use crate::declare::settings;
use crate::idle::{DatastoreConfig, FirehoseConfig, IpniConfig, RoutingConfig};
use crate::page::PageAccessConfig;
use crate::values::{self, Reading, within};

/// The most lookups by one node in one round. Each waits for the one before it, and a round has to end.
const MAX_PROBES: u32 = 1_000;

/// The most peers that a lookup asks at the same time: the size of many buckets, far beyond any use.
pub(crate) const MAX_ALPHA: u16 = 256;

/// The largest port that `nodes_ecs.server_port` and `nodes_ecs.peer_port` can hold: they are SMALLINT.
const MAX_STORED_PORT: u16 = i16::MAX as u16;

settings! {
    /// Where a server runs.
    #[derive(Default)]
    PlaceConfig(from) = "Place" global;
    region: Option<String> = ("aws.region", "aws-region", "REGION").variable("AWS_REGION"),
        "Region of the server, as recorded with its measurements; on ECS, the region of the container if not given";
    ecs_uri: Option<Url> = ("ecs.metadata_uri_v4", "ecs-metadata-uri-v4", "URI").variable("ECS_CONTAINER_METADATA_URI_V4")
        // As in the original: whoever writes the metadata out does not want anybody to be asked.
        .unless("ecs.metadata") by metadata_url,
        "URL of the ECS metadata (cores, memory, address of the container); without it, the machine is asked";
    ecs: Option<Container> = ("ecs.metadata", "ecs-metadata", "JSON").variable("ECS_CONTAINER_METADATA"),
        "The ECS metadata as JSON, instead of their URL";
    advertise_ip: Option<IpAddr> = ("server.advertise_ip", "advertise-ip", "IP"),
        "Address at which schedulers reach the HTTP API; detected if not given";
}

/// A place to ask something over plain HTTP: an agent on the same machine.
fn metadata_url(text: &str) -> Reading<Url> {
    let url = text.parse::<Url>().ok().filter(|url| url.scheme() == "http" && url.has_host());
    url.ok_or_else(|| "expected an http:// URL such as http://169.254.170.2/v4/0123456789".to_owned())
}

settings! {
    /// A node's part in the DHT.
    DhtConfig(from) = "DHT";
    peer_host: String = ("server.peer_host", "peer-host", "HOST").default("127.0.0.1") by host,
        "Address on which the libp2p host listens";
    operation_timeout: Duration = ("server.operation_timeout", "operation-timeout", "DURATION").default("3m"),
        "How long a publication or a lookup may take";
    project: String = ("server.dht.project", "project", "PROJECT").default("ipfs"), "Project whose network to join";
    network: String = ("server.dht.network", "network", "NETWORK").default("amino"), "Network of the project";
    named: Option<StrategyKind> = ("server.dht.strategy", "strategy", "STRATEGY")
        .rivals(&["server.dht.fullrt", "server.dht.optprov"]), "How to publish and find; classic if not given";
    fullrt: bool = ("server.dht.fullrt", "fullrt", "BOOL").older(&["PARSEC_SERVER_FULLRT"])
        .rivals(&["server.dht.strategy", "server.dht.optprov"]),
        "Same as --strategy fullrt: know the whole network from a crawl (accelerated client)";
    optprov: bool = ("server.dht.optprov", "optprov", "BOOL").older(&["PARSEC_SERVER_OPTPROV"])
        .rivals(&["server.dht.strategy", "server.dht.fullrt"]), "Same as --strategy optprov: publish optimistically";
    alpha: u16 = ("server.dht.alpha", "alpha", "N").default("10") by within(1..=MAX_ALPHA),
        "How many peers a lookup asks at the same time";
    bootstrap_peers: Option<Vec<String>> = ("server.dht.bootstrap_peers", "bootstrap-peers", "MULTIADDRS") by values::list(peer_multiaddr),
        "Peers to join through, instead of the network's own";
    protocol_ids: Option<Vec<String>> = ("server.dht.protocol_id", "protocol-id", "PROTOCOLS") by values::distinct(protocol_id),
        "Protocols of the DHT, instead of the network's own; with each peer the first that it speaks is used";
    external_addresses: Option<Vec<String>> = ("server.dht.external_addresses", "external-addresses", "MULTIADDRS") by values::list(multiaddr),
        "Addresses to announce to other peers";
    connections: Warmth = ("server.dht.connections", "connections", "LOW-HIGH").default("160-192"),
        "Connections to keep: if there are more than HIGH, the least useful are closed until LOW are left";
    private_peers: PrivatePeers = ("server.dht.private_peers", "private-peers", "WHICH").default("auto"),
        "What to do with private addresses of other peers";
    => strategy: StrategyKind = strategy(from, named, fullrt, optprov)?, "How it publishes and finds";
}

/// The strategy that three settings can name. Those that another one overrules do not ask for any here.
fn strategy(
    from: &Sources,
    named: Option<StrategyKind>,
    fullrt: bool,
    optprov: bool,
) -> Result<StrategyKind, ConfigError> {
    let asked = [
        named.map(|kind| ("server.dht.strategy", kind)),
        fullrt.then_some(("server.dht.fullrt", StrategyKind::Fullrt)),
        optprov.then_some(("server.dht.optprov", StrategyKind::Optprov)),
    ];
    let mut asked = asked.into_iter().flatten();
    let Some((first, kind)) = asked.next() else { return Ok(StrategyKind::Classic) };
    let origin = |name: &str| from.origin(name).clone();
    match asked.find(|(_, other)| *other != kind) {
        Some((other, _)) => Err(ConfigError::Both(origin(first), origin(other))),
        None => Ok(kind),
    }
}

/// A multiaddr by its looks; what it says is for those to judge who know libp2p.
fn multiaddr(text: &str) -> Reading<String> {
    if text.starts_with('/') && text.len() > 1 {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a multiaddr; expected one such as /ip4/192.0.2.1/tcp/4001"))
}

fn peer_multiaddr(text: &str) -> Reading<String> {
    let end = "does not end in /p2p/ and a peer id; expected one such as /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…";
    multiaddr(text)
        .and_then(|address| if text.contains("/p2p/") { Ok(address) } else { Err(format!("`{text}` {end}")) })
}

fn protocol_id(text: &str) -> Reading<String> {
    multiaddr(text).map_err(|_| "expected a protocol such as /ipfs/kad/1.0.0".to_owned())
}

settings! {
    /// Files of what somebody wants to see gone.
    #[derive(Default)]
    DenylistFiles(from) = "Denylists";
    badbits: Option<PathBuf> = ("server.dht.badbits", "badbits", "FILE").older(&["PARSEC_SERVER_BADBITS"]),
        "List of hashed CIDs (badbits.deny); requests of other peers for them are counted and answered";
    denied_cids: Option<PathBuf> = ("server.dht.denied_cids", "denied-cids", "FILE").older(&["PARSEC_SERVER_DENIED_CIDS"]),
        "List of CIDs with their sources (CSV); requests of other peers for them are counted and answered";
}

settings! {
    /// `parsec server`.
    ServerConfig(from) = "Server";
    + common: CommonConfig, "What every command has";
    + telemetry: TelemetryConfig, "Where the metrics are offered";
    + stop: StopConfig, "How it ends";
    + recording: RecordingConfig, "Whether anything is stored";
    + database: DatabaseConfig, "Where the node is registered";
    + spool: SpoolConfig, "Where rows wait while the database is away";
    + spool_limits: SpoolLimitsConfig, "How much may wait there";
    + place: PlaceConfig, "What it is told about the place where it runs";
    + access: ServingConfig, "Whom the HTTP API lets in";
    + dht: DhtConfig, "Its part in the DHT";
    + denylists: DenylistFiles, "What the requests of others are looked up in";
    + datastore: DatastoreConfig, "Without effect";
    + firehose: FirehoseConfig, "Without effect";
    + ipni: IpniConfig, "Without effect";
    server_host: String = ("server.server_host", "server-host", "HOST").default("localhost") by host,
        "Address on which the HTTP API listens";
    server_port: u16 = ("server.server_port", "server-port", "PORT").default("7070") by stored_port("server_port"),
        "Port of the HTTP API, up to 32767; 0 takes a free one";
    peer_port: u16 = ("server.peer_port", "peer-port", "PORT").default("4001") by stored_port("peer_port"),
        "Port of the libp2p host, up to 32767; 0 takes a free one";
    fleet: Fleet = ("server.fleet", "fleet", "FLEET").default(""), "Fleet that the server belongs to";
    startup_delay: Duration = ("server.startup_delay", "startup-delay", "DURATION").default("1m") by values::duration,
        "How long after its start the server offers itself to schedulers";
    verify_records: Share = ("server.verify_records", "verify-records", "SHARE").default("0.05"),
        "Share of the publications, from 0 to 1, that are checked: whether the closest peers have the record right \
         after it and 1, 12 and 24 h later";
    server_mode: bool = ("server.dht.server_mode", "server-mode", "BOOL")
        .older_flags(&["dht-server"]).older(&["PARSEC_SERVER_DHT_SERVER"]), "Also answer the requests of other peers";
    => api: HostPort = HostPort { host: server_host.clone(), port: server_port }, "Where the HTTP API listens";
    => peer: HostPort = HostPort { host: dht.peer_host.clone(), port: peer_port }, "Where the libp2p host listens";
}

fn stored_port(column: &'static str) -> impl Fn(&str) -> Reading<u16> {
    move |text| match within(0..=u16::MAX)(text)? {
        port if port > MAX_STORED_PORT => Err(format!(
            "expected a port up to {MAX_STORED_PORT}: the database keeps it in nodes_ecs.{column}, a SMALLINT"
        )),
        port => Ok(port),
    }
}

settings! {
    /// `parsec scheduler`.
    SchedulerConfig(from) = "Scheduler";
    + common: CommonConfig, "What every command has";
    + telemetry: TelemetryConfig, "Where the metrics are offered";
    + stop: StopConfig, "How it ends";
    + recording: RecordingConfig, "Whether anything is stored";
    + database: DatabaseConfig, "Where the nodes are found and the measurements go";
    + spool: SpoolConfig, "Where rows wait while the database is away";
    + spool_limits: SpoolLimitsConfig, "How much may wait there";
    + access: CallingConfig, "How it enters the servers";
    + page: PageAccessConfig, "Where its page is reached, if it serves one, and who may look";
    + routing: RoutingConfig, "Without effect";
    interval: Duration = ("scheduler.interval", "interval", "DURATION").default("1m"),
        "Time from the start of one round to the start of the next";
    probes: u32 = ("scheduler.probes", "probes", "N").default("1") by within(1..=MAX_PROBES),
        "How often each node looks up what was published";
    operation_timeout: Duration = ("scheduler.operation_timeout", "operation-timeout", "DURATION").default("3m10s"),
        "How long to wait for the answer of a server; longer than the server's own limit";
    trace_sample: Share = ("scheduler.trace_sample", "trace-sample", "SHARE").default("0.01"),
        "Share of the operations, from 0 to 1, whose traces are kept; failures and the slowest are always kept";
    page_port: Option<u16> = ("scheduler.page_port", "page-port", "PORT"),
        "Port of a page that shows what is measured, as `parsec page` does; 0 takes a free one, and without it there is none";
    // Last, so that everything else is judged where nobody says which.
    fleets: Vec<FleetGroup> = ("scheduler.fleets", "fleets", "FLEETS"),
        "Fleets to measure (required): a comma separates loops of rounds, a plus joins fleets into one loop";
}

impl values::Value for Vec<FleetGroup> {
    const KIND: Kind = Kind::List;

    fn read(text: &str) -> Reading<Self> {
        FleetGroup::parse_list(text).map_err(|error| error.to_string())
    }
}

settings! {
    /// `parsec health`.
    HealthConfig(from) = "";
    + common: CommonConfig, "What every command has";
    + trust: TrustConfig, "Whom to believe that they are the server";
    => server: ServerUrl = from.required_argument(health_url)?, "The server to ask";
    => access: CallingConfig = CallingConfig { ca: trust.ca.clone(), ..CallingConfig::default() }, "How it is entered";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use super::*;
    use crate::cli::parse;
    use crate::programs::Command;

    fn place(variables: &[(&str, &str)]) -> Result<PlaceConfig, String> {
        let environment: BTreeMap<_, _> =
            variables.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(*v))).collect();
        match parse(["parsec", "server"].map(Into::into), &environment, &crate::tests::BINARY) {
            Ok((Command::Server(config), _)) => Ok(config.place),
            Ok((other, _)) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn ecs_metadata_that_are_written_out_win_over_the_place_to_ask() {
        let given = ("ECS_CONTAINER_METADATA", r#"{"Limits":{"CPU":7}}"#);
        let uri = ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x");
        let container = Container { cpu: Some(7), ..Container::default() };
        assert_eq!(
            {
                let place = place(&[given, uri]).unwrap();
                (place.ecs, place.ecs_uri)
            },
            (Some(container), None)
        );
        assert_eq!(place(&[uri]).unwrap().ecs_uri, Some(uri.1.parse().unwrap()));
        assert_eq!(place(&[]).unwrap(), PlaceConfig::default());
    }

    #[test]
    fn what_cannot_be_used_of_ecs_is_named_and_cut_if_it_is_long() {
        for (variable, value, reason) in [
            ("ECS_CONTAINER_METADATA", r#"{"Limits":{"CPU":"ten"}}"#, "`Limits.CPU` is \"ten\"; expected a number"),
            ("ECS_CONTAINER_METADATA_URI_V4", "169.254.170.2/v4", "expected an http:// URL such as http://169.254"),
            ("ECS_CONTAINER_METADATA_URI_V4", "https://169.254.170.2/v4", "expected an http:// URL"),
        ] {
            let message = place(&[(variable, value)]).unwrap_err();
            let start = format!("error: environment variable {variable}: cannot use `{value}`: {reason}");
            assert!(message.starts_with(&start), "{message}");
        }
        let message = place(&[("ECS_CONTAINER_METADATA", &"x".repeat(1_000_000))]).unwrap_err();
        assert!(message.len() < 500 && message.contains("x…`: it is not JSON"), "{} characters", message.len());
    }
}
