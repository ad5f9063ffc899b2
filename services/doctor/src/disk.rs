//! Whether there is room on the disks, whether we may write there, and what is left from earlier.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use parsec_settings::ServerConfig;
use parsec_show::findings::Finding;
use parsec_show::words;
use parsec_store::{SpoolDepth, StoreConfig, inspect, set_aside};

/// How much room a database in a file should have: a hundred thousand operations with their traces.
const DATABASE_ROOM: u64 = 1 << 30;

/// Below this no program can do anything.
const NO_ROOM: u64 = 64 << 20;

/// The spool, and the file of the database if it is one.
pub(super) fn look(server: &ServerConfig, target: &StoreConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    match server.spool.directory.as_deref() {
        Some(directory) => {
            found.push(room("spool disk", directory, server.spool_limits.limits.bytes, "--spool-size or --spool-dir"));
            found.extend(spooled(directory));
        }
        None => found.push(Finding::warning(
            "spool disk",
            "there is no spool directory: rows that wait for the database are lost with the process",
            "set --spool-dir, PARSEC_SPOOL_DIR or HOME",
        )),
    }
    if let StoreConfig::Sqlite { path } = target {
        found.push(room("database disk", path, DATABASE_ROOM, "another path in --database-url"));
    }
    found
}

/// Whether we may write at a path, or make it, and how much room is there.
fn room(what: &'static str, path: &Path, wanted: u64, flag: &str) -> Finding {
    let there = existing(path);
    if let Err(error) = access(&there, AccessFlags::W_OK) {
        let said = format!("{} cannot be written: {}", there.display(), std::io::Error::from(error));
        return Finding::error(what, said, format!("give this user the right to write there, or choose {flag}"));
    }
    match nix::sys::statvfs::statvfs(&there) {
        Ok(disk) => {
            let free = disk.blocks_available() * disk.fragment_size();
            judge(what, path, free, wanted, flag)
        }
        Err(error) => Finding::warning(what, format!("{}: {error}", there.display()), "see how much room is there"),
    }
}

fn judge(what: &'static str, path: &Path, free: u64, wanted: u64, flag: &str) -> Finding {
    let said = format!("{}: {} free", path.display(), words::bytes(free));
    if free < NO_ROOM {
        Finding::error(what, said, format!("make room, or choose {flag}"))
    } else if free < wanted {
        Finding::warning(
            what,
            format!("{said}, of {} that may be needed", words::bytes(wanted)),
            format!("make room, or choose {flag}"),
        )
    } else {
        Finding::ok(what, said)
    }
}

/// The path, or the nearest folder above it that exists.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|path| path.exists()).map(Path::to_path_buf);
    found.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."))
}

/// Rows that wait for a process that is gone, that cannot be read, or that the database has refused.
fn spooled(directory: &Path) -> Vec<Finding> {
    const WHAT: &str = "spool";
    let slots = match inspect(directory, SpoolDepth::Frames) {
        Ok(slots) => slots,
        Err(error) => return vec![Finding::error(WHAT, error.to_string(), "give this user the right to read it")],
    };
    let mut found = Vec::new();
    let left: usize = slots.iter().filter(|slot| slot.is_abandoned()).map(|slot| slot.rows + slot.open_rounds).sum();
    if left > 0 {
        let said =
            format!("{} left by processes that are gone", words::count(left, "row or round is", "rows or rounds are"));
        found.push(Finding::warning(
            WHAT,
            said,
            "the next process with this directory and database writes them, or `parsec spool replay`",
        ));
    }
    let damaged: usize = slots.iter().map(|slot| slot.damage.len()).sum();
    if damaged > 0 {
        let said = words::count(damaged, "place cannot be read", "places cannot be read");
        found.push(Finding::warning(WHAT, said, "`parsec spool verify` says which"));
    }
    match set_aside(directory) {
        Ok(refused) if refused.is_empty() => {}
        Ok(_) => found.push(Finding::warning(
            WHAT,
            "the database has refused rows, which are set aside",
            "`parsec spool list` says why; mend that, then `parsec spool replay`",
        )),
        Err(error) => found.push(Finding::warning(WHAT, error.to_string(), "give this user the right to read it")),
    }
    if found.is_empty() {
        let waiting: usize = slots.iter().map(|slot| slot.rows).sum();
        found.push(Finding::ok(
            WHAT,
            match waiting {
                0 => "no rows wait".to_owned(),
                rows => format!("{} for processes that run", words::count(rows, "row waits", "rows wait")),
            },
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_show::findings::Level;

    #[test]
    fn room_is_enough_scarce_or_none() {
        let level = |free| judge("spool disk", Path::new("/spool"), free, 1 << 30, "--spool-size").level;
        assert_eq!(
            [2 << 30, 1 << 30, (1 << 30) - 1, 1 << 20].map(level),
            [Level::Ok, Level::Ok, Level::Warning, Level::Error]
        );
    }

    #[test]
    fn what_is_not_there_yet_is_judged_by_the_folder_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b/c")), folder.path());
        assert_eq!(existing(Path::new("not-here.db")), Path::new("."));
        let found = room("spool disk", &folder.path().join("spool"), 1, "--spool-dir");
        assert_eq!(found.level, Level::Ok, "{found:?}");
        assert_eq!(spooled(&folder.path().join("spool"))[0].said, "no rows wait");
        let found = room("spool disk", Path::new("/proc/self/none"), 1, "--spool-dir");
        assert_eq!(found.level, Level::Error, "{found:?}");
    }
}
