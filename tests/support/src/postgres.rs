//! A PostgreSQL server of one test, which can be treated as servers are treated in life: stopped, killed, frozen, moved.
//!
//! It needs the programs of a server on this machine: nobody lends a server for this.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_postgres::{Client, NoTls};

use crate::cluster::{self, Cluster};
use crate::programs;

/// A commit survives a crash of the server: what was acknowledged is what a test counts. Each process has a pool of 8, and
/// one run of chaos has some fifteen processes.
const SETTINGS: &str = "max_connections = 200\nsynchronous_commit = on\n";

/// Ports that Linux gives to nobody who does not ask for them: one of these is still free when a server that was stopped
/// comes back to it.
const PORTS: std::ops::Range<u16> = 12_000..16_000;

/// How long a server may take to start again: one that was killed recovers first, and waits for the last of its processes.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A server, gone with this value.
#[derive(Debug)]
pub struct Postgres(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    programs: PathBuf,
    /// Where its data are now.
    data: Mutex<PathBuf>,
}

/// How a server is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Clients are cut off, and what they had begun is rolled back.
    Fast,
    /// As in a crash: the next start recovers.
    Immediate,
}

impl Postgres {
    /// A new server with an empty database.
    ///
    /// # Panics
    /// If there are no programs for one, with what to install; or if it does not start.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with further lines of `postgresql.conf`.
    ///
    /// # Panics
    /// As with [`start`](Self::start).
    pub async fn start_with(settings: &str) -> Self {
        Self::made(format!("{SETTINGS}{settings}"), None).await
    }

    /// A replica of this one. From now on a commit here waits for it, so that a fail-over to it loses nothing.
    ///
    /// # Panics
    /// As with [`start`](Self::start).
    pub async fn replica(&self) -> Self {
        let replica = Self::made(SETTINGS.to_owned(), Some(self.0.cluster.port)).await;
        let client = self.client().await.expect("a server that has a replica is there");
        let settings = "ALTER SYSTEM SET synchronous_standby_names = '*'";
        client.batch_execute(settings).await.expect("its owner may change its settings");
        client.batch_execute("SELECT pg_reload_conf()").await.expect("its owner may change its settings");
        replica
    }

    async fn made(settings: String, origin: Option<u16>) -> Self {
        let starting = tokio::task::spawn_blocking(move || {
            let programs = programs::directory();
            let programs = programs
                .expect("a server that can be killed needs PostgreSQL: install the Debian package `postgresql`");
            let cluster = cluster::start_from(&programs, lasting_port, &settings, origin);
            let data = Mutex::new(cluster.directory.join("data"));
            Self(Arc::new(Inner { cluster, programs, data }))
        });
        starting.await.expect("a server starts")
    }

    /// Where its files and its Unix socket are.
    pub fn directory(&self) -> &Path {
        &self.0.cluster.directory
    }

    /// Lets in whom this line of `pg_hba.conf` names, before all others.
    ///
    /// # Panics
    /// If the server does not take it.
    pub async fn also_allow(&self, rule: &str) {
        let file = self.0.data().join("pg_hba.conf");
        let rules = std::fs::read_to_string(&file).expect("a server has such a file");
        std::fs::write(&file, format!("{rule}\n{rules}")).expect("the file is there");
        let client = self.client().await.expect("its owner is let in");
        self.reload(&client).await;
        let wrong = client.query("SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL", &[]).await;
        assert!(wrong.is_ok_and(|lines| lines.is_empty()), "not a line of pg_hba.conf: {rule}");
    }

