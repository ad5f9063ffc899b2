//! parsec's strategies beside those of go-libp2p-kad-dht, in one network and over one way, 40 ms there and back.
//!
//! `cargo bench -p parsec --bench side_by_side` prints the table of `docs/methods.md`. It needs Go, iproute2 and unshare(1),
//! and the right to make network namespaces.
//!
//! A hundred servers of go-libp2p-kad-dht are at the far end of a link that carries each packet 20 ms late (see far.go). At the
//! near end are, for each strategy, two of ours and two of Go's: one publishes, one finds. For each key both publish, one after
//! the other, and then both look for it; who begins alternates. All of it is done twice, with the connections that have been
//! left standing and without any: the servers hang up before each operation. Requests are counted by the servers, for both
//! sides alike, and so is who holds the records.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reports to a terminal and gives up on errors"
)]

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};
use std::time::Duration;

use parsec_measure::{Content, quantile};
use parsec_test_support::go_program::{self, GoPeers, PROTOCOL};
use parsec_test_support::servers::{self, Server};
use parsec_test_support::stage::Stage;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::time::sleep;

/// How many servers of Go there are.
const SERVERS: usize = 100;

/// How many of them shall hold a record.
const HOLDERS: usize = 20;

/// How long the way to them is, in one direction.
const ONE_WAY: Duration = Duration::from_millis(20);

/// How long it is there and back.
const ROUND_TRIP: Duration = Duration::from_millis(40);

/// How many keys are published and looked for: enough for a 90th percentile, in a few minutes.
const KEYS: usize = 20;

/// How many operations go before, so that connections and an estimate of the network's size are there.
const WARMING: usize = 6;

/// How long the puts of one publication are waited for after it has returned. Everybody is alive and 40 ms away; what has not
/// come then has been given up.
const SETTLING: Duration = Duration::from_secs(1);

/// How long it takes until both ends know that a connection has been closed: a few times the way.
const HANGING_UP: Duration = Duration::from_millis(200);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(900);

/// The near end of the link (far.go).
const NEAR_END: &str = "10.77.0.1";

/// Tells this program that it is in a network namespace of its own.
const INSIDE: &str = "--inside";

const STRATEGIES: [&str; 3] = ["classic", "optprov", "fullrt"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |what: &str| arguments.iter().any(|argument| argument == what);
    if has(INSIDE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(compare(if has("--bench") { KEYS } else { 1 }));
        return ExitCode::SUCCESS;
    }
    // Go may have to fetch modules, which needs the network that is left now.
    go_program::program("peers");
    let mut inside = Command::new("unshare");
    inside.args(["--map-root-user", "--net"]).arg(&arguments[0]).args(&arguments[1..]).arg(INSIDE);
    let status = inside.status().expect("unshare (util-linux) is installed");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whose software.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Go,
    Ours,
}

/// What the operations of one side came to, of one kind.
#[derive(Debug, Default)]
struct Column {
    durations: Vec<Duration>,
    requests: u64,
    holders: usize,
    failures: Vec<String>,
}

impl Column {
    fn attempts(&self) -> usize {
        self.durations.len() + self.failures.len()
    }

    /// A quantile of the durations, in round trips.
    fn round_trips(&mut self, q: f64) -> String {
        self.durations.sort_unstable();
        let duration = quantile(&self.durations, q);
        duration.map_or_else(|| "–".to_owned(), |time| format!("{:.1}", time.as_secs_f64() / ROUND_TRIP.as_secs_f64()))
    }

    fn mean(&self, sum: f64) -> String {
        format!("{:.1}", sum / self.attempts().max(1) as f64)
    }
}

/// A row of the table: one strategy and operation, warm or cold.
#[derive(Debug, Default)]
struct Row {
    go: Column,
    ours: Column,
}

impl Row {
    fn side(&mut self, side: Side) -> &mut Column {
        match side {
            Side::Go => &mut self.go,
            Side::Ours => &mut self.ours,
        }
    }

