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
use crate::{Password, SslMode, StoreConfig, StoreError};

/// How long a session may take to be made, logged in and with tries at a server that is full included.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long one address may be silent before the next one of its name is tried.
const ADDRESS_LIMIT: Duration = Duration::from_secs(3);

/// How long the machine waits for a peer that is silent, before it takes the connection for dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// The shortest and the longest pause before a server is asked again that has no session to spare. Others need theirs for
/// milliseconds.
const FULL_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// For how long a server counts as full that was found so: others may still be waiting, as we did.
const FULL_FOR: Duration = CONNECT_LIMIT;

/// Makes sessions with one database.
pub(super) struct Connector {
    /// One for each server, in the order in which they are tried.
    servers: Vec<tokio_postgres::Config>,
    /// As it is when a session is made: it may be replaced meanwhile.
    password: Password,
    tls: MakeRustlsConnect,
    /// Try without TLS first, and with it if the server insists.
    plain_first: bool,
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
        config
            .port(*port)
            .dbname(name)
            .user(user)
            .application_name("parsec")
            .ssl_mode(negotiation)
            .connect_timeout(ADDRESS_LIMIT)
            .keepalives_idle(SILENCE_LIMIT)
            .tcp_user_timeout(SILENCE_LIMIT);
        let at = |host: &&str| {
            let mut config = config.clone();
            config.host(*host);
            config
        };
        Ok(Self {
            servers: hosts.iter().map(at).collect(),
            password: password.clone(),
            tls: MakeRustlsConnect::new(tls::client_config(*ssl, root_cert.as_deref())?),
            plain_first: *ssl == SslMode::Allow && !over_socket,
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
            let error = match timeout(left, self.with_or_without_tls()).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(Failure::Error(error))) => error,
                Ok(Err(Failure::Silence)) | Err(_) => {
                    let reason = format!("{}: no connection within {} s", self.target, CONNECT_LIMIT.as_secs());
                    return Err(StoreError::Unavailable(reason));
                }
            };
            if !is_full(&error) || Instant::now() + pause >= deadline {
                return Err(failure::explain(&error, &self.target));
            }
            *self.full_at.lock() = Some(Instant::now());
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(FULL_PAUSE.1);
        }
    }

    async fn with_or_without_tls(&self) -> Result<Session, Failure> {
        match self.writable_first(None).await {
            Err(Failure::Error(error)) if self.plain_first && insists_on_tls(&error) => {
                self.writable_first(Some(Negotiation::Require)).await
            }
            done => done,
        }
    }

    /// A session with the first server that can be written to, or else with one that can be read. A name may lead to several
    /// servers too.
    async fn writable_first(&self, negotiation: Option<Negotiation>) -> Result<Session, Failure> {
        let share = CONNECT_LIMIT / u32::try_from(self.servers.len()).unwrap_or(u32::MAX).max(1);
        let (mut readable, mut failed) = (None, Failure::Silence);
        let password = self.password.reveal();
        for server in &self.servers {
            let mut any = server.clone();
            if !password.is_empty() {
                any.password(&password);
            }
            if let Some(negotiation) = negotiation {
                any.ssl_mode(negotiation);
            }
            let mut writable = any.clone();
            writable.target_session_attrs(TargetSessionAttrs::ReadWrite);
            // One that is silent leaves time for the next.
            match timeout(share, self.establish(&writable)).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(error)) => {
                    if is_read_only(&error) {
                        readable.get_or_insert(any);
                    }
                    failed = Failure::Error(error);
                }
                Err(_) => {}
            }
        }
        match readable {
            Some(server) => self.establish(&server).await.map_err(Failure::Error),
            None => Err(failed),
        }
    }

    async fn establish(&self, config: &tokio_postgres::Config) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = config.connect(self.tls.clone()).await?;
        Ok(Session::new(client, connection))
    }
}

/// Why there is no session.
enum Failure {
    /// The last server that said anything.
    Error(tokio_postgres::Error),
    /// None did.
    Silence,
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
