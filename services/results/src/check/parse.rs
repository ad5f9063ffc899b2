//! Reads limits as one writes them.

use std::str::FromStr;

use parsec_measure::OperationKind;

use super::threshold::{Crossing, LABELS, Limit, Measured, Metric, Threshold};
use crate::groups::Dimension;

/// What a metric may be.
const METRICS: &str = "expected a metric such as provide.p90, retrieve.p50, provide.success or failures";

/// What a limit may be.
const LIMITS: &str = "expected a limit such as 2s, 500ms or 1%, or, against the baseline, +10%, +200ms or +1pp";

/// The texts of several limits that are separated by commas; those between braces separate labels.
pub fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut within) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '{' => within = true,
            '}' => within = false,
            ',' if !within => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The labels may contain anything but a brace; what follows them begins with the comparison.
        let after_labels = text.find('}').map_or(0, |at| at + 1);
        let at = text[after_labels..].find(['<', '>']).map(|at| at + after_labels);
        let at = at.ok_or_else(|| "expected a comparison (>, >=, < or <=) of a metric with a limit".to_owned())?;
        let (metric, rest) = text.split_at(at);
        let (crossing, limit) = match (rest.as_bytes()[0], rest[1..].strip_prefix('=')) {
            (b'>', None) => (Crossing::Above, &rest[1..]),
            (b'>', Some(limit)) => (Crossing::AtLeast, limit),
            (_, None) => (Crossing::Below, &rest[1..]),
            (_, Some(limit)) => (Crossing::AtMost, limit),
        };
        let metric = self::metric(metric.trim())?;
        let limit = self::limit(limit.trim(), metric.measured)?;
        if limit.needs_baseline() && metric.measured.figure().is_none() {
            return Err("of times, only p50 and p90 are compared with a baseline".to_owned());
        }
        Ok(Self { text: text.trim().to_owned(), metric, crossing, limit })
    }
}

fn metric(text: &str) -> Result<Metric, String> {
    let (name, labels) = match text.split_once('{') {
        Some((name, labels)) => {
            let inside = labels
                .strip_suffix('}')
                .ok_or_else(|| format!("`{text}`: expected a closing brace after the labels"))?;
            (name.trim(), labels_of(inside)?)
        }
        None => (text, vec![]),
    };
    let (kind, name) = match name.split_once('.') {
        Some((kind, rest)) if OperationKind::ALL.iter().any(|known| known.as_str() == kind) => {
            (kind.parse().ok(), rest)
        }
        _ => (None, name),
    };
    let measured = match name {
        "success" => Measured::Success,
        "failures" => Measured::Failures,
        name => Measured::Quantile(quantile(name).ok_or_else(|| format!("`{text}` names no metric; {METRICS}"))?),
    };
    if kind.is_none() && matches!(measured, Measured::Quantile(_)) {
        return Err(format!(
            "`{text}`: publications and lookups are never mixed; expected provide.{name} or retrieve.{name}"
        ));
    }
    Ok(Metric { kind, measured, labels })
}

/// `p90` and `p99.9` are quantiles.
fn quantile(name: &str) -> Option<f64> {
    let digits = name.strip_prefix('p')?;
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let percent = digits.parse::<f64>().ok().filter(|percent| plain && *percent > 0.0 && *percent < 100.0)?;
    Some(percent / 100.0)
}

fn labels_of(text: &str) -> Result<Vec<(Dimension, String)>, String> {
    let mut labels: Vec<(Dimension, String)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let known = |name: &str| LABELS.into_iter().find(|label| label.as_str() == name.trim());
        let label = part.split_once('=').and_then(|(name, value)| Some((known(name)?, value.trim().trim_matches('"'))));
        match label {
            Some((label, _)) if labels.iter().any(|(other, _)| *other == label) => {
                return Err(format!("label `{}` stands there twice", label.as_str()));
            }
            Some((label, value)) if !value.is_empty() => labels.push((label, value.to_owned())),
            _ => {
                return Err(format!(
                    "cannot use the label `{part}`; expected fleet=NAME, region=NAME, strategy=NAME or agent=NAME"
                ));
            }
        }
    }
    Ok(labels)
}

