//! A DHT of many real peers in one process, on loopback: for the demonstration and for tests.
//!
//! Every peer is a libp2p swarm with libp2p-kad in server mode. Their routing tables are filled from
//! the outside, because bootstrapping hundreds of peers from one takes minutes of handshakes; from
//! then on nothing is simulated.

use futures::{FutureExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::kad::Mode;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, Transport, identity, kad, noise, quic, tcp, yamux};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use std::time::Duration;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::key::{Contact, Key};
use crate::serving::Serving;
use crate::swarm::kad as kademlia;

/// The protocol id of local networks: never that of a public one, so that nothing can leak into it.
pub const LOCAL_PROTOCOL: &str = "/parsec/local/kad/1.0.0";

/// The size of a bucket (k of the specification).
const BUCKET: u32 = 20;

/// How many peers are handed to newcomers as bootstrap peers.
const BOOTSTRAP_PEERS: usize = 8;

/// How long a peer keeps a connection on which nothing happens.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long encrypting and multiplexing a connection may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// What carries the local peers' connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalTransport {
    /// TCP with noise and yamux.
    Tcp,
    /// QUIC.
    Quic,
}

/// The shape of a local network.
#[derive(Debug, Clone, Copy)]
pub struct LocalConfig {
    /// How many peers.
    pub peers: usize,
    /// Decides the peers' keys and so who is close to what.
    pub seed: u64,
    /// How they are reached.
    pub transport: LocalTransport,
}

/// A local network that could not be started.
#[derive(Debug, Error)]
#[error("cannot start peer {index} of the local network: {reason}")]
pub struct LocalError {
    /// Which peer, from 0.
    pub index: usize,
    /// Why not.
    pub reason: String,
}

/// A running local network. Dropping it ends its peers.
#[derive(Debug)]
pub struct LocalNetwork {
    peers: Vec<(PeerId, Multiaddr)>,
    _tasks: JoinSet<()>,
}

type LocalSwarm = Swarm<Serving>;

impl LocalNetwork {
    /// Starts all peers and fills their tables. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The first peer that cannot listen, for instance when the process may open no more files.
    pub async fn start(config: LocalConfig) -> Result<Self, LocalError> {
        let mut rng = StdRng::seed_from_u64(config.seed);
        let (mut swarms, mut peers) = (Vec::new(), Vec::new());
        for index in 0..config.peers {
            let failed = |reason: String| LocalError { index, reason };
            let mut secret = [0; 32];
            rng.fill_bytes(&mut secret);
            let keypair = identity::Keypair::ed25519_from_bytes(secret).map_err(|error| failed(error.to_string()))?;
            let (swarm, address) = listening(&keypair, config.transport).await.map_err(failed)?;
            peers.push((*swarm.local_peer_id(), address));
            swarms.push(swarm);
        }
        let keys: Vec<Key> = peers.iter().map(|(peer, _)| peer.key()).collect();
        let mut tasks = JoinSet::new();
        for (index, mut swarm) in swarms.into_iter().enumerate() {
            for other in table(&keys, index, &mut rng) {
                swarm.behaviour_mut().kad.add_address(&peers[other].0, peers[other].1.clone());
            }
            settle(&mut swarm);
            tasks.spawn(serve(swarm));
        }
        Ok(Self { peers, _tasks: tasks })
    }

    /// Addresses, `/p2p/…` included, at which newcomers are let in.
    pub fn bootstrap(&self) -> Vec<String> {
        let with_peer = |(peer, address): &(PeerId, Multiaddr)| address.clone().with(Protocol::P2p(*peer)).to_string();
        self.peers.iter().take(BOOTSTRAP_PEERS).map(with_peer).collect()
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

async fn listening(keypair: &identity::Keypair, transport: LocalTransport) -> Result<(LocalSwarm, Multiaddr), String> {
    let local = keypair.public().to_peer_id();
    let (boxed, address) = match transport {
        LocalTransport::Tcp => {
            let tcp = tcp::tokio::Transport::new(tcp::Config::default())
                .upgrade(Version::V1Lazy)
                .authenticate(noise::Config::new(keypair).map_err(|error| error.to_string())?)
                .multiplex(yamux::Config::default())
                .timeout(HANDSHAKE_TIMEOUT);
            (tcp.boxed(), "/ip4/127.0.0.1/tcp/0")
        }
        LocalTransport::Quic => {
            let quic = quic::tokio::Transport::new(quic::Config::new(keypair));
            let boxed = quic.map(|(peer, muxer), _| (peer, libp2p::core::muxing::StreamMuxerBox::new(muxer))).boxed();
            (boxed, "/ip4/127.0.0.1/udp/0/quic-v1")
        }
    };
    let behaviour = kademlia(local, StreamProtocol::new(LOCAL_PROTOCOL), Mode::Server);
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_CONNECTION_TIMEOUT);
    let mut swarm = Swarm::new(boxed, behaviour, local, config);
    let address = address.parse().expect("the listen address is a multiaddress");
    swarm.listen_on(address).map_err(|error| error.to_string())?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => return Ok((swarm, address)),
            SwarmEvent::ListenerClosed { reason, .. } => return Err(format!("listener closed: {reason:?}")),
            _ => {}
        }
    }
}

/// Whom the peer at `index` knows: up to a bucketful of random peers at each common prefix.
fn table(keys: &[Key], index: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut others: Vec<usize> = (0..keys.len()).filter(|other| *other != index).collect();
    others.shuffle(rng);
    let mut filled = [0; 257];
    others.retain(|other| {
        let bucket = keys[index].distance(&keys[*other]).common_prefix() as usize;
        filled[bucket] += 1;
        filled[bucket] <= BUCKET
    });
    others
}

/// Ends the bootstrap that libp2p-kad starts by itself while its table has fewer than 20 peers.
fn settle(swarm: &mut LocalSwarm) {
    while swarm.next().now_or_never().is_some() {}
    for mut query in swarm.behaviour_mut().kad.iter_queries_mut() {
        query.finish();
    }
}

async fn serve(mut swarm: LocalSwarm) {
    loop {
        if let SwarmEvent::Behaviour(kad::Event::OutboundQueryProgressed { .. }) = swarm.select_next_some().await {
            settle(&mut swarm);
        }
    }
}
