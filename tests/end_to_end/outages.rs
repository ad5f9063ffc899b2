//! What breaks while servers and a scheduler measure, one fault at a time: what must not break is the account of it.
//!
//! Each test ends with the same question: does what the processes said, line by line, agree with what stands in the tables,
//! attempt by attempt and round by round ([`ledger`])?

mod database;
mod fail_over;
mod killed;
mod spool_disk;

use std::time::Duration;

use futures::future::join_all;
use nix::sys::signal::Signal;
use parsec_lab::LocalNetwork;
use parsec_test_support::hostile::Mode;
use parsec_test_support::ledger::{self, Books, Rules, Said};
use parsec_test_support::outage::{Database, Outage};
use parsec_test_support::stranger::Stranger;
use tokio_postgres::Client;

use crate::deployment::{Server, joining, network, scheduling, server};
use crate::process::{IGNORE_FILE_LIMIT, Process};
use crate::stage::Stage;

/// Many rounds in a short time; a round of this size takes a tenth of it.
const INTERVAL: &str = "500ms";
const RULES: Rules = Rules { interval: Duration::from_millis(500), probes: 2, lost: 0 };

/// Servers and a scheduler that measure, and a database; one of them is about to have trouble.
struct Scene {
    stage: Stage,
    database: Database,
    servers: Vec<Server>,
    strangers: Vec<Stranger>,
    scheduler: Option<Process>,
    /// What each scheduler is told beside the usual.
    scheduling: Vec<String>,
    /// What processes said that have ended.
    said: Said,
    network: Option<LocalNetwork>,
}

/// What time it is for this database.
async fn seconds_since_1970(database: &Client) -> f64 {
    let now = "SELECT extract(epoch FROM clock_timestamp())::float8";
    database.query_one(now, &[]).await.expect("there is a time").get(0)
}

impl Scene {
    /// Two servers of ours and a scheduler. Begins when each of them has published.
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with these arguments added to the scheduler's.
    async fn start_with(scheduling: &[&str]) -> Self {
        Self::empty(scheduling).await.started().await
    }

    /// The same, for a test that takes up to so long.
    async fn start_lasting(limit: Duration) -> Self {
        Self { stage: Stage::lasting(limit), ..Self::empty(&[]).await }.started().await
    }

    async fn started(self) -> Self {
        let mut scene = self;
        scene.add_servers(2).await;
        scene.database.prepare().await.expect("a database in order can be prepared");
        scene.schedule();
        scene.wait_for(2, "(SELECT DISTINCT node_id FROM provides_ecs) publishers").await;
        scene
    }

    /// Nobody is there yet.
    async fn empty(scheduling: &[&str]) -> Self {
        let (stage, database) = (Stage::begin(), Database::start().await);
        let scheduling = scheduling.iter().map(|&arg| arg.to_owned()).collect();
        let (servers, strangers, said) = (Vec::new(), Vec::new(), Said::default());
        Self { stage, database, servers, strangers, scheduler: None, scheduling, said, network: None }
    }

    /// Servers of somebody else's that do this with operations, in the order in which they publish, and a scheduler that is
    /// about to begin.
    async fn among_strangers(modes: [Mode; 2], scheduling: &[&str]) -> Self {
        let mut scene = Self::empty(scheduling).await;
        let ended = Process::start(&scene.stage, &["migrate", "--database-url", &scene.database.url()]).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        let client = scene.sql().await;
        for mode in modes {
            let stranger = Stranger::join(&client, "default").await.expect("the tables are there");
            stranger.server.measures(mode);
            scene.strangers.push(stranger);
        }
        scene.schedule();
        scene
    }

    /// Adds servers of ours, which join a DHT of this process.
    async fn add_servers(&mut self, count: usize) {
        if self.network.is_none() {
            self.network = Some(network().await);
        }
        let [flag, peers] = joining(self.network.as_ref().expect("there is one now"));
        let start = || server(&self.stage, &["--database-url", &self.database.url(), &flag, &peers]);
        let starting: Vec<_> = (0..count).map(|_| Server::started(start())).collect();
        self.servers.extend(join_all(starting).await);
    }

    /// Starts a scheduler, the only one.
    fn schedule(&mut self) {
        self.schedule_after(IGNORE_FILE_LIMIT);
    }

    /// The same by a shell that does this first.
    fn schedule_after(&mut self, first: &str) {
        assert!(self.scheduler.is_none(), "two schedulers would measure twice");
        let (url, probes) = (self.database.url(), RULES.probes.to_string());
        let usual = ["--database-url", &url, "--probes", &probes];
        let added: Vec<&str> = self.scheduling.iter().map(String::as_str).collect();
        let args = scheduling("default", INTERVAL, &[&usual, &added[..]].concat());
        self.scheduler = Some(Process::start_after(&self.stage, first, &args));
    }

    fn scheduler(&self) -> &Process {
        self.scheduler.as_ref().expect("a scheduler has been started")
    }

    async fn strike(&self, outage: Outage) {
        self.database.strike(outage).await.expect("a database in order can be struck");
    }

    async fn heal(&self, outage: Outage) {
        self.database.heal(outage).await.expect("one outage alone can be healed");
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
        self.scheduler().logged_so_far().iter().filter(|line| line["message"] == "attempt ended").count()
    }

    /// Waits until two more rounds have been measured than have been now.
    async fn goes_on_measuring(&self) {
        let (known, more) = (self.attempts(), 2 * (1 + RULES.probes));
        for count in known + 1..=known + more {
            let attempt = self.scheduler().logged("attempt ended", count).await;
            assert_eq!(attempt["outcome"], "ok", "{attempt}");
        }
    }

    /// Waits until what has been said so far has rows.
    async fn catches_up(&self) {
        let mut said = Said::default();
        said.by_scheduler(&self.scheduler().logged_so_far());
        let ids = said.attempts.keys().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
        let least = i64::try_from(said.attempts.len()).expect("a test makes few attempts");
        self.wait_for(least, &format!("operations WHERE id::text IN ({ids})")).await;
    }

    /// The time that rows have.
    async fn seconds_since_1970(&self) -> f64 {
        seconds_since_1970(&self.sql().await).await
    }

    /// Kills the scheduler (SIGKILL), and keeps what it said.
    async fn kill_scheduler(&mut self) {
        let killed = self.scheduler.take().expect("a scheduler has been started");
        killed.signal(Signal::SIGKILL);
        let ended = killed.end().await;
        assert_eq!(ended.code(), 137);
        self.said.by_scheduler(&ended.logged());
    }

    /// Ends everything in good order, and compares what was said with what was written.
    async fn agrees(self) -> Books {
        self.agrees_but_for(0).await
    }

    /// The same where a disk has lost so many rows.
    async fn agrees_but_for(mut self, lost: usize) -> Books {
        let scheduler = self.scheduler.take().expect("a scheduler has been started");
        let ended = scheduler.terminate().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        self.said.by_scheduler(&ended.logged());
        for server in self.servers {
            let ended = server.process.terminate().await;
            assert_eq!(ended.code(), 0, "{}", ended.err);
            self.said.by_server(&ended.logged());
        }
        let client = self.database.postgres.client().await.expect("the server is there");
        let books = Books::read(&client).await.expect("the tables can be read");
        assert_eq!(ledger::disagreements(&self.said, &books, Rules { lost, ..RULES }), Vec::<String>::new());
        books
    }
}

/// How many attempts have a class.
fn of_class(books: &Books, class: &str) -> usize {
    books.classes().get(class).copied().unwrap_or_default()
}
