//! What a process writes: results on stdout, everything else on stderr. From the bottom up:
//!
//! - [`log`]: log lines, and messages for the user among them
//! - `result`: results, and what it means that one cannot be written

pub mod log;
mod result;

pub use result::{Unwritten, help, line, look, note, note_now, part, table};
