//! The peers of a local network, and what a newcomer would take a long time to find out about them.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, identify, identity, kad};
use parsec_dht::key::Key;
use parsec_dht::parts::{self, Serving, Underlay};
use rand::Rng;
use rand::seq::SliceRandom;
use tokio::net::TcpSocket;
use tokio::time::Instant;

use super::config::{LOCAL_PROTOCOL, LocalConfig, LocalTransport};
use super::regions::Region;
use super::roads::{Attachment, Fate};
use super::silent::Silent;
use super::transport;

/// The size of a bucket (k of the specification).
const BUCKET: u32 = 20;

/// How long a peer keeps a connection on which nothing happens.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How many of those that cannot be dialled never answer; the others refuse. Of the dials that failed in 2021, 19 in 30
/// failed at once and 11 at the time-out.
const LOST_OF_UNDIALABLE: usize = 3;

/// How the peers introduce themselves.
const AGENT: &str = concat!("parsec-network/", env!("CARGO_PKG_VERSION"));

/// How long a server that has joined is told others about after it last said who it is. A server looks around every
/// 10 minutes; one that has gone would stay for good, because these peers dial nobody and so never find out.
const JOINED_FOR: Duration = Duration::from_secs(3600);

/// How many servers that have joined a peer remembers: far more than come to one machine.
const MAX_JOINED: usize = 1_024;

/// What a peer does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Answers like any other.
    Live,
    /// Accepts and never answers.
    Silent,
    /// Cannot be dialled.
    Undialable(Fate),
}

impl Kind {
    pub(super) fn is_live(self) -> bool {
        self == Self::Live
    }
}

/// One peer of a local network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPeer {
    pub(super) id: PeerId,
    pub(super) address: Multiaddr,
    pub(super) region: Region,
    pub(super) kind: Kind,
}

impl LocalPeer {
    /// The peer id as text.
    pub fn peer_id(&self) -> String {
        self.id.to_string()
    }

    /// The address to dial, `/p2p/…` included.
    pub fn address(&self) -> String {
        self.address.clone().with(Protocol::P2p(self.id)).to_string()
    }

    /// Where it stands.
    pub fn region(&self) -> Region {
        self.region
    }
}

/// What each peer of a network does: the shares as configured, dealt at random. The numbers are rounded.
pub(super) fn deal(config: &LocalConfig, rng: &mut impl Rng) -> Vec<Kind> {
    let share = |share: f64| (share * config.peers as f64).round() as usize;
    let (undialable, silent) = (share(config.undialable), share(config.silent));
    let mut kinds = vec![Kind::Live; config.peers];
    for (index, kind) in kinds.iter_mut().take(undialable + silent).enumerate() {
        *kind = match index {
            _ if index >= undialable => Kind::Silent,
            _ if index % LOST_OF_UNDIALABLE == LOST_OF_UNDIALABLE - 1 => Kind::Undialable(Fate::Lost),
            _ => Kind::Undialable(Fate::Refused),
        };
    }
    kinds.shuffle(rng);
    kinds
}

