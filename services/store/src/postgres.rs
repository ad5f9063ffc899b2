//! PostgreSQL: how a connection is made, and how the schema is brought up to date.

mod connection;
mod migrate;
mod rights;
mod tls;
mod upstream;

use std::time::Duration;

use diesel::ConnectionResult;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures::FutureExt;
use tokio::time::timeout;
use tokio_postgres::config::SslMode as Negotiation;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::detached::{Backend, result_of};
use crate::{Migrated, SslMode, StoreConfig, StoreError};

/// Connections of one program: its heartbeats, reads and batches together are seldom more than two at a time, and a
/// server's default limit of 100 should do for all programs of a fleet.
const MAX_CONNECTIONS: usize = 8;

/// How long a connection may take to be made, logged in included; twice that until one of the pool is free.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long one statement may take, kept by the server. Ours take milliseconds; one that takes this long waits for a
/// lock or a sick disk, and would go on after its caller has given up.
const STATEMENT_LIMIT: Duration = Duration::from_secs(30);

/// How long the machine waits for a peer that is silent, before it takes the connection for dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// One PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool<AsyncPgConnection>,
    /// For messages, without the password.
    target: String,
}

impl Postgres {
    /// Prepares connections; none is made yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the root certificates cannot be used.
    ///
    /// # Panics
    /// If `config` is not for PostgreSQL.
    pub(crate) fn new(config: &StoreConfig) -> Result<Self, StoreError> {
        let target = config.to_string();
        let connector = Connector::new(config)?;
        let mut manager = ManagerConfig::default();
        manager.custom_setup = Box::new(move |_| {
            let connector = connector.clone();
            async move { connector.connect().await.map_err(StoreError::into_connection_error) }.boxed()
        });
        // The URL is for diesel's own set-up, which ours replaces.
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), manager);
        let pool = Pool::builder(manager).max_size(MAX_CONNECTIONS).build();
        Ok(Self { pool: pool.expect("a pool without timeouts of its own needs no runtime"), target })
    }
}

impl Backend for Postgres {
    type Connection = AsyncPgConnection;
    type Guard = Object<AsyncPgConnection>;

    async fn connection(&self) -> Result<Self::Guard, StoreError> {
        match timeout(2 * CONNECT_LIMIT, self.pool.get()).await {
            Ok(connection) => Ok(connection?),
            Err(_) => {
                let target = &self.target;
                let reason = format!("{target}: none of {MAX_CONNECTIONS} connections was free in time");
                Err(StoreError::Unavailable(reason))
            }
        }
    }

    async fn migrate(&self) -> Result<Migrated, StoreError> {
        let mut conn = AsyncConnectionWrapper::<_>::from(self.connection().await?);
        result_of(tokio::task::spawn_blocking(move || migrate::migrate(&mut conn)).await)
    }

    /// Its messages are in the server's language: none is a safe sign.
    fn says_not_now(_: &str) -> bool {
        false
    }
}

/// How each connection of the pool is made.
#[derive(Clone)]
struct Connector {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    /// Try without TLS first, and with it if the server insists.
    plain_first: bool,
    target: String,
}

impl Connector {
    fn new(store: &StoreConfig) -> Result<Self, StoreError> {
        let StoreConfig::Postgres { host, port, name, user, password, ssl, root_cert } = store else {
            panic!("a PostgreSQL store was made from {store}");
        };
        let over_socket = host.starts_with('/');
        let negotiation = match ssl {
            // As in libpq: a Unix socket is never encrypted.
            _ if over_socket => Negotiation::Disable,
            SslMode::Disable | SslMode::Allow => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
        };
        let mut config = tokio_postgres::Config::new();
        config
            .host(host)
            .port(*port)
            .dbname(name)
            .user(user)
            .application_name("parsec")
            .ssl_mode(negotiation)
            .connect_timeout(CONNECT_LIMIT)
            .keepalives_idle(SILENCE_LIMIT)
            .tcp_user_timeout(SILENCE_LIMIT);
        if !password.reveal().is_empty() {
            config.password(password.reveal());
        }
        let tls = MakeRustlsConnect::new(tls::client_config(*ssl, root_cert.as_deref())?);
        Ok(Self { config, tls, plain_first: *ssl == SslMode::Allow && !over_socket, target: store.to_string() })
    }

    async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        let connected = async {
            let mut conn = match self.establish(&self.config).await {
                Err(Failure::Connect(error)) if self.plain_first && insists_on_tls(&error) => {
                    let mut encrypted = self.config.clone();
                    encrypted.ssl_mode(Negotiation::Require);
                    self.establish(&encrypted).await
                }
                other => other,
            }?;
            let limits = format!("SET statement_timeout = {}", STATEMENT_LIMIT.as_millis());
            conn.batch_execute(&limits).await.map_err(|error| Failure::SetUp(error.to_string()))?;
            Ok(conn)
        };
        match timeout(CONNECT_LIMIT, connected).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(Failure::Connect(error))) => Err(StoreError::from_postgres_connect(&error, &self.target)),
            Ok(Err(Failure::SetUp(reason))) => Err(StoreError::Unavailable(format!("{}: {reason}", self.target))),
            Err(_) => {
                let reason = format!("{}: no connection within {} s", self.target, CONNECT_LIMIT.as_secs());
                Err(StoreError::Unavailable(reason))
            }
        }
    }

    async fn establish(&self, config: &tokio_postgres::Config) -> Result<AsyncPgConnection, Failure> {
        let (client, connection) = config.connect(self.tls.clone()).await.map_err(Failure::Connect)?;
        let set_up: ConnectionResult<_> = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
        set_up.map_err(|error| Failure::SetUp(error.to_string()))
    }
}

/// Why there is no connection.
enum Failure {
    /// It was not made.
    Connect(tokio_postgres::Error),
    /// It was made and lost again.
    SetUp(String),
}

/// What `pg_hba.conf` says to an unencrypted connection where it has `hostssl` lines only.
fn insists_on_tls(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}
