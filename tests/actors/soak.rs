//! Thirty days of three fleets of seven, with actors for DHT nodes and a clock that runs only when nothing else does:
//! what grows by a few bytes a round, or loses one row in ten thousand, shows.
//!
//! Every day the database is away for an hour.
#![expect(clippy::print_stdout, reason = "it reports figures")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle};
use parsec_actors::scheduling::fleet::{FleetConfig, FleetMemory};
use parsec_actors::scheduling::round::RoundTools;
use parsec_actors::scheduling::scheduler::{Scheduler, SchedulerConfig};
use parsec_actors::scheduling::traces::Traces;
use parsec_actors::serving::dht_node::{DhtHandle, GetReadiness, OperationError, Provide, Retrieve};
use parsec_actors::serving::same_process::SameProcess;
use parsec_actors::supervision::stop::{RECORDER_STOP, SCHEDULER_STOP, StopStep, stop_in_order};
use parsec_actors::supervision::supervise::supervise;
use parsec_dht::Readiness;
use parsec_measure::{
    AttemptId, Fleet, FleetGroup, Heard, Measured, Node, NodeId, OutcomeClass, PlannedCheck, ProvidedMany, RoundId,
    RoundOutcome, SchedulerId, Share,
};
use parsec_store::{ClaimChecks, Migrated, NewNode, OtherScheduler, Roster, Row, Store, StoreError};
use tokio::time::{pause, sleep};

use crate::fakes::{FakeDisk, POLICY, Witness, counted, measured, metrics, millis, node, secs};

const FLEETS: [&str; 3] = ["default", "optprov", "fullrt"];
const NODES_PER_FLEET: usize = 7;
const HOUR: Duration = Duration::from_secs(3_600);
const DAYS: u32 = 30;

/// What the process may take more at the end than after the first day. A leak of ten bytes an attempt would be 9 MB.
const MAX_GROWTH_BYTES: u64 = 8 << 20;

/// A DHT node that finds everything at once.
struct Finder;

impl Actor for Finder {
    type Context = Context<Self>;
}

fn at_once() -> Result<Measured, OperationError> {
    Ok(measured(OutcomeClass::Ok, millis(20)))
}

impl Handler<Provide> for Finder {
    type Result = Result<Measured, OperationError>;

    fn handle(&mut self, _: Provide, _: &mut Self::Context) -> Self::Result {
        at_once()
    }
}

impl Handler<parsec_actors::serving::dht_node::ProvideMany> for Finder {
    type Result = Result<ProvidedMany, OperationError>;

    fn handle(&mut self, many: parsec_actors::serving::dht_node::ProvideMany, _: &mut Self::Context) -> Self::Result {
        Ok(ProvidedMany::nothing(many.manner))
    }
}

impl Handler<Retrieve> for Finder {
    type Result = Result<Measured, OperationError>;

    fn handle(&mut self, _: Retrieve, _: &mut Self::Context) -> Self::Result {
        at_once()
    }
}

impl Handler<GetReadiness> for Finder {
    type Result = Result<Readiness, OperationError>;

    fn handle(&mut self, _: GetReadiness, _: &mut Self::Context) -> Self::Result {
        Ok(Readiness::Ready { routing_table_size: 202, network_size: None })
    }
}

/// A database that counts instead of keeping: of each round it holds the attempts until the round has ended.
#[derive(Debug, Default)]
struct Ledger {
    nodes: Vec<Node>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    away: bool,
    schedulers: i32,
    open: BTreeMap<RoundId, BTreeSet<AttemptId>>,
    /// Rounds that ended with all their attempts.
    whole: usize,
    /// Everything that is not as it should be, in words.
    wrong: Vec<String>,
}

