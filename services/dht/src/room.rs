//! How many sockets a node may have, where the system grants the process few.
//!
//! Each connection is an open file of the process, and so is each address that is being dialled over TCP. A process that runs
//! out of them can neither dial nor take a call, its own HTTP API and its database included, and what fails then says nothing
//! about the peer. So a node keeps to a part of what there is, and what goes beyond is refused before it is tried.

use nix::sys::resource::{Resource, getrlimit};

/// What the rest of the process has open, and the DHT must leave to it: log, runtime, listeners, the HTTP API's connections,
/// database and spool. A server has about 45 open at rest.
const OTHERS: u64 = 96;

/// Addresses of one peer that are dialled at a time: one over IPv4 and one over IPv6, as a rule.
const SOCKETS_PER_DIAL: u64 = 2;

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
        // Whoever cannot be asked for a limit sets none.
        Self::within(getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft))
    }

    /// What there is room for in a process that may have so many files open: half of what the others leave for connections,
    /// half for dials.
    pub(crate) fn within(files: u64) -> Self {
        let half = files.saturating_sub(OTHERS) / 2;
        let bounded = |number: u64, least: u32| u32::try_from(number).unwrap_or(u32::MAX).max(least);
        Self {
            connections: bounded(half, LEAST_CONNECTIONS),
            dials: bounded(half / SOCKETS_PER_DIAL, LEAST_DIALS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_usual_limit_bounds_nothing_and_a_low_one_leaves_enough_for_a_lookup() {
        assert_eq!(Room::within(256), Room { connections: 80, dials: 40 });
        assert_eq!(Room::within(4_096), Room { connections: 2_000, dials: 1_000 });
        assert_eq!(Room::within(64), Room { connections: LEAST_CONNECTIONS, dials: LEAST_DIALS });
        assert_eq!(Room::within(u64::MAX).connections, u32::MAX);
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
