//! The table of settings. Where the original has a setting, its names (of both generations, 2023 and 2026) and its default are
//! kept. What the original had in between, while it was written, is not.

use crate::key::Program::{
    self, Bench, Conformance, Demo, Health, Migrate, Network, Provide, Retrieve, Scheduler, Server, Spool, Trace,
};
use crate::key::{Key, Secrecy, Section};

/// Every setting of every subcommand.
pub(crate) const SECTIONS: &[Section] = &[
    Section { heading: "General", global: true, used_by: &Program::ALL, keys: GENERAL },
    Section { heading: "Telemetry", global: true, used_by: &[Server, Scheduler], keys: TELEMETRY },
    Section { heading: "Stopping", global: true, used_by: &[Server, Scheduler], keys: STOPPING },
    Section { heading: "Recording", global: true, used_by: &[Server, Scheduler], keys: RECORDING },
    Section {
        heading: DATABASE_HEADING,
        global: true,
        used_by: &[Server, Scheduler, Trace, Migrate, Spool],
        keys: DATABASE,
    },
    Section { heading: "Spool", global: true, used_by: &[Server, Scheduler, Spool], keys: SPOOL },
    Section { heading: "Spool limits", global: true, used_by: &[Server, Scheduler], keys: SPOOL_LIMITS },
    Section { heading: "Place", global: true, used_by: &[Server], keys: PLACE },
    Section { heading: "Server", global: false, used_by: &[Server], keys: SERVER },
    Section { heading: "Access to a server", global: false, used_by: &[Server], keys: SERVING },
    Section { heading: "DHT", global: false, used_by: &[Server, Provide, Retrieve], keys: DHT },
    Section { heading: "Firehose", global: false, used_by: &[Server], keys: FIREHOSE_KEYS },
    Section { heading: "IPNI", global: false, used_by: &[Server], keys: IPNI },
    Section { heading: "One operation", global: false, used_by: &[Provide, Retrieve], keys: ONE_SHOT },
    Section { heading: "Provide", global: false, used_by: &[Provide], keys: PROVIDE },
    Section { heading: "Trace", global: false, used_by: &[Trace], keys: TRACE },
    Section { heading: "Migrate", global: false, used_by: &[Migrate], keys: MIGRATE },
    Section { heading: "Spool command", global: false, used_by: &[Spool], keys: SPOOL_COMMAND },
    Section { heading: "Conformance", global: false, used_by: &[Conformance], keys: CONFORMANCE },
    Section { heading: "One server", global: false, used_by: &[Health, Conformance], keys: CLIENT },
    Section { heading: "Access to one server", global: false, used_by: &[Conformance], keys: CLIENT_TOKEN },
    Section { heading: "Scheduler", global: false, used_by: &[Scheduler], keys: SCHEDULER },
    Section { heading: "Access to the servers", global: false, used_by: &[Scheduler], keys: SCHEDULING },
    Section { heading: "Bench", global: false, used_by: &[Bench], keys: BENCH },
    Section { heading: "Demo", global: false, used_by: &[Demo], keys: DEMO },
    Section { heading: "Network", global: false, used_by: &[Network], keys: NETWORK },
];

/// The heading of what is only needed to reach the database.
pub(super) const DATABASE_HEADING: &str = "Database";

/// The path of the configuration file, the one setting that cannot stand in it.
pub(super) const CONFIG: &str = "config";

/// The directory of the spool, the one setting whose default depends on the environment.
pub(super) const SPOOL_DIR: &str = "spool.dir";

/// Each setting with a secret, and the one with a file that holds it.
pub(super) const SECRETS: [(&str, &str); 4] = [
    ("database.password", "database.password_file"),
    ("server.api_token", "server.api_token_file"),
    ("scheduler.api_token", "scheduler.api_token_file"),
    ("client.api_token", "client.api_token_file"),
];

/// Why `--level-db` has no effect.
pub(super) const LEVEL_DB: &str = "provider records are kept in memory";

/// Why the settings of the firehose have no effect.
pub(super) const FIREHOSE: &str = "no events are sent to Amazon Data Firehose";

/// Why the settings of `server ipni` have no effect.
pub(crate) const DHT_ONLY: &str = "this build measures DHTs only";

