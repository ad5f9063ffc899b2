//! Results, on stdout. Everything else goes to stderr: log lines, and messages for the user.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use console::Term;
use parsec_measure::shown;
use parsec_show::Look;
use thiserror::Error;

use crate::log;

/// The width if stdout is not a terminal.
const COLUMNS: usize = 100;

/// How long messages for the user may take to be written before a result is: people read both in one terminal.
const BEFORE_RESULT: Duration = Duration::from_millis(100);

/// A result that could not be written.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
pub struct Unwritten(#[from] io::Error);

impl Unwritten {
    /// Whether nobody reads any more, as behind `| head`: that is no failure worth a word.
    pub fn is_closed(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Writes one whole line at once.
///
/// # Errors
/// If stdout cannot be written to.
pub fn line(text: &str) -> Result<(), Unwritten> {
    log::flush(BEFORE_RESULT);
    Ok(write(io::stdout().lock(), text)?)
}

/// Writes a help text, which ends with its own line break.
///
/// # Errors
/// If stdout cannot be written to.
pub fn help(text: &str) -> Result<(), Unwritten> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes a table for spreadsheets, with the line endings that they expect (RFC 4180: CR LF). It contains only our own
/// text, so nothing has to be made harmless.
///
/// # Errors
/// If stdout cannot be written to.
pub fn table(text: &str) -> Result<(), Unwritten> {
    log::flush(BEFORE_RESULT);
    help(text)
}

/// Writes a part of a document for programs, in which nothing but our own escaped text stands.
///
/// # Errors
/// If stdout cannot be written to.
pub fn part(text: &str) -> Result<(), Unwritten> {
    help(text)
}

/// Prints a message that is not a result. If stderr cannot be written to, nobody is told.
pub fn note(text: &str) {
    log::note(text);
}

/// The same, and waits a moment until it is there.
pub fn note_now(text: &str) {
    log::note(text);
    log::flush(BEFORE_RESULT);
}

/// Only our own colours pass; all other terminal control sequences are removed, whoever wrote the text.
fn write(mut out: impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", shown(text, true))?;
    out.flush()
}

/// How results look: as the terminal allows, in colours if stdout is a terminal and colours are not switched off.
pub fn look(colours_unwanted: bool) -> Look {
    let terminal = Term::stdout();
    let width = terminal.size_checked().map_or(COLUMNS, |(_, columns)| usize::from(columns));
    Look { width, colour: terminal.is_term() && !colours_unwanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_our_colours_and_nothing_else_that_steers_a_terminal() {
        let mut out = Vec::new();
        write(&mut out, "\u{1b}[2mdim\u{1b}[0m kubo\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\n\tnext").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\u{1b}[2mdim\u{1b}[0m kubo\u{fffd}]0;owned\u{fffd}\u{fffd}31m\u{fffd}\n\tnext\n");
    }
}
