//! A DHT of many real peers in one process: for the demonstration, for benchmarks and for tests.
//!
//! Every live peer is a libp2p swarm with libp2p-kad in server mode. Their routing tables are filled from the outside,
//! because bootstrapping hundreds of peers from one takes minutes of handshakes. Simulated is the world between them:
//! peers stand in [`Region`]s, ways have a [`Latency`], some peers cannot be dialled and some never answer.
//!
//! From the inside out: `regions` and `latency` say how long a way is, `pipe` is a connection that takes as long, `roads`
//! is the map that all share, `turns` the order on it, `memory`, `tcp` with its prolonged connections and `quic` with its `relay`s are the
//! transports, of which `transport` picks one; `peers` and `silent` are who lives here, [`Observer`] asks them.

mod config;
mod latency;
mod memory;
mod observer;
mod peers;
mod pipe;
mod quic;
mod regions;
mod relay;
#[cfg(test)]
pub(crate) mod replica;
mod roads;
mod silent;
mod tcp;
#[cfg(test)]
mod tests;
mod transport;
mod turns;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use libp2p::{PeerId, identity};
use parsec_dht::key::{Contact, Key};
use parsec_dht::strategy::LookupConfig;
use parsec_dht::{Identity, NodeConfig, PrivatePeers, Warmth};
use parsec_measure::StrategyKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::config::{LOCAL_PROTOCOL, LocalConfig, LocalTransport};
pub use self::observer::Observer;
pub use self::peers::LocalPeer;
pub use self::regions::{Region, UnknownRegion};
pub use self::roads::Attachment;
pub use self::turns::Turns;

use self::peers::{Kind, Reserved};
use self::roads::{Fate, Place, Roads};

/// How long an operation of a newcomer may take: as long as a server allows by default.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(180);

/// How many peers are handed to newcomers as bootstrap peers.
const BOOTSTRAP_PEERS: usize = 8;

/// A local network that could not be started.
#[derive(Debug, Error)]
pub enum LocalError {
    /// The shares leave nobody to answer, or are none.
    #[error(
        "{undialable} of {peers} peers undialable and {silent} silent: shares lie between 0 and 1 and leave at least one \
         live peer"
    )]
    Shares {
        /// How many peers.
        peers: usize,
        /// As configured.
        undialable: f64,
        /// As configured.
        silent: f64,
    },
    /// There are not as many ports from the first one on.
    #[error("{peers} peers from port {first_port} on need ports above 65535: expected port {} or less", 65536_usize.saturating_sub(*peers))]
    Ports {
        /// How many peers.
        peers: usize,
        /// As configured.
        first_port: u16,
    },
    /// A peer that cannot listen, for instance because the process may open no more files.
    #[error("cannot start peer {index} of the local network: {reason}")]
    Peer {
        /// Which peer, from 0.
        index: usize,
        /// Why not.
        reason: String,
    },
    /// The observer has no swarm.
    #[error("cannot start an observer of the local network: {0}")]
    Observer(String),
}

/// A running local network. Dropping it ends its peers and closes the ways between all who are attached to it.
#[derive(Debug)]
pub struct LocalNetwork {
    peers: Vec<LocalPeer>,
    /// The live peers by their place in the keyspace.
    live: Vec<(Key, usize)>,
    /// As in its configuration.
    seed: u64,
    map: Attachment,
    /// Whom each peer knows: the live ones, by their places among `peers`.
    #[cfg(test)]
    tables: Vec<Vec<usize>>,
    _open: watch::Sender<()>,
    _reserved: Vec<Reserved>,
    _tasks: JoinSet<()>,
}

impl LocalNetwork {
    /// Starts all peers and fills their tables. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Shares that leave no live peer, or the first peer that cannot listen.
    pub async fn start(config: LocalConfig) -> Result<Self, LocalError> {
        Self::start_as(config, None).await
    }

    /// The same in memory on a virtual clock, for results that are the same in every run: whatever arrives in the same
    /// moment is taken in turns. Needs a runtime that calls [`Turns::next`].
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_in_turns(config: LocalConfig, turns: Turns) -> Result<Self, LocalError> {
        Self::start_as(config, Some(turns)).await
    }

    async fn start_as(config: LocalConfig, turns: Option<Turns>) -> Result<Self, LocalError> {
        check(&config)?;
        let (open, closed) = watch::channel(());
        let roads = Arc::new(Roads::new(&config, turns.clone(), closed));
        let mut rng = StdRng::seed_from_u64(config.seed);
        // Other shares of dead peers shall not change who the peers are.
        let kinds = peers::deal(&config, &mut StdRng::seed_from_u64(!config.seed));
        let (mut peers, mut swarms, mut reserved, mut tasks) = (vec![], vec![], vec![], JoinSet::new());
        for (index, kind) in kinds.into_iter().enumerate() {
            let failed = |reason: String| LocalError::Peer { index, reason };
            let keypair = keypair(&mut rng);
            let region = Region::ALL[index % Region::ALL.len()];
            let at = Attachment { roads: Arc::clone(&roads), place: Place::In(region) };
            let spot = config.spot(index);
            let address = match kind {
                Kind::Live => {
                    let (swarm, address) = peers::live(&keypair, &at, spot).await.map_err(failed)?;
                    swarms.push((index, swarm));
                    address
                }
                Kind::Silent => {
                    let (swarm, address) = peers::silent(&keypair, &at, spot).await.map_err(failed)?;
                    tasks.spawn(peers::ignore(swarm));
                    address
                }
                Kind::Undialable(fate) => {
                    let (port, address) = peers::reserve(&at, spot).map_err(|error| failed(error.to_string()))?;
                    reserved.push(port);
                    roads.enter(&address, at.place, fate);
                    address
                }
            };
            peers.push(LocalPeer { id: keypair.public().to_peer_id(), address, region, kind });
        }
        turns.into_iter().for_each(|turns| {
            tasks.spawn(turns.keep());
        });
        let keys: Vec<Key> = peers.iter().map(|peer| peer.id.key()).collect();
        #[cfg(test)]
        let mut tables = vec![Vec::new(); peers.len()];
        for (index, mut swarm) in swarms {
            let known = peers::table(&keys, index, &mut rng);
            peers::introduce(&mut swarm, known.iter().map(|other| (&peers[*other].id, &peers[*other].address)));
            tasks.spawn(peers::serve(swarm));
            #[cfg(test)]
            {
                tables[index] = known;
            }
        }
        let live = (0..peers.len()).filter(|index| peers[*index].kind.is_live()).map(|index| (keys[index], index));
        let map = Attachment { roads, place: Place::Everywhere };
        Ok(Self {
            live: live.collect(),
            peers,
            seed: config.seed,
            map,
            #[cfg(test)]
            tables,
            _open: open,
            _reserved: reserved,
            _tasks: tasks,
        })
    }

