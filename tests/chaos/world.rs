//! The deployment that is struck.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use parsec_test_support::ledger::Rules;
use parsec_test_support::outage::{Database, Outage};
use parsec_test_support::stranger::Stranger;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::Error;

use crate::deployment::{scheduling, serving};
use crate::health::status;
use crate::plan::{Blow, Cast, Strike};
use crate::process::{IGNORE_FILE_LIMIT, Process};
use crate::slot::Slot;
use crate::stage::Stage;
use crate::strangers::{self, MANNERS};
use crate::{clock, flood, rot};

/// The fleets, each with the strategy of its servers.
const FLEETS: [(&str, &str); 3] = [("default", "classic"), ("optprov", "optprov"), ("fullrt", "fullrt")];

/// Two may be away, and there are still rounds: the stranger publishes and looks up too.
const SERVERS_OF_A_FLEET: usize = 3;

/// Who is there.
pub(crate) const CAST: Cast =
    Cast { servers: FLEETS.len() * SERVERS_OF_A_FLEET, strangers: FLEETS.len(), manners: MANNERS.len() };

/// More than the 20 peers that hold a record, and few enough for two processors.
const PEERS: &str = "30";

const INTERVAL: &str = "1s";
pub(crate) const RULES: Rules = Rules { interval: Duration::from_secs(1), probes: 2, lost: 0 };

/// A server says itself that an operation took too long, and then the scheduler does. Both are short here, because a round
/// that waits for a bad server is a round that tests nothing else.
const TIME_LIMITS: [&str; 2] = ["2s", "3s"];

/// How often somebody looks whether all processes are there.
const KEEPING: Duration = Duration::from_millis(250);

/// How often strangers say that they are there. Marked offline, they are soon back: there are no bad servers otherwise.
const STRANGERS_BEAT: Duration = Duration::from_secs(5);

/// How long it takes to tell a server something, if it cannot be told at once.
const INSISTING: Duration = Duration::from_millis(100);

/// Whose clock is set: a server that plays in the rounds with which nothing else is special.
const SKEWED: usize = 0;

/// Where servers keep what waits, below the scheduler's spool: the bytes of that are changed, theirs are not.
const OF_SERVERS: &str = "servers";

/// Everything that runs.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) database: Database,
    pub(crate) servers: Vec<Slot>,
    pub(crate) scheduler: Slot,
    strangers: Vec<Stranger>,
    /// Whoever floods which server.
    floods: Mutex<BTreeMap<usize, JoinHandle<()>>>,
    _network: Process,
    /// Where the logs of servers are, and how their clocks are set.
    disks: TempDir,
    spool: TempDir,
    /// How many bytes of the spool were changed.
    pub(crate) flipped: AtomicUsize,
}

impl World {
    /// Starts everything, and waits until each fleet has played a complete round.
    pub(crate) async fn start(stage: &Stage) -> Self {
        let network = Process::start(stage, &["network", "--peers", PEERS]);
        let (database, lines) = tokio::join!(Database::start(), first_lines(&network));
        let (url, through) = (database.url(), lines[1].clone());
        let spool = tempfile::Builder::new().prefix("parsec-chaos-").tempdir().unwrap();
        let directory = spool.path().to_str().expect("temporary directories have plain names");
        let servers = FLEETS.iter().flat_map(|fleet| [(); SERVERS_OF_A_FLEET].map(|()| fleet)).enumerate();
        let disks = tempfile::Builder::new().prefix("parsec-chaos-").tempdir().unwrap();
        let servers: Vec<_> = servers
            .map(|(index, (fleet, strategy))| {
                let (stage, url, through) = (stage.clone(), url.clone(), through.clone());
                let directory = format!("{directory}/{OF_SERVERS}");
                let preparation = format!("{IGNORE_FILE_LIMIT}; {}", of_server(disks.path(), index));
                Slot::new(format!("server {index} ({fleet})"), move || {
                    let at = ["--database-url", &url, "--bootstrap-peers", &through, "--spool-dir", &directory];
                    let doing = ["--strategy", strategy, "--operation-timeout", TIME_LIMITS[0]];
                    let args = serving(fleet, &[&at[..], &doing].concat());
                    Process::start_after(&stage, &preparation, &args)
                })
            })
            .collect();
        let registered = servers.iter().map(|slot| slot.look(async |process| process.log("server started").await));
        join_all(registered).await;
        let strangers = prepare(&database).await.expect("nothing is wrong with the database yet");

        let scheduler = scheduler(stage, &url, directory);
        let world = Self {
            stage: stage.clone(),
            database,
            servers,
            scheduler,
            strangers,
            floods: Mutex::default(),
            _network: network,
            disks,
            spool,
            flipped: AtomicUsize::new(0),
        };
        world.plays_a_round_of_each_group(0.0).await;
        world
    }

