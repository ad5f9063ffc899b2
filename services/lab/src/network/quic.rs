//! QUIC on loopback with the delays of a local network: each connection takes a detour over a [`Relay`].

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport, quic};
use parsec_dht::parts::DIAL_ADDRESS_TIMEOUT;

use super::relay::{Kept, Relay};
use super::roads::{Attachment, Fate};

/// The transport of one peer.
pub(super) struct QuicTransport {
    attachment: Attachment,
    inner: quic::tokio::Transport,
}

/// A connection, and the relay that carries it, if any.
pub(super) struct Carried {
    connection: quic::Connection,
    _relay: Option<Kept>,
}

impl QuicTransport {
    pub(super) fn new(attachment: Attachment, keypair: &Keypair) -> Self {
        let mut config = quic::Config::new(keypair);
        config.handshake_timeout = DIAL_ADDRESS_TIMEOUT;
        Self { attachment, inner: quic::tokio::Transport::new(config) }
    }
}

/// The socket address of `/ip4|ip6/…/udp/…`.
fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::from(ip),
        Protocol::Ip6(ip) => IpAddr::from(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Udp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

impl Transport for QuicTransport {
    type Output = (PeerId, Carried);
    type Error = io::Error;
    type ListenerUpgrade = BoxFuture<'static, io::Result<Self::Output>>;
    type Dial = BoxFuture<'static, io::Result<Self::Output>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address).map_err(|error| error.map(io::Error::other))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let route = self.attachment.route(&address);
        let target = socket_address(&address).ok_or_else(|| TransportError::MultiaddrNotSupported(address.clone()))?;
        if route.fate != Fate::Arrives {
            // QUIC has no refusal that a dialler would hear of: both are played.
            let refused = async { Err(io::ErrorKind::ConnectionRefused.into()) };
            return Ok(route.travel(refused).boxed());
        }
        let relay = if route.link.round_trip().is_zero() {
            None
        } else {
            Some(Relay::to(target, route.link).map_err(TransportError::Other)?)
        };
        let dialled = match &relay {
            Some(relay) => {
                let detour = relay.address().map_err(TransportError::Other)?;
                Multiaddr::from(detour.ip()).with(Protocol::Udp(detour.port())).with(Protocol::QuicV1)
            }
            None => address,
        };
        let dial = self.inner.dial(dialled, options).map_err(|error| error.map(io::Error::other))?;
        let closed = self.attachment.roads.closed();
        let dial = async move {
            let relay = relay.map(|relay| relay.begin(closed));
            let (peer, connection) = dial.await.map_err(io::Error::other)?;
            Ok((peer, Carried { connection, _relay: relay }))
        };
        Ok(dial.boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let event = Pin::new(&mut self.inner).poll(context);
        self.attachment.enter_if_new(&event);
        let direct = |(peer, connection)| (peer, Carried { connection, _relay: None });
        event.map(|event| {
            let event = event.map_upgrade(|upgrade| upgrade.map_ok(direct).map_err(io::Error::other).boxed());
            event.map_err(io::Error::other)
        })
    }
}

impl StreamMuxer for Carried {
    type Substream = quic::Stream;
    type Error = quic::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<quic::Stream, quic::Error>> {
        Pin::new(&mut self.connection).poll_inbound(context)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<quic::Stream, quic::Error>> {
        Pin::new(&mut self.connection).poll_outbound(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), quic::Error>> {
        Pin::new(&mut self.connection).poll_close(context)
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, quic::Error>> {
        Pin::new(&mut self.connection).poll(context)
    }
}
