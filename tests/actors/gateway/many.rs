//! Many keys that are published by one request.

use super::*;

/// The body that publishes these keys at once.
pub(super) fn many(keys: &[u64], more: &str) -> String {
    let cids: Vec<String> = keys.iter().map(|key| cid(*key).to_string()).collect();
    format!("{{\"CIDs\":{cids:?}{more}}}")
}

#[actix::test]
async fn many_keys_are_published_by_one_request_and_each_is_answered() {
    let (routes, ..) = mocked();
    for (more, strategy) in [("", "each"), (r#","Strategy":"sweep""#, "sweep")] {
        let answer = send(&routes, provide(many(&[3, 1, 2], more))).await.json();
        assert_eq!(
            (&answer["Strategy"], &answer["Keys"], &answer["KeysFailed"]),
            (&strategy.into(), &3.into(), &0.into())
        );
        let cids: Vec<_> = answer["CIDs"].as_array().unwrap().iter().map(|key| key["CID"].clone()).collect();
        assert_eq!(cids, [3, 1, 2].map(|key| cid(key).to_string()));
    }
    let found = send(&routes, retrieve(&cid(2).to_string())).await.json();
    assert_eq!(found["Error"], "");
}

#[actix::test]
async fn keys_that_fail_are_a_result_and_a_list_that_is_wrong_is_refused_with_its_place() {
    let host = supervised();
    host.engine.is(How::Measures(OutcomeClass::Timeout));
    let failed = send(&host.routes, provide(many(&[1, 2], ""))).await.json();
    assert_eq!((&failed["KeysFailed"], &failed["CIDs"][1]["Outcome"]), (&2.into(), &"timeout".into()));
    for (body, reason) in [
        (many(&[], ""), "`CIDs` is empty"),
        (many(&[1, 2, 1], ""), "`CIDs[2]`"),
        (many(&[1], r#","Content":"aGVsbG8=""#), "both `Content` and `CIDs`"),
        (many(&[1], r#","Strategy":"broom""#), "unknown `Strategy` `broom`"),
        (many(&[1], r#","Target":"IPNI""#), "target `IPNI` is not served here"),
        (r#"{"CIDs": ["Qmnonsense"]}"#.to_owned(), "`CIDs[0]`: `Qmnonsense` is not a CID"),
        (r#"{"CIDs": "Qm"}"#.to_owned(), "expected a sequence"),
    ] {
        send(&host.routes, provide(body)).await.is_refusal(StatusCode::BAD_REQUEST, reason);
    }
}

/// A series of requests for many keys.
fn publications(strategy: &str, outcome: &str) -> String {
    format!("parsec_many_publications_total{{strategy=\"{strategy}\",outcome=\"{outcome}\",fleet=\"default\"}}")
}

/// Checks what has been counted, up to rounding.
fn has_counted(metrics: &Metrics, expected: &[(String, f64)]) {
    for (series, value) in expected {
        assert!((counted(metrics, series) - value).abs() < f64::EPSILON, "{series} in\n{}", metrics.encode().unwrap());
    }
}

#[actix::test]
async fn requests_for_many_keys_are_counted_by_strategy_and_end_and_their_keys_by_outcome() {
    let (host, metrics) = (supervised(), metrics());
    let routes = measuring(host.dht.clone(), &metrics);
    let sweep = r#","Strategy":"sweep""#;
    send(&routes, provide(many(&[1, 2, 3], sweep))).await.json();
    host.engine.is(How::Measures(OutcomeClass::Timeout));
    send(&routes, provide(many(&[1, 2], ""))).await.json();
    host.engine.is(How::Unreachable);
    send(&routes, provide(many(&[1, 2], ""))).await.is_refusal(StatusCode::INTERNAL_SERVER_ERROR, "");
    send(&routes, provide(many(&[], ""))).await.is_refusal(StatusCode::BAD_REQUEST, "");
    let keys = |strategy: &str, outcome: &str| {
        format!("parsec_many_keys_total{{strategy=\"{strategy}\",outcome=\"{outcome}\",fleet=\"default\"}}")
    };
    let durations =
        |strategy: &str| format!("parsec_many_duration_seconds_count{{strategy=\"{strategy}\",fleet=\"default\"}}");
    let expected = [
        (publications("sweep", "published"), 1.0),
        (publications("each", "nowhere"), 1.0),
        (publications("each", "failed"), 1.0),
        (publications("each", "published"), 0.0),
        (publications("each", "abandoned"), 0.0),
        (keys("sweep", "ok"), 3.0),
        (keys("each", "timeout"), 2.0),
        (durations("sweep"), 1.0),
        (durations("each"), 1.0),
    ];
    has_counted(&metrics, &expected);
}

#[actix::test]
async fn one_that_comes_too_many_counts_as_busy_and_one_whose_caller_goes_as_abandoned() {
    let (host, metrics) = (supervised(), metrics());
    let routes = measuring(host.dht.clone(), &metrics);
    host.engine.is(How::Hangs);
    let first = actix::spawn({
        let routes = routes.clone();
        async move { send(&routes, provide(many(&[1], ""))).await }
    });
    host.engine.until("the first is under way", |engine| engine.begun == 1).await;
    let busy = send(&routes, provide(many(&[2], ""))).await;
    busy.is_refusal(StatusCode::TOO_MANY_REQUESTS, "many keys are being published at once already");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    has_counted(&metrics, &[(publications("each", "busy"), 1.0), (publications("each", "abandoned"), 1.0)]);
}
