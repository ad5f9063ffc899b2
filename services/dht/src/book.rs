//! Where peers can be dialled, as it was heard of.

use std::collections::HashMap;

use libp2p::{Multiaddr, PeerId};

use crate::wire::NamedPeer;

/// Addresses by peer. The first to name a peer with addresses is believed; beyond its bound nobody new is noted.
#[derive(Debug)]
pub(crate) struct AddressBook {
    addresses: HashMap<PeerId, Vec<Multiaddr>>,
    max_peers: usize,
}

impl AddressBook {
    /// An empty book for so many peers.
    pub(crate) fn new(max_peers: usize) -> Self {
        Self { addresses: HashMap::new(), max_peers }
    }

    /// Notes where a peer can be dialled, and returns its name.
    pub(crate) fn note(&mut self, NamedPeer { id, addresses }: NamedPeer) -> PeerId {
        if self.addresses.len() < self.max_peers || self.addresses.contains_key(&id) {
            let known = self.addresses.entry(id).or_default();
            if known.is_empty() {
                *known = addresses;
            }
        }
        id
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

    fn peer(id: PeerId, addresses: &[&str]) -> NamedPeer {
        NamedPeer { id, addresses: addresses.iter().map(|address| address.parse().unwrap()).collect() }
    }

    #[test]
    fn the_first_addresses_of_a_peer_stay() {
        let (mut book, id) = (AddressBook::new(2), PeerId::random());
        for addresses in [&[][..], &["/ip4/10.0.0.1/tcp/1"], &["/ip4/10.0.0.2/tcp/2"]] {
            assert_eq!(book.note(peer(id, addresses)), id);
        }
        assert_eq!(book.named(id), peer(id, &["/ip4/10.0.0.1/tcp/1"]));
    }

    #[test]
    fn a_full_book_takes_nobody_new_and_still_learns_of_those_in_it() {
        let (mut book, one, other) = (AddressBook::new(1), PeerId::random(), PeerId::random());
        let addresses = &["/ip4/10.0.0.1/tcp/1"];
        book.note(peer(one, &[]));
        book.note(peer(other, addresses));
        book.note(peer(one, addresses));
        assert_eq!((book.named(one), book.named(other)), (peer(one, addresses), peer(other, &[])));
        assert_eq!(book.remove(&one), peer(one, addresses).addresses);
    }
}
