//! How many sockets a node may use, if the system allows the process only a few.
//!
//! Each connection is an open file of the process, and so is each address that is being dialled over TCP. A process
//! that has none left can neither dial nor accept connections, its own HTTP API and its database included, and the
//! resulting failures say nothing about the peer. So a node uses only a part of the limit, and refuses what goes beyond
//! before trying it.

use nix::sys::resource::{Resource, getrlimit};

use crate::swarm::warmth::Warmth;

/// What the rest of the process has open, and the DHT must leave to it: log, runtime, listeners, the HTTP API's connections,
/// database and spool. A server has about 45 open at rest.
const OTHERS: u64 = 96;

/// Addresses of one peer that are dialled over TCP at a time: one over IPv4 and one over IPv6, as a rule.
const SOCKETS_PER_DIAL: u64 = 2;

/// The share of what there is for connections that may be kept without being needed, as a divisor: operations need the rest.
const KEPT: u32 = 2;

/// The least that a node can work with: as many dials as a lookup has requests under way, and connections to the 20 peers
/// closest to a key.
const LEAST_DIALS: u32 = 10;
const LEAST_CONNECTIONS: u32 = 20;

/// How many connections there may be, and how many peers may be dialled at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) connections: u32,
    pub(crate) dials: u32,
}

impl Room {
    /// What this process has room for.
    pub(crate) fn of_process() -> Self {
        // If the system does not tell its limit, there is none.
        Self::within(getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft))
    }

    /// What there is room for in a process that may have so many files open: two thirds of what the others leave for
    /// connections, the rest for dials.
    pub(crate) fn within(files: u64) -> Self {
        let third = files.saturating_sub(OTHERS) / 3;
        let bounded = |number: u64, least: u32| u32::try_from(number).unwrap_or(u32::MAX).max(least);
        Self {
            connections: bounded(2 * third, LEAST_CONNECTIONS),
            dials: bounded(third / SOCKETS_PER_DIAL, LEAST_DIALS),
        }
    }

    /// How many connections are kept of as many as are wanted.
    pub(crate) fn keeps(self, wanted: Warmth) -> Warmth {
        let high = wanted.high.min(self.connections / KEPT);
        Warmth { high, low: wanted.low.min(high) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_usual_limit_bounds_nothing_and_a_low_one_leaves_enough_for_a_lookup() {
        assert_eq!(Room::within(256), Room { connections: 106, dials: 26 });
        assert_eq!(Room::within(4_096), Room { connections: 2_666, dials: 666 });
        assert_eq!(Room::within(64), Room { connections: LEAST_CONNECTIONS, dials: LEAST_DIALS });
        assert_eq!(Room::within(u64::MAX).connections, u32::MAX);
        let wanted = Warmth { low: 160, high: 192 };
        assert_eq!(Room::within(256).keeps(wanted), Warmth { low: 53, high: 53 });
        assert_eq!(Room::within(1_024).keeps(wanted), wanted);
    }

    proptest! {
        #[test]
        fn what_there_is_room_for_fits_in_beside_the_others(files in 200_u64..u64::MAX) {
            let Room { connections, dials } = Room::within(files);
            prop_assert!(u64::from(connections) + SOCKETS_PER_DIAL * u64::from(dials) + OTHERS <= files);
            prop_assert!(connections >= LEAST_CONNECTIONS && dials >= LEAST_DIALS);
        }
    }
}