impl Books {
    fn take(&mut self, row: &Row) {
        match row {
            Row::Round(round) if round.ended.is_none() => {
                if self.open.insert(round.id, BTreeSet::new()).is_some() {
                    self.wrong.push(format!("round {:?} began twice", round.id));
                }
            }
            Row::Round(round) => {
                let attempts = self.open.remove(&round.id).map(|attempts| attempts.len());
                let outcome = round.ended.map(|(_, outcome)| outcome);
                if (attempts, outcome) == (Some(NODES_PER_FLEET), Some(RoundOutcome::Complete)) {
                    self.whole += 1;
                } else {
                    self.wrong.push(format!("{outcome:?} with {attempts:?} attempts"));
                }
            }
            Row::Attempt(attempt) => {
                let new = self.open.get_mut(&attempt.round).is_some_and(|attempts| attempts.insert(attempt.id));
                if !new || attempt.result.class != OutcomeClass::Ok {
                    self.wrong.push(format!("attempt {:?}, {}", attempt.id, attempt.result.class));
                }
            }
            Row::FollowUp(_) => self.wrong.push("a follow-up".to_owned()),
            Row::Check(_) => self.wrong.push("a look at a record".to_owned()),
        }
    }
}

fn not_asked<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("no scheduler asks this".to_owned()))
}

impl Ledger {
    fn answer<T>(&self, answer: impl FnOnce(&mut Books) -> T) -> Result<T, StoreError> {
        let mut books = self.books.lock();
        if books.away { Err(StoreError::Unavailable("away, as every day".to_owned())) } else { Ok(answer(&mut books)) }
    }
}

