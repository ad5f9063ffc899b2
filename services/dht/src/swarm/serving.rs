//! libp2p-kad as a server that dials only for lookups that it is told to make.
//!
//! While its table has fewer than 20 peers, libp2p-kad starts a bootstrap of its own half a second after each new one,
//! and no option turns that off: a dozen dials for every bucket, which compete with the measurement. Here it only
//! answers other peers and keeps the routing table; our own requests go through [`rpc`](crate::swarm::rpc). The
//! exception is the strategy `libp2p`, which measures libp2p-kad's own lookups: while one of them runs, a [`Tap`] is in
//! place and dials are allowed.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::kad::{self, BucketInserts, Mode};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use crate::swarm::dial::Failure;
use crate::swarm::doors::{Origin, origin};
use crate::swarm::records::{Guest, ProviderStore};
use crate::swarm::tap::{Report, Tap, is_question};
use crate::wire::addresses;
use crate::wire::messages::NamedPeer;
use crate::wire::reach::Reach;

/// How long a peer whose bucket is full waits for the place of one that we are not connected to. For ever, as in Go: those
/// who are in the table answered when they were asked last, and go when they do not. libp2p-kad would dial them first; we
/// do not let it.
const WAITING_FOR_PLACE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long a provider record is held (Go: `ProvideValidity`).
const RECORD_TTL: Duration = Duration::from_secs(48 * 3600);

type Kademlia = kad::Behaviour<ProviderStore>;

/// Kademlia as a measuring node needs it: serving, and never asking on its own. `max_message` is the longest message
/// that it reads, requests and answers alike.
pub(crate) fn kad(
    local: PeerId,
    protocols: &[StreamProtocol],
    mode: Mode,
    reach: Reach,
    max_message: usize,
) -> Serving {
    let mut config = kad::Config::new(protocols[0].clone());
    config
        .set_periodic_bootstrap_interval(None)
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None)
        .set_provider_record_ttl(Some(RECORD_TTL))
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_kbucket_pending_timeout(WAITING_FOR_PLACE)
        .set_max_packet_size(max_message);
    let mut kad = kad::Behaviour::with_config(local, ProviderStore::new(local, reach.clone()), config);
    kad.set_mode(Some(mode));
    Serving::new(kad, reach)
}

/// See the module's documentation.
pub struct Serving {
    pub(crate) kad: Kademlia,
    /// Present while a lookup of libp2p-kad's own is measured.
    pub(crate) tap: Option<Tap>,
    /// That lookup.
    pub(crate) query: Option<kad::QueryId>,
    /// Peers that answered such a lookup.
    pub(crate) answered: Vec<NamedPeer>,
    /// What libp2p-kad wants besides.
    held: VecDeque<ToSwarm<kad::Event, THandlerInEvent<Kademlia>>>,
    /// Where each connection comes from, on a public network.
    origins: HashMap<ConnectionId, Origin>,
    reach: Reach,
}

impl Serving {
    pub(crate) fn new(kad: Kademlia, reach: Reach) -> Self {
        let (answered, held, origins) = (Vec::new(), VecDeque::new(), HashMap::new());
        Self { kad, tap: None, query: None, answered, held, origins, reach }
    }

    /// Has done with the bootstrap that libp2p-kad has in mind. It comes half a second on the real clock after the table's last
    /// newcomer, and its requests would be taken for those of the lookup that is measured.
    pub(crate) fn forestall_bootstrap(&mut self) {
        // Once begun, it is not due any more. `Err`: the table is empty, and there is nothing to begin with.
        let _ = self.kad.bootstrap();
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.kad.iter_queries_mut().for_each(|mut query| query.finish());
            match self.kad.poll(&mut context) {
                Poll::Ready(ToSwarm::Dial { .. }) => {}
                Poll::Ready(ToSwarm::NotifyHandler { event, .. }) if is_question(&event) => {}
                Poll::Ready(ToSwarm::GenerateEvent(kad::Event::OutboundQueryProgressed { .. })) => {}
                Poll::Ready(event) => self.held.push_back(event),
                Poll::Pending => return,
            }
        }
    }

    /// Adds a peer to the table.
    pub fn introduce(&mut self, peer: &PeerId, address: Multiaddr) {
        self.kad.add_address(peer, address);
    }

    /// Removes a peer from the table.
    pub fn forget(&mut self, peer: &PeerId) {
        self.kad.remove_peer(peer);
    }

    /// Ends the bootstrap that libp2p-kad starts by itself while its table has fewer than 20 peers.
    pub fn settle(&mut self) {
        self.kad.iter_queries_mut().for_each(|mut query| query.finish());
    }

    /// Lets the tap hear what a connection's handler reports. Whoever answered on a connection that it opened itself can be
    /// dialled where others say that it is; libp2p-kad knows until the query ends.
    fn overhear(&mut self, peer: PeerId, connection: ConnectionId, event: &mut Report) {
        let Some(mut answered) = self.tap.as_mut().and_then(|tap| tap.hears(peer, event)) else { return };
        if answered.addresses.is_empty() {
            let known = self.kad.handle_pending_outbound_connection(connection, Some(peer), &[], Endpoint::Dialer);
            let dialable = |address: &Multiaddr| addresses::is_dialable(address) && self.reach.permits(address);
            let known = known.unwrap_or_default().into_iter().filter(dialable);
            answered.addresses = known.take(addresses::MAX_PER_PEER).collect();
        }
        self.answered.push(answered);
    }
}

