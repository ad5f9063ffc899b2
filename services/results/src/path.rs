//! The critical path of an operation: which request its time went to, moment by moment.
//!
//! The path is walked back from the return. A strategy does something exactly when one of its requests ends: an answer
//! names the next peer, any end makes room for another request or completes a phase. So the request that *triggered* what
//! happened at some moment is the one that ended last until then; of several that ended at once (`AT_ONCE`) the one whose
//! answer named the peer, or found the provider. Cancelled requests trigger nothing.
//!
//! - An answered request accounts for the time from when it was asked to its end; the walk goes on with what triggered it.
//! - One that failed accounts for the time in which nothing else ended: until then, the operation progressed without it.
//! - What remains between a trigger and what it triggered goes to the requests under way in the meantime, as when a
//!   strategy waits for more of them, or runs out of time; and to the node itself if there are none.
//!
//! The stretches adjoin each other from the start to the return, so that they always add up to the whole.

use std::cmp::Reverse;
use std::time::Duration;

use parsec_measure::{RequestEnd, RequestKind, Trace, TracedRequest};
use serde::{Serialize, Serializer};

use crate::phases::{Phase, Span, phases};

/// Up to this apart, two events count as one: a node that reacts to an answer does so well within it.
const AT_ONCE: Duration = Duration::from_millis(1);

/// And up to this share of the whole, where a millisecond is long.
const AT_ONCE_SHARE: u32 = 100;

/// What a stretch of time went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", content = "end", rename_all = "snake_case")]
pub enum Cause {
    /// Requests that were answered, one after the other.
    Lookup,
    /// Writing records.
    Put,
    /// Requests that failed in this way, while nothing else ended.
    Failed(RequestEnd),
    /// Requests that were under way and had not ended, while nothing else did.
    UnderWay,
    /// The node itself: nobody was being asked.
    Itself,
}

/// One stretch of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// What it went to.
    pub cause: Cause,
    /// The requests that account for it.
    pub requests: Vec<usize>,
    /// From when to when.
    pub span: Span,
}

/// All stretches with the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it went to.
    #[serde(flatten)]
    pub cause: Cause,
    /// How long all of it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// The requests that account for it, each once, in the order of the path.
    pub requests: Vec<Share>,
    /// What [`Cause::Lookup`] and [`Cause::Put`] waited for.
    #[serde(rename = "phases_seconds", serialize_with = "seconds_by_name")]
    pub phases: Vec<(Phase, Duration)>,
}

/// What one request accounts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Its place in the trace.
    pub request: usize,
    /// Whom it went to.
    pub peer: String,
    /// How much of the time it accounts for.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn seconds_by_name<S: Serializer>(phases: &[(Phase, Duration)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(phases.iter().map(|(phase, took)| (phase.as_str(), took.as_secs_f64())))
}

/// The parts of the time from the start to the return, the longest first. They add up to the whole.
pub fn parts(trace: &Trace) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for stretch in stretches(trace) {
        let index = parts.iter().position(|part| part.cause == stretch.cause).unwrap_or_else(|| {
            let phases = Phase::ALL.map(|phase| (phase, Duration::ZERO)).to_vec();
            parts.push(Part { cause: stretch.cause, requests: Vec::new(), took: Duration::ZERO, phases });
            parts.len() - 1
        });
        parts[index].add(&stretch, &trace.requests);
    }
    parts.sort_by_key(|part| Reverse(part.took));
    parts
}

impl Part {
    fn add(&mut self, stretch: &Stretch, all: &[TracedRequest]) {
        let length = stretch.span.length();
        self.took += length;
        for index in &stretch.requests {
            match self.requests.iter_mut().find(|known| known.request == *index) {
                Some(known) => known.took += length,
                None => self.requests.push(Share { request: *index, peer: all[*index].peer.clone(), took: length }),
            }
        }
        if let (Cause::Lookup | Cause::Put, [index]) = (self.cause, &stretch.requests[..]) {
            let phases = phases(&all[*index], stretch.span.to);
            for ((_, took), (_, span)) in self.phases.iter_mut().zip(phases) {
                *took += span.common(stretch.span).length();
            }
        }
    }
}