/// Keeps a port from being given to anybody while nobody listens on it.
#[derive(Debug)]
pub(super) enum Reserved {
    Tcp(#[allow(dead_code, reason = "held, never used")] TcpSocket),
    Udp(#[allow(dead_code, reason = "held, never used")] UdpSocket),
    /// Memory ports are given out once.
    Memory,
}

/// An address at which nobody listens.
pub(super) fn reserve(attachment: &Attachment, spot: SocketAddr) -> io::Result<(Reserved, Multiaddr)> {
    let (reserved, address) = match attachment.roads.transport {
        LocalTransport::Tcp => {
            // Bound and not listening: the system itself refuses who dials it.
            let socket = if spot.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.bind(spot)?;
            let port = socket.local_addr()?.port();
            (Reserved::Tcp(socket), attachment.listen_address(spot.ip(), port))
        }
        LocalTransport::Quic => {
            let socket = UdpSocket::bind(spot)?;
            let port = socket.local_addr()?.port();
            (Reserved::Udp(socket), attachment.listen_address(spot.ip(), port))
        }
        LocalTransport::Memory => (Reserved::Memory, Protocol::Memory(attachment.roads.free_port()).into()),
    };
    Ok((reserved, address))
}

/// A swarm that listens, and where.
pub(super) type Listening<B> = (Swarm<B>, Multiaddr);

/// A peer that serves others, and says who it is to whoever connects over a real transport: go-libp2p-kad-dht takes nobody
/// into its table who does not. In memory all are ours and know each other; there it would only cost time and memory.
#[derive(NetworkBehaviour)]
pub(super) struct Live {
    serving: Serving,
    identify: Toggle<identify::Behaviour>,
}

/// A peer that serves others.
pub(super) async fn live(
    keypair: &identity::Keypair,
    attachment: &Attachment,
    spot: SocketAddr,
) -> Result<Listening<Live>, String> {
    let (local, protocol) = (keypair.public().to_peer_id(), StreamProtocol::new(LOCAL_PROTOCOL));
    let serving = parts::serving(local, protocol);
    let is_real = attachment.roads.transport != LocalTransport::Memory;
    let identify = is_real.then(|| {
        let config = identify::Config::new("/ipfs/0.1.0".into(), keypair.public());
        identify::Behaviour::new(config.with_agent_version(AGENT.into()).with_cache_size(0))
    });
    listening(keypair, attachment, spot, Live { serving, identify: identify.into() }).await
}

/// A peer that accepts and never answers.
pub(super) async fn silent(
    keypair: &identity::Keypair,
    attachment: &Attachment,
    spot: SocketAddr,
) -> Result<Listening<Silent>, String> {
    listening(keypair, attachment, spot, Silent::new(StreamProtocol::new(LOCAL_PROTOCOL))).await
}

/// A swarm of somebody in a local network.
pub(super) fn swarm<B: NetworkBehaviour>(
    keypair: &identity::Keypair,
    attachment: &Attachment,
    behaviour: B,
) -> Result<Swarm<B>, String> {
    let transport = transport::transport(attachment, keypair).map_err(|error| error.to_string())?;
    let idle = attachment.idle_timeout(IDLE_CONNECTION_TIMEOUT);
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(idle);
    Ok(Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config))
}

async fn listening<B: NetworkBehaviour>(
    keypair: &identity::Keypair,
    attachment: &Attachment,
    spot: SocketAddr,
    behaviour: B,
) -> Result<Listening<B>, String> {
    let mut swarm = swarm(keypair, attachment, behaviour)?;
    let address = match attachment.roads.transport {
        LocalTransport::Memory => Protocol::Memory(attachment.roads.free_port()).into(),
        LocalTransport::Tcp | LocalTransport::Quic => attachment.listen_address(spot.ip(), spot.port()),
    };
    parsec_dht::is_free(&address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
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
pub(super) fn table(keys: &[Key], index: usize, rng: &mut impl Rng) -> Vec<usize> {
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

/// Tells a peer whom it knows.
pub(super) fn introduce<'a>(swarm: &mut Swarm<Live>, others: impl IntoIterator<Item = (&'a PeerId, &'a Multiaddr)>) {
    for (peer, address) in others {
        swarm.behaviour_mut().serving.introduce(peer, address.clone());
    }
    while swarm.next().now_or_never().is_some() {}
    swarm.behaviour_mut().serving.settle();
}

/// Lets a live peer live.
pub(super) async fn serve(mut swarm: Swarm<Live>) {
    let mut joined = HashMap::new();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(LiveEvent::Serving(kad::Event::OutboundQueryProgressed { .. })) => {
                swarm.behaviour_mut().serving.settle();
            }
            SwarmEvent::Behaviour(LiveEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                welcome(&mut swarm.behaviour_mut().serving, &mut joined, peer_id, &info);
            }
            _ => {}
        }
    }
}

/// Somebody has said who it is: a server of this DHT is told others about from now on, at the addresses that it names.
fn welcome(serving: &mut Serving, joined: &mut HashMap<PeerId, Instant>, peer: PeerId, info: &identify::Info) {
    let gone = joined.extract_if(|_, last| last.elapsed() > JOINED_FOR);
    gone.for_each(|(peer, _)| serving.forget(&peer));
    let serves = info.protocols.iter().any(|protocol| *protocol == LOCAL_PROTOCOL);
    if !serves || (joined.len() >= MAX_JOINED && !joined.contains_key(&peer)) {
        return;
    }
    for address in parts::dialable(&info.listen_addrs) {
        serving.introduce(&peer, address.clone());
        joined.insert(peer, Instant::now());
    }
}

/// Lets a silent peer be silent.
pub(super) async fn ignore(mut swarm: Swarm<Silent>) {
    loop {
        swarm.select_next_some().await;
    }
}
