use std::time::Duration;

use parsec_measure::{RequestEnd, RequestKind, StrategyKind, TracedRequest};
use proptest::prelude::*;

use super::*;
use crate::wire::providers::tests::{any_providers, most_providers};
use crate::wire::{Answer, MAX_ANSWER_BYTES};

fn request(error: &str) -> TracedRequest {
    let later = Some(Duration::from_micros(u64::MAX));
    TracedRequest {
        peer: "p".repeat(52),
        agent: Some("kubo/0.38.1/".to_owned()),
        kind: RequestKind::GetProviders,
        named_by: None,
        hop: u32::MAX,
        common_prefix: u32::MAX,
        asked: Duration::from_micros(u64::MAX),
        dialled: later,
        connected: later,
        opened: later,
        written: later,
        ended: later,
        end: RequestEnd::DialTimeout,
        error: Some(error.to_owned()),
        closer: u32::MAX,
        providers: u32::MAX,
        named: vec![],
        confirmed: later,
        unconfirmed: Some(error.to_owned()),
    }
}

fn trace(requests: Vec<TracedRequest>) -> Trace {
    Trace { strategy: StrategyKind::Classic, returned: Duration::from_millis(5), requests, left_out: 3 }
}

/// What a reader makes of an answer with this in it.
fn read(member: &str) -> Option<Arc<Trace>> {
    let json = format!(r#"{{"CID":"Qm","Duration":5,"Error":"","RPCs":9,"Trace":{member}}}"#);
    let measured =
        Answer::decode(json.as_bytes()).unwrap().into_measured(parsec_measure::OperationKind::Provide).unwrap();
    assert_eq!((measured.duration.as_nanos(), measured.effort.rpcs), (5, Some(9)), "the measurement is not lost");
    measured.trace
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let whole = trace(vec![request("refused"), TracedRequest { named_by: Some(0), ..request("refused") }]);
    assert_eq!(read(&serde_json::to_string(&whole).unwrap()).as_deref(), Some(&whole));
}

#[test]
fn a_trace_that_cannot_be_read_costs_the_trace_and_not_the_measurement() {
    for member in ["null", "7", "[]", "{}", r#"{"strategy":"of 2031","returned":1,"requests":[]}"#, r#""text""#] {
        assert_eq!(read(member), None, "{member}");
    }
    let broken = serde_json::to_string(&trace(vec![request("refused")])).unwrap().replace("GET_PROVIDERS", "PING");
    assert_eq!(read(&broken), None);
}

#[test]
fn requests_beyond_the_limit_are_counted_and_left_out() {
    let long = trace(vec![request(""); MAX_TRACED_REQUESTS + 7]);
    let read = read(&serde_json::to_string(&long).unwrap()).unwrap();
    assert_eq!((read.requests.len(), read.left_out), (MAX_TRACED_REQUESTS, 3 + 7));
    assert_eq!(bounded(Trace { left_out: u32::MAX, ..long }).left_out, u32::MAX);
}

#[test]
fn texts_of_strangers_are_cut_and_fit_for_the_database() {
    let long = TracedRequest { peer: "p".repeat(900), agent: Some("a\0".repeat(900)), ..request(&"e".repeat(900)) };
    let read = read(&serde_json::to_string(&trace(vec![long])).unwrap()).unwrap();
    let [request] = &read.requests[..] else { panic!("{read:?}") };
    let chars = |text: &Option<String>| text.as_ref().map(|text| text.chars().count());
    assert_eq!(
        (request.peer.chars().count(), chars(&request.agent), chars(&request.error), chars(&request.unconfirmed)),
        (81, Some(101), Some(201), Some(61))
    );
    assert!(!request.agent.as_ref().unwrap().contains('\0'));
}

#[test]
fn whoever_named_a_peer_was_asked_before_it() {
    let named = |by| TracedRequest { named_by: by, ..request("") };
    let circular = trace(vec![named(Some(1)), named(Some(0)), named(Some(2)), named(Some(9))]);
    let named: Vec<_> = bounded(circular).requests.iter().map(|request| request.named_by).collect();
    assert_eq!(named, [None, Some(0), None, None]);
}

#[test]
fn the_first_providers_that_were_named_are_told_of_all_requests_together() {
    let named = |count| TracedRequest { named: vec![most_providers().remove(0); count], ..request("") };
    let read = read(&serde_json::to_string(&trace(vec![named(60), named(0), named(60), named(1)])).unwrap()).unwrap();
    let named: Vec<_> = read.requests.iter().map(|request| (request.named.len(), request.providers)).collect();
    assert_eq!(named, [(60, u32::MAX), (0, u32::MAX), (4, u32::MAX), (0, u32::MAX)], "and how many is never lost");
}

#[test]
fn the_largest_trace_fits_into_an_answer() {
    // Four bytes in JSON, the most that a character can take: those that would be escaped do harm, and give way.
    let worst = "🚀".repeat(10_000);
    let request =
        TracedRequest { peer: worst.clone(), agent: Some(worst.clone()), named: most_providers(), ..request(&worst) };
    let trace = trace(vec![request; 2 * MAX_TRACED_REQUESTS]);
    let measured = parsec_measure::Measured::unmeasured(parsec_measure::OutcomeClass::Ok, Duration::ZERO, "");
    let answer = Answer::from_measured("Qm", &measured, parsec_measure::OperationKind::Provide);
    let bytes = answer.with_trace(Some(&trace)).encode().len();
    assert!((MAX_ANSWER_BYTES / 3..MAX_ANSWER_BYTES * 3 / 4).contains(&bytes), "{bytes}");
}

/// Traces as our servers write them.
pub(in crate::wire) fn any_trace() -> impl Strategy<Value = Trace> {
    let strategy = proptest::sample::select(StrategyKind::ALL.to_vec());
    let requests = proptest::collection::vec(any_request(), 0..12);
    (strategy, 0..u64::MAX, requests, any::<u32>()).prop_map(|(strategy, returned, requests, left_out)| {
        let requests = (0..).zip(requests).map(|(index, request)| TracedRequest {
            named_by: request.named_by.filter(|earlier| *earlier < index),
            ..request
        });
        Trace { strategy, returned: Duration::from_micros(returned), requests: requests.collect(), left_out }
    })
}

fn any_request() -> impl Strategy<Value = TracedRequest> {
    let kind = [RequestKind::FindNode, RequestKind::GetProviders, RequestKind::AddProvider];
    let end = [RequestEnd::Answered, RequestEnd::BackOff, RequestEnd::Timeout, RequestEnd::Pending];
    let text = || proptest::option::of("[a-zé\"\\\\/.0-9]{0,40}");
    let time = || proptest::option::of((0..u64::MAX).prop_map(Duration::from_micros));
    let times = (0..u64::MAX, time(), time(), time(), time(), time(), time());
    let numbers = (proptest::option::of(0..12_u32), any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let names = ("[A-Za-z0-9]{46,52}", text(), text(), text());
    let (kind, end) = (proptest::sample::select(kind.to_vec()), proptest::sample::select(end.to_vec()));
    (names, kind, numbers, times, end, any_providers()).prop_map(
        |((peer, agent, error, unconfirmed), kind, numbers, times, end, named)| {
            let (named_by, hop, common_prefix, closer, providers) = numbers;
            let (asked, dialled, connected, opened, written, ended, confirmed) = times;
            let asked = Duration::from_micros(asked);
            TracedRequest {
                peer,
                agent,
                kind,
                named_by,
                hop,
                common_prefix,
                asked,
                dialled,
                connected,
                opened,
                written,
                ended,
                end,
                error,
                closer,
                providers,
                named,
                confirmed,
                unconfirmed,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_within_the_bounds_is_left_as_it_is(trace in any_trace()) {
        prop_assert_eq!(bounded(trace.clone()), trace);
    }
}
