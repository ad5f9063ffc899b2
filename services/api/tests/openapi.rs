//! The file that describes the HTTP API says what this crate reads and writes. That a server's gateway answers as the file
//! says is tested beside the gateway.

use std::sync::Arc;
use std::time::Duration;

use parsec_api::wire::{
    Answer, MAX_BODY_BYTES, MAX_CONTENT_BYTES, MAX_STEPS, ManyAnswer, ProvideManyRequest, ProvideRequest, Target,
};
use parsec_measure::{
    Content, Effort, FoundProvider, MAX_ADDRESS_CHARS, MAX_CID_CHARS, MAX_FOUND_ADDRESSES, MAX_FOUND_PROVIDERS,
    MAX_KEYS_AT_ONCE, MAX_PEER_CHARS, MAX_TRACED_REQUESTS, Manner, Measured, Measurement, OperationKind, OutcomeClass,
    ProvidedKey, ProvidedMany, RequestEnd, RequestKind, StrategyKind, Trace, TracedRequest,
};
use parsec_test_support::openapi::OpenApi;
use serde_json::{Value, json};

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[test]
fn every_example_is_what_its_schema_says() {
    let file = OpenApi::new();
    let examples = file.examples();
    assert!(examples.len() >= 20, "{} examples", examples.len());
    for (place, schema, example) in examples {
        assert_eq!(file.validate(&schema, &example), Ok(()), "{place}");
    }
}

#[test]
fn every_example_of_a_provide_request_is_read_as_the_same_content() {
    let file = OpenApi::new();
    let (.., provide) = file
        .operations()
        .into_iter()
        .find(|(path, method, _)| (path.as_str(), method.as_str()) == ("/provide", "POST"))
        .unwrap();
    let examples = &provide["requestBody"]["content"]["application/json"]["examples"];
    let examples = examples.as_object().unwrap();
    assert!(examples.len() >= 4);
    for (name, example) in examples.iter().filter(|(name, _)| *name != "many") {
        let read = ProvideRequest::decode(example["value"].to_string().as_bytes());
        assert_eq!(read, Ok((Content::from(b"hello".to_vec()), Target::Dht)), "{name}");
    }
}

#[test]
fn the_example_of_many_keys_is_read_and_whatever_a_server_says_of_them_is_described() {
    let file = OpenApi::new();
    let (.., many) = file.examples().into_iter().find(|(place, ..)| place.ends_with("json/examples/many")).unwrap();
    let read = ProvideManyRequest::decode(many.to_string().as_bytes()).unwrap();
    assert_eq!((read.cids.len(), read.manner), (2, Manner::Sweep));
    let key = |class: OutcomeClass| ProvidedKey {
        cid: read.cids[0].clone(),
        class,
        error: (class != OutcomeClass::Ok).then(|| "so it went".to_owned()),
        stored: 20,
        confirmed: 19,
        failed: 1,
        first: Some(Duration::from_secs(1)),
        last: Some(Duration::from_secs(2)),
    };
    let keys = OutcomeClass::ALL.into_iter().filter(|class| class.is_answered()).map(key).collect();
    for manner in Manner::ALL {
        let all = ProvidedMany { manner, keys: Vec::clone(&keys), ..ProvidedMany::nothing(manner) };
        let written: Value = serde_json::from_slice(&ManyAnswer::of(&all).encode()).unwrap();
        assert_eq!(file.validate(&schema("ManyAnswer"), &written), Ok(()));
        for (name, written) in [("ManyAnswer", &written), ("ManyAnswerKey", &written["CIDs"][0])] {
            let described = file.resolved(&schema(name))["properties"].as_object().unwrap().clone();
            assert!(described.keys().all(|name| written.get(name).is_some()), "the file promises more than {written}");
        }
    }
}

#[test]
fn every_example_of_an_answer_is_read_by_the_client_and_written_by_the_server() {
    let file = OpenApi::new();
    let mut seen = 0;
    for (place, schema, example) in file.examples() {
        let is_answer = |schema: &Value| schema["$ref"] == "#/components/schemas/Answer";
        let of_one = example.get("CID").is_some();
        if !of_one || !(is_answer(&schema) || schema["oneOf"].as_array().is_some_and(|all| all.iter().any(is_answer))) {
            continue;
        }
        let kind = if place.contains("provide") { OperationKind::Provide } else { OperationKind::Retrieve };
        let measured = Answer::decode(example.to_string().as_bytes()).unwrap().into_measured(kind).unwrap();
        let cid = example["CID"].as_str().unwrap();
        let written = Answer::from_measured(cid, &measured, kind).with_trace(measured.trace.as_deref()).encode();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), example, "{place}");
        seen += 1;
    }
    assert!(seen >= 5, "{seen} examples of answers");
}