#[async_trait]
impl Store for Ledger {
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        not_asked()
    }

    async fn register_node(&self, _: NewNode) -> Result<NodeId, StoreError> {
        not_asked()
    }

    async fn heartbeat(&self, _: NodeId) -> Result<TimeDelta, StoreError> {
        not_asked()
    }

    async fn mark_offline(&self, _: NodeId) -> Result<(), StoreError> {
        not_asked()
    }

    async fn mark_offline_if_silent(&self, _: NodeId) -> Result<bool, StoreError> {
        not_asked()
    }

    async fn claim_checks(&self, _: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError> {
        not_asked()
    }

    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError> {
        let nodes = self.nodes.iter().filter(|node| fleets.contains(&node.fleet)).cloned();
        let nodes = nodes.map(|node| Heard { node, age: TimeDelta::zero() }).collect();
        self.answer(|_| Roster { nodes, ..Roster::default() })
    }

    async fn other_schedulers(
        &self,
        _: &[Fleet],
        _: SchedulerId,
        _: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError> {
        self.answer(|_| Vec::new())
    }

    async fn register_scheduler(
        &self,
        _: &FleetGroup,
        _: serde_json::Value,
        _: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError> {
        self.answer(|books| {
            books.schedulers += 1;
            SchedulerId(books.schedulers)
        })
    }

    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError> {
        not_asked()
    }

    async fn record(&self, rows: &[Row]) -> Result<(), StoreError> {
        self.answer(|books| rows.iter().for_each(|row| books.take(row)))
    }
}

/// What the process takes of the machine's memory.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

/// 23 hours with a database, and one without.
async fn a_day(ledger: &Ledger) {
    sleep(11 * HOUR).await;
    ledger.books.lock().away = true;
    sleep(HOUR).await;
    ledger.books.lock().away = false;
    sleep(12 * HOUR).await;
}

/// In a process of its own: other tests of this one take memory, too.
#[test]
fn thirty_days_of_a_round_every_ten_minutes_leave_every_row_once_and_no_memory_taken() {
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let ended = alone.args(["--exact", "soak::thirty_days_alone", "--ignored", "--nocapture"]).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    println!("{said}");
}

#[actix::test]
#[ignore = "the test above runs it"]
async fn thirty_days_alone() {
    soak(secs(600)).await;
}

/// About a minute in a release build.
#[actix::test]
#[ignore = "takes minutes; CONTRIBUTING.md has the command"]
async fn thirty_days_of_a_round_every_minute_leave_every_row_once_and_no_memory_taken() {
    soak(secs(60)).await;
}

async fn soak(interval: Duration) {
    pause();
    let of_fleet = |(fleet, name): (usize, &&'static str)| {
        (0..NODES_PER_FLEET).map(move |i| (u8::try_from(fleet * NODES_PER_FLEET + i + 1).unwrap(), *name)).collect()
    };
    let ids: Vec<(u8, &str)> = FLEETS.iter().enumerate().flat_map::<Vec<_>, _>(of_fleet).collect();
    let ledger =
        Arc::new(Ledger { nodes: ids.iter().map(|(id, fleet)| node(*id, fleet)).collect(), ..Ledger::default() });
    let mut servers = SameProcess::default();
    for node in &ledger.nodes {
        servers.add(node.endpoint, DhtHandle::new(&Finder.start(), secs(180)), node.peer_id.clone());
    }

    let (metrics, disk) = (metrics(), FakeDisk::default());
    let (parent, hears) = Witness::start_new();
    let backlog = Arc::new(Backlog::on_disk(disk.spool()));
    let recording =
        RecorderConfig { store: ledger.clone(), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
    let recorder = supervise("recorder", POLICY, hears.clone(), Recorder::new(recording));
    let tools = RoundTools {
        servers: Arc::new(servers),
        store: ledger.clone(),
        recorder: RecorderHandle::of(&recorder, backlog, Arc::clone(&metrics)),
        metrics: Arc::clone(&metrics),
        probes: 1,
        traces: Arc::new(Traces::new(Share::new(0.0).unwrap(), Some(1))),
    };
    let fleet = |name: &&str| FleetConfig {
        group: name.parse().unwrap(),
        interval,
        jitter: interval / 10,
        round_limit: interval,
        dependencies: serde_json::Value::Null,
        seed: Some(1),
        tools: tools.clone(),
        memory: FleetMemory::default(),
        watcher: None,
    };
    let config =
        SchedulerConfig { fleets: FLEETS.iter().map(fleet).collect(), restart: POLICY, metrics: Arc::clone(&metrics) };
    let scheduler = supervise("scheduler", POLICY, hears, Scheduler::new(config));

    a_day(&ledger).await;
    let after_a_day = resident_bytes();
    for _ in 1..DAYS {
        a_day(&ledger).await;
    }
    let at_the_end = resident_bytes();
    let stops = vec![
        StopStep { name: "scheduler", ask: scheduler.ask(SCHEDULER_STOP) },
        StopStep { name: "recorder", ask: recorder.ask(RECORDER_STOP) },
    ];
    assert_eq!(stop_in_order(stops).await, [""; 0], "nothing is left undone");

    let books = ledger.books.lock();
    assert_eq!(books.wrong, [""; 0]);
    let due = FLEETS.len() * (DAYS * 24 * HOUR).div_duration_f64(interval) as usize;
    // The round that is due at the very end may have begun.
    assert!((due..=due + FLEETS.len()).contains(&books.whole), "{} of {due} rounds", books.whole);
    assert!(books.open.is_empty() && disk.read(|disk| disk.rows.is_empty() && disk.announced.is_empty()));
    assert_eq!(counted(&metrics, "parsec_recorder_rows_lost_total").to_bits(), 0.0_f64.to_bits());
    let written = counted(&metrics, "parsec_recorder_rows_written_total") as usize;
    assert_eq!(written, books.whole * (NODES_PER_FLEET + 2), "each attempt, and two rows for each round");
    assert_eq!(parent.restarts(), []);
    let growth = at_the_end.saturating_sub(after_a_day);
    println!(
        "{} rounds, {written} rows, {} MB resident after a day, {} MB at the end",
        books.whole,
        after_a_day >> 20,
        at_the_end >> 20
    );
    assert!(growth < MAX_GROWTH_BYTES, "{after_a_day} bytes after a day, {at_the_end} at the end");
}
