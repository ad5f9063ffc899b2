//! The table of settings. Where the original has a setting, its names (of both generations, 2023 and 2026) and its default are
//! kept. What the original had in between, while it was written, is not.

use crate::declare::row;
use crate::demo::DemoConfig;
use crate::idle_values;
use crate::key::Program::{
    self, Bench, Conformance, Demo, Health, Migrate, Network, Provide, Retrieve, Scheduler, Server, Spool, Trace,
};
use crate::key::{DHT_ONLY, Key, Secrecy, Section};
use crate::serving::SchedulerConfig;
use crate::spool::SpoolCommandConfig;
use crate::tools::{BenchConfig, ConformanceConfig, MigrateConfig, NetworkConfig, OneShotConfig, TraceConfig};
use crate::values;

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
    Section { heading: "One operation", global: false, used_by: &[Provide, Retrieve], keys: OneShotConfig::KEYS },
    Section { heading: "Provide", global: false, used_by: &[Provide], keys: PROVIDE },
    Section { heading: "Trace", global: false, used_by: &[Trace], keys: TraceConfig::KEYS },
    Section { heading: "Migrate", global: false, used_by: &[Migrate], keys: MigrateConfig::KEYS },
    Section { heading: "Spool command", global: false, used_by: &[Spool], keys: SpoolCommandConfig::KEYS },
    Section { heading: "Conformance", global: false, used_by: &[Conformance], keys: ConformanceConfig::KEYS },
    Section { heading: "One server", global: false, used_by: &[Health, Conformance], keys: CLIENT },
    Section { heading: "Access to one server", global: false, used_by: &[Conformance], keys: CLIENT_TOKEN },
    Section { heading: "Scheduler", global: false, used_by: &[Scheduler], keys: SchedulerConfig::KEYS },
    Section { heading: "Access to the servers", global: false, used_by: &[Scheduler], keys: SCHEDULING },
    Section { heading: "Bench", global: false, used_by: &[Bench], keys: BenchConfig::KEYS },
    Section { heading: "Demo", global: false, used_by: &[Demo], keys: DemoConfig::KEYS },
    Section { heading: "Network", global: false, used_by: &[Network], keys: NetworkConfig::KEYS },
];

/// The heading of what is only needed to reach the database.
pub(super) const DATABASE_HEADING: &str = "Database";

/// Why `--level-db` has no effect.
pub(super) const LEVEL_DB: &str = "provider records are kept in memory";

/// Why the settings of the firehose have no effect.
pub(super) const FIREHOSE: &str = "no events are sent to Amazon Data Firehose";

/// Every setting, in the order of the table.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

const PROVIDE: &[Key] = &[row!(switch, "provide.stay", "stay", "BOOL")
    .help("Keep running until Ctrl-C, so that peers that find the record can reach the provider")];

impl Program {
    /// The settings that it uses.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'static Key> {
        SECTIONS.iter().filter(move |section| section.used_by.contains(&self)).flat_map(|section| section.keys)
    }
}

const GENERAL: &[Key] = &[
    row!(text, "config", "config", "FILE").help("Configuration file, .toml or .yaml"),
    row!(switch, "log.debug", "debug", "BOOL").variable("PARSEC_DEBUG").help("Log at level 5 at least"),
    row!(number, "log.level", "log-level", "LEVEL")
        .default("4")
        .help("How much to log: error, warn, info, debug or trace, or 0 to 2 errors only, 3 warnings, 4 info, 5 debug, 6 trace"),
    row!(text, "log.filter", "log-filter", "DIRECTIVES")
        .help("What to log besides, also of libraries: TARGET=LEVEL,… in tracing's syntax, such as libp2p_kad=debug"),
    row!(text, "log.format", "log-format", "FORMAT")
        .default("text")
        .help("Log lines as text or json"),
];

const TELEMETRY: &[Key] = &[
    row!(text, "telemetry.host", "telemetry-host", "HOST")
        .default("localhost")
        .help("Address of /metrics, for Prometheus, and /status"),
    row!(number, "telemetry.port", "telemetry-port", "PORT")
        .default("6666")
        .help("Port of /metrics and /status; 0 takes a free one"),
];

