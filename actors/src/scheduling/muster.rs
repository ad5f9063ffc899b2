//! Finds out which nodes are there for a round, and which of them can take part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use parsec_api::client::CallError;
use parsec_measure::{
    Absence, Census, FleetGroup, MIN_READY_NODES, Measured, Node, NodeId, OutcomeClass, ReadyNode, clock,
};
use parsec_store::{Roster, StoreError, UnusableNode};
use tracing::Span;

use super::books::in_time;
use super::calls::{Called, call};
use super::memory::{FleetMemory, Kept};
use super::tools::RoundTools;
use crate::supervision::stop::{Stopping, unless_stopping};

/// The nodes found for a round.
#[derive(Debug)]
pub(crate) struct Mustered {
    pub(crate) started: DateTime<Utc>,
    pub(crate) listed: Vec<Node>,
    pub(crate) ready: Vec<ReadyNode>,
    pub(crate) left_out: Vec<LeftOut>,
    /// Nodes that were asked although their heartbeats are too old, and cannot take part: nobody counted on them.
    pub(crate) doubtful: Vec<LeftOut>,
    /// Silent nodes whose servers could not be reached, and which have yet to be marked offline.
    pub(crate) gone: Vec<Node>,
    /// Nodes whose heartbeats come from the future, and by how much.
    pub(crate) ahead: Vec<(NodeId, Duration)>,
    /// By how much the clock of the database is ahead of ours, if it told the time.
    pub(crate) skew: Option<TimeDelta>,
    /// Rows that could not be turned into a node.
    pub(crate) unusable: Vec<UnusableNode>,
    /// Whether the database has more nodes than it lists.
    pub(crate) more: bool,
    /// Whether the list comes from the database, or is the one that was known before.
    pub(crate) database: Result<(), StoreError>,
}

impl Mustered {
    /// How many nodes take part although their heartbeats are too old: those ready that are not listed.
    pub(crate) fn without_heartbeat(&self) -> usize {
        let left_out: BTreeSet<_> = self.left_out.iter().map(|left_out| left_out.node.id).collect();
        let listed = self.listed.iter().filter(|node| !left_out.contains(&node.id)).count();
        self.ready.len().saturating_sub(listed)
    }

    /// The nodes that the next round can go on with if the database lists none.
    pub(crate) fn known(&self) -> Vec<Node> {
        let listed = self.listed.iter().map(|node| (node.id, node));
        let ready = self.ready.iter().map(|ready| (ready.id(), ready.node()));
        let known: BTreeMap<_, _> = listed.chain(ready).collect();
        known.into_values().cloned().collect()
    }
}

/// A node that is listed but cannot take part.
#[derive(Debug)]
pub(crate) struct LeftOut {
    pub(crate) node: Node,
    /// When it was asked whether it is ready, and when it had answered or was given up on.
    pub(crate) asked: DateTime<Utc>,
    pub(crate) answered: DateTime<Utc>,
    pub(crate) result: Measured,
    /// It was not asked, because it failed repeatedly.
    pub(crate) absence: Option<Absence>,
}

impl LeftOut {
    fn unasked(node: Node, absence: Absence) -> Self {
        let Absence { failed, rounds, class, reason } = &absence;
        let error =
            format!("not asked: it failed in {failed} rounds in a row, last: {reason}; left out of {rounds} more");
        let (now, result) = (clock::now(), Measured::unmeasured(*class, Duration::ZERO, error));
        Self { node, asked: now, answered: now, result, absence: Some(absence) }
    }
}

