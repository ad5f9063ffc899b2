//! Which connections are kept, and which are closed when there are too many.
//!
//! A request takes one round trip on an open connection and four on a new one, so the number of open connections
//! affects what a node measures. Connections are therefore kept as in go-libp2p's connection manager
//! (`p2p/net/connmgr`, with the numbers of its default, `defaults.go`): up to a high mark all are kept; beyond it, the
//! least valuable ones are closed until the low mark is reached. New connections are spared. As in go-libp2p-kad-dht
//! (`dht.go`, `protectedBuckets`, `baseConnMgrScore`), peers of the two farthest buckets, with which every lookup
//! begins, are never closed, and those of the rest of the routing table are closed last.

use std::cmp::Reverse;
use std::time::Duration;

/// How long a connection is spared after it was made (Go: `connmgr`'s `defaultGracePeriod`).
const GRACE: Duration = Duration::from_secs(60);

/// Peers of buckets below this one are never closed (Go: `protectedBuckets`).
const PROTECTED_BUCKETS: u32 = 2;

/// How many connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmth {
    /// When connections are closed, this many are kept.
    pub low: u32,
    /// With more than this many, connections are closed.
    pub high: u32,
}

impl std::fmt::Display for Warmth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

impl Default for Warmth {
    /// go-libp2p's own (`defaults.go`: `connmgr.NewConnManager(160, 192)`).
    fn default() -> Self {
        Self { low: 160, high: 192 }
    }
}

/// A peer that is connected, by whatever tells it apart.
#[derive(Debug, Clone, Copy)]
pub struct Connected<P> {
    /// Which one. Of connections that are worth the same, that of the first is closed first.
    pub peer: P,
    /// How long the connection has stood.
    pub age: Duration,
    /// Its bucket, if it is in the routing table: how many leading bits its key shares with ours.
    pub bucket: Option<u32>,
    /// A request to it is under way.
    pub in_use: bool,
}

impl<P> Connected<P> {
    fn may_go(&self) -> bool {
        let protected = self.bucket.is_some_and(|bucket| bucket < PROTECTED_BUCKETS);
        !protected && !self.in_use && self.age >= GRACE
    }
}

impl Warmth {
    /// Whether this number is above the high mark.
    pub fn is_exceeded(self, connected: usize) -> bool {
        connected > self.high as usize
    }

    /// The peers whose connections to close, the least valuable first; none up to the high mark.
    pub fn surplus<P: Copy + Ord>(self, connected: &[Connected<P>]) -> Vec<P> {
        if !self.is_exceeded(connected.len()) {
            return Vec::new();
        }
        let mut candidates: Vec<&Connected<P>> = connected.iter().filter(|peer| peer.may_go()).collect();
        candidates.sort_by_key(|peer| (peer.bucket.is_some(), Reverse(peer.age), peer.peer));
        let surplus = connected.len().saturating_sub(self.low as usize);
        candidates.into_iter().take(surplus).map(|peer| peer.peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(peers: usize, change: impl Fn(usize, &mut Connected<usize>)) -> Vec<Connected<usize>> {
        (0..peers)
            .map(|index| {
                let age = GRACE + Duration::from_secs((peers - index) as u64);
                let mut peer = Connected { peer: index, age, bucket: None, in_use: false };
                change(index, &mut peer);
                peer
            })
            .collect()
    }

    #[test]
    fn up_to_the_high_mark_everybody_stays_and_beyond_it_the_low_mark_is_left() {
        let marks = Warmth::default();
        assert_eq!(marks.surplus(&crowd(192, |_, _| {})), Vec::<usize>::new());
        let oldest: Vec<usize> = (0..33).collect();
        assert_eq!(marks.surplus(&crowd(193, |_, _| {})), oldest);
    }

    #[test]
    fn peers_of_the_table_go_last_and_those_of_its_first_buckets_never() {
        let marks = Warmth { low: 2, high: 4 };
        let connected = crowd(6, |index, peer| peer.bucket = [Some(0), Some(1), Some(2), None, Some(9), None][index]);
        assert_eq!(marks.surplus(&connected), [3, 5, 2, 4]);
    }

    #[test]
    fn whoever_is_new_or_in_use_is_spared_even_if_too_many_are_left() {
        let marks = Warmth { low: 0, high: 0 };
        let connected = crowd(3, |index, peer| match index {
            0 => peer.age = GRACE - Duration::from_millis(1),
            1 => peer.in_use = true,
            _ => {}
        });
        assert_eq!(marks.surplus(&connected), [2]);
    }
}
