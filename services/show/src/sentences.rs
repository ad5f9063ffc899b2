//! What the time of an operation went to, in sentences.

use parsec_measure::RequestEnd;
use parsec_results::{Background, Cause, Explanation, Part, Phase, Unconfirmed};

use crate::words;

/// How many peers a sentence names; of more it gives the number.
const MAX_NAMED: usize = 5;

/// Sentences about the time from the start to the return, the longest part first, and about what else is to be known.
pub fn sentences(explanation: &Explanation) -> Vec<String> {
    let returned = explanation.returned;
    let mut sentences: Vec<String> = match &explanation.parts {
        None => vec![format!("{}: no peer was asked", words::duration(returned))],
        Some(parts) => parts
            .iter()
            .map(|part| format!("{}: {}", words::share(part.took, returned), reason(part, explanation.written)))
            .collect(),
    };
    sentences.extend(explanation.background.map(background));
    sentences.extend(explanation.unconfirmed.as_ref().map(unconfirmed));
    if explanation.left_out > 0 {
        let requests = words::count(explanation.left_out as usize, "request is", "requests are");
        sentences.push(format!("{requests} not in this trace: what they did counts as the node's own time"));
    }
    sentences
}

fn reason(part: &Part, written: usize) -> String {
    let n = part.requests.len();
    let named = || peers(part);
    match part.cause {
        Cause::Lookup => format!("{} of the lookup, {}{}", words::count(n, "hop", "hops"), each(part), phases(part)),
        Cause::Put => {
            let records = words::count(written, "record", "records");
            format!("writing {records}, the last to {}{}", named(), phases(part))
        }
        Cause::Failed(end) => format!("{} ({})", failures(end, n), named()),
        Cause::UnderWay => {
            let requests = words::count(n, "request that was", "requests that were");
            format!("waiting for {requests} still under way ({})", named())
        }
        Cause::Itself => "the node itself, with no request to wait for".to_owned(),
    }
}

fn failures(end: RequestEnd, n: usize) -> String {
    let (one, many) = match end {
        RequestEnd::DialTimeout => ("dial time-out", "dial time-outs"),
        RequestEnd::DialFailed => ("failed dial", "failed dials"),
        RequestEnd::BackOff => ("peer not dialled again so soon", "peers not dialled again so soon"),
        RequestEnd::NoTransport => ("peer without a transport of ours", "peers without a transport of ours"),
        RequestEnd::LocalLimit => ("limit of this machine", "limits of this machine"),
        RequestEnd::Timeout => ("connected peer that never answered", "connected peers that never answered"),
        RequestEnd::Protocol => ("answer that was none", "answers that were none"),
        RequestEnd::Cancelled | RequestEnd::Pending | RequestEnd::Answered => ("request", "requests"),
    };
    words::count(n, one, many)
}

/// `200 ms each`, or from where to where.
fn each(part: &Part) -> String {
    let took = || part.requests.iter().map(|share| share.took);
    let (least, most) = (took().min().unwrap_or_default(), took().max().unwrap_or_default());
    let (least, most) = (words::duration(least), words::duration(most));
    match part.requests.len() {
        1 => most,
        _ if least == most => format!("{most} each"),
        _ => format!("{least} to {most} each"),
    }
}

/// In brackets, what the requests waited for.
fn phases(part: &Part) -> String {
    let name = |phase| match phase {
        Phase::Queued => "queued",
        Phase::Dial => "dialling",
        Phase::Open => "opening streams",
        Phase::Wait => "waiting for answers",
    };
    let some = part.phases.iter().filter(|(_, took)| !took.is_zero());
    let each: Vec<_> = some.map(|(phase, took)| format!("{} {}", words::duration(*took), name(*phase))).collect();
    if each.len() > 1 { format!(" ({})", each.join(", ")) } else { String::new() }
}