/// Lists the nodes of the group and asks each whether it is ready. Without the database, the nodes known before are asked.
/// Nodes that failed repeatedly are not asked, unless too few others are left for a round. `clock` is the time on a monotonic
/// clock.
pub(crate) async fn muster(
    tools: &RoundTools,
    group: &FleetGroup,
    memory: &FleetMemory,
    clock: Duration,
    stopping: Stopping,
) -> Mustered {
    let started = clock::now();
    let listing = in_time(tools.store.roster(group.fleets()));
    let listing = unless_stopping(stopping.clone(), listing).await;
    let (faults, List { census, gone, ahead, skew, unusable, more, database }) = {
        let mut kept = memory.kept();
        let list = match listing {
            Some(Ok(roster)) => List::of(roster, &mut kept, clock),
            Some(Err(error)) => List::known(kept.known.clone(), Err(error)),
            None => List::known(Vec::new(), Ok(())),
        };
        (kept.faults.clone(), list)
    };
    let is_absent = |node: &&Node| faults.absence(node.id).is_some();
    let (absent, present): (Vec<_>, Vec<_>) = census.alive.iter().partition(is_absent);
    let doubtful: Vec<_> = census.doubtful.iter().filter(|node| !is_absent(node)).collect();
    let ((mut ready, mut left_out), (silent, doubtful)) =
        futures::join!(ask(tools, &present, &stopping), ask(tools, &doubtful, &stopping));
    ready.extend(silent);
    if ready.len() < MIN_READY_NODES && !absent.is_empty() {
        let (also, others) = ask(tools, &absent, &stopping).await;
        ready.extend(also);
        left_out.extend(others);
    } else {
        let unasked = |node: &Node| Some(LeftOut::unasked(node.clone(), faults.absence(node.id)?));
        left_out.extend(absent.into_iter().filter_map(unasked));
    }
    ready.sort_by_key(ReadyNode::id);
    let is_gone = |left_out: &&LeftOut| left_out.result.class == OutcomeClass::ServerUnreachable;
    let gone = gone.into_iter().chain(doubtful.iter().filter(is_gone).map(|left_out| left_out.node.clone())).collect();
    let listed = census.alive;
    Mustered { started, listed, ready, left_out, doubtful, gone, ahead, skew, unusable, more, database }
}

/// Whom there is to ask.
struct List {
    census: Census,
    gone: Vec<Node>,
    ahead: Vec<(NodeId, Duration)>,
    skew: Option<TimeDelta>,
    unusable: Vec<UnusableNode>,
    more: bool,
    database: Result<(), StoreError>,
}

impl List {
    /// What the database lists.
    fn of(roster: Roster, kept: &mut Kept, clock: Duration) -> Self {
        let Roster { nodes, skew, unusable, more } = roster;
        let there: BTreeSet<_> = nodes.iter().map(|heard| heard.node.id).collect();
        kept.unreachable.retain(|node| there.contains(node));
        let ahead = nodes.iter().filter_map(|heard| Some((heard.node.id, heard.is_ahead_by()?))).collect();
        let census = kept.liveness.sort(nodes, clock);
        let is_gone = |node: &&Node| kept.unreachable.contains(&node.id);
        let gone = census.silent.iter().filter(is_gone).cloned().collect();
        Self { census, gone, ahead, skew: Some(skew), unusable, more, database: Ok(()) }
    }

    /// What was known before.
    fn known(alive: Vec<Node>, database: Result<(), StoreError>) -> Self {
        let census = Census { alive, ..Census::default() };
        Self { census, gone: vec![], ahead: vec![], skew: None, unusable: vec![], more: false, database }
    }
}

/// Asks all of them at once whether they are ready. Returns those that are, and the others.
async fn ask(tools: &RoundTools, nodes: &[&Node], stopping: &Stopping) -> (Vec<ReadyNode>, Vec<LeftOut>) {
    let asked = nodes.iter().map(|&node| async move {
        let (servers, at) = (Arc::clone(&tools.servers), node.endpoint);
        let asking = call(stopping.clone(), Span::current(), async move { servers.readiness(&at).await });
        let Called { started: asked, ended: answered, took, answer } = asking.await;
        let result = match answer {
            Some(Ok(peer)) => match node.is_answered_by(peer.as_deref()) {
                Ok(()) => return Ok(node.clone().ready()),
                Err(other) => Measured::unmeasured(OutcomeClass::WrongNode, took, other),
            },
            Some(Err(error)) => unanswered(&error, took),
            None => stopped(took),
        };
        Err(LeftOut { node: node.clone(), asked, answered, result, absence: None })
    });
    let (mut ready, mut left_out) = (Vec::new(), Vec::new());
    for answer in join_all(asked).await {
        match answer {
            Ok(node) => ready.push(node),
            Err(node) => left_out.push(node),
        }
    }
    (ready, left_out)
}

/// What is recorded of a call that brought no measurement.
pub(crate) fn unanswered(error: &CallError, took: Duration) -> Measured {
    Measured::unmeasured(error.class(), took, error.to_string())
}

/// What is recorded of a call that was cut off.
pub(crate) fn stopped(took: Duration) -> Measured {
    Measured::unmeasured(OutcomeClass::Cancelled, took, "the scheduler was stopping")
}
