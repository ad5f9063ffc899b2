//! Builds the swarm of a measuring node: its behaviours, and the limits on its connections.

use std::num::NonZeroU8;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::kad::Mode;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, Swarm, Transport, connection_limits, identify, ping};

use crate::swarm::candidates::Candidates;
use crate::swarm::dial::{Dialler, Experience};
use crate::swarm::doors::Doors;
use crate::swarm::limits::{MAX_INCOMING, MAX_OUTGOING, MAX_PENDING_INCOMING, MAX_PENDING_OUTGOING, MAX_PER_PEER};
use crate::swarm::room::Room;
use crate::swarm::rpc;
use crate::swarm::serving::{Serving, kad};
use crate::swarm::streams::{self, Visitors, Watched};
use crate::swarm::underlay::{BuildError, Underlay};
use crate::wire::messages::{MAX_REQUEST_BYTES, MAX_WALK_BYTES};
use crate::wire::reach::Reach;

/// How many dials of a peer the swarm begins at once: all. [`Dialler`] decides when each of them starts.
const ALL_AT_ONCE: NonZeroU8 = NonZeroU8::MAX;

/// How long a connection without streams stays open: until the driver lets it go, since there are too many
/// ([`warmth`](crate::swarm::warmth)). A day is as good as for ever, and still a bound.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// How often an idle connection is tried, so that one that has died is noticed before a request is lost on it. Go does it
/// every 30 s, below the streams (yamux `KeepAliveInterval`); each ping here wakes three tasks.
const PING_INTERVAL: Duration = Duration::from_secs(60);

/// For how many streams of a connection a protocol may be negotiated at a time, each for the 10 s that libp2p gives it.
const MAX_NEGOTIATING: usize = 16;

/// How parsec introduces itself to other peers.
const AGENT: &str = concat!("parsec/", env!("CARGO_PKG_VERSION"));

/// libp2p-kad serves others and keeps the routing table; our own requests go through `rpc`.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) kad: Serving,
    pub(crate) rpc: rpc::behaviour::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) autonat: Candidates,
    doors: Doors,
    limits: connection_limits::Behaviour,
}

/// What a swarm is built for.
pub(crate) struct Plan<'a> {
    pub(crate) keypair: &'a Keypair,
    /// The protocol ids of the network, the one to offer first in front.
    pub(crate) protocols: &'a [StreamProtocol],
    pub(crate) mode: Mode,
    /// Whether libp2p-kad's own lookups will be requested: then it has to read answers, too.
    pub(crate) walks: bool,
    pub(crate) reach: &'a Reach,
    pub(crate) underlay: &'a dyn Underlay,
}

/// The swarm of a measuring node, and the client that sends requests through it.
pub(crate) fn build(plan: &Plan<'_>) -> Result<(Swarm<Behaviour>, rpc::client::RpcClient), BuildError> {
    let Plan { keypair, protocols, mode, walks, reach, underlay } = *plan;
    let local = keypair.public().to_peer_id();
    let experience = Experience::default();
    let (rpc, client) = rpc::client::RpcClient::new(protocols.to_vec(), reach.clone(), experience.clone());
    // No address cache: when the node is told to forget addresses, none that others have named may remain.
    let identify = identify::Config::new("/ipfs/0.1.0".into(), keypair.public())
        .with_agent_version(AGENT.into())
        .with_cache_size(0);
    let room = Room::of_process();
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(MAX_PENDING_INCOMING.min(room.dials)))
        .with_max_established_incoming(Some(MAX_INCOMING))
        .with_max_pending_outgoing(Some(MAX_PENDING_OUTGOING.min(room.dials)))
        .with_max_established_outgoing(Some(MAX_OUTGOING))
        .with_max_established(Some(room.connections))
        .with_max_established_per_peer(Some(MAX_PER_PEER));
    let max_message = if walks { MAX_WALK_BYTES } else { MAX_REQUEST_BYTES };
    let behaviour = Behaviour {
        kad: kad(local, protocols, mode, reach.clone(), max_message),
        rpc,
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
        autonat: Candidates::new(reach.clone()),
        doors: Doors::new(reach.is_public()),
        limits: connection_limits::Behaviour::new(limits),
    };
    let mut config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(underlay.idle_timeout(IDLE_CONNECTION_TIMEOUT))
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING)
        .with_dial_concurrency_factor(ALL_AT_ONCE);
    if !walks {
        // A request is sent together with the name of its protocol, as in Go. rust-libp2p's own lookups are measured
        // unchanged, without this.
        config = config.with_substream_upgrade_protocol_override(Version::V1Lazy);
    }
    let transport = underlay.transport(keypair, reach)?;
    let visitors = Visitors::at_most(streams::MAX_STREAMS);
    let watched = move |muxer| StreamMuxerBox::new(Watched::new(muxer, visitors));
    let transport = Dialler::new(transport, experience).map(move |(peer, muxer), _| (peer, watched(muxer))).boxed();
    Ok((Swarm::new(transport, behaviour, local, config), client))
}
