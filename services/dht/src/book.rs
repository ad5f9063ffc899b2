//! Where peers can be dialled, as it was heard of.

use std::collections::HashMap;

use libp2p::{Multiaddr, PeerId};

use crate::reach::Reach;
use crate::wire::NamedPeer;

/// Addresses by peer, as far as they may be dialled. The first to name a peer with such addresses is believed; beyond its
/// bound nobody new is noted.
#[derive(Debug)]
pub(crate) struct AddressBook {
    addresses: HashMap<PeerId, Vec<Multiaddr>>,
    max_peers: usize,
    reach: Reach,
}

impl AddressBook {
    /// An empty book for so many peers.
    pub(crate) fn new(max_peers: usize, reach: Reach) -> Self {
        Self { addresses: HashMap::new(), max_peers, reach }
    }

    /// Notes where a peer can be dialled, and says whether it should be: on a public network, as in Go, nobody is asked of
    /// whom no public address is known. Elsewhere the attempt tells.
    pub(crate) fn note(&mut self, NamedPeer { id, mut addresses }: NamedPeer) -> bool {
        addresses.retain(|address| self.reach.permits(address));
        if self.addresses.len() < self.max_peers || self.addresses.contains_key(&id) {
            let known = self.addresses.entry(id).or_default();
            if known.is_empty() {
                *known = addresses;
            }
        }
        !self.reach.is_public() || self.addresses.get(&id).is_some_and(|known| !known.is_empty())
    }

    /// The peer with what is known of it.
    pub(crate) fn named(&self, id: PeerId) -> NamedPeer {
        NamedPeer { id, addresses: self.addresses.get(&id).cloned().unwrap_or_default() }
    }

    /// Takes a peer out, with what is known of it.
    pub(crate) fn remove(&mut self, id: &PeerId) -> Vec<Multiaddr> {
        self.addresses.remove(id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::PrivatePeers;

    fn peer(id: PeerId, addresses: &[&str]) -> NamedPeer {
        NamedPeer { id, addresses: addresses.iter().map(|address| address.parse().unwrap()).collect() }
    }

    #[test]
    fn the_first_addresses_of_a_peer_stay() {
        let (mut book, id) = (AddressBook::new(2, Reach::anywhere()), PeerId::random());
        for addresses in [&[][..], &["/ip4/10.0.0.1/tcp/1"], &["/ip4/10.0.0.2/tcp/2"]] {
            assert!(book.note(peer(id, addresses)));
        }
        assert_eq!(book.named(id), peer(id, &["/ip4/10.0.0.1/tcp/1"]));
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
        assert!(!book.note(peer(id, &["/ip4/10.0.0.1/tcp/1", "/ip6/::1/tcp/1"])));
        assert_eq!(book.named(id).addresses, vec![]);
        assert!(book.note(peer(id, &["/ip4/127.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/1"])));
        assert_eq!(book.named(id), peer(id, &["/ip4/1.2.3.4/tcp/1"]));
        assert!(book.note(peer(id, &["/ip4/10.0.0.1/tcp/1"])), "somebody else has named a better one");
    }
}
