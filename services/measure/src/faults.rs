//! Which servers fail again and again, and for how long they are left out of the rounds.

use std::collections::BTreeMap;

use crate::{NodeId, OutcomeClass};

/// The longest absence: about half an hour at the field's one round a minute, so that a server that was mended overnight is
/// soon back, and one that hangs costs a round in thirty its time.
const LONGEST_ABSENCE: u64 = 32;

/// A node that nothing was heard of for this many rounds is forgotten: it bounds the memory of a scheduler whose nodes come
/// back under new ids for months. Longer than any absence.
const FORGET_AFTER_ROUNDS: u64 = 1_000;

/// Why a node is left out of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// How many rounds in a row it failed in.
    pub failed: u32,
    /// How many more rounds it is left out of, this one included.
    pub rounds: u64,
    /// What became of its last attempt.
    pub class: OutcomeClass,
    /// In words, why that failed.
    pub reason: String,
}

/// Remembers whose server fails again and again.
///
/// A server that hangs or answers nonsense while it calls itself ready would cost each round its time, or the publication.
/// After the first round that it fails in, it takes part as before: that happens to everybody. After the second in a row it
/// is left out of one round, then of two, four and so on, up to `LONGEST_ABSENCE`; after each absence it gets another try.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    round: u64,
    nodes: BTreeMap<NodeId, Fault>,
}

#[derive(Debug, Clone)]
struct Fault {
    failed: u32,
    /// The last round that it failed in.
    last: u64,
    /// The first round that it takes part in again.
    back: u64,
    class: OutcomeClass,
    reason: String,
}

impl Faults {
    /// The next round begins.
    pub fn next_round(&mut self) {
        self.round += 1;
        let round = self.round;
        self.nodes.retain(|_, fault| round - fault.last < FORGET_AFTER_ROUNDS);
    }

    /// Why the node is left out of this round; `None` if it takes part.
    pub fn absence(&self, node: NodeId) -> Option<Absence> {
        let fault = self.nodes.get(&node).filter(|fault| self.round < fault.back)?;
        let Fault { failed, class, ref reason, back, .. } = *fault;
        Some(Absence { failed, rounds: back - self.round, class, reason: reason.clone() })
    }

    /// Notes what became of something that the node was asked in this round. A server that says that it is not ready is in
    /// order, and so is one that measured a failure of the DHT.
    pub fn note(&mut self, node: NodeId, class: OutcomeClass, reason: Option<&str>) {
        match class {
            OutcomeClass::ServerUnreachable | OutcomeClass::ServerError | OutcomeClass::WrongNode => {
                self.failed(node, class, reason.unwrap_or_default());
            }
            // Both say nothing about the server.
            OutcomeClass::Cancelled | OutcomeClass::RecordLost => {}
            // Of several attempts in one round, those that failed count.
            _ if self.nodes.get(&node).is_some_and(|fault| fault.last == self.round) => {}
            _ => {
                self.nodes.remove(&node);
            }
        }
    }

    fn failed(&mut self, node: NodeId, class: OutcomeClass, reason: &str) {
        let round = self.round;
        let earlier = self.nodes.get(&node);
        let failed = match earlier {
            Some(fault) if fault.last == round => fault.failed,
            Some(fault) => fault.failed.saturating_add(1),
            None => 1,
        };
        let absence = match failed {
            0 | 1 => 0,
            more => 1_u64.checked_shl(more - 2).map_or(LONGEST_ABSENCE, |rounds| rounds.min(LONGEST_ABSENCE)),
        };
        let fault = Fault { failed, last: round, back: round + 1 + absence, class, reason: reason.to_owned() };
        self.nodes.insert(node, fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NODE: NodeId = NodeId(7);

    /// Plays rounds; in each the node fails if it takes part. Which of them were that?
    fn failing(faults: &mut Faults, rounds: usize) -> String {
        let play = |_| {
            faults.next_round();
            if faults.absence(NODE).is_some() {
                return '.';
            }
            faults.note(NODE, OutcomeClass::ServerError, Some("garbage"));
            '#'
        };
        (0..rounds).map(play).collect()
    }

    #[test]
    fn a_server_that_keeps_failing_is_asked_less_and_less() {
        let mut faults = Faults::default();
        assert_eq!(failing(&mut faults, 24), "##.#..#....#........#...");
        assert_eq!(failing(&mut Faults::default(), 200).matches('#').count(), 11);
    }

    #[test]
    fn an_absence_says_for_how_long_and_why() {
        let mut faults = Faults::default();
        failing(&mut faults, 4);
        faults.next_round();
        let absence = Absence { failed: 3, rounds: 2, class: OutcomeClass::ServerError, reason: "garbage".to_owned() };
        assert_eq!(faults.absence(NODE), Some(absence));
        assert_eq!(faults.absence(NodeId(8)), None);
    }

    #[test]
    fn one_good_round_and_everything_is_forgotten() {
        let mut faults = Faults::default();
        failing(&mut faults, 6);
        faults.next_round();
        faults.note(NODE, OutcomeClass::NotFound, Some("no provider"));
        assert_eq!(failing(&mut faults, 4), "##.#");
    }

    #[test]
    fn several_failures_in_one_round_count_once_and_a_success_beside_them_does_not() {
        let mut faults = Faults::default();
        for _ in 0..2 {
            faults.next_round();
            faults.note(NODE, OutcomeClass::ServerUnreachable, None);
            faults.note(NODE, OutcomeClass::ServerUnreachable, None);
            faults.note(NODE, OutcomeClass::Ok, None);
        }
        faults.next_round();
        assert_eq!(faults.absence(NODE).map(|absence| (absence.failed, absence.rounds)), Some((2, 1)));
    }

    #[test]
    fn a_server_that_is_not_ready_or_was_interrupted_is_not_at_fault() {
        let mut faults = Faults::default();
        for _ in 0..9 {
            faults.next_round();
            assert_eq!(faults.absence(NODE), None);
            faults.note(NODE, OutcomeClass::ServerNotReady, None);
            faults.note(NODE, OutcomeClass::Cancelled, None);
        }
    }

    proptest! {
        /// Whatever becomes of it, a node is back after at most the longest absence.
        #[test]
        fn nobody_is_left_out_for_ever(classes in proptest::collection::vec(0..OutcomeClass::ALL.len(), 1..300)) {
            let (mut faults, mut absent) = (Faults::default(), 0);
            for class in classes {
                faults.next_round();
                match faults.absence(NODE) {
                    Some(absence) => {
                        absent += 1;
                        prop_assert!(absent + absence.rounds - 1 <= LONGEST_ABSENCE);
                    }
                    None => {
                        absent = 0;
                        faults.note(NODE, OutcomeClass::ALL[class], None);
                    }
                }
            }
        }
    }
}
