//! Where the programs of a PostgreSQL server are, and as whom they run.

use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};

/// Where Debian and its like keep the programs of each major version, outside the search path.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// The account that PostgreSQL runs as where we are root (it refuses to be root): its own if the package made one,
/// else the one that every Unix has.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// The directory with `initdb`, `pg_ctl` and `postgres`: the newest version that Debian's packages installed, else
/// wherever the search path has them.
#[expect(clippy::disallowed_methods, reason = "where a test finds PostgreSQL is a property of the machine it runs on")]
pub(crate) fn directory() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN_VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| is_complete(bin))
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, bin)| bin);
    newest.or_else(|| std::env::split_paths(&std::env::var_os("PATH")?).find(|bin| is_complete(bin)))
}

fn is_complete(bin: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|program| bin.join(program).is_file())
}

/// Whom to become before starting them; `None` if we may stay who we are.
pub(crate) fn account() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let found = ACCOUNTS.iter().find_map(|name| User::from_name(name).ok().flatten());
    Some(found.unwrap_or_else(|| panic!("PostgreSQL does not run as root, and there is no account {ACCOUNTS:?}")))
}
