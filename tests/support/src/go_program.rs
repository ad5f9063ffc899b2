//! Our Go programs (`tests/interop/go`): built once, and spoken to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::process::{self, Process};
use crate::stage::Stage;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// The DHT of the Go peers: never a public one.
pub const PROTOCOL: &str = "/parsec/go/kad/1.0.0";

/// How many peers others join through.
const BOOTSTRAP_PEERS: usize = 4;

/// The path of one of the programs. Building them takes minutes the first time, and no time of any stage if it is
/// asked for before that begins.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).join(name)
}

/// Waits for a turn: a DHT and a dozen servers are enough for one machine, and shall not measure each other.
pub async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Where their sources are.
pub fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop/go")
}

fn build() -> PathBuf {
    let into = process::profile().join("../tmp/go");
    std::fs::create_dir_all(&into).expect("cargo's own folder can be written to");
    let mut command = Command::new("go");
    command.args(["build", "-buildvcs=false", "-o"]).arg(&into).arg("./cmd/...").current_dir(module());
    let output = command.output().expect("go can be run");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    into
}

/// DHT servers of go-libp2p-kad-dht in a process of their own, and those who publish and find among them.
#[derive(Debug)]
pub struct GoPeers {
    process: Process,
    asked: AtomicU64,
    /// The servers.
    pub servers: Vec<Named>,
    /// The IP addresses that they should listen on, and that this machine does not have.
    pub missing: Vec<String>,
}

/// A peer and where it can be dialled, `/p2p/…` included.
#[derive(Debug, Deserialize)]
pub struct Named {
    /// Its peer id.
    pub id: String,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
    /// The type of its key: rsa, secp256k1, ecdsa or ed25519.
    pub key: String,
    /// What it listens on: tcp, quic, both or ws.
    pub transport: String,
}

/// The first that the program says.
#[derive(Debug, Deserialize)]
struct Ready {
    ready: bool,
    servers: Vec<Named>,
    #[serde(default)]
    missing: Vec<String>,
}

/// A record as a Go peer found or holds it.
#[derive(Debug, Deserialize)]
pub struct Record {
    /// Who holds it, or was sent it.
    #[serde(default)]
    pub holder: String,
    /// Its peer id.
    pub id: String,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
    /// What became of dialling each address.
    #[serde(default)]
    pub dials: Vec<Dial>,
    /// What the peer says it is.
    #[serde(default)]
    pub agent: String,
}

/// What became of dialling an address: empty if somebody answered.
#[derive(Debug, Deserialize)]
pub struct Dial {
    #[expect(dead_code, reason = "shown when a test fails")]
    address: String,
    /// Empty if somebody answered.
    pub failure: String,
}

/// One provider of an ADD_PROVIDER as it arrived, before the Go peer decided whether to believe it.
#[derive(Debug, Deserialize)]
pub struct Put {
    /// Who holds it, or was sent it.
    pub holder: String,
    /// Who sent it.
    pub sender: String,
    /// Whom it names.
    pub provider: String,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
}

/// Whom a Go server knows.
#[derive(Debug, Deserialize)]
pub struct Table {
    /// Peer ids.
    #[serde(default)]
    pub knows: Vec<String>,
}

/// What the program answers.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// Empty if there was none.
    pub error: String,
    /// How long it took.
    #[serde(default)]
    pub seconds: f64,
    /// How many peers it believes there are.
    #[serde(default)]
    pub network_size: i64,
    /// Records that were found or are held.
    #[serde(default)]
    pub providers: Vec<Record>,
    /// Records that arrived.
    #[serde(default)]
    pub puts: Vec<Put>,
    /// Whom each server knows.
    #[serde(default)]
    pub tables: Vec<Table>,
    /// Peer ids that were asked for.
    #[serde(default)]
    pub peers: Vec<String>,
    #[serde(default)]
    requests: BTreeMap<String, u64>,
}

impl GoPeers {
    /// Starts servers over `transport` (tcp, quic, both or ws) and waits until they know each other.
    pub async fn start(stage: &Stage, servers: usize, transport: &str) -> Self {
        Self::of(stage, servers, &["-transport", transport]).await
    }

    /// Starts servers of every kind, as many of each: RSA, secp256k1, ECDSA and Ed25519; TCP, QUIC, both and WebSocket; IPv4
    /// and IPv6. Each dials over all transports.
    pub async fn mixed(stage: &Stage, servers: usize) -> Self {
        Self::of(stage, servers, &["-transport", "mixed", "-keys", "mixed", "-ips", "127.0.0.1,::1"]).await
    }

    /// Starts servers that all have one habit (closes, resets, echoes, refuses or dies: see habit.go), or none.
    pub async fn habitual(stage: &Stage, servers: usize, habit: &str) -> Self {
        Self::of(stage, servers, &["-habit", habit]).await
    }

