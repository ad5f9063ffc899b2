//! What a process said of itself when it started.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// A server, or a scheduler's loop of rounds, as it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The fleet of a server; the fleets of a loop, joined by plus signs.
    pub of: String,
    /// The region of a server; empty for a loop.
    pub region: String,
    /// When it started.
    pub started: DateTime<Utc>,
    /// Package, version, settings and libraries, by name: whatever it said. The servers of others may say anything, or nothing.
    pub said: BTreeMap<String, String>,
    /// The command line of a server, with secrets blanked; empty for a loop.
    pub cmd: String,
}
