use parsec_measure::Content;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::finding::Verdict;

fn content() -> Content {
    Content::from(b"hello world".to_vec())
}

fn published() -> Operation {
    Operation { kind: OperationKind::Provide, cid: content().cid(), end: End::Published, refused_by: None }
}

fn found() -> Operation {
    Operation { kind: OperationKind::Retrieve, end: End::FoundOwn, ..published() }
}

fn unfound() -> Operation {
    Operation { end: End::NotFound, ..found() }
}

/// An answer that took 1.6 s.
fn reply(status: u16, body: &str) -> RawReply {
    let content_type = Some("application/json".to_owned());
    RawReply { status, content_type, body: body.into(), is_complete: true, took: Duration::from_millis(1_600) }
}

/// What a server of both wires answers.
fn both(step: &str, error: &str) -> Value {
    let duration = 1_500_000_000_u64;
    json!({
        "CID": content().cid().to_string(), "RoutingTableSize": 202, "Duration": duration, "Error": error,
        "Measurements": [{ "Step": step, "Duration": duration, "Error": error }],
    })
}

fn without(mut answer: Value, name: &str) -> Value {
    answer.as_object_mut().unwrap().remove(name);
    answer
}

fn with(mut answer: Value, name: &str, value: impl Into<Value>) -> Value {
    answer[name] = value.into();
    answer
}

fn judged(expected: &Operation, answer: &Value) -> Vec<Finding> {
    operation(expected, &reply(200, &answer.to_string()))
}

/// That everything is in order.
fn check_passes(expected: &Operation, answer: &Value, words: &[&str]) {
    let findings = judged(expected, answer);
    let passed = words.iter().map(|word| Finding::pass(*word)).collect::<Vec<_>>();
    assert_eq!(findings, passed, "{answer}");
}

/// That one thing is not, and that it is told in these words.
fn check_finds(verdict: Verdict, words: &str, findings: &[Finding]) {
    let of_that_kind: Vec<_> = findings.iter().filter(|finding| finding.verdict() > Verdict::Pass).collect();
    assert_eq!(of_that_kind.len(), 1, "{findings:#?}");
    let told = match of_that_kind[0] {
        Finding::Note { what, known_from } => format!("{what} ({known_from})"),
        Finding::Fail(what) | Finding::Pass(what) | Finding::Skipped(what) => what.clone(),
    };
    assert!(of_that_kind[0].verdict() == verdict && told.contains(words), "no {verdict:?} `{words}` in {findings:#?}");
}

#[test]
fn each_generation_is_in_order() {
    let provided = both("provide", "");
    check_passes(&published(), &provided, &["CIDv0", "routing table 202", "both wires", "1.50 of 1.60 s"]);
    let of_2026 = without(without(provided.clone(), "Duration"), "Error");
    check_passes(&published(), &of_2026, &["CIDv0", "routing table 202", "wire of 2026", "1.50 of 1.60 s"]);
    let of_2023 = without(provided.clone(), "Measurements");
    check_passes(&published(), &of_2023, &["CIDv0", "routing table 202", "wire of 2023", "1.50 of 1.60 s"]);
    check_passes(
        &published(),
        &with(of_2023, "Measurements", Value::Null),
        &["CIDv0", "routing table 202", "wire of 2023", "1.50 of 1.60 s"],
    );

    let lost = both("retrieval", "not found");
    check_passes(&unfound(), &lost, &["CIDv0", "routing table 202", "both wires", "not found", "1.50 of 1.60 s"]);
    let v1 = Operation { cid: content().cid().raw_v1(), ..found() };
    let answer = with(both("retrieval", ""), "CID", v1.cid.to_string());
    check_passes(&v1, &answer, &["CIDv1", "routing table 202", "both wires", "1.50 of 1.60 s"]);
}

#[test]
fn members_that_nobody_knows_do_no_harm() {
    let answer = with(both("provide", ""), "Outcome", "ok");
    assert!(judged(&published(), &answer).iter().all(|finding| finding.verdict() == Verdict::Pass));
}

#[test]
fn the_steps_of_a_publication_to_the_indexers_are_known() {
    let step = |name: &str| json!({ "Step": name, "Duration": 300_000_000, "Error": "" });
    let steps = ["announce", "index_ad", "index_entries", "availability"].map(step);
    let answer = with(without(both("", ""), "Duration"), "Measurements", steps.to_vec());
    assert_eq!(judged(&published(), &answer)[3], Finding::pass("1.20 of 1.60 s"));
}