    /// Writes what processes have left in their spools, and what the database has refused: nobody runs any more. Returns what
    /// is not in order then.
    pub(crate) async fn replay(&self) -> Vec<String> {
        let (of_scheduler, url) = (self.spool.path().to_str().expect("it has a plain name"), self.database.url());
        let mut found = Vec::new();
        for directory in [of_scheduler, &format!("{of_scheduler}/{OF_SERVERS}")] {
            let spool = async |action| {
                let asked = ["spool", action, "--spool-dir", directory, "--database-url", &url, "--format", "json"];
                Process::start(&self.stage, &asked).end().await
            };
            let replayed = spool("replay").await;
            let said: Value = serde_json::from_str(&replayed.out.join("")).unwrap_or_default();
            if said["refused"] != 0 || said["unreadable"] != 0 {
                found.push(format!("what the database had refused is not written: {replayed:?}"));
            }
            let listed: Vec<Value> = serde_json::from_str(&spool("list").await.out.join("")).unwrap_or_default();
            let left = listed.iter().filter(|entry| entry["rows"] != 0);
            found.extend(left.map(|entry| format!("rows are left after the replay: {entry}")));
        }
        found
    }

    /// The groups of fleets that rounds go round.
    pub(crate) fn groups() -> impl Iterator<Item = &'static str> {
        FLEETS.iter().map(|(fleet, _)| *fleet)
    }

    /// Waits for a complete round of each group that was due after this moment, in seconds since 1970.
    pub(crate) async fn plays_a_round_of_each_group(&self, after: f64) {
        let groups = "SELECT count(DISTINCT fleets) FROM rounds WHERE outcome = 'complete' \
                      AND extract(epoch FROM due_at) > $1::float8";
        let have_all = async || {
            let row = self.database.postgres.client().await.ok()?.query_one(groups, &[&after]).await.ok()?;
            (usize::try_from(row.get::<_, i64>(0)) == Ok(FLEETS.len())).then_some(())
        };
        self.stage.eventually("complete round of each group", have_all).await;
    }

    /// Sees to it, for as long as it is polled, that whoever ends by itself has a successor, and that strangers are listed.
    pub(crate) async fn keep(&self) -> Infallible {
        let mut beat_at = Instant::now();
        loop {
            for slot in self.slots() {
                slot.keep().await;
            }
            if beat_at <= Instant::now() {
                beat_at = Instant::now() + STRANGERS_BEAT;
                // The database may be away. Frozen, it would hold up the whole keeper.
                let _ = timeout_at(Instant::now() + KEEPING, self.strangers_beat()).await;
            }
            sleep(KEEPING).await;
        }
    }

    async fn strangers_beat(&self) -> Result<(), Error> {
        let client = self.database.postgres.client().await?;
        for stranger in &self.strangers {
            stranger.beat(&client).await?;
        }
        Ok(())
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.servers.iter().chain([&self.scheduler])
    }

    /// Strikes. Returns whether there was something to strike.
    pub(crate) async fn strike(&self, Strike { blow, lasting, .. }: Strike) -> bool {
        match blow {
            // The plan is the same on each machine.
            Blow::Database(Outage::BehindPooler) if cfg!(not(has_pgbouncer)) => false,
            Blow::Clock(_) if cfg!(not(has_faketime)) => false,
            Blow::Database(outage) => {
                let until = Instant::now() + lasting;
                insist(until, async || self.database.strike(outage).await).await
            }
            Blow::Server(index, mishap) => self.servers[index].strike(mishap).await,
            Blow::Scheduler(mishap) => self.scheduler.strike(mishap).await,
            Blow::SpoolDisk => writes(&self.scheduler, false).await,
            Blow::SpoolDamage => self.spool_rots(Instant::now() + lasting).await,
            // The line that says where it can be asked must not be among those that are lost.
            Blow::LogDisk(index) => self.has_said_where_it_is(index).await && writes(&self.servers[index], false).await,
            Blow::Flood(index) => {
                let Some(api) = self.api_of(index).await else { return false };
                self.floods.lock().unwrap().insert(index, tokio::spawn(flood::of(api)));
                true
            }
            Blow::Clock(skew) => clock::set(self.disks.path(), skew).is_ok(),
            Blow::Stranger(index, manner) => {
                strangers::behaves(&self.strangers[index], manner).await;
                true
            }
        }
    }

    /// Undoes what [`strike`](Self::strike) did.
    pub(crate) async fn heal(&self, blow: Blow) {
        match blow {
            Blow::Database(outage) => {
                // It may be told only once another outage has healed.
                let heal = async || self.database.heal(outage).await.ok();
                self.stage.eventually("database to heal", heal).await;
            }
            Blow::Server(index, mishap) => self.servers[index].heal(mishap).await,
            Blow::Scheduler(mishap) => self.scheduler.heal(mishap).await,
            Blow::SpoolDisk => drop(writes(&self.scheduler, true).await),
            // It never is.
            Blow::SpoolDamage => {}
            Blow::LogDisk(index) => drop(writes(&self.servers[index], true).await),
            Blow::Flood(index) => {
                let flood = self.floods.lock().unwrap().remove(&index);
                flood.iter().for_each(JoinHandle::abort);
            }
            Blow::Clock(_) => clock::put_right(self.disks.path()).expect("a file can be written"),
            Blow::Stranger(index, _) => strangers::behaves_well(&self.strangers[index]).await,
        }
    }

    /// Changes bytes of the scheduler's spool as soon as rows wait there. Returns whether some did until then.
    async fn spool_rots(&self, until: Instant) -> bool {
        let rot = async |process: &Process| {
            let waiting = status(process).await?["recorder"]["spool"]["rows"].as_u64()?;
            (waiting > 0).then(|| rot::flip_some(self.spool.path()))
        };
        while Instant::now() < until {
            if let Some(flipped) = self.scheduler.look(rot).await.flatten() {
                self.flipped.fetch_add(flipped, Ordering::Relaxed);
                return true;
            }
            sleep(INSISTING).await;
        }
        false
    }

    async fn has_said_where_it_is(&self, index: usize) -> bool {
        let has = |process: &Process| process.logged_so_far().iter().any(|line| line["message"] == "serving /metrics");
        self.servers[index].look(async |process| has(process)).await == Some(true)
    }

    /// Where a server listens, if it is there and has said so.
    async fn api_of(&self, index: usize) -> Option<SocketAddr> {
        let port = |process: &Process| {
            let lines = process.logged_so_far();
            lines.iter().find(|line| line["message"] == "server started")?["http_port"].as_u64()
        };
        let port = self.servers[index].look(async |process| port(process)).await??;
        Some(([127, 0, 0, 1], u16::try_from(port).ok()?).into())
    }
}

