//! What the time of an operation went to, in portions that can be added up over many operations.

use std::time::Duration;

use parsec_measure::{RequestEnd, Trace, TracedRequest};

use crate::path::{Cause, stretches};
use crate::phases::{Phase, Span, phases};

/// What time goes to. Every moment of an operation belongs to exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portion {
    /// Connecting to peers that answered then.
    Dials,
    /// Dials that were given up after the time allowed for them.
    DialTimeouts,
    /// Dials that failed in another way, or were not tried.
    DialFailures,
    /// Connected peers that did not answer in the time allowed for it.
    Silent,
    /// Asking peers one after the other and waiting for their answers, once connected.
    Hops,
    /// Writing records, once connected.
    Puts,
    /// Requests that were under way and had not ended, while nothing else did.
    Slowest,
    /// Requests that failed in any other way.
    Failures,
    /// The node itself: nobody was being asked, or a request waited for its turn.
    Own,
}

impl Portion {
    /// Every portion, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::Dials,
        Self::DialTimeouts,
        Self::DialFailures,
        Self::Silent,
        Self::Hops,
        Self::Puts,
        Self::Slowest,
        Self::Failures,
        Self::Own,
    ];

    /// Its name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dials => "dials",
            Self::DialTimeouts => "dial_timeouts",
            Self::DialFailures => "dial_failures",
            Self::Silent => "silent_peers",
            Self::Hops => "hops",
            Self::Puts => "puts",
            Self::Slowest => "slowest",
            Self::Failures => "failures",
            Self::Own => "own",
        }
    }

    fn of(cause: Cause) -> Self {
        match cause {
            Cause::Lookup => Self::Hops,
            Cause::Put => Self::Puts,
            Cause::Failed(RequestEnd::DialTimeout) => Self::DialTimeouts,
            Cause::Failed(RequestEnd::DialFailed | RequestEnd::BackOff | RequestEnd::NoTransport) => Self::DialFailures,
            Cause::Failed(RequestEnd::Timeout) => Self::Silent,
            Cause::Failed(
                RequestEnd::Protocol
                | RequestEnd::LocalLimit
                | RequestEnd::Cancelled
                | RequestEnd::Pending
                | RequestEnd::Answered,
            ) => Self::Failures,
            Cause::UnderWay => Self::Slowest,
            Cause::Itself => Self::Own,
        }
    }
}

/// Seconds by portion, in the order of [`Portion::ALL`]. They add up to the time from the start to the return.
pub fn portions(trace: &Trace) -> [f64; Portion::ALL.len()] {
    let mut seconds = [0.0; Portion::ALL.len()];
    for stretch in stretches(trace) {
        let mut left = stretch.span.length();
        if let (Cause::Lookup | Cause::Put, [index]) = (stretch.cause, &stretch.requests[..]) {
            for (portion, took) in before_the_request(&trace.requests[*index], stretch.span) {
                seconds[portion as usize] += took.as_secs_f64();
                left -= took;
            }
        }
        seconds[Portion::of(stretch.cause) as usize] += left.as_secs_f64();
    }
    seconds
}

/// What an answered request waited for before it could be written, as far as that is known.
fn before_the_request(request: &TracedRequest, within: Span) -> Vec<(Portion, Duration)> {
    let reached = [request.dialled, request.connected, request.opened, request.written];
    if reached.iter().all(Option::is_none) {
        return Vec::new();
    }
    let portion = |phase| match phase {
        Phase::Queued => Some(Portion::Own),
        Phase::Dial => Some(Portion::Dials),
        Phase::Open | Phase::Wait => None,
    };
    let phases = phases(request, within.to).into_iter();
    phases.filter_map(|(phase, span)| Some((portion(phase)?, span.common(within).length()))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{arbitrary_trace, at, ending, put, request, trace};

    fn of(trace: &Trace) -> Vec<(&'static str, f64)> {
        let all = Portion::ALL.iter().zip(portions(trace));
        all.filter(|(_, seconds)| *seconds > 0.0).map(|(portion, seconds)| (portion.as_str(), seconds)).collect()
    }

    fn close(found: &[(&str, f64)], expected: &[(&str, f64)]) {
        let same = found.len() == expected.len()
            && found.iter().zip(expected).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-9);
        assert!(same, "{found:?} {expected:?}");
    }

    #[test]
    fn a_hop_is_told_apart_from_the_dial_before_it() {
        let cold = TracedRequest {
            dialled: at(50),
            connected: at(200),
            opened: at(300),
            written: at(300),
            ..request("a", 0, 400)
        };
        close(&of(&trace(400, vec![cold])), &[("dials", 0.15), ("hops", 0.2), ("own", 0.05)]);
    }

    #[test]
    fn a_hop_whose_phases_are_not_known_is_a_hop() {
        close(&of(&trace(400, vec![request("a", 0, 400)])), &[("hops", 0.4)]);
    }

    #[test]
    fn each_way_to_wait_in_vain_is_a_portion_of_its_own() {
        for (end, portion) in [
            (RequestEnd::DialTimeout, "dial_timeouts"),
            (RequestEnd::DialFailed, "dial_failures"),
            (RequestEnd::NoTransport, "dial_failures"),
            (RequestEnd::Timeout, "silent_peers"),
            (RequestEnd::Protocol, "failures"),
            (RequestEnd::LocalLimit, "failures"),
        ] {
            close(&of(&trace(1_000, vec![ending(end, request("a", 0, 1_000))])), &[(portion, 1.0)]);
        }
        let written = TracedRequest { connected: at(0), written: at(0), ..put("a", 0, 100) };
        let slow = ending(RequestEnd::Cancelled, request("b", 0, 900));
        close(&of(&trace(900, vec![written, slow])), &[("puts", 0.1), ("slowest", 0.8)]);
        close(&of(&trace(70, vec![])), &[("own", 0.07)]);
    }

    proptest! {
        #[test]
        fn portions_add_up_to_the_whole(trace in arbitrary_trace()) {
            let sum: f64 = portions(&trace).iter().sum();
            prop_assert!((sum - trace.returned.as_secs_f64()).abs() < 1e-9, "{sum} of {:?}", trace.returned);
            prop_assert!(portions(&trace).iter().all(|seconds| *seconds >= 0.0));
        }
    }
}
