//! Opens a stream to a chosen peer, dialling it if need be.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::DeniedUpgrade;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, DialError, FromSwarm, NetworkBehaviour,
    NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::offer::Offer;
use super::pool::StreamPool;
use super::{OPEN_TIMEOUT, RpcError, Stopwatch};
use crate::swarm::dial::{Experience, Failure};
use crate::wire::reach::Reach;

/// How many requests may wait to be taken up by the swarm's task. A walk has at most a few dozen under way.
const QUEUE: usize = 1_024;

/// A request for a stream.
#[derive(Debug)]
pub(crate) struct Open {
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    /// Whether the existing connection has just turned out to be closing.
    anew: bool,
    wish: Wish,
}

/// What is passed along until the stream is open. If the receiver is gone, the stream is no longer needed.
#[derive(Debug)]
pub(crate) struct Wish {
    stopwatch: Stopwatch,
    reply: oneshot::Sender<Result<Stream, RpcError>>,
}

/// How other code requests streams.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    queue: mpsc::Sender<Open>,
}

impl Opener {
    /// Whether the swarm has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Opens a new stream, on an existing connection or over a new one to these addresses; with `anew`, always over a
    /// new one.
    pub(super) async fn open(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        anew: bool,
        stopwatch: Stopwatch,
    ) -> Result<Stream, RpcError> {
        let (reply, opened) = oneshot::channel();
        let open = Open { peer, addresses, anew, wish: Wish { stopwatch, reply } };
        self.queue.send(open).await.map_err(|_| RpcError::Stopping)?;
        // The handler drops the request when its connection dies before the stream is open.
        opened.await.unwrap_or_else(|_| Err(RpcError::Unopened("the connection closed".to_owned())))
    }
}

/// The behaviour: which peers are connected, and which requests wait for a dial.
#[derive(Debug)]
pub(crate) struct Behaviour {
    offer: Offer,
    queue: mpsc::Receiver<Open>,
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    dialling: HashMap<PeerId, Vec<Wish>>,
    experience: Experience,
    reach: Reach,
    events: VecDeque<ToSwarm<Infallible, Wish>>,
    pool: Arc<StreamPool>,
}

impl Behaviour {
    pub(super) fn new(
        protocols: Vec<StreamProtocol>,
        reach: Reach,
        experience: Experience,
        pool: Arc<StreamPool>,
    ) -> (Self, Opener) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let behaviour = Self {
            offer: Offer::of(protocols),
            queue,
            connections: HashMap::new(),
            dialling: HashMap::new(),
            experience,
            reach,
            events: VecDeque::new(),
            pool,
        };
        (behaviour, Opener { queue: sender })
    }

    /// The peers that are being dialled.
    pub(crate) fn dialling(&self) -> Vec<PeerId> {
        self.dialling.keys().copied().collect()
    }

    /// The connections to a peer are being closed: further requests need a new one. Until the last event of a
    /// connection has arrived, the connection seems to be open.
    pub(crate) fn lets_go(&mut self, peer: &PeerId) {
        self.connections.remove(peer);
        self.pool.forget(peer);
    }

    /// Every peer may be dialled again.
    pub(crate) fn forget_failures(&mut self) {
        self.experience.forget();
    }

    fn take_up(&mut self, Open { peer, addresses, anew, wish }: Open) {
        if wish.reply.is_closed() {
            return;
        }
        if anew {
            self.lets_go(&peer);
        }
        if let Some(connection) = self.connections.get(&peer).and_then(|connections| connections.first()) {
            wish.stopwatch.connected();
            return self.hand_over(peer, *connection, wish);
        }
        if let Some(waiting) = self.dialling.get_mut(&peer) {
            wish.stopwatch.joined();
            return waiting.push(wish);
        }
        wish.stopwatch.dialled();
        // Written in the same form as libp2p-kad uses, so that the same address is not dialled twice.
        let permitted = addresses.into_iter().filter(|address| self.reach.permits(address));
        let addresses = permitted.filter_map(|address| address.with_p2p(peer).ok()).collect();
        self.dialling.insert(peer, vec![wish]);
        let options = DialOpts::peer_id(peer)
            // Not `Disconnected`: a connection that we do not know of is one that is closing.
            .condition(PeerCondition::NotDialing)
            .addresses(addresses)
            .extend_addresses_through_behaviour()
            .build();
        self.events.push_back(ToSwarm::Dial { opts: options });
    }

    fn hand_over(&mut self, peer: PeerId, connection: ConnectionId, wish: Wish) {
        let handler = NotifyHandler::One(connection);
        self.events.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: wish });
    }

    fn on_connected(&mut self, peer: PeerId, connection: ConnectionId) {
        self.connections.entry(peer).or_default().push(connection);
        for wish in self.dialling.remove(&peer).into_iter().flatten() {
            wish.stopwatch.connected();
            self.hand_over(peer, connection, wish);
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        if let Some(connections) = self.connections.get_mut(&peer) {
            connections.retain(|open| *open != connection);
            if connections.is_empty() {
                self.connections.remove(&peer);
                self.pool.forget(&peer);
            }
        }
    }

    fn on_dial_failure(&mut self, peer: PeerId, error: &DialError) {
        // Another dial or connection is under way: wait for its result.
        if matches!(error, DialError::DialPeerConditionFalse(_)) {
            return;
        }
        let failure = Failure::of_dial(error);
        if matches!(failure, Failure::Key(_)) {
            // A build without a feature, or a key of an outdated type: without a log line, half of the network would
            // seem dead.
            warn!(%peer, %failure, "cannot talk to a peer");
        }
        let error = RpcError::from(failure);
        for wish in self.dialling.remove(&peer).into_iter().flatten() {
            if error.is_untried() {
                wish.stopwatch.not_dialled();
            }
            let _ = wish.reply.send(Err(error.clone()));
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.offer.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.offer.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, .. }) => {
                self.on_connected(peer_id, connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.on_closed(peer_id, connection_id);
            }
            FromSwarm::DialFailure(DialFailure { peer_id: Some(peer), error, .. }) => {
                self.on_dial_failure(peer, error);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            match self.queue.poll_recv(context) {
                Poll::Ready(Some(open)) => self.take_up(open),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Negotiates the streams of one connection.
#[derive(Debug)]
pub(crate) struct Handler {
    offer: Offer,
    wishes: VecDeque<Wish>,
}

impl Handler {
    fn new(offer: Offer) -> Self {
        Self { offer, wishes: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Wish;
    type ToBehaviour = Infallible;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Wish;

    fn listen_protocol(&self) -> SubstreamProtocol<DeniedUpgrade> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn on_behaviour_event(&mut self, wish: Wish) {
        self.wishes.push_back(wish);
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Wish, Infallible>> {
        while let Some(wish) = self.wishes.pop_front() {
            if wish.reply.is_closed() {
                continue;
            }
            let protocol = SubstreamProtocol::new(self.offer.clone(), wish).with_timeout(OPEN_TIMEOUT);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, DeniedUpgrade, Self::OutboundProtocol, (), Wish>) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, agreed),
                info: wish,
            }) => {
                wish.stopwatch.opened();
                self.offer.settle(&agreed);
                let _ = wish.reply.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: wish, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => RpcError::Timeout(OPEN_TIMEOUT),
                    StreamUpgradeError::NegotiationFailed => RpcError::Unsupported,
                    StreamUpgradeError::Io(error) => RpcError::Unopened(error.to_string()),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = wish.reply.send(Err(error));
            }
            _ => {}
        }
    }
}
