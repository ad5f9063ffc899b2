//! Finds, logs and reports other peers' requests for content on a denylist, outside the swarm's task.
//!
//! Looking one key up takes about 20 µs in a list of 600,000 entries, most of it for hashing. While it serves a
//! request, the swarm's task only puts the key into a queue, which takes 0.3 µs; it never waits, and if the queue is
//! full the key is not looked up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libp2p::PeerId;
use parking_lot::RwLock;
use parsec_measure::{MAX_KEY_BYTES, RequestKind};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::denylist::lists::{DenylistName, Denylists};

/// How many requests may wait to be looked up, about 150 bytes each.
const WAITING: usize = 1_024;

/// How many lines are logged in each [`LOG_WINDOW`]; the next line says how many were left out.
const LINES: u32 = 10;
const LOG_WINDOW: Duration = Duration::from_secs(10);

/// Called for each request for denied content, with the list and the request.
type Tell = dyn Fn(DenylistName, RequestKind) + Send + Sync;

/// The lists that a node in server mode uses, and the function to call.
#[derive(Clone)]
pub struct DenylistWatch {
    lists: Arc<RwLock<Denylists>>,
    tell: Arc<Tell>,
}

impl DenylistWatch {
    /// Calls `tell` for each ADD_PROVIDER and GET_PROVIDERS of others whose key stands on one of the lists; twice if it
    /// stands on both. It runs among the node's tasks and must not wait.
    pub fn new(lists: Denylists, tell: impl Fn(DenylistName, RequestKind) + Send + Sync + 'static) -> Self {
        Self { lists: Arc::new(RwLock::new(lists)), tell: Arc::new(tell) }
    }

    /// From now on, keys are looked up in these lists.
    pub fn replace(&self, lists: Denylists) {
        let before = std::mem::replace(&mut *self.lists.write(), lists);
        // Freeing a large list takes a while, in which nobody has to wait for the lock.
        drop(before);
    }

    /// Starts the task that looks keys up. It ends when its queue is closed.
    pub(crate) fn start(self) -> RequestFeed {
        let (to, from) = mpsc::channel(WAITING);
        let missed = Arc::new(AtomicU64::new(0));
        tokio::spawn(self.run(from, Arc::clone(&missed)));
        RequestFeed { to, missed }
    }

    async fn run(self, mut from: mpsc::Receiver<Inbound>, missed: Arc<AtomicU64>) {
        let (mut found, mut overrun) = (LogBudget::default(), LogBudget::default());
        while let Some(inbound) = from.recv().await {
            self.look_up(&inbound, &mut found);
            if missed.load(Ordering::Relaxed) > 0 && overrun.spend(Instant::now()).is_some() {
                let missed = missed.swap(0, Ordering::Relaxed);
                warn!(missed, "too many provider requests to look all of them up in the lists");
            }
        }
    }

    fn look_up(&self, Inbound { key, kind, peer }: &Inbound, log: &mut LogBudget) {
        for denied in self.lists.read().find(key) {
            (self.tell)(denied.list, *kind);
            if let Some(unsaid) = log.spend(Instant::now()) {
                let (list, request) = (denied.list.as_str(), kind.as_str());
                info!(list, request, cid = denied.cid, source = denied.source, %peer, unsaid, "request for a listed CID");
            }
        }
    }
}

impl fmt::Debug for DenylistWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DenylistWatch").field(&self.lists.read().names()).finish()
    }
}

/// A request of another peer.
#[derive(Debug)]
struct Inbound {
    key: Vec<u8>,
    kind: RequestKind,
    peer: PeerId,
}

/// The queue into which the keys of requests are put.
#[derive(Debug)]
pub(crate) struct RequestFeed {
    to: mpsc::Sender<Inbound>,
    missed: Arc<AtomicU64>,
}

impl RequestFeed {
    /// Takes note of a request. A key that is too long to be held is no multihash that a list could name.
    pub(crate) fn note(&self, key: &[u8], kind: RequestKind, peer: PeerId) {
        if key.len() <= MAX_KEY_BYTES && self.to.try_send(Inbound { key: key.to_vec(), kind, peer }).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Decides whether another line may be logged.
#[derive(Debug, Default)]
struct LogBudget {
    window: Option<Instant>,
    spent: u32,
    unsaid: u64,
}

impl LogBudget {
    /// How many lines have been left out before this one; `None` if this one is left out as well.
    fn spend(&mut self, now: Instant) -> Option<u64> {
        if self.window.is_none_or(|since| now.duration_since(since) >= LOG_WINDOW) {
            (self.window, self.spent) = (Some(now), 0);
        }
        if self.spent >= LINES {
            self.unsaid += 1;
            return None;
        }
        self.spent += 1;
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_findings_is_ten_lines_and_a_number() {
        let (mut budget, now) = (LogBudget::default(), Instant::now());
        let said = (0..1_000).filter(|_| budget.spend(now).is_some()).count();
        assert_eq!(said, LINES as usize);
        assert_eq!(budget.spend(now + LOG_WINDOW / 2), None);
        assert_eq!(budget.spend(now + LOG_WINDOW), Some(1_000 - u64::from(LINES) + 1));
        assert_eq!(budget.spend(now + LOG_WINDOW), Some(0));
    }

    #[test]
    fn lists_that_are_replaced_are_looked_in_at_once() {
        let told = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&told);
        let watch = DenylistWatch::new(Denylists::default(), move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let cid: parsec_measure::Cid = "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5".parse().unwrap();
        let inbound =
            Inbound { key: cid.multihash().to_vec(), kind: RequestKind::GetProviders, peer: PeerId::random() };
        // The task has a clone, as here.
        let looking = watch.clone();
        looking.look_up(&inbound, &mut LogBudget::default());
        assert_eq!(told.load(Ordering::Relaxed), 0);
        let mut reader = crate::DeniedCidsReader::default();
        reader.line(&format!("{cid},test\n")).unwrap();
        watch.replace(Denylists { denied_cids: Some(reader.finish()), ..Denylists::default() });
        looking.look_up(&inbound, &mut LogBudget::default());
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_left_out_and_counted() {
        let requests = DenylistWatch::new(Denylists::default(), |_, _| ()).start();
        // On one thread the task cannot run in between.
        for _ in 0..WAITING + 3 {
            requests.note(&[0x12, 0], RequestKind::GetProviders, PeerId::random());
        }
        requests.note(&[0; MAX_KEY_BYTES + 1], RequestKind::GetProviders, PeerId::random());
        assert_eq!(requests.missed.load(Ordering::Relaxed), 3);
    }
}
