//! Peers that invent others, more than anybody could dial: what one operation dials is bounded, whichever its strategy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use parsec_dht::key::{Contact as _, Key};
use parsec_dht::{Dht, Node, NodeConfig};
use parsec_measure::{Cid, Measured, OutcomeClass, StrategyKind};
use parsec_test_support::peer::Carrier;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::peer::{Named, Stranger, naming};
use super::{PATIENCE, config, fresh, ready};

/// The lookups that there are: our own, and libp2p-kad's.
const WALKING: [StrategyKind; 2] = [StrategyKind::Classic, StrategyKind::Libp2p];

/// As many questions as an operation may ask, and as many peers of an answer as are used.
const MAX_REQUESTS: usize = 1_024;
const MAX_PEERS: usize = 64;

/// How many of those who name others are bootstrap peers of the node.
const FIRST: usize = 10;

/// A door at which all invented peers are said to be. Whoever knocks is counted and sent away.
struct Door {
    address: Vec<u8>,
    knocks: Arc<AtomicUsize>,
}

impl Door {
    async fn open() -> Self {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("/ip4/127.0.0.1/tcp/{}", door.local_addr().unwrap().port());
        let knocks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&knocks);
        tokio::spawn(async move {
            while door.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { address: address.parse::<Multiaddr>().unwrap().to_vec(), knocks }
    }

    /// Peers who are nowhere: `many`, the closest to the target of `out_of`.
    fn invented(&self, many: usize, out_of: usize, target: &Key) -> Vec<Named> {
        let mut ids: Vec<_> = (0..out_of).map(|_| PeerId::random()).collect();
        ids.sort_by_cached_key(|id| id.key().distance(target));
        let named = |id: PeerId| Named { id: id.to_bytes(), addresses: vec![self.address.clone()] };
        ids.into_iter().take(many).map(named).collect()
    }
}

/// Peers that name others once they are told to, and a node that has joined through the first of them.
struct Scene {
    door: Door,
    armed: Arc<AtomicBool>,
    cid: Cid,
    node: Node,
    _inventors: Vec<Stranger>,
}

impl Scene {
    /// Each of the inventors names these many, and the next of them, which is closer to the key than itself.
    async fn of(inventors: usize, many: usize, out_of: usize, strategy: StrategyKind) -> Self {
        let (door, armed, cid) = (Door::open().await, Arc::new(AtomicBool::new(false)), fresh());
        let target = Key::of(&cid.multihash());
        let mut keypairs: Vec<_> = (0..inventors).map(|_| Keypair::generate_ed25519()).collect();
        keypairs.sort_by_cached_key(|keypair| keypair.public().to_peer_id().key().distance(&target));
        let (mut all, mut next) = (Vec::<Stranger>::new(), None::<Named>);
        for keypair in keypairs {
            let names = next.take().into_iter().chain(door.invented(many, out_of, &target)).collect();
            let (answer, nothing, armed) = (naming(names), naming(vec![]), Arc::clone(&armed));
            let says = move |_: &str| if armed.load(Ordering::Relaxed) { answer.clone() } else { nothing.clone() };
            let inventor = Stranger::over(&Carrier::tcp(keypair.clone()), "-", says).await;
            let mut address: Multiaddr = inventor.address.parse().unwrap();
            address.pop();
            next = Some(Named { id: keypair.public().to_peer_id().to_bytes(), addresses: vec![address.to_vec()] });
            all.push(inventor);
        }
        let bootstrap = all.iter().rev().take(FIRST).map(|inventor| inventor.address.clone()).collect();
        let node = Node::start(NodeConfig { server_mode: true, ..config(bootstrap, strategy) }).await.unwrap();
        ready(&node).await;
        Self { door, armed, cid, node, _inventors: all }
    }

    /// A publication, and how many dials have arrived at the door.
    async fn publish(&self) -> (Measured, usize) {
        self.armed.store(true, Ordering::Relaxed);
        let (before, began) = (self.door.knocks.load(Ordering::Relaxed), Instant::now());
        let published = timeout(PATIENCE, self.node.provide(self.cid.clone(), None)).await.unwrap().unwrap();
        let knocks = self.door.knocks.load(Ordering::Relaxed) - before;
        println!("{knocks} dials, {:?}, {:?}, {:?}", began.elapsed(), published.class, published.effort);
        (published, knocks)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_thousands_that_a_peer_names_at_once_64_are_dialled_at_most() {
    for strategy in WALKING {
        // About 160 kB an answer, which is read.
        let scene = Scene::of(FIRST, 3_000, 3_000, strategy).await;
        let (published, knocks) = scene.publish().await;
        assert!(knocks <= FIRST * MAX_PEERS, "{strategy}: {knocks} dials");
        assert_eq!(published.class, OutcomeClass::Ok, "{strategy}: {:?}", published.error);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_is_led_astray_again_and_again_is_given_up_and_says_so() {
    for strategy in WALKING {
        // Closer to the key than most of those that name them: all of them are tried.
        let scene = Scene::of(40, MAX_PEERS - 1, 2_000, strategy).await;
        let (published, knocks) = scene.publish().await;
        assert!(knocks <= MAX_REQUESTS, "{strategy}: {knocks} dials");
        assert!(published.effort.dials.unwrap() as usize <= MAX_REQUESTS, "{strategy}: {:?}", published.effort);
        let error = published.error.unwrap_or_default();
        let says_so = error.starts_with("gave up after 1024 requests, more than any lookup needs");
        assert!(published.class == OutcomeClass::Protocol && says_so, "{strategy}: {:?}: {error}", published.class);
        // It goes on.
        ready(&scene.node).await;
    }
}
