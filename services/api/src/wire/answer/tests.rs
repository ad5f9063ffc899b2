use std::sync::Arc;

use parsec_measure::{FoundProvider, StrategyKind};
use proptest::prelude::*;

use super::*;
use crate::wire::MAX_DURATION;
use crate::wire::providers::tests::any_providers;
use crate::wire::trace::tests::any_trace;

const CID: &str = "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4";

fn read(kind: OperationKind, json: &str) -> Result<Measured, String> {
    Answer::decode(json.as_bytes()).and_then(|answer| answer.into_measured(kind)).map_err(|error| error.to_string())
}

fn step(step: &str, ms: u64, error: Option<&str>) -> Measurement {
    Measurement { step: step.to_owned(), duration: Duration::from_millis(ms), error: error.map(str::to_owned) }
}

fn measured(class: OutcomeClass, ms: u64, error: Option<&str>) -> Measured {
    Measured {
        error: error.map(str::to_owned),
        routing_table_size: 202,
        steps: vec![step("retrieval", ms, error)],
        effort: Effort::default(),
        ..Measured::unmeasured(class, Duration::from_millis(ms), "")
    }
}

#[test]
fn a_go_answer_of_2026_is_read() {
    let json =
        r#"{"CID":"Qm","RoutingTableSize":202,"Measurements":[{"Step":"retrieval","Duration":1500000000,"Error":""}]}"#;
    assert_eq!(read(OperationKind::Retrieve, json), Ok(measured(OutcomeClass::Ok, 1_500, None)));

    // What its servers really write of a lookup.
    for nameless in [json.replace("\"retrieval\"", "\"\""), json.replace("\"Step\":\"retrieval\",", "")] {
        assert_eq!(read(OperationKind::Retrieve, &nameless), Ok(measured(OutcomeClass::Ok, 1_500, None)), "{nameless}");
    }

    let json = json.replace(r#""Error":"""#, r#""Error":"not found""#);
    assert_eq!(read(OperationKind::Retrieve, &json), Ok(measured(OutcomeClass::NotFound, 1_500, Some("not found"))));
}

#[test]
fn a_go_answer_of_2023_is_read() {
    let json = r#"{"CID":"Qm","Duration":1500000000,"Error":"","RoutingTableSize":202}"#;
    assert_eq!(read(OperationKind::Retrieve, json), Ok(measured(OutcomeClass::Ok, 1_500, None)));

    let late = "error providing: context deadline exceeded";
    let json = format!(r#"{{"CID":"Qm","Duration":180000000000,"Error":"{late}","RoutingTableSize":202}}"#);
    assert_eq!(read(OperationKind::Retrieve, &json), Ok(measured(OutcomeClass::Timeout, 180_000, Some(late))));
}

#[test]
fn a_javascript_answer_is_read() {
    let json = r#"{"CID":"bafkrei","Duration":1499999999.8,"RoutingTableSize":202}"#;
    assert_eq!(read(OperationKind::Retrieve, json), Ok(measured(OutcomeClass::Ok, 1_500, None)));

    let json = r#"{"CID":"bafkrei","Duration":5000000,"Error":"Did not find any providers"}"#;
    let result = read(OperationKind::Retrieve, json).unwrap();
    assert_eq!((result.class, result.routing_table_size), (OutcomeClass::NotFound, 0));
}

#[test]
fn an_ipni_answer_lasts_as_long_as_its_steps() {
    let json = r#"{"CID":"Qm","RoutingTableSize":0,"Measurements":[
        {"Step":"announce","Duration":1000000,"Error":""},
        {"Step":"availability","Duration":2000000,"Error":"indexer is away"}]}"#;
    let result = read(OperationKind::Provide, json).unwrap();
    assert_eq!(result.duration, Duration::from_millis(3));
    assert_eq!((result.class, result.error.as_deref()), (OutcomeClass::Protocol, Some("indexer is away")));
    assert_eq!(result.steps, [step("announce", 1, None), step("availability", 2, Some("indexer is away"))]);
}

