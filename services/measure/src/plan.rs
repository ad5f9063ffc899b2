//! Who publishes next, and who looks it up.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::{NodeId, ReadyNode};

/// A round needs one node that publishes and one that looks it up.
pub const MIN_READY_NODES: usize = 2;

/// A node that has not been ready for this many rounds loses its place in the queue.
/// Bounds the memory of a scheduler whose nodes come back under new ids for months.
const FORGET_AFTER_ROUNDS: u64 = 1_000;

/// Too few nodes are ready to play a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{ready} of at least {MIN_READY_NODES} nodes are ready")]
pub struct TooFewNodes {
    /// How many are.
    pub ready: usize,
}

/// The parts in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundPlan {
    /// Publishes fresh content.
    pub provider: ReadyNode,
    /// Look it up, all at the same time.
    pub retrievers: Vec<ReadyNode>,
}

/// Remembers whose turn it is to publish.
///
/// The one who published longest ago is next. A newcomer queues up behind everybody who is there
/// already: a node that restarts over and over under new ids can neither take the turns of the
/// others nor hold the rotation up.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    round: u64,
    turns: BTreeMap<NodeId, Turn>,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    /// Round of the last publication, or of the first appearance.
    last: u64,
    seen: u64,
}

impl Rotation {
    /// Chooses the provider among the nodes that are ready; everybody else retrieves.
    ///
    /// # Errors
    /// [`TooFewNodes`] below [`MIN_READY_NODES`]; no turn is used up then.
    pub fn plan(&mut self, ready: Vec<ReadyNode>) -> Result<RoundPlan, TooFewNodes> {
        if ready.len() < MIN_READY_NODES {
            return Err(TooFewNodes { ready: ready.len() });
        }
        self.round += 1;
        let round = self.round;
        for node in &ready {
            self.turns.entry(node.id()).or_insert(Turn { last: round, seen: round }).seen = round;
        }
        self.turns.retain(|_, turn| round - turn.seen < FORGET_AFTER_ROUNDS);

        let mut retrievers = ready;
        let next = retrievers
            .iter()
            .enumerate()
            .min_by_key(|(_, node)| (self.turns[&node.id()].last, node.id()))
            .map(|(index, _)| index)
            .expect("at least two nodes are ready");
        let provider = retrievers.swap_remove(next);
        retrievers.sort_by_key(ReadyNode::id);
        self.turns.insert(provider.id(), Turn { last: round + 1, seen: round });
        Ok(RoundPlan { provider, retrievers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, Node};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ready(ids: impl IntoIterator<Item = i32>) -> Vec<ReadyNode> {
        ids.into_iter()
            .map(|id| {
                Node {
                    id: NodeId(id),
                    peer_id: format!("peer-{id}"),
                    region: "r".into(),
                    fleet: "default".parse().unwrap(),
                    endpoint: Endpoint::new([127, 0, 0, 1].into(), 7070),
                }
                .ready()
            })
            .collect()
    }

    fn provider(rotation: &mut Rotation, ids: impl IntoIterator<Item = i32>) -> i32 {
        rotation.plan(ready(ids)).unwrap().provider.id().0
    }

    #[test]
    fn everybody_publishes_once_before_anybody_publishes_twice() {
        let mut rotation = Rotation::default();
        let order: Vec<_> = (0..6).map(|_| provider(&mut rotation, [3, 1, 2])).collect();
        assert_eq!(order, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn a_newcomer_queues_up_behind_those_who_wait() {
        let mut rotation = Rotation::default();
        assert_eq!(provider(&mut rotation, [2, 3, 4]), 2);
        let order: Vec<_> = (0..4).map(|_| provider(&mut rotation, [1, 2, 3, 4])).collect();
        assert_eq!(order, [3, 4, 1, 2]);
    }

    #[test]
    fn a_node_with_ever_new_ids_takes_no_turn_from_the_others() {
        let mut rotation = Rotation::default();
        let order: Vec<_> = (0..6).map(|i| provider(&mut rotation, [1, 2, 100 + i])).collect();
        assert_eq!(order, [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn too_few_nodes_use_up_no_turn() {
        let mut rotation = Rotation::default();
        assert_eq!(rotation.plan(ready([1])), Err(TooFewNodes { ready: 1 }));
        assert_eq!(rotation.plan(vec![]), Err(TooFewNodes { ready: 0 }));
        assert_eq!(provider(&mut rotation, [1, 2]), 1);
    }

    #[test]
    fn nodes_that_never_return_are_forgotten() {
        let mut rotation = Rotation::default();
        for i in 0..5_000 {
            provider(&mut rotation, [1, 2, 10 + i]);
        }
        assert!(rotation.turns.len() as u64 <= FORGET_AFTER_ROUNDS + 2);
    }

    proptest! {
        /// However nodes come and go: one provider, everybody else retrieves, nobody twice, nobody left out.
        #[test]
        fn each_ready_node_has_exactly_one_part(rounds in proptest::collection::vec(proptest::collection::btree_set(0..8i32, 2..8), 1..60)) {
            let mut rotation = Rotation::default();
            for ids in rounds {
                let plan = rotation.plan(ready(ids.iter().copied())).unwrap();
                let mut parts: Vec<_> = plan.retrievers.iter().map(|n| n.id().0).collect();
                parts.push(plan.provider.id().0);
                prop_assert_eq!(parts.len(), ids.len());
                prop_assert_eq!(parts.into_iter().collect::<BTreeSet<_>>(), ids);
            }
        }

        /// A node that is always there publishes within as many rounds as there are different nodes.
        #[test]
        fn nobody_starves(rounds in proptest::collection::vec(proptest::collection::btree_set(1..8i32, 1..8), 8..60)) {
            let mut rotation = Rotation::default();
            let mut waited = 0;
            for others in rounds {
                let mut ids = others;
                ids.insert(0);
                if ids.len() < 2 { continue }
                if provider(&mut rotation, ids) == 0 { waited = 0 } else { waited += 1 }
                prop_assert!(waited <= 8, "node 0 waited {waited} rounds among at most 8 nodes");
            }
        }
    }
}
