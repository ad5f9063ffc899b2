//! PostgreSQL servers to throw away: one that all tests of a process share, started at first use and gone with the process,
//! and the beginning of those that a test has of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use crate::programs;

/// How often a start is tried: between choosing a free port and listening on it, somebody else may take it.
const ATTEMPTS: usize = 3;

/// Settings of a server that is thrown away. Nothing survives a crash of the machine, nothing needs to.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
fsync = off
full_page_writes = off
autovacuum = off
";

/// 300 connections: every test of a process has pools of its own, and they run at the same time. A commit need not even
/// survive a crash of the server.
const SHARED: &str = "max_connections = 300\nsynchronous_commit = off\n";

/// Outlives the process by a moment: stops the server and removes its files when our end of the pipe closes.
const KEEPER: &str = include_str!("keeper.sh");

/// The environment variable that names a server to use instead of starting one, as
/// `postgres://user:password@host:port/database`. The user must be allowed to create databases.
pub const SERVER_VARIABLE: &str = "PARSEC_TEST_DATABASE_URL";

/// A running server.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Where it listens, on the loopback interface.
    pub(crate) port: u16,
    /// Its files, until it ends.
    pub(crate) directory: PathBuf,
    /// The end of the pipe that the keeper watches: closed when this process ends, in whatever way. The handle is
    /// close-on-exec, so that no other child of a test can hold it open.
    _lifeline: ChildStdin,
}

/// The server of this process.
///
/// # Panics
/// If it cannot be started, with a sentence that says what to install or what PostgreSQL said.
pub(crate) fn shared() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let Some(programs) = programs::directory() else {
            panic!(
                "these tests need PostgreSQL: install the Debian package `postgresql`, or set {} to a server on which \
                 they may create databases",
                SERVER_VARIABLE
            );
        };
        start(&programs, free_port, SHARED)
    })
}

/// Starts a server on a port that `port` gives, with further settings.
///
/// # Panics
/// If it cannot be started, with what it said.
pub(crate) fn start(programs: &Path, port: impl Fn() -> u16, settings: &str) -> Cluster {
    start_from(programs, port, settings, None)
}

/// The same as a replica that follows the server at the port `origin`.
///
/// # Panics
/// If it cannot be started, with what it said.
pub(crate) fn start_from(programs: &Path, port: impl Fn() -> u16, settings: &str, origin: Option<u16>) -> Cluster {
    let mut said = String::new();
    for _ in 0..ATTEMPTS {
        match try_to_start(programs, port(), settings, origin) {
            Ok(cluster) => return cluster,
            Err(log) => said = log,
        }
    }
    panic!("PostgreSQL from {} did not start in {ATTEMPTS} attempts; it said:\n{said}", programs.display())
}

/// Starts a server in a directory of its own. The error is what it said.
fn try_to_start(programs: &Path, port: u16, settings: &str, origin: Option<u16>) -> Result<Cluster, String> {
    let directory = prepare_directory(port, settings);
    let origin = origin.map(|port| port.to_string()).unwrap_or_default();
    let mut keeper = Command::new("/bin/sh");
    // A process group of its own: Ctrl-C at a terminal must reach the tests and not the keeper, which cleans up after.
    keeper
        .args(["-c", KEEPER, "keeper"])
        .arg(programs)
        .arg(&directory)
        .arg(origin)
        .current_dir(&directory)
        .process_group(0);
    if let Some(account) = programs::account() {
        keeper.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    let mut child = keeper
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("/bin/sh: {error}"))?;

    let lifeline = child.stdin.take().expect("standard input was asked for");
    let answer = child.stdout.take().expect("standard output was asked for");
    let mut line = String::new();
    // Bounded by pg_ctl's own --timeout.
    BufReader::new(answer).read_line(&mut line).map_err(|error| error.to_string())?;
    match line.trim() {
        "ready" => Ok(Cluster { port, directory, _lifeline: lifeline }),
        _ => Err(fs::read_to_string(directory.join("log")).unwrap_or_else(|error| error.to_string())),
    }
}

/// A directory that belongs to the server's account, with its settings in it. The keeper removes it.
fn prepare_directory(port: u16, further: &str) -> PathBuf {
    let directory = tempfile::Builder::new().prefix("parsec-postgres-").tempdir();
    let directory = directory.expect("tests can make a temporary directory").keep();
    let settings = format!("{SETTINGS}{further}port = {port}\nunix_socket_directories = '{}'\n", directory.display());
    fs::write(directory.join("settings"), settings).expect("a fresh temporary directory is writable");
    if let Some(account) = programs::account() {
        let (uid, gid) = (account.uid.as_raw(), account.gid.as_raw());
        std::os::unix::fs::chown(&directory, Some(uid), Some(gid)).expect("root may give a directory away");
    }
    directory
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface has a free port");
    probe.local_addr().expect("a bound socket has an address").port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    #[test]
    fn a_server_and_its_files_are_gone_once_nobody_holds_the_lifeline() {
        let cluster = start(&programs::directory().expect("PostgreSQL is installed"), free_port, SHARED);
        let (port, directory) = (cluster.port, cluster.directory.clone());
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() && directory.exists());

        drop(cluster);
        let deadline = Instant::now() + Duration::from_secs(30);
        while directory.exists() {
            assert!(Instant::now() < deadline, "{} is still there", directory.display());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