const STOPPING: &[Key] = &[row!(text, "stop.timeout", "stop-timeout", "DURATION")
    .default("30s")
    .help("How long a stop may take in all; the process then ends, and names what it could not finish")];

const RECORDING: &[Key] = &[row!(switch, "dry_run", "dry-run", "BOOL")
    .variable("PARSEC_SCHEDULE_DRY_RUN")
    .help("Measure, but store nothing")];

const DATABASE: &[Key] = &[
    row!(text, "database.url", "database-url", "URL")
        .secrecy(Secrecy::SecretInUrl)
        .help("sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME; used instead of the separate settings"),
    row!(text, "database.host", "db-host", "HOST").default("localhost").help(
        "Host of the PostgreSQL server, or the directory of its socket; several, separated by commas: the first that can be written to is used",
    ),
    row!(number, "database.port", "db-port", "PORT").default("5432").help("Port of the PostgreSQL server"),
    row!(text, "database.name", "db-name", "NAME").default("parsec").help("Name of the database"),
    row!(text, "database.password", "db-password", "PASSWORD")
        .default("password")
        .secrecy(Secrecy::Secret)
        .help("Password for the database"),
    row!(text, "database.password_file", "db-password-file", "FILE")
        .help("File that holds the password, instead of the password itself"),
    row!(text, "database.user", "db-user", "USER").default("parsec").help("User of the database"),
    row!(text, "database.sslmode", "db-sslmode", "MODE")
        .variable("PARSEC_DATABASE_SSL_MODE")
        .default("disable")
        .help("TLS to the database: disable, prefer, require, verify-ca or verify-full"),
    row!(text, "database.sslrootcert", "db-sslrootcert", "FILE").help(
        "Authorities, as PEM, that the certificate of the database has to come from; those of the system if it is `system` or not given",
    ),
    row!(text, "database.wait", "database-wait", "DURATION")
        .default("1m")
        .help("How long to wait at the start for a database that cannot be reached"),
];

const SPOOL: &[Key] = &[row!(text, "spool.dir", "spool-dir", "DIR").help(
    "Where rows wait on disk while the database is away; none keeps them in memory only; \
     $XDG_STATE_HOME/parsec/spool or ~/.local/state/parsec/spool if not given",
)];

const SPOOL_LIMITS: &[Key] = &[
    row!(text, "spool.size", "spool-size", "SIZE")
        .default("1GiB")
        .help("How much disk space waiting rows may take, such as 512MiB; at least 16MiB"),
    row!(text, "spool.age", "spool-age", "DURATION")
        .default("720h")
        .help("How long a row may wait; older rows are dropped and counted"),
    row!(switch, "spool.durable", "spool-durable", "BOOL").default("true").help(
        "Whether the spool directory outlives the process; with false (an emptyDir, the storage of an ECS task) a stop \
         writes rows until --stop-timeout, and exits with 75 if some are left",
    ),
];

const PLACE: &[Key] = &[
    row!(text, "aws.region", "aws-region", "REGION").variable("AWS_REGION").help(
        "Region of the server, as recorded with its measurements; on ECS, the region of the container if not given",
    ),
    row!(text, "ecs.metadata_uri_v4", "ecs-metadata-uri-v4", "URI")
        .variable("ECS_CONTAINER_METADATA_URI_V4")
        .help("URL of the ECS metadata (cores, memory, address of the container); without it, the machine is asked"),
    row!(text, "ecs.metadata", "ecs-metadata", "JSON")
        .variable("ECS_CONTAINER_METADATA")
        .help("The ECS metadata as JSON, instead of their URL"),
];

