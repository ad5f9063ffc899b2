//! Which of the listed nodes are alive, by the heartbeats that the database has of them.
//!
//! A node that stops beating is dead. But heartbeats can also stop because they cannot be written: the database is read-only,
//! full or locked, or its clock has jumped. Then those of nearly all nodes grow old at once, and servers that answer go on.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;

use crate::{ACTIVE_WITHIN, Endpoint, Node, NodeId};

/// How often a server writes a heartbeat (contract, part 2).
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(60);

/// How far the clocks of two machines may be apart before it is said: far more than NTP leaves, and far less than the two
/// minutes after which a node counts as dead.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// For how long nodes without heartbeats are still asked after there was reason to doubt: a beat of each, and one that is
/// missed. Nodes beat one after the other, so in between there are few enough silent ones to look like dead ones.
const DOUBT_LASTS: Duration = Duration::from_secs(120);

/// A node that is not offline, and how old its last heartbeat is by the clock of the database. A heartbeat that a server with
/// a clock of its own wrote may be younger than nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The node.
    pub node: Node,
    /// The age of its last heartbeat.
    pub age: TimeDelta,
}

impl Heard {
    /// Whether it was heard of lately.
    pub fn is_fresh(&self) -> bool {
        self.age <= delta(ACTIVE_WITHIN)
    }

    /// By how much its server's clock seems to be ahead of the database's, if that is more than it should be.
    pub fn is_ahead_by(&self) -> Option<Duration> {
        (-self.age).to_std().ok().filter(|ahead| *ahead > CLOCK_TOLERANCE)
    }
}

/// The nodes of a round. Each list is by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Heard of lately.
    pub alive: Vec<Node>,
    /// Not heard of lately, and neither were nearly all others: whoever of these answers takes part.
    pub doubtful: Vec<Node>,
    /// Not heard of lately while others were.
    pub silent: Vec<Node>,
}

/// Tells nodes that died from heartbeats that could not be written.
#[derive(Debug, Clone, Default)]
pub struct Liveness {
    doubted_until: Option<Duration>,
}

impl Liveness {
    /// Sorts what the database lists. `now` is on a monotonic clock.
    ///
    /// Of several nodes at one address and port the newest one stands there now: a server that was killed leaves its row
    /// behind. One that is silent while an older one is not has gone again.
    pub fn sort(&mut self, heard: Vec<Heard>, now: Duration) -> Census {
        let heard = at_each_address_one(heard);
        let newest = heard.iter().map(|heard| heard.age).min();
        let (fresh, silent): (Vec<_>, Vec<_>) = heard.into_iter().partition(Heard::is_fresh);
        let nobody_beats = newest.is_some_and(|age| age > delta(HEARTBEAT_INTERVAL));
        let most_are_silent = silent.len() > fresh.len();
        if !silent.is_empty() && (nobody_beats || most_are_silent) {
            self.doubted_until = Some(now + DOUBT_LASTS);
        }
        let in_doubt = self.doubted_until.is_some_and(|until| now < until);
        let nodes = |heard: Vec<Heard>| heard.into_iter().map(|heard| heard.node).collect::<Vec<_>>();
        let (alive, silent) = (nodes(fresh), nodes(silent));
        if in_doubt {
            Census { alive, doubtful: silent, silent: Vec::new() }
        } else {
            Census { alive, doubtful: Vec::new(), silent }
        }
    }
}

