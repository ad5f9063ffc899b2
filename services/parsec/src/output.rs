//! Results, on stdout. Everything else goes to stderr as log lines.

use std::io::{self, Write};

/// Writes one line, whole and at once.
///
/// # Errors
/// If nobody reads any more.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
