//! Addresses that could not be dialled, and how long they are left alone.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::Multiaddr;
use tokio::time::Instant;

/// The back-off after the n-th failure in a row: 5 s + 1 s · n², at most 5 minutes
/// (go-libp2p `swarm.BackoffBase`, `BackoffCoef`, `BackoffMax`).
const BASE: Duration = Duration::from_secs(5);
const COEFFICIENT: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(300);

/// How many addresses are remembered: those of some thousand dead peers, a walk meets a few dozen. Beyond this, those that
/// may be dialled again go first.
const MAX_ADDRESSES: usize = 16_384;

/// Without it, a dead peer among the closest is dialled by the walk, by the follow-up and by the put of one
/// publication, and each time runs into the same time-out. Go fails the later ones at once.
///
/// It is an address that is left alone, not a peer (Go: `DialBackoff`): the peer may be somewhere else, and somebody may say
/// so a second later. Addresses come with the peer's id behind them, as two peers may be named at one.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    addresses: HashMap<Multiaddr, (Instant, u32)>,
}

impl BackOff {
    /// Whether this address is to be left alone for now.
    pub(super) fn holds_back(&self, address: &Multiaddr) -> bool {
        self.addresses.get(address).is_some_and(|(until, _)| *until > Instant::now())
    }

    /// A dial of this address has failed.
    pub(super) fn failed(&mut self, address: &Multiaddr) {
        let now = Instant::now();
        if self.addresses.len() >= MAX_ADDRESSES {
            self.addresses.retain(|_, (until, _)| *until > now);
        }
        if self.addresses.len() >= MAX_ADDRESSES {
            return;
        }
        let (until, failures) = self.addresses.entry(address.clone()).or_insert((now, 0));
        *until = now + (BASE + COEFFICIENT * failures.saturating_pow(2)).min(MAX);
        // 17² seconds are the last below the cap: counting on would only overflow.
        *failures = (*failures + 1).min(20);
    }

    /// Somebody has answered there.
    pub(super) fn succeeded(&mut self, address: &Multiaddr) {
        self.addresses.remove(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: usize) -> Multiaddr {
        format!("/ip4/10.0.{}.{}/tcp/1", port / 256, port % 256).parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_in_a_row_is_followed_by_a_longer_pause_up_to_five_minutes() {
        let (mut backoff, dead) = (BackOff::default(), address(1));
        for seconds in [5, 6, 9, 14, 21, 30, 41, 54, 69, 86, 105, 126, 149, 174, 201, 230, 261, 294, 300, 300] {
            assert!(!backoff.holds_back(&dead));
            backoff.failed(&dead);
            tokio::time::advance(Duration::from_secs(seconds) - Duration::from_millis(1)).await;
            assert!(backoff.holds_back(&dead), "{seconds}");
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        backoff.failed(&dead);
        backoff.succeeded(&dead);
        assert!(!backoff.holds_back(&dead));
    }

    #[tokio::test(start_paused = true)]
    async fn another_address_of_the_same_peer_may_be_dialled() {
        let mut backoff = BackOff::default();
        backoff.failed(&address(1));
        assert!(backoff.holds_back(&address(1)) && !backoff.holds_back(&address(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_addresses_are_remembered_than_there_is_room_for() {
        let mut backoff = BackOff::default();
        (0..MAX_ADDRESSES + 10).for_each(|port| backoff.failed(&address(port)));
        assert_eq!(backoff.addresses.len(), MAX_ADDRESSES);
        tokio::time::advance(MAX).await;
        backoff.failed(&address(0));
        assert_eq!(backoff.addresses.len(), 1, "whoever may be dialled again makes room");
    }
}
