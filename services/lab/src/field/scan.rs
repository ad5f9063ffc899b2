//! Several values of one thing in a world: what it changes.

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
    /// One value has nothing beside it.
    #[error("it has {0} of the 2 to {MAX_VALUES} values that are laid side by side")]
    Count(usize),
    /// One stands there twice.
    #[error("{0} stands there twice")]
    Twice(f64),
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
        let values = numbers(values, World::is_whole(name))?;
        if let Some(twice) = values.iter().enumerate().find(|(at, value)| values[..*at].contains(*value)) {
            return Err(NoScan::Twice(*twice.1));
        }
        if !(2..=MAX_VALUES).contains(&values.len()) {
            return Err(NoScan::Count(values.len()));
        }
        let worlds = values.into_iter().map(|value| Ok((value, world.with(name, value)?)));
        Ok(Self { name, worlds: worlds.collect::<Result<_, ScanError>>()? })
    }
}

fn numbers(text: &str, whole: bool) -> Result<Vec<f64>, NoScan> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(NoScan::Form);
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
    Ok(values)
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
    fn what_is_no_scan_is_told_what_would_be_one() {
        let message = |text| Scan::read(text, &world(300)).unwrap_err().to_string();
        for text in ["alpha", "alpha=", "alpha=x", "alpha=1..", "alpha=inf,1", "alpha=1,,2", "alpha=1..2..3"] {
            assert!(message(text).starts_with("expected a name and values, such as alpha=3,5,10,20"), "{text}");
        }
        assert!(message("mood=1,2").starts_with("a world has no `mood` to scan; expected one of alpha, connected, "));
        assert_eq!(message("alpha=5"), "it has 1 of the 2 to 20 values that are laid side by side");
        assert_eq!(message("undialable=0.3..0.3"), "it has 1 of the 2 to 20 values that are laid side by side");
        assert_eq!(message("alpha=5,3,5"), "5 stands there twice");
        assert_eq!(message("alpha=5,1.5"), "`alpha` cannot be 1.5: expected a whole number from 1 to 100");
        assert!(message("undialable=0..1").starts_with("`undialable` cannot be 1: expected a number from 0 to 0."));
    }
}
