//! Our Go programs (`tests/interop/go`): built once, and spoken to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// The DHT of the Go peers: never a public one.
pub(crate) const PROTOCOL: &str = "/parsec/go/kad/1.0.0";

/// How many peers others join through.
const BOOTSTRAP_PEERS: usize = 4;

/// The path of one of the programs. Building them takes minutes the first time, and no time of any stage if it is
/// asked for before that begins.
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).join(name)
}

/// Waits for a turn: a DHT and a dozen servers are enough for one machine, and shall not measure each other.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/go")
}

fn build() -> PathBuf {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    std::fs::create_dir_all(&into).expect("cargo's own folder can be written to");
    let mut command = Command::new("go");
    command.args(["build", "-buildvcs=false", "-o"]).arg(&into).arg("./cmd/...").current_dir(module());
    let output = command.output().expect("go can be run");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    into
}

/// DHT servers of go-libp2p-kad-dht in a process of their own, and those who publish and find among them.
#[derive(Debug)]
pub(crate) struct GoPeers {
    process: Process,
    asked: AtomicU64,
    /// The servers.
    pub(crate) servers: Vec<Named>,
    /// The IP addresses that they should listen on, and that this machine does not have.
    pub(crate) missing: Vec<String>,
}

/// A peer and where it can be dialled, `/p2p/…` included.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) addresses: Vec<String>,
    /// The type of its key: rsa, secp256k1, ecdsa or ed25519.
    pub(crate) key: String,
    /// What it listens on: tcp, quic, both or ws.
    pub(crate) transport: String,
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
pub(crate) struct Record {
    #[serde(default)]
    pub(crate) holder: String,
    pub(crate) id: String,
    pub(crate) addresses: Vec<String>,
    #[serde(default)]
    pub(crate) dials: Vec<Dial>,
    #[serde(default)]
    pub(crate) agent: String,
}

/// What became of dialling an address: empty if somebody answered.
#[derive(Debug, Deserialize)]
pub(crate) struct Dial {
    #[expect(dead_code, reason = "shown when a test fails")]
    address: String,
    pub(crate) failure: String,
}

/// One provider of an ADD_PROVIDER as it arrived, before the Go peer decided whether to believe it.
#[derive(Debug, Deserialize)]
pub(crate) struct Put {
    pub(crate) holder: String,
    pub(crate) sender: String,
    pub(crate) provider: String,
    pub(crate) addresses: Vec<String>,
}

/// Whom a Go server knows.
#[derive(Debug, Deserialize)]
pub(crate) struct Table {
    #[serde(default)]
    pub(crate) knows: Vec<String>,
}

/// What the program answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) seconds: f64,
    #[serde(default)]
    pub(crate) network_size: i64,
    #[serde(default)]
    pub(crate) providers: Vec<Record>,
    #[serde(default)]
    pub(crate) puts: Vec<Put>,
    #[serde(default)]
    pub(crate) tables: Vec<Table>,
    #[serde(default)]
    pub(crate) peers: Vec<String>,
    #[serde(default)]
    requests: BTreeMap<String, u64>,
}

impl GoPeers {
    /// Starts servers over `transport` (tcp, quic, both or ws) and waits until they know each other.
    pub(crate) async fn start(stage: &Stage, servers: usize, transport: &str) -> Self {
        Self::of(stage, servers, &["-transport", transport]).await
    }

    /// Starts servers of every kind, as many of each: RSA, secp256k1, ECDSA and Ed25519; TCP, QUIC, both and WebSocket; IPv4
    /// and IPv6. Each dials over all transports.
    pub(crate) async fn mixed(stage: &Stage, servers: usize) -> Self {
        Self::of(stage, servers, &["-transport", "mixed", "-keys", "mixed", "-ips", "127.0.0.1,::1"]).await
    }

    /// Starts servers that all have one habit (closes, resets, echoes, refuses or dies: see habit.go), or none.
    pub(crate) async fn habitual(stage: &Stage, servers: usize, habit: &str) -> Self {
        Self::of(stage, servers, &["-habit", habit]).await
    }

    /// Starts servers that join the DHT of others, over TCP.
    pub(crate) async fn joining(stage: &Stage, servers: usize, protocol: &str, bootstrap: &[String]) -> Self {
        let servers = servers.to_string();
        let joining = ["-peers", &servers, "-protocol", protocol, "-bootstrap", &bootstrap.join(",")];
        Self::run(stage, &joining).await
    }

