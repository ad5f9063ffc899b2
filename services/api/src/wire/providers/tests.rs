use std::time::Duration;

use parsec_measure::{MAX_ADDRESS_CHARS, MAX_FOUND_ADDRESSES, MAX_PEER_CHARS, Measured, OperationKind, OutcomeClass};
use proptest::prelude::*;

use super::*;
use crate::wire::{Answer, MAX_ANSWER_BYTES};

const STRANGER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
const LIAR: &str = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

fn found(providers: Vec<FoundProvider>) -> Measured {
    let result = Measured::unmeasured(OutcomeClass::Ok, Duration::from_nanos(5), "");
    Measured { error: None, providers, ..result }
}

/// What a reader makes of an answer with this in it.
fn read(member: &str) -> Vec<FoundProvider> {
    let json = format!(r#"{{"CID":"Qm","Duration":5,"Error":"","RPCs":9,"Providers":{member}}}"#);
    let measured = Answer::decode(json.as_bytes()).unwrap().into_measured(OperationKind::Retrieve).unwrap();
    assert_eq!((measured.duration.as_nanos(), measured.effort.rpcs), (5, Some(9)), "the measurement is not lost");
    assert_eq!((measured.class, measured.found_publisher), (OutcomeClass::Ok, None), "the server does not judge");
    measured.providers
}

fn one(peer: &str) -> String {
    format!(r#"{{"Peer":"{peer}"}}"#)
}

#[test]
fn who_provides_where_and_who_says_so_is_written_and_read() {
    let provider = FoundProvider {
        peer: STRANGER.to_owned(),
        addresses: vec!["/ip4/1.2.3.4/tcp/4001".to_owned(), "/ip4/1.2.3.4/udp/4001/quic-v1".to_owned()],
        named_by: Some(LIAR.to_owned()),
    };
    let json = format!(
        r#"[{{"Peer":"{STRANGER}","Addresses":["/ip4/1.2.3.4/tcp/4001","/ip4/1.2.3.4/udp/4001/quic-v1"],"NamedBy":"{LIAR}"}}]"#
    );
    let answer = Answer::from_measured("Qm", &found(vec![provider.clone()]), OperationKind::Retrieve);
    let written = String::from_utf8(answer.encode()).unwrap();
    assert!(written.ends_with(&format!(r#","Outcome":"ok","Providers":{json}}}"#)), "{written}");
    assert_eq!(read(&json), [provider]);
}

#[test]
fn a_server_that_does_not_say_whom_it_found_has_measured_all_the_same() {
    let many = vec![one(STRANGER); MAX_FOUND_PROVIDERS + 1].join(",");
    for member in [
        "null",
        "7",
        "{}",
        "[]",
        "[null]",
        r#""12D3KooW""#,
        r#"["12D3KooW"]"#,
        r#"[{"Addresses":[]}]"#,
        r#"[{"Peer":""}]"#,
        r#"[{"Peer":" "}]"#,
        r#"[{"Peer":7}]"#,
        r#"[{"Peer":"12D3KooW","Addresses":[7]}]"#,
        &format!("[{many}]"),
    ] {
        assert_eq!(read(member), [], "{member}");
    }
}

#[test]
fn as_many_as_are_taken_are_read_and_members_of_later_versions_do_not_matter() {
    let whole = vec![one(STRANGER); MAX_FOUND_PROVIDERS].join(",");
    assert_eq!(read(&format!("[{whole}]")).len(), MAX_FOUND_PROVIDERS);
    assert_eq!(read(r#"[{"Peer":"12D3KooW","NamedBy":null,"Agent":"kubo"}]"#)[0].peer, "12D3KooW");
}

#[test]
fn texts_of_strangers_are_cut_and_harmless() {
    let long = format!(r#"[{{"Peer":"\u001b[31m{}","Addresses":["/dns4/\u009b2J/tcp/1"]}}]"#, "p".repeat(900));
    let read = read(&long);
    assert_eq!((read[0].peer.len(), &read[0].peer[..6]), (MAX_PEER_CHARS, "?[31mp"));
    assert_eq!(read[0].addresses, ["/dns4/?2J/tcp/1"]);
}

/// Providers as our servers name them.
pub(in crate::wire) fn any_providers() -> impl Strategy<Value = Vec<FoundProvider>> {
    let addresses = proptest::collection::vec("/[a-z0-9/.\"\\\\]{0,40}", 0..=MAX_FOUND_ADDRESSES);
    let provider = ("[A-Za-z0-9]{46,52}", addresses, proptest::option::of("[A-Za-z0-9]{46,52}"))
        .prop_map(|(peer, addresses, named_by)| FoundProvider { peer, addresses, named_by });
    proptest::collection::vec(provider, 0..5)
}

/// As many as there can be, each with the longest texts, of characters that take two bytes in JSON.
pub(in crate::wire) fn most_providers() -> Vec<FoundProvider> {
    let worst = |chars: usize| "\"".repeat(chars);
    let provider = FoundProvider {
        peer: worst(MAX_PEER_CHARS),
        addresses: vec![worst(MAX_ADDRESS_CHARS); MAX_FOUND_ADDRESSES],
        named_by: Some(worst(MAX_PEER_CHARS)),
    };
    vec![provider; MAX_FOUND_PROVIDERS]
}

#[test]
fn as_many_as_there_can_be_fit_into_an_answer_beside_the_largest_trace() {
    let providers = [most_providers(), most_providers()].concat();
    let answer = Answer::from_measured("Qm", &found(providers), OperationKind::Retrieve);
    let bytes = answer.encode().len();
    assert!((MAX_ANSWER_BYTES / 8..MAX_ANSWER_BYTES / 6).contains(&bytes), "{bytes}");
}
