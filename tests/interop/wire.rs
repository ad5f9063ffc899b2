//! Requests and answers to the byte as Go and JavaScript write them (`fixtures/`): a server of ours serves each request, a
//! scheduler of ours reads each answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parsec_api::client::{Answered, CallError, Caller, HttpClient, ServerApi, Timeouts};
use parsec_measure::{AttemptId, Content, Endpoint, OutcomeClass};
use parsec_test_support::double::Double;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::deployment::{Server, joining, network, server};
use crate::http::{Raw, raw};
use crate::stage::Stage;

/// The five bytes `hello`: their CID as Go has it, and as JavaScript has it.
const V0: &str = "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5";
const V1: &str = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";

/// The messages of a kind: their names (`go-2026/provide`) and bytes.
fn fixtures(kind: &str) -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/fixtures");
    let entries = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries(root).filter(|path| path.is_dir()).flat_map(entries);
    let named = files.filter_map(|path| {
        let folder = path.parent()?.file_name()?.to_str()?;
        let name = path.file_stem()?.to_str()?.strip_prefix(kind)?.strip_prefix('-')?;
        Some((format!("{folder}/{name}"), std::fs::read(&path).unwrap()))
    });
    named.collect()
}

/// Whom a request is from and what for, what status it gets, and what the answer names.
const REQUESTS: &[(&str, u16, &str)] = &[
    ("go-2023/provide", 200, V0),
    ("go-2023/provide-ipni", 400, "target `IPNI` is not served here; this server serves `DHT`"),
    ("go-2023/retrieve", 200, V0),
    ("go-2026/provide", 200, V0),
    ("go-2026/readiness", 200, "ready"),
    ("go-2026/retrieve", 200, V0),
    ("js/provide", 200, V0),
    ("js/provide-integers", 200, V0),
    ("js/readiness", 200, "ready"),
    ("js/retrieve", 200, V1),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ours_serves_the_requests_of_others() {
    let (stage, network) = (Stage::begin(), network().await);
    let [flag, peers] = joining(&network);
    let server = Server::started(server(&stage, &["--dry-run", &flag, &peers])).await.ready(&stage).await;
    let fixtures = fixtures("request");
    let known: Vec<_> = REQUESTS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(fixtures.keys().cloned().collect::<Vec<_>>(), known);
    for (name, status, named) in REQUESTS {
        let Raw { status: given, head, body } = raw(&stage, server.api, &fixtures[*name]).await;
        assert_eq!(given, *status, "{name}: {head}{body}");
        assert!(body.contains(named), "{name}: no `{named}` in {body}");
        if given == 200 && !name.ends_with("readiness") {
            let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!((&answer["CID"], &answer["Error"]), (&(*named).into(), &"".into()), "{name}: {body}");
        }
    }
}

/// What a scheduler makes of an answer.
enum Reading {
    /// A measurement: of which CID, its class, how long in microseconds, peers in the table, the names of its steps, its error.
    Measured(&'static str, OutcomeClass, u64, u32, &'static [&'static str], Option<&'static str>),
    /// None, and what the reason names.
    Refused(OutcomeClass, &'static str),
    /// The server is ready.
    Ready,
}
use OutcomeClass::{NoPeers, NotFound, Ok as Fine, Protocol, ServerError, Timeout};
use Reading::{Measured, Ready, Refused};

const PROVIDE: &[&str] = &["provide"];
const RETRIEVAL: &[&str] = &["retrieval"];
const IPNI: &[&str] = &["announce", "index_ad", "index_entries", "availability"];

const ANSWERS: &[(&str, Reading)] = &[
    ("go-2023/bad-cid", Refused(ServerError, "status 400")),
    ("go-2023/bad-json", Refused(ServerError, "the answer is not a measurement")),
    ("go-2023/provide", Measured(V0, Fine, 1_500_000, 202, PROVIDE, None)),
    (
        "go-2023/provide-failed",
        Measured(V0, Protocol, 20_123_456, 202, PROVIDE, Some("failed to dial: <peer.ID 12*abc>")),
    ),
    ("go-2023/retrieve", Measured(V0, Fine, 530_000, 202, RETRIEVAL, None)),
    ("go-2023/retrieve-not-found", Measured(V0, NotFound, 2_100_000, 202, RETRIEVAL, Some("not found"))),
    ("go-2026/bad-json", Refused(ServerError, "status 400: unexpected end of JSON input")),
    ("go-2026/provide", Measured(V0, Fine, 1_500_000, 202, PROVIDE, None)),
    ("go-2026/provide-ipni", Measured(V0, Fine, 20_750_000, 0, IPNI, None)),
    ("go-2026/provide-no-peers", Measured(V0, NoPeers, 51, 0, PROVIDE, Some("failed to find any peer in table"))),
    ("go-2026/provide-too-late", Measured(V0, Timeout, 180_000_123, 45, PROVIDE, Some("context deadline exceeded"))),
    ("go-2026/readiness", Ready),
    ("go-2026/retrieve", Measured(V0, Fine, 530_000, 202, RETRIEVAL, None)),
    ("go-2026/retrieve-not-found", Measured(V0, NotFound, 2_100_000, 202, RETRIEVAL, Some("not found"))),
    ("js/bad-cid", Refused(ServerError, "status 500")),
    ("js/bad-target", Refused(ServerError, "status 400")),
    ("js/provide", Measured(V1, Fine, 1_500_000, 202, PROVIDE, None)),
    ("js/provide-to-nobody", Measured(V1, Protocol, 31_000, 202, PROVIDE, Some("Did not publish to any providers"))),
    ("js/readiness", Ready),
    ("js/retrieve", Measured(V1, Fine, 530_000, 202, RETRIEVAL, None)),
    ("js/retrieve-not-found", Measured(V1, NotFound, 0, 202, RETRIEVAL, Some("Did not find any providers"))),
];

/// Asks a server that has this one answer to everything.
async fn ask(stage: &Stage, name: &str, answer: Vec<u8>) -> Result<Option<Answered>, CallError> {
    let answer = Arc::new(answer);
    let double = Double::start(move |_, mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            stream.write_all(&answer).await.unwrap();
            // Kept open, as all of these servers do: the answer ends where it says that it ends.
            let _ = stream.read(&mut [0]).await;
        }
    })
    .await;
    let address = double.address();
    let client = HttpClient::new(Timeouts::default()).unwrap();
    let server = Endpoint::new(address.ip(), address.port());
    let caller =
        Caller { scheduler_id: "default", attempt: AttemptId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()) };
    let content = Content::from(b"hello".to_vec());
    let (_, what) = name.split_once('/').unwrap();
    let asking = async {
        match what {
            "readiness" => client.readiness(&server).await.map(|_| None),
            what if what.starts_with("retrieve") || what == "bad-cid" => {
                client.retrieve(&server, caller, V0).await.map(Some)
            }
            _ => client.provide(&server, caller, &content).await.map(Some),
        }
    };
    stage.in_time(name, asking).await
}

