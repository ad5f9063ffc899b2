//! A database that goes away in each of the ways in which databases do, and comes back.

use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::{Client, Error};

use crate::pooler::{Lending, Pooler};
use crate::postgres::{self, Postgres, Shutdown};
use crate::proxy::{Cut, Proxy, Way};
use crate::sabotage::{self, Sabotage};

/// How late each piece comes over a slow wire: with the handful of exchanges of a transaction, a second for each batch.
const SLOW_WIRE: Duration = Duration::from_millis(150);

/// How long a slow statement takes. A transaction has several.
const SLOW_STATEMENT: Duration = Duration::from_millis(400);

/// The tables that the original does not have.
const OURS: [&str; 6] = ["rounds", "operations", "traces", "follow_ups", "planned_checks", "record_checks"];

/// The tables of results that the original has.
const THEIRS: [&str; 2] = ["provides_ecs", "retrievals_ecs"];

/// A way to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outage {
    /// Nobody listens.
    Refused,
    /// Connections are accepted, and nothing passes.
    Hanging,
    /// Connections are reset as soon as they are made.
    Reset,
    /// Everything arrives late.
    SlowWire,
    /// Nothing is away: connections that begin now lead through a pooler, which lends sessions for a transaction.
    BehindPooler,
    /// Each COMMIT is lost with its connection.
    CutBeforeCommit,
    /// Each COMMIT is done, and its connection lost before the answer.
    CutAfterCommit,
    /// Each COMMIT is done, and then there is silence.
    SilentAfterCommit,
    /// The server was stopped, and starts again.
    Restarted,
    /// The server was killed, and starts again.
    Killed,
    /// The server was stopped, and another one goes on from a copy of its files.
    FailedOver,
    /// All processes of the server are frozen.
    Frozen,
    /// Statements that write fail as on a full disk.
    DiskFull,
    /// Nothing may be written to our own tables.
    NoRightsToOurs,
    /// Nothing may be written to the original's tables of results.
    NoRightsToTheirs,
    /// Statements that write take long.
    SlowStatements,
    /// Transactions may only read.
    ReadOnly,
    /// Sessions that begin now may only read, also when the server has long been writable again.
    ReadOnlySessions,
    /// Somebody else has locked the table of attempts.
    Locked,
}

/// What an outage is an outage of. Those of different layers can come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// The way to the server.
    Wire,
    /// The server's processes.
    Server,
    /// What the server does with statements.
    Statements,
}

impl Outage {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Refused,
        Self::Hanging,
        Self::Reset,
        Self::SlowWire,
        Self::BehindPooler,
        Self::CutBeforeCommit,
        Self::CutAfterCommit,
        Self::SilentAfterCommit,
        Self::Restarted,
        Self::Killed,
        Self::FailedOver,
        Self::Frozen,
        Self::DiskFull,
        Self::NoRightsToOurs,
        Self::NoRightsToTheirs,
        Self::SlowStatements,
        Self::ReadOnly,
        Self::ReadOnlySessions,
        Self::Locked,
    ];

    /// Where it strikes.
    pub fn layer(self) -> Layer {
        match self.way() {
            Some(_) => Layer::Wire,
            None => match self {
                Self::BehindPooler => Layer::Wire,
                Self::Restarted | Self::Killed | Self::FailedOver | Self::Frozen => Layer::Server,
                _ => Layer::Statements,
            },
        }
    }

    fn way(self) -> Option<Way> {
        Some(match self {
            Self::Refused => Way::Refused,
            Self::Hanging => Way::Hanging,
            Self::Reset => Way::Reset,
            Self::SlowWire => Way::Slow(SLOW_WIRE),
            Self::CutBeforeCommit => Way::CutAtCommit(Cut::BeforeIt),
            Self::CutAfterCommit => Way::CutAtCommit(Cut::BeforeTheAnswer),
            Self::SilentAfterCommit => Way::CutAtCommit(Cut::Silence),
            _ => return None,
        })
    }
}

