//! How long the way is between two peers of a local network.

use std::time::Duration;

use parsec_measure::{Latency, TICK};

use super::regions::Region;

/// How long a round trip between two regions takes.
pub(super) fn round_trip(latency: Latency, from: Region, to: Region) -> Duration {
    match latency {
        Latency::None => Duration::ZERO,
        Latency::Fixed(round_trip) => round_trip,
        Latency::Realistic => from.round_trip(to),
    }
}

/// The delays of one connection, seen from the peer that dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) there: Duration,
    pub(super) back: Duration,
}

impl Link {
    /// Both ways together take one round trip, each of them whole ticks of the clock: a timer that is set to half a tick
    /// fires half a tick late, and a round trip of 51 ms would take 52.
    pub(super) fn of(round_trip: Duration) -> Self {
        let ticks = u64::try_from((round_trip / 2).as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX);
        let there = Duration::from_millis(ticks);
        Self { there, back: round_trip.saturating_sub(there) }
    }

    pub(super) fn round_trip(self) -> Duration {
        self.there + self.back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_a_link_add_up_to_the_round_trip_in_whole_milliseconds() {
        for millis in [0, 1, 2, 51, 100, 323] {
            let link = Link::of(Duration::from_millis(millis));
            assert_eq!(link.round_trip(), Duration::from_millis(millis));
            assert!(link.there >= link.back && link.there - link.back <= TICK, "{link:?}");
            assert_eq!(link.there.subsec_nanos() % 1_000_000, 0);
        }
    }
}
