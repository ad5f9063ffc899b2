//! One run, from the first process to the last row.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use parsec_test_support::ledger::{self, Books, Rules, Said};
use tokio::time::{Instant, sleep_until};

use crate::checks;
use crate::health;
use crate::plan::{Plan, Strike};
use crate::report::{self, Recovery, Report};
use crate::slot::{Growth, Slot};
use crate::stage::Stage;
use crate::world::{RULES, World};

/// What a run takes beside the faults: starting, recovering (a server that was marked offline is back with its next heartbeat,
/// within a minute), and ending.
const AROUND: Duration = Duration::from_secs(240);

/// A strike that is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Struck {
    pub(crate) strike: Strike,
    /// When it had healed, in seconds since 1970; `None` if there was nothing to strike.
    pub(crate) healed: Option<f64>,
}

/// Plays the plan, and fails unless everything is in order at the end.
pub(crate) async fn play(plan: &Plan) {
    report::say(&plan.to_string());
    for (is_there, what) in [
        (cfg!(has_pgbouncer), "a pooler before the database: PgBouncer is not installed"),
        (cfg!(has_faketime), "the clock of a host that is set: faketime is not installed"),
    ] {
        if !is_there {
            report::say(&format!("NOT TRIED: {what}"));
        }
    }
    let stage = Stage::lasting(plan.length + AROUND);
    let world = World::start(&stage).await;
    let (struck, recovery, mut complaints) = tokio::select! {
        never = world.keep() => match never {},
        seen = strike(&stage, &world, plan) => seen,
    };
    let growth = growth(&world).await;

    let mut said = Said::default();
    let (ends, lives) = close(&world, &mut said).await;
    complaints.extend(world.replay().await);
    let client = world.database.postgres.client().await.expect("nothing is wrong with the database any more");
    let books = Books::read(&client).await.expect("the tables can be read");
    let (lost, flipped) = (checks::rows_lost(&lives), world.flipped.load(Ordering::Relaxed));
    complaints.extend(ledger::disagreements(&said, &books, Rules { lost, ..RULES }));
    complaints.extend(checks::damage(plan, &said, &books, lost, flipped));
    complaints.extend(checks::lifetimes(&lives, &books));
    complaints.extend(checks::growth(&growth));
    complaints.extend(checks::ends(&ends));

    let report = Report {
        plan,
        struck: &struck,
        said: &said,
        books: &books,
        recovery,
        growth: &growth,
        ends: &ends,
        rot: (flipped, lost),
    };
    report::publish(&report, &complaints);
    if !complaints.is_empty() {
        report::keep_logs(plan, &lives);
    }
    assert_eq!(complaints, Vec::<String>::new(), "seed {}", plan.seed);
}

/// Lets everything fall and heal, and looks how everybody is doing then.
async fn strike(stage: &Stage, world: &World, plan: &Plan) -> (Vec<Struck>, Recovery, Vec<String>) {
    let begun = Instant::now();
    let strikes = plan.strikes.iter().map(|strike| fall(world, *strike, begun));
    let struck = join_all(strikes).await;
    let recovery = recover(stage, world).await;
    health::disks_are_used(stage, world).await;
    let mut complaints = Vec::new();
    for slot in world.slots() {
        match slot.look(health::status).await.flatten() {
            Some(status) => complaints.extend(health::ailing(&slot.name, &status)),
            None => complaints.push(format!("{} does not say how it is doing", slot.name)),
        }
        let shown = slot.look(health::metrics).await.flatten().unwrap_or_default();
        complaints.extend(checks::labels(&slot.name, &shown));
    }
    (struck, recovery, complaints)
}

/// One strike, from its time until it has healed.
async fn fall(world: &World, strike: Strike, begun: Instant) -> Struck {
    sleep_until(begun + strike.at).await;
    if !world.strike(strike).await {
        return Struck { strike, healed: None };
    }
    sleep_until(begun + strike.at + strike.lasting).await;
    world.heal(strike.blow).await;
    Struck { strike, healed: Some(now()) }
}

/// Waits until everything is as if nothing had happened.
async fn recover(stage: &Stage, world: &World) -> Recovery {
    let (clock, healed) = (Instant::now(), now());
    let rounds = async {
        world.plays_a_round_of_each_group(healed).await;
        clock.elapsed()
    };
    let backlog = async {
        health::has_written_everything(stage, world).await;
        clock.elapsed()
    };
    let (rounds, backlog) = tokio::join!(rounds, backlog);
    Recovery { rounds, backlog }
}

async fn growth(world: &World) -> Vec<(String, Growth)> {
    let mut all = Vec::new();
    for slot in world.slots() {
        all.extend(slot.growth().await.map(|growth| (slot.name.clone(), growth)));
    }
    all
}

/// Ends everything in good order, the scheduler first, and gathers what was said. Returns how everybody ended, and the lives
/// of the schedulers.
async fn close(world: &World, said: &mut Said) -> (Vec<(String, crate::slot::End)>, Vec<checks::Life>) {
    let of = |slot: &Slot, ends: Vec<_>| ends.into_iter().map(|end| (slot.name.clone(), end)).collect::<Vec<_>>();
    let (ends, lives) = world.scheduler.close().await;
    let mut all = of(&world.scheduler, ends);
    for (lines, _) in &lives {
        said.by_scheduler(lines);
    }
    let closing = join_all(world.servers.iter().map(async |slot| (slot, slot.close().await))).await;
    for (slot, (ends, lives)) in closing {
        all.extend(of(slot, ends));
        lives.iter().for_each(|(lines, _)| said.by_server(lines));
    }
    (all, lives)
}

/// In seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs_f64()
}
