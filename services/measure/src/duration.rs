//! Durations as settings take them: `30s`, `1m30s`, `1.5ms`.

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

#[cfg(test)]
mod tests {
    use super::*;

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
