//! What a simulated operation did, request by request, and the same figures of it as of an operation on a wire.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use parsec_measure::{Effort, RequestEnd, RequestKind};

use super::population::Peer;

/// How an operation learnt of a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The request whose answer named it first; `None`: known from the start.
    pub(super) named_by: Option<u32>,
    /// How many answers led to it.
    pub(super) hop: u32,
}

/// One try of a request. Times are since the operation began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) peer: Peer,
    pub(super) kind: RequestKind,
    pub(super) origin: Origin,
    pub(super) asked: Duration,
    pub(super) dialled: Option<Duration>,
    /// Another request was dialling the peer already.
    pub(super) joined: bool,
    pub(super) connected: Option<Duration>,
    pub(super) written: Option<Duration>,
    pub(super) ended: Option<Duration>,
    pub(super) end: RequestEnd,
    /// When the peer of a put said, by ending the stream, that it had taken the record in.
    pub(super) confirmed: Option<Duration>,
    pub(super) closer: u32,
    pub(super) providers: u32,
}

/// Every request of an operation, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(pub(super) Vec<Entry>);

impl Log {
    fn count(&self, wanted: impl Fn(&Entry) -> bool) -> u32 {
        u32::try_from(self.0.iter().filter(|entry| wanted(entry)).count()).unwrap_or(u32::MAX)
    }

    /// The counts that are reported with a measurement, as `parsec-dht` counts them.
    pub(super) fn effort(&self) -> Effort {
        let dials = |entry: &Entry| entry.dialled.is_some() && !entry.joined;
        Effort {
            rpcs: Some(self.count(|entry| entry.written.is_some())),
            rpcs_failed: Some(self.count(|entry| entry.written.is_some() && entry.end.is_failure())),
            dials: Some(self.count(dials)),
            dials_failed: Some(self.count(|entry| dials(entry) && is_dial(entry.end))),
            ..Effort::default()
        }
    }

    /// The same for a publication, with what became of its puts.
    pub(super) fn effort_of_publication(&self) -> Effort {
        // Each peer counts once, as what the best of its tries was.
        let mut puts: HashMap<u32, Put> = HashMap::new();
        for entry in self.0.iter().filter(|entry| entry.kind == RequestKind::AddProvider) {
            let (put, known) = (Put::of(entry), puts.entry(entry.peer.index).or_insert(Put::Failed));
            *known = put.max(*known);
        }
        let count = |wanted: &[Put]| {
            let count = puts.values().filter(|put| wanted.contains(put)).count();
            Some(u32::try_from(count).unwrap_or(u32::MAX))
        };
        Effort {
            holders_stored: count(&[Put::Written, Put::Confirmed]),
            holders_confirmed: count(&[Put::Confirmed]),
            holders_failed: count(&[Put::Failed]),
            holders_pending: count(&[Put::Pending]),
            ..self.effort()
        }
    }

    /// The same log, as far as peers had confirmed records by then.
    pub(super) fn confirmed_by(&self, now: Duration) -> Self {
        let mut log = self.clone();
        log.0.iter_mut().for_each(|entry| entry.confirmed = entry.confirmed.filter(|at| *at <= now));
        log
    }

    /// Whether any request of this kind was answered.
    pub(super) fn has_answer(&self, kind: RequestKind) -> bool {
        self.0.iter().any(|entry| entry.kind == kind && entry.end == RequestEnd::Answered)
    }

    /// Whether a peer was reached and then failed.
    pub(super) fn has_reached(&self) -> bool {
        self.0.iter().any(|entry| entry.end.is_failure() && !is_dial(entry.end))
    }

    /// The peers that were sent the record, with the time at which it was written, if it was.
    pub(super) fn puts(&self) -> BTreeMap<u32, Option<Duration>> {
        let mut puts = BTreeMap::new();
        for entry in self.0.iter().filter(|entry| entry.kind == RequestKind::AddProvider) {
            let written = entry.written.filter(|_| entry.end == RequestEnd::Answered);
            let known = puts.entry(entry.peer.index).or_insert(None);
            *known = (*known).or(written);
        }
        puts
    }
}

/// Whether the peer was not even reached.
fn is_dial(end: RequestEnd) -> bool {
    matches!(end, RequestEnd::DialFailed | RequestEnd::DialTimeout | RequestEnd::BackOff)
}

/// What a put came to, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Put {
    Failed,
    Pending,
    Written,
    Confirmed,
}

impl Put {
    fn of(entry: &Entry) -> Self {
        match entry.end {
            RequestEnd::Answered if entry.confirmed.is_some() => Self::Confirmed,
            RequestEnd::Answered => Self::Written,
            RequestEnd::Pending => Self::Pending,
            _ => Self::Failed,
        }
    }
}
