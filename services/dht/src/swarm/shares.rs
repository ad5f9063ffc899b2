//! How much of a store each address has taken, so that a single machine cannot take all of it.
//!
//! Peer ids cost nothing, addresses do ([`doors`](crate::swarm::doors)). Addresses that fall into the same of the
//! [`PLACES`] share what one may have: that keeps the count small whoever comes, and nobody can choose whom to share with,
//! because where an address falls is different in each process.

use std::hash::{BuildHasher as _, RandomState};

use crate::swarm::doors::{Origin, SHARE};

/// Into how many places addresses are sorted: among so many, few share one with somebody who takes much.
const PLACES: usize = 1_024;

/// Where an address falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u16);

/// How many records there are of a place, and how many bytes they take.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    records: usize,
    bytes: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Shares {
    /// All that there is to take.
    all: Taken,
    taken: Vec<Taken>,
    hasher: RandomState,
}

impl Shares {
    /// Of so many records, in so many bytes.
    pub(crate) fn of(records: usize, bytes: usize) -> Self {
        let all = Taken { records, bytes };
        Self { all, taken: vec![Taken::default(); PLACES], hasher: RandomState::new() }
    }

    /// Where this address falls.
    pub(crate) fn place(&self, origin: &Origin) -> Place {
        let place = self.hasher.hash_one(origin) % PLACES as u64;
        Place(u16::try_from(place).expect("there are fewer places"))
    }

    /// A record of these bytes comes.
    pub(crate) fn comes(&mut self, place: Place, bytes: usize) {
        let taken = &mut self.taken[usize::from(place.0)];
        taken.records += 1;
        taken.bytes += bytes;
    }

    /// A record of these bytes, which has come, goes.
    pub(crate) fn goes(&mut self, place: Place, bytes: usize) {
        let taken = &mut self.taken[usize::from(place.0)];
        taken.records -= 1;
        taken.bytes -= bytes;
    }

    /// Whether this place has its share of all.
    pub(crate) fn is_spent(&self, place: Place) -> bool {
        let (taken, share) = (self.taken[usize::from(place.0)], SHARE as usize);
        taken.records >= self.all.records / share || taken.bytes >= self.all.bytes / share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_an_eighth_of_the_records_or_of_the_bytes() {
        let mut shares = Shares::of(80, 8_000);
        let place = shares.place(&std::net::Ipv4Addr::LOCALHOST.into());
        (0..10).for_each(|_| shares.comes(place, 1));
        assert!(shares.is_spent(place));
        shares.goes(place, 1);
        assert!(!shares.is_spent(place));
        shares.comes(place, 992);
        shares.goes(place, 1);
        assert!(shares.is_spent(place), "nine records, and an eighth of the bytes");
    }

    #[test]
    fn few_addresses_share_a_place_and_an_address_always_falls_into_the_same() {
        let shares = Shares::of(1, 1);
        let place = |host: u32| shares.place(&std::net::Ipv4Addr::from_bits(host).into()).0;
        let places: std::collections::BTreeSet<_> = (0..100).map(place).collect();
        assert!(places.len() > 80, "{}", places.len());
        assert_eq!(place(7), place(7));
    }
}
