//! A peer that accepts connections and streams of the Kademlia protocol, and never answers a request.
//!
//! In early 2023 six out of ten servers of the public DHT were like that.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::AsyncRead;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour, Stream,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

/// How many streams of one connection are held, as many as libp2p-kad serves. One more closes the oldest.
const MAX_STREAMS: usize = 32;

/// See the module's documentation.
pub(super) struct Silent {
    protocol: StreamProtocol,
}

impl Silent {
    pub(super) fn new(protocol: StreamProtocol) -> Self {
        Self { protocol }
    }

    fn handler(&self) -> Handler {
        Handler { protocol: self.protocol.clone(), streams: Vec::new() }
    }
}

impl NetworkBehaviour for Silent {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// Holds the streams of one connection.
pub(super) struct Handler {
    protocol: StreamProtocol,
    streams: Vec<Stream>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    /// Reads what comes, so that a stream which the other side has given up is let go.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<DeniedUpgrade, (), Infallible>> {
        self.streams.retain_mut(|stream| {
            let mut ignored = [0; 1_024];
            loop {
                match Pin::new(&mut *stream).poll_read(context, &mut ignored) {
                    Poll::Ready(Ok(0) | Err(_)) => return false,
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => return true,
                }
            }
        });
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, DeniedUpgrade, (), ()>) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) = event {
            if self.streams.len() == MAX_STREAMS {
                self.streams.remove(0);
            }
            self.streams.push(stream);
        }
    }
}
