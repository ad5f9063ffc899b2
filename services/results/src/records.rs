//! Records: how many peers were given them, and how many had them when that was checked.

use std::collections::BTreeMap;
use std::time::Duration;

use parsec_measure::{ArchivedCheck, ArchivedNode, ArchivedPublication, Given, NodeId};

use crate::Dimension;
use crate::statistics::Share;

/// A mean, and of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    /// Of how many it is the mean. Those of which it is not known are left out.
    pub n: usize,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: Option<u32>) {
        if let Some(value) = value {
            self.n += 1;
            self.sum += f64::from(value);
        }
    }

    /// The mean, if it is of any.
    pub fn value(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// How many peers were given a record, on average.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GivenMeans {
    /// Those that it was written to.
    pub stored: Mean,
    /// Those of them that confirmed that they took it in.
    pub confirmed: Mean,
}

impl GivenMeans {
    fn add(&mut self, given: Given) {
        self.stored.add(given.stored);
        self.confirmed.add(given.confirmed);
    }
}

/// What checks at one age of the record saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verified {
    /// Of each check, how many peers have the record, and how many were asked.
    checks: Vec<(f64, f64)>,
}

impl Verified {
    /// How many checks there are.
    pub fn checks(&self) -> usize {
        self.checks.len()
    }

    /// The share of the closest peers that have the record. A check is the unit: what its peers say has one record and one moment in common.
    pub fn share(&self) -> Option<Share> {
        Share::of_clusters(self.checks.iter().copied())
    }
}

/// Publications that have something in common, as far as their records are concerned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordGroup {
    /// What they have in common, one value for each dimension.
    pub common: Vec<String>,
    /// How many publications there are, whatever is known of their records.
    pub publications: usize,
    /// Who had been given the record when the publication returned.
    pub at_return: GivenMeans,
    /// The same when the last put had ended.
    pub finally: GivenMeans,
    /// Who had it later, by its age.
    pub verified: BTreeMap<Duration, Verified>,
}

/// Collects publications and checks into groups.
#[derive(Debug)]
pub struct Records {
    by: Vec<Dimension>,
    nodes: BTreeMap<NodeId, ArchivedNode>,
    groups: BTreeMap<Vec<String>, RecordGroup>,
}

impl Records {
    /// Groups by these dimensions.
    pub fn new(by: Vec<Dimension>, nodes: BTreeMap<NodeId, ArchivedNode>) -> Self {
        Self { by, nodes, groups: BTreeMap::new() }
    }

    /// Counts a publication in.
    pub fn add_publication(&mut self, publication: &ArchivedPublication) {
        let group = self.group(publication.node, publication.started);
        group.publications += 1;
        group.at_return.add(publication.at_return);
        group.finally.add(publication.finally);
    }

    /// Counts a check in, with the publication's time.
    pub fn add_check(&mut self, check: &ArchivedCheck) {
        let verified = self.group(check.node, check.published).verified.entry(check.after).or_default();
        verified.checks.push((f64::from(check.have), f64::from(check.asked)));
    }

    /// The groups in the order of their names.
    pub fn finish(self) -> Vec<RecordGroup> {
        self.groups.into_iter().map(|(common, group)| RecordGroup { common, ..group }).collect()
    }

    fn group(&mut self, node: NodeId, at: chrono::DateTime<chrono::Utc>) -> &mut RecordGroup {
        let node = self.nodes.get(&node);
        // A publication is the first look there is.
        let common = self.by.iter().map(|dimension| dimension.value(at, 0, node)).collect();
        self.groups.entry(common).or_default()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeZone, Utc};
    use parsec_measure::{AttemptId, CheckId};
    use uuid::Uuid;

    use super::*;

    fn at(hour: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 27, hour, 0, 0).unwrap()
    }

    fn publication(node: i32, at_return: Option<u32>, finally: Option<u32>) -> ArchivedPublication {
        let given = |stored: Option<u32>| Given { stored, confirmed: stored.map(|stored| stored - 1) };
        ArchivedPublication {
            id: AttemptId(Uuid::nil()),
            node: NodeId(node),
            started: at(1),
            at_return: given(at_return),
            finally: given(finally),
        }
    }

    fn records() -> Records {
        let node = |fleet: &str| ArchivedNode {
            fleet: fleet.to_owned(),
            region: "eu".to_owned(),
            peer_id: format!("12D3KooW{fleet}"),
            ..ArchivedNode::default()
        };
        let nodes = [(NodeId(1), node("default")), (NodeId(2), node("optprov"))].into();
        Records::new(vec![Dimension::Fleet], nodes)
    }

    #[test]
    fn means_are_of_those_that_are_known_and_say_of_how_many() {
        let mut records = records();
        for publication in
            [publication(1, Some(20), Some(20)), publication(1, Some(10), None), publication(1, None, None)]
        {
            records.add_publication(&publication);
        }
        let groups = records.finish();
        let group = &groups[0];
        assert_eq!((groups.len(), group.common.as_slice(), group.publications), (1, &["default".to_owned()][..], 3));
        assert_eq!((group.at_return.stored.value(), group.at_return.stored.n), (Some(15.0), 2));
        assert_eq!((group.finally.confirmed.value(), group.finally.confirmed.n), (Some(19.0), 1));
        assert_eq!(Mean::default().value(), None);
    }

    #[test]
    fn checks_are_the_unit_of_what_is_verified() {
        let mut records = records();
        for have in [20, 0].into_iter().cycle().take(40) {
            let (id, after) = (CheckId(Uuid::nil()), Duration::from_secs(3_600));
            records.add_check(&ArchivedCheck { id, node: NodeId(2), published: at(2), after, asked: 20, have });
        }
        let groups = records.finish();
        let verified = &groups[0].verified[&Duration::from_secs(3_600)];
        let share = verified.share().unwrap();
        assert_eq!((groups[0].common[0].as_str(), verified.checks(), share.n, share.of), ("optprov", 40, 800, 400));
        // Forty checks that agree in themselves say as much as forty peers, not as eight hundred.
        assert!((35.0..45.0).contains(&share.effective_n), "{share:?}");
    }
}
