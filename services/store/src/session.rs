//! One session with PostgreSQL: a connection as diesel uses it.
//!
//! diesel-async has such a connection itself. Ours differs in what poolers and fail-overs ask for:
//! - Statements have no names. A pooler such as PgBouncer gives each transaction another session, in which a name is unknown
//!   or means another statement. We would gain nothing from names: a batch is a statement of its own for each number of rows.
//! - It sets nothing that outlasts a transaction: behind a pooler that would be set for somebody else. See [`BEGIN`].
//! - It remembers which SQLSTATE the last error had, which diesel's errors do not tell.
//! - It knows whether it can write, and for how long it may be used.

mod row;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use diesel::connection::{CacheSize, Instrumentation};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as QueryError};
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection, TransactionManager,
};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Connection, SimpleQueryMessage, Socket};

use crate::error::chain;
use row::{SessionRow, Statement};

/// How long a session may be used at most: what a server's role or settings have become is seen by new sessions.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// How much earlier a session may end, so that those of many processes that were started together do not end together.
const MAX_JITTER: Duration = Duration::from_secs(10 * 60);

/// How long a connection that nobody uses any more may take to say goodbye.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);

/// How every transaction begins. It asks whether it may write, and states what our statements rely on, whatever is set for the
/// role, the database, or somebody else who used the same session of a pooler before:
/// - READ COMMITTED, for which they are written: each looks again after it has waited for a lock.
/// - How long one statement may take, waits for locks included. Ours take milliseconds; one that takes this long would go on
///   after its caller has given up.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
     SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = '30s'; \
     SHOW transaction_read_only";

/// See the module's documentation.
pub(crate) struct Session {
    client: Client,
    /// Those of migrations. Queries are in a transaction that diesel knows nothing of.
    transactions: AnsiTransactionManager,
    instrumentation: Box<dyn Instrumentation>,
    ends: Instant,
    pub(crate) used: Instant,
    read_only: bool,
    /// A transaction was begun that has not ended.
    under_way: bool,
    code: Option<SqlState>,
    /// Why the connection ended, if it did.
    end: Arc<OnceLock<tokio_postgres::Error>>,
    /// Dropped with the session, which tells the connection to end.
    _in_use: oneshot::Sender<()>,
}

impl Session {
    /// A session over this connection, which is driven by a task from now on.
    pub(crate) fn new<S>(client: Client, connection: Connection<Socket, S>) -> Self
    where
        S: TlsStream + Unpin + Send + 'static,
    {
        let (in_use, unused) = oneshot::channel();
        let end = Arc::<OnceLock<_>>::default();
        tokio::spawn(drive(connection, unused, Arc::clone(&end)));
        let now = Instant::now();
        Self {
            client,
            transactions: AnsiTransactionManager::default(),
            instrumentation: Box::new(|_: diesel::connection::InstrumentationEvent<'_>| ()),
            ends: now + MAX_AGE - MAX_JITTER.mul_f64(rand::random()),
            used: now,
            read_only: false,
            under_way: false,
            code: None,
            end,
            _in_use: in_use,
        }
    }

    /// Begins a transaction: see [`BEGIN`].
    pub(crate) async fn begin(&mut self) -> QueryResult<()> {
        (self.used, self.code, self.under_way) = (Instant::now(), None, true);
        self.batch_execute(BEGIN).await
    }

    /// Ends the transaction, also if that fails.
    pub(crate) async fn commit(&mut self) -> QueryResult<()> {
        self.end("COMMIT").await
    }

    pub(crate) async fn roll_back(&mut self) -> QueryResult<()> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, how: &str) -> QueryResult<()> {
        self.batch_execute(how).await?;
        (self.used, self.under_way) = (Instant::now(), false);
        Ok(())
    }

    /// Ends a transaction that has only read, and does not wait until it has ended: whatever the session is told next waits.
    pub(crate) fn end_unheard(&mut self) {
        let sent = self.client.batch_execute("COMMIT").now_or_never();
        (self.used, self.under_way) = (Instant::now(), sent.is_some_and(|sent| sent.is_err()));
    }

    /// What PostgreSQL called the last error since [`begin`](Self::begin), if it came from there.
    pub(crate) fn code(&self) -> Option<&SqlState> {
        self.code.as_ref()
    }

    /// Whether there is nobody at the other end any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether the transaction that was begun last may only read.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether it may not be used again: it is broken, in the middle of something, too old, or of no use for writing.
    pub(crate) fn is_spent(&mut self) -> bool {
        AnsiTransactionManager::is_broken_transaction_manager(self)
            || self.under_way
            || self.client.is_closed()
            || self.read_only
            || Instant::now() >= self.ends
    }

