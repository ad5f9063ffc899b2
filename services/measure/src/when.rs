//! Moments as people name them.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use crate::read_duration;

/// A moment, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum When {
    /// Then.
    At(DateTime<Utc>),
    /// So long before now.
    Ago(Duration),
}

impl When {
    /// The moment, seen from `now`.
    pub fn seen_from(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(moment) => moment,
            Self::Ago(duration) => chrono::TimeDelta::from_std(duration)
                .ok()
                .and_then(|ago| now.checked_sub_signed(ago))
                .unwrap_or(DateTime::UNIX_EPOCH),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(moment.to_utc()));
        }
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::At(day.and_time(NaiveTime::MIN).and_utc()));
        }
        // Go's durations end with hours; results are asked for by days and weeks.
        let days =
            text.strip_suffix('d').map(|days| (days, 1)).or_else(|| text.strip_suffix('w').map(|weeks| (weeks, 7)));
        let days = days.and_then(|(count, each)| count.parse::<u32>().ok()?.checked_mul(each));
        let ago = days.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60)).or_else(|| read_duration(text));
        ago.map(Self::Ago).ok_or_else(|| {
            "expected a day such as 2026-11-27, a time such as 2026-11-27T13:00:00Z, or how long ago such as 90m, 24h, 7d or 2w".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn a_moment_is_a_day_a_time_or_how_long_ago() {
        let now = Utc.with_ymd_and_hms(2026, 11, 27, 12, 0, 0).unwrap();
        for (text, expected) in [
            ("2026-11-20", "2026-11-20T00:00:00+00:00"),
            ("2026-11-20T13:00:00+02:00", "2026-11-20T11:00:00+00:00"),
            ("24h", "2026-11-26T12:00:00+00:00"),
            ("7d", "2026-11-20T12:00:00+00:00"),
            ("2w", "2026-11-13T12:00:00+00:00"),
        ] {
            assert_eq!(text.parse::<When>().unwrap().seen_from(now).to_rfc3339(), expected, "{text}");
        }
        for text in ["", "yesterday", "7", "-1d", "99999999999d", "2026-13-01"] {
            assert!(text.parse::<When>().unwrap_err().contains("how long ago"), "{text}");
        }
        assert_eq!(When::Ago(Duration::MAX).seen_from(now), DateTime::UNIX_EPOCH);
    }
}
