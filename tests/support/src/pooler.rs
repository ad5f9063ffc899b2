//! A PgBouncer between programs and their database, as many deployments have one.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::postgres::lasting_port;
use crate::programs;

/// How long it may take to listen.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Ends PgBouncer when the other end of standard input is closed, which happens in whatever way this process ends.
const KEEPER: &str = r#"pgbouncer -q "$1" & pid=$!; cat >/dev/null; kill "$pid"; wait "$pid""#;

/// For how long PgBouncer lends a session of the server to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lending {
    /// Until the client ends.
    Session,
    /// Until its transaction ends.
    Transaction,
    /// Until its statement ends.
    Statement,
}

/// A pooler, gone with this value.
#[derive(Debug)]
pub struct Pooler {
    address: SocketAddr,
    keeper: Child,
    _directory: TempDir,
}

impl Pooler {
    /// A pooler in front of the server at this address. Where sessions are shared, few serve all clients.
    ///
    /// # Panics
    /// If it does not start: install the Debian package `pgbouncer`.
    pub async fn before(server: SocketAddr, lending: Lending) -> Self {
        tokio::task::spawn_blocking(move || Self::start(server, lending)).await.expect("a pooler starts")
    }

    fn start(server: SocketAddr, lending: Lending) -> Self {
        let directory = tempfile::Builder::new().prefix("parsec-pooler-").tempdir();
        let directory = directory.expect("tests can make a temporary directory");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, lasting_port()));
        let (mode, sessions) = match lending {
            Lending::Session => ("session", 50),
            Lending::Transaction => ("transaction", 3),
            Lending::Statement => ("statement", 3),
        };
        let users = directory.path().join("users");
        let settings = format!(
            "[databases]\n* = host={} port={}\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = {sessions}\nmax_client_conn = 200\n\
             server_login_retry = 1\nserver_lifetime = 3\nlogfile = {}\n",
            server.ip(),
            server.port(),
            address.ip(),
            address.port(),
            users.display(),
            directory.path().join("log").display(),
        );
        let file = directory.path().join("settings");
        std::fs::write(&users, "\"parsec\" \"\"\n").expect("a fresh temporary directory is writable");
        std::fs::write(&file, settings).expect("a fresh temporary directory is writable");
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&file).process_group(0);
        if let Some(account) = programs::account() {
            let (uid, gid) = (account.uid.as_raw(), account.gid.as_raw());
            std::os::unix::fs::chown(directory.path(), Some(uid), Some(gid)).expect("root may give a directory away");
            keeper.uid(uid).gid(gid);
        }
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let pooler = Self { address, keeper: keeper.expect("there is a shell"), _directory: directory };
        let deadline = Instant::now() + START_LIMIT;
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "no pooler: install the Debian package `pgbouncer`");
            std::thread::sleep(Duration::from_millis(10));
        }
        pooler
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