    fn print(&mut self, strategy: &str, operation: &str, warmth: &str) {
        let Self { go, ours } = self;
        let times = [0.5, 0.9].map(|q| [go.round_trips(q), ours.round_trips(q)]);
        let requests = [&*go, &*ours].map(|side| side.mean(side.requests as f64));
        let holders = [&*go, &*ours].map(|side| side.mean(side.holders as f64));
        let holders = if operation == "provide" { holders } else { ["–".to_owned(), "–".to_owned()] };
        let cells = [&times[0][0], &times[0][1], &times[1][0], &times[1][1], &requests[0], &requests[1]];
        let cells = cells.into_iter().chain(&holders).map(String::as_str).collect::<Vec<_>>().join(" | ");
        println!("| `{strategy} {operation}`, {warmth} | {cells} |");
    }

    fn print_failures(&self, what: &str) {
        for (name, side) in [("Go", &self.go), ("parsec", &self.ours)] {
            for failure in &side.failures {
                println!("{what}, {name}: failed: {}", failure.chars().take(300).collect::<String>());
            }
        }
    }
}

/// One strategy: who publishes and who finds, on either side.
struct Contest<'a> {
    stage: &'a Stage,
    strategy: &'static str,
    far: &'a GoPeers,
    near: &'a GoPeers,
    provider: Server,
    finder: Server,
    go_provider: String,
    go_finder: String,
}

async fn compare(keys: usize) {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("ip (iproute2) is installed");
    assert!(up.success(), "a new network namespace has a loopback interface");
    let stage = Stage::lasting(LIMIT);
    let servers = SERVERS.to_string();
    let one_way = format!("{}ms", ONE_WAY.as_millis());
    let far = ["-peers", &servers, "-far", &one_way, "-introduced", "-protocol", PROTOCOL];
    let far = GoPeers::run(&stage, &far).await;
    let through = far.bootstrap();
    let near = ["-peers", "0", "-ips", NEAR_END, "-protocol", PROTOCOL, "-bootstrap", &through.join(",")];
    let near = GoPeers::run(&stage, &near).await;

    println!(
        "| | Go p50 | parsec p50 | Go p90 | parsec p90 | Go requests | parsec requests | Go holders | parsec holders |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for strategy in STRATEGIES {
        let contest = Contest::begin(&stage, strategy, &far, &near, &through).await;
        for (warmth, is_cold) in [("warm", false), ("cold", true)] {
            let [mut provides, mut retrieves] = contest.hold(keys, is_cold).await;
            provides.print(strategy, "provide", warmth);
            retrieves.print(strategy, "retrieve", warmth);
            provides.print_failures(&format!("{strategy} provide, {warmth}"));
            retrieves.print_failures(&format!("{strategy} retrieve, {warmth}"));
        }
    }
    assert_eq!((near.end().await, far.end().await), (0, 0));
}

impl<'a> Contest<'a> {
    /// All of them join, and do what is to be measured a few times before it is.
    async fn begin(
        stage: &'a Stage,
        strategy: &'static str,
        far: &'a GoPeers,
        near: &'a GoPeers,
        through: &[String],
    ) -> Self {
        let added = ["--peer-host", NEAR_END, "--private-peers", "dial"];
        let provider = Server::join(stage, strategy, PROTOCOL, through, &added).await;
        let finder = Server::join(stage, strategy, PROTOCOL, through, &added).await;
        // Beside ours: what a routing table knows of a key's neighbourhood depends on where its owner is.
        let cid = Content::random(&mut rand::rng()).cid().to_string();
        let beside = [&provider, &finder].map(|server| server.peer_id.as_str());
        let [go_provider, go_finder] = near.join_beside(strategy, beside, &cid).await;
        let contest = Self { stage, strategy, far, near, provider, finder, go_provider, go_finder };
        let mut random = StdRng::seed_from_u64(0);
        for _ in 0..WARMING {
            let content = Content::random(&mut random);
            for side in [Side::Go, Side::Ours] {
                contest.publish(side, &content, &mut Column::default()).await;
            }
            for side in [Side::Go, Side::Ours] {
                contest.find(side, &content, &mut Column::default()).await;
            }
        }
        contest
    }

