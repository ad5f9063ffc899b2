//! The settings of the commands that people use by hand, `demo` aside.

use std::path::PathBuf;
use std::time::Duration;

use parsec_api::place::{HostPort, ServerUrl};
use parsec_layers::{ConfigError, Shell, Sources};
use parsec_measure::{Cid, Manner};

use crate::access::{CallingConfig, TokenConfig, TrustConfig, told_host};
use crate::common::{CommonConfig, DatabaseConfig, SpoolConfig};
use crate::declare::settings;
use crate::serving::DhtConfig;
use crate::values::{self, OutputFormat, Reading, Value, choice, names, within};
use crate::world::is_set;

/// The most peers of a local DHT: each costs sockets and memory of this one process.
const MAX_NETWORK_PEERS: u16 = 10_000;

settings! {
    /// What `parsec provide` and `parsec retrieve` have in common.
    OneShotConfig(from) = "One operation";
    + dht: DhtConfig, "The node's part in the DHT";
    peer_port: u16 = ("oneshot.peer_port", "peer-port", "PORT").default("0"), "Port of the libp2p host; 0 takes a free one";
    ready_timeout: Duration = ("oneshot.ready_timeout", "ready-timeout", "DURATION").default("2m"), "How long joining the network may take";
    format: OutputFormat = ("oneshot.format", "format", "FORMAT").default("text"), "How the result is written";
    => peer: HostPort = HostPort { host: dht.peer_host.clone(), port: peer_port }, "Where the libp2p host listens";
}

settings! {
    /// `parsec provide`.
    ProvideConfig(from) = "Provide";
    + common: CommonConfig, "What every command has";
    + one: OneShotConfig, "How to publish";
    stay: bool = ("provide.stay", "stay", "BOOL"), "Keep running until Ctrl-C, so that peers that find the record can reach the provider";
    cids: Option<PathBuf> = ("provide.cids", "cids", "FILE"),
        "Publish all keys of this text, a CID on each line, at most 5,000, in place of one content; - is standard input";
    manner: Manner = ("provide.manner", "manner", "MANNER").default("each"), "How to publish many keys";
    => file: Option<PathBuf> = one_content(from, cids.is_some())?, "The file whose content to publish; `None` is fresh random content";
}

names! {
    Manner, "manner" {
        Manner::Each = "each", "As the strategy does it: each key by itself, some at a time; with fullrt, peer by peer";
        Manner::Sweep = "sweep", "Zone by zone of the keyspace: look up its peers, and send each all keys that it has to hold";
    }
}

/// The file that is given without a flag. What is meant for many keys means nothing for one, and the other way round.
fn one_content(from: &Sources, is_many: bool) -> Result<Option<PathBuf>, ConfigError> {
    if !is_many && is_set(from, "provide.manner") {
        return Err(ConfigError::Needs(from.origin("provide.manner").clone(), from.key("provide.cids")));
    }
    let reason = "--cids says what to publish; expected only one of the two";
    from.argument(|file| if is_many { Err(reason.to_owned()) } else { values::path(file) })
}

settings! {
    /// `parsec retrieve`.
    RetrieveConfig(from) = "";
    + common: CommonConfig, "What every command has";
    + one: OneShotConfig, "How to look";
    => cid: Cid = from.required_argument(Cid::read)?, "What to look for";
}

settings! {
    /// `parsec migrate`.
    MigrateConfig(from) = "Migrate";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "What to bring up to date";
    print: bool = ("migrate.print", "print", "BOOL"), "Print the SQL of every step for an empty database, in order, and connect to nothing";
}

choice! {
    /// What to do with a spool.
    SpoolAction {
        List = "list", "Says where rows wait, and how many";
        Verify = "verify", "Reads every row that waits; exits with 1 if some are damaged";
        Replay = "replay", "Writes the rows that no running process looks after to the database";
    }
}

settings! {
    /// `parsec spool`.
    SpoolCommandConfig(from) = "Spool command";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where rows that wait go";
    + spool: SpoolConfig, "Where they wait";
    format: OutputFormat = ("spool.format", "format", "FORMAT").default("text"), "How it is written";
    // Without a word for it, only the settings are looked at.
    => action: SpoolAction = from.argument(SpoolAction::read)?.unwrap_or(SpoolAction::List), "What to do";
}

settings! {
    /// `parsec conformance`.
    ConformanceConfig(from) = "Conformance";
    + common: CommonConfig, "What every command has";
    + trust: TrustConfig, "Whom to believe that they are the server";
    + token: TokenConfig, "What to present";
    ready_timeout: Duration = ("conformance.ready_timeout", "ready-timeout", "DURATION").default("2m"),
        "How long to wait until the server says that it can measure";
    timeout: Duration = ("conformance.timeout", "timeout", "DURATION").default("3m10s"),
        "How long to wait for the answer to each request; longer than the server's own limit";
    format: OutputFormat = ("conformance.format", "format", "FORMAT").default("text"), "How the result is written";
    => server: ServerUrl = from.required_argument(values::parsed)?, "The HTTP API to check";
    => access: CallingConfig = CallingConfig { token: token.token.clone(), token_file: None, ca: trust.ca.clone() }, "How it is entered";
}

settings! {
    /// `parsec network`.
    NetworkConfig(from) = "Network";
    + common: CommonConfig, "What every command has";
    peers: u16 = ("network.peers", "peers", "N").default("100") by within(1..=MAX_NETWORK_PEERS), "Peers of the local DHT";
    peer_host: String = ("network.peer_host", "peer-host", "HOST").default("127.0.0.1") by told_host,
        "Address on which the peers listen, and at which others reach them";
    peer_port: u16 = ("network.peer_port", "peer-port", "PORT").default("0") by first_port(peers),
        "TCP port of the first peer; the other peers use the following ports; 0 uses free ports";
    seed: u64 = ("network.seed", "seed", "N").default("1"), "Number from which the peer ids are made: the same number gives the same ids";
    => first: HostPort = HostPort { host: peer_host.clone(), port: peer_port }, "Where the first peer listens; the others have the next ports";
}

/// A port behind which there are enough for all others.
fn first_port(peers: u16) -> impl Fn(&str) -> Reading<u16> {
    move |text| {
        let last = u16::MAX - (peers - 1);
        match within(0..=u16::MAX)(text)? {
            port if port > last => Err(format!("{peers} peers need as many ports: expected at most {last}")),
            port => Ok(port),
        }
    }
}

names! {
    Shell, "" {
        Shell::Bash = "bash", "GNU's shell";
        Shell::Zsh = "zsh", "The Z shell";
        Shell::Fish = "fish", "The friendly interactive shell";
    }
}

settings! {
    /// `parsec completions`.
    CompletionsConfig(from) = "";
    + common: CommonConfig, "What every command has";
    => shell: Shell = from.required_argument(Shell::read)?, "For which shell";
}
