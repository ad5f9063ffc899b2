//! What happens in one round: a publication, a lookup by each of the other servers, and what becomes of the record.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{
    Attempt, AttemptId, CHECK_AGES, CheckDone, CheckId, Effort, Fleet, FollowUp, HolderCheck, Measured, Measurement,
    NodeId, OperationKind, OutcomeClass, PlannedCheck, RecordCheck, Round, RoundId, RoundOutcome, StrategyKind,
    TraceKeeper,
};
use parsec_store::{NodeFollowUp, Row};

use crate::chance::{Chance, rank};
use crate::history::{FLEETS, History, REGIONS};
use crate::trace::{self, Traced};
use crate::world::World;

/// The time limit of an operation.
const LIMIT: Duration = Duration::from_secs(180);

/// Seconds that half of all lookups take at most.
const LOOKUP: f64 = 0.45;

/// How many peers a record is given to.
const HOLDERS: u32 = 20;

/// How many requests a failed operation has sent, in vain.
const FAILED_REQUESTS: u32 = 20;

/// The shares of those that have the record at each of [`CHECK_AGES`].
const HELD: [f64; 4] = [0.95, 0.92, 0.78, 0.66];

/// The classes that failed publications and lookups have, with their shares.
const FAILURES: [[(OutcomeClass, f64); 4]; 2] = [
    [
        (OutcomeClass::Timeout, 0.6),
        (OutcomeClass::DialFailed, 0.15),
        (OutcomeClass::Protocol, 0.15),
        (OutcomeClass::ServerUnreachable, 0.1),
    ],
    [
        (OutcomeClass::NotFound, 0.5),
        (OutcomeClass::Timeout, 0.3),
        (OutcomeClass::DialFailed, 0.1),
        (OutcomeClass::ServerUnreachable, 0.1),
    ],
];

/// One round while it is played.
struct Play<'w> {
    world: &'w World,
    history: &'w History,
    fleet: usize,
    later: bool,
    due: DateTime<Utc>,
    id: RoundId,
    cid: String,
    /// What all attempts of the round share: the moment, the content, the peers.
    mood: f64,
    chance: Chance,
    name: Fleet,
    keeper: &'w mut TraceKeeper,
}

/// The rows of the round of this number of a fleet.
pub(crate) fn play(world: &World, history: &History, keeper: &mut TraceKeeper, number: u64, fleet: usize) -> Vec<Row> {
    let mut chance = Chance::of(history.seed, number * FLEETS.len() as u64 + fleet as u64);
    let due = history.due(number);
    let id = RoundId(chance.identity(due));
    let cid = chance.letters("Qm", 44);
    let mood = chance.normal();
    let later = 2 * (number + 1) > history.rounds();
    let name = FLEETS[fleet].0.parse().expect("the names of fleets are valid");
    let mut play = Play { world, history, fleet, later, due, id, cid, mood, chance, name, keeper };
    let publisher = (number % REGIONS.len() as u64) as usize;
    let mut rows = Vec::with_capacity(REGIONS.len() + 2);
    let provide = play.attempt(publisher, OperationKind::Provide, due);
    let published = provide.result.class == OutcomeClass::Ok;
    let ended = provide.ended;
    rows.push(play.round(publisher, published, ended));
    if published {
        rows.extend(play.aftermath(&provide, publisher));
    }
    rows.push(Row::Attempt(provide));
    // A history has as many operations as it says: also after a failed publication somebody looks.
    for region in (0..REGIONS.len()).filter(|region| *region != publisher) {
        rows.push(Row::Attempt(play.attempt(region, OperationKind::Retrieve, ended)));
    }
    rows
}

