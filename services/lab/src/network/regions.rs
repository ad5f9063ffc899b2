//! Where peers stand, and how long a round trip between two such places takes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A part of the world, by the name of the AWS region there: those in which ProbeLab's servers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// Frankfurt, `eu-central-1`.
    EuCentral1,
    /// Ohio, `us-east-2`.
    UsEast2,
    /// Sydney, `ap-southeast-2`.
    ApSoutheast2,
    /// São Paulo, `sa-east-1`.
    SaEast1,
    /// Cape Town, `af-south-1`.
    AfSouth1,
    /// Northern California, `us-west-1`.
    UsWest1,
    /// Bahrain, `me-south-1`.
    MeSouth1,
}

/// A name that is no region's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown region `{0}`: local networks know {known}", known = Region::ALL.map(Region::name).join(", "))]
pub struct UnknownRegion(pub String);

/// A round trip within one region: another availability zone is 1 to 5 ms away (same source as [`ROUND_TRIPS`]).
const WITHIN: u64 = 2;

/// Round trips in milliseconds; row and column in the order of [`Region::ALL`], the half below the diagonal.
///
/// Frankfurt to Sydney, São Paulo and Northern California as they were measured beside the public DHT. All others are
/// the medians of the year up to April 2022 that cloudping.co measured over TCP between AWS regions (both directions'
/// mean; kept in github.com/bc-computing/gus-automation, `generate_server_ping_latencies/all_latencies.json`).
const ROUND_TRIPS: [&[u64]; 7] = [
    &[WITHIN],
    &[101, WITHIN],
    &[323, 189, WITHIN],
    &[195, 127, 313, WITHIN],
    &[164, 234, 414, 337, WITHIN],
    &[167, 53, 139, 177, 293, WITHIN],
    &[118, 205, 181, 313, 161, 260, WITHIN],
];

impl Region {
    /// All of them. Peers are spread over them in this order.
    pub const ALL: [Self; 7] = [
        Self::EuCentral1,
        Self::UsEast2,
        Self::ApSoutheast2,
        Self::SaEast1,
        Self::AfSouth1,
        Self::UsWest1,
        Self::MeSouth1,
    ];

    /// The region's name at AWS.
    pub fn name(self) -> &'static str {
        match self {
            Self::EuCentral1 => "eu-central-1",
            Self::UsEast2 => "us-east-2",
            Self::ApSoutheast2 => "ap-southeast-2",
            Self::SaEast1 => "sa-east-1",
            Self::AfSouth1 => "af-south-1",
            Self::UsWest1 => "us-west-1",
            Self::MeSouth1 => "me-south-1",
        }
    }

    /// How long a round trip to another region takes.
    pub fn round_trip(self, other: Self) -> Duration {
        let (near, far) = ((self as usize).min(other as usize), (self as usize).max(other as usize));
        Duration::from_millis(ROUND_TRIPS[far][near])
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        let region = Self::ALL.into_iter().find(|region| region.name() == text);
        region.ok_or_else(|| UnknownRegion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_takes_as_long_as_back_and_there() {
        for one in Region::ALL {
            for other in Region::ALL {
                let round_trip = one.round_trip(other);
                assert_eq!(round_trip, other.round_trip(one), "{one} {other}");
                assert_eq!(one == other, round_trip == Duration::from_millis(WITHIN), "{one} {other}");
                assert!(round_trip < Duration::from_millis(500), "{one} {other}");
            }
        }
    }

    #[test]
    fn the_measured_round_trips_stand_between_the_right_regions() {
        let between = |one: &str, other: &str| {
            one.parse::<Region>().unwrap().round_trip(other.parse::<Region>().unwrap()).as_millis()
        };
        assert_eq!(between("eu-central-1", "ap-southeast-2"), 323);
        assert_eq!(between("eu-central-1", "sa-east-1"), 195);
        assert_eq!(between("us-west-1", "eu-central-1"), 167);
        assert_eq!(between("af-south-1", "ap-southeast-2"), 414);
        assert_eq!(between("us-east-2", "us-west-1"), 53);
        assert_eq!(between("me-south-1", "us-west-1"), 260);
    }

    #[test]
    fn a_region_is_read_by_its_name_and_a_wrong_one_is_told_the_right_ones() {
        for region in Region::ALL {
            assert_eq!(region.to_string().parse(), Ok(region));
        }
        let message = "moon-1".parse::<Region>().unwrap_err().to_string();
        assert!(message.contains("`moon-1`") && message.contains("eu-central-1, us-east-2"), "{message}");
    }
}