const SERVER: &[Key] = &[
    row!(text, "server.server_host", "server-host", "HOST")
        .default("localhost")
        .help("Address on which the HTTP API listens"),
    row!(number, "server.server_port", "server-port", "PORT")
        .default("7070")
        .help("Port of the HTTP API, up to 32767; 0 takes a free one"),
    row!(number, "server.peer_port", "peer-port", "PORT")
        .default("4001")
        .help("Port of the libp2p host, up to 32767; 0 takes a free one"),
    row!(text, "server.fleet", "fleet", "FLEET").default("").help("Fleet that the server belongs to"),
    row!(text, "server.startup_delay", "startup-delay", "DURATION")
        .default("1m")
        .help("How long after its start the server offers itself to schedulers"),
    row!(decimal, "server.verify_records", "verify-records", "SHARE").default("0.05").help(
        "Share of the publications, from 0 to 1, that are checked: whether the closest peers have the record right \
             after it and 1, 12 and 24 h later",
    ),
    row!(text, "server.advertise_ip", "advertise-ip", "IP")
        .help("Address at which schedulers reach the HTTP API; detected if not given"),
    row!(switch, "server.dht.server_mode", "server-mode", "BOOL")
        .older_flags(&["dht-server"])
        .older(&["PARSEC_SERVER_DHT_SERVER"])
        .help("Also answer the requests of other peers"),
    row!(text, "server.level_db", "level-db", "DIR")
        .variable("PARSEC_SERVER_LEVELDB")
        .default("./leveldb")
        .idle(LEVEL_DB, values::any_text)
        .help("Where the original keeps its datastore"),
    row!(text, "server.dht.badbits", "badbits", "FILE")
        .older(&["PARSEC_SERVER_BADBITS"])
        .help("List of hashed CIDs (badbits.deny); requests of other peers for them are counted and answered"),
    row!(text, "server.dht.denied_cids", "denied-cids", "FILE")
        .older(&["PARSEC_SERVER_DENIED_CIDS"])
        .help("List of CIDs with their sources (CSV); requests of other peers for them are counted and answered"),
];

const DHT: &[Key] = &[
    row!(text, "server.peer_host", "peer-host", "HOST")
        .default("127.0.0.1")
        .help("Address on which the libp2p host listens"),
    row!(text, "server.operation_timeout", "operation-timeout", "DURATION")
        .default("3m")
        .help("How long a publication or a lookup may take"),
    row!(text, "server.dht.project", "project", "PROJECT").default("ipfs").help("Project whose network to join"),
    row!(text, "server.dht.network", "network", "NETWORK").default("amino").help("Network of the project"),
    row!(text, "server.dht.strategy", "strategy", "STRATEGY")
        .help("How to publish and find: classic (the default), optprov, fullrt or libp2p"),
    row!(switch, "server.dht.fullrt", "fullrt", "BOOL")
        .older(&["PARSEC_SERVER_FULLRT"])
        .help("Same as --strategy fullrt: know the whole network from a crawl (accelerated client)"),
    row!(switch, "server.dht.optprov", "optprov", "BOOL")
        .older(&["PARSEC_SERVER_OPTPROV"])
        .help("Same as --strategy optprov: publish optimistically"),
    row!(number, "server.dht.alpha", "alpha", "N").default("10").help("How many peers a lookup asks at the same time"),
    row!(list, "server.dht.bootstrap_peers", "bootstrap-peers", "MULTIADDRS")
        .help("Peers to join through, instead of the network's own"),
    row!(list, "server.dht.protocol_id", "protocol-id", "PROTOCOLS")
        .help("Protocols of the DHT, instead of the network's own; with each peer the first that it speaks is used"),
    row!(list, "server.dht.external_addresses", "external-addresses", "MULTIADDRS")
        .help("Addresses to announce to other peers"),
    row!(text, "server.dht.connections", "connections", "LOW-HIGH")
        .default("160-192")
        .help("Connections to keep: if there are more than HIGH, the least useful are closed until LOW are left"),
    row!(text, "server.dht.private_peers", "private-peers", "WHICH").default("auto").help(
        "Private addresses of other peers: dial or ignore them; auto ignores them if all bootstrap peers are public",
    ),
];

