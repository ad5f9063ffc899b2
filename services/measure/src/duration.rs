//! Durations as Go writes them and as settings take them: `30s`, `1m30s`, `1.5h`.

use std::time::Duration;

/// The units, each with its nanoseconds. Below a second there is one unit only, with decimals.
const WHOLE: [(&str, u128); 2] = [("h", 3_600_000_000_000), ("m", 60_000_000_000)];
const DECIMAL: [(&str, u128); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// The duration in the form in which settings read it, so that what a message shows can be copied to where it was set.
pub fn written_duration(duration: Duration) -> String {
    let mut left = duration.as_nanos();
    let mut text = String::new();
    for (unit, nanos) in WHOLE {
        if left >= nanos {
            text += &format!("{}{unit}", left / nanos);
            left %= nanos;
        }
    }
    if left == 0 {
        return if text.is_empty() { "0s".to_owned() } else { text };
    }
    let fits = DECIMAL.into_iter().find(|(_, nanos)| !text.is_empty() || left >= *nanos);
    let (unit, nanos) = fits.unwrap_or(("ns", 1));
    let width = nanos.ilog10() as usize;
    let decimals = format!("{:0width$}", left % nanos);
    let decimals = if width == 0 { "" } else { decimals.trim_end_matches('0') };
    let point = if decimals.is_empty() { "" } else { "." };
    text + &format!("{}{point}{decimals}{unit}", left / nanos)
}

/// The longest duration that Go can hold, about 292 years.
const MAX_NANOS: u128 = i64::MAX as u128;

/// How many decimal places are looked at. An hour has 3.6 · 10¹² nanoseconds: what comes later is less than one.
const MAX_DECIMALS: usize = 15;

/// The units, each with its nanoseconds. The two signs for micro look alike and are different characters.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// Reads a duration as Go's `time.ParseDuration` does, but for negative ones, for which nobody here has a use.
pub fn read_duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() || text.is_empty() {
        let (part, behind) = leading_part(rest)?;
        nanos = nanos.checked_add(part).filter(|nanos| *nanos <= MAX_NANOS)?;
        rest = behind;
    }
    let (seconds, below) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(below).ok()?))
}

/// The nanoseconds of the first number with its unit, and what stands behind it.
fn leading_part(text: &str) -> Option<(u128, &str)> {
    let (whole, behind) = digits(text);
    let (decimals, behind) = behind.strip_prefix('.').map_or(("", behind), digits);
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let end = behind.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(behind.len());
    let (unit, behind) = behind.split_at(end);
    let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let decimals = &decimals[..decimals.len().min(MAX_DECIMALS)];
    let fraction = match decimals {
        "" => 0,
        decimals => decimals.parse::<u128>().ok()? * unit / 10_u128.pow(u32::try_from(decimals.len()).ok()?),
    };
    Some((whole.checked_mul(unit)?.checked_add(fraction)?, behind))
}

/// The digits that a text begins with, and what stands behind them.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Go's `time.Duration` prints, by the rules of its documentation.
    fn as_go_prints(duration: Duration) -> String {
        let decimal = |nanos: u128, unit: u128| {
            let (whole, below) = (nanos / unit, nanos % unit);
            let width = unit.ilog10() as usize;
            match format!("{below:0width$}").trim_end_matches('0') {
                "" => whole.to_string(),
                decimals => format!("{whole}.{decimals}"),
            }
        };
        let nanos = duration.as_nanos();
        match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{nanos}ns"),
            1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
            1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000)),
            _ => {
                let (minutes, seconds) = (nanos / 60_000_000_000, decimal(nanos % 60_000_000_000, 1_000_000_000));
                match (minutes / 60, minutes % 60) {
                    (0, 0) => format!("{seconds}s"),
                    (0, minutes) => format!("{minutes}m{seconds}s"),
                    (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_go_prints_is_read_as_what_it_means(nanos in prop_oneof![
            0..=i64::MAX as u64, 0..10_000_000_000_u64, (0..100_000_u64).prop_map(|seconds| seconds * 1_000_000_000)
        ]) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(read_duration(&as_go_prints(duration)), Some(duration));
            prop_assert_eq!(read_duration(&written_duration(duration)), Some(duration));
        }

        #[test]
        fn whatever_is_written_is_read_or_refused(text in "[0-9.+hmsuµμn -]{0,12}") {
            if let Some(duration) = read_duration(&text) {
                prop_assert!(duration.as_nanos() <= MAX_NANOS);
            }
        }
    }

    /// As go1.26 reads and prints them.
    #[test]
    fn texts_mean_what_they_mean_to_go() {
        for (text, nanos, printed) in [
            ("0", 0, "0s"),
            ("+0", 0, "0s"),
            ("0s", 0, "0s"),
            ("30s", 30_000_000_000, "30s"),
            ("1m30s", 90_000_000_000, "1m30s"),
            ("500ms", 500_000_000, "500ms"),
            ("1h", 3_600_000_000_000, "1h0m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("1.5h", 5_400_000_000_000, "1h30m0s"),
            (".5s", 500_000_000, "500ms"),
            ("5.s", 5_000_000_000, "5s"),
            ("+5s", 5_000_000_000, "5s"),
            ("90s", 90_000_000_000, "1m30s"),
            ("1s1s", 2_000_000_000, "2s"),
            ("10us", 10_000, "10µs"),
            ("10µs", 10_000, "10µs"),
            ("10μs", 10_000, "10µs"),
            ("14ns", 14, "14ns"),
            ("1.0000000019s", 1_000_000_001, "1.000000001s"),
            ("0.100000000000000000000h", 360_000_000_000, "6m0s"),
            ("2562047h47m16.854775807s", i64::MAX as u64, "2562047h47m16.854775807s"),
        ] {
            let expected = Duration::from_nanos(nanos);
            assert_eq!(read_duration(text), Some(expected), "{text}");
            assert_eq!(as_go_prints(expected), printed, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_and_what_is_negative_is_refused() {
        for text in [
            "",
            "+",
            "-",
            "3",
            "-1s",
            "s",
            ".",
            ".s",
            "+.s",
            "1d",
            "1day",
            "1 s",
            " 1s",
            "1s ",
            "30 s",
            "1.5.5s",
            "1.5",
            "1e3s",
            "soon",
            "--1s",
            "3h-2",
            "2562047h47m16.854775808s",
            "99999999999999999999999999999999999999999h",
        ] {
            assert_eq!(read_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_without_blanks_and_without_what_is_zero() {
        for (nanos, text) in [
            (0, "0s"),
            (14, "14ns"),
            (1_500, "1.5us"),
            (500_000_000, "500ms"),
            (1_000_000_001, "1.000000001s"),
            (30_000_000_000, "30s"),
            (60_000_000_000, "1m"),
            (90_500_000_000, "1m30.5s"),
            (60_001_000_000, "1m0.001s"),
            (3_605_000_000_000, "1h5s"),
            (2_592_000_000_000_000, "720h"),
        ] {
            assert_eq!(written_duration(Duration::from_nanos(nanos)), text);
        }
    }
}
