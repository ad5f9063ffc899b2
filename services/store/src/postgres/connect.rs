//! How a session is made: where, with which TLS, and with how much patience.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::config::{SslMode as Negotiation, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure;
use super::tls;
use crate::session::Session;
use crate::{SslMode, StoreConfig, StoreError};

/// How long a session may take to be made, logged in and with tries at a server that is full included.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long the machine waits for a peer that is silent, before it takes the connection for dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// The shortest and the longest pause before a server is asked again that has no session to spare. Others need theirs for
/// milliseconds.
const FULL_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// For how long a server counts as full that was found so: others may still be waiting, as we did.
const FULL_FOR: Duration = CONNECT_LIMIT;

/// Makes sessions with one database.
pub(super) struct Connector {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    /// Try without TLS first, and with it if the server insists.
    plain_first: bool,
    /// There is more than one server.
    several: bool,
    /// For messages, without the password.
    target: String,
    /// When the server had no session to spare last.
    full_at: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.target).finish()
    }
}

impl Connector {
    /// # Errors
    /// [`StoreError::Refused`] if the root certificates cannot be used.
    ///
    /// # Panics
    /// If `store` is not PostgreSQL.
    pub(super) fn new(store: &StoreConfig) -> Result<Self, StoreError> {
        let StoreConfig::Postgres { host, port, name, user, password, ssl, root_cert } = store else {
            panic!("a PostgreSQL store was made from {store}");
        };
        let hosts: Vec<&str> = host.split(',').collect();
        let over_socket = hosts.iter().all(|host| host.starts_with('/'));
        let negotiation = match ssl {
            // As in libpq: a Unix socket is never encrypted.
            _ if over_socket => Negotiation::Disable,
            SslMode::Disable | SslMode::Allow => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
        };
        let mut config = tokio_postgres::Config::new();
        for host in &hosts {
            config.host(*host);
        }
        let each = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
        config
            .port(*port)
            .dbname(name)
            .user(user)
            .application_name("parsec")
            .ssl_mode(negotiation)
            // So that one that is silent leaves time for the next.
            .connect_timeout(CONNECT_LIMIT / each)
            .keepalives_idle(SILENCE_LIMIT)
            .tcp_user_timeout(SILENCE_LIMIT);
        if !password.reveal().is_empty() {
            config.password(password.reveal());
        }
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls::client_config(*ssl, root_cert.as_deref())?),
            plain_first: *ssl == SslMode::Allow && !over_socket,
            several: hosts.len() > 1,
            target: store.to_string(),
            full_at: Mutex::default(),
        })
    }

    /// Whether others may be waiting for our sessions.
    pub(super) fn server_is_full(&self) -> bool {
        self.full_at.lock().is_some_and(|at| at.elapsed() < FULL_FOR)
    }

    async fn connect(&self) -> Result<Session, StoreError> {
        let deadline = Instant::now() + CONNECT_LIMIT;
        let mut pause = FULL_PAUSE.0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(connected) = timeout(left, self.with_or_without_tls()).await else {
                let reason = format!("{}: no connection within {} s", self.target, CONNECT_LIMIT.as_secs());
                return Err(StoreError::Unavailable(reason));
            };
            match connected {
                Ok(session) => return Ok(session),
                Err(error) if is_full(&error) && Instant::now() + pause < deadline => {
                    *self.full_at.lock() = Some(Instant::now());
                    sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                    pause = (pause * 2).min(FULL_PAUSE.1);
                }
                Err(error) => return Err(failure::explain(&error, &self.target)),
            }
        }
    }

    async fn with_or_without_tls(&self) -> Result<Session, tokio_postgres::Error> {
        match self.writable_first(&self.config).await {
            Err(error) if self.plain_first && insists_on_tls(&error) => {
                let mut encrypted = self.config.clone();
                encrypted.ssl_mode(Negotiation::Require);
                self.writable_first(&encrypted).await
            }
            done => done,
        }
    }

    /// A name may lead to several servers, of which one can be written to. Without one, any that can be read.
    async fn writable_first(&self, config: &tokio_postgres::Config) -> Result<Session, tokio_postgres::Error> {
        let mut writable = config.clone();
        writable.target_session_attrs(TargetSessionAttrs::ReadWrite);
        match self.establish(&writable).await {
            Err(error) if self.several || is_read_only(&error) => self.establish(config).await,
            done => done,
        }
    }

    async fn establish(&self, config: &tokio_postgres::Config) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = config.connect(self.tls.clone()).await?;
        Ok(Session::new(client, connection))
    }
}

impl Manager for Connector {
    type Type = Session;
    type Error = StoreError;

    async fn create(&self) -> Result<Session, StoreError> {
        self.connect().await
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<StoreError> {
        if session.is_spent() { Err(RecycleError::message("it is spent")) } else { Ok(()) }
    }
}

/// What `pg_hba.conf` says to an unencrypted connection where it has `hostssl` lines only.
fn insists_on_tls(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

fn is_full(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

/// tokio-postgres says so with an error of the kind that systems use for files.
fn is_read_only(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}
