//! Where a value stands on an axis, and which values are written beside it.

use chrono::{DateTime, Utc};

/// About how many labels an axis has room for.
const LABELS: f64 = 6.0;

/// How many steps from label to label a time axis has room for: a day is half as wide as a day with its hour, and the last label may stand
/// to the left of its place.
const DAYS: f64 = 8.0;
const HOURS: f64 = 5.0;

/// How far the decades of an axis go at most: what is smaller than a millionth of the largest value is no longer told from it.
const MAX_DECADES: f64 = 6.0;

/// From values to places between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

/// A value that is written on an axis, and how.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

impl Scale {
    /// From zero to the first round number that is not below `high`.
    pub(super) fn from_zero(high: f64) -> Self {
        let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
        let step = step(high);
        Self { low: 0.0, high: (high / step).ceil() * step, logarithmic: false }
    }

    /// By decades, for values between the two.
    pub(super) fn logarithmic(low: f64, high: f64) -> Self {
        let high = if high.is_finite() && high > 0.0 { high.log10().ceil() } else { 0.0 };
        let low = if low.is_finite() && low > 0.0 { low.log10().floor() } else { high - 1.0 };
        let low = low.min(high - 1.0).max(high - MAX_DECADES);
        Self { low: 10f64.powf(low), high: 10f64.powf(high), logarithmic: true }
    }

    /// From one value to another.
    pub(super) fn between(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, logarithmic: false }
    }

    /// From zero to one, for shares.
    pub(super) fn share() -> Self {
        Self { low: 0.0, high: 1.0, logarithmic: false }
    }

    /// Of nothing: it has no labels.
    pub(super) fn none() -> Self {
        Self { low: 0.0, high: 0.0, logarithmic: false }
    }

    /// From one moment to another.
    pub(super) fn time(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let (low, high) = (from.timestamp() as f64, to.timestamp() as f64);
        Self { low, high: high.max(low + 1.0), logarithmic: false }
    }

    /// The largest value that it shows.
    pub(super) fn high(self) -> f64 {
        self.high
    }

    /// Where a value stands, between 0 and 1: what lies outside stands at the end.
    pub(super) fn at(self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        part.clamp(0.0, 1.0)
    }

    /// The values that are written beside it, as plain numbers.
    pub(super) fn ticks(self) -> Vec<Tick> {
        if self.high <= self.low {
            return Vec::new();
        }
        if self.logarithmic {
            let decades = (self.high / self.low).log10().round() as i32;
            let values = (0..=decades).map(|decade| self.low * 10f64.powi(decade));
            return values.map(|at| Tick { at, label: number(at, at) }).collect();
        }
        let step = step(self.high - self.low);
        let count = ((self.high - self.low) / step).round() as i32;
        let values = (0..=count).map(|index| self.low + step * f64::from(index));
        values.map(|at| Tick { at, label: number(at, step) }).collect()
    }

    /// Days or hours, in UTC: as many as there is room for.
    pub(super) fn times(self) -> Vec<Tick> {
        const HOUR: i64 = 3_600;
        const STEPS: [i64; 9] =
            [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR, 7 * 24 * HOUR, 28 * 24 * HOUR, 364 * 24 * HOUR];
        let (low, high) = (self.low as i64, self.high as i64);
        let fits = |step: &i64| (high - low) as f64 / *step as f64 <= if *step < 24 * HOUR { HOURS } else { DAYS };
        let step = STEPS.into_iter().find(fits).unwrap_or(STEPS[STEPS.len() - 1]);
        let format = if step < 24 * HOUR { "%d %b %H:%M" } else { "%d %b" };
        let first = low.div_euclid(step) * step;
        let moments = (0..).map(|index| first + index * step).skip_while(|at| *at < low).take_while(|at| *at <= high);
        let tick =
            |at: i64| Some(Tick { at: at as f64, label: DateTime::from_timestamp(at, 0)?.format(format).to_string() });
        moments.filter_map(tick).collect()
    }
}

/// The step of 1, 2 or 5 by which about as many labels as there is room for fit on so long an axis.
fn step(length: f64) -> f64 {
    let rough = length / LABELS;
    let decade = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * decade).find(|step| *step >= rough * 0.999).unwrap_or(10.0 * decade)
}

/// With as many digits behind the point as the step has.
fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn round_numbers_are_written() {
        assert_eq!(labels(Scale::from_zero(4.3).ticks()), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(labels(Scale::from_zero(0.22).ticks()), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25"]);
        assert_eq!(labels(Scale::share().ticks()), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Scale::logarithmic(0.02, 30.0).ticks()), ["0.01", "0.1", "1", "10", "100"]);
    }

    #[test]
    fn days_or_hours_are_written() {
        let from = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let week = Scale::time(from, from + TimeDelta::days(7)).times();
        assert_eq!(labels(week)[..2], ["19 Nov", "20 Nov"]);
        let hours = Scale::time(from, from + TimeDelta::hours(5)).times();
        assert_eq!(labels(hours)[0], "18 Nov 12:00");
        let midnight = DateTime::from_timestamp(1_794_960_000, 0).unwrap();
        let day = Scale::time(midnight, midnight + TimeDelta::days(1)).times();
        let written = ["18 Nov 00:00", "18 Nov 06:00", "18 Nov 12:00", "18 Nov 18:00", "19 Nov 00:00"];
        assert_eq!(labels(day), written, "eight labels of this width stand on each other");
    }

    #[test]
    fn nothing_measured_has_an_axis_all_the_same() {
        for high in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Scale::from_zero(high).high(), 1.0);
            assert!(Scale::logarithmic(high, high).ticks().len() >= 2);
        }
    }

    proptest! {
        #[test]
        fn every_value_has_its_place_in_order(mut values in proptest::collection::vec(1e-6..1e6f64, 2..40)) {
            values.sort_by(f64::total_cmp);
            let (low, high) = (values[0], values[values.len() - 1]);
            for scale in [Scale::from_zero(high), Scale::logarithmic(low, high)] {
                let places: Vec<_> = values.iter().map(|value| scale.at(*value)).collect();
                prop_assert!(places.is_sorted() && places.iter().all(|place| (0.0..=1.0).contains(place)));
                let ticks = scale.ticks();
                prop_assert!((2..=12).contains(&ticks.len()), "{ticks:?}");
                prop_assert!(scale.high() >= high * 0.999);
            }
        }

        #[test]
        fn there_is_room_for_all_times(seconds in 1..200_000_000i64) {
            let from = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
            let scale = Scale::time(from, from + TimeDelta::seconds(seconds));
            let times = scale.times();
            prop_assert!(times.len() <= 9, "{times:?}");
            // As wide as the labels of a frame are: the last one may be moved to the left by half of itself.
            for pair in times.windows(2) {
                let [apart, wide] = [566.0 * (scale.at(pair[1].at) - scale.at(pair[0].at)), 7.0 * pair[0].label.len() as f64];
                prop_assert!(apart >= 1.3 * wide, "{times:?}");
            }
        }
    }
}