    /// Starts no server: all that its newcomers meet are others, over TCP.
    pub(crate) async fn among(stage: &Stage, protocol: &str, bootstrap: &[String]) -> Self {
        Self::joining(stage, 0, protocol, bootstrap).await
    }

    async fn of(stage: &Stage, servers: usize, options: &[&str]) -> Self {
        Self::run(stage, &[&["-peers", &servers.to_string(), "-protocol", PROTOCOL], options].concat()).await
    }

    /// Starts the program with these arguments (see main.go).
    pub(crate) async fn run(stage: &Stage, args: &[&str]) -> Self {
        let mut command = Command::new(program("peers"));
        command.args(args);
        let process = Process::converse(stage, &[], command);
        let is_ready = |line: &str| serde_json::from_str(line).ok().filter(|ready: &Ready| ready.ready);
        let Ready { servers, missing, .. } = process.out("Go peers that know each other", is_ready).await;
        Self { process, asked: AtomicU64::new(1), servers, missing }
    }

    /// Addresses through which others can join.
    pub(crate) fn bootstrap(&self) -> Vec<String> {
        self.servers.iter().take(BOOTSTRAP_PEERS).flat_map(|server| server.addresses.clone()).collect()
    }

    /// Publishes as a newcomer with this strategy, or as the first of the servers.
    pub(crate) async fn provide(&self, strategy: &str, cid: &str) -> Answer {
        self.ask(json!({ "do": "provide", "strategy": strategy, "cid": cid })).await
    }

    /// Looks up as a newcomer with this strategy that publishes nothing, and dials what it finds.
    pub(crate) async fn find(&self, strategy: &str, cid: &str) -> Answer {
        self.ask(json!({ "do": "find", "strategy": strategy, "cid": cid })).await
    }

    /// Lets newcomers join, whose ids are close to these: one publishes, one finds, with this strategy
    /// from then on. Both do so once. Returns their ids.
    #[allow(dead_code, reason = "only the side-by-side benchmark compares two of them")]
    pub(crate) async fn join_beside(&self, strategy: &str, beside: [&str; 2], cid: &str) -> [String; 2] {
        let [publish, find] = [("provide", beside[0]), ("find", beside[1])]
            .map(|(act, beside)| json!({ "do": act, "strategy": strategy, "beside": beside, "cid": cid }));
        let (published, found) = (self.succeed(publish).await, self.ask(find).await);
        [published, found].map(|answer| answer.peers.into_iter().next().expect("a newcomer says who it is"))
    }

    /// The ADD_PROVIDERs for a key that have arrived.
    pub(crate) async fn puts(&self, cid: &str) -> Vec<Put> {
        self.succeed(json!({ "do": "puts", "cid": cid })).await.puts
    }

    /// The records for a key that the servers hold.
    pub(crate) async fn records(&self, cid: &str) -> Vec<Record> {
        self.succeed(json!({ "do": "holders", "cid": cid })).await.providers
    }

    /// Whom the servers know.
    pub(crate) async fn tables(&self) -> Vec<Table> {
        self.succeed(json!({ "do": "tables" })).await.tables
    }

    /// The servers that shall hold the record of a key, closest first.
    #[allow(dead_code, reason = "only the side-by-side benchmark knows a network that large")]
    pub(crate) async fn closest(&self, cid: &str) -> Vec<String> {
        self.succeed(json!({ "do": "closest", "cid": cid })).await.peers
    }

    /// How many requests the servers have had from a peer since this was last asked.
    #[allow(dead_code, reason = "only the side-by-side benchmark counts")]
    pub(crate) async fn requests(&self, from: &str) -> u64 {
        self.succeed(json!({ "do": "requests", "peer": from })).await.requests.values().sum()
    }

    /// Lets the servers close their connections with a peer.
    #[allow(dead_code, reason = "only the side-by-side benchmark begins without connections")]
    pub(crate) async fn hang_up(&self, on: &str) {
        self.succeed(json!({ "do": "hangup", "peer": on })).await;
    }

    /// Whom a newcomer with a full routing table meets, sorted.
    pub(crate) async fn crawl(&self) -> Vec<String> {
        let mut peers = self.succeed(json!({ "do": "crawl" })).await.peers;
        peers.sort_unstable();
        peers
    }

    /// Ends the standard input; the exit code.
    pub(crate) async fn end(self) -> i32 {
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

#[test]
#[cfg_attr(not(has_go), ignore = "needs Go")]
fn the_go_programs_are_formatted_as_go_wants_it() {
    let output = Command::new("gofmt").args(["-l", "."]).current_dir(module()).output().unwrap();
    assert_eq!(
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        ("".into(), "".into())
    );
}
