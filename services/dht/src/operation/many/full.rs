//! By a full routing table, peer by peer: as `FullRT.ProvideMany` of go-libp2p-kad-dht (`bulkMessageSend` in `fullrt/dht.go`).
//!
//! A crawl has found the closest peers of every key, so that nobody is asked. Keys that lie side by side make a group, and each
//! peer is sent the records of all keys of a group that it has to hold, over one connection.
//!
//! Not as in Go: a peer is given up after some records in vain, as in a sweep, and is sent the records of one group at a time. The
//! first record to a peer, which dials it, is sent even if its key has enough by then, where Go dials as well and sends nothing. Go
//! sends to the peers of a group in random order, and here those come first that are closest to the first keys.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use parking_lot::Mutex;
use parsec_measure::OutcomeClass;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::books::Books;
use super::sending::{Demand, Sender};
use crate::operation::census::Census;
use crate::operation::error::DhtError;
use crate::operation::failures;
use crate::operation::report::Context;
use crate::strategy::key::Key;
use crate::wire::messages::NamedPeer;

/// To how many peers it sends at a time (Go: `bulkSendParallelism`).
const PARALLEL: usize = 20;

/// How long a record may take, dial included (Go: `timeoutPerOp`, for the dial and again for each record).
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// The share of those that shall hold a record with which its key has enough: 3/10 · 12/10 of 20 are 7 (Go: `waitFrac` · 1.2).
const ENOUGH: (usize, usize) = (36, 100);

/// A key that has enough is sent to no other peer once nobody has been sent it for so long, and until then a record may take
/// no longer.
const PAUSE: Duration = Duration::from_millis(500);

/// A peer, and the numbers of the keys that it has to hold.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    peer: NamedPeer,
    keys: Vec<usize>,
}

/// Who is to be sent what, group by group.
struct Messages<'a> {
    census: &'a Census,
    points: Vec<Key>,
    /// How many peers hold a record.
    holders: usize,
    groups: VecDeque<Vec<usize>>,
    waiting: VecDeque<Message>,
}

/// How many peers have been sent each key, and when the last was. Clones share it.
#[derive(Debug, Clone)]
struct Written {
    enough: usize,
    keys: Arc<Mutex<HashMap<usize, (usize, Instant)>>>,
}

/// Publishes all keys. Once the time is over, no other peer is sent any.
pub(super) async fn publish(
    context: &Context,
    local: &NamedPeer,
    keys: &[Vec<u8>],
    deadline: Instant,
    books: &mut Books,
) -> Result<(), DhtError> {
    if context.census.size() == 0 {
        (0..keys.len()).for_each(|key| books.failed(key, OutcomeClass::NoPeers, failures::NOBODY_TO_ASK.to_owned()));
        return Ok(());
    }
    let sender = Sender::of(keys, context.tools.clone(), local.clone(), deadline).await;
    let points = keys.iter().map(|key| Key::of(key)).collect();
    let mut messages = Messages::new(&context.census, points, context.config.k);
    let written = Written::of(context.config.k);
    let (mut under_way, mut busy) = (JoinSet::new(), HashSet::new());
    loop {
        while under_way.len() < PARALLEL
            && Instant::now() < deadline
            && let Some(Message { peer, keys: numbers }) = messages.next(&busy)
        {
            busy.insert(peer.id);
            let records = numbers.into_iter().map(|number| (number, keys[number].clone())).collect();
            let (sender, written) = (sender.clone(), written.clone());
            under_way.spawn(async move { (peer.id, sender.send(&peer, records, &written).await) });
        }
        let Some(ended) = under_way.join_next().await else { return Ok(()) };
        let (peer, sent) = ended.map_err(|error| DhtError::Crashed(error.to_string()))?;
        busy.remove(&peer);
        books.take_in_sent(&sent);
    }
}

impl<'a> Messages<'a> {
    fn new(census: &'a Census, points: Vec<Key>, holders: usize) -> Self {
        let mut sorted: Vec<usize> = (0..points.len()).collect();
        sorted.sort_unstable_by_key(|number| points[*number]);
        let group = sorted.len() * holders * 2 / census.size().max(1);
        let groups = sorted.chunks(group.max(1)).map(<[usize]>::to_vec).collect();
        Self { census, points, holders, groups, waiting: VecDeque::new() }
    }

