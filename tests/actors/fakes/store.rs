//! A database in memory that can be away, hang, or break.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{
    ACTIVE_WITHIN, Attempt, AttemptId, CheckId, Fleet, FleetGroup, Heard, Node, NodeId, PlannedCheck, RecordCheck,
    Round, SchedulerId,
};
use parsec_store::{
    ClaimChecks, Migrated, NewNode, NodeFollowUp, OtherScheduler, Roster, Row, Store, StoreError, UnusableNode,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::until;

/// How the database takes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Works,
    /// It cannot be reached.
    Away,
    /// It gives no answer until its mood changes.
    Hangs,
    /// It answers, and has no room for anything.
    Full,
    /// The node's row has been deleted.
    RowGone,
    /// The call panics.
    Panics,
}

/// What can be asked of it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    RegisterScheduler,
    Roster,
    OtherSchedulers,
    Heartbeat,
    /// Which schedulers there are.
    Schedulers,
    MarkOffline,
    Record,
    ClaimChecks,
}

impl Call {
    const ALL: [Self; 8] = [
        Self::RegisterScheduler,
        Self::Roster,
        Self::OtherSchedulers,
        Self::Heartbeat,
        Self::Schedulers,
        Self::MarkOffline,
        Self::Record,
        Self::ClaimChecks,
    ];
}

#[derive(Debug, Default)]
struct Plan {
    /// For the next calls, one each.
    next: VecDeque<Mood>,
    /// For all after them.
    then: Mood,
}

/// What the database holds, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Content {
    plans: BTreeMap<Call, Plan>,
    pub(crate) nodes: Vec<Node>,
    /// What else it lists: rows of which no node can be made.
    pub(crate) unusable: Vec<UnusableNode>,
    pub(crate) offline: Vec<NodeId>,
    /// When the nodes beat last. One that has no entry has just beaten, whenever it is asked for.
    pub(crate) beats: BTreeMap<NodeId, Instant>,
    /// By how much its clock is ahead of ours.
    pub(crate) clock_skew: TimeDelta,
    /// Round loops that publish with the same fleets.
    pub(crate) others: Vec<OtherScheduler>,
    pub(crate) schedulers: Vec<FleetGroup>,
    /// Every row, once, in the order in which they were written.
    pub(crate) rows: Vec<Row>,
    /// Until when looks at records are claimed.
    claimed: BTreeMap<CheckId, DateTime<Utc>>,
    /// How many rows each successful [`Store::record`] was given.
    pub(crate) batches: Vec<usize>,
    /// Attempts that it takes for bad rows.
    pub(crate) refused: Vec<AttemptId>,
    /// Whether it takes rows without their traces only.
    pub(crate) refuses_traces: bool,
    /// Every call as it came in.
    pub(crate) asked: Vec<(Call, Instant)>,
    /// Every call that succeeded, as it ended.
    pub(crate) done: Vec<(Call, Instant)>,
}

impl Content {
    /// How long ago a node beat.
    fn heard(&self, node: NodeId) -> TimeDelta {
        self.beats.get(&node).map_or(TimeDelta::zero(), |at| delta(at.elapsed()))
    }

    /// From now on these nodes are silent: their hearts beat now for the last time.
    pub(crate) fn fall_silent(&mut self, nodes: impl IntoIterator<Item = i32>) {
        self.beats.extend(nodes.into_iter().map(|node| (NodeId(node), Instant::now())));
    }

    pub(crate) fn asked(&self, call: Call) -> Vec<Instant> {
        self.asked.iter().filter(|(asked, _)| *asked == call).map(|(_, at)| *at).collect()
    }

    pub(crate) fn done(&self, call: Call) -> Vec<Instant> {
        self.done.iter().filter(|(done, _)| *done == call).map(|(_, at)| *at).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        let attempt = |row: &Row| if let Row::Attempt(attempt) = row { Some(attempt.clone()) } else { None };
        self.rows.iter().filter_map(attempt).collect()
    }

    pub(crate) fn follow_ups(&self) -> Vec<NodeFollowUp> {
        let follow_up = |row: &Row| if let Row::FollowUp(follow_up) = row { Some(follow_up.clone()) } else { None };
        self.rows.iter().filter_map(follow_up).collect()
    }

    /// Looks at records that are planned.
    pub(crate) fn planned(&self) -> Vec<PlannedCheck> {
        self.checks().filter(|check| check.done.is_none()).map(|check| check.plan.clone()).collect()
    }

    /// Looks at records that were made, in the order in which they were.
    pub(crate) fn made(&self) -> Vec<RecordCheck> {
        self.checks().filter(|check| check.done.is_some()).cloned().collect()
    }

