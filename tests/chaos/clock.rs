//! The clock of a host, which is set while a server runs on it. Durations go by the monotonic clock, which is left alone, as on a host
//! whose time is set.

use std::io;
use std::path::{Path, PathBuf};

use parsec_test_support::clock::faketime;

use crate::plan::Skew;

/// Further off than a heartbeat may be old, and further than anybody's patience.
const BEHIND: &str = "-140s";
const AHEAD: &str = "+3600s";

/// A shell's preparation for a process that has this clock.
pub(crate) fn of_ours(disks: &Path) -> String {
    let (library, file) = (faketime(), file(disks).display().to_string());
    format!(
        "export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={file} FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
    )
}

/// It is wrong from the next second on.
pub(crate) fn set(disks: &Path, skew: Skew) -> io::Result<()> {
    let by = match skew {
        Skew::Behind => BEHIND,
        Skew::Ahead => AHEAD,
    };
    say(disks, by)
}

/// It is right from the next second on.
pub(crate) fn put_right(disks: &Path) -> io::Result<()> {
    say(disks, "+0s")
}

/// Whole at any moment, because it is read at any moment.
fn say(disks: &Path, by: &str) -> io::Result<()> {
    let (file, new) = (file(disks), disks.join("clock.new"));
    std::fs::write(&new, by)?;
    std::fs::rename(new, file)
}

fn file(disks: &Path) -> PathBuf {
    disks.join("clock")
}
