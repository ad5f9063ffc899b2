//! What a measuring node's swarm is made of: transports and behaviours.

use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::kad::{self, BucketInserts, Mode};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{
    PeerId, StreamProtocol, Swarm, Transport, autonat, connection_limits, dns, identify, noise, ping, quic, tcp, yamux,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use thiserror::Error;

use crate::local;
use crate::node::Underlay;
use crate::records::ProviderStore;
use crate::rpc;
use crate::serving::Serving;
use crate::wire::MAX_MESSAGE_BYTES;

/// How long a TCP handshake may take (Go: `tcp.defaultConnectTimeout`).
pub(crate) const TCP_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long dialling one address may take, encryption and multiplexing included (Go: `swarm.defaultDialTimeout`).
pub(crate) const DIAL_ADDRESS_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection without streams stays open. Go keeps connections until there are too many of them; two minutes
/// leave those of the routing table's neighbourhood warm from round to round and let all others go.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// How many connections others may have to us, established and being established, and how many one peer may have either
/// way. About 50 KB each; Go trims above 192 unless told otherwise.
const MAX_INCOMING: u32 = 1_024;
const MAX_PENDING_INCOMING: u32 = 256;
const MAX_PER_PEER: u32 = 8;

/// How long a provider record is held (Go: `ProvideValidity`).
const RECORD_TTL: Duration = Duration::from_secs(48 * 3600);

/// How parsec introduces itself to other peers.
const AGENT: &str = concat!("parsec/", env!("CARGO_PKG_VERSION"));

/// A swarm that cannot be built.
#[derive(Debug, Error)]
pub(crate) enum BuildError {
    #[error("noise cannot use the identity: {0}")]
    Noise(#[from] noise::Error),
    #[error("cannot read the system's DNS configuration: {0}")]
    Dns(#[from] std::io::Error),
}

/// libp2p-kad serves others and keeps the routing table; our own requests go through `rpc`.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) kad: Serving,
    pub(crate) rpc: rpc::behaviour::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) autonat: autonat::v2::client::Behaviour,
    limits: connection_limits::Behaviour,
}

/// Kademlia as a measuring node needs it: serving, and never asking on its own.
pub(crate) fn kad(local: PeerId, protocol: StreamProtocol, mode: Mode) -> Serving {
    let mut config = kad::Config::new(protocol);
    config
        .set_periodic_bootstrap_interval(None)
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None)
        .set_provider_record_ttl(Some(RECORD_TTL))
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_max_packet_size(MAX_MESSAGE_BYTES);
    let mut kad = kad::Behaviour::with_config(local, ProviderStore::new(local), config);
    kad.set_mode(Some(mode));
    Serving::new(kad)
}

/// TCP (noise, yamux) and QUIC, names resolved through the system's DNS.
fn internet(keypair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, BuildError> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default());
    let tcp = TransportTimeout::with_outgoing_timeout(tcp, TCP_CONNECT_TIMEOUT)
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(yamux::Config::default())
        .timeout(DIAL_ADDRESS_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let mut quic = quic::Config::new(keypair);
    quic.handshake_timeout = DIAL_ADDRESS_TIMEOUT;
    let quic = quic::tokio::Transport::new(quic).map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let either = OrTransport::new(tcp, quic).map(|output, _| output.into_inner());
    Ok(dns::tokio::Transport::system(either)?.boxed())
}

/// The swarm of a measuring node, and the client that sends requests through it.
pub(crate) fn build(
    keypair: &Keypair,
    protocol: StreamProtocol,
    mode: Mode,
    dials_loopback: bool,
    underlay: &Underlay,
) -> Result<(Swarm<Behaviour>, rpc::client::RpcClient), BuildError> {
    let local = keypair.public().to_peer_id();
    let (rpc, client) = rpc::client::RpcClient::new(protocol.clone(), dials_loopback);
    // No address cache: what others say of themselves must not outlive the order to forget them.
    let identify = identify::Config::new("/ipfs/0.1.0".into(), keypair.public())
        .with_agent_version(AGENT.into())
        .with_cache_size(0);
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
        .with_max_established_incoming(Some(MAX_INCOMING))
        .with_max_established_per_peer(Some(MAX_PER_PEER));
    let autonat =
        autonat::v2::client::Behaviour::new(StdRng::from_rng(&mut rand::rng()), autonat::v2::client::Config::default());
    let behaviour = Behaviour {
        kad: kad(local, protocol, mode),
        rpc,
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::default(),
        autonat,
        limits: connection_limits::Behaviour::new(limits),
    };
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_CONNECTION_TIMEOUT);
    let (transport, config) = match underlay {
        // Smart dialling is Go's: QUIC first, TCP 250 ms later, instead of everything at once.
        Underlay::Internet => (internet(keypair)?, config.with_smart_dial()),
        // Everybody has one address. Smart dialling lets one that is neither QUIC nor TCP wait 100 ms.
        Underlay::Local(attachment) => (local::transport(attachment, keypair)?, config),
    };
    Ok((Swarm::new(transport, behaviour, local, config), client))
}