impl NetworkBehaviour for Serving {
    type ConnectionHandler = <Kademlia as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = kad::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.kad.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kad.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        // What libp2p-kad heard in lookups of its own among them, as it was said.
        let mut known = self.kad.handle_pending_outbound_connection(connection, peer, addresses, role)?;
        known.retain(|address| self.reach.permits(address));
        Ok(known)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if let Some(tap) = &mut self.tap {
            tap.connects(peer, address);
        }
        self.kad.handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, endpoint, .. })
                if self.reach.is_public() =>
            {
                if let Some(origin) = origin(endpoint.get_remote_address()) {
                    self.origins.insert(*connection_id, origin);
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.origins.remove(connection_id);
            }
            _ => {}
        }
        if let (Some(tap), FromSwarm::DialFailure(DialFailure { peer_id: Some(peer), error, .. })) =
            (&mut self.tap, &event)
            // Another dial or connection is under way: its result is what counts.
            && !matches!(error, DialError::DialPeerConditionFalse(_))
        {
            tap.fails_to_connect(*peer, Failure::of_dial(error).into());
        }
        self.kad.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        mut event: THandlerOutEvent<Self>,
    ) {
        self.overhear(peer, connection, &mut event);
        let origin = self.origins.get(&connection).copied();
        self.kad.store_mut().serve(Some(Guest { peer, origin }));
        self.kad.on_connection_handler_event(peer, connection, event);
        self.kad.store_mut().serve(None);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(event) = self.held.pop_front() {
            return Poll::Ready(event);
        }
        loop {
            if let Some(ours) = self.query {
                // A bootstrap of its own would be mistaken for the lookup that is measured. That one ends when it has made all
                // the requests that it may.
                let is_spent = self.tap.as_ref().is_some_and(Tap::is_spent);
                let ended = self.kad.iter_queries_mut().filter(|query| is_spent || query.id() != ours);
                ended.for_each(|mut query| query.finish());
            }
            let event = ready!(self.kad.poll(context));
            match (&event, &mut self.tap) {
                // Nothing waits for this dial: the query that wants it is ended as soon as it is seen.
                (ToSwarm::Dial { .. }, None) => continue,
                (ToSwarm::Dial { .. }, Some(tap)) if tap.is_spent() => continue,
                (ToSwarm::Dial { opts }, Some(tap)) => {
                    if let Some(peer) = opts.get_peer_id() {
                        tap.dials(peer);
                    }
                }
                (ToSwarm::NotifyHandler { peer_id, event, .. }, Some(tap)) if is_question(event) => {
                    tap.sends(*peer_id);
                }
                _ => {}
            }
            return Poll::Ready(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::ConnectedPoint;
    use libp2p::kad::store::RecordStore as _;
    use libp2p::kad::{ConnectionType, KadPeer, RecordKey};

    use super::*;

    #[test]
    fn on_a_public_network_an_address_cannot_push_out_the_records_of_others() {
        let reach = Reach::of(crate::PrivatePeers::Ignore, &[], std::net::Ipv4Addr::UNSPECIFIED.into());
        let mut serving = kad(PeerId::random(), &[StreamProtocol::new("/test")], Mode::Server, reach, 1 << 16);
        let announce = |serving: &mut Serving, host: usize, keys: std::ops::Range<u32>| {
            // A peer id of its own for each key: they cost nothing.
            for key in keys {
                let (peer, connection) = (PeerId::random(), ConnectionId::new_unchecked(host));
                let send_back_addr = format!("/ip4/1.2.3.{host}/tcp/1").parse().unwrap();
                let endpoint =
                    ConnectedPoint::Listener { local_addr: "/ip4/1.2.3.4/tcp/1".parse().unwrap(), send_back_addr };
                serving.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                    peer_id: peer,
                    connection_id: connection,
                    endpoint: &endpoint,
                    failed_addresses: &[],
                    other_established: 0,
                }));
                let provider = KadPeer { node_id: peer, multiaddrs: vec![], connection_ty: ConnectionType::Connected };
                let key = RecordKey::new(&key.to_be_bytes());
                serving.on_connection_handler_event(peer, connection, Report::AddProvider { key, provider });
            }
        };
        for host in 0..10 {
            announce(&mut serving, 100 + host as usize, host * 100..(host + 1) * 100);
        }
        announce(&mut serving, 8, 1_000..100_000);
        let held = |key: u32| serving.kad.store_mut().providers(&RecordKey::new(&key.to_be_bytes())).len();
        // One address in 1,024 falls into the same place by chance, and shares what that one may have.
        let held = (0..1_000).map(held).sum::<usize>();
        assert!(held >= 500, "{held} of 1,000 are left");
    }

    #[test]
    fn whoever_answers_on_a_connection_of_its_own_is_remembered_where_others_say_that_it_is() {
        let protocol = [StreamProtocol::new("/test")];
        let mut serving = kad(PeerId::random(), &protocol, Mode::Server, Reach::anywhere(), 1 << 16);
        let (peer, connection) = (PeerId::random(), ConnectionId::new_unchecked(1));
        let address: Multiaddr = "/ip4/10.0.0.1/tcp/4001".parse().unwrap();
        serving.kad.add_address(&peer, address.clone());
        let mut tap = Tap::default();
        tap.sends(peer);
        serving.tap = Some(tap);
        let query_id = serving.kad.get_providers(libp2p::kad::RecordKey::new(b"any"));
        let mut answer = Report::GetProvidersRes { closer_peers: vec![], provider_peers: vec![], query_id };
        serving.overhear(peer, connection, &mut answer);
        let with_p2p = address.clone().with_p2p(peer).unwrap();
        let [answered] = &serving.answered[..] else { panic!("{:?}", serving.answered) };
        assert_eq!(answered.id, peer);
        assert!([vec![address], vec![with_p2p]].contains(&answered.addresses), "{answered:?}");
    }
}