/// A measurement that leaves nothing unsaid.
fn eloquent(class: OutcomeClass) -> Measured {
    let error = (class != OutcomeClass::Ok).then(|| "so it went".to_owned());
    let at = |micros| Some(Duration::from_micros(micros));
    let provider = FoundProvider {
        peer: "12D3KooW".to_owned(),
        addresses: vec!["/ip4/1.2.3.4/tcp/4001".to_owned()],
        named_by: Some("QmX".to_owned()),
    };
    let request = |end| TracedRequest {
        peer: "12D3KooW".to_owned(),
        agent: Some("kubo".to_owned()),
        kind: RequestKind::FindNode,
        named_by: None,
        hop: 1,
        common_prefix: 7,
        asked: Duration::ZERO,
        dialled: at(1),
        connected: at(2),
        opened: at(3),
        written: at(4),
        ended: at(5),
        end,
        error: Some("why not".to_owned()),
        closer: 20,
        providers: 1,
        named: vec![FoundProvider { named_by: None, ..provider.clone() }],
        confirmed: at(6),
        unconfirmed: Some("reset".to_owned()),
    };
    let mut requests: Vec<_> = RequestEnd::ALL.into_iter().map(request).collect();
    requests[1] = TracedRequest { named_by: Some(0), kind: RequestKind::GetProviders, ..requests[1].clone() };
    requests[2] = TracedRequest { kind: RequestKind::AddProvider, ..requests[2].clone() };
    let trace = Trace { strategy: StrategyKind::Fullrt, returned: Duration::from_millis(9), requests, left_out: 3 };
    let some = Some(1);
    Measured {
        error: error.clone(),
        routing_table_size: i32::MAX as u32,
        steps: vec![Measurement { step: "provide".to_owned(), duration: Duration::from_secs(1), error }; MAX_STEPS],
        effort: Effort {
            rpcs: some,
            rpcs_failed: some,
            dials: some,
            dials_failed: some,
            holders_stored: some,
            holders_confirmed: some,
            holders_failed: some,
            holders_pending: some,
        },
        network_size: some,
        fallback: Some("no estimate yet".to_owned()),
        from_own_records: true,
        providers: vec![provider],
        trace: Some(Arc::new(trace)),
        ..Measured::unmeasured(class, Duration::MAX, "")
    }
}

#[test]
fn whatever_the_server_can_say_is_described() {
    let file = OpenApi::new();
    for class in OutcomeClass::ALL.into_iter().filter(|class| class.is_answered()) {
        let measured = eloquent(class);
        let answer =
            Answer::from_measured("Qm", &measured, OperationKind::Provide).with_trace(measured.trace.as_deref());
        let written: Value = serde_json::from_slice(&answer.encode()).unwrap();
        assert_eq!(file.validate(&schema("Answer"), &written), Ok(()), "{class}");
        let described = file.resolved(&schema("Answer"))["properties"].as_object().unwrap().clone();
        assert!(described.keys().all(|name| written.get(name).is_some()), "the file promises more than {written}");
    }
}

#[test]
fn what_is_not_described_is_found() {
    let file = OpenApi::new();
    let answer = json!({
        "CID": "Qm", "RoutingTableSize": 1, "Duration": 1, "Error": "",
        "Measurements": [{ "Step": "provide", "Duration": 1, "Error": "" }],
    });
    assert_eq!(file.validate(&schema("Answer"), &answer), Ok(()));
    for (member, value) in
        [("Novelty", json!(1)), ("Duration", json!(-1)), ("Outcome", json!("splendid")), ("CID", json!(7))]
    {
        let mut other = answer.clone();
        other[member] = value;
        let error = file.validate(&schema("Answer"), &other).unwrap_err();
        assert!(error.contains(member), "{error}");
    }
    for content in [json!("a"), json!("_w=="), json!([256]), json!([-1]), json!([1.5]), json!(null), json!(5)] {
        assert!(file.validate(&schema("ProvideRequest"), &json!({ "Content": content })).is_err(), "{content}");
    }
}

#[test]
fn the_bounds_in_the_file_are_those_of_the_code() {
    let file = OpenApi::new();
    let schemas = |path: &str| file.resolved(&json!({ "$ref": format!("#/components/schemas/{path}") })).clone();
    assert_eq!(schemas("Answer/properties/Measurements/maxItems"), MAX_STEPS);
    assert_eq!(schemas("Answer/properties/CID/maxLength"), MAX_CID_CHARS);
    assert_eq!(schemas("Trace/properties/requests/maxItems"), MAX_TRACED_REQUESTS);
    assert_eq!(schemas("Answer/properties/Providers/maxItems"), MAX_FOUND_PROVIDERS);
    assert_eq!(schemas("TracedRequest/properties/named/maxItems"), MAX_FOUND_PROVIDERS);
    for (provider, peer, addresses) in [("Provider", "Peer", "Addresses"), ("NamedProvider", "peer", "addresses")] {
        assert_eq!(schemas(&format!("{provider}/properties/{peer}/maxLength")), MAX_PEER_CHARS);
        assert_eq!(schemas(&format!("{provider}/properties/{addresses}/maxItems")), MAX_FOUND_ADDRESSES);
        assert_eq!(schemas(&format!("{provider}/properties/{addresses}/items/maxLength")), MAX_ADDRESS_CHARS);
    }
    assert_eq!(schemas("ProvideManyRequest/properties/CIDs/maxItems"), MAX_KEYS_AT_ONCE);
    assert_eq!(schemas("ManyAnswer/properties/CIDs/maxItems"), MAX_KEYS_AT_ONCE);
    assert_eq!((MAX_BODY_BYTES, MAX_CONTENT_BYTES), (1 << 20, 209_715), "as the file's introduction says");
}
