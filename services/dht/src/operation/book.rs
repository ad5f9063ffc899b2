//! The address book: where peers can be dialled, according to other peers.

use std::collections::HashMap;

use libp2p::{Multiaddr, PeerId};

use crate::wire::addresses::{MAX_PER_PEER, is_dialable};
use crate::wire::messages::NamedPeer;
use crate::wire::reach::Reach;

/// Addresses that may be dialled, by peer: the newest that were named, by anybody, up to the limit for one peer
/// ([`MAX_PER_PEER`]). When the book is full, no new peers are added.
///
/// Peers disagree about the addresses of others, and the first answer may be wrong, so all addresses are kept and tried
/// (Go adds all of them to its peerstore: `query.go`). A peer that names many addresses for another can push out at
/// most half of those that were named before.
#[derive(Debug)]
pub(crate) struct AddressBook {
    addresses: HashMap<PeerId, Vec<Multiaddr>>,
    max_peers: usize,
    reach: Reach,
}

/// What was learnt when a peer was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Whether the peer should be asked. On a public network, as in Go, a peer without a known public address is not
    /// asked. Elsewhere it is simply tried.
    pub(crate) worth_asking: bool,
    /// Whether it was named at a new address.
    pub(crate) news: bool,
}

impl AddressBook {
    /// An empty book with room for this many peers.
    pub(crate) fn new(max_peers: usize, reach: Reach) -> Self {
        Self { addresses: HashMap::new(), max_peers, reach }
    }

    /// Notes where a peer is said to be.
    pub(crate) fn note(&mut self, NamedPeer { id, mut addresses }: NamedPeer) -> Noted {
        addresses.retain(|address| self.reach.permits(address));
        let mut news = false;
        if self.addresses.len() < self.max_peers || self.addresses.contains_key(&id) {
            let known = self.addresses.entry(id).or_default();
            news = addresses.iter().any(|address| !known.contains(address) && is_dialable(address));
            known.retain(|address| !addresses.contains(address));
            addresses.truncate(MAX_PER_PEER.saturating_sub(known.len()).max(MAX_PER_PEER / 2));
            // The newest addresses first; those that cannot be dialled come after those that can.
            addresses.append(known);
            addresses.sort_by_key(|address| !is_dialable(address));
            addresses.truncate(MAX_PER_PEER);
            *known = addresses;
        }
        let worth_asking = !self.reach.is_public() || self.addresses.get(&id).is_some_and(|known| !known.is_empty());
        Noted { worth_asking, news }
    }

    /// The peer with its known addresses.
    pub(crate) fn named(&self, id: PeerId) -> NamedPeer {
        NamedPeer { id, addresses: self.addresses.get(&id).cloned().unwrap_or_default() }
    }

    /// Removes a peer and returns it with its known addresses.
    pub(crate) fn remove(&mut self, id: &PeerId) -> Vec<Multiaddr> {
        self.addresses.remove(id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reach::PrivatePeers;

    fn peer(id: PeerId, addresses: &[&str]) -> NamedPeer {
        NamedPeer { id, addresses: addresses.iter().map(|address| address.parse().unwrap()).collect() }
    }

    #[test]
    fn what_several_say_of_a_peer_is_kept_the_newest_first_and_what_can_be_dialled_before_what_cannot() {
        let (mut book, id) = (AddressBook::new(2, Reach::anywhere()), PeerId::random());
        let (one, other, circuit) = ("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/2", "/ip4/10.0.0.3/tcp/1/p2p-circuit");
        let mut news = |addresses: &[&str]| book.note(peer(id, addresses)).news;
        assert!(!news(&[]) && news(&[one]) && !news(&[circuit]) && news(&[other, one]) && !news(&[one]));
        assert_eq!(book.named(id), peer(id, &[one, other, circuit]));
    }

    #[test]
    fn nobody_pushes_out_more_than_half_of_what_others_have_named() {
        let (mut book, id) = (AddressBook::new(1, Reach::anywhere()), PeerId::random());
        let named =
            |host: usize| (1..100).map(move |port| format!("/ip4/10.0.0.{host}/tcp/{port}")).collect::<Vec<_>>();
        for host in [1, 2] {
            let addresses = named(host);
            book.note(peer(id, &addresses.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        let (first, second) = (named(1), named(2));
        let expected: Vec<&str> = second[..8].iter().chain(&first[..8]).map(String::as_str).collect();
        assert_eq!(book.named(id), peer(id, &expected));
    }

    #[test]
    fn a_full_book_takes_nobody_new_and_still_learns_of_those_in_it() {
        let (mut book, one, other) = (AddressBook::new(1, Reach::anywhere()), PeerId::random(), PeerId::random());
        let addresses = &["/ip4/10.0.0.1/tcp/1"];
        book.note(peer(one, &[]));
        book.note(peer(other, addresses));
        book.note(peer(one, addresses));
        assert_eq!((book.named(one), book.named(other)), (peer(one, addresses), peer(other, &[])));
        assert_eq!(book.remove(&one), peer(one, addresses).addresses);
    }

    #[test]
    fn on_a_public_network_private_addresses_are_not_noted_and_whoever_has_no_others_is_not_asked() {
        let reach = Reach::of(PrivatePeers::Ignore, &[], std::net::Ipv4Addr::UNSPECIFIED.into());
        let (mut book, id) = (AddressBook::new(2, reach), PeerId::random());
        assert!(!book.note(peer(id, &["/ip4/10.0.0.1/tcp/1", "/ip6/::1/tcp/1"])).worth_asking);
        assert_eq!(book.named(id).addresses, vec![]);
        assert!(book.note(peer(id, &["/ip4/127.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/1"])).worth_asking);
        assert_eq!(book.named(id), peer(id, &["/ip4/1.2.3.4/tcp/1"]));
        assert!(book.note(peer(id, &["/ip4/10.0.0.1/tcp/1"])).worth_asking, "somebody else has named a better one");
    }
}
