//! How many files a process may have open.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// How many leave room for everything: the connections that a DHT node keeps (192) and those that others may have to it (1,024), a crawl's 200
/// visits with a few dials each, the HTTP API's connections, the database and the spool.
pub const ENOUGH: u64 = 4_096;

/// How far the limit can be raised.
///
/// # Errors
/// If the system does not tell.
pub fn limit() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1)
}

/// How many may be open now.
///
/// # Errors
/// If the system does not tell.
pub fn in_force() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Raises the limit as far as the system allows, and returns it.
///
/// # Errors
/// If the limit stays as it is.
pub fn raise() -> io::Result<u64> {
    let hard = limit()?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
