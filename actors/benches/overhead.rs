//! What the way around a measurement costs, and that it is no part of it.
//!
//! `cargo bench -p parsec-actors --bench overhead` prints both tables; as a test (`cargo test --benches`) each case
//! runs a few times only.
//!
//! 1. The way around an operation: HTTP on loopback, gateway, actor, and back, with an actor that answers at once.
//! 2. What a node reports on a real local network, with its actor's thread idle and with that thread busy.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reports to a terminal and gives up on errors"
)]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use futures::FutureExt;
use parsec_actors::serving::dht_node::{
    DhtHandle, DhtNode, GetReadiness, OperationError, Provide, ProvideMany, Retrieve, StartDht,
};
use parsec_actors::serving::gateway::{Gateway, Measuring, Routes};
use parsec_actors::supervision::root::Root;
use parsec_actors::supervision::supervise::{ChildEvent, RestartPolicy, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_api::token::CurrentToken;
use parsec_dht::{Dht, Internet, Node, NodeConfig, Readiness};
use parsec_lab::{LocalConfig, LocalNetwork, Region};
use parsec_measure::{Cid, Content, Measured, Measurement, OutcomeClass, ProvidedMany, quantile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Peers of the local network.
const PEERS: usize = 100;

/// How long one operation may take.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the busy actor keeps its thread each time, and how long it leaves it to the others in between.
const BLOCKED: Duration = Duration::from_millis(10);
const LEFT_FREE: Duration = Duration::from_millis(1);

/// How much is measured.
struct Size {
    requests: usize,
    retrievals: usize,
}

fn main() {
    let is_benchmark = std::env::args().any(|argument| argument == "--bench");
    let size =
        if is_benchmark { Size { requests: 5_000, retrievals: 200 } } else { Size { requests: 20, retrievals: 5 } };
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    System::with_tokio_rt(runtime).block_on(async {
        let metrics = Arc::new(Metrics::new("0.0.0", "benchmark"));
        let root = Root::new(Arc::clone(&metrics)).0.start().recipient();
        the_way_around(&size, &metrics, &root).await;
        busy_and_idle(&size, &root).await;
    });
}

/// Answers at once.
struct InstantDht;

impl Actor for InstantDht {
    type Context = Context<Self>;
}

fn nothing() -> Result<Measured, OperationError> {
    let step = Measurement { step: "retrieval".to_owned(), duration: Duration::ZERO, error: None };
    let measured = Measured::unmeasured(OutcomeClass::Ok, Duration::ZERO, "");
    Ok(Measured { error: None, steps: vec![step], ..measured })
}

impl Handler<Provide> for InstantDht {
    type Result = Result<Measured, OperationError>;

    fn handle(&mut self, _: Provide, _: &mut Self::Context) -> Self::Result {
        nothing()
    }
}

impl Handler<ProvideMany> for InstantDht {
    type Result = Result<ProvidedMany, OperationError>;

    fn handle(&mut self, ProvideMany { manner, .. }: ProvideMany, _: &mut Self::Context) -> Self::Result {
        Ok(ProvidedMany::nothing(manner))
    }
}

impl Handler<Retrieve> for InstantDht {
    type Result = Result<Measured, OperationError>;

    fn handle(&mut self, _: Retrieve, _: &mut Self::Context) -> Self::Result {
        nothing()
    }
}

impl Handler<GetReadiness> for InstantDht {
    type Result = Result<Readiness, OperationError>;

    fn handle(&mut self, _: GetReadiness, _: &mut Self::Context) -> Self::Result {
        Ok(Readiness::Ready { routing_table_size: 0, network_size: None })
    }
}

async fn the_way_around(size: &Size, metrics: &Arc<Metrics>, root: &Recipient<ChildEvent>) {
    let dht = DhtHandle::new(&InstantDht.start(), OPERATION_TIMEOUT);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Routes::measuring(Measuring {
        dht,
        metrics: Arc::clone(metrics),
        fleet: "default".to_owned(),
        peer_id: String::new(),
        token: CurrentToken::default(),
    });
    let gateway = Gateway::new(Arc::new(listener), routes);
    let _gateway = supervise("gateway", RestartPolicy::default(), root.clone(), gateway);

    let mut times = tokio::spawn(requests(address, size.requests)).await.unwrap();
    times.sort_unstable();
    let micros = |q| quantile(&times, q).unwrap().as_secs_f64() * 1e6;
    println!("HTTP and actors around an operation that takes no time, in µs (one connection, kept alive)");
    println!("{:>8}{:>10}{:>10}{:>10}{:>10}", "n", "p50", "p90", "p99", "max");
    let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(micros);
    println!("{:>8}{p50:>10.0}{p90:>10.0}{p99:>10.0}{max:>10.0}\n", times.len());
}

/// Asks over one connection, one request after the other; returns how long each took.
async fn requests(server: SocketAddr, count: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!("POST /retrieve/{} HTTP/1.1\r\nhost: parsec\r\ncontent-length: 2\r\n\r\n{{}}", key(0));
    let mut times = Vec::with_capacity(count);
    // The first tenth warms caches and branch predictors up.
    for number in 0..count + count / 10 {
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = answer(&mut stream).await;
        let took = asked.elapsed();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        if number >= count / 10 {
            times.push(took);
        }
    }
    times
}

/// Reads one answer to its end; returns its head.
async fn answer(stream: &mut TcpStream) -> String {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the server closed the connection");
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse::<usize>().unwrap() {
            return head.to_owned();
        }
    }
}

/// Keeps its thread busy for good.
struct Busy;

impl Actor for Busy {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let busy = async {
            loop {
                std::thread::sleep(BLOCKED);
                tokio::time::sleep(LEFT_FREE).await;
            }
        };
        context.spawn(busy.into_actor(self));
    }
}

