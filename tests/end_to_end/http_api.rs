//! The HTTP API of a server that runs (contract, part 1), as schedulers in the field speak it.

use parsec_api::wire::MAX_BODY_BYTES;
use parsec_lab::LocalNetwork;
use parsec_measure::Content;
use serde_json::{Value, json};
use tokio::join;

use crate::deployment::{Server, joining, network, server};
use crate::http::{Reply, get, post, post_blanks};
use crate::stage::Stage;

/// The CIDv0 of the five bytes `hello`: base58btc of 0x12, 0x20 and their SHA2-256.
const CID_OF_HELLO: &str = "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5";

async fn ready_server(stage: &Stage, network: &LocalNetwork) -> Server {
    let [flag, peers] = joining(network);
    Server::started(server(stage, &["--dry-run", &flag, &peers])).await.ready(stage).await
}

/// The object of both generations: nanoseconds as integers, one measurement with its step, errors as texts.
fn check_success(reply: &Reply, cid: &str, step: &str) {
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    assert_eq!((&answer["CID"], &answer["Error"]), (&cid.into(), &"".into()), "{answer}");
    assert!(answer["Duration"].as_u64().is_some_and(|nanoseconds| nanoseconds > 0), "{answer}");
    assert!(answer["RoutingTableSize"].as_u64().is_some_and(|peers| peers > 0), "{answer}");
    let measurement = json!({ "Step": step, "Duration": answer["Duration"], "Error": "" });
    assert_eq!(answer["Measurements"], json!([measurement]), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_publishes_in_either_shape_another_one_finds() {
    let (stage, network) = (Stage::begin(), network().await);
    let (publisher, finder) = join!(ready_server(&stage, &network), ready_server(&stage, &network));
    for body in [
        r#"{"Content": "aGVsbG8="}"#,
        r#"{"Content": [104, 101, 108, 108, 111]}"#,
        r#"{"Content": "aGVsbG8=", "Target": "DHT"}"#,
    ] {
        let provided = post(&stage, publisher.api, "/provide", body).await;
        check_success(&provided, CID_OF_HELLO, "provide");
    }
    let path = format!("/retrieve/{CID_OF_HELLO}");
    for body in ["{}", ""] {
        let found = post(&stage, finder.api, &path, body).await;
        check_success(&found, CID_OF_HELLO, "retrieval");
    }
}

/// How many keys one request publishes.
const KEYS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_that_one_server_sweeps_out_another_one_finds_each() {
    let (stage, network) = (Stage::begin(), network().await);
    let (publisher, finder) = join!(ready_server(&stage, &network), ready_server(&stage, &network));
    let cids: Vec<String> = (0..KEYS).map(|_| Content::random(&mut rand::rng()).cid().to_string()).collect();
    let body = json!({ "CIDs": cids, "Strategy": "sweep" }).to_string();
    let answer = post(&stage, publisher.api, "/provide", body).await.json();
    assert_eq!((&answer["Keys"], &answer["KeysFailed"]), (&KEYS.into(), &0.into()), "{answer}");
    assert!(answer["Lookups"].as_u64().is_some_and(|lookups| lookups * 2 < KEYS as u64), "{answer}");
    let rows = answer["CIDs"].as_array().unwrap();
    assert!(rows.iter().map(|row| row["CID"].as_str().unwrap()).eq(&cids), "in the order of the request");
    for row in rows {
        assert_eq!((&row["Outcome"], &row["HoldersConfirmed"]), (&"ok".into(), &row["HoldersStored"]), "{row}");
        assert!(row["First"].as_u64() <= row["Last"].as_u64() && row["Last"].as_u64() <= answer["Duration"].as_u64());
    }
    let [peer, address] = publisher.multiaddress.rsplitn(2, "/p2p/").collect::<Vec<_>>()[..] else {
        panic!("no peer id")
    };
    for cid in &cids {
        let found = post(&stage, finder.api, &format!("/retrieve/{cid}"), "{}").await;
        check_success(&found, cid, "retrieval");
        assert_eq!(found.json()["Providers"][0]["Peer"], peer, "{address}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_published_is_not_found_and_that_is_a_result() {
    let (stage, network) = (Stage::begin(), network().await);
    let server = ready_server(&stage, &network).await;
    let cid = Content::random(&mut rand::rng()).cid().to_string();
    let reply = post(&stage, server.api, &format!("/retrieve/{cid}"), "{}").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    assert_eq!((&answer["CID"], &answer["Error"]), (&cid.into(), &"not found".into()), "{answer}");
    assert_eq!(answer["Measurements"][0]["Error"], "not found", "{answer}");
    assert_eq!(get(&stage, server.api, "/readiness").await.status, 200);
}

#[tokio::test]
async fn a_server_without_peers_says_that_it_is_not_ready_and_its_failures_are_results_too() {
    let stage = Stage::begin();
    let server = Server::started(server(&stage, &["--dry-run"])).await;
    let Reply { status, text } = get(&stage, server.api, "/readiness").await;
    assert_eq!((status, text.as_str()), (503, "the routing table is empty"));
    let reply = post(&stage, server.api, "/provide", r#"{"Content": "aGVsbG8="}"#).await;
    assert_eq!((reply.status, &reply.json()["Error"]), (200, &Value::from("failed to find any peer in table")));
}

#[tokio::test]
async fn what_is_no_request_gets_400_and_a_reason() {
    let stage = Stage::begin();
    let server = Server::started(server(&stage, &["--dry-run"])).await;
    for (path, body, reason) in [
        ("/provide", r#"{"Content": "#, "the body is not a provide request"),
        ("/provide", "", "the body is not a provide request"),
        ("/provide", r#"{"Content": "not base64!"}"#, "`Content` is not base64"),
        ("/provide", r#"{"Content": [256]}"#, "256"),
        ("/provide", r#"{"Target": "DHT"}"#, "missing field `Content`"),
        ("/provide", r#"{"Content": "aGVsbG8=", "Target": "IPNI"}"#, "target `IPNI` is not served here"),
        ("/provide", r#"{"Content": "aGVsbG8=", "Target": "FTP"}"#, "unknown `Target` `FTP`"),
        ("/provide", r#"{"CIDs": []}"#, "`CIDs` is empty; expected 1 to 5000 CIDs"),
        ("/provide", r#"{"CIDs": ["nonsense"]}"#, "`CIDs[0]`: `nonsense` is not a CID"),
        ("/retrieve/nonsense", "{}", "`nonsense`"),
    ] {
        let reply = post(&stage, server.api, path, body).await;
        assert_eq!(reply.status, 400, "{path} {body}: {reply:?}");
        assert!(reply.text.contains(reason), "{path} {body}: {reply:?}");
    }
    let answer = post_blanks(&stage, server.api, "/provide", MAX_BODY_BYTES + 1).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains(&format!("longer than {MAX_BODY_BYTES} bytes")), "{answer}");
}
