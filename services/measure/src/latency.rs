//! How long the way is between two peers of a local network.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::duration::{read_duration, written_duration};
use crate::trace::StrategyKind;

/// The shortest delay that the clock of a local network (tokio's) can keep, and the step in which it keeps longer ones.
pub const TICK: Duration = Duration::from_millis(1);

/// The longest round trip over which nodes work as they do over shorter ones: a lookup that fills a routing table takes eight
/// of them, and is given 10 s (`LOOKUP_TIMEOUT` of `refresh`). Over 2 s tables stayed thin, and nobody knew the network's
/// size.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(1);

/// The same for a node that crawls: a visit takes up to 19 of them, and is given 15 s (`VISIT_TIMEOUT` of `crawler`). Over
/// 1 s every visit was given up, and no crawl ended well.
const MAX_ROUND_TRIP_OF_A_CRAWL: Duration = Duration::from_millis(750);

/// The delays between the peers of a local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Latency {
    /// None but those of the machine.
    #[default]
    None,
    /// The same round trip between any two peers.
    Fixed(Duration),
    /// The round trips between the regions in which the peers stand.
    Realistic,
}

/// A text that says no latency.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("latency `{text}`: expected `realistic`, `none`, or a round trip from 1ms to 1s like `50ms`{}", because(reason.as_ref()))]
pub struct LatencyError {
    text: String,
    reason: Option<RoundTripError>,
}

fn because(reason: Option<&RoundTripError>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

/// A round trip that no local network can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoundTripError {
    /// Finer than the clock.
    #[error("the clock counts whole milliseconds; expected a whole number of them, 1ms at least")]
    BelowTheClock,
    /// Longer than nodes have time for.
    #[error(
        "over it, a lookup that fills a routing table would take longer than the 10 s that it is given; expected at most {}",
        written_duration(MAX_ROUND_TRIP)
    )]
    TooLong,
    /// Longer than a crawl has time for.
    #[error(
        "over it, a crawl (strategy fullrt) would take longer for each peer than the 15 s that it is given; expected at most {}, \
         or strategies without fullrt",
        written_duration(MAX_ROUND_TRIP_OF_A_CRAWL)
    )]
    TooLongForACrawl,
}

impl Latency {
    /// The same round trip between any two peers of a network in which nodes of these strategies measure.
    ///
    /// # Errors
    /// [`RoundTripError`] says which bound it exceeds, and what would be right.
    pub fn fixed(round_trip: Duration, strategies: &[StrategyKind]) -> Result<Self, RoundTripError> {
        if round_trip < TICK || !round_trip.subsec_nanos().is_multiple_of(TICK.subsec_nanos()) {
            return Err(RoundTripError::BelowTheClock);
        }
        if round_trip > MAX_ROUND_TRIP {
            return Err(RoundTripError::TooLong);
        }
        Self::Fixed(round_trip).suits(strategies)
    }

    /// This latency, if nodes of these strategies can measure over it.
    ///
    /// # Errors
    /// [`RoundTripError`] says which bound it exceeds.
    pub fn suits(self, strategies: &[StrategyKind]) -> Result<Self, RoundTripError> {
        match self {
            Self::Fixed(round_trip)
                if round_trip > MAX_ROUND_TRIP_OF_A_CRAWL && strategies.contains(&StrategyKind::Fullrt) =>
            {
                Err(RoundTripError::TooLongForACrawl)
            }
            latency => Ok(latency),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Fixed(round_trip) => f.write_str(&written_duration(*round_trip)),
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
                let wrong = |reason| LatencyError { text: text.to_owned(), reason };
                let round_trip = read_duration(text).ok_or_else(|| wrong(None))?;
                Self::fixed(round_trip, &[]).map_err(|reason| wrong(Some(reason)))
            }
        }
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
        assert_eq!("1s".parse(), fixed(1_000));
        assert_eq!("none".parse(), Ok(Latency::None));
        assert_eq!("realistic".parse(), Ok(Latency::Realistic));
        for latency in [Latency::None, Latency::Realistic, Latency::Fixed(Duration::from_millis(51))] {
            assert_eq!(latency.to_string().parse(), Ok(latency));
        }
    }

    #[test]
    fn what_is_no_latency_is_named_with_what_would_be() {
        for wrong in [
            "", "fast", "50", "0ms", "-1s", "1.001s", "10s", "ms", "1e9s", "NaNs", "50 ms", "0.0005s", "0.0015s",
            "500us",
        ] {
            let message = wrong.parse::<Latency>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{wrong}`")) && message.contains("`50ms`"), "{message}");
        }
    }

    #[test]
    fn a_round_trip_is_refused_with_the_bound_that_it_exceeds() {
        let fixed = |micros, strategies: &[StrategyKind]| Latency::fixed(Duration::from_micros(micros), strategies);
        for micros in [0, 1, 500, 999, 1_500, 100_001] {
            let error = fixed(micros, &[]).unwrap_err();
            assert!(error == RoundTripError::BelowTheClock && error.to_string().contains("1ms at least"), "{micros}");
        }
        for millis in [1, 2, 51, 750, 751, 1_000] {
            assert_eq!(
                fixed(1_000 * millis, &[StrategyKind::Classic]),
                Ok(Latency::Fixed(Duration::from_millis(millis)))
            );
        }
        let all = StrategyKind::ALL;
        assert!(fixed(750_000, &all).is_ok());
        let too_long = [751_000, 1_000_000].map(|micros| fixed(micros, &all));
        assert_eq!(too_long, [Err(RoundTripError::TooLongForACrawl); 2]);
        assert!(too_long[0].unwrap_err().to_string().contains("at most 750ms, or strategies without fullrt"));
        let error = fixed(10_000_000, &all).unwrap_err();
        assert!(error == RoundTripError::TooLong && error.to_string().ends_with("expected at most 1s"), "{error}");
        assert!(Latency::Realistic.suits(&all).is_ok() && Latency::None.suits(&all).is_ok());
    }
}
