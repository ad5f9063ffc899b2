//! PostgreSQL: how sessions are made, shared and given up, and how the schema is brought up to date.

mod connect;
mod connection;
mod failure;
mod migrate;
mod rights;
mod tls;
mod upstream;
mod verdict;

use std::time::Duration;

use deadpool::managed::{Object, Pool, PoolConfig, PoolError, QueueMode, WeakPool};
use diesel::QueryResult;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::{sleep, timeout};

use connect::{CONNECT_LIMIT, Connector};
use verdict::{Verdict, judge};

use crate::closed::ClosedTable;
use crate::detached::{Access, Backend, CALL_LIMIT, result_of};
use crate::session::Session;
use crate::{Migrated, StoreConfig, StoreError};

/// Sessions of one program: its heartbeats, reads and batches together are seldom more than two at a time, and a server's
/// default limit of 100 should do for all programs of a fleet.
const MAX_SESSIONS: usize = 4;

/// How long a session may wait to be used again. A round or a batch uses it several times within a second; between heartbeats,
/// which are a minute apart, a server needs none, so that hundreds of servers share the 100 sessions of one database. It is much
/// shorter than the patience of whoever finds a server full.
const MAX_IDLE: Duration = Duration::from_secs(1);

/// How long a session may take to begin a transaction, or to take it back, for which the server has to do nothing. One that takes longer leads to a
/// server that is gone without a word, and a new one perhaps to its successor.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);

/// How long a query may take, and its commit: nobody waits for it any longer. The server has its own limit, which is shorter, and may
/// be silent all the same, behind a pooler that is not. A session that it holds would be held for ever.
const QUERY_LIMIT: Duration = CALL_LIMIT;

/// How often a call is tried that somebody else's collided with: one of the two gets through each time.
const ATTEMPTS: usize = 3;

/// One PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool<Connector>,
    /// For messages, without the password.
    target: String,
}

impl Postgres {
    /// Prepares sessions, on the runtime it is called from; none is made yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the root certificates cannot be used.
    ///
    /// # Panics
    /// If `config` is not for PostgreSQL.
    pub(crate) fn new(config: &StoreConfig) -> Result<Self, StoreError> {
        let mut limits = PoolConfig::new(MAX_SESSIONS);
        // The one used last is used again, so that the others are soon idle for long enough to be given up.
        limits.queue_mode = QueueMode::Lifo;
        let pool = Pool::builder(Connector::new(config)?).config(limits).build();
        let pool = pool.expect("a pool without timeouts of its own needs no runtime");
        tokio::spawn(give_up_idle(pool.weak()));
        Ok(Self { pool, target: config.to_string() })
    }

    /// A session in which a transaction was begun just now, so that it worked a moment ago. It can write if any can.
    async fn begun(&self) -> Result<Begun, StoreError> {
        loop {
            let mut session = self.pooled().await?;
            let reused = Object::metrics(&session).recycle_count > 0;
            match timeout(BEGIN_LIMIT, session.begin()).await {
                Ok(Ok(())) if !reused || !session.is_read_only() => return Ok(Begun { session, reused }),
                Ok(Err(error)) if !reused => return Err(explain_begin(judge(&Object::take(session), error).1)),
                Err(_) if !reused => {
                    drop(Object::take(session));
                    return Err(self.silent(BEGIN_LIMIT));
                }
                // It has ended or fallen silent, or may not write any more. What befell it befell the others: the next is new.
                _ => {
                    drop(Object::take(session));
                    self.pool.retain(|_, _| false);
                }
            }
        }
    }

    fn silent(&self, limit: Duration) -> StoreError {
        StoreError::Unavailable(format!("{}: no answer within {} s", self.target, limit.as_secs()))
    }

    async fn pooled(&self) -> Result<Object<Connector>, StoreError> {
        match timeout(2 * CONNECT_LIMIT, self.pool.get()).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(PoolError::Backend(error))) => Err(error),
            Ok(Err(error)) => Err(StoreError::Unavailable(format!("{}: {error}", self.target))),
            Err(_) => {
                let target = &self.target;
                let reason = format!("{target}: none of {MAX_SESSIONS} sessions was free in time");
                Err(StoreError::Unavailable(reason))
            }
        }
    }
}

/// Gives up sessions that nobody uses, for as long as there is a pool.
async fn give_up_idle(pool: WeakPool<Connector>) {
    loop {
        sleep(MAX_IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.retain(|session, _| session.used.elapsed() < MAX_IDLE);
    }
}

/// A pooler that lends a session for one statement says so in words of its own; they come with what to do.
fn explain_begin(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(reason) if reason.contains("statement pooling mode") => StoreError::Refused(format!(
            "{reason}: parsec writes in transactions; set pool_mode of PgBouncer to transaction or session"
        )),
        error => error,
    }
}

