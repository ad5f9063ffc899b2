//! The settings of `check`.

use std::path::{Path, PathBuf};

use parsec_layers::{ConfigError, Kind, Sources};
use parsec_results::check::{Threshold, split};

use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;
use crate::results::{CompareFormat, SelectionConfig};
use crate::values::{Reading, Value};

/// The most limits of one check: each that is about a baseline is a comparison of its own.
const MAX_LIMITS: usize = 100;

/// Limits that measurements must keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits(pub Vec<Threshold>);

impl Value for Limits {
    const KIND: Kind = Kind::List;

    fn read(text: &str) -> Reading<Self> {
        let limits: Vec<Threshold> = split(text).into_iter().map(str::parse).collect::<Result<_, _>>()?;
        match limits.len() {
            0 => Err("expected a limit such as provide.p90{fleet=optprov} > 2s".to_owned()),
            1..=MAX_LIMITS => Ok(Self(limits)),
            _ => Err(format!("expected at most {MAX_LIMITS} limits")),
        }
    }
}

settings! {
    /// `parsec check`.
    CheckConfig(from) = "Check";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + selection: SelectionConfig, "Which of them";
    limits: Limits = ("check.fail_if", "fail-if", "LIMIT"),
        "What must not be, such as provide.p90{fleet=optprov} > 2s or failures > 1% or, against the baseline, provide.p50 > +10%; may be repeated";
    file: Option<PathBuf> = ("check.file", "file", "FILE"),
        "Run to check, as `bench --save` and `demo --save` write it, instead of a database";
    baseline: Option<PathBuf> = ("check.baseline", "baseline", "FILE"), "Run to compare with";
    other_configuration: bool = ("check.other_configuration", "other-configuration", "BOOL"),
        "Compare with a baseline that was measured under another configuration, or with a database, of which it is not known";
    format: CompareFormat = ("check.format", "format", "FORMAT").default("text"), "How the result is written";
    junit: Option<PathBuf> = ("check.junit", "junit", "FILE"), "Write the result there, too, as JUnit's XML";
    annotations: bool = ("check.annotations", "annotations", "BOOL").variable("GITHUB_ACTIONS"),
        "Write annotations for GitHub Actions to stderr, too";
    => relative: bool = relative(from, &limits, baseline.as_deref())?, "Whether a limit is about the difference from the baseline";
}

/// Whether a limit needs a baseline; then there has to be one.
fn relative(from: &Sources, limits: &Limits, baseline: Option<&Path>) -> Result<bool, ConfigError> {
    let relative = limits.0.iter().find(|threshold| threshold.limit.needs_baseline());
    match (relative, baseline) {
        (Some(threshold), None) => {
            let reason = "it is about the difference from a baseline; expected --baseline FILE besides".to_owned();
            Err(ConfigError::Value(from.origin("check.fail_if").clone(), threshold.to_string(), reason))
        }
        (relative, _) => Ok(relative.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use super::*;
    use crate::cli::parse;
    use crate::programs::Command;
    use crate::tests::{BINARY, run};

    fn check(line: &str) -> CheckConfig {
        // A limit has blanks in it: the words are separated by bars here.
        let words = std::iter::once("parsec").chain(line.split('|')).map(OsString::from);
        match parse(words, &BTreeMap::new(), &BINARY) {
            Ok((Command::Check(config), _)) => *config,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_limit_may_have_labels_and_be_repeated() {
        let config = check("check|--fail-if|provide.p90{fleet=optprov,region=eu} > 2s|--fail-if|failures > 1%");
        let limits: Vec<_> = config.limits.0.iter().map(ToString::to_string).collect();
        assert_eq!(limits, ["provide.p90{fleet=optprov,region=eu} > 2s", "failures > 1%"]);
        assert!(!config.relative && !config.annotations);
        assert!(check("check|--fail-if|provide.p50 > +10%|--baseline|main.json").relative);
    }

    #[test]
    fn what_is_no_limit_is_refused_with_what_would_be_one() {
        for (line, expected) in [
            ("check", "error: no LIMIT given: set --fail-if, PARSEC_CHECK_FAIL_IF or `check.fail_if`"),
            ("check --fail-if latency>2s", "flag --fail-if: cannot use `latency>2s`: `latency` names no metric"),
            ("check --fail-if provide.p50>+10%", "expected --baseline FILE besides"),
            ("check --fail-if failures>1% --junit", "--junit"),
        ] {
            let error = run(line, &[]).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn on_github_annotations_are_written_without_being_asked_for() {
        let annotations = |environment: &[(&str, &str)]| match run("check --fail-if failures>1%", environment) {
            Ok((Command::Check(config), _)) => config.annotations,
            other => panic!("{other:?}"),
        };
        assert!(!annotations(&[]));
        assert!(annotations(&[("GITHUB_ACTIONS", "true")]));
    }
}