    /// Encrypts connections that begin from now on, if they ask for it, and shows them this certificate.
    ///
    /// # Panics
    /// If the server does not take it.
    pub async fn encrypt(&self, certificate: &Path, key: &Path) {
        let client = self.client().await.expect("its owner is let in");
        for (file, setting) in [(certificate, "ssl_cert_file"), (key, "ssl_key_file")] {
            let own = self.0.cluster.directory.join(file_name(file));
            std::fs::copy(file, &own).expect("a certificate can be copied");
            if let Some(account) = programs::account() {
                let (uid, gid) = (account.uid.as_raw(), account.gid.as_raw());
                std::os::unix::fs::chown(&own, Some(uid), Some(gid)).expect("root may give a file away");
            }
            std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o600)).expect("it is there");
            let set = format!("ALTER SYSTEM SET {setting} = '{}'", own.display());
            client.batch_execute(&set).await.expect("its owner may change its settings");
        }
        client.batch_execute("ALTER SYSTEM SET ssl = on").await.expect("its owner may change its settings");
        self.reload(&client).await;
    }

    /// Makes the server read its files again, and waits until who connects meets what it has read.
    async fn reload(&self, client: &Client) {
        let read = "SELECT extract(epoch FROM pg_conf_load_time())::float8";
        let known: f64 = client.query_one(read, &[]).await.expect("it has read its files").get(0);
        client.batch_execute("SELECT pg_reload_conf()").await.expect("its owner may change its settings");
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let newer = self.client().await.expect("its owner is let in");
            let last: f64 = newer.query_one(read, &[]).await.expect("it has read its files").get(0);
            if last > known {
                return;
            }
            assert!(Instant::now() < deadline, "the server does not read its files again");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Makes a replica a server that can be written to.
    pub async fn promote(&self) {
        let promoted = self.with(|inner| inner.run("pg_ctl", &["promote", "--wait"])).await;
        assert!(promoted, "a replica that follows can be promoted");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0.cluster.port).into()
    }

    /// Its database, as `postgres://…`.
    pub fn url(&self) -> String {
        url_at(self.address())
    }

    /// A connection that fails as soon as the server does. It may write even while the server is read-only for others.
    ///
    /// # Errors
    /// If there is no server now.
    pub async fn client(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await?;
        // Ends with the client or with the server.
        tokio::spawn(connection);
        client.batch_execute("SET default_transaction_read_only = off").await?;
        Ok(client)
    }

    /// Stops it.
    pub async fn stop(&self, how: Shutdown) {
        self.with(move |inner| inner.stop(how)).await;
    }

    /// Starts it after a [`stop`](Self::stop) or a [`kill`](Self::kill).
    pub async fn start_again(&self) {
        self.with(|inner| inner.start_again()).await;
    }

    /// Kills it (SIGKILL): its other processes notice, and end.
    pub async fn kill(&self) {
        self.with(|inner| {
            let _ = kill(inner.postmaster(), Signal::SIGKILL);
        })
        .await;
    }

    /// Starts another one in its place after a [`stop`](Self::stop): on a copy of its files, at the same address, as in a
    /// fail-over to a replica that had everything.
    pub async fn start_elsewhere(&self) {
        self.with(|inner| {
            inner.move_data();
            inner.start_again();
        })
        .await;
    }

    /// Freezes every process of it (SIGSTOP): connections stay, and nobody answers.
    pub fn freeze(&self) {
        self.0.signal(Signal::SIGSTOP);
    }

    /// Ends a [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.0.signal(Signal::SIGCONT);
    }

    /// In a thread of its own: starting and stopping take seconds, and proxies go on meanwhile.
    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> T + Send + 'static) -> T {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner)).await.expect("a server does what it is told")
    }
}

/// The database of a server, asked for at another address, such as that of a proxy.
pub fn url_at(address: SocketAddr) -> String {
    format!("postgres://parsec@{address}/postgres?sslmode=disable")
}