/// The path in the order of time, without stretches of no length.
pub fn stretches(trace: &Trace) -> Vec<Stretch> {
    let mut walk = Walk {
        requests: &trace.requests,
        at_once: AT_ONCE.min(trace.returned / AT_ONCE_SHARE),
        used: vec![false; trace.requests.len()],
        stretches: Vec::new(),
    };
    let mut at = trace.returned;
    let mut preferred = trace.requests.iter().position(|request| request.providers > 0);
    while let Some(trigger) = walk.trigger(at, preferred) {
        walk.used[trigger.index] = true;
        walk.wait(Span { from: trigger.ended, to: at });
        let request = &trace.requests[trigger.index];
        at = walk.account(&trigger);
        let was_asked_then = at == request.asked;
        preferred = request.named_by.filter(|_| was_asked_then).and_then(|index| usize::try_from(index).ok());
    }
    walk.wait(Span { from: Duration::ZERO, to: at });
    walk.stretches.reverse();
    walk.stretches
}

struct Walk<'a> {
    requests: &'a [TracedRequest],
    /// How far apart two events are that count as one.
    at_once: Duration,
    /// Each request triggers one thing at most, so that the walk ends.
    used: Vec<bool>,
    /// The last one first.
    stretches: Vec<Stretch>,
}

/// A request whose end makes something happen.
#[derive(Clone, Copy)]
struct Trigger {
    index: usize,
    ended: Duration,
    answered: bool,
}

impl Walk<'_> {
    fn triggers(&self) -> impl Iterator<Item = Trigger> {
        let mut all = self.requests.iter().zip(&self.used).enumerate();
        std::iter::from_fn(move || {
            all.find_map(|(index, (request, used))| {
                let triggers = !used && !matches!(request.end, RequestEnd::Cancelled | RequestEnd::Pending);
                let ended = request.ended.filter(|_| triggers)?;
                Some(Trigger { index, ended, answered: request.end == RequestEnd::Answered })
            })
        })
    }

    fn trigger(&self, at: Duration, preferred: Option<usize>) -> Option<Trigger> {
        let possible = || self.triggers().filter(|trigger| trigger.ended <= at);
        let last = possible().max_by_key(|trigger| (trigger.ended, trigger.answered, Reverse(trigger.index)))?;
        let preferred = possible().find(|trigger| Some(trigger.index) == preferred);
        Some(preferred.filter(|trigger| trigger.ended + self.at_once >= last.ended).unwrap_or(last))
    }

    /// Lets a request account for its time; returns from when on.
    fn account(&mut self, trigger: &Trigger) -> Duration {
        let request = &self.requests[trigger.index];
        let asked = request.asked.min(trigger.ended);
        let (cause, from) = match (request.end, request.kind) {
            (RequestEnd::Answered, RequestKind::AddProvider) => (Cause::Put, asked),
            (RequestEnd::Answered, RequestKind::FindNode | RequestKind::GetProviders) => (Cause::Lookup, asked),
            (end, _) => {
                let others = self.triggers().map(|other| other.ended).filter(|ended| *ended <= trigger.ended);
                (Cause::Failed(end), others.max().map_or(asked, |progress| asked.max(progress)))
            }
        };
        self.push(cause, vec![trigger.index], Span { from, to: trigger.ended });
        from
    }

    /// Accounts for a time in which nothing ended that the path knows of.
    fn wait(&mut self, gap: Span) {
        if gap.length() <= self.at_once {
            return self.push(Cause::Itself, Vec::new(), gap);
        }
        let mut under_way: Vec<(usize, Span)> = self
            .requests
            .iter()
            .enumerate()
            .map(|(index, request)| {
                let span = Span { from: request.asked, to: request.ended.unwrap_or(Duration::MAX) };
                (index, span.common(gap))
            })
            .filter(|(_, span)| span.length() > Duration::ZERO)
            .collect();
        // The latest first, as the walk goes; overlapping ones become one stretch.
        under_way.sort_by_key(|(index, span)| (Reverse(span.to), *index));
        let (mut at, mut rest) = (gap.to, under_way.into_iter().peekable());
        while let Some((index, span)) = rest.next() {
            let (mut from, mut indices) = (span.from, vec![index]);
            while let Some((index, next)) = rest.next_if(|(_, next)| next.to >= from) {
                from = from.min(next.from);
                indices.push(index);
            }
            indices.sort_unstable();
            self.push(Cause::Itself, Vec::new(), Span { from: span.to, to: at });
            self.push(Cause::UnderWay, indices, Span { from, to: span.to });
            at = from;
        }
        self.push(Cause::Itself, Vec::new(), Span { from: gap.from, to: at });
    }

    fn push(&mut self, cause: Cause, requests: Vec<usize>, span: Span) {
        if span.length() > Duration::ZERO {
            self.stretches.push(Stretch { cause, requests, span });
        }
    }
}

#[cfg(test)]
mod tests;