async fn busy_and_idle(size: &Size, root: &Recipient<ChildEvent>) {
    let config = LocalConfig { peers: PEERS, seed: 7, ..LocalConfig::default() };
    let network = LocalNetwork::start(config).await.unwrap();
    let (publisher, finder) = tokio::join!(node(&network), node(&network));
    let keys: Vec<_> = (0..size.retrievals as u64).map(key).collect();
    for key in &keys {
        assert_eq!(publisher.provide(key.clone(), None).await.unwrap().class, OutcomeClass::Ok);
    }
    let start: StartDht = Arc::new(|| async { Err("the first engine must do".to_owned()) }.boxed());
    let actor = supervise("DHT node", RestartPolicy::default(), root.clone(), DhtNode::new(finder, start));
    let dht = DhtHandle::of(&actor, OPERATION_TIMEOUT);
    // So that both cases find warm connections.
    tokio::spawn(look_up(dht.clone(), keys.clone())).await.unwrap();

    println!("A retrieval on a network of {PEERS} peers, medians in ms");
    println!("{:<28}{:>8}{:>10}{:>10}", "the actor's thread is", "n", "reported", "seen");
    let idle = tokio::spawn(look_up(dht.clone(), keys.clone())).await.unwrap();
    print("idle", keys.len(), idle);
    let busy_actor = Busy.start();
    let busy = tokio::spawn(look_up(dht, keys.clone())).await.unwrap();
    print(&format!("busy, {BLOCKED:?} at a time"), keys.len(), busy);
    drop(busy_actor);
    let difference = |busy: Duration, idle: Duration| (busy.as_secs_f64() - idle.as_secs_f64()) * 1e3;
    println!("{:<36}{:>+10.2}{:>+10.2}", "difference", difference(busy.0, idle.0), difference(busy.1, idle.1));
}

fn print(case: &str, count: usize, (reported, seen): (Duration, Duration)) {
    println!("{case:<28}{count:>8}{:>10.2}{:>10.2}", reported.as_secs_f64() * 1e3, seen.as_secs_f64() * 1e3);
}

async fn node(network: &LocalNetwork) -> Arc<Node> {
    let config = NodeConfig {
        underlay: Arc::new(Internet::default()),
        operation_timeout: OPERATION_TIMEOUT,
        ..network.newcomer(Region::EuCentral1)
    };
    let node = Node::start(config).await.unwrap();
    // A node tells its state only when asked.
    while let Readiness::NotReady(_) = node.readiness().await.unwrap() {
        tokio::time::sleep(LEFT_FREE).await;
    }
    Arc::new(node)
}

/// Looks all keys up, one after the other; returns the medians of what was reported and of what the caller saw.
async fn look_up(dht: DhtHandle, keys: Vec<Cid>) -> (Duration, Duration) {
    let (mut reported, mut seen) = (Vec::new(), Vec::new());
    for key in keys {
        let asked = Instant::now();
        let measured = dht.retrieve.ask(Retrieve(key)).await.unwrap().unwrap();
        seen.push(asked.elapsed());
        assert_eq!(measured.class, OutcomeClass::Ok, "{:?}", measured.error);
        reported.push(measured.duration);
    }
    let median = |mut durations: Vec<Duration>| {
        durations.sort_unstable();
        quantile(&durations, 0.5).unwrap()
    };
    (median(reported), median(seen))
}

/// A key that is another one for each number.
fn key(number: u64) -> Cid {
    Content::from(number.to_be_bytes().to_vec()).cid()
}
