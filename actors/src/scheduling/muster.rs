//! Finds out which nodes are there for a round, and which of them can take part.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use parsec_api::client::CallError;
use parsec_measure::{
    ACTIVE_WITHIN, Absence, Faults, FleetGroup, MIN_READY_NODES, Measured, Node, OutcomeClass, ReadyNode,
};
use parsec_store::{Roster, StoreError, UnusableNode};
use tokio::time::Instant;

use super::books::{Gone, in_time};
use super::tools::RoundTools;
use crate::supervision::stop::{Stopping, unless_stopping};

/// The nodes found for a round.
#[derive(Debug)]
pub(crate) struct Mustered {
    pub(crate) started: DateTime<Utc>,
    pub(crate) listed: Vec<Node>,
    pub(crate) ready: Vec<ReadyNode>,
    pub(crate) left_out: Vec<LeftOut>,
    /// Servers that could not be reached and have yet to be marked offline.
    pub(crate) gone: Vec<Gone>,
    /// Rows that could not be turned into a node.
    pub(crate) unusable: Vec<UnusableNode>,
    /// Whether the database has more nodes than it lists.
    pub(crate) more: bool,
    /// Whether the list comes from the database, or is the one that was known before.
    pub(crate) database: Result<(), StoreError>,
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
        let (now, result) = (Utc::now(), Measured::unmeasured(*class, Duration::ZERO, error));
        Self { node, asked: now, answered: now, result, absence: Some(absence) }
    }
}

/// Lists the nodes of the group and asks each whether it is ready. Without the database, the nodes in `known` are
/// asked. Nodes that failed repeatedly are not asked, unless too few others are left for a round.
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
        Some(Err(error)) => (Roster { nodes: known, ..Roster::default() }, Err(error)),
        None => (Roster::default(), Ok(())),
    };
    let Roster { nodes: listed, unusable, more } = list;
    let (absent, present): (Vec<_>, Vec<_>) = listed.iter().partition(|node| faults.absence(node.id).is_some());
    let mut here = ask(tools, &present, &stopping).await;
    if here.ready.len() < MIN_READY_NODES && !absent.is_empty() {
        let also = ask(tools, &absent, &stopping).await;
        here.ready.extend(also.ready);
        here.left_out.extend(also.left_out);
        here.gone.extend(also.gone);
    } else {
        let unasked = |node: &Node| Some(LeftOut::unasked(node.clone(), faults.absence(node.id)?));
        here.left_out.extend(absent.into_iter().filter_map(unasked));
    }
    let Here { ready, left_out, gone } = here;
    Mustered { started, ready, left_out, gone, unusable, more, database, listed }
}

/// The answers of those who were asked.
#[derive(Debug, Default)]
struct Here {
    ready: Vec<ReadyNode>,
    left_out: Vec<LeftOut>,
    gone: Vec<Gone>,
}

/// Asks all of them at once whether they are ready.
async fn ask(tools: &RoundTools, nodes: &[&Node], stopping: &Stopping) -> Here {
    let asked = nodes.iter().map(|&node| async move {
        let (asked, clock) = (Utc::now(), Instant::now());
        let readiness = unless_stopping(stopping.clone(), tools.servers.readiness(&node.endpoint)).await;
        let (answered, took) = (Utc::now(), clock.elapsed());
        let (result, gone) = match readiness {
            Some(Ok(())) => return Ok(node.clone().ready()),
            Some(Err(error)) => (unanswered(&error, took), Gone::if_so(node, &error)),
            None => (stopped(took), None),
        };
        Err((LeftOut { node: node.clone(), asked, answered, result, absence: None }, gone))
    });
    let mut here = Here::default();
    for answer in join_all(asked).await {
        match answer {
            Ok(node) => here.ready.push(node),
            Err((node, gone)) => {
                here.left_out.push(node);
                here.gone.extend(gone);
            }
        }
    }
    here
}

/// What is recorded of a call that brought no measurement.
pub(crate) fn unanswered(error: &CallError, took: Duration) -> Measured {
    Measured::unmeasured(error.class(), took, error.to_string())
}

/// What is recorded of a call that was cut off.
pub(crate) fn stopped(took: Duration) -> Measured {
    Measured::unmeasured(OutcomeClass::Cancelled, took, "the scheduler was stopping")
}