impl Inner {
    fn data(&self) -> PathBuf {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stop(&self, how: Shutdown) {
        let mode = match how {
            Shutdown::Fast => "--mode=fast",
            Shutdown::Immediate => "--mode=immediate",
        };
        let ended = self.run("pg_ctl", &["stop", "--wait", mode]);
        assert!(ended, "PostgreSQL does not stop");
    }

    /// A start fails for as long as a process of a killed server is there.
    fn start_again(&self) {
        let deadline = Instant::now() + START_LIMIT;
        let log = self.cluster.directory.join("log");
        let log = format!("--log={}", log.display());
        while !self.run("pg_ctl", &["start", "--wait", &log]) {
            let said = || std::fs::read_to_string(self.cluster.directory.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not start again; it said:\n{}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn move_data(&self) {
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let (old, new) = (data.clone(), data.with_file_name(format!("{}x", file_name(&data))));
        let copied = as_server(Command::new("cp").arg("-a").args([&old, &new])).status();
        assert!(copied.is_ok_and(|status| status.success()), "the data of a server can be copied");
        *data = new;
    }

    /// Runs a program of the server's on its data, in its account. Whether it succeeded.
    fn run(&self, program: &str, args: &[&str]) -> bool {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--pgdata").arg(self.data()).args(args).current_dir(&self.cluster.directory);
        let ran = as_server(&mut command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    }

    fn postmaster(&self) -> Pid {
        let path = self.data().join("postmaster.pid");
        let first = std::fs::File::open(&path).ok().and_then(|file| BufReader::new(file).lines().next()?.ok());
        let pid = first.and_then(|line| line.trim().parse().ok());
        Pid::from_raw(pid.unwrap_or_else(|| panic!("no process in {}: the server does not run", path.display())))
    }

    /// The first process first: it starts the others.
    fn signal(&self, signal: Signal) {
        let postmaster = self.postmaster();
        let _ = kill(postmaster, signal);
        for child in children_of(postmaster) {
            // One that has ended meanwhile is none of ours any more.
            let _ = kill(child, signal);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The keeper stops it then, which takes processes that run.
        if self.data().join("postmaster.pid").exists() {
            self.signal(Signal::SIGCONT);
        }
    }
}

/// Makes the command run in the server's account and in a process group of its own, as the keeper does.
fn as_server(command: &mut Command) -> &mut Command {
    command.process_group(0);
    if let Some(account) = programs::account() {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The processes that this one has started.
fn children_of(parent: Pid) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent.as_raw())).map(Pid::from_raw).collect()
}

/// proc(5), `stat`: the name, in parentheses, may hold anything; the state and the parent follow it.
fn parent_of(process: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A port that stays free while nobody listens on it.
pub(crate) fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % u32::from(PORTS.end - PORTS.start)).unwrap_or_default();
    loop {
        // Another process of tests begins elsewhere.
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + process.wrapping_mul(37).wrapping_add(step) % (PORTS.end - PORTS.start);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answers(server: &Postgres) -> bool {
        let Ok(client) = server.client().await else { return false };
        client.simple_query("SELECT 1").await.is_ok()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_committed_survives_a_stop_a_kill_and_a_fail_over() {
        let server = Postgres::start().await;
        server.client().await.unwrap().batch_execute("CREATE TABLE kept (id INT)").await.unwrap();
        for round in 1..=3 {
            server.client().await.unwrap().batch_execute("INSERT INTO kept VALUES (1)").await.unwrap();
            match round {
                1 => server.stop(Shutdown::Fast).await,
                2 => server.kill().await,
                _ => server.stop(Shutdown::Immediate).await,
            }
            assert!(!answers(&server).await);
            match round {
                1 | 2 => server.start_again().await,
                _ => server.start_elsewhere().await,
            }
            let row = server.client().await.unwrap().query_one("SELECT count(*) FROM kept", &[]).await.unwrap();
            assert_eq!(row.get::<_, i64>(0), round);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_replica_has_what_was_committed_and_can_be_written_to_once_it_is_promoted() {
        let server = Postgres::start().await;
        let replica = server.replica().await;
        let rows = "CREATE TABLE kept (id INT); INSERT INTO kept VALUES (1)";
        server.client().await.unwrap().batch_execute(rows).await.unwrap();
        server.kill().await;
        let write = async || replica.client().await.unwrap().batch_execute("INSERT INTO kept VALUES (2)").await;
        assert!(write().await.is_err());
        replica.promote().await;
        write().await.unwrap();
        let row = replica.client().await.unwrap().query_one("SELECT count(*) FROM kept", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_frozen_server_answers_once_it_thaws_and_goes_when_it_is_dropped_frozen() {
        let server = Postgres::start().await;
        let client = server.client().await.unwrap();
        server.freeze();
        let mut asking = Box::pin(client.simple_query("SELECT 1"));
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut asking).await.is_err());
        server.thaw();
        asking.await.unwrap();
        let directory = server.0.cluster.directory.clone();
        server.freeze();
        drop(server);
        let deadline = Instant::now() + Duration::from_secs(30);
        while directory.exists() {
            assert!(Instant::now() < deadline, "{} is still there", directory.display());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