/// Every setting, in the order of the table.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The row of the setting `name`.
pub(super) fn key(name: &str) -> &'static Key {
    keys().find(|key| key.name == name).unwrap_or_else(|| panic!("`{name}` is no row of the table of settings"))
}

impl Program {
    /// The settings that it uses.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'static Key> {
        SECTIONS.iter().filter(move |section| section.used_by.contains(&self)).flat_map(|section| section.keys)
    }
}

const GENERAL: &[Key] = &[
    Key::text(CONFIG, "config", "PARSEC_CONFIG", "FILE").help("Configuration file, .toml or .yaml"),
    Key::switch("log.debug", "debug", "PARSEC_DEBUG").help("Log at level 5 at least"),
    Key::number("log.level", "log-level", "PARSEC_LOG_LEVEL", "LEVEL")
        .default("4")
        .help("How much to log: error, warn, info, debug or trace, or 0 to 2 errors only, 3 warnings, 4 info, 5 debug, 6 trace"),
    Key::text("log.filter", "log-filter", "PARSEC_LOG_FILTER", "DIRECTIVES")
        .help("What to log besides, also of libraries: TARGET=LEVEL,… in tracing's syntax, such as libp2p_kad=debug"),
    Key::text("log.format", "log-format", "PARSEC_LOG_FORMAT", "FORMAT")
        .default("text")
        .help("Log lines as text or json"),
];

const TELEMETRY: &[Key] = &[
    Key::text("telemetry.host", "telemetry-host", "PARSEC_TELEMETRY_HOST", "HOST")
        .default("localhost")
        .help("Address of /metrics, for Prometheus, and /status"),
    Key::number("telemetry.port", "telemetry-port", "PARSEC_TELEMETRY_PORT", "PORT")
        .default("6666")
        .help("Port of /metrics and /status; 0 takes a free one"),
];

const STOPPING: &[Key] = &[Key::text("stop.timeout", "stop-timeout", "PARSEC_STOP_TIMEOUT", "DURATION")
    .default("30s")
    .help("How long a stop may take, all in all; what is not finished by then is named")];

const RECORDING: &[Key] =
    &[Key::switch("dry_run", "dry-run", "PARSEC_SCHEDULE_DRY_RUN").help("Measure, but store nothing")];

const DATABASE: &[Key] = &[
    Key::text("database.url", "database-url", "PARSEC_DATABASE_URL", "URL")
        .secrecy(Secrecy::SecretInUrl)
        .help("sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME; wins over the single parts"),
    Key::text("database.host", "db-host", "PARSEC_DATABASE_HOST", "HOST")
        .default("localhost")
        .help("Host of the PostgreSQL server"),
    Key::number("database.port", "db-port", "PARSEC_DATABASE_PORT", "PORT")
        .default("5432")
        .help("Port of the PostgreSQL server"),
    Key::text("database.name", "db-name", "PARSEC_DATABASE_NAME", "NAME")
        .default("parsec")
        .help("Name of the database"),
    Key::text("database.password", "db-password", "PARSEC_DATABASE_PASSWORD", "PASSWORD")
        .default("password")
        .secrecy(Secrecy::Secret)
        .help("Password for the database"),
    Key::text("database.password_file", "db-password-file", "PARSEC_DATABASE_PASSWORD_FILE", "FILE")
        .help("File that holds the password, instead of the password itself"),
    Key::text("database.user", "db-user", "PARSEC_DATABASE_USER", "USER")
        .default("parsec")
        .help("User of the database"),
    Key::text("database.sslmode", "db-sslmode", "PARSEC_DATABASE_SSL_MODE", "MODE")
        .default("disable")
        .help("TLS to the database: disable, prefer, require, verify-ca or verify-full"),
    Key::text("database.sslrootcert", "db-sslrootcert", "PARSEC_DATABASE_SSLROOTCERT", "FILE").help(
        "Authorities, as PEM, that the certificate of the database has to come from; those of the system if not given",
    ),
    Key::text("database.wait", "database-wait", "PARSEC_DATABASE_WAIT", "DURATION")
        .default("1m")
        .help("How long to wait at the start for a database that is not there yet"),
];