    /// Addresses, `/p2p/…` included, at which newcomers are let in: those of live peers.
    pub fn bootstrap(&self) -> Vec<String> {
        self.live.iter().take(BOOTSTRAP_PEERS).map(|(_, index)| self.peers[*index].address()).collect()
    }

    /// How many peers there are, dead ones included.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// How many peers can be dialled and answer.
    pub fn live_peers(&self) -> usize {
        self.live.len()
    }

    /// Where a peer (its id as text) stands; `None` if it is none of the network's own.
    pub fn region_of(&self, peer_id: &str) -> Option<Region> {
        let id: PeerId = peer_id.parse().ok()?;
        self.peers.iter().find(|peer| peer.id == id).map(|peer| peer.region)
    }

    /// The truth about a key, a multihash: the `count` peers closest to it that can be dialled and answer, closest first.
    /// Attached nodes do not count, even if they serve others.
    pub fn closest_live(&self, key: &[u8], count: usize) -> Vec<LocalPeer> {
        let key = Key::of(key);
        let mut live: Vec<_> = self.live.iter().map(|(peer, index)| (key.distance(peer), *index)).collect();
        if count < live.len() {
            live.select_nth_unstable(count);
            live.truncate(count);
        }
        live.sort_unstable();
        live.into_iter().map(|(_, index)| self.peers[index].clone()).collect()
    }

    /// Whoever dials this peer from now on is refused, as if it had gone. Connections that stand are kept, and the truth about
    /// a key still has it.
    pub fn refuse(&self, peer: &LocalPeer) {
        self.map.roads.enter(&peer.address, Place::In(peer.region), Fate::Refused);
    }

    /// A place from which a node can take part, with the delays of a region.
    pub fn attach(&self, region: Region) -> Attachment {
        Attachment { place: Place::In(region), ..self.map.clone() }
    }

    /// How a measuring node takes part in this network from a region, as a client with a fresh identity and the settings that
    /// a server has by default.
    pub fn newcomer(&self, region: Region) -> NodeConfig {
        NodeConfig {
            identity: Identity::generate(),
            underlay: Arc::new(self.attach(region)),
            listen_ip: Ipv4Addr::LOCALHOST.into(),
            listen_port: 0,
            external_addresses: Vec::new(),
            protocols: vec![LOCAL_PROTOCOL.to_owned()],
            bootstrap: self.bootstrap(),
            server_mode: false,
            strategy: StrategyKind::Classic,
            alpha: LookupConfig::default().alpha,
            cold: false,
            operation_timeout: OPERATION_TIMEOUT,
            denylists: None,
            private_peers: PrivatePeers::Auto,
            warmth: Warmth::default(),
        }
    }

    /// A place from which everybody is near: no way from there has any delay.
    pub fn attach_observer(&self) -> Attachment {
        self.map.clone()
    }

    /// Somebody who asks peers directly what they hold.
    ///
    /// # Errors
    /// [`LocalError::Observer`] if libp2p cannot be set up.
    pub fn observer(&self) -> Result<Observer, LocalError> {
        // Its key is none of the peers', and is the same in every run.
        let keypair = keypair(&mut StdRng::seed_from_u64(self.seed.wrapping_add(1)));
        Observer::new(&keypair, &self.map).map_err(LocalError::Observer)
    }
}

fn check(config: &LocalConfig) -> Result<(), LocalError> {
    let LocalConfig { peers, undialable, silent, first_port, .. } = *config;
    if first_port != 0 && peers > usize::from(u16::MAX - first_port) + 1 {
        return Err(LocalError::Ports { peers, first_port });
    }
    let shares = [undialable, silent];
    let dead = shares.map(|share| (share * peers as f64).round()).iter().sum::<f64>();
    let sound = shares.iter().all(|share| (0.0..=1.0).contains(share)) && (peers == 0 || dead < peers as f64);
    if sound { Ok(()) } else { Err(LocalError::Shares { peers, undialable, silent }) }
}

fn keypair(rng: &mut impl Rng) -> identity::Keypair {
    let mut secret = [0; 32];
    rng.fill_bytes(&mut secret);
    identity::Keypair::ed25519_from_bytes(secret).expect("any 32 bytes are an Ed25519 secret key")
}