const FIREHOSE_KEYS: &[Key] = &[
    row!(text, "server.firehose.region", "firehose-region", "REGION")
        .default("us-east-1")
        .idle(FIREHOSE, values::any_text)
        .help("Region of the delivery stream"),
    row!(text, "server.firehose.stream", "firehose-stream", "STREAM")
        .idle(FIREHOSE, values::any_text)
        .help("Delivery stream that the original sends its events to"),
    row!(text, "server.firehose.batch_time", "firehose-batch-time", "DURATION")
        .default("30s")
        .idle(FIREHOSE, idle_values::positive_duration)
        .help("How long the original collects events"),
    row!(number, "server.firehose.batch_size", "firehose-batch-size", "N")
        .default("500")
        .idle(FIREHOSE, idle_values::whole_number)
        .help("How many events the original sends at a time"),
    row!(switch, "server.firehose.connection_events", "firehose-connection-events", "BOOL")
        .default("true")
        .idle(FIREHOSE, idle_values::switch)
        .help("Whether the original sends an event for each connection"),
    row!(switch, "server.firehose.rpc_events", "firehose-rpc-events", "BOOL")
        .default("true")
        .idle(FIREHOSE, idle_values::switch)
        .help("Whether the original sends an event for each request of a peer"),
];

const IPNI: &[Key] = &[
    row!(text, "server.ipni.indexer_host", "indexer-host", "HOST")
        .older(&["PARSEC_SERVER_INDEXER_HOST"])
        .idle(DHT_ONLY, values::host)
        .help("Indexer that the original announces to"),
    row!(text, "server.ipni.indexer_index_timeout", "indexer-index-timeout", "DURATION")
        .default("1m")
        .idle(DHT_ONLY, idle_values::positive_duration)
        .help("How long the original waits for the indexer to fetch an announcement"),
    row!(text, "server.ipni.indexer_availability_timeout", "indexer-availability-timeout", "DURATION")
        .default("2m")
        .idle(DHT_ONLY, idle_values::positive_duration)
        .help("How long the original waits for content to be found"),
    row!(text, "server.ipni.indexer_interval", "indexer-interval", "DURATION")
        .default("1s")
        .idle(DHT_ONLY, idle_values::positive_duration)
        .help("How often the original asks whether content is found"),
    row!(text, "server.ipni.publisher_host", "publisher-host", "HOST")
        .default("127.0.0.1")
        .idle(DHT_ONLY, values::host)
        .help("Address on which the original waits for the indexer"),
    row!(number, "server.ipni.publisher_port", "publisher-port", "PORT")
        .default("2020")
        .idle(DHT_ONLY, idle_values::port)
        .help("Port on which the original waits for the indexer"),
];

const TOKEN: &str =
    "Token, at least 22 characters, that callers have to send with every operation; without it, anyone may call";
const TOKEN_FILE: &str = "File that holds the token, instead of the token itself";

/// Of a server.
const SERVING: &[Key] = &[
    row!(text, "server.api_token", "api-token", "TOKEN").secrecy(Secrecy::Secret).help(TOKEN),
    row!(text, "server.api_token_file", "api-token-file", "FILE").help(TOKEN_FILE),
    row!(text, "server.tls_cert", "server-tls-cert", "FILE")
        .help("Certificate chain of the HTTP API, as PEM; without it, plain HTTP"),
    row!(text, "server.tls_key", "server-tls-key", "FILE").help("Private key of the certificate, as PEM"),
];

/// Of a scheduler.
const SCHEDULING: &[Key] = &[
    row!(text, "scheduler.api_token", "api-token", "TOKEN")
        .secrecy(Secrecy::Secret)
        .help("Token to send to the servers with every operation"),
    row!(text, "scheduler.api_token_file", "api-token-file", "FILE").help(TOKEN_FILE),
    row!(text, "scheduler.server_tls_ca", "server-tls-ca", "FILE").help(
        "Authorities, as PEM, that the certificates of all servers have to come from, each valid for the address of its server; \
         without it, plain HTTP",
    ),
];

/// Of those who ask one server for one thing.
const CLIENT: &[Key] = &[row!(text, "client.tls_ca", "tls-ca", "FILE")
    .help("Certificate authorities, as PEM, to trust for a server at https://; the system's if not given")];

/// Of those who also ask for operations.
const CLIENT_TOKEN: &[Key] = &[
    row!(text, "client.api_token", "api-token", "TOKEN").secrecy(Secrecy::Secret).help("Token to send to the server"),
    row!(text, "client.api_token_file", "api-token-file", "FILE").help(TOKEN_FILE),
];
