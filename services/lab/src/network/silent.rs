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
    streams: Vec<Held>,
}

/// A stream on which no answer ever comes.
struct Held {
    stream: Stream,
    /// Whether the other side has said all that it will say.
    heard_out: bool,
}

impl Held {
    /// Reads what there is; false if the stream has failed. Its end is none: libp2p-kad closes its half as soon as it has
    /// asked, and whoever let go of the other half then would have told it at once that no answer comes.
    fn listen(&mut self, context: &mut Context<'_>) -> bool {
        let mut ignored = [0; 1_024];
        while !self.heard_out {
            match Pin::new(&mut self.stream).poll_read(context, &mut ignored) {
                Poll::Ready(Ok(0)) => {
                    self.heard_out = true;
                    // Nobody may ever hear of it again: it must not hold the connection for good.
                    self.stream.ignore_for_keep_alive();
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return false,
                Poll::Pending => break,
            }
        }
        true
    }
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

    /// Reads what comes, so that a stream that has failed is let go.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<DeniedUpgrade, (), Infallible>> {
        self.streams.retain_mut(|held| held.listen(context));
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, DeniedUpgrade, (), ()>) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) = event {
            if self.streams.len() == MAX_STREAMS {
                self.streams.remove(0);
            }
            self.streams.push(Held { stream, heard_out: false });
        }
    }
}
