//! Numbers of the wire: Go writes integers, JavaScript whatever its arithmetic left.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// The longest duration that an answer is believed. No operation runs for a day; a larger number is a unit
/// mixed up or a clock that jumped, and one such value would ruin every average it enters.
pub const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration as the wire has it: a number of nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nanos(pub(super) Duration);

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Go reads an int64; what does not fit is no duration of an operation.
        let nanos = i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX);
        serializer.serialize_i64(nanos)
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bound = Bound { what: "a duration in nanoseconds", max: MAX_DURATION.as_nanos() as u64 };
        deserializer.deserialize_any(bound).map(|nanos| Self(Duration::from_nanos(nanos)))
    }
}

/// A number of things, such as peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count(pub(super) u32);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The database keeps these as INTEGER, which ends at 2^31 - 1.
        let bound = Bound { what: "a number of things", max: i32::MAX as u64 };
        let count = deserializer.deserialize_any(bound)?;
        Ok(Self(u32::try_from(count).expect("the bound is below 2^32")))
    }
}

/// Reads any JSON number from 0 to `max`, fractions rounded to the nearest.
struct Bound {
    what: &'static str,
    max: u64,
}

impl Visitor<'_> for Bound {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from 0 to {}", self.what, self.max)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        if number <= self.max { Ok(number) } else { Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)) }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<u64, E> {
        let rounded = number.round();
        // Both bounds are far below 2^53, so the comparison and the conversion are exact; NaN is outside.
        if (0.0..=self.max as f64).contains(&rounded) {
            Ok(rounded as u64)
        } else {
            Err(E::invalid_value(de::Unexpected::Float(number), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(json: &str) -> Result<u128, String> {
        serde_json::from_str::<Nanos>(json).map(|n| n.0.as_nanos()).map_err(|error| error.to_string())
    }

    #[test]
    fn integers_and_fractions_are_read() {
        assert_eq!(nanos("1500000000"), Ok(1_500_000_000));
        assert_eq!(nanos("1500000000.6"), Ok(1_500_000_001));
        assert_eq!(nanos("1.5e9"), Ok(1_500_000_000));
        assert_eq!(nanos("-0.0"), Ok(0));
        assert_eq!(nanos("86400000000000"), Ok(MAX_DURATION.as_nanos()));
    }

    #[test]
    fn what_no_operation_takes_is_refused_with_the_value_and_the_bounds() {
        for json in ["-1", "-1.5", "86400000000001", "86400000000001.0", "1e300", "18446744073709551615"] {
            let message = nanos(json).unwrap_err();
            assert!(message.contains("from 0 to 86400000000000"), "{json}: {message}");
        }
        assert!(nanos("\"1s\"").unwrap_err().contains("expected a duration in nanoseconds"));
    }

    #[test]
    fn a_count_fits_into_the_database() {
        assert_eq!(serde_json::from_str::<Count>("2147483647").unwrap(), Count(2_147_483_647));
        assert!(serde_json::from_str::<Count>("2147483648").is_err());
        assert!(serde_json::from_str::<Count>("-1").is_err());
    }
}