#[test]
fn what_the_javascript_server_does_is_noted_with_its_name() {
    let js = without(without(both("", ""), "Measurements"), "Error");
    check_finds(Verdict::Note, "`Error` is missing instead of empty (JavaScript servers)", &judged(&published(), &js));
    let v1 = with(both("provide", ""), "CID", content().cid().raw_v1().to_string());
    check_finds(Verdict::Note, "a CIDv1 of raw bytes instead of the CIDv0 (JavaScript", &judged(&published(), &v1));
    let lost = both("retrieval", "Did not find any providers");
    check_finds(
        Verdict::Note,
        "`Did not find any providers` instead of `not found` (JavaScript",
        &judged(&unfound(), &lost),
    );

    let untimed = with(without(both("", "not found"), "Measurements"), "Duration", 0);
    check_finds(Verdict::Note, "which time successes alone", &judged(&unfound(), &untimed));
    let at_once = with(without(both("", ""), "Measurements"), "Duration", 0);
    check_finds(Verdict::Note, "whose clock counts milliseconds", &judged(&found(), &at_once));
    check_finds(Verdict::Fail, "a duration of 0", &judged(&published(), &at_once));

    let plain = RawReply {
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        ..reply(200, &both("provide", "").to_string())
    };
    check_finds(Verdict::Note, "instead of application/json (Go servers", &operation(&published(), &plain));
}

#[test]
fn a_refusal_is_tolerated_only_where_somebody_in_the_field_refuses() {
    let tolerated = Operation { refused_by: Some("others"), ..published() };
    check_finds(Verdict::Note, "refused with status 400 (others)", &operation(&tolerated, &reply(400, "no")));
    check_finds(Verdict::Fail, "status 400 with the text `no`", &operation(&published(), &reply(400, "no")));
    check_finds(Verdict::Fail, "status 500", &operation(&tolerated, &reply(500, "no")));
}