    fn checks(&self) -> impl Iterator<Item = &RecordCheck> {
        self.rows.iter().filter_map(|row| if let Row::Check(check) = row { Some(check) } else { None })
    }

    fn claim(&mut self, claim: &ClaimChecks) -> Vec<PlannedCheck> {
        let made: Vec<CheckId> = self.made().into_iter().map(|check| check.plan.id).collect();
        let mut claimed = self.planned();
        claimed.retain(|plan| {
            let due = if plan.node == claim.by { claim.now } else { claim.of_others_due_by };
            let free = self.claimed.get(&plan.id).is_none_or(|until| *until <= claim.now);
            let ours = plan.fleet == claim.fleet && plan.region == claim.region;
            free && ours && plan.due() <= due && plan.due() >= claim.oldest_due && !made.contains(&plan.id)
        });
        claimed.sort_by_key(PlannedCheck::due);
        claimed.truncate(claim.limit as usize);
        self.claimed.extend(claimed.iter().map(|plan| (plan.id, claim.until)));
        claimed
    }

    /// The rows of rounds that began.
    pub(crate) fn begun(&self) -> Vec<Round> {
        self.rounds().filter(|round| round.ended.is_none()).collect()
    }

    /// The rows of rounds that ended, in the order in which they did.
    pub(crate) fn ended(&self) -> Vec<Round> {
        self.rounds().filter(|round| round.ended.is_some()).collect()
    }

    fn rounds(&self) -> impl Iterator<Item = Round> {
        self.rows.iter().filter_map(|row| if let Row::Round(round) = row { Some(round.clone()) } else { None })
    }

    fn holds(&self, row: &Row) -> bool {
        self.rows.iter().any(|held| match (held, row) {
            (Row::Attempt(held), Row::Attempt(row)) => held.id == row.id,
            (Row::FollowUp(held), Row::FollowUp(row)) => held.id == row.id,
            (Row::Check(held), Row::Check(row)) => {
                held.plan.id == row.plan.id && held.done.is_some() == row.done.is_some()
            }
            (Row::Round(held), Row::Round(row)) => held.id == row.id && held.ended.is_some() == row.ended.is_some(),
            _ => false,
        })
    }

    fn is_active(&self, node: &Node, fleets: &[Fleet]) -> bool {
        fleets.contains(&node.fleet) && !self.offline.contains(&node.id)
    }
}

/// The database.
#[derive(Debug)]
pub(crate) struct FakeStore {
    content: watch::Sender<Content>,
    began: Instant,
}

impl FakeStore {
    /// A database that lists these nodes.
    pub(crate) fn with(nodes: Vec<Node>) -> Arc<Self> {
        let content = watch::channel(Content { nodes, ..Content::default() }).0;
        Arc::new(Self { content, began: Instant::now() })
    }

    /// From now on, every call is taken like this.
    pub(crate) fn is(&self, mood: Mood) {
        for call in Call::ALL {
            self.takes(call, [], mood);
        }
    }

    /// The next calls of this kind are taken like `next`, one each, and those after them like `then`.
    pub(crate) fn takes<const N: usize>(&self, call: Call, next: [Mood; N], then: Mood) {
        self.change(|content| {
            content.plans.insert(call, Plan { next: next.into(), then });
        });
    }

    /// Changes what it holds.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Content)) {
        self.content.send_modify(change);
    }

    /// Looks at what it holds.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Content) -> T) -> T {
        read(&self.content.borrow())
    }

    /// Waits for what it shall hold.
    pub(crate) async fn until(&self, what: &str, condition: impl FnMut(&Content) -> bool) {
        until(&self.content, what, condition).await;
    }

    /// Takes a call as planned.
    async fn take(&self, call: Call) -> Result<(), StoreError> {
        let mut mood = Mood::default();
        self.change(|content| {
            content.asked.push((call, Instant::now()));
            let plan = content.plans.entry(call).or_default();
            mood = plan.next.pop_front().unwrap_or(plan.then);
        });
        if mood == Mood::Hangs {
            let mut content = self.content.subscribe();
            let woken = |content: &Content| content.plans.get(&call).is_some_and(|plan| plan.then != Mood::Hangs);
            let content = content.wait_for(woken).await.expect("the sender is a part of self");
            mood = content.plans.get(&call).map_or(Mood::Works, |plan| plan.then);
        }
        match mood {
            Mood::Away => Err(StoreError::Unavailable("away, as ordered".to_owned())),
            Mood::Full => Err(StoreError::Query("no space left, as ordered".to_owned())),
            Mood::RowGone => Err(StoreError::NoSuchNode(NodeId(7))),
            Mood::Panics => panic!("the database broke in {call:?}"),
            Mood::Works | Mood::Hangs => Ok(()),
        }
    }

    fn finish(&self, call: Call, change: impl FnOnce(&mut Content)) {
        self.change(|content| {
            change(content);
            content.done.push((call, Instant::now()));
        });
    }
}