const SPOOL: &[Key] = &[Key::text(SPOOL_DIR, "spool-dir", "PARSEC_SPOOL_DIR", "DIR").help(
    "Where rows wait on disk while the database is away; none keeps them in memory only; \
     $XDG_STATE_HOME/parsec/spool or ~/.local/state/parsec/spool if not given",
)];

const SPOOL_LIMITS: &[Key] = &[
    Key::text("spool.size", "spool-size", "PARSEC_SPOOL_SIZE", "SIZE")
        .default("1GiB")
        .help("How much disk the rows that wait may take, such as 512MiB; at least 16MiB"),
    Key::text("spool.age", "spool-age", "PARSEC_SPOOL_AGE", "DURATION")
        .default("720h")
        .help("How long a row may wait; older ones are dropped, and counted"),
];

const SPOOL_COMMAND: &[Key] =
    &[Key::text("spool.format", "format", "PARSEC_SPOOL_FORMAT", "FORMAT").default("text").help("As text or json")];

const PLACE: &[Key] = &[
    Key::text("aws.region", "aws-region", "AWS_REGION", "REGION")
        .help("Region that the server says it runs in; on ECS, that of the container if not given"),
    Key::text("ecs.metadata_uri_v4", "ecs-metadata-uri-v4", "ECS_CONTAINER_METADATA_URI_V4", "URI")
        .help("Where ECS tells cores, memory and address of the container; without it, the machine's are taken"),
    Key::text("ecs.metadata", "ecs-metadata", "ECS_CONTAINER_METADATA", "JSON")
        .help("What ECS tells, itself: nobody is asked then"),
];

const SERVER: &[Key] = &[
    Key::text("server.server_host", "server-host", "PARSEC_SERVER_SERVER_HOST", "HOST")
        .default("localhost")
        .help("Address on which the HTTP API listens"),
    Key::number("server.server_port", "server-port", "PARSEC_SERVER_SERVER_PORT", "PORT")
        .default("7070")
        .help("Port of the HTTP API, up to 32767; 0 takes a free one"),
    Key::number("server.peer_port", "peer-port", "PARSEC_SERVER_PEER_PORT", "PORT")
        .default("4001")
        .help("Port of the libp2p host, up to 32767; 0 takes a free one"),
    Key::text("server.fleet", "fleet", "PARSEC_SERVER_FLEET", "FLEET")
        .default("")
        .help("Fleet that the server belongs to"),
    Key::text("server.startup_delay", "startup-delay", "PARSEC_SERVER_STARTUP_DELAY", "DURATION")
        .default("1m")
        .help("How long after the start the server first says that it is there"),
    Key::decimal("server.verify_records", "verify-records", "PARSEC_SERVER_VERIFY_RECORDS", "SHARE")
        .default("0.05")
        .help(
            "Share of the publications whose records are looked for at the closest peers, right after it and 1, 12 and 24 h \
             later, from 0 to 1",
        ),
    Key::text("server.advertise_ip", "advertise-ip", "PARSEC_SERVER_ADVERTISE_IP", "IP")
        .help("Address that schedulers reach the HTTP API at; found out if not given"),
    Key::switch("server.dht.server_mode", "server-mode", "PARSEC_SERVER_DHT_SERVER_MODE")
        .older_flags(&["dht-server"])
        .older(&["PARSEC_SERVER_DHT_SERVER"])
        .help("Also answer the requests of other peers"),
    Key::text("server.level_db", "level-db", "PARSEC_SERVER_LEVELDB", "DIR")
        .default("./leveldb")
        .idle(LEVEL_DB)
        .help("Where the original keeps its datastore"),
    Key::text("server.dht.badbits", "badbits", "PARSEC_SERVER_DHT_BADBITS", "FILE")
        .older(&["PARSEC_SERVER_BADBITS"])
        .help("List of hashed CIDs (badbits.deny): the requests of other peers for them are counted"),
    Key::text("server.dht.denied_cids", "denied-cids", "PARSEC_SERVER_DHT_DENIED_CIDS", "FILE")
        .older(&["PARSEC_SERVER_DENIED_CIDS"])
        .help("List of CIDs with their sources (CSV): the requests of other peers for them are counted"),
];

