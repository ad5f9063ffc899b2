//! rust-libp2p's own lookups, as they are: the strategy `libp2p`.
//!
//! libp2p-kad reports how many requests a query took and how long, not the result of each request. A [`Tap`] around its
//! behaviour ([`Serving`](crate::swarm::serving::Serving)) notes when it dials, sends, receives and fails. Who named
//! whom, and how many peers an answer named, cannot be seen from outside. libp2p-kad also reports a publication as done
//! before a single record has been sent, so we send the records ourselves, to the peers that its lookup found.

use std::collections::HashMap;
use std::fmt::{self, Write};

use libp2p::{Multiaddr, PeerId, kad};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::swarm::rpc::{RpcError, Stopwatch};
use crate::wire::messages::NamedPeer;

/// The result of a walk.
#[derive(Debug)]
pub(crate) struct Walked {
    /// When it ended.
    pub(crate) at: Instant,
    /// Whether it ended by itself, and not because it was stopped or ran into libp2p-kad's own limit.
    pub(crate) complete: bool,
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
    /// With an answer, whose content cannot be seen.
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

    /// A connection's handler reports an event; only answers to us and failures count.
    pub(crate) fn hears(&mut self, peer: PeerId, event: &impl fmt::Debug) -> Option<NamedPeer> {
        match variant(event).as_str() {
            "FindNodeRes" | "GetProvidersRes" => {
                self.ends(peer, Heard::Answered);
                Some(NamedPeer { id: peer, addresses: self.addresses.get(&peer).cloned().into_iter().collect() })
            }
            "QueryError" => {
                self.ends(peer, Heard::Failed(RpcError::Stream("libp2p-kad's request failed".to_owned())));
                None
            }
            _ => None,
        }
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
pub(crate) fn is_question(event: &impl fmt::Debug) -> bool {
    matches!(variant(event).as_str(), "FindNodeReq" | "GetProvidersReq")
}

/// The name of an enum's variant. libp2p-kad's own type for these events is out of reach; its `Debug` is not.
fn variant(event: &impl fmt::Debug) -> String {
    struct Name(String);
    impl Write for Name {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let name = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            self.0.push_str(name);
            // The name is complete: an error ends the formatting of an answer that may be long.
            if name.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut name = Name(String::new());
    let _ = write!(name, "{event:?}");
    name.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "read through Debug")]
    enum Event {
        Bare,
        Tuple(u8),
        Struct { field: Vec<u8> },
    }

    #[test]
    fn the_name_of_a_variant_is_read_off_its_debug_form() {
        assert_eq!(variant(&Event::Bare), "Bare");
        assert_eq!(variant(&Event::Tuple(7)), "Tuple");
        assert_eq!(variant(&Event::Struct { field: vec![0; 1_000] }), "Struct");
    }
}