#[test]
fn what_is_no_answer_fails() {
    for (body, words) in [
        ("", "is not JSON"),
        ("<html>", "the body `<html>` is not JSON"),
        ("[]", "not a JSON object"),
        (r#"{"Measurements": {}}"#, "`Measurements` is not an array"),
    ] {
        check_finds(Verdict::Fail, words, &operation(&published(), &reply(200, body)));
    }
    let endless = RawReply { is_complete: false, ..reply(200, "{") };
    check_finds(Verdict::Fail, "more than 2097152 bytes", &operation(&published(), &endless));
    check_finds(Verdict::Fail, "a failed operation too is a 200", &operation(&published(), &reply(503, "no peers")));
}

#[test]
fn a_wrong_cid_fails() {
    let other = Content::from(b"something else".to_vec()).cid();
    let wrong = with(both("provide", ""), "CID", other.to_string());
    check_finds(Verdict::Fail, "the sha2-256 of the content is QmaozNR7", &judged(&published(), &wrong));
    check_finds(
        Verdict::Fail,
        "asked for QmaozNR7",
        &judged(&found(), &with(both("retrieval", ""), "CID", other.to_string())),
    );
    // Lookups give back what they were asked for, in the version that they were asked in.
    let converted = with(both("retrieval", ""), "CID", content().cid().raw_v1().to_string());
    check_finds(Verdict::Fail, "asked for QmaozNR7", &judged(&found(), &converted));
    check_finds(Verdict::Fail, "which is not a CID", &judged(&published(), &with(both("provide", ""), "CID", "Qm")));
    check_finds(Verdict::Fail, "no text `CID`", &judged(&published(), &without(both("provide", ""), "CID")));
}

#[test]
fn durations_in_another_unit_are_told_by_their_size() {
    // 1.5 s of 1.6 s, in the units that people confuse.
    for (duration, unit) in [(1_500_000_u64, "microseconds"), (1_500, "milliseconds"), (1, "seconds")] {
        let answer = with(without(both("", ""), "Measurements"), "Duration", duration);
        check_finds(Verdict::Fail, &format!("looks like {unit}, expected nanoseconds"), &judged(&published(), &answer));
        let lost = with(answer, "Error", "not found");
        check_finds(Verdict::Fail, &format!("looks like {unit}"), &judged(&unfound(), &lost));
    }
    // What a server knows by itself takes next to nothing.
    let known = with(without(both("", ""), "Measurements"), "Duration", 1_500);
    assert!(judged(&found(), &known).iter().all(|finding| finding.verdict() == Verdict::Pass));
}

#[test]
fn a_duration_longer_than_the_call_fails_wherever_it_stands() {
    let longer = "a duration of 2.00 s in a call that took 1.60 s";
    let whole = with(both("provide", ""), "Duration", 2_000_000_000_u64);
    check_finds(Verdict::Fail, longer, &judged(&published(), &whole));
    let step = json!({ "Step": "provide", "Duration": 1_000_000_000, "Error": "" });
    let steps = with(both("", ""), "Measurements", vec![step.clone(), step]);
    check_finds(Verdict::Fail, longer, &judged(&published(), &steps));
    // As much as clocks may differ.
    let close = with(both("provide", ""), "Duration", 1_602_000_000_u64);
    assert!(judged(&published(), &close).iter().all(|finding| finding.verdict() == Verdict::Pass));
}

#[test]
fn durations_and_counts_are_whole_numbers() {
    for value in [json!(1.5), json!(1.5e9), json!(-1), json!("1.5s")] {
        let answer = with(both("provide", ""), "Duration", value);
        check_finds(Verdict::Fail, "not a whole number of nanoseconds", &judged(&published(), &answer));
    }
    for value in [json!(null), json!("202"), json!(20.5), json!(-1), json!(1_u64 << 31)] {
        let answer = with(both("provide", ""), "RoutingTableSize", value);
        check_finds(Verdict::Fail, "`RoutingTableSize` is", &judged(&published(), &answer));
    }
    let neither = without(without(both("provide", ""), "Duration"), "Measurements");
    check_finds(
        Verdict::Fail,
        "neither `Duration` nor `Measurements`",
        &judged(&published(), &with(neither, "Error", "")),
    );
}

#[test]
fn a_step_has_a_name_that_the_reports_know() {
    check_finds(
        Verdict::Fail,
        "`Step` is `\"put\"`; a provide has provide, announce",
        &judged(&published(), &both("put", "")),
    );
    check_finds(Verdict::Fail, "a retrieve has retrieval", &judged(&found(), &both("provide", "")));
    let many = with(both("", ""), "Measurements", vec![json!({ "Step": "provide", "Duration": 1, "Error": "" }); 17]);
    check_finds(Verdict::Fail, "17 `Measurements`", &judged(&published(), &many));
}

#[test]
fn a_lookups_step_may_be_empty_as_the_originals_servers_leave_it() {
    for step in [json!(""), json!(null)] {
        let mut answer = both("retrieval", "");
        answer["Measurements"][0]["Step"] = step.clone();
        check_finds(Verdict::Note, "`Step` is empty instead of `retrieval`", &judged(&found(), &answer));
        answer["CID"] = content().cid().to_string().into();
        check_finds(Verdict::Fail, "a provide has provide, announce", &judged(&published(), &answer));
        answer["Measurements"][0]["Error"] = 7.into();
        check_finds(Verdict::Fail, "`Error` is `7`, not a text", &judged(&found(), &answer));
    }
}

#[test]
fn success_and_failure_are_told_alike_to_both_generations() {
    let half = with(both("provide", ""), "Error", "no route");
    check_finds(Verdict::Fail, "only one says that it failed", &judged(&published(), &half));
    check_finds(Verdict::Fail, "not published: `no route`", &judged(&published(), &both("provide", "no route")));
    check_finds(Verdict::Fail, "not found: `not found`", &judged(&found(), &both("retrieval", "not found")));
    check_finds(
        Verdict::Fail,
        "`Error` is `7`, not a text",
        &judged(&published(), &with(both("provide", ""), "Error", 7)),
    );
}

#[test]
fn not_found_is_said_in_exactly_these_words() {
    check_finds(Verdict::Fail, "no `Error` where nothing can be found", &judged(&unfound(), &both("retrieval", "")));
    let silent = without(without(both("", ""), "Measurements"), "Error");
    check_finds(Verdict::Fail, "no `Error` where nothing can be found", &judged(&unfound(), &silent));
    check_finds(Verdict::Fail, "has to be exactly `not found`", &judged(&unfound(), &both("retrieval", "Not Found")));
    let late = both("retrieval", "context deadline exceeded: 3 min");
    check_finds(Verdict::Note, "took too long", &judged(&unfound(), &late));
}

fn refused(expected: Refusal, status: u16, body: &str) -> Vec<Finding> {
    vec![refusal(expected, &reply(status, body))]
}

#[test]
fn refusals_have_the_status_of_the_contract() {
    for (expected, status) in [
        (Refusal::BadJson, 400),
        (Refusal::BadCid, 400),
        (Refusal::UnknownTarget, 400),
        (Refusal::UnknownPath, 404),
        (Refusal::WrongMethod, 405),
    ] {
        assert_eq!(refused(expected, status, "no"), [Finding::pass(status.to_string())], "{expected:?}");
        for other in [201, 302, 403, 422, 500, 503] {
            check_finds(Verdict::Fail, &format!("status {other} with the text `no`"), &refused(expected, other, "no"));
        }
        let endless = RawReply { is_complete: false, ..reply(status, "no") };
        check_finds(Verdict::Fail, "more than 2097152 bytes", &[refusal(expected, &endless)]);
    }
    check_finds(Verdict::Fail, "without a reason", &refused(Refusal::BadJson, 400, " "));
    assert_eq!(refused(Refusal::BadCid, 400, ""), [Finding::pass("400")]);
}

#[test]
fn what_servers_of_the_field_do_instead_is_noted() {
    check_finds(
        Verdict::Note,
        "instead of 400 (Go servers of 2023)",
        &refused(Refusal::BadJson, 200, "unexpected end of JSON input"),
    );
    check_finds(Verdict::Fail, "expected 400", &refused(Refusal::BadJson, 200, "{}"));
    let exception = r#"{"statusCode":500,"error":"Internal Server Error","message":"Non-base58btc character"}"#;
    check_finds(Verdict::Note, "instead of 400 (JavaScript servers)", &refused(Refusal::BadCid, 500, exception));
    check_finds(Verdict::Fail, "expected 400", &refused(Refusal::BadJson, 500, exception));
    check_finds(Verdict::Note, "which know no `Target`", &refused(Refusal::UnknownTarget, 200, "{}"));
    check_finds(Verdict::Note, "404 instead of 405 (JavaScript", &refused(Refusal::WrongMethod, 404, ""));
}

#[test]
fn readiness_is_yes_or_not_yet_with_a_reason() {
    for body in ["", " ", "ready", "not ready"] {
        assert_eq!(readiness(&reply(200, body)), Readiness::Ready);
    }
    assert_eq!(readiness(&reply(503, "no peers\n")), Readiness::Waits("`no peers`".to_owned()));
    for (status, body, words) in [(503, "\n", "without a reason"), (204, "", "expected 200"), (404, "?", "status 404")]
    {
        let Readiness::Wrong(what) = readiness(&reply(status, body)) else { panic!("{status} is in order") };
        assert!(what.contains(words), "{what}");
    }
    assert!(matches!(readiness(&RawReply { is_complete: false, ..reply(200, "") }), Readiness::Wrong(_)));
}

proptest! {
    #[test]
    fn no_answer_makes_a_judge_panic(
        status in 100_u16..600,
        body in r#"\{("(CID|Duration|Error|RoutingTableSize|Measurements)":(0|1e9|"x"|null|\[\]|\[\{\}\]|\[7\]),?){0,5}\}?"#,
        millis in 0_u64..10_000,
    ) {
        let took = Duration::from_millis(millis);
        let reply = RawReply { took, ..reply(status, &body) };
        for expected in [published(), found(), unfound()] {
            prop_assert!(!operation(&expected, &reply).is_empty());
        }
        for expected in [Refusal::BadJson, Refusal::BadCid, Refusal::UnknownTarget, Refusal::UnknownPath, Refusal::WrongMethod] {
            let _ = refusal(expected, &reply);
        }
        let _ = readiness(&reply);
    }

    #[test]
    fn a_duration_that_fills_most_of_the_call_is_plausible_and_one_that_exceeds_it_is_not(
        whole_ms in 20_u64..200_000,
        share in 0.05_f64..0.999,
    ) {
        let took = Duration::from_millis(whole_ms);
        let judged = |duration: Duration| {
            let nanos = u64::try_from(duration.as_nanos()).unwrap();
            let answer = with(without(both("", ""), "Measurements"), "Duration", nanos);
            operation(&published(), &RawReply { took, ..reply(200, &answer.to_string()) })
        };
        prop_assert!(judged(took.mul_f64(share)).iter().all(|finding| finding.verdict() == Verdict::Pass));
        prop_assert!(judged(took.mul_f64(1.01 + share) + CLOCK_STEP).iter().any(|finding| finding.verdict() == Verdict::Fail));
    }
}
