//! rust-libp2p's own lookups, as they are: the strategy `libp2p`.
//!
//! libp2p-kad reports how many requests a query took and how long, not the result of each request. A [`Tap`] around its
//! behaviour ([`Serving`](crate::swarm::serving::Serving)) notes when it dials, sends, receives and fails. libp2p-kad also
//! reports a publication as done before a single record has been sent, so we send the records ourselves, to the peers
//! that its lookup found.
//!
//! libp2p-kad believes every peer of an answer, dials them all, and keeps their addresses as long as the query lasts. The
//! tap shortens answers as those to our own requests are shortened, and ends a query that has made too many requests.

use std::collections::{HashMap, HashSet};

use libp2p::kad::{self, KadPeer};
use libp2p::swarm::{THandlerInEvent, THandlerOutEvent};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::strategy::{MAX_HEARD, MAX_REQUESTS, Unfinished};
use crate::swarm::records::ProviderStore;
use crate::swarm::rpc::{RpcError, Stopwatch};
use crate::wire::messages::{MAX_PEERS, NamedPeer, usable};

type Kademlia = kad::Behaviour<ProviderStore>;

/// What libp2p-kad tells a connection. Its own name for this type is out of reach.
pub(crate) type Told = THandlerInEvent<Kademlia>;

/// What a connection of libp2p-kad's reports.
pub(crate) type Report = THandlerOutEvent<Kademlia>;

/// The result of a walk.
#[derive(Debug)]
pub(crate) struct Walked {
    /// When it ended.
    pub(crate) at: Instant,
    /// Why it did not end by itself, if so: it was stopped, or ran into libp2p-kad's own limit or into ours.
    pub(crate) unfinished: Option<Unfinished>,
    /// Its requests, in the order in which they began.
    pub(crate) overheard: Vec<Overheard>,
    /// The closest peers that it found, closest first; empty after a search that found a provider.
    pub(crate) closest: Vec<NamedPeer>,
    /// The first providers that were named.
    pub(crate) providers: Vec<PeerId>,
}

/// A request of a walk, as far as it can be seen from outside.
#[derive(Debug)]
pub(crate) struct Overheard {
    pub(crate) peer: PeerId,
    pub(crate) stopwatch: Stopwatch,
    pub(crate) end: Heard,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// With an answer.
    Answered,
    Failed(RpcError),
    /// It was still under way when the walk was over.
    Cancelled,
}

/// A query of libp2p-kad that was requested, and the caller that waits for its end.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) query: kad::QueryId,
    pub(crate) reply: oneshot::Sender<Walked>,
}

/// What a query's latest result means.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// There is nothing more to wait for.
    pub(crate) ended: bool,
    pub(crate) complete: bool,
    pub(crate) closest: Vec<NamedPeer>,
    pub(crate) providers: Vec<PeerId>,
}

impl Progress {
    /// Reads a result; `last` as libp2p-kad says it.
    pub(crate) fn of(result: kad::QueryResult, last: bool) -> Self {
        use kad::{GetClosestPeersError, GetProvidersError, GetProvidersOk, QueryResult};
        let progress = Self { ended: last, complete: true, ..Self::default() };
        let unaddressed = |id: PeerId| NamedPeer { id, addresses: Vec::new() };
        let named = |peer: kad::PeerInfo| NamedPeer { id: peer.peer_id, addresses: peer.addrs };
        match result {
            QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) => {
                // It would go on until 20 peers have answered: the first provider is what is measured.
                Self { ended: last || !providers.is_empty(), providers: providers.into_iter().collect(), ..progress }
            }
            QueryResult::GetProviders(Ok(GetProvidersOk::FinishedWithNoAdditionalRecord { closest_peers })) => {
                Self { closest: closest_peers.into_iter().map(unaddressed).collect(), ..progress }
            }
            QueryResult::GetProviders(Err(GetProvidersError::Timeout { closest_peers, .. })) => {
                Self { complete: false, closest: closest_peers.into_iter().map(unaddressed).collect(), ..progress }
            }
            QueryResult::GetClosestPeers(Ok(found)) => {
                Self { closest: found.peers.into_iter().map(named).collect(), ..progress }
            }
            QueryResult::GetClosestPeers(Err(GetClosestPeersError::Timeout { peers, .. })) => {
                Self { complete: false, closest: peers.into_iter().map(named).collect(), ..progress }
            }
            _ => progress,
        }
    }
}

/// Observes the events of libp2p-kad while a query of ours runs; one query at a time.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    overheard: Vec<Overheard>,
    /// Where they stand among those overheard.
    under_way: HashMap<PeerId, usize>,
    /// Where peers were connected to.
    addresses: HashMap<PeerId, Multiaddr>,
    /// Peers that answers have named.
    named: HashSet<PeerId>,
}

impl Tap {
    fn stopwatch(&mut self, peer: PeerId) -> Stopwatch {
        let overheard = &mut self.overheard;
        let place = *self.under_way.entry(peer).or_insert_with(|| {
            overheard.push(Overheard { peer, stopwatch: Stopwatch::start(), end: Heard::Cancelled });
            overheard.len() - 1
        });
        overheard[place].stopwatch.clone()
    }