    /// Provides and retrieves.
    async fn hold(&self, keys: usize, is_cold: bool) -> [Row; 2] {
        let [mut provides, mut retrieves] = [Row::default(), Row::default()];
        // Puts are told apart by key.
        let mut random = StdRng::seed_from_u64(if is_cold { 2 } else { 1 });
        for number in 0..keys {
            let content = Content::random(&mut random);
            let sides = if number % 2 == 0 { [Side::Go, Side::Ours] } else { [Side::Ours, Side::Go] };
            for side in sides {
                self.hang_up(is_cold, [&self.go_provider, &self.provider.peer_id], side).await;
                self.publish(side, &content, provides.side(side)).await;
            }
            for side in sides {
                self.hang_up(is_cold, [&self.go_finder, &self.finder.peer_id], side).await;
                self.find(side, &content, retrieves.side(side)).await;
            }
        }
        [provides, retrieves]
    }

    async fn hang_up(&self, is_cold: bool, [go, ours]: [&str; 2], side: Side) {
        if is_cold {
            self.far.hang_up(if side == Side::Go { go } else { ours }).await;
            sleep(HANGING_UP).await;
        }
    }

    async fn publish(&self, side: Side, content: &Content, column: &mut Column) {
        let cid = content.cid().to_string();
        let provider = if side == Side::Go { &self.go_provider } else { &self.provider.peer_id };
        self.far.requests(provider).await;
        let took = match side {
            Side::Go => go_seconds(&self.near.provide(self.strategy, &cid).await),
            Side::Ours => our_seconds(&self.provider.provide(content).await),
        };
        column.note(took);
        // Puts may go on in the background, at most to those 20.
        let arrived = async || {
            let puts = self.far.puts(&cid).await;
            let holders: BTreeSet<_> =
                puts.into_iter().filter(|put| put.sender == *provider).map(|put| put.holder).collect();
            (holders.len() >= HOLDERS).then_some(())
        };
        let _ = tokio::time::timeout(SETTLING, self.stage.eventually("all puts", arrived)).await;
        // Some lookups leave requests on the way.
        sleep(ROUND_TRIP).await;
        column.requests += self.far.requests(provider).await;
        let closest = BTreeSet::from_iter(self.far.closest(&cid).await);
        let records = self.far.records(&cid).await;
        let holders: BTreeSet<_> =
            records.iter().filter(|record| record.id == *provider).map(|record| &record.holder).collect();
        column.holders += holders.into_iter().filter(|holder| closest.contains(*holder)).count();
    }

    async fn find(&self, side: Side, content: &Content, column: &mut Column) {
        let cid = content.cid().to_string();
        let finder = if side == Side::Go { &self.go_finder } else { &self.finder.peer_id };
        self.far.requests(finder).await;
        let took = match side {
            Side::Go => go_seconds(&self.near.find(self.strategy, &cid).await),
            Side::Ours => our_seconds(&self.finder.retrieve(&cid).await),
        };
        column.note(took);
        sleep(ROUND_TRIP).await;
        column.requests += self.far.requests(finder).await;
    }
}

impl Column {
    fn note(&mut self, took: Result<Duration, String>) {
        match took {
            Ok(duration) => self.durations.push(duration),
            Err(failure) => self.failures.push(failure),
        }
    }
}

fn go_seconds(answer: &go_program::Answer) -> Result<Duration, String> {
    if answer.error.is_empty() { Ok(Duration::from_secs_f64(answer.seconds)) } else { Err(answer.error.clone()) }
}

/// An optimistic publication without an estimate is a classic one, and none to be measured here.
fn our_seconds(answer: &Value) -> Result<Duration, String> {
    if !answer["Fallback"].is_null() {
        return Err(answer.to_string());
    }
    servers::seconds(answer).map(Duration::from_secs_f64)
}