fn limit(text: &str, measured: Measured) -> Result<Limit, String> {
    let wrong = |why: &str| format!("cannot use the limit `{text}`: {why}");
    let relative = text.starts_with(['+', '-']);
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, unit) = (&text[..unit_at], text[unit_at..].trim());
    let number: f64 = number.parse().map_err(|_| wrong(LIMITS))?;
    let is_time = matches!(measured, Measured::Quantile(_));
    match (unit, relative, is_time) {
        ("s", false, true) => Ok(Limit::Seconds(number)),
        ("ms", false, true) => Ok(Limit::Seconds(number / 1e3)),
        ("s", true, true) => Ok(Limit::MoreSeconds(number)),
        ("ms", true, true) => Ok(Limit::MoreSeconds(number / 1e3)),
        ("%", true, true) if number <= -100.0 => Err(wrong("no time is shorter than none")),
        ("%", true, true) => Ok(Limit::Longer(number / 100.0)),
        ("%", false, false) if number > 100.0 => Err(wrong("no share is above 100 %")),
        ("%", false, false) => Ok(Limit::Share(number / 100.0)),
        ("pp", true, false) => Ok(Limit::MorePoints(number / 100.0)),
        ("%", false, true) => {
            Err(wrong("a time is compared with seconds, such as 2s or 500ms, or with the baseline, such as +10%"))
        }
        ("%", true, false) => Err(wrong("a share is compared with the baseline in percentage points, such as +1pp")),
        ("s" | "ms", _, false) => Err(wrong("a share of attempts is no time; expected percent, such as 1%")),
        _ => Err(wrong(LIMITS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Threshold {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_limit_is_read_as_one_would_write_it() {
        let full = read("provide.p90{fleet=optprov, region=eu-central-1} > 2s");
        assert_eq!(full.metric.kind, Some(OperationKind::Provide));
        assert_eq!(full.metric.measured, Measured::Quantile(0.9));
        let labels = [(Dimension::Fleet, "optprov".to_owned()), (Dimension::Region, "eu-central-1".to_owned())];
        assert_eq!(full.metric.labels, labels);
        assert_eq!((full.crossing, full.limit), (Crossing::Above, Limit::Seconds(2.0)));
        assert_eq!(full.to_string(), "provide.p90{fleet=optprov, region=eu-central-1} > 2s");

        let short = read("failures>=1%");
        assert_eq!((short.metric.kind, short.metric.measured), (None, Measured::Failures));
        assert_eq!((short.crossing, short.limit), (Crossing::AtLeast, Limit::Share(0.01)));
        assert_eq!(read("retrieve.success <= 99.5 %").limit, Limit::Share(0.995));
        assert_eq!(read("retrieve.p99.9 < 500ms").metric.measured, Measured::Quantile(99.9 / 100.0));
        assert_eq!(read("provide.p50 > +10%").limit, Limit::Longer(0.1));
        assert_eq!(read("provide.p50 > +200ms").limit, Limit::MoreSeconds(0.2));
        assert_eq!(read("provide.success{fleet=default} < -1pp").limit, Limit::MorePoints(-0.01));
    }

    #[test]
    fn what_cannot_be_read_is_said_with_what_would_be_right() {
        for (text, why) in [
            ("", "expected a comparison"),
            ("provide.p90", "expected a comparison"),
            ("latency > 2s", "`latency` names no metric; expected a metric such as provide.p90"),
            ("provide.mean > 2s", "names no metric"),
            ("provide.p0 > 2s", "names no metric"),
            ("provide.p100 > 2s", "names no metric"),
            ("provide.p-5 > 2s", "names no metric"),
            ("publish.p50 > 2s", "names no metric"),
            ("p50 > 2s", "expected provide.p50 or retrieve.p50"),
            ("provide.p50{fleet=a > 2s", "closing brace"),
            ("provide.p50{color=red} > 2s", "expected fleet=NAME"),
            ("provide.p50{fleet=} > 2s", "expected fleet=NAME"),
            ("provide.p50{fleet=a,fleet=b} > 2s", "twice"),
            ("provide.p50 > 2", "such as 2s"),
            ("provide.p50 > fast", "such as 2s"),
            ("provide.p50 > 2h", "such as 2s"),
            ("provide.p50 > 5%", "+10%"),
            ("provide.p50 > -100%", "shorter than none"),
            ("provide.p99 > +10%", "only p50 and p90"),
            ("failures > 2s", "no time"),
            ("failures > +1%", "+1pp"),
            ("failures > 101%", "above 100 %"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn commas_separate_limits_unless_they_separate_labels() {
        let text = "provide.p50{fleet=a,region=b} > 2s, failures > 1%,";
        assert_eq!(split(text), ["provide.p50{fleet=a,region=b} > 2s", "failures > 1%"]);
        assert_eq!(split(" , "), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z.{}=,<> 0-9%+é-]{0,40}") {
            let _ = text.parse::<Threshold>();
            split(&text);
        }

        #[test]
        fn what_was_read_is_written_again_as_it_was(
            kind in prop_oneof![Just("provide."), Just("retrieve.")],
            percent in 1..100u8,
            labels in prop_oneof![Just(""), Just("{fleet=optprov}"), Just("{region=eu,fleet=default}")],
            crossing in prop_oneof![Just(">"), Just(">="), Just("<"), Just("<=")],
            ms in 1..100_000u32,
        ) {
            let text = format!("{kind}p{percent}{labels} {crossing} {ms}ms");
            let threshold = read(&text);
            prop_assert_eq!(threshold.to_string(), text);
            prop_assert_eq!(threshold.limit, Limit::Seconds(f64::from(ms) / 1e3));
            prop_assert!(matches!(threshold.metric.measured, Measured::Quantile(q) if (q - f64::from(percent) / 100.0).abs() < 1e-12));
        }
    }
}