    /// The request to a peer that is under way.
    fn under_way(&self, peer: PeerId) -> Option<&Stopwatch> {
        self.under_way.get(&peer).map(|place| &self.overheard[*place].stopwatch)
    }

    /// libp2p-kad dials a peer in order to ask it.
    pub(crate) fn dials(&mut self, peer: PeerId) {
        self.stopwatch(peer).dialled();
    }

    /// It hands a request to an open connection.
    pub(crate) fn sends(&mut self, peer: PeerId) {
        self.stopwatch(peer).connected();
    }

    /// A connection has been made. The request that waited for it is sent on it.
    pub(crate) fn connects(&mut self, peer: PeerId, address: &Multiaddr) {
        self.addresses.insert(peer, address.clone());
        if let Some(stopwatch) = self.under_way(peer) {
            stopwatch.connected();
        }
    }

    /// A peer could not be dialled.
    pub(crate) fn fails_to_connect(&mut self, peer: PeerId, error: RpcError) {
        if let Some(stopwatch) = self.under_way(peer).filter(|_| error.is_untried()) {
            stopwatch.not_dialled();
        }
        self.ends(peer, Heard::Failed(error));
    }

    /// Whether libp2p-kad has made all the requests that an operation may make.
    pub(crate) fn is_spent(&self) -> bool {
        self.overheard.len() >= MAX_REQUESTS
    }

    /// A connection's handler reports an event; only answers to us and failures count. An answer is shortened to what we
    /// would take of it.
    pub(crate) fn hears(&mut self, peer: PeerId, event: &mut Report) -> Option<NamedPeer> {
        match event {
            Report::FindNodeRes { closer_peers, .. } => self.shorten(closer_peers),
            Report::GetProvidersRes { closer_peers, provider_peers, .. } => {
                self.shorten(closer_peers);
                self.shorten(provider_peers);
            }
            Report::QueryError { .. } => {
                self.ends(peer, Heard::Failed(RpcError::Stream("libp2p-kad's request failed".to_owned())));
                return None;
            }
            _ => return None,
        }
        self.ends(peer, Heard::Answered);
        Some(NamedPeer { id: peer, addresses: self.addresses.get(&peer).cloned().into_iter().collect() })
    }

    /// As many peers as our own requests take of an answer, as many as a lookup of ours considers, and as many addresses.
    fn shorten(&mut self, peers: &mut Vec<KadPeer>) {
        peers.truncate(MAX_PEERS);
        peers.retain_mut(|peer| {
            if self.named.len() >= MAX_HEARD && !self.named.contains(&peer.node_id) {
                return false;
            }
            self.named.insert(peer.node_id);
            peer.multiaddrs = usable(std::mem::take(&mut peer.multiaddrs).into_iter());
            true
        });
    }

    fn ends(&mut self, peer: PeerId, end: Heard) {
        if let Some(place) = self.under_way.remove(&peer) {
            let request = &mut self.overheard[place];
            // When the stream was opened and the request written cannot be seen; only its end is known.
            if request.stopwatch.read().connected.is_some() && end != Heard::Cancelled {
                request.stopwatch.opened();
                request.stopwatch.written();
            }
            request.stopwatch.ended();
            request.end = end;
        }
    }

    /// The query is over: requests that are still under way are no longer needed.
    pub(crate) fn into_overheard(mut self) -> Vec<Overheard> {
        let left: Vec<_> = self.under_way.keys().copied().collect();
        for peer in left {
            self.ends(peer, Heard::Cancelled);
        }
        self.overheard
    }
}

/// Whether this is a question that libp2p-kad sends to a peer, rather than an answer or a change of mode.
pub(crate) fn is_question(event: &Told) -> bool {
    matches!(event, Told::FindNodeReq { .. } | Told::GetProvidersReq { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(addresses: usize) -> KadPeer {
        let address = |port: usize| format!("/ip4/10.0.0.1/tcp/{}", port + 1).parse().unwrap();
        let multiaddrs = (0..addresses).map(address).collect();
        KadPeer { node_id: PeerId::random(), multiaddrs, connection_ty: kad::ConnectionType::NotConnected }
    }

    #[test]
    fn of_an_answer_libp2p_kad_gets_what_our_own_requests_take_of_one() {
        let (mut tap, mut peers) = (Tap::default(), (0..10_000).map(|_| peer(100)).collect());
        tap.shorten(&mut peers);
        assert_eq!(peers.len(), MAX_PEERS);
        assert!(peers.iter().all(|peer| peer.multiaddrs.len() == crate::wire::addresses::MAX_PER_PEER));
    }

    #[test]
    fn in_one_query_no_more_peers_are_heard_of_than_a_lookup_considers() {
        let (mut tap, known) = (Tap::default(), peer(1));
        let answer = |peers: usize| std::iter::once(known.clone()).chain((0..peers).map(|_| peer(1))).collect();
        let mut heard = 0;
        for _ in 0..200 {
            let mut peers: Vec<_> = answer(MAX_PEERS - 1);
            tap.shorten(&mut peers);
            heard += peers.len() - 1;
            assert_eq!(peers[0].node_id, known.node_id, "whoever is known already is named still");
        }
        assert_eq!(heard, MAX_HEARD - 1);
        assert_eq!(tap.named.len(), MAX_HEARD);
    }
}