#[test]
fn absent_and_null_mean_the_same() {
    let json =
        r#"{"CID":"Qm","RoutingTableSize":null,"Measurements":null,"Duration":1000000,"Error":null,"Outcome":null}"#;
    assert_eq!(read(OperationKind::Provide, json), read(OperationKind::Provide, r#"{"CID":"Qm","Duration":1000000}"#));
}

#[test]
fn the_class_follows_from_the_error_where_the_server_names_none_that_we_know() {
    for (extra, class) in [
        ("", OutcomeClass::Ok),
        (r#","Error":" ""#, OutcomeClass::Ok),
        (r#","Error":"not found""#, OutcomeClass::NotFound),
        (r#","Error":"peer not found in peerstore""#, OutcomeClass::Protocol),
        (r#","Error":"failed to find any peer in table""#, OutcomeClass::NoPeers),
        (r#","Error":"x","Outcome":"dial_failed""#, OutcomeClass::DialFailed),
        (r#","Error":"not found","Outcome":"a_class_of_2031""#, OutcomeClass::NotFound),
        (r#","Error":"x","Outcome":"server_unreachable""#, OutcomeClass::Protocol),
        (r#","Error":"x","Outcome":"wrong_provider""#, OutcomeClass::Protocol),
    ] {
        let json = format!(r#"{{"CID":"Qm","Duration":1{extra}}}"#);
        assert_eq!(read(OperationKind::Provide, &json).unwrap().class, class, "{json}");
    }
}

#[test]
fn what_is_no_measurement_is_refused_in_words() {
    let many = vec![r#"{"Step":"a","Duration":1}"#; MAX_STEPS + 1].join(",");
    for (json, word) in [
        ("<html>", "not a measurement"),
        ("{}", "missing field `CID`"),
        (r#"{"CID":"Qm"}"#, "neither `Duration` nor `Measurements`"),
        (r#"{"CID":"Qm","Duration":-5}"#, "from 0 to 86400000000000"),
        (r#"{"CID":"Qm","Duration":1e30}"#, "from 0 to 86400000000000"),
        (r#"{"CID":"Qm","Duration":"1s"}"#, "nanoseconds"),
        (r#"{"CID":"Qm","Duration":1,"Outcome":"ok","Error":"x"}"#, "`Outcome` is `ok` and `Error` is `x`"),
        (r#"{"CID":"Qm","Duration":1,"Outcome":"timeout"}"#, "`Outcome` is `timeout` and `Error` is ``"),
        (&format!(r#"{{"CID":"Qm","Measurements":[{many}]}}"#), "17 `Measurements`"),
        (&format!(r#"{{"CID":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES)), "more than 2097152 bytes"),
    ] {
        let message = read(OperationKind::Provide, json).unwrap_err();
        assert!(message.contains(word), "{json}: {message}");
    }
}

#[test]
fn no_text_of_a_stranger_is_unfit_for_the_database() {
    let json = r#"{"CID":"Qm","Measurements":[{"Step":"a\u0000b","Duration":1,"Error":"c\u0000d"}]}"#;
    let result = read(OperationKind::Provide, json).unwrap();
    assert_eq!((result.steps[0].step.as_str(), result.error.as_deref()), ("a\u{fffd}b", Some("c\u{fffd}d")));
}

#[test]
fn our_answer_is_the_superset_that_both_generations_read() {
    let effort =
        Effort { rpcs: Some(9), rpcs_failed: Some(2), dials: Some(7), dials_failed: Some(1), ..Effort::default() };
    let result = Measured { effort, ..measured(OutcomeClass::NotFound, 1_500, Some("asked 9 peers in vain")) };
    let answer = Answer::from_measured(CID, &result, OperationKind::Retrieve);
    let expected = format!(
        "{{\"CID\":\"{CID}\",\"RoutingTableSize\":202,\
         \"Measurements\":[{{\"Step\":\"retrieval\",\"Duration\":1500000000,\"Error\":\"not found\"}}],\
         \"Duration\":1500000000,\"Error\":\"not found\",\
         \"Outcome\":\"not_found\",\"RPCs\":9,\"RPCsFailed\":2,\"Dials\":7,\"DialsFailed\":1}}"
    );
    assert_eq!(String::from_utf8(answer.encode()).unwrap(), expected);
}

#[test]
fn what_only_we_say_comes_last_and_only_if_there_is_something_to_say() {
    let trace =
        Trace { strategy: StrategyKind::Optprov, returned: Duration::from_millis(1), requests: vec![], left_out: 0 };
    let plain = measured(OutcomeClass::Ok, 1, None);
    let result = Measured {
        effort: Effort {
            holders_stored: Some(15),
            holders_confirmed: Some(9),
            holders_failed: Some(2),
            holders_pending: Some(3),
            ..Effort::default()
        },
        network_size: Some(7_000),
        fallback: Some("no estimate yet".to_owned()),
        from_own_records: true,
        providers: vec![FoundProvider { peer: "12D3KooW".to_owned(), addresses: vec![], named_by: None }],
        found_publisher: Some(true),
        trace: Some(Arc::new(trace)),
        ..plain.clone()
    };
    let written = |answer: Answer| String::from_utf8(answer.encode()).unwrap();
    let before = written(Answer::from_measured(CID, &plain, OperationKind::Retrieve));
    assert!(before.ends_with(r#","Duration":1000000,"Error":"","Outcome":"ok"}"#), "{before}");

    let ours = concat!(
        r#","HoldersStored":15,"HoldersConfirmed":9,"HoldersFailed":2,"HoldersPending":3,"NetworkSize":7000,"#,
        r#""Fallback":"no estimate yet","FromOwnRecords":true,"Providers":[{"Peer":"12D3KooW"}]}"#
    );
    let before = before.trim_end_matches('}');
    let answer = Answer::from_measured(CID, &result, OperationKind::Retrieve);
    assert_eq!(written(answer.clone()), format!("{before}{ours}"));
    let ours = ours.trim_end_matches('}');
    let trace = r#","Trace":{"strategy":"optprov","returned":1000,"requests":[]}}"#;
    assert_eq!(written(answer.with_trace(result.trace.as_deref())), format!("{before}{ours}{trace}"));
}

#[test]
fn a_success_has_empty_errors() {
    let answer = Answer::from_measured(CID, &measured(OutcomeClass::Ok, 1, None), OperationKind::Retrieve);
    let json = String::from_utf8(answer.encode()).unwrap();
    assert_eq!(json.matches(r#""Error":"""#).count(), 2, "{json}");
}

#[test]
fn a_timeout_begins_with_the_words_of_go_and_then_says_more() {
    for (detail, text) in [
        (None, "context deadline exceeded"),
        (Some("14 of 20 stored"), "context deadline exceeded: 14 of 20 stored"),
        (Some("context deadline exceeded: 14 of 20 stored"), "context deadline exceeded: 14 of 20 stored"),
    ] {
        let answer = Answer::from_measured(CID, &measured(OutcomeClass::Timeout, 1, detail), OperationKind::Provide);
        assert_eq!(answer.error.as_deref(), Some(text));
    }
}

#[test]
fn a_failure_is_seen_by_readers_of_the_steps_too() {
    let quiet = Measured::unmeasured(OutcomeClass::NoPeers, Duration::from_millis(1), "");
    let mut two_steps = quiet.clone();
    two_steps.steps = vec![step("announce", 1, None), step("availability", 2, None)];
    for result in [quiet, two_steps] {
        let answer = Answer::from_measured(CID, &result, OperationKind::Provide);
        let steps = answer.measurements.unwrap();
        assert_eq!(steps.last().unwrap().error.as_deref(), Some("no_peers"));
    }
}

/// Results as our servers have them: the error text in the form of the wire, and no failed step in a success.
fn any_measured() -> impl Strategy<Value = Measured> {
    let class =
        proptest::sample::select(OutcomeClass::ALL.into_iter().filter(|class| class.is_answered()).collect::<Vec<_>>());
    let count = || proptest::option::of(0..=i32::MAX as u32);
    let reason = || proptest::option::of("[a-zé\"]{1,40}");
    let steps =
        proptest::collection::vec(("[a-z_]{1,12}", 0..=MAX_DURATION.as_nanos() as u64, any::<bool>()), 1..MAX_STEPS);
    let effort = (count(), count(), count(), count(), [count(), count(), count(), count()]).prop_map(
        |(rpcs, rpcs_failed, dials, dials_failed, holders)| Effort {
            rpcs,
            rpcs_failed,
            dials,
            dials_failed,
            holders_stored: holders[0],
            holders_confirmed: holders[1],
            holders_failed: holders[2],
            holders_pending: holders[3],
        },
    );
    let table = 0..=i32::MAX as u32;
    let circumstances = (table, count(), reason(), any::<bool>(), any_providers(), proptest::option::of(any_trace()));
    (class, 0..=MAX_DURATION.as_nanos() as u64, "[a-zé:\"\\\\]{1,40}", circumstances, steps, effort).prop_map(
        |(class, nanos, detail, circumstances, steps, effort)| {
            let (routing_table_size, network_size, fallback, from_own_records, providers, trace) = circumstances;
            let error = Some(wire_error(class, Some(&detail))).filter(|text| !text.is_empty());
            let last = steps.len() - 1;
            let steps = steps.into_iter().enumerate().map(|(index, (step, nanos, failed))| Measurement {
                step,
                duration: Duration::from_nanos(nanos),
                error: error.clone().filter(|_| failed || index == last),
            });
            let steps = steps.collect();
            Measured {
                class,
                duration: Duration::from_nanos(nanos),
                error,
                routing_table_size,
                steps,
                effort,
                network_size,
                fallback,
                from_own_records,
                providers,
                found_publisher: None,
                trace: trace.map(Arc::new),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_the_wire_can_say_is_read_back_as_it_was(result in any_measured(), kind in proptest::sample::select(OperationKind::ALL.to_vec())) {
        let answer = Answer::from_measured(CID, &result, kind);
        let without = Answer::decode(&answer.clone().encode()).unwrap().into_measured(kind);
        prop_assert_eq!(without, Ok(Measured { trace: None, ..result.clone() }));
        let read = Answer::decode(&answer.with_trace(result.trace.as_deref()).encode()).unwrap();
        prop_assert_eq!(read.cid(), CID);
        prop_assert_eq!(read.into_measured(kind), Ok(result));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Answer::decode(&body);
    }

    #[test]
    fn no_json_makes_the_reader_panic(fields in r#"(,"(Error|Duration|Outcome|Measurements|RPCs|NetworkSize|Fallback|FromOwnRecords|Providers|Trace)":(null|"[a-z]{0,9}"|-?[0-9]{1,25}(\.[0-9]{1,5})?(e[0-9]{1,3})?|\[\]|\{\}))*"#) {
        if let Ok(answer) = Answer::decode(format!(r#"{{"CID":"Qm"{fields}}}"#).as_bytes()) {
            let _ = answer.into_measured(OperationKind::Provide);
        }
    }
}
