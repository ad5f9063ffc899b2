//! Results, on stdout. Everything else goes to stderr: log lines, and notes for whoever is watching.

use std::io::{self, Write};

use console::Term;

use crate::trace::Look;

/// How many columns there are where no terminal says it.
const COLUMNS: usize = 100;

/// Writes one line, whole and at once.
///
/// # Errors
/// If nobody reads any more.
pub(crate) fn line(text: &str) -> io::Result<()> {
    write(io::stdout().lock(), text)
}

/// Says something that is no result.
///
/// # Errors
/// If nobody reads any more.
pub(crate) fn note(text: &str) -> io::Result<()> {
    write(io::stderr().lock(), text)
}

fn write(mut out: impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{text}")?;
    out.flush()
}

/// How results are to look: as the terminal allows, in colours if it is one and they are not unwanted.
pub(crate) fn look(colours_unwanted: bool) -> Look {
    let terminal = Term::stdout();
    let width = terminal.size_checked().map_or(COLUMNS, |(_, columns)| usize::from(columns));
    Look { width, colour: terminal.is_term() && !colours_unwanted }
}
