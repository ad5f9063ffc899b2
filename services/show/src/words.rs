//! Numbers as people read them.

use std::time::Duration;

use parsec_measure::{OperationKind, harmless, written_duration};
use parsec_results::statistics::Interval;

/// How many letters of a peer's id are shown.
const SHORT_PEER: usize = 6;

/// Three significant digits and the unit that suits them.
pub fn duration(duration: Duration) -> String {
    let (unit, digits) = unit(duration);
    format!("{} {unit}", number(duration, unit, digits))
}

/// So many seconds in the unit that suits `scale`, with or without its name.
pub fn scaled(seconds: f64, scale: Duration, with_unit: bool) -> String {
    let (unit, digits) = unit(scale);
    let number = number(Duration::try_from_secs_f64(seconds).unwrap_or_default(), unit, digits);
    if with_unit { format!("{number} {unit}") } else { number }
}

/// `part` of `whole`, both in the unit that suits the whole: `2.10 of 2.60 s`.
pub fn share(part: Duration, whole: Duration) -> String {
    let (unit, digits) = unit(whole);
    format!("{} of {} {unit}", number(part, unit, digits), number(whole, unit, digits))
}

/// A share in percent, with at most one digit behind the point: `5 %`, `12.5 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", (share * 1e3).round() / 1e1)
}

/// A share that somebody has set, in percent: as it was written, up to two digits behind the point.
pub fn set_percent(share: f64) -> String {
    format!("{} %", (share * 1e4).round() / 1e2)
}

/// A difference of shares, with at most one digit behind the point: `1 percentage point`, `2.5 percentage points`.
pub fn percentage_points(share: f64) -> String {
    let points = (share * 1e3).round() / 1e1;
    format!("{points} percentage point{}", if points == 1.0 { "" } else { "s" })
}

/// A span of whole hours, or of seconds: `12 h`, `90 s`.
pub fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        seconds => format!("{seconds} s"),
    }
}

