//! What a round loop says of its nodes: each thing once, and again when it changes.

use std::collections::BTreeSet;
use std::time::Duration;

use parsec_measure::{Absence, FleetGroup, NodeId, OutcomeClass, SchedulerId, TooFewNodes};
use parsec_store::{MAX_ROSTER, OtherScheduler, UnusableNode};
use tracing::{info, warn};

use super::muster::{LeftOut, Mustered};
use crate::telemetry::metrics::Metrics;

/// What has been said.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Which nodes are left out of rounds because their servers fail repeatedly.
    unasked: BTreeSet<NodeId>,
    database_is_away: bool,
    /// The rows that are known to be unusable.
    unusable: Vec<UnusableNode>,
    more_than_listed: bool,
    too_few: Option<TooFewNodes>,
    unreachable: BTreeSet<NodeId>,
    doubts: bool,
    ahead: BTreeSet<NodeId>,
    others: BTreeSet<SchedulerId>,
}

impl Notices {
    /// Says what is new about the nodes of a round.
    pub(super) fn of(&mut self, fleet: &FleetGroup, mustered: &Mustered, metrics: &Metrics) {
        self.note_database(fleet, mustered);
        self.note_doubts(fleet, mustered, metrics);
        self.note_clocks(fleet, mustered);
        self.note_unusable(fleet, mustered);
        self.note_left_out(fleet, mustered, metrics);
        self.note_unreachable(fleet, mustered, metrics);
    }

    /// Says when the database goes away and when it is back.
    fn note_database(&mut self, fleet: &FleetGroup, mustered: &Mustered) {
        match &mustered.database {
            Err(error) if !self.database_is_away => {
                warn!(%fleet, %error, nodes = mustered.listed.len(), "the database lists no nodes; going on with those known");
            }
            Ok(()) if self.database_is_away => info!(%fleet, "the database lists nodes again"),
            _ => {}
        }
        self.database_is_away = mustered.database.is_err();
    }

    /// Says when rounds go on with nodes whose heartbeats are too old, and when they no longer do.
    fn note_doubts(&mut self, fleet: &FleetGroup, mustered: &Mustered, metrics: &Metrics) {
        let (nodes, listed) = (mustered.without_heartbeat(), mustered.listed.len());
        match nodes {
            0 if self.doubts => info!(%fleet, listed, "the heartbeats of all nodes in the rounds are fresh again"),
            0 => {}
            _ if !self.doubts => warn!(
                %fleet, nodes, listed,
                "the heartbeats of nearly all nodes grew too old at once: the database cannot be written (is it read-only, \
                 full or locked?), or a clock has jumped; going on with the nodes that answer"
            ),
            _ => {}
        }
        metrics.nodes_without_heartbeat(&fleet.to_string(), nodes);
        self.doubts = nodes > 0;
    }

    /// Says once of each node that its heartbeats come from the future.
    fn note_clocks(&mut self, fleet: &FleetGroup, mustered: &Mustered) {
        for (node, ahead) in mustered.ahead.iter().filter(|(node, _)| !self.ahead.contains(node)) {
            warn!(%fleet, %node, ahead_seconds = ahead.as_secs(), "the clock of this server is ahead of the database's; check NTP there");
        }
        self.ahead = mustered.ahead.iter().map(|(node, _)| *node).collect();
    }

    /// Says of each unusable row what is wrong with it, and when there are more nodes than one round can ask.
    fn note_unusable(&mut self, fleet: &FleetGroup, mustered: &Mustered) {
        if mustered.database.is_err() {
            return;
        }
        for row in mustered.unusable.iter().filter(|row| !self.unusable.contains(row)) {
            warn!(%fleet, node = %row.id, reason = row.reason, "a row of nodes_ecs cannot be used, left out");
        }
        if mustered.more && !self.more_than_listed {
            warn!(%fleet, listed = MAX_ROSTER, "there are more nodes than one round can ask; those that registered last take part");
        }
        self.unusable.clone_from(&mustered.unusable);
        self.more_than_listed = mustered.more;
    }

    /// Says who is left out from now on because its server fails repeatedly, and who no longer is.
    fn note_left_out(&mut self, fleet: &FleetGroup, mustered: &Mustered, metrics: &Metrics) {
        let mut unasked = BTreeSet::new();
        for LeftOut { node, absence, .. } in &mustered.left_out {
            let Some(Absence { failed, rounds, reason, .. }) = absence else { continue };
            unasked.insert(node.id);
            if !self.unasked.contains(&node.id) {
                warn!(%fleet, node = %node.id, region = node.region, failed, rounds, reason, "server fails again and again, left out");
            }
        }
        for node in self.unasked.difference(&unasked) {
            info!(%fleet, %node, "server is no longer left out");
        }
        metrics.nodes_left_out(&fleet.to_string(), unasked.len());
        self.unasked = unasked;
    }

    /// Says when there are other servers than before that cannot be reached and still write heartbeats.
    fn note_unreachable(&mut self, fleet: &FleetGroup, mustered: &Mustered, metrics: &Metrics) {
        let is_unreachable = |left_out: &&LeftOut| left_out.result.class == OutcomeClass::ServerUnreachable;
        let left_out: Vec<_> = mustered.left_out.iter().filter(is_unreachable).collect();
        let unreachable: BTreeSet<_> = left_out.iter().map(|left_out| left_out.node.id).collect();
        metrics.unreachable_nodes(&fleet.to_string(), unreachable.len());
        // Of a database that is away nothing is known of heartbeats.
        let new = left_out.iter().find(|left_out| !self.unreachable.contains(&left_out.node.id));
        if let Some(LeftOut { node, result, .. }) = new.filter(|_| mustered.database.is_ok()) {
            let (unreachable, listed, error) = (unreachable.len(), mustered.listed.len(), result.error.as_deref());
            warn!(
                %fleet, unreachable, listed, node = %node.id, endpoint = %node.endpoint, error,
                "cannot reach {unreachable} of {listed} servers whose heartbeats are fresh: unless they have just died, look for \
                 the reason on this side (firewall, routes, --server-tls-ca); the others may reach them, so they are not marked \
                 offline"
            );
        } else if unreachable.is_empty() && !self.unreachable.is_empty() {
            info!(%fleet, "every server whose heartbeat is fresh can be reached again");
        }
        self.unreachable = unreachable;
    }

    /// Says that there are too few nodes, again when their number changes, and when there are enough.
    pub(super) fn too_few(&mut self, fleet: &FleetGroup, too_few: Option<TooFewNodes>, mustered: &Mustered) {
        if self.too_few == too_few {
            return;
        }
        let listed = mustered.listed.len();
        match too_few {
            Some(reason) => warn!(%fleet, listed, %reason, "rounds wait for nodes"),
            None => info!(%fleet, listed, ready = mustered.ready.len(), "enough nodes are ready again"),
        }
        self.too_few = too_few;
    }

    /// Says who else measures with the same servers.
    pub(super) fn others(
        &mut self,
        fleet: &FleetGroup,
        others: &[OtherScheduler],
        within: Duration,
        metrics: &Metrics,
    ) {
        metrics.other_schedulers(&fleet.to_string(), others.len());
        for OtherScheduler { id, fleets } in others.iter().filter(|other| !self.others.contains(&other.id)) {
            let (other, theirs, within_seconds) = (id.0, fleets.join(","), within.as_secs());
            warn!(
                %fleet, other, theirs, within_seconds,
                "scheduler {other} publishes with servers of the same fleets: each measures the load of the other; unless that \
                 is meant, stop one of them"
            );
        }
        self.others = others.iter().map(|other| other.id).collect();
    }
}