fn peers(part: &Part) -> String {
    let mut names: Vec<&str> = Vec::new();
    for share in &part.requests {
        let name = words::peer(&share.peer);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(MAX_NAMED);
    let named: Vec<_> = names.iter().take(MAX_NAMED).map(|name| format!("…{name}")).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}

fn background(Background { requests, until }: Background) -> String {
    let until = until.map(|last| format!(", until {}", words::duration(last))).unwrap_or_default();
    format!("{} went on in the background after the return{until}", words::count(requests, "request", "requests"))
}

fn unconfirmed(Unconfirmed { records, peer, reason }: &Unconfirmed) -> String {
    let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
    let records = words::count(*records, "record was written and not", "records were written and not");
    format!("{records} taken in, for instance by …{}: {reason}", words::peer(peer))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::{Trace, TracedRequest};
    use parsec_results::testing::{arbitrary_trace, at, ending, hop, put, request, trace};
    use proptest::prelude::*;

    use super::*;

    fn explain(trace: &Trace) -> Vec<String> {
        sentences(&parsec_results::explain(trace))
    }

    #[test]
    fn dead_peers_are_named_before_what_took_less() {
        let dead = |peer, ended| ending(RequestEnd::DialTimeout, request(peer, 0, ended));
        let mut requests = vec![request("peer-aaaaaa", 0, 200), hop("peer-bbbbbb", 0, 200, 400)];
        requests.extend([dead("peer-cccccc", 1_500), dead("peer-dddddd", 2_500)]);
        requests.extend((0..20).map(|_| put("peer-eeeeee", 2_500, 2_600)));
        assert_eq!(
            explain(&trace(2_600, requests)),
            [
                "2.10 of 2.60 s: 2 dial time-outs (…cccccc, …dddddd)",
                "0.40 of 2.60 s: 2 hops of the lookup, 200 ms each",
                "0.10 of 2.60 s: writing 20 records, the last to …eeeeee",
            ]
        );
    }

    #[test]
    fn a_hop_tells_what_it_waited_for() {
        let phases = TracedRequest {
            dialled: at(0),
            connected: at(200),
            opened: at(300),
            written: at(300),
            ..request("p", 0, 400)
        };
        assert_eq!(
            explain(&trace(400, vec![phases])),
            [
                "400 of 400 ms: 1 hop of the lookup, 400 ms (200 ms dialling, 100 ms opening streams, 100 ms waiting for answers)"
            ]
        );
    }

    #[test]
    fn an_answer_from_the_nodes_own_records_asked_nobody() {
        let trace = Trace { returned: Duration::from_micros(120), ..trace(0, vec![]) };
        assert_eq!(explain(&trace), ["0.12 ms: no peer was asked"]);
    }

    #[test]
    fn what_goes_on_after_the_return_and_what_is_missing_are_told() {
        let pending = ending(RequestEnd::Pending, TracedRequest { ended: None, ..put("c", 0, 0) });
        let trace = Trace { left_out: 3, ..trace(100, vec![put("a", 0, 100), put("b", 0, 12_100), pending]) };
        assert_eq!(
            explain(&trace)[1..],
            [
                "2 requests went on in the background after the return, until 12.1 s",
                "3 requests are not in this trace: what they did counts as the node's own time",
            ]
        );
    }

    #[test]
    fn peers_that_did_not_take_the_record_in_are_told_with_a_reason() {
        let refused = |peer| TracedRequest { unconfirmed: Some("reset\u{1b}".to_owned()), ..put(peer, 0, 100) };
        let sentences = explain(&trace(100, vec![put("a", 0, 100), refused("peer-bbbbbb"), refused("peer-cccccc")]));
        assert_eq!(sentences[1..], ["2 records were written and not taken in, for instance by …bbbbbb: reset"]);
    }

    #[test]
    fn many_peers_are_not_all_named() {
        let dead = |index: u64| ending(RequestEnd::DialFailed, request(&format!("peer-{index:06}"), 0, index * 100));
        assert_eq!(
            explain(&trace(800, (1..=8).map(dead).collect())),
            ["800 of 800 ms: 8 failed dials (…000001, …000002, …000003, …000004, …000005 and 3 more)"]
        );
    }

    proptest! {
        #[test]
        fn no_trace_is_beyond_explanation(trace in arbitrary_trace()) {
            prop_assert!(trace.returned.is_zero() || !explain(&trace).is_empty());
        }
    }
}
