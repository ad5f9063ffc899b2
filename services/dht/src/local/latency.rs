//! How long the way is between two peers of a local network.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::regions::Region;

/// The shortest delay that tokio's clock can keep, and the step in which it keeps longer ones.
const TICK: Duration = Duration::from_millis(1);

/// The longest round trip that makes sense: with three of them before the first answer, a longer one is a dead network.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(2);

/// The delays between the peers of a local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Latency {
    /// None but those of the machine.
    #[default]
    None,
    /// The same round trip between any two peers.
    Fixed(Duration),
    /// The round trips between the regions in which the peers stand ([`Region::round_trip`]).
    Realistic,
}

/// A text that says no latency.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("latency `{0}`: expected `realistic`, `none`, or a round trip from 1ms to 2s like `50ms`")]
pub struct LatencyError(String);

impl Latency {
    /// How long a round trip between two regions takes.
    pub fn round_trip(self, from: Region, to: Region) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Fixed(round_trip) => round_trip,
            Self::Realistic => from.round_trip(to),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Fixed(round_trip) => write!(f, "{round_trip:?}"),
            Self::Realistic => f.write_str("realistic"),
        }
    }
}

impl FromStr for Latency {
    type Err = LatencyError;

    fn from_str(text: &str) -> Result<Self, LatencyError> {
        match text {
            "none" => Ok(Self::None),
            "realistic" => Ok(Self::Realistic),
            _ => {
                let round_trip = round_trip(text).filter(|round_trip| (TICK..=MAX_ROUND_TRIP).contains(round_trip));
                round_trip.map(Self::Fixed).ok_or_else(|| LatencyError(text.to_owned()))
            }
        }
    }
}

/// A whole number of milliseconds, or seconds with or without decimals.
fn round_trip(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
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
    fn a_latency_is_read_as_the_round_trip_it_is_written_as() {
        let fixed = |millis| Ok(Latency::Fixed(Duration::from_millis(millis)));
        assert_eq!("50ms".parse(), fixed(50));
        assert_eq!("0.1s".parse(), fixed(100));
        assert_eq!("2s".parse(), fixed(2_000));
        assert_eq!("none".parse(), Ok(Latency::None));
        assert_eq!("realistic".parse(), Ok(Latency::Realistic));
        for latency in [Latency::None, Latency::Realistic, Latency::Fixed(Duration::from_millis(51))] {
            assert_eq!(latency.to_string().parse(), Ok(latency));
        }
    }

    #[test]
    fn what_is_no_latency_is_named_with_what_would_be() {
        for wrong in ["", "fast", "50", "0ms", "-1s", "3s", "ms", "1e9s", "NaNs", "50 ms"] {
            let message = wrong.parse::<Latency>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{wrong}`")) && message.contains("`50ms`"), "{message}");
        }
    }

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
