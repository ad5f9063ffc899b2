//! What breaks while servers and a scheduler measure, one fault at a time: what must not break is the account of it.
//!
//! Each test ends with the same question: does what the processes said, line by line, agree with what stands in the tables,
//! attempt by attempt and round by round ([`ledger`])?

mod database;
//mod killed;

use std::time::Duration;

use futures::future::join_all;
use parsec_dht::LocalNetwork;
use parsec_test_support::ledger::{self, Books, Rules, Said};
use parsec_test_support::outage::Database;
use tokio_postgres::Client;

use crate::deployment::{Server, joining, network, scheduling, server};
use crate::process::Process;
use crate::stage::Stage;

/// Many rounds in a short time; a round of this size takes a tenth of it.
const INTERVAL: &str = "500ms";
const RULES: Rules = Rules { interval: Duration::from_millis(500), probes: 2 };

/// Two servers and a scheduler that measure, on a database that is about to have trouble.
struct Scene {
    stage: Stage,
    database: Database,
    servers: Vec<Server>,
    scheduler: Process,
    /// What processes said that have ended.
    said: Said,
    _network: LocalNetwork,
}

impl Scene {
    /// Begins when each server has published.
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with these arguments added to the scheduler's.
    async fn start_with(scheduling: &[&str]) -> Self {
        let stage = Stage::begin();
        let (network, database) = tokio::join!(network(), Database::start());
        let url = database.url();
        let [flag, peers] = joining(&network);
        let starting = [(); 2].map(|()| server(&stage, &["--database-url", &url, &flag, &peers]));
        let servers = join_all(starting.map(Server::started)).await;
        database.prepare().await.expect("a database in order can be prepared");
        let scheduler = Self::scheduler(&stage, &database, scheduling);
        let scene = Self { stage, database, servers, scheduler, said: Said::default(), _network: network };
        scene.wait_for(2, "(SELECT DISTINCT node_id FROM provides_ecs) publishers").await;
        scene
    }

    fn scheduler(stage: &Stage, database: &Database, added: &[&str]) -> Process {
        let (url, probes) = (database.url(), RULES.probes.to_string());
        let usual = ["--database-url", &url, "--probes", &probes];
        Process::start(stage, &scheduling("default", INTERVAL, &[&usual, added].concat()))
    }

    /// A connection of our own, whatever is wrong with the wire of the others.
    async fn sql(&self) -> Client {
        self.database.postgres.client().await.expect("the server is there")
    }

    async fn count(&self, from: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {from}");
        self.sql().await.query_one(&query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
    }

    async fn wait_for(&self, least: i64, from: &str) {
        let are_there = async || (self.count(from).await >= least).then_some(());
        self.stage.eventually(&format!("{least} rows of {from}"), are_there).await;
    }

    /// How many attempts the scheduler that runs has ended so far.
    fn attempts(&self) -> usize {
        self.scheduler.logged_so_far().iter().filter(|line| line["message"] == "attempt ended").count()
    }

    /// Waits until two more rounds have been measured than have been now.
    async fn goes_on_measuring(&self) {
        let (known, more) = (self.attempts(), 2 * (1 + RULES.probes));
        for count in known + 1..=known + more {
            let attempt = self.scheduler.logged("attempt ended", count).await;
            assert_eq!(attempt["outcome"], "ok", "{attempt}");
        }
    }

    /// Waits until what has been said so far has rows.
    async fn catches_up(&self) {
        let mut said = Said::default();
        said.by_scheduler(&self.scheduler.logged_so_far());
        let ids = said.attempts.keys().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
        let least = i64::try_from(said.attempts.len()).expect("a test makes few attempts");
        self.wait_for(least, &format!("operations WHERE id::text IN ({ids})")).await;
    }

    /// Kills the scheduler (SIGKILL), and keeps what it said.
    async fn kill_scheduler(&mut self, next: Process) {
        let killed = std::mem::replace(&mut self.scheduler, next);
        killed.signal(nix::sys::signal::Signal::SIGKILL);
        let ended = killed.end().await;
        assert_eq!(ended.code(), 137);
        self.said.by_scheduler(&ended.logged());
    }

    /// Ends everything in good order, and compares what was said with what was written.
    async fn agrees(mut self) -> Books {
        let ended = self.scheduler.terminate().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        self.said.by_scheduler(&ended.logged());
        for server in self.servers {
            let ended = server.process.terminate().await;
            assert_eq!(ended.code(), 0, "{}", ended.err);
            self.said.by_server(&ended.logged());
        }
        let client = self.database.postgres.client().await.expect("the server is there");
        let books = Books::read(&client).await.expect("the tables can be read");
        assert_eq!(ledger::disagreements(&self.said, &books, RULES), Vec::<String>::new());
        books
    }
}

/// How many attempts have a class.
fn of_class(books: &Books, class: &str) -> usize {
    books.classes().get(class).copied().unwrap_or_default()
}
