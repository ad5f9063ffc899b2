//! Detects kinds of addresses by which nothing ever arrives: UDP behind a firewall that drops it, IPv6 on a network
//! that has lost it.
//!
//! Such a dial gets no answer; it only costs time. go-libp2p detects this (`p2p/net/swarm/black_hole_detector.go`): if
//! fewer than 5 of the last 100 dials succeeded, it leaves such addresses out and tries one in 100. A measuring node in
//! a small network would never reach 100, and until then each new dial would be measured a quarter of a second too
//! slow. Here 20 failures in a row are enough, and one success ends it.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tracing::info;

/// How many dials must have failed in a row, and how many are left out before one is tried again. If 85 of 100 peers were dead,
/// 20 failures in a row would come up in one of 26 tries; then 19 dials go without this way, none is lost.
const WINDOW: u32 = 20;

/// A kind of route that dials take.
#[derive(Debug)]
struct Way {
    name: &'static str,
    takes: fn(&Multiaddr) -> bool,
    /// Failures since the last success, up to [`WINDOW`].
    failures: u32,
    /// Dials left out since the last one that was tried.
    left_out: u32,
}

impl Way {
    fn new(name: &'static str, takes: fn(&Multiaddr) -> bool) -> Self {
        Self { name, takes, failures: 0, left_out: 0 }
    }

    fn is_blocked(&self) -> bool {
        self.failures >= WINDOW
    }
}

/// The results of dials, by kind of route.
#[derive(Debug)]
pub(super) struct BlackHoles([Way; 2]);

impl Default for BlackHoles {
    fn default() -> Self {
        Self([Way::new("UDP", is_udp), Way::new("IPv6", is_ipv6)])
    }
}

impl BlackHoles {
    /// Whether addresses of this kind are left out at the moment.
    pub(super) fn swallow(&self, address: &Multiaddr) -> bool {
        self.0.iter().any(|way| way.is_blocked() && (way.takes)(address))
    }

    /// Such an address has been left out; true if it is time to try one all the same.
    pub(super) fn left_out(&mut self, address: &Multiaddr) -> bool {
        let mut due = false;
        for way in self.0.iter_mut().filter(|way| way.is_blocked() && (way.takes)(address)) {
            way.left_out += 1;
            if way.left_out >= WINDOW {
                way.left_out = 0;
                due = true;
            }
        }
        due
    }

    /// A dial of this address has ended.
    pub(super) fn note(&mut self, address: &Multiaddr, reached: bool) {
        for way in self.0.iter_mut().filter(|way| (way.takes)(address)) {
            let was_blocked = way.is_blocked();
            way.failures = if reached { 0 } else { (way.failures + 1).min(WINDOW) };
            match (was_blocked, way.is_blocked()) {
                (false, true) => info!(
                    way = way.name,
                    dials = WINDOW,
                    "no dial arrives this way: it is left out where there is another"
                ),
                (true, false) => info!(way = way.name, "a dial by this transport has succeeded: it is used again"),
                _ => {}
            }
        }
    }
}

fn is_udp(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Udp(_)))
}

fn is_ipv6(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Ip6(_) | Protocol::Dns6(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_way_that_fails_twenty_times_in_a_row_is_left_out_and_tried_now_and_then() {
        let (mut holes, udp) = (BlackHoles::default(), address("/ip4/10.0.0.1/udp/1/quic-v1"));
        for _ in 0..WINDOW {
            assert!(!holes.swallow(&udp));
            holes.note(&udp, false);
        }
        assert!(holes.swallow(&udp));
        assert!(!holes.swallow(&address("/ip4/10.0.0.1/tcp/1")), "another way");
        assert!(!holes.swallow(&address("/ip6/fd00::1/tcp/1")), "a third");
        let tried: Vec<bool> = (0..2 * WINDOW).map(|_| holes.left_out(&udp)).collect();
        assert_eq!(tried.iter().filter(|tried| **tried).count(), 2);
        holes.note(&udp, true);
        assert!(!holes.swallow(&udp));
    }

    #[test]
    fn one_success_in_twenty_keeps_a_way_open() {
        let (mut holes, ipv6) = (BlackHoles::default(), address("/ip6/fd00::1/tcp/1"));
        for dial in 0..200 {
            holes.note(&ipv6, dial % WINDOW == 0);
            assert!(!holes.swallow(&ipv6));
        }
    }
}
