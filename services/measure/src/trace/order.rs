//! Whether a trace can be true: phases in their order, and nothing before its cause.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::{RequestEnd, Trace, TracedRequest};

/// A contradiction in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disorder {
    /// The first phase is later than the second.
    Phases(&'static str, &'static str),
    /// The first phase was reached and the second was not, without which there is none.
    Missing(&'static str, &'static str),
    /// It is under way and has ended.
    PendingEnded,
    /// It is over and has not ended.
    NotEnded,
    /// It was asked, or got its answer, when the result had been given.
    AfterReturn(&'static str),
    /// It names a request that was made later, or none.
    NamedByLater(u32),
    /// It was asked before the answer came that named its peer.
    BeforeNamed(u32),
    /// The request that named its peer had no answer.
    NamedByNothing(u32),
    /// So many answers led to it, and one less to the one that named its peer.
    Hop(u32, u32),
    /// An earlier try of the same request was not over.
    Overlaps(usize),
}

impl fmt::Display for Disorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phases(earlier, later) => write!(f, "`{earlier}` is after `{later}`"),
            Self::Missing(phase, needed) => write!(f, "`{phase}` without `{needed}`"),
            Self::PendingEnded => f.write_str("it is pending and has an end"),
            Self::NotEnded => f.write_str("it is over and has no end"),
            Self::AfterReturn(phase) => write!(f, "`{phase}` is after the operation returned"),
            Self::NamedByLater(place) => {
                write!(f, "its peer was named by request {place}, which was not made before it")
            }
            Self::BeforeNamed(place) => write!(f, "it was asked before the answer of request {place} named its peer"),
            Self::NamedByNothing(place) => write!(f, "its peer was named by request {place}, which had no answer"),
            Self::Hop(hop, before) => write!(f, "its hop is {hop}, that of the request that named its peer {before}"),
            Self::Overlaps(place) => write!(f, "request {place} asked the same of the same peer and was not over"),
        }
    }
}

impl Trace {
    /// The first contradiction in it, in words; `None` if all that it says can be true.
    ///
    /// The phases of a request come in their order; it has an end unless it is pending; whoever named its peer had answered
    /// before; each try is a request of its own. When the operation had given its result, nothing was asked any more, and what
    /// was still under way was pending or given up.
    pub fn disorder(&self) -> Option<String> {
        let mut tries = HashMap::new();
        self.requests.iter().enumerate().find_map(|(place, request)| {
            let before = tries.insert((&request.peer, request.kind), place);
            let disorder = request
                .disorder()
                .or_else(|| self.after_return(request))
                .or_else(|| self.before_its_cause(place, request))
                .or_else(|| self.overlap(before?, request))?;
            Some(format!("request {place} ({} to {}): {disorder}", request.kind, request.peer))
        })
    }

    fn after_return(&self, request: &TracedRequest) -> Option<Disorder> {
        // It is given up because the operation returns, and so a moment after it has.
        let left = matches!(request.end, RequestEnd::Pending | RequestEnd::Cancelled);
        let late = |phase: Option<Duration>| phase > Some(self.returned);
        match request {
            _ if request.asked > self.returned => Some(Disorder::AfterReturn("asked")),
            _ if !left && late(request.ended) => Some(Disorder::AfterReturn("ended")),
            _ => None,
        }
    }

    fn before_its_cause(&self, place: usize, request: &TracedRequest) -> Option<Disorder> {
        let cause = request.named_by?;
        let named_by = usize::try_from(cause).ok().filter(|cause| *cause < place);
        let Some(namer) = named_by.and_then(|cause| self.requests.get(cause)) else {
            return Some(Disorder::NamedByLater(cause));
        };
        match namer.ended {
            _ if namer.end != RequestEnd::Answered => Some(Disorder::NamedByNothing(cause)),
            Some(ended) if ended > request.asked => Some(Disorder::BeforeNamed(cause)),
            _ if request.hop != namer.hop + 1 => Some(Disorder::Hop(request.hop, namer.hop)),
            _ => None,
        }
    }

