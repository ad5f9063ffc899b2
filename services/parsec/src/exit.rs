//! The exit codes of a process, and its last line on stderr.

use parsec_answers::Unanswerable;
use parsec_bench::Refused;
use parsec_lab::memory::TooLarge;
use thiserror::Error;

use parsec_output::Unwritten;

/// A second signal during a stop: 128 + SIGINT, as shells have it.
const IMPATIENT: u8 = 130;

/// Nobody reads the result any more: 128 + SIGPIPE, as for tools that the signal ends.
const UNREAD: u8 = 141;

/// What the codes of servers and schedulers mean, for their help.
pub(crate) const EXIT_CODES: [(u8, &str); 6] = [
    (
        0,
        "told to stop, and everything measured is written, or waits on a disk that outlives the process (--spool-durable); the log says how many rows",
    ),
    (1, "could not start"),
    (2, "wrong command line or configuration"),
    (70, "gave up: an actor crashed too often, or blocked all others; the last line on stderr says which and why"),
    (75, "stopped, but not everything was finished within --stop-timeout; the last line on stderr says what was not"),
    (IMPATIENT, "a second signal: ended at once"),
];

/// An end that has its own exit code. As text: the last line on stderr.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Something cannot be kept alive: whatever started the process should start a fresh one (EX_SOFTWARE of
    /// sysexits.h).
    #[error("giving up: {0}")]
    GaveUp(String),
    /// A stop that left something undone (EX_TEMPFAIL of sysexits.h).
    #[error("stopped, but not everything was finished: {0}")]
    Unfinished(String),
    /// A local network for which there is not enough memory.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Told a second time to stop.
    #[error("second signal, ending at once")]
    Impatient,
}

impl Failure {
    /// See [`EXIT_CODES`].
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::TooLarge(_) => 2,
            Self::GaveUp(_) => 70,
            Self::Unfinished(_) => 75,
            Self::Impatient => IMPATIENT,
        }
    }
}

/// The exit code for an error of a command: 1, unless it has one of its own.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref().is_some_and(Unwritten::is_closed) {
        return UNREAD;
    }
    if error.downcast_ref::<Unanswerable>().is_some() || error.downcast_ref::<Refused>().is_some() {
        return 2;
    }
    error.downcast_ref::<Failure>().map_or(1, Failure::exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn whoever_gave_up_has_a_code_of_its_own_whatever_is_said_around_it() {
        let gave_up = || anyhow::Error::new(Failure::GaveUp("recorder".to_owned()));
        assert_eq!(code(&gave_up()), 70);
        assert_eq!(code(&Err::<(), _>(gave_up()).context("in a demonstration").unwrap_err()), 70);
        assert_eq!(code(&Failure::Unfinished("recorder".to_owned()).into()), 75);
        assert_eq!(code(&anyhow::anyhow!("port 4001 is taken")), 1);
    }

    #[test]
    fn a_result_that_nobody_reads_is_no_failure_like_one_that_has_no_room() {
        let unwritten = |kind| code(&Unwritten::from(std::io::Error::from(kind)).into());
        assert_eq!(unwritten(std::io::ErrorKind::BrokenPipe), 141);
        assert_eq!(unwritten(std::io::ErrorKind::StorageFull), 1);
    }

    #[test]
    fn every_code_of_a_failure_is_in_the_table_and_the_table_in_the_documentation() {
        let documented = include_str!("../../../docs/operating.md");
        for (code, meaning) in EXIT_CODES {
            let line = format!("| {code} | {meaning} |");
            assert!(documented.contains(&line), "docs/operating.md has no line {line}");
        }
        let failures = [Failure::GaveUp(String::new()), Failure::Unfinished(String::new()), Failure::Impatient];
        for failure in failures {
            assert!(EXIT_CODES.iter().any(|(code, _)| *code == failure.exit_code()), "{failure:?}");
        }
    }
}