fn delta(time: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(time).expect("tests take less than centuries")
}

#[async_trait]
impl Store for FakeStore {
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        Err(StoreError::Refused("no actor migrates".to_owned()))
    }

    async fn register_node(&self, _: NewNode) -> Result<NodeId, StoreError> {
        Err(StoreError::Refused("no actor registers nodes".to_owned()))
    }

    async fn heartbeat(&self, node: NodeId) -> Result<TimeDelta, StoreError> {
        self.take(Call::Heartbeat).await?;
        self.finish(Call::Heartbeat, |content| content.offline.retain(|offline| *offline != node));
        Ok(self.read(|content| content.clock_skew))
    }

    async fn mark_offline(&self, node: NodeId) -> Result<(), StoreError> {
        self.take(Call::MarkOffline).await?;
        self.finish(Call::MarkOffline, |content| content.offline.push(node));
        Ok(())
    }

    async fn mark_offline_if_silent(&self, node: NodeId) -> Result<bool, StoreError> {
        self.take(Call::MarkOffline).await?;
        let silent = self.read(|content| content.heard(node) > delta(ACTIVE_WITHIN));
        self.finish(Call::MarkOffline, |content| content.offline.extend(silent.then_some(node)));
        Ok(silent)
    }

    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError> {
        self.take(Call::Roster).await?;
        self.finish(Call::Roster, |_| {});
        Ok(self.read(|content| {
            let listed = content.nodes.iter().filter(|node| content.is_active(node, fleets));
            let heard = |node: &Node| Heard { node: node.clone(), age: content.heard(node.id) };
            let (nodes, unusable) = (listed.map(heard).collect(), content.unusable.clone());
            Roster { nodes, skew: content.clock_skew, unusable, more: false }
        }))
    }

    async fn other_schedulers(
        &self,
        _: &[Fleet],
        but: SchedulerId,
        _: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError> {
        self.take(Call::OtherSchedulers).await?;
        self.finish(Call::OtherSchedulers, |_| {});
        Ok(self.read(|content| content.others.iter().filter(|other| other.id != but).cloned().collect()))
    }

    async fn register_scheduler(
        &self,
        fleets: &FleetGroup,
        _: serde_json::Value,
        _: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError> {
        self.take(Call::RegisterScheduler).await?;
        self.finish(Call::RegisterScheduler, |content| content.schedulers.push(fleets.clone()));
        let number = self.read(|content| content.schedulers.len());
        Ok(SchedulerId(i32::try_from(number).expect("few schedulers")))
    }

    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError> {
        self.take(Call::Schedulers).await?;
        Ok(self.read(|content| content.schedulers.iter().map(FleetGroup::scheduler_id).collect()))
    }

    async fn record(&self, rows: &[Row]) -> Result<(), StoreError> {
        self.take(Call::Record).await?;
        let is_bad = |row: &Row| matches!(row, Row::Attempt(attempt) if self.read(|content| content.refused.contains(&attempt.id)));
        if rows.iter().any(is_bad) {
            return Err(StoreError::BadRow("refused, as ordered".to_owned()));
        }
        let is_traced = |row: &Row| matches!(row, Row::Attempt(attempt) if attempt.why_kept.is_some());
        if self.read(|content| content.refuses_traces) && rows.iter().any(is_traced) {
            return Err(StoreError::BadRow("no right to write to table traces, as ordered".to_owned()));
        }
        self.finish(Call::Record, |content| {
            content.batches.push(rows.len());
            for row in rows {
                if !content.holds(row) {
                    content.rows.push(row.clone());
                }
            }
        });
        Ok(())
    }

    /// Of the times that it is told, those of the wall clock stand still here: it adds what has passed on the virtual one.
    async fn claim_checks(&self, claim: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError> {
        self.take(Call::ClaimChecks).await?;
        let passed = self.began.elapsed();
        let [now, of_others_due_by, oldest_due, until] =
            [claim.now, claim.of_others_due_by, claim.oldest_due, claim.until].map(|time| time + passed);
        let claim = ClaimChecks { now, of_others_due_by, oldest_due, until, ..claim };
        let mut claimed = Vec::new();
        self.finish(Call::ClaimChecks, |content| claimed = content.claim(&claim));
        Ok(claimed)
    }
}