const DHT: &[Key] = &[
    Key::text("server.peer_host", "peer-host", "PARSEC_SERVER_PEER_HOST", "HOST")
        .default("127.0.0.1")
        .help("Address on which the libp2p host listens"),
    Key::text("server.operation_timeout", "operation-timeout", "PARSEC_SERVER_OPERATION_TIMEOUT", "DURATION")
        .default("3m")
        .help("How long a publication or a lookup may take"),
    Key::text("server.dht.project", "project", "PARSEC_SERVER_DHT_PROJECT", "PROJECT")
        .default("ipfs")
        .help("Project whose network to join"),
    Key::text("server.dht.network", "network", "PARSEC_SERVER_DHT_NETWORK", "NETWORK")
        .default("amino")
        .help("Network of the project"),
    Key::text("server.dht.strategy", "strategy", "PARSEC_SERVER_DHT_STRATEGY", "STRATEGY")
        .help("How to publish and find: classic, optprov, fullrt or libp2p; classic if no setting says otherwise"),
    Key::switch("server.dht.fullrt", "fullrt", "PARSEC_SERVER_DHT_FULLRT")
        .older(&["PARSEC_SERVER_FULLRT"])
        .help("Know the whole network from a crawl (accelerated client): --strategy fullrt"),
    Key::switch("server.dht.optprov", "optprov", "PARSEC_SERVER_DHT_OPTPROV")
        .older(&["PARSEC_SERVER_OPTPROV"])
        .help("Publish optimistically: --strategy optprov"),
    Key::number("server.dht.alpha", "alpha", "PARSEC_SERVER_DHT_ALPHA", "N")
        .default("10")
        .help("How many peers a lookup asks at the same time"),
    Key::list("server.dht.bootstrap_peers", "bootstrap-peers", "PARSEC_SERVER_DHT_BOOTSTRAP_PEERS", "MULTIADDRS")
        .help("Peers to join through, instead of the network's own"),
    Key::list("server.dht.protocol_id", "protocol-id", "PARSEC_SERVER_DHT_PROTOCOL_ID", "PROTOCOLS")
        .help("Protocol of the DHT, instead of the network's own; of several, the first that a peer speaks"),
    Key::list(
        "server.dht.external_addresses",
        "external-addresses",
        "PARSEC_SERVER_DHT_EXTERNAL_ADDRESSES",
        "MULTIADDRS",
    )
    .help("Addresses to announce to other peers"),
    Key::text("server.dht.connections", "connections", "PARSEC_SERVER_DHT_CONNECTIONS", "LOW-HIGH")
        .default("160-192")
        .help("Connections to keep: with more than HIGH, those worth least are closed until LOW are left"),
    Key::text("server.dht.private_peers", "private-peers", "PARSEC_SERVER_DHT_PRIVATE_PEERS", "WHICH")
        .default("auto")
        .help("Private addresses of other peers: dial, ignore, or auto, which ignores them if all bootstrap peers are public"),
];

const FIREHOSE_KEYS: &[Key] = &[
    Key::text("server.firehose.region", "firehose-region", "PARSEC_SERVER_FIREHOSE_REGION", "REGION")
        .default("us-east-1")
        .idle(FIREHOSE)
        .help("Region of the delivery stream"),
    Key::text("server.firehose.stream", "firehose-stream", "PARSEC_SERVER_FIREHOSE_STREAM", "STREAM")
        .idle(FIREHOSE)
        .help("Delivery stream that the original sends its events to"),
    Key::text("server.firehose.batch_time", "firehose-batch-time", "PARSEC_SERVER_FIREHOSE_BATCH_TIME", "DURATION")
        .default("30s")
        .idle(FIREHOSE)
        .help("How long the original collects events"),
    Key::number("server.firehose.batch_size", "firehose-batch-size", "PARSEC_SERVER_FIREHOSE_BATCH_SIZE", "N")
        .default("500")
        .idle(FIREHOSE)
        .help("How many events the original sends at a time"),
    Key::switch(
        "server.firehose.connection_events",
        "firehose-connection-events",
        "PARSEC_SERVER_FIREHOSE_CONNECTION_EVENTS",
    )
    .default("true")
    .idle(FIREHOSE)
    .help("Whether the original sends an event for each connection"),
    Key::switch("server.firehose.rpc_events", "firehose-rpc-events", "PARSEC_SERVER_FIREHOSE_RPC_EVENTS")
        .default("true")
        .idle(FIREHOSE)
        .help("Whether the original sends an event for each request of a peer"),
];