    /// The next one to a peer that is not busy. Two at once would have twice as many records unconfirmed as a peer may have.
    fn next(&mut self, busy: &HashSet<PeerId>) -> Option<Message> {
        loop {
            let free = self.waiting.iter().position(|message| !busy.contains(&message.peer.id));
            if let Some(message) = free.and_then(|place| self.waiting.remove(place)) {
                return Some(message);
            }
            let group = self.groups.pop_front()?;
            self.take_on(&group);
        }
    }

    fn take_on(&mut self, group: &[usize]) {
        let (mut places, mut of_group): (HashMap<PeerId, usize>, Vec<Message>) = (HashMap::new(), Vec::new());
        for number in group {
            for peer in self.census.closest(&self.points[*number], self.holders).0 {
                let place = *places.entry(peer.id).or_insert_with(|| {
                    of_group.push(Message { peer, keys: Vec::new() });
                    of_group.len() - 1
                });
                of_group[place].keys.push(*number);
            }
        }
        self.waiting.extend(of_group);
    }
}

impl Written {
    fn of(holders: usize) -> Self {
        Self { enough: holders * ENOUGH.0 / ENOUGH.1, keys: Arc::default() }
    }
}

impl Demand for Written {
    fn limit(&self, key: usize, dials: bool) -> Option<Duration> {
        let known = self.keys.lock().get(&key).copied();
        match known {
            Some((peers, last)) if peers >= self.enough && !dials => (last.elapsed() <= PAUSE).then_some(PAUSE),
            _ => Some(SEND_LIMIT),
        }
    }

    fn written(&self, key: usize) {
        let (mut keys, now) = (self.keys.lock(), Instant::now());
        let (peers, last) = keys.entry(key).or_insert((0, now));
        (*peers, *last) = (*peers + 1, now);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use tokio::time::advance;

    use super::*;
    use crate::strategy::CrawlOutcome;

    fn census(peers: usize) -> Census {
        let census = Census::default();
        let reachable = (0..peers).map(|_| PeerId::random()).collect();
        census.replace(CrawlOutcome { reachable, unreachable: vec![], left_out: 0 }, BTreeMap::new());
        census
    }

    fn points(count: u32) -> Vec<Key> {
        (0..count).map(|number| Key::of(&number.to_be_bytes())).collect()
    }

    #[test]
    fn each_key_is_for_its_closest_peers_once_and_a_peer_gets_all_keys_of_a_group_together() {
        for (peers, keys) in [(1, 1), (12, 30), (100, 7), (300, 200)] {
            let (census, points) = (census(peers), points(keys));
            let mut messages = Messages::new(&census, points.clone(), 20);
            let groups = messages.groups.len();
            let mut sent: Vec<BTreeSet<PeerId>> = vec![BTreeSet::new(); points.len()];
            let mut times: HashMap<PeerId, usize> = HashMap::new();
            while let Some(Message { peer, keys }) = messages.next(&HashSet::new()) {
                *times.entry(peer.id).or_default() += 1;
                keys.into_iter().for_each(|key| assert!(sent[key].insert(peer.id), "{peers} {key}"));
            }
            for (point, sent) in points.iter().zip(sent) {
                assert_eq!(sent, census.closest(point, 20).0.into_iter().map(|peer| peer.id).collect::<BTreeSet<_>>());
            }
            assert!(times.values().all(|times| *times <= groups), "{peers} peers, {groups} groups: {times:?}");
        }
    }

    #[test]
    fn a_peer_that_is_being_sent_records_waits_for_its_next() {
        let census = census(60);
        let mut messages = Messages::new(&census, points(60), 20);
        assert!(messages.groups.len() > 1);
        let mut busy = HashSet::new();
        while let Some(message) = messages.next(&busy) {
            assert!(busy.insert(message.peer.id));
        }
        assert!(!messages.waiting.is_empty(), "nobody is in two groups");
        assert!(messages.next(&HashSet::new()).is_some(), "it is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_has_enough_is_sent_to_nobody_after_a_pause_but_whom_it_dials() {
        let written = Written::of(20);
        (0..6).for_each(|_| written.written(3));
        advance(PAUSE * 2).await;
        assert_eq!(written.limit(3, false), Some(SEND_LIMIT), "six are not enough");
        written.written(3);
        advance(PAUSE).await;
        assert_eq!((written.limit(3, false), written.limit(3, true)), (Some(PAUSE), Some(SEND_LIMIT)));
        advance(Duration::from_millis(1)).await;
        assert_eq!((written.limit(3, false), written.limit(3, true)), (None, Some(SEND_LIMIT)));
        assert_eq!(written.limit(4, false), Some(SEND_LIMIT), "another key");
    }
}
