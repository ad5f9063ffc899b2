//! Who is there for a round, and who can take part.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use parsec_api::client::CallError;
use parsec_measure::{
    ACTIVE_WITHIN, Absence, Faults, FleetGroup, MIN_READY_NODES, Measured, Node, OutcomeClass, ReadyNode,
};
use parsec_store::{NodeList, StoreError, UnusableNode};
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::round::{RoundTools, Stopping, stopped, unless_stopping};

/// How long a round waits for the database, at its beginning and when a server is gone. One that works answers within
/// milliseconds. One that hangs may take a minute to be given up, the whole time between two rounds: it counts as away.
const DATABASE_LIMIT: Duration = Duration::from_secs(5);

/// Who turned up for a round.
#[derive(Debug)]
pub(crate) struct Mustered {
    pub(crate) started: DateTime<Utc>,
    pub(crate) listed: Vec<Node>,
    pub(crate) ready: Vec<ReadyNode>,
    pub(crate) left_out: Vec<LeftOut>,
    /// Rows that no node could be made of.
    pub(crate) unusable: Vec<UnusableNode>,
    /// Whether the database has more nodes than it lists.
    pub(crate) more: bool,
    /// Whether the list is the database's, or what was known before.
    pub(crate) database: Result<(), StoreError>,
}

/// A node that is listed and cannot take part.
#[derive(Debug)]
pub(crate) struct LeftOut {
    pub(crate) node: Node,
    /// When it was asked whether it is ready, and when it had answered or was given up on.
    pub(crate) asked: DateTime<Utc>,
    pub(crate) answered: DateTime<Utc>,
    pub(crate) result: Measured,
    /// It was not asked, for it failed again and again.
    pub(crate) absence: Option<Absence>,
}

impl LeftOut {
    fn unasked(node: Node, absence: Absence) -> Self {
        let Absence { failed, rounds, class, reason } = &absence;
        let error =
            format!("not asked: it failed in {failed} rounds in a row, last: {reason}; left out of {rounds} more");
        let (now, result) = (Utc::now(), Measured::unmeasured(*class, Duration::ZERO, error));
        Self { node, asked: now, answered: now, result, absence: Some(absence) }
    }
}

/// Lists the nodes of the group and asks each whether it is ready. Without the database, `known` are asked. Those who failed
/// again and again are not asked, unless too few are left for a round.
pub(crate) async fn muster(
    tools: &RoundTools,
    group: &FleetGroup,
    known: Vec<Node>,
    faults: &Faults,
    stopping: Stopping,
) -> Mustered {
    let started = Utc::now();
    let listing = in_time(tools.store.active_nodes(group.fleets(), started - ACTIVE_WITHIN));
    let (list, database) = match unless_stopping(stopping.clone(), listing).await {
        Some(Ok(list)) => (list, Ok(())),
        Some(Err(error)) => (NodeList { nodes: known, ..NodeList::default() }, Err(error)),
        None => (NodeList::default(), Ok(())),
    };
    let NodeList { nodes: listed, unusable, more } = list;
    let (absent, present): (Vec<_>, Vec<_>) = listed.iter().partition(|node| faults.absence(node.id).is_some());
    let (mut ready, mut left_out) = ask(tools, &present, &stopping).await;
    if ready.len() < MIN_READY_NODES && !absent.is_empty() {
        let (also_ready, also_left_out) = ask(tools, &absent, &stopping).await;
        ready.extend(also_ready);
        left_out.extend(also_left_out);
    } else {
        let unasked = |node: &Node| Some(LeftOut::unasked(node.clone(), faults.absence(node.id)?));
        left_out.extend(absent.into_iter().filter_map(unasked));
    }
    Mustered { started, ready, left_out, unusable, more, database, listed }
}

/// Asks all at once whether they are ready.
async fn ask(tools: &RoundTools, nodes: &[&Node], stopping: &Stopping) -> (Vec<ReadyNode>, Vec<LeftOut>) {
    let asked = nodes.iter().map(|&node| async move {
        let (asked, clock) = (Utc::now(), Instant::now());
        let readiness = unless_stopping(stopping.clone(), tools.servers.readiness(&node.endpoint)).await;
        let (answered, took) = (Utc::now(), clock.elapsed());
        let result = match readiness {
            Some(Ok(())) => return Ok(node.clone().ready()),
            Some(Err(error)) => {
                mark_offline_if_gone(tools, node, &error, stopping.clone()).await;
                unanswered(&error, took)
            }
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

/// A server that cannot be reached is offline until its next heartbeat.
pub(crate) async fn mark_offline_if_gone(tools: &RoundTools, node: &Node, error: &CallError, stopping: Stopping) {
    if error.class() != OutcomeClass::ServerUnreachable {
        return;
    }
    warn!(node = %node.id, region = node.region, endpoint = %node.endpoint, %error, "server unreachable, marked offline");
    let marking = in_time(tools.store.mark_offline(node.id, Utc::now()));
    if let Some(Err(error)) = unless_stopping(stopping, marking).await {
        warn!(node = %node.id, %error, "not marked offline");
    }
}

/// The answer of the database, if it comes soon.
async fn in_time<T>(asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = timeout(DATABASE_LIMIT, asking).await;
    answer.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {} s", DATABASE_LIMIT.as_secs()))))
}
