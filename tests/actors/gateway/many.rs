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
