//! The settings of the spool, and of the command that looks after it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parsec_store::SpoolLimits;

use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;
use crate::error::ConfigError;
use crate::key::SPOOL_DIR;
use crate::sources::Sources;
use crate::values::{self, OutputFormat, Reading, SpoolAction};

/// The least that a spool may take: two of the files that it consists of.
const LEAST_BYTES: u64 = 16 << 20;

/// What one writes who wants no spool.
const NONE: &str = "none";

/// What sizes are written with, each with its bytes.
const UNITS: [(&str, u64); 5] = [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Where rows wait while the database is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolConfig {
    /// The spool directory; `None` keeps them in memory only.
    pub directory: Option<PathBuf>,
    /// How much may wait, and for how long.
    pub limits: SpoolLimits,
    /// Whether the directory is still there when the process is gone.
    pub durable: bool,
}

settings! {
    /// `parsec spool`.
    SpoolCommandConfig read(from, asked: SpoolAction);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    + /// Where rows that wait go.
    database: DatabaseConfig = DatabaseConfig::read(from)?;
    + /// The spool directory; `None` if there is none.
    directory: Option<PathBuf> = directory(from)?;
    + /// What to do.
    action: SpoolAction = asked;
    format: OutputFormat = text("spool.format", "format", "FORMAT").default("text"),
        required OutputFormat::read, "As text or json";
}

/// What the spool of a demo may take: it lies beside the database of the demo.
const DEMO_LIMITS: SpoolLimits = SpoolLimits { bytes: 256 << 20, age: Duration::from_secs(24 * 3_600) };

impl SpoolConfig {
    /// That of a demo, below the directory of its data.
    pub fn below(data: &Path) -> Self {
        Self { directory: Some(data.join("spool")), limits: DEMO_LIMITS, durable: true }
    }

    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let bytes = from.required("spool.size", size)?;
        let age = from.required("spool.age", age)?;
        let durable = from.required("spool.durable", values::switch)?;
        Ok(Self { directory: directory(from)?, limits: SpoolLimits { bytes, age }, durable })
    }
}

fn directory(from: &Sources) -> Result<Option<PathBuf>, ConfigError> {
    let directory = from.optional(SPOOL_DIR, values::text)?;
    Ok(directory.filter(|directory| directory != NONE).map(PathBuf::from))
}

fn size(text: &str) -> Reading<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = UNITS.into_iter().find(|(name, _)| *name == unit);
    let bytes = number.parse::<u64>().ok().zip(unit).and_then(|(number, (_, bytes))| number.checked_mul(bytes));
    bytes
        .filter(|bytes| *bytes >= LEAST_BYTES)
        .ok_or_else(|| "expected a size such as 512MiB or 1GiB, at least 16MiB".to_owned())
}

/// Ages are kept in seconds.
fn age(text: &str) -> Reading<Duration> {
    let age = values::duration(text)?;
    if age < Duration::from_secs(1) {
        Err("expected a duration of at least 1s, such as 720h".to_owned())
    } else {
        Ok(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{run, server};

    #[test]
    fn the_spool_is_where_state_is_kept_unless_one_says_otherwise() {
        let directory = |line: &str, environment: &[(&str, &str)]| server(line, environment).spool.directory;
        let home = ("HOME", "/home/ann");
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(directory("", &[]), None);
        assert_eq!(directory("", &[home]), path("/home/ann/.local/state/parsec/spool"));
        assert_eq!(directory("", &[("HOME", "/")]), path("/.local/state/parsec/spool"));
        assert_eq!(directory("", &[home, ("XDG_STATE_HOME", "/state/")]), path("/state/parsec/spool"));
        assert_eq!(directory("", &[home, ("XDG_STATE_HOME", "state")]), path("/home/ann/.local/state/parsec/spool"));
        assert_eq!(directory("", &[home, ("PARSEC_SPOOL_DIR", "/spool")]), path("/spool"));
        assert_eq!(SpoolConfig::below("/data".as_ref()).directory, path("/data/spool"));
        assert_eq!(directory("--spool-dir none", &[home, ("PARSEC_SPOOL_DIR", "/spool")]), None);
    }

    #[test]
    fn what_waits_is_bounded_by_size_and_age() {
        assert_eq!(server("", &[]).spool.limits, SpoolLimits { bytes: 1 << 30, age: Duration::from_secs(30 * 86_400) });
        let limits = server("--spool-size 16MiB --spool-age 1m", &[]).spool.limits;
        assert_eq!(limits, SpoolLimits { bytes: 16 << 20, age: Duration::from_secs(60) });
        assert_eq!(size("2TiB"), Ok(2 << 40));
        assert_eq!(size("20000000"), Ok(20_000_000));
        for text in ["", "MiB", "1GB", "1 GiB", "-1GiB", "15MiB", "1.5GiB", "99999999999999999999", "99999999TiB"] {
            let message = run("server", &[("PARSEC_SPOOL_SIZE", text)]);
            if text.is_empty() {
                assert!(message.is_ok(), "an empty variable is none");
                continue;
            }
            let expected = format!(
                "error: environment variable PARSEC_SPOOL_SIZE: cannot use `{text}`: expected a size such as 512MiB or 1GiB, at least 16MiB"
            );
            assert_eq!(message.unwrap_err(), expected);
        }
        let message = run("server --spool-age 10ms", &[]).unwrap_err();
        assert_eq!(
            message,
            "error: flag --spool-age: cannot use `10ms`: expected a duration of at least 1s, such as 720h"
        );
    }

    #[test]
    fn a_spool_outlives_the_process_unless_one_says_otherwise() {
        assert!(server("", &[]).spool.durable);
        assert!(!server("--spool-durable=false", &[]).spool.durable);
        assert!(!server("", &[("PARSEC_SPOOL_DURABLE", "false")]).spool.durable);
    }

    #[test]
    fn the_spool_is_looked_after_by_three_subcommands() {
        let message = run("spool burn", &[]).unwrap_err();
        assert!(message.contains("unrecognized subcommand 'burn'"), "{message}");
        let message = run("spool", &[]).unwrap_err();
        assert!(["list", "verify", "replay"].iter().all(|action| message.contains(action)), "{message}");
        for action in ["list", "verify", "replay"] {
            let Ok((crate::cli::Command::Spool(config), _)) = run(&format!("spool {action} --spool-dir /spool"), &[])
            else {
                panic!("{action} is understood")
            };
            assert_eq!((config.action.as_str(), config.directory), (action, Some(PathBuf::from("/spool"))));
        }
    }
}
