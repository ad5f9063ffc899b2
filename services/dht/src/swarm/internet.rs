//! The internet as an [`Underlay`]: TCP with or without WebSocket, and QUIC.

use std::net::IpAddr;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Transport, dns, noise, quic, tcp, websocket, yamux};

use crate::swarm::ends::Yamux;
use crate::swarm::gate::Gate;
use crate::swarm::underlay::{BuildError, Connected, Underlay};
use crate::wire::reach::Reach;

/// How long a TCP handshake may take (Go: `tcp.defaultConnectTimeout`).
pub const TCP_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the handshake of QUIC may take, which is all of its dial (Go: quic-go's `HandshakeIdleTimeout`). A
/// port at which nobody listens costs as much.
const QUIC_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest frame of a WebSocket that is read: noise hands over 64 KiB at a time.
const MAX_WEBSOCKET_FRAME: usize = 1 << 20;

/// How long dialling one address may take, encryption and multiplexing included (Go: `swarm.defaultDialTimeout`).
pub const DIAL_ADDRESS_TIMEOUT: Duration = Duration::from_secs(15);

/// How many streams one connection may have, theirs and ours: libp2p-kad serves 32 at a time, and the other protocols
/// need a handful. Yamux closes a connection that asks for more, QUIC does not let it ask.
const MAX_STREAMS_PER_CONNECTION: u32 = 64;

/// How much a QUIC peer may send before we read it, on one stream and on all of a connection: the longest answer, and
/// a few of them. Over yamux it is 256 KiB for each stream.
const QUIC_STREAM_BYTES: u32 = 512 << 10;
const QUIC_CONNECTION_BYTES: u32 = 2 << 20;

/// TCP and QUIC, names resolved by the system's DNS.
#[derive(Debug, Clone, Default)]
pub struct Internet {
    /// Authorities (DER certificates) by which secure WebSockets are judged besides those of the public web.
    pub authorities: Vec<Vec<u8>>,
}

impl Underlay for Internet {
    fn transport(&self, keypair: &Keypair, reach: &Reach) -> Result<Boxed<Connected>, BuildError> {
        transport(keypair, reach, &self.authorities)
    }

    fn listen_addresses(&self, ip: IpAddr, port: u16) -> Vec<Multiaddr> {
        let ip = Multiaddr::from(ip);
        vec![ip.clone().with(Protocol::Tcp(port)), ip.with(Protocol::Udp(port)).with(Protocol::QuicV1)]
    }
}

fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS_PER_CONNECTION as usize);
    config
}

/// TCP with or without WebSocket (noise, yamux), and QUIC; names resolved through the system's DNS. Whoever shows a
/// certificate for a secure WebSocket is judged by the authorities of the public web, and by `authorities` (DER).
fn transport(keypair: &Keypair, reach: &Reach, authorities: &[Vec<u8>]) -> Result<Boxed<Connected>, BuildError> {
    let tcp = || {
        let tcp = tcp::tokio::Transport::new(tcp::Config::default());
        TransportTimeout::with_outgoing_timeout(tcp, TCP_CONNECT_TIMEOUT)
    };
    // The same for two types of transport, which a generic function would need a page of bounds for.
    macro_rules! secured {
        ($transport:expr) => {
            $transport
                .upgrade(Version::V1Lazy)
                .authenticate(noise::Config::new(keypair)?)
                .multiplex(Yamux(multiplexer()))
                .timeout(DIAL_ADDRESS_TIMEOUT)
                .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
                .boxed()
        };
    }
    let mut quic = quic::Config::new(keypair);
    quic.handshake_timeout = QUIC_CONNECT_TIMEOUT;
    quic.max_concurrent_stream_limit = MAX_STREAMS_PER_CONNECTION;
    quic.max_stream_data = QUIC_STREAM_BYTES;
    quic.max_connection_data = QUIC_CONNECTION_BYTES;
    let quic = quic::tokio::Transport::new(quic).map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let direct = either(secured!(tcp()), quic.boxed());
    let direct = dns::tokio::Transport::system(Gate::new(direct, reach.clone()))?.boxed();

    // Above DNS: the name is what a certificate is for.
    let mut web = websocket::Config::new(dns::tokio::Transport::system(Gate::new(tcp().boxed(), reach.clone()))?);
    web.set_max_redirects(0).set_max_data_size(MAX_WEBSOCKET_FRAME).set_tls_config(trusting(authorities)?);
    Ok(either(secured!(web), direct))
}

/// The first of two transports that knows an address.
fn either(one: Boxed<Connected>, other: Boxed<Connected>) -> Boxed<Connected> {
    let either = OrTransport::new(one, other).map(|output, _| output.into_inner());
    // Without its wrapping, what lies below can be found again.
    either.map_err(|error| error.into_inner()).boxed()
}

fn trusting(authorities: &[Vec<u8>]) -> Result<websocket::tls::Config, BuildError> {
    let mut config = websocket::tls::Config::builder();
    for authority in authorities {
        config.add_trust(&websocket::tls::Certificate::new(authority.clone()))?;
    }
    Ok(config.finish())
}