fn at_each_address_one(heard: Vec<Heard>) -> Vec<Heard> {
    let mut there: BTreeMap<Endpoint, Heard> = BTreeMap::new();
    for heard in heard {
        let rank = |heard: &Heard| (heard.is_fresh(), heard.node.id);
        let endpoint = heard.node.endpoint;
        if there.get(&endpoint).is_none_or(|other| rank(other) < rank(&heard)) {
            there.insert(endpoint, heard);
        }
    }
    let by_id: BTreeMap<NodeId, Heard> = there.into_values().map(|heard| (heard.node.id, heard)).collect();
    by_id.into_values().collect()
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Node `id` at a port of its own, heard of so many seconds ago.
    fn heard(id: i32, age: i64) -> Heard {
        at_port(id, u16::try_from(id).unwrap(), age)
    }

    fn at_port(id: i32, port: u16, age: i64) -> Heard {
        let node = Node {
            id: NodeId(id),
            peer_id: format!("peer-{id}"),
            region: "r".to_owned(),
            fleet: "default".parse().unwrap(),
            endpoint: Endpoint::new([127, 0, 0, 1].into(), port),
        };
        Heard { node, age: TimeDelta::seconds(age) }
    }

    fn ids(nodes: &[Node]) -> Vec<i32> {
        nodes.iter().map(|node| node.id.0).collect()
    }

    fn sorted(liveness: &mut Liveness, now: u64, heard: Vec<Heard>) -> [Vec<i32>; 3] {
        let Census { alive, doubtful, silent } = liveness.sort(heard, Duration::from_secs(now));
        [ids(&alive), ids(&doubtful), ids(&silent)]
    }

    fn first(heard: Vec<Heard>) -> [Vec<i32>; 3] {
        sorted(&mut Liveness::default(), 0, heard)
    }

    #[test]
    fn one_that_falls_silent_among_many_is_dead() {
        assert_eq!(first(vec![heard(1, 3), heard(2, 121), heard(3, 59)]), [vec![1, 3], vec![], vec![2]]);
    }

    #[test]
    fn two_minutes_are_still_alive() {
        assert_eq!(first(vec![heard(1, 3), heard(2, 120)]), [vec![1, 2], vec![], vec![]]);
    }

    #[test]
    fn if_nobody_beats_any_more_the_silent_ones_are_doubtful_from_the_first_on() {
        // The last beats were written 61 s ago: that of node 2 one minute before the others.
        assert_eq!(first(vec![heard(1, 61), heard(2, 121), heard(3, 61)]), [vec![1, 3], vec![2], vec![]]);
        assert_eq!(first(vec![heard(1, 7_200), heard(2, 7_201)]), [vec![], vec![1, 2], vec![]]);
    }

    #[test]
    fn if_most_are_silent_although_somebody_beats_they_are_doubtful() {
        assert_eq!(first(vec![heard(1, 5), heard(2, 300), heard(3, 300)]), [vec![1], vec![2, 3], vec![]]);
    }

    #[test]
    fn while_they_begin_to_beat_again_the_rest_stays_doubtful_for_two_minutes() {
        let mut liveness = Liveness::default();
        let silent = |ids: [i32; 2]| ids.map(|id| heard(id, 3_600)).to_vec();
        assert_eq!(sorted(&mut liveness, 0, silent([1, 2])), [vec![], vec![1, 2], vec![]]);
        let mixed = || vec![heard(1, 0), heard(2, 3_600), heard(3, 0)];
        assert_eq!(sorted(&mut liveness, 119, mixed()), [vec![1, 3], vec![2], vec![]]);
        assert_eq!(sorted(&mut liveness, 120, mixed()), [vec![1, 3], vec![], vec![2]]);
    }

    #[test]
    fn at_one_address_and_port_stands_the_newest() {
        assert_eq!(first(vec![at_port(1, 7, 30), at_port(2, 7, 0), heard(3, 0)]), [vec![2, 3], vec![], vec![]]);
        // Two behind one address, each with a port of its own.
        assert_eq!(first(vec![at_port(1, 7, 0), at_port(2, 8, 0)]), [vec![1, 2], vec![], vec![]]);
        // The newer one has gone again.
        assert_eq!(first(vec![at_port(1, 7, 0), at_port(2, 7, 200), heard(3, 0)]), [vec![1, 3], vec![], vec![]]);
    }

    #[test]
    fn a_heartbeat_from_the_future_says_that_a_clock_is_wrong() {
        assert_eq!((heard(1, -10).is_ahead_by(), heard(1, 5).is_ahead_by()), (None, None));
        assert_eq!(heard(1, -11).is_ahead_by(), Some(Duration::from_secs(11)));
    }

    proptest! {
        /// Whatever is listed: each address stands in exactly one list, and who was heard of lately is alive.
        #[test]
        fn each_address_has_one_place(rounds in proptest::collection::vec(proptest::collection::vec((1..9u16, -300..300i64), 0..12), 1..9)) {
            let mut liveness = Liveness::default();
            for (now, round) in (0..).zip(rounds) {
                let listed: Vec<_> = (1..).zip(&round).map(|(id, (port, age))| at_port(id, *port, *age)).collect();
                let census = liveness.sort(listed.clone(), Duration::from_secs(60 * now));
                let all = [&census.alive[..], &census.doubtful[..], &census.silent[..]].concat();
                let ports: std::collections::BTreeSet<_> = round.iter().map(|(port, _)| *port).collect();
                prop_assert_eq!(all.len(), ports.len());
                prop_assert!(census.doubtful.is_empty() || census.silent.is_empty());
                for heard in &listed {
                    let here = census.alive.iter().any(|node| node.endpoint == heard.node.endpoint);
                    prop_assert!(here || !heard.is_fresh());
                }
            }
        }
    }
}