    fn overlap(&self, before: usize, request: &TracedRequest) -> Option<Disorder> {
        let over = self.requests.get(before)?.ended.is_some_and(|ended| ended <= request.asked);
        (!over).then_some(Disorder::Overlaps(before))
    }
}

impl TracedRequest {
    fn disorder(&self) -> Option<Disorder> {
        let phases = [
            ("asked", Some(self.asked)),
            ("dialled", self.dialled),
            ("connected", self.connected),
            ("opened", self.opened),
            ("written", self.written),
            ("ended", self.ended),
        ];
        let reached: Vec<_> = phases.into_iter().filter_map(|(name, phase)| Some((name, phase?))).collect();
        let late = reached.windows(2).find(|pair| pair[0].1 > pair[1].1);
        let without = |phase: Option<Duration>, name, needed: Option<Duration>, needed_name| {
            (phase.is_some() && needed.is_none()).then_some(Disorder::Missing(name, needed_name))
        };
        let answered = self.ended.filter(|_| self.end == RequestEnd::Answered);
        let at_the_end = match (self.end, self.ended) {
            (RequestEnd::Pending, Some(_)) => Some(Disorder::PendingEnded),
            (RequestEnd::Pending, None) | (_, Some(_)) => None,
            (_, None) => Some(Disorder::NotEnded),
        };
        late.map(|pair| Disorder::Phases(pair[0].0, pair[1].0))
            .or(without(self.opened, "opened", self.connected, "connected"))
            .or(without(self.written, "written", self.connected, "connected"))
            .or(without(answered, "answered", self.written, "written"))
            .or(at_the_end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{RequestKind, StrategyKind};
    use super::*;

    fn at(micros: u64) -> Option<Duration> {
        Some(Duration::from_micros(micros))
    }

    /// A request that took everything there is.
    fn request(peer: &str, start: u64) -> TracedRequest {
        TracedRequest {
            peer: peer.to_owned(),
            agent: None,
            kind: RequestKind::FindNode,
            named_by: None,
            hop: 0,
            common_prefix: 3,
            asked: Duration::from_micros(start),
            dialled: at(start + 1),
            connected: at(start + 2),
            opened: at(start + 3),
            written: at(start + 4),
            ended: at(start + 5),
            end: RequestEnd::Answered,
            error: None,
            closer: 0,
            providers: 0,
            named: vec![],
            confirmed: None,
            unconfirmed: None,
        }
    }

    fn trace(requests: Vec<TracedRequest>) -> Trace {
        Trace { strategy: StrategyKind::Classic, returned: Duration::from_micros(100), requests, left_out: 0 }
    }

    /// Two requests, the second of a peer that the first one named.
    fn walk() -> Vec<TracedRequest> {
        vec![request("a", 0), TracedRequest { named_by: Some(0), hop: 1, ..request("b", 5) }]
    }

    /// What is said of the second request of a walk after it has been changed.
    fn said_of(change: impl FnOnce(&mut TracedRequest)) -> String {
        let mut requests = walk();
        change(&mut requests[1]);
        trace(requests).disorder().expect("it cannot be true")
    }

    #[test]
    fn a_trace_of_what_happened_is_in_order() {
        assert_eq!(trace(walk()).disorder(), None);
        assert_eq!(trace(vec![]).disorder(), None);
        let bare = TracedRequest { dialled: None, connected: None, opened: None, written: None, ..request("c", 9) };
        for end in RequestEnd::ALL.into_iter().filter(|end| *end != RequestEnd::Answered) {
            let ended = bare.ended.filter(|_| end != RequestEnd::Pending);
            assert_eq!(trace(vec![TracedRequest { end, ended, ..bare.clone() }]).disorder(), None, "{end:?}");
        }
        let reused = TracedRequest { dialled: None, opened: None, ..request("d", 9) };
        assert_eq!(trace(vec![reused]).disorder(), None);
    }

    #[test]
    fn what_was_left_when_the_operation_returned_is_no_contradiction() {
        let left = |end, ended| TracedRequest { end, ended, written: at(101), ..request("a", 96) };
        for left in [left(RequestEnd::Pending, None), left(RequestEnd::Cancelled, at(102))] {
            assert_eq!(trace(vec![left]).disorder(), None);
        }
    }

    #[test]
    fn each_contradiction_is_named_with_its_request() {
        let of = "request 1 (FIND_NODE to b): ";
        let said = |change: fn(&mut TracedRequest)| {
            let said = said_of(change);
            said.strip_prefix(of).unwrap_or_else(|| panic!("{said}")).to_owned()
        };
        assert_eq!(said(|request| request.connected = at(10)), "`connected` is after `opened`");
        assert_eq!(said(|request| request.asked = Duration::from_micros(9)), "`asked` is after `dialled`");
        assert_eq!(said(|request| request.connected = None), "`opened` without `connected`");
        assert_eq!(said(|request| (request.connected, request.opened) = (None, None)), "`written` without `connected`");
        assert_eq!(said(|request| request.written = None), "`answered` without `written`");
        assert_eq!(said(|request| request.ended = None), "it is over and has no end");
        assert_eq!(said(|request| request.end = RequestEnd::Pending), "it is pending and has an end");
        assert_eq!(said(|request| request.ended = at(101)), "`ended` is after the operation returned");
        assert_eq!(
            said(|request| *request = TracedRequest { end: RequestEnd::Cancelled, ..super::tests::request("b", 101) }),
            "`asked` is after the operation returned"
        );
        for later in [1, 2, u32::MAX] {
            let said = said_of(|request| request.named_by = Some(later));
            assert_eq!(said, format!("{of}its peer was named by request {later}, which was not made before it"));
        }
        assert_eq!(said(|request| request.hop = 2), "its hop is 2, that of the request that named its peer 0");
        assert_eq!(
            said(|request| request.asked = Duration::from_micros(4)),
            "it was asked before the answer of request 0 named its peer"
        );
        let mut nothing = walk();
        (nothing[0].end, nothing[0].written) = (RequestEnd::Timeout, None);
        assert_eq!(
            trace(nothing).disorder().unwrap(),
            format!("{of}its peer was named by request 0, which had no answer")
        );
    }

    #[test]
    fn each_try_is_a_request_of_its_own() {
        let failed = TracedRequest { end: RequestEnd::Protocol, ..request("a", 0) };
        assert_eq!(trace(vec![failed.clone(), request("a", 5)]).disorder(), None, "one after the other");
        let said = trace(vec![failed.clone(), request("a", 4)]).disorder().unwrap();
        assert!(said.ends_with("request 0 asked the same of the same peer and was not over"), "{said}");
        let other = TracedRequest { kind: RequestKind::AddProvider, ..request("a", 4) };
        assert_eq!(trace(vec![failed, other]).disorder(), None, "something else may be asked meanwhile");
    }

    proptest! {
        /// Whichever two phases are exchanged, and whichever phases there are.
        #[test]
        fn no_two_phases_can_change_places(first in 0..6_usize, second in 0..6_usize, start in 1..90_u64) {
            prop_assume!(first != second);
            let mut phases: Vec<_> = (0..6).map(|offset| start + offset).collect();
            phases.swap(first, second);
            let [asked, dialled, connected, opened, written, ended] = phases[..] else { unreachable!() };
            let request = TracedRequest {
                asked: Duration::from_micros(asked),
                dialled: at(dialled),
                connected: at(connected),
                opened: at(opened),
                written: at(written),
                ended: at(ended),
                ..request("a", start)
            };
            prop_assert!(trace(vec![request]).disorder().is_some());
        }
    }
}