const IPNI: &[Key] = &[
    Key::text("server.ipni.indexer_host", "indexer-host", "PARSEC_SERVER_IPNI_INDEXER_HOST", "HOST")
        .older(&["PARSEC_SERVER_INDEXER_HOST"])
        .idle(DHT_ONLY)
        .help("Indexer that the original announces to"),
    Key::text(
        "server.ipni.indexer_index_timeout",
        "indexer-index-timeout",
        "PARSEC_SERVER_IPNI_INDEXER_INDEX_TIMEOUT",
        "DURATION",
    )
    .default("1m")
    .idle(DHT_ONLY)
    .help("How long the original waits for the indexer to fetch an announcement"),
    Key::text(
        "server.ipni.indexer_availability_timeout",
        "indexer-availability-timeout",
        "PARSEC_SERVER_IPNI_INDEXER_AVAILABILITY_TIMEOUT",
        "DURATION",
    )
    .default("2m")
    .idle(DHT_ONLY)
    .help("How long the original waits for content to be found"),
    Key::text("server.ipni.indexer_interval", "indexer-interval", "PARSEC_SERVER_IPNI_INDEXER_INTERVAL", "DURATION")
        .default("1s")
        .idle(DHT_ONLY)
        .help("How often the original asks whether content is found"),
    Key::text("server.ipni.publisher_host", "publisher-host", "PARSEC_SERVER_IPNI_PUBLISHER_HOST", "HOST")
        .default("127.0.0.1")
        .idle(DHT_ONLY)
        .help("Address on which the original waits for the indexer"),
    Key::number("server.ipni.publisher_port", "publisher-port", "PARSEC_SERVER_IPNI_PUBLISHER_PORT", "PORT")
        .default("2020")
        .idle(DHT_ONLY)
        .help("Port on which the original waits for the indexer"),
];

const ONE_SHOT: &[Key] = &[
    Key::number("oneshot.peer_port", "peer-port", "PARSEC_ONESHOT_PEER_PORT", "PORT")
        .default("0")
        .help("Port of the libp2p host; 0 takes a free one"),
    Key::text("oneshot.ready_timeout", "ready-timeout", "PARSEC_ONESHOT_READY_TIMEOUT", "DURATION")
        .default("2m")
        .help("How long joining the network may take"),
    Key::text("oneshot.format", "format", "PARSEC_ONESHOT_FORMAT", "FORMAT")
        .default("text")
        .help("Result as text or json"),
];

const PROVIDE: &[Key] = &[Key::switch("provide.stay", "stay", "PARSEC_PROVIDE_STAY")
    .help("Go on running until Ctrl-C, so that those who find the record find the provider too")];

const TRACE: &[Key] =
    &[Key::text("trace.format", "format", "PARSEC_TRACE_FORMAT", "FORMAT").default("text").help("As text or json")];

const MIGRATE: &[Key] = &[Key::switch("migrate.print", "print", "PARSEC_MIGRATE_PRINT")
    .help("Print the SQL of every step for an empty database, in order, and connect to nothing")];

const CONFORMANCE: &[Key] = &[
    Key::text("conformance.ready_timeout", "ready-timeout", "PARSEC_CONFORMANCE_READY_TIMEOUT", "DURATION")
        .default("2m")
        .help("How long to wait until the server says that it can measure"),
    Key::text("conformance.timeout", "timeout", "PARSEC_CONFORMANCE_TIMEOUT", "DURATION")
        .default("3m10s")
        .help("How long to wait for the answer to each request; longer than the server's own limit"),
    Key::text("conformance.format", "format", "PARSEC_CONFORMANCE_FORMAT", "FORMAT")
        .default("text")
        .help("Result as text or json"),
];

