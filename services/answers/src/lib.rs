//! The commands that answer questions about what was measured. Each reads its settings, has the store read, the statistics count, and
//! `parsec-show` say what came of it.
//!
//! - [`results`]: what was measured, by group, and two groups compared; [`plan`]: how long to measure
//! - [`report`]: what a period comes to, as one page; [`incidents`]: what happened in it
//! - [`explain`]: what the time of operations went to, and which peers; [`trace`]: what one of them did
//! - [`check`]: limits that measurements have to keep, for CI; [`kept`]: runs in files
//! - [`export`]: measurements in files for other programs; [`prune`]: old ones deleted, the one command here that writes
//! - `measured`, `reading`, `pages`: where all of them read; `ground`: whether that was measured or simulated; `written`: where all of them write

pub mod check;
pub mod explain;
pub mod export;
mod ground;
pub mod incidents;
pub mod kept;
mod measured;
mod pages;
pub mod plan;
pub mod prune;
mod reading;
pub mod report;
pub mod results;
pub mod trace;
mod written;

use thiserror::Error;

/// What was asked for cannot be asked of these measurements: the command line is wrong. As text: why.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Unanswerable(pub(crate) String);