/// Tells a database that is going away, or where somebody else was quicker, from one that must be changed first. Migrations tell
/// their errors as text, and a server in its own language.
fn not_migrated(session: &mut Session, error: StoreError) -> StoreError {
    let lost = match session.code().map(Verdict::of) {
        Some(verdict) => matches!(verdict, Verdict::Collision | Verdict::ReadOnly | Verdict::Lost),
        None => session.is_closed(),
    };
    match error {
        StoreError::Query(reason) | StoreError::Refused(reason) if lost => StoreError::Unavailable(reason),
        StoreError::Query(reason) => StoreError::Refused(reason),
        other => other,
    }
}

/// A session with a transaction under way.
struct Begun {
    session: Object<Connector>,
    /// Whether it is not the first one of this session.
    reused: bool,
}

impl Begun {
    /// Commits what succeeded. Of what failed, says how and whether to try again. A session that is not as good as new goes.
    async fn end<T>(mut self, result: QueryResult<T>) -> Result<T, (StoreError, bool)> {
        let ended = match result {
            Ok(value) => match timeout(QUERY_LIMIT, self.session.commit()).await {
                Ok(committed) => committed.map(|()| value),
                Err(_) => {
                    drop(Object::take(self.session));
                    let reason = format!("no answer to COMMIT within {} s", QUERY_LIMIT.as_secs());
                    return Err((StoreError::Unavailable(reason), false));
                }
            },
            Err(error) => Err(error),
        };
        let failed = match ended {
            Ok(value) => {
                self.give_back();
                return Ok(value);
            }
            Err(error) => error,
        };
        let (verdict, told) = judge(&self.session, failed);
        let again = verdict == Verdict::Collision || verdict == Verdict::ReadOnly && self.reused;
        if verdict.keeps_session() && matches!(timeout(BEGIN_LIMIT, self.session.roll_back()).await, Ok(Ok(()))) {
            self.give_back();
        } else {
            drop(Object::take(self.session));
        }
        Err((told, again))
    }

    /// Keeps no session that others may be waiting for, also not for our own next call.
    fn give_back(mut self) {
        let wanted = Object::pool(&self.session).is_some_and(|pool| pool.manager().server_is_full());
        if wanted || self.session.is_spent() {
            drop(Object::take(self.session));
        }
    }
}

impl Backend for Postgres {
    type Connection = Session;

    /// Longer than a minute, which is how often heartbeats are written: a check would need a session for itself.
    const TRUSTED: Duration = Duration::from_secs(75);

    /// The query is one transaction, also if it only reads: a pooler keeps us in one session for as long as that lasts.
    async fn run<T, Q>(&self, access: Access, query: Q) -> Result<T, StoreError>
    where
        T: Send,
        Q: for<'c> Fn(&'c mut Session) -> BoxFuture<'c, QueryResult<T>> + Send + Sync,
    {
        let mut attempt = 1;
        loop {
            let mut begun = self.begun().await?;
            let Ok(result) = timeout(QUERY_LIMIT, query(&mut begun.session)).await else {
                drop(Object::take(begun.session));
                return Err(self.silent(QUERY_LIMIT));
            };
            let result = match (access, result) {
                (Access::Read, Ok(value)) => {
                    // A round waits for the list of nodes, and not for what comes after it.
                    begun.session.end_unheard();
                    begun.give_back();
                    return Ok(value);
                }
                (_, result) => result,
            };
            match begun.end(result).await {
                Ok(value) => return Ok(value),
                Err((_, true)) if attempt < ATTEMPTS => attempt += 1,
                Err((error, _)) => return Err(error),
            }
        }
    }

    async fn migrate(&self) -> Result<Migrated, StoreError> {
        let mut conn = AsyncConnectionWrapper::<_>::from(self.pooled().await?);
        let migrating = tokio::task::spawn_blocking(move || {
            let migrated = migrate::migrate(&mut conn);
            let mut session = conn.into_inner();
            migrated.map_err(|error| {
                let error = not_migrated(&mut session, error);
                drop(Object::take(session));
                error
            })
        });
        result_of(migrating.await)
    }

    async fn check(&self) -> Result<(), StoreError> {
        let begun = self.begun().await?;
        let read_only = begun.session.is_read_only();
        begun.end(Ok(())).await.map_err(|(error, _)| error)?;
        if read_only { Err(StoreError::Unavailable(format!("{}: it is read-only", self.target))) } else { Ok(()) }
    }

    async fn closed_tables(&self, by_others: bool) -> Result<Vec<ClosedTable>, StoreError> {
        self.run(Access::Read, move |session| rights::closed_tables(session, by_others).boxed()).await
    }
}