const SCHEDULER: &[Key] = &[
    Key::list("scheduler.fleets", "fleets", "PARSEC_SCHEDULER_FLEETS", "FLEETS")
        .help("Fleets to measure: a comma separates loops of rounds, a plus joins fleets into one loop; required"),
    Key::text("scheduler.interval", "interval", "PARSEC_SCHEDULER_INTERVAL", "DURATION")
        .default("1m")
        .help("Time from the start of one round to the start of the next"),
    Key::number("scheduler.probes", "probes", "PARSEC_SCHEDULER_PROBES", "N")
        .default("1")
        .help("How often each node looks up what was published"),
    Key::text("scheduler.operation_timeout", "operation-timeout", "PARSEC_SCHEDULER_OPERATION_TIMEOUT", "DURATION")
        .default("3m10s")
        .help("How long to wait for the answer of a server; longer than the server's own limit"),
    Key::decimal("scheduler.trace_sample", "trace-sample", "PARSEC_SCHEDULER_TRACE_SAMPLE", "SHARE")
        .default("0.01")
        .help("Share of the operations whose traces are kept, from 0 to 1; those of failures and of the slowest always are"),
    Key::text("scheduler.routing", "routing", "PARSEC_SCHEDULER_ROUTING", "ROUTING")
        .default("DHT")
        .idle(DHT_ONLY)
        .help("What to measure, in the words of 2023: DHT"),
];

const BENCH: &[Key] = &[
    Key::number("bench.peers", "peers", "PARSEC_BENCH_PEERS", "N").default("500").help("Peers of the local DHT"),
    Key::text("bench.rtt", "rtt", "PARSEC_BENCH_RTT", "DURATION")
        .default("100ms")
        .help("Round-trip time between any two peers"),
    Key::decimal("bench.undialable", "undialable", "PARSEC_BENCH_UNDIALABLE", "SHARE")
        .default("0.15")
        .help("Share of peers that cannot be dialled: two thirds refuse, one third never answers"),
    Key::decimal("bench.silent", "silent", "PARSEC_BENCH_SILENT", "SHARE")
        .default("0")
        .help("Share of peers that accept connections and never answer"),
    Key::number("bench.operations", "operations", "PARSEC_BENCH_OPERATIONS", "N")
        .default("100")
        .help("Publications of each strategy, and as many lookups"),
    Key::list("bench.strategies", "strategies", "PARSEC_BENCH_STRATEGIES", "STRATEGIES")
        .default("classic,optprov,fullrt,libp2p")
        .help("Strategies to compare"),
    Key::number("bench.seed", "seed", "PARSEC_BENCH_SEED", "N").help("Makes the random choices repeatable"),
    Key::text("bench.format", "format", "PARSEC_BENCH_FORMAT", "FORMAT")
        .default("text")
        .help("Result as text, json or csv"),
    Key::text("bench.transport", "transport", "PARSEC_BENCH_TRANSPORT", "TRANSPORT")
        .default("memory")
        .help("How peers are connected: memory (on a virtual clock), tcp or quic"),
    Key::number("bench.alpha", "alpha", "PARSEC_BENCH_ALPHA", "N")
        .default("10")
        .help("How many peers a lookup asks at the same time"),
    Key::switch("bench.warm", "warm", "PARSEC_BENCH_WARM").help("Keep connections from one operation to the next"),
];

const DEMO: &[Key] = &[
    Key::number("demo.peers", "peers", "PARSEC_DEMO_PEERS", "N").default("100").help("Peers of the local DHT"),
    Key::number("demo.servers", "servers", "PARSEC_DEMO_SERVERS", "N")
        .default("5")
        .help("Servers of each fleet, at least 2"),
    Key::number("demo.rounds", "rounds", "PARSEC_DEMO_ROUNDS", "N")
        .help("End after so many rounds of each fleet; without it, at Ctrl-C"),
    Key::text("demo.interval", "interval", "PARSEC_DEMO_INTERVAL", "DURATION")
        .default("5s")
        .help("Time from the start of one round to the start of the next"),
    Key::text("demo.data_dir", "data-dir", "PARSEC_DEMO_DATA_DIR", "DIR")
        .help("Where the measurements are kept; without it, in a new temporary directory"),
    Key::text("demo.format", "format", "PARSEC_DEMO_FORMAT", "FORMAT").default("text").help("Results as text or json"),
    Key::number("demo.seed", "seed", "PARSEC_DEMO_SEED", "N").help("Makes the random choices of the demo repeatable"),
    Key::list("demo.fleets", "fleets", "PARSEC_DEMO_FLEETS", "NAMES")
        .default("default,optprov,fullrt")
        .help("Fleets side by side: default (the classic strategy), optprov, fullrt or libp2p"),
    Key::text("demo.latency", "latency", "PARSEC_DEMO_LATENCY", "LATENCY")
        .default("realistic")
        .help("Round-trip time between peers: realistic (by their regions), none, or a duration"),
    Key::decimal("demo.undialable", "undialable", "PARSEC_DEMO_UNDIALABLE", "SHARE")
        .default("0.15")
        .help("Share of peers that cannot be dialled"),
    Key::decimal("demo.silent", "silent", "PARSEC_DEMO_SILENT", "SHARE")
        .default("0.02")
        .help("Share of peers that accept connections and never answer"),
];