/// A server, and the wire that everybody but the test reaches it over.
#[derive(Debug)]
pub struct Database {
    /// The server.
    pub postgres: Postgres,
    /// The wire.
    pub proxy: Proxy,
    /// Whoever has locked the table.
    locking: Mutex<Option<Client>>,
    /// Whoever is between, once somebody has been.
    pooler: OnceCell<Pooler>,
}

impl Database {
    /// A new one, with which nothing is wrong.
    pub async fn start() -> Self {
        let postgres = Postgres::start().await;
        let proxy = Proxy::to(postgres.address()).await;
        Self { postgres, proxy, locking: Mutex::default(), pooler: OnceCell::new() }
    }

    /// Where programs find it.
    pub fn url(&self) -> String {
        postgres::url_at(self.proxy.address())
    }

    /// Gets ready for [outages](Outage) of statements, once the tables are there.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn prepare(&self) -> Result<(), Error> {
        sabotage::prepare(&self.postgres.client().await?).await
    }

    /// From now on, until [`heal`](Self::heal).
    ///
    /// # Errors
    /// If the server cannot be told, because it is not there now.
    pub async fn strike(&self, outage: Outage) -> Result<(), Error> {
        if let Some(way) = outage.way() {
            self.proxy.set(way).await;
            return Ok(());
        }
        let server = &self.postgres;
        match outage {
            Outage::BehindPooler => {
                let start = || Pooler::before(server.address(), Lending::Transaction);
                self.proxy.lead_to(self.pooler.get_or_init(start).await.address());
            }
            Outage::Restarted => server.stop(Shutdown::Fast).await,
            Outage::FailedOver => server.stop(Shutdown::Immediate).await,
            Outage::Killed => server.kill().await,
            Outage::Frozen => server.freeze(),
            Outage::DiskFull => sabotage::sabotage(&server.client().await?, Sabotage::DiskFull).await?,
            Outage::NoRightsToOurs => sabotage::sabotage(&server.client().await?, Sabotage::NoRights(&OURS)).await?,
            Outage::NoRightsToTheirs => {
                sabotage::sabotage(&server.client().await?, Sabotage::NoRights(&THEIRS)).await?
            }
            Outage::SlowStatements => {
                sabotage::sabotage(&server.client().await?, Sabotage::Slow(SLOW_STATEMENT)).await?;
            }
            Outage::ReadOnly => sabotage::read_only(&server.client().await?, true).await?,
            Outage::ReadOnlySessions => sabotage::read_only_sessions(&server.client().await?, true).await?,
            Outage::Locked => {
                let client = server.client().await?;
                client.batch_execute("BEGIN; LOCK TABLE operations IN ACCESS EXCLUSIVE MODE").await?;
                *self.locking.lock().await = Some(client);
            }
            _ => unreachable!("that is a way of the wire"),
        }
        Ok(())
    }

    /// Ends an outage.
    ///
    /// # Errors
    /// If the server cannot be told, because it is not there now.
    pub async fn heal(&self, outage: Outage) -> Result<(), Error> {
        if outage.way().is_some() {
            self.proxy.set(Way::Open).await;
            return Ok(());
        }
        let server = &self.postgres;
        match outage {
            Outage::BehindPooler => self.proxy.lead_to(server.address()),
            Outage::Restarted | Outage::Killed => server.start_again().await,
            Outage::FailedOver => server.start_elsewhere().await,
            Outage::Frozen => server.thaw(),
            Outage::DiskFull | Outage::NoRightsToOurs | Outage::NoRightsToTheirs | Outage::SlowStatements => {
                sabotage::sabotage(&server.client().await?, Sabotage::None).await?;
            }
            Outage::ReadOnly => sabotage::read_only(&server.client().await?, false).await?,
            Outage::ReadOnlySessions => sabotage::read_only_sessions(&server.client().await?, false).await?,
            // It goes with its connection.
            Outage::Locked => drop(self.locking.lock().await.take()),
            _ => unreachable!("that is a way of the wire"),
        }
        Ok(())
    }
}
