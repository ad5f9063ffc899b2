//! What one attempt says about the DHT.

use std::cmp::Ordering;
use std::time::Duration;

use parsec_measure::OutcomeClass;

/// What one attempt says: the time that it took, or that it failed.
///
/// A failed attempt took longer than any that succeeded: it had not succeeded by the time it ended, and never will. So readings have
/// an order, in which failures stand last. The reading of a quantile is one of those that were taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// It succeeded after so many seconds.
    Took(f64),
    /// It ran into its limit of so many seconds: whatever it would have taken is more.
    MoreThan(f64),
    /// It failed in some other way, and no longer wait would have helped.
    Failed,
}

/// What an attempt says that ended as `class` after `duration`. `None` if it says nothing about the DHT, because the DHT was not asked,
/// could not be asked, or its answer is lost; such attempts are counted apart.
pub fn reading(class: OutcomeClass, duration: Duration) -> Option<Reading> {
    match class {
        OutcomeClass::Ok => Some(Reading::Took(duration.as_secs_f64())),
        OutcomeClass::Timeout => Some(Reading::MoreThan(duration.as_secs_f64())),
        OutcomeClass::NotFound
        | OutcomeClass::WrongProvider
        | OutcomeClass::NoPeers
        | OutcomeClass::DialFailed
        | OutcomeClass::NoTransport
        | OutcomeClass::Protocol => Some(Reading::Failed),
        OutcomeClass::LocalLimit
        | OutcomeClass::ServerUnreachable
        | OutcomeClass::ServerNotReady
        | OutcomeClass::ServerError
        | OutcomeClass::WrongNode
        | OutcomeClass::Cancelled
        | OutcomeClass::RecordLost => None,
    }
}

/// The bit in which the rank of a time-out differs from that of a success: the sign, which no time has.
const LIMIT: u64 = 1 << 63;

impl Reading {
    /// Whether the attempt succeeded.
    pub fn succeeded(self) -> bool {
        matches!(self, Self::Took(_))
    }

    /// In seconds; infinite for a failure.
    pub fn seconds(self) -> f64 {
        match self {
            Self::Took(seconds) => seconds,
            Self::MoreThan(_) | Self::Failed => f64::INFINITY,
        }
    }

    /// The order of readings: by time, then time-outs by their limit, then other failures.
    pub fn order(self, other: Self) -> Ordering {
        self.key().partial_cmp(&other.key()).unwrap_or(Ordering::Equal)
    }

    /// A number for its place in this order, of readings that [`reading`] gives: times that are not negative have the order of their
    /// bits.
    pub(super) fn rank(self) -> u64 {
        match self {
            Self::Took(seconds) => seconds.to_bits(),
            Self::MoreThan(limit) => limit.to_bits() | LIMIT,
            Self::Failed => u64::MAX,
        }
    }

    /// The reading that has this place.
    pub(super) fn of_rank(rank: u64) -> Self {
        match rank {
            u64::MAX => Self::Failed,
            _ if rank & LIMIT == 0 => Self::Took(f64::from_bits(rank)),
            _ => Self::MoreThan(f64::from_bits(rank & !LIMIT)),
        }
    }

    fn key(self) -> (u8, f64) {
        match self {
            Self::Took(seconds) => (0, seconds),
            Self::MoreThan(limit) => (1, limit),
            Self::Failed => (2, 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranks_are_in_the_order_of_readings(
            one in (0..OutcomeClass::ALL.len(), 0..200_000_000_000u64),
            other in (0..OutcomeClass::ALL.len(), prop_oneof![0..200_000_000_000u64, any::<u64>()]),
        ) {
            let read = |(class, nanos): (usize, u64)| reading(OutcomeClass::ALL[class], Duration::from_nanos(nanos));
            let (Some(one), Some(other)) = (read(one), read(other)) else { return Ok(()) };
            prop_assert_eq!(one.rank().cmp(&other.rank()), one.order(other));
            prop_assert_eq!(Reading::of_rank(one.rank()), one);
        }
    }
}