const NETWORK: &[Key] = &[
    Key::number("network.peers", "peers", "PARSEC_NETWORK_PEERS", "N").default("100").help("Peers of the local DHT"),
    Key::text("network.peer_host", "peer-host", "PARSEC_NETWORK_PEER_HOST", "HOST")
        .default("127.0.0.1")
        .help("Address on which the peers listen, and at which others reach them"),
    Key::number("network.peer_port", "peer-port", "PARSEC_NETWORK_PEER_PORT", "PORT")
        .default("0")
        .help("TCP port of the first peer, the others have the next ones; 0 takes free ones"),
    Key::number("network.seed", "seed", "PARSEC_NETWORK_SEED", "N")
        .default("1")
        .help("Decides the peer ids, which are the same in every run"),
];

const TOKEN: &str =
    "Token that schedulers have to send with every operation, at least 22 characters; without it everybody is let in";
const TOKEN_FILE: &str = "File that holds the token, instead of the token itself";

/// Of a server.
const SERVING: &[Key] = &[
    Key::text("server.api_token", "api-token", "PARSEC_SERVER_API_TOKEN", "TOKEN").secrecy(Secrecy::Secret).help(TOKEN),
    Key::text("server.api_token_file", "api-token-file", "PARSEC_SERVER_API_TOKEN_FILE", "FILE").help(TOKEN_FILE),
    Key::text("server.tls_cert", "server-tls-cert", "PARSEC_SERVER_TLS_CERT", "FILE")
        .help("Certificate of the HTTP API and those up to its authority, as PEM; without it, plain HTTP"),
    Key::text("server.tls_key", "server-tls-key", "PARSEC_SERVER_TLS_KEY", "FILE")
        .help("Private key of the certificate, as PEM"),
];

/// Of a scheduler.
const SCHEDULING: &[Key] = &[
    Key::text("scheduler.api_token", "api-token", "PARSEC_SCHEDULER_API_TOKEN", "TOKEN")
        .secrecy(Secrecy::Secret)
        .help("Token to send to the servers with every operation"),
    Key::text("scheduler.api_token_file", "api-token-file", "PARSEC_SCHEDULER_API_TOKEN_FILE", "FILE").help(TOKEN_FILE),
    Key::text("scheduler.server_tls_ca", "server-tls-ca", "PARSEC_SCHEDULER_SERVER_TLS_CA", "FILE").help(
        "Authorities, as PEM, that the certificates of all servers have to come from, each valid for the address of its server; \
         without it, plain HTTP",
    ),
];

/// Of those who ask one server for one thing.
const CLIENT: &[Key] = &[Key::text("client.tls_ca", "tls-ca", "PARSEC_CLIENT_TLS_CA", "FILE")
    .help("Authorities, as PEM, for a server at https://; those of the system if not given")];

/// Of those who also ask for operations.
const CLIENT_TOKEN: &[Key] = &[
    Key::text("client.api_token", "api-token", "PARSEC_CLIENT_API_TOKEN", "TOKEN")
        .secrecy(Secrecy::Secret)
        .help("Token to send to the server"),
    Key::text("client.api_token_file", "api-token-file", "PARSEC_CLIENT_API_TOKEN_FILE", "FILE").help(TOKEN_FILE),
];