/// Whether a process may write to its disk. Returns whether it could be told.
async fn writes(slot: &Slot, may: bool) -> bool {
    slot.look(async |process| process.writes_to_disk(may)).await.unwrap_or(false)
}

/// A shell's preparation for a server: its log is a file, from which we read it, and one of them has a clock that we set.
fn of_server(disks: &Path, index: usize) -> String {
    let log = disks.join(index.to_string()).display().to_string();
    let log = format!("log=$(mktemp {log}.XXXXXX); tail -n +1 -f --pid=$$ \"$log\" >&2 & exec 2>>\"$log\"");
    if cfg!(has_faketime) && index == SKEWED { format!("{log}; {}", clock::of_ours(disks)) } else { log }
}

/// Gets the database ready for what is to come, and adds a stranger to each fleet.
async fn prepare(database: &Database) -> Result<Vec<Stranger>, Error> {
    database.prepare().await?;
    let client = database.postgres.client().await?;
    let mut strangers = Vec::new();
    for (fleet, _) in FLEETS {
        strangers.push(Stranger::join(&client, fleet).await?);
    }
    Ok(strangers)
}

fn scheduler(stage: &Stage, url: &str, directory: &str) -> Slot {
    let fleets = FLEETS.map(|(fleet, _)| fleet).join(",");
    let (stage, url, directory) = (stage.clone(), url.to_owned(), directory.to_owned());
    Slot::new("scheduler".to_owned(), move || {
        let probes = RULES.probes.to_string();
        let at = ["--database-url", &url, "--spool-dir", &directory];
        // Every trace is kept, to be looked at in the end.
        let doing = ["--probes", &probes, "--operation-timeout", TIME_LIMITS[1], "--trace-sample", "1"];
        Process::start_after(&stage, IGNORE_FILE_LIMIT, &scheduling(&fleets, INTERVAL, &[&at[..], &doing].concat()))
    })
}

/// How to join a network: its protocol, and its first peers.
async fn first_lines(network: &Process) -> Vec<String> {
    let mut lines = Vec::new();
    let both = |line: &str| {
        lines.push(line.to_owned());
        (lines.len() == 2).then_some(())
    };
    network.out("two lines", both).await;
    lines
}

/// Tries until it succeeds or there is no more time. Returns whether it succeeded.
async fn insist(until: Instant, attempt: impl AsyncFn() -> Result<(), Error>) -> bool {
    let trying = async {
        while attempt().await.is_err() {
            sleep(INSISTING).await;
        }
    };
    timeout_at(until, trying).await.is_ok()
}
