//! Results, on stdout. Everything else goes to stderr: log lines, and messages for the user.

use std::io::{self, Write};

use console::Term;
use parsec_measure::shown;
use parsec_show::Look;

/// The width if stdout is not a terminal.
const COLUMNS: usize = 100;

/// Writes one whole line at once.
///
/// # Errors
/// If stdout has been closed.
pub(crate) fn line(text: &str) -> io::Result<()> {
    write(io::stdout().lock(), text)
}

/// Writes a table for spreadsheets, with the line endings that they expect (RFC 4180: CR LF). It contains only our own
/// text, so nothing has to be made harmless.
///
/// # Errors
/// If stdout has been closed.
pub(crate) fn table(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints a message that is not a result.
///
/// # Errors
/// If stderr has been closed.
pub(crate) fn note(text: &str) -> io::Result<()> {
    write(io::stderr().lock(), text)
}

/// Only our own colours pass; all other terminal control sequences are removed, whoever wrote the text.
fn write(mut out: impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", shown(text, true))?;
    out.flush()
}

/// How results look: as the terminal allows, in colours if stdout is a terminal and colours are not switched off.
pub(crate) fn look(colours_unwanted: bool) -> Look {
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