impl Play<'_> {
    fn round(&self, publisher: usize, published: bool, ended: DateTime<Utc>) -> Row {
        let (provider, _) = self.world.server(self.fleet, publisher, self.later);
        let outcome = if published { RoundOutcome::Complete } else { RoundOutcome::ProvideFailed };
        Row::Round(Round {
            id: self.id,
            scheduler: self.world.schedulers[self.fleet],
            fleets: FLEETS[self.fleet].0.parse().expect("the names of fleets are valid"),
            provider: Some(provider),
            nodes_listed: REGIONS.len() as u32,
            nodes_ready: REGIONS.len() as u32,
            nodes_without_heartbeat: 0,
            skipped_before: u32::from(self.mood > 2.5),
            due: self.due,
            started: self.due,
            ended: Some((ended + TimeDelta::seconds(5), outcome)),
        })
    }

    fn attempt(&mut self, region: usize, kind: OperationKind, started: DateTime<Utc>) -> Attempt {
        let (node, _) = self.world.server(self.fleet, region, self.later);
        let (_, strategy, publication) = FLEETS[self.fleet];
        let median = if kind == OperationKind::Provide { publication } else { LOOKUP } * REGIONS[region].1;
        let slow = 0.5 * self.mood + 0.75 * self.chance.normal();
        let duration = Duration::from_secs_f64(median * (0.6 * slow).exp());
        // Whatever is slow fails more often: twice the share at the slow end, never at the fast one.
        let fails = 2.0 * self.history.failures * rank(slow / 0.9);
        let class = if self.chance.happens(fails) { self.failure(kind) } else { OutcomeClass::Ok };
        let duration = match class {
            OutcomeClass::Timeout => LIMIT,
            OutcomeClass::ServerUnreachable => Duration::from_secs(5),
            _ => duration.min(LIMIT),
        };
        let mut result = self.measured(kind, class, duration, strategy);
        let draw = self.chance.share();
        let id = AttemptId(self.chance.identity(started));
        let why_kept = if self.tells_traces(class) {
            // What is decided depends on whether there is a trace, and not on what is in it.
            result.trace = Some(Arc::clone(&self.world.untold));
            self.keeper.decide(&self.name, kind, &result, draw)
        } else {
            None
        };
        result.trace = why_kept.map(|_| {
            // Of its own, so that all else is the same with traces and without.
            let mut chance = Chance::of(self.history.seed, id.0.as_u64_pair().1);
            Arc::new(trace::of(self.world, &mut chance, Traced { kind, strategy, class, returned: duration }))
        });
        Attempt {
            id,
            round: self.id,
            scheduler: self.world.schedulers[self.fleet],
            node,
            kind,
            probe: 0,
            cid: self.cid.clone(),
            due: started,
            started,
            ended: started + TimeDelta::from_std(duration).unwrap_or_default(),
            result,
            why_kept,
        }
    }

    fn tells_traces(&self, class: OutcomeClass) -> bool {
        self.history.traces.is_some() && class.is_measured()
    }

    fn failure(&mut self, kind: OperationKind) -> OutcomeClass {
        let classes = FAILURES[usize::from(kind == OperationKind::Retrieve)];
        let mut left = self.chance.share();
        let found = classes.into_iter().find(|(_, share)| {
            left -= share;
            left < 0.0
        });
        found.map_or(OutcomeClass::Timeout, |(class, _)| class)
    }

    fn measured(
        &mut self,
        kind: OperationKind,
        class: OutcomeClass,
        duration: Duration,
        strategy: StrategyKind,
    ) -> Measured {
        let error = match class {
            OutcomeClass::Ok => return self.success(kind, duration, strategy),
            OutcomeClass::NotFound => "not found",
            OutcomeClass::Timeout => "context deadline exceeded",
            OutcomeClass::ServerUnreachable => "http://192.0.2.7:7070: connection refused",
            OutcomeClass::DialFailed => "none of 20 peers could be dialled, the last one at /ip4/198.51.100.7/tcp/4001",
            _ => "stream reset",
        };
        let unmeasured = Measured::unmeasured(class, duration, error);
        if !class.is_measured() {
            return unmeasured;
        }
        let routing_table_size = self.routing_table(strategy);
        let effort = Effort { rpcs: Some(FAILED_REQUESTS), rpcs_failed: Some(FAILED_REQUESTS), ..Effort::default() };
        Measured { routing_table_size, effort, ..unmeasured }
    }

    fn success(&mut self, kind: OperationKind, duration: Duration, strategy: StrategyKind) -> Measured {
        let rpcs = 10 + self.chance.below(50) as u32;
        let failed = self.chance.below(4) as u32;
        let (stored, confirmed) = (HOLDERS - failed, self.chance.below(9) as u32);
        let publishes = kind == OperationKind::Provide;
        let routing_table_size = self.routing_table(strategy);
        Measured {
            error: None,
            routing_table_size,
            steps: vec![Measurement { step: kind.wire_step().to_owned(), duration, error: None }],
            effort: Effort {
                rpcs: Some(rpcs),
                rpcs_failed: Some(failed),
                dials: Some(rpcs / 2),
                dials_failed: Some(failed / 2),
                holders_stored: publishes.then_some(stored),
                holders_confirmed: publishes.then_some(confirmed),
                holders_failed: publishes.then_some(failed),
                holders_pending: publishes.then_some(0),
            },
            network_size: Some(9_000 + self.chance.below(1_000) as u32),
            found_publisher: (!publishes).then_some(true),
            ..Measured::unmeasured(OutcomeClass::Ok, duration, "")
        }
    }

    fn routing_table(&mut self, strategy: StrategyKind) -> u32 {
        let extra = self.chance.below(80) as u32;
        if strategy == StrategyKind::Fullrt { 9_000 + extra } else { 180 + extra }
    }

    /// How the publication ended, and for some who has the record later.
    fn aftermath(&mut self, provide: &Attempt, publisher: usize) -> Vec<Row> {
        let stored = provide.result.effort.holders_stored.unwrap_or_default();
        let follow_up = FollowUp {
            attempt: Some(provide.id),
            cid: self.cid.clone(),
            stored,
            confirmed: Some(stored.saturating_sub(self.chance.below(3) as u32)),
            failed: HOLDERS - stored,
            pending: Some(0),
            duration: provide.result.duration * 2,
            confirming: Duration::ZERO,
        };
        let ended = provide.started + TimeDelta::from_std(follow_up.duration).unwrap_or_default();
        let mut rows = Vec::new();
        if self.chance.happens(self.history.checks) {
            let checks = (0..CHECK_AGES.len()).map(|age| self.check(provide, publisher, age, ended));
            rows.extend(checks.collect::<Vec<_>>());
        }
        let node = provide.node;
        rows.push(Row::FollowUp(NodeFollowUp { id: self.chance.identity(ended), node, ended, follow_up }));
        rows
    }

    fn check(&mut self, provide: &Attempt, publisher: usize, age: usize, published: DateTime<Utc>) -> Row {
        let (node, peer_id): (NodeId, &str) = self.world.server(self.fleet, publisher, self.later);
        let after = CHECK_AGES[age];
        let plan = PlannedCheck {
            id: CheckId(self.chance.identity(published)),
            attempt: Some(provide.id),
            node,
            fleet: self.name.clone(),
            region: REGIONS[publisher].0.to_owned(),
            cid: self.cid.clone(),
            provider: peer_id.to_owned(),
            published,
            after,
        };
        let holders = (1..=HOLDERS).map(|rank| {
            let answered = self.chance.happens(0.97);
            let peer = &self.world.peers[self.chance.below(self.world.peers.len())];
            let has_record = answered && self.chance.happens(HELD[age]);
            HolderCheck { holder: peer.id.clone(), rank, answered, has_record }
        });
        let at = published + TimeDelta::from_std(after).unwrap_or_default() + TimeDelta::seconds(7);
        let done = CheckDone { at, by: node, holders: holders.collect() };
        Row::Check(RecordCheck { plan, done: Some(done) })
    }
}
