//! What the time of one operation went to.

use std::time::Duration;

use parsec_measure::{RequestEnd, RequestKind, Trace, TracedRequest};

use crate::path::{Part, parts};

/// What the time of one operation went to, and what went on beside and after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// From the start to the return.
    pub returned: Duration,
    /// What that time went to, the longest part first; they add up to the whole. `None` if no peer was asked.
    pub parts: Option<Vec<Part>>,
    /// How many records were written until the return.
    pub written: usize,
    /// What went on after the return.
    pub background: Option<Background>,
    /// Who did not take in what was written to it.
    pub unconfirmed: Option<Unconfirmed>,
    /// How many requests are not in the trace: what they did counts as the node's own time.
    pub left_out: u32,
}

/// What goes on after an operation has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Background {
    /// How many requests.
    pub requests: usize,
    /// When the last one ended, if any did.
    pub until: Option<Duration>,
}

/// Records that were written and not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// How many.
    pub records: usize,
    /// The first of the peers that they were written to.
    pub peer: String,
    /// Its reason, in a stranger's words.
    pub reason: String,
}

/// Explains an operation. The parts follow the critical path, whose definition stands with [`path`](crate::path).
pub fn explain(trace: &Trace) -> Explanation {
    let asked_nobody = trace.requests.is_empty() && trace.left_out == 0;
    Explanation {
        returned: trace.returned,
        parts: (!asked_nobody).then(|| parts(trace)),
        written: trace.requests.iter().filter(|request| is_written(request, trace.returned)).count(),
        background: background(trace),
        unconfirmed: unconfirmed(trace),
        left_out: trace.left_out,
    }
}

fn is_written(request: &TracedRequest, returned: Duration) -> bool {
    let ended = request.ended.is_some_and(|ended| ended <= returned);
    request.kind == RequestKind::AddProvider && request.end == RequestEnd::Answered && ended
}

fn background(trace: &Trace) -> Option<Background> {
    let ended_later = |request: &TracedRequest| request.ended.filter(|ended| *ended > trace.returned);
    let is_later = |request: &&TracedRequest| request.end == RequestEnd::Pending || ended_later(request).is_some();
    let requests = trace.requests.iter().filter(is_later).count();
    let until = trace.requests.iter().filter_map(ended_later).max();
    (requests > 0).then_some(Background { requests, until })
}

fn unconfirmed(trace: &Trace) -> Option<Unconfirmed> {
    let mut refused = trace.requests.iter().filter_map(|request| Some((request, request.unconfirmed.as_ref()?)));
    let (first, reason) = refused.next()?;
    Some(Unconfirmed { records: 1 + refused.count(), peer: first.peer.clone(), reason: reason.clone() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{at, ending, put, request, trace};

    use super::*;

    #[test]
    fn programs_find_each_part_with_its_cause_and_its_requests() {
        let phases = TracedRequest { dialled: at(0), connected: at(200), written: at(300), ..request("a", 0, 400) };
        let dead = ending(RequestEnd::DialTimeout, request("b", 0, 1_400));
        let parts = explain(&trace(1_400, vec![phases, dead])).parts.unwrap();
        assert_eq!(
            json!(parts),
            json!([
                {
                    "cause": "failed", "end": "dial_timeout", "seconds": 1.0,
                    "requests": [{ "request": 1, "peer": "b", "seconds": 1.0 }],
                    "phases_seconds": { "queued": 0.0, "dial": 0.0, "open": 0.0, "wait": 0.0 },
                },
                {
                    "cause": "lookup", "seconds": 0.4,
                    "requests": [{ "request": 0, "peer": "a", "seconds": 0.4 }],
                    "phases_seconds": { "queued": 0.0, "dial": 0.2, "open": 0.1, "wait": 0.1 },
                },
            ])
        );
    }

    #[test]
    fn what_happens_after_the_return_is_counted_apart() {
        let refused = TracedRequest { unconfirmed: Some("reset".to_owned()), ..put("c", 0, 90) };
        let pending = ending(RequestEnd::Pending, TracedRequest { ended: None, ..put("d", 0, 0) });
        let explanation = explain(&trace(100, vec![put("a", 0, 100), put("b", 0, 12_100), refused, pending]));
        assert_eq!((explanation.written, explanation.parts.unwrap().len()), (2, 1));
        assert_eq!(explanation.background, Some(Background { requests: 2, until: at(12_100) }));
        let unconfirmed = Unconfirmed { records: 1, peer: "c".to_owned(), reason: "reset".to_owned() };
        assert_eq!(explanation.unconfirmed, Some(unconfirmed));
    }

    #[test]
    fn an_operation_that_asked_nobody_has_no_parts() {
        assert_eq!(explain(&trace(5, vec![])).parts, None);
        let hidden = Trace { left_out: 1, ..trace(5, vec![]) };
        assert_eq!(explain(&hidden).parts.unwrap().len(), 1);
    }
}