/// A share in whole percent, and one that is less without its digits: `62 %`, `< 1 %`.
pub fn rounded_percent(share: f64) -> String {
    match 100.0 * share {
        none if none <= 0.0 => "0 %".to_owned(),
        little if little < 1.0 => "< 1 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// So many seconds in the unit in which people count them: `45 s`, `16 min`, `7.2 h`, `12.5 days`.
pub fn long(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// How long something went on, to the second, or, if it went on for days, to the minute: `12m`, `1 day 2h30m`, `30 days`.
pub fn lasted(time: Duration) -> String {
    const DAY: u64 = 86_400;
    let (days, rest) = (time.as_secs() / DAY, Duration::from_secs(time.as_secs() % DAY / 60 * 60));
    let days = match days {
        0 => return written_duration(Duration::from_secs(time.as_secs())),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    if rest.is_zero() { days } else { format!("{days} {}", written_duration(rest)) }
}

/// A share in percent with its interval: `94.7 % (92.0–96.6)`, with `between` before the bracket.
pub fn share_interval(Interval { value, low, high }: Interval, between: &str) -> String {
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    format!("{} %{between}({}–{})", percent(value), percent(low), percent(high))
}

/// How many times as long: `0.35`; infinite where only one of the two fails.
pub fn times(ratio: f64) -> String {
    if ratio.is_finite() { format!("{ratio:.2}") } else { "∞".to_owned() }
}

/// A number with its sign, which is as wide as a plus and no dash: `+3.1`, `−8.6`.
pub fn signed(number: f64, digits: usize) -> String {
    format!("{number:+.digits$}").replace('-', "−")
}

/// Text in Markdown, in one line: nothing in it is markup or ends a cell of a table.
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in harmless(text, usize::MAX).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' => escaped.extend(['\\', letter]),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Bytes in the unit that suits them: `812 B`, `7.8 KiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let (mut number, mut unit) = (bytes as f64 / 1024.0, 0);
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        (number, unit) = (number / 1024.0, unit + 1);
    }
    format!("{number:.1} {}", UNITS[unit])
}

/// Operations of this kind, at the beginning of a sentence.
pub fn plural(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Provide => "Publications",
        OperationKind::Retrieve => "Lookups",
    }
}

/// `1 peer`, `2 peers`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A peer's name where there is little room: the letters at the end of its id tell it from others at a glance; its
/// beginning is the same for many.
pub fn peer(id: &str) -> &str {
    id.char_indices().rev().nth(SHORT_PEER - 1).map_or(id, |(start, _)| &id[start..])
}

fn unit(duration: Duration) -> (&'static str, usize) {
    match duration.as_secs_f64() * 1e3 {
        ms if ms < 10.0 => ("ms", 2),
        ms if ms < 100.0 => ("ms", 1),
        ms if ms < 1_000.0 => ("ms", 0),
        ms if ms < 10_000.0 => ("s", 2),
        _ => ("s", 1),
    }
}

fn number(duration: Duration, unit: &str, digits: usize) -> String {
    let scale = if unit == "ms" { 1e3 } else { 1.0 };
    format!("{:.digits$}", duration.as_secs_f64() * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_something_went_on_is_told_in_days_if_it_was_days() {
        let told = |seconds| lasted(Duration::from_secs(seconds));
        assert_eq!(
            [0, 59, 720, 86_399, 86_400, 95_459, 2_647_623].map(told),
            ["0s", "59s", "12m", "23h59m59s", "1 day", "1 day 2h30m", "30 days 15h27m"]
        );
    }

    #[test]
    fn a_duration_has_three_digits_and_the_unit_that_suits_them() {
        let words = [40, 1_234, 45_600, 999_400, 2_611_000, 61_000_000].map(|us| duration(Duration::from_micros(us)));
        assert_eq!(words, ["0.04 ms", "1.23 ms", "45.6 ms", "999 ms", "2.61 s", "61.0 s"]);
    }

    #[test]
    fn nothing_in_markdown_is_markup_or_ends_a_cell() {
        assert_eq!(
            markdown("a|b <img> ![x](y) `c` *d*\n\u{1b}e_f"),
            "a\\|b &lt;img> !\\[x\\](y) \\`c\\` \\*d\\* \u{fffd}e_f"
        );
    }

    #[test]
    fn percents_are_rounded() {
        assert_eq!([0.05, 0.07, 0.125, 0.29, 1.0].map(percent), ["5 %", "7 %", "12.5 %", "29 %", "100 %"]);
        assert_eq!([0.1234, 0.0125].map(percent), ["12.3 %", "1.3 %"]);
        assert_eq!([0.15, 0.0125, 0.0].map(set_percent), ["15 %", "1.25 %", "0 %"]);
        let points = ["0 percentage points", "1 percentage point", "2.5 percentage points"];
        assert_eq!([0.0, 0.01, 0.025].map(percentage_points), points);
    }

    #[test]
    fn shares_and_long_times_are_rounded_as_people_do() {
        assert_eq!([0.0, 0.004, 0.625, 1.0].map(rounded_percent), ["0 %", "< 1 %", "62 %", "100 %"]);
        assert_eq!([45.2, 960.0, 25_920.0, 1_080_000.0].map(long), ["45 s", "16 min", "7.2 h", "12.5 days"]);
    }

    #[test]
    fn a_sign_is_no_dash() {
        assert_eq!([3.08, -8.6, 0.0].map(|number| signed(number, 1)), ["+3.1", "−8.6", "+0.0"]);
    }

    #[test]
    fn bytes_have_the_unit_that_suits_them() {
        let words = [0, 1_023, 1_024, 8_012, 1 << 30, u64::MAX].map(bytes);
        assert_eq!(words, ["0 B", "1023 B", "1.0 KiB", "7.8 KiB", "1.0 GiB", "16777216.0 TiB"]);
    }

    #[test]
    fn a_part_is_told_in_the_unit_of_the_whole() {
        assert_eq!(share(Duration::from_millis(40), Duration::from_millis(2_600)), "0.04 of 2.60 s");
    }
}