#[tokio::test]
async fn a_scheduler_of_ours_reads_the_answers_of_others() {
    let stage = Stage::begin();
    let fixtures = fixtures("answer");
    let known: Vec<_> = ANSWERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(fixtures.keys().cloned().collect::<Vec<_>>(), known);
    for (name, reading) in ANSWERS {
        match (ask(&stage, name, fixtures[*name].clone()).await, reading) {
            (Ok(Some(Answered { cid, measured, .. })), Measured(of, class, micros, table, steps, error)) => {
                assert_eq!((cid.as_str(), measured.class), (*of, *class), "{name}");
                assert_eq!(measured.duration.as_micros(), u128::from(*micros), "{name}");
                assert_eq!((measured.routing_table_size, measured.error.as_deref()), (*table, *error), "{name}");
                let named: Vec<_> = measured.steps.iter().map(|step| step.step.as_str()).collect();
                assert_eq!(named, *steps, "{name}");
                assert_eq!(
                    measured.steps.iter().map(|step| step.duration).sum::<Duration>(),
                    measured.duration,
                    "{name}"
                );
            }
            (Err(error), Refused(class, reason)) => {
                assert_eq!(error.class(), *class, "{name}: {error}");
                assert!(error.to_string().contains(reason), "{name}: no `{reason}` in {error}");
            }
            (Ok(None), Ready) => {}
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
}
