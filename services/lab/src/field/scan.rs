//! Several values of one thing in a world: what it changes.

use std::time::Duration;

use parsec_measure::{read_duration, written_duration};
use thiserror::Error;

use super::world::{ScanError, World};

/// The most values of a scan: each is a comparison of its own.
const MAX_VALUES: usize = 20;

/// Into how many values `FROM..TO` is cut, both ends among them.
const STEPS: usize = 6;

/// A world with several values of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// What is scanned.
    pub name: &'static str,
    /// The values and the world with each, in the order in which they were given.
    pub worlds: Vec<(f64, World)>,
}

/// A text that is no scan.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NoScan {
    /// It is no name with values.
    #[error("expected a name and values, such as alpha=3,5,10,20, or a name and two ends, such as undialable=0..0.5")]
    Form,
    /// What is scanned is a time.
    #[error("expected times, such as {0}=0,1h,6h,24h, or two of them, such as {0}=1h..6h")]
    Times(&'static str),
    /// One value has nothing beside it.
    #[error("it has {0} of the 2 to {MAX_VALUES} values that are laid side by side")]
    Count(usize),
    /// One stands there twice.
    #[error("{0} stands there twice")]
    Twice(String),
    /// No world has this.
    #[error(transparent)]
    World(#[from] ScanError),
}

impl Scan {
    /// Reads `NAME=a,b,c`, or `NAME=FROM..TO` for six values from one end to the other.
    ///
    /// # Errors
    /// [`NoScan`] says what would be right.
    pub fn read(text: &str, world: &World) -> Result<Self, NoScan> {
        let (name, values) = text.split_once('=').ok_or(NoScan::Form)?;
        let known = World::SCANNED.into_iter().find(|known| *known == name.trim());
        let name = known.ok_or_else(|| ScanError::Unknown(name.trim().to_owned()))?;
        let values = if World::is_time(name) {
            numbers(values, |text| Some(read_duration(text)?.as_secs_f64()), false).ok_or(NoScan::Times(name))?
        } else {
            numbers(values, |text| text.parse().ok(), World::is_whole(name)).ok_or(NoScan::Form)?
        };
        if let Some(twice) = values.iter().enumerate().find(|(at, value)| values[..*at].contains(*value)) {
            return Err(NoScan::Twice(Self::written(name, *twice.1)));
        }
        if !(2..=MAX_VALUES).contains(&values.len()) {
            return Err(NoScan::Count(values.len()));
        }
        let worlds = values.into_iter().map(|value| Ok((value, world.with(name, value)?)));
        Ok(Self { name, worlds: worlds.collect::<Result<_, ScanError>>()? })
    }

    /// A value as it is written in a scan of what has this name; times are in seconds.
    pub fn written(name: &str, value: f64) -> String {
        let time = Duration::try_from_secs_f64(value).ok().filter(|_| World::is_time(name));
        time.map_or_else(|| value.to_string(), written_duration)
    }
}

fn numbers(text: &str, read: impl Fn(&str) -> Option<f64>, whole: bool) -> Option<Vec<f64>> {
    let number = |text: &str| read(text.trim()).filter(|number| number.is_finite());
    let Some((from, to)) = text.split_once("..") else { return text.split(',').map(number).collect() };
    let (from, to) = (number(from)?, number(to)?);
    let value = |step: usize| {
        let value = from + (to - from) * step as f64 / (STEPS - 1) as f64;
        // 0.1 + 0.2 is written as what it is meant to be.
        if whole { value.round() } else { (value * 1e9).round() / 1e9 }
    };
    let mut values: Vec<f64> = (0..STEPS).map(value).collect();
    // Between two whole numbers there may be fewer.
    values.dedup();
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::super::testing::world;
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        Scan::read(text, &world(300)).unwrap().worlds.into_iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn values_are_listed_or_lie_between_two_ends() {
        assert_eq!(values("alpha=3,5, 10,20"), [3.0, 5.0, 10.0, 20.0]);
        assert_eq!(values("undialable=0..0.5"), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(values("alpha=20..1"), [20.0, 16.0, 12.0, 9.0, 5.0, 1.0]);
        assert_eq!(values("alpha=1..3"), [1.0, 2.0, 3.0]);
        let scan = Scan::read("alpha=3,5", &world(300)).unwrap();
        assert_eq!((scan.name, scan.worlds[1].1.alpha()), ("alpha", 5));
    }

    #[test]
    fn times_are_read_and_written_with_their_units() {
        let churning = world(300).with("churn", 7_200.0).unwrap();
        let scan = Scan::read("after=0,1h, 90s", &churning).unwrap();
        let values: Vec<f64> = scan.worlds.iter().map(|(value, _)| *value).collect();
        assert_eq!(values, [0.0, 3_600.0, 90.0]);
        assert_eq!(
            values.iter().map(|value| Scan::written("after", *value)).collect::<Vec<_>>(),
            ["0s", "1h", "1m30s"]
        );
        assert_eq!(Scan::written("peers", 3_600.0), "3600");
        assert_eq!(Scan::read("churn=1h..6h", &churning).unwrap().worlds.len(), 6);
        let message = |text| Scan::read(text, &churning).unwrap_err().to_string();
        for text in ["after=1,2", "after=soon", "after=", "after=1h..x"] {
            assert!(
                message(text).starts_with("expected times, such as after=0,1h,6h,24h, or two"),
                "{}",
                message(text)
            );
        }
        assert_eq!(message("after=1h,60m"), "1h stands there twice");
        assert_eq!(message("after=0,25h"), "`after` cannot be 25h: expected a time from 0s to 24h");
        let still = Scan::read("after=0,1h", &world(300)).unwrap_err().to_string();
        assert!(still.starts_with("`after` changes nothing in a world in which nobody leaves"), "{still}");
    }

    #[test]
    fn what_is_no_scan_is_told_what_would_be_one() {
        let message = |text| Scan::read(text, &world(300)).unwrap_err().to_string();
        for text in ["alpha", "alpha=", "alpha=x", "alpha=1..", "alpha=inf,1", "alpha=1,,2", "alpha=1..2..3"] {
            assert!(message(text).starts_with("expected a name and values, such as alpha=3,5,10,20"), "{text}");
        }
        assert!(
            message("mood=1,2").starts_with("a world has no `mood` to scan; expected one of after, alpha, churn, ")
        );
        assert_eq!(message("alpha=5"), "it has 1 of the 2 to 20 values that are laid side by side");
        assert_eq!(message("undialable=0.3..0.3"), "it has 1 of the 2 to 20 values that are laid side by side");
        assert_eq!(message("alpha=5,3,5"), "5 stands there twice");
        assert_eq!(message("alpha=5,1.5"), "`alpha` cannot be 1.5: expected a whole number from 1 to 100");
        assert!(message("undialable=0..1").starts_with("`undialable` cannot be 1: expected a number from 0 to 0."));
    }
}
