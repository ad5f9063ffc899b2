//! The measurements that limits are about.

use std::collections::{BTreeMap, BTreeSet};

use parsec_measure::{ArchivedNode, ArchivedOperation, NodeId};

use super::threshold::Metric;
use crate::groups::{Dimension, Looked, observation};
use crate::statistics::{Observation, Sample, reading};

/// The attempts that a metric is about.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// What they say.
    pub sample: Sample,
    /// How many of them were due in each fleet.
    pub fleets: BTreeMap<String, usize>,
}

/// Collects the attempts that each of some metrics is about.
#[derive(Debug)]
pub struct Gathering {
    metrics: Vec<Metric>,
    nodes: BTreeMap<NodeId, ArchivedNode>,
    found: Vec<(Vec<Observation>, BTreeMap<String, usize>)>,
    /// The fleets and regions of servers that have measured anything.
    seen: BTreeSet<NodeId>,
    looked: Looked,
}

impl Gathering {
    /// For these metrics, of the measurements of these servers.
    pub fn new(metrics: Vec<Metric>, nodes: BTreeMap<NodeId, ArchivedNode>) -> Self {
        let found = vec![Default::default(); metrics.len()];
        Self { metrics, nodes, found, seen: BTreeSet::new(), looked: Looked::default() }
    }

    /// Counts one in.
    pub fn add(&mut self, operation: &ArchivedOperation) {
        if !self.looked.counts_in(operation, false) {
            return;
        }
        self.seen.insert(operation.node);
        let node = self.nodes.get(&operation.node);
        let observation = observation(operation, node.map(|node| node.region.as_str()));
        let is_due = usize::from(reading(operation.class, operation.duration).is_some());
        for (metric, (found, fleets)) in self.metrics.iter().zip(&mut self.found) {
            let has = |(label, value): &(Dimension, String)| label.of(node) == value;
            if metric.kind.is_none_or(|kind| kind == operation.kind) && metric.labels.iter().all(has) {
                found.push(observation);
                match fleets.get_mut(Dimension::Fleet.of(node)) {
                    Some(due) => *due += is_due,
                    None => drop(fleets.insert(Dimension::Fleet.of(node).to_owned(), is_due)),
                }
            }
        }
    }

    /// The values that a label has among the servers that have measured anything.
    pub fn values(&self, label: Dimension) -> BTreeSet<&str> {
        self.seen.iter().map(|node| label.of(self.nodes.get(node))).collect()
    }

    /// What each metric is about, in the order in which they were given; nothing where nobody has measured that.
    pub fn finish(self) -> (Vec<Option<Subject>>, Looked) {
        let subject = |(found, fleets): (Vec<Observation>, BTreeMap<String, usize>)| {
            (!found.is_empty()).then(|| Subject { sample: found.into_iter().collect(), fleets })
        };
        (self.found.into_iter().map(subject).collect(), self.looked)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use parsec_measure::{AttemptId, OperationKind, OutcomeClass, RoundId};
    use uuid::Uuid;

    use super::*;
    use crate::check::Threshold;

    #[test]
    fn each_limit_is_about_the_attempts_that_its_labels_name() {
        let node = |fleet: &str, region: &str| ArchivedNode {
            fleet: fleet.to_owned(),
            region: region.to_owned(),
            ..ArchivedNode::default()
        };
        let nodes: BTreeMap<_, _> = [
            (NodeId(1), node("default", "eu")),
            (NodeId(2), node("optprov", "eu")),
            (NodeId(3), node("optprov", "us")),
            (NodeId(4), node("fullrt", "us")),
        ]
        .into();
        let metric = |text: &str| text.parse::<Threshold>().unwrap().metric;
        let metrics = [
            "provide.p50 > 1s",
            "provide.p50{fleet=optprov} > 1s",
            "failures{region=us,fleet=optprov} > 1%",
            "failures{fleet=fullrt} > 1%",
        ];
        let mut gathering = Gathering::new(metrics.map(metric).to_vec(), nodes);
        let operation = |node, kind| ArchivedOperation {
            id: AttemptId(Uuid::nil()),
            round: RoundId(Uuid::nil()),
            node: NodeId(node),
            kind,
            probe: 0,
            class: OutcomeClass::Ok,
            started: DateTime::UNIX_EPOCH,
            duration: std::time::Duration::from_secs(1),
            from_own_records: false,
        };
        for node in [1, 2, 3] {
            gathering.add(&operation(node, OperationKind::Provide));
            gathering.add(&operation(node, OperationKind::Retrieve));
            gathering.add(&ArchivedOperation { probe: 1, ..operation(node, OperationKind::Retrieve) });
        }
        gathering.add(&ArchivedOperation { from_own_records: true, ..operation(4, OperationKind::Retrieve) });
        assert_eq!(gathering.values(Dimension::Fleet), BTreeSet::from(["default", "optprov"]));
        let (subjects, looked) = gathering.finish();
        let due: Vec<_> =
            subjects.iter().map(|subject| subject.as_ref().map(|subject| subject.sample.counts().due)).collect();
        assert_eq!(due, [Some(3), Some(2), Some(2), None]);
        let fleets = |at: usize| subjects[at].as_ref().unwrap().fleets.clone();
        assert_eq!(fleets(0), [("default", 1), ("optprov", 2)].map(|(fleet, due)| (fleet.to_owned(), due)).into());
        assert_eq!(fleets(1), [("optprov".to_owned(), 2)].into());
        assert_eq!(looked, Looked { grouped: 6, from_own_records: 1, later_looks: 3 });
    }
}