    /// Starts servers that join the DHT of others, over TCP.
    pub async fn joining(stage: &Stage, servers: usize, protocol: &str, bootstrap: &[String]) -> Self {
        let servers = servers.to_string();
        let joining = ["-peers", &servers, "-protocol", protocol, "-bootstrap", &bootstrap.join(",")];
        Self::run(stage, &joining).await
    }

    /// Starts no server: all that its newcomers meet are others, over TCP.
    pub async fn among(stage: &Stage, protocol: &str, bootstrap: &[String]) -> Self {
        Self::joining(stage, 0, protocol, bootstrap).await
    }

    async fn of(stage: &Stage, servers: usize, options: &[&str]) -> Self {
        Self::run(stage, &[&["-peers", &servers.to_string(), "-protocol", PROTOCOL], options].concat()).await
    }

    /// Starts the program with these arguments (see main.go).
    pub async fn run(stage: &Stage, args: &[&str]) -> Self {
        let mut command = Command::new(program("peers"));
        command.args(args);
        let process = Process::converse(stage, &[], command);
        let is_ready = |line: &str| serde_json::from_str(line).ok().filter(|ready: &Ready| ready.ready);
        let Ready { servers, missing, .. } = process.out("Go peers that know each other", is_ready).await;
        Self { process, asked: AtomicU64::new(1), servers, missing }
    }

    /// Addresses through which others can join.
    pub fn bootstrap(&self) -> Vec<String> {
        self.servers.iter().take(BOOTSTRAP_PEERS).flat_map(|server| server.addresses.clone()).collect()
    }

    /// Publishes as a newcomer with this strategy, or as the first of the servers.
    pub async fn provide(&self, strategy: &str, cid: &str) -> Answer {
        self.ask(json!({ "do": "provide", "strategy": strategy, "cid": cid })).await
    }

    /// Looks up as a newcomer with this strategy that publishes nothing, and dials what it finds.
    pub async fn find(&self, strategy: &str, cid: &str) -> Answer {
        self.ask(json!({ "do": "find", "strategy": strategy, "cid": cid })).await
    }

    /// Lets newcomers join, whose ids are close to these: one publishes, one finds, with this strategy
    /// from then on. Both do so once. Returns their ids.
    pub async fn join_beside(&self, strategy: &str, beside: [&str; 2], cid: &str) -> [String; 2] {
        let [publish, find] = [("provide", beside[0]), ("find", beside[1])]
            .map(|(act, beside)| json!({ "do": act, "strategy": strategy, "beside": beside, "cid": cid }));
        let (published, found) = (self.succeed(publish).await, self.ask(find).await);
        [published, found].map(|answer| answer.peers.into_iter().next().expect("a newcomer says who it is"))
    }

    /// The ADD_PROVIDERs for a key that have arrived.
    pub async fn puts(&self, cid: &str) -> Vec<Put> {
        self.succeed(json!({ "do": "puts", "cid": cid })).await.puts
    }

    /// The records for a key that the servers hold.
    pub async fn records(&self, cid: &str) -> Vec<Record> {
        self.succeed(json!({ "do": "holders", "cid": cid })).await.providers
    }

    /// Whom the servers know.
    pub async fn tables(&self) -> Vec<Table> {
        self.succeed(json!({ "do": "tables" })).await.tables
    }

    /// The servers that shall hold the record of a key, closest first.
    pub async fn closest(&self, cid: &str) -> Vec<String> {
        self.succeed(json!({ "do": "closest", "cid": cid })).await.peers
    }

    /// How many requests the servers have had from a peer since this was last asked.
    pub async fn requests(&self, from: &str) -> u64 {
        self.succeed(json!({ "do": "requests", "peer": from })).await.requests.values().sum()
    }

    /// Lets the servers close their connections with a peer.
    pub async fn hang_up(&self, on: &str) {
        self.succeed(json!({ "do": "hangup", "peer": on })).await;
    }

    /// Whom a newcomer with a full routing table meets, sorted.
    pub async fn crawl(&self) -> Vec<String> {
        let mut peers = self.succeed(json!({ "do": "crawl" })).await.peers;
        peers.sort_unstable();
        peers
    }

    /// Ends the standard input; the exit code.
    pub async fn end(self) -> i32 {
        self.process.end().await.code()
    }

    async fn succeed(&self, command: Value) -> Answer {
        let answer = self.ask(command.clone()).await;
        assert_eq!(answer.error, "", "{command}");
        answer
    }

    async fn ask(&self, mut command: Value) -> Answer {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        command["ask"] = number.into();
        self.process.say(&command.to_string());
        let ours = format!("{{\"to\":{number},");
        let read = |line: &str| {
            let read = || serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            line.starts_with(&ours).then(read)
        };
        self.process.out(&format!("answer to {command}"), read).await
    }
}
