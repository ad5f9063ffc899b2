//! Counts the outcomes of a publication's puts: each peer is counted once, however often it was tried.

use std::collections::HashMap;
use std::hash::Hash;

/// The known state of one put. If a peer was tried more than once, the later variant counts: a record that a second try
/// has delivered is there, whatever happened to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It could not be written.
    Failed,
    /// It is under way, or was when the node was stopped, which says nothing about the peer.
    Pending,
    /// It was written.
    Written,
    /// It was written, and the peer has accepted it.
    Confirmed,
}

/// How many peers had each outcome. Stored, failed and pending together are all peers that the record was sent to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Puts {
    pub(crate) stored: u32,
    /// Of those stored.
    pub(crate) confirmed: u32,
    pub(crate) failed: u32,
    pub(crate) pending: u32,
}

impl Puts {
    /// How many peers the record was sent to.
    pub(crate) fn chosen(self) -> u32 {
        self.stored + self.failed + self.pending
    }

    /// The counts for these tries; each peer may have had several.
    pub(crate) fn of<P: Hash + Eq>(tries: impl Iterator<Item = (P, Fate)>) -> Self {
        let mut fates: HashMap<P, Fate> = HashMap::new();
        for (peer, fate) in tries {
            fates.entry(peer).and_modify(|known| *known = fate.max(*known)).or_insert(fate);
        }
        let count = |wanted: &[Fate]| {
            u32::try_from(fates.values().filter(|fate| wanted.contains(fate)).count()).unwrap_or(u32::MAX)
        };
        Self {
            stored: count(&[Fate::Written, Fate::Confirmed]),
            confirmed: count(&[Fate::Confirmed]),
            failed: count(&[Fate::Failed]),
            pending: count(&[Fate::Pending]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const FATES: [Fate; 4] = [Fate::Failed, Fate::Pending, Fate::Written, Fate::Confirmed];

    proptest! {
        #[test]
        fn every_peer_is_accounted_for_once_however_often_it_was_tried(
            tries in proptest::collection::vec((0..20u8, 0..FATES.len()), 0..80),
        ) {
            let peers: BTreeSet<u8> = tries.iter().map(|(peer, _)| *peer).collect();
            let Puts { stored, confirmed, failed, pending } =
                Puts::of(tries.iter().map(|(peer, fate)| (*peer, FATES[*fate])));
            prop_assert_eq!((stored + failed + pending) as usize, peers.len());
            prop_assert_eq!(Puts { stored, confirmed, failed, pending }.chosen() as usize, peers.len());
            prop_assert!(confirmed <= stored);
        }
    }

    #[test]
    fn a_second_try_outweighs_the_first() {
        let tries = [("a", Fate::Failed), ("a", Fate::Written), ("b", Fate::Failed), ("b", Fate::Pending)];
        assert_eq!(Puts::of(tries.into_iter()), Puts { stored: 1, confirmed: 0, failed: 0, pending: 1 });
    }
}
