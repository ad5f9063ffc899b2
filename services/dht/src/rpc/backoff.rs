//! Peers that could not be dialled, and how long they are left alone.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

/// The back-off after the n-th failure in a row: 5 s + 1 s · n², at most 5 minutes
/// (go-libp2p `swarm.BackoffBase`, `BackoffCoef`, `BackoffMax`).
const BASE: Duration = Duration::from_secs(5);
const COEFFICIENT: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(300);

/// How many peers are remembered. A walk meets a few dozen dead ones; beyond this, those that may be dialled again go first.
const MAX_PEERS: usize = 8_192;

/// Without it, a dead peer among the closest is dialled by the walk, by the follow-up and by the put of one
/// publication, and each time runs into the same time-out. Go fails the later ones at once.
#[derive(Debug, Default)]
pub(super) struct DialBackoff {
    peers: HashMap<PeerId, (Instant, u32)>,
}

impl DialBackoff {
    /// Whether this peer is to be left alone for now.
    pub(super) fn holds_back(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|(until, _)| *until > Instant::now())
    }

    /// A dial of this peer has failed.
    pub(super) fn failed(&mut self, peer: PeerId) {
        let now = Instant::now();
        if self.peers.len() >= MAX_PEERS {
            self.peers.retain(|_, (until, _)| *until > now);
        }
        if self.peers.len() >= MAX_PEERS {
            return;
        }
        let (until, failures) = self.peers.entry(peer).or_insert((now, 0));
        *until = now + (BASE + COEFFICIENT * failures.saturating_pow(2)).min(MAX);
        // 17² seconds are the last below the cap: counting on would only overflow.
        *failures = (*failures + 1).min(20);
    }

    /// The peer is connected.
    pub(super) fn succeeded(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn the_pause_grows_with_the_square_of_the_failures_up_to_five_minutes() {
        let (mut backoff, peer) = (DialBackoff::default(), PeerId::random());
        for seconds in [5, 6, 9, 14] {
            backoff.failed(peer);
            advance(Duration::from_secs(seconds) - Duration::from_millis(1)).await;
            assert!(backoff.holds_back(&peer), "{seconds} s");
            advance(Duration::from_millis(1)).await;
            assert!(!backoff.holds_back(&peer), "{seconds} s");
        }
        for _ in 0..100 {
            backoff.failed(peer);
        }
        advance(MAX).await;
        assert!(!backoff.holds_back(&peer));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_wipes_the_slate_and_memory_is_bounded() {
        let (mut backoff, peer) = (DialBackoff::default(), PeerId::random());
        backoff.failed(peer);
        backoff.succeeded(&peer);
        assert!(!backoff.holds_back(&peer));
        for _ in 0..2 * MAX_PEERS {
            backoff.failed(PeerId::random());
        }
        assert!(backoff.peers.len() <= MAX_PEERS);
    }
}