    /// For diesel; what it leaves out is noted.
    fn failed(&mut self, error: &tokio_postgres::Error) -> QueryError {
        // The answer that ended a connection went to whoever was waiting then, or to the connection itself.
        let error = if error.is_closed() { self.end.get().unwrap_or(error) } else { error };
        self.code = error.code().cloned();
        match error.as_db_error() {
            Some(answer) => QueryError::DatabaseError(kind(answer.code()), Box::new(Answer(answer.clone()))),
            None => QueryError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, Box::new(chain(error))),
        }
    }

    async fn rows(&mut self, statement: QueryResult<Statement>) -> QueryResult<Vec<SessionRow>> {
        let Statement { sql, parameters } = statement?;
        let rows = async { self.client.query_typed_raw(&sql, parameters).await?.try_collect().await }.await;
        SessionRow::all(rows.map_err(|error| self.failed(&error))?)
    }

    async fn count(&mut self, statement: QueryResult<Statement>) -> QueryResult<usize> {
        let Statement { sql, parameters } = statement?;
        let counted = async {
            let rows = self.client.query_typed_raw(&sql, parameters).await?;
            let mut rows = std::pin::pin!(rows);
            while rows.try_next().await?.is_some() {}
            Ok(rows.rows_affected())
        };
        let count = counted.await.map_err(|error| self.failed(&error))?.unwrap_or_default();
        usize::try_from(count).map_err(|error| QueryError::DeserializationError(Box::new(error)))
    }
}

/// Carries what the client and the server say, until either ends. Notices are for people at a terminal.
async fn drive<S: TlsStream + Unpin>(
    mut connection: Connection<Socket, S>,
    unused: oneshot::Receiver<()>,
    end: Arc<OnceLock<tokio_postgres::Error>>,
) {
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let carry = async {
        while let Some(message) = messages.next().await {
            if let Err(error) = message {
                let _ = end.set(error);
                break;
            }
        }
    };
    let mut carry = std::pin::pin!(carry);
    tokio::select! {
        () = &mut carry => {}
        _ = unused => {
            let _ = timeout(FAREWELL_LIMIT, carry).await;
        }
    }
}

/// diesel's names for the codes that it has a name for.
fn kind(code: &SqlState) -> DatabaseErrorKind {
    use DatabaseErrorKind as Kind;
    match *code {
        SqlState::UNIQUE_VIOLATION => Kind::UniqueViolation,
        SqlState::FOREIGN_KEY_VIOLATION => Kind::ForeignKeyViolation,
        SqlState::RESTRICT_VIOLATION => Kind::RestrictViolation,
        SqlState::EXCLUSION_VIOLATION => Kind::ExclusionViolation,
        SqlState::T_R_SERIALIZATION_FAILURE => Kind::SerializationFailure,
        SqlState::READ_ONLY_SQL_TRANSACTION => Kind::ReadOnlyTransaction,
        SqlState::NOT_NULL_VIOLATION => Kind::NotNullViolation,
        SqlState::CHECK_VIOLATION => Kind::CheckViolation,
        _ => Kind::Unknown,
    }
}

/// An error that PostgreSQL answered with.
struct Answer(DbError);

impl DatabaseErrorInformation for Answer {
    fn message(&self) -> &str {
        self.0.message()
    }

    fn details(&self) -> Option<&str> {
        self.0.detail()
    }

    fn hint(&self) -> Option<&str> {
        self.0.hint()
    }

    fn table_name(&self) -> Option<&str> {
        self.0.table()
    }

    fn column_name(&self) -> Option<&str> {
        self.0.column()
    }

    fn constraint_name(&self) -> Option<&str> {
        self.0.constraint()
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}

impl SimpleAsyncConnection for Session {
    async fn batch_execute(&mut self, sql: &str) -> QueryResult<()> {
        let answers = self.client.simple_query(sql).await.map_err(|error| self.failed(&error))?;
        for answer in answers {
            if let SimpleQueryMessage::Row(row) = answer
                && let Ok(Some(may_not_write)) = row.try_get("transaction_read_only")
            {
                self.read_only = may_not_write == "on";
            }
        }
        Ok(())
    }
}

impl AsyncConnectionCore for Session {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type Stream<'conn, 'query> = BoxStream<'static, QueryResult<SessionRow>>;
    type Row<'conn, 'query> = SessionRow;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let statement = Statement::of(&source.as_query());
        // All of them at once: we ask for a bounded number, and an error among them is noted like any other.
        async move { Ok(stream::iter(self.rows(statement).await?.into_iter().map(Ok)).boxed()) }.boxed()
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let statement = Statement::of(&source);
        async move { self.count(statement).await }.boxed()
    }
}

impl AsyncConnection for Session {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection("sessions come from the pool".to_owned()))
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut *self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Box::new(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}
