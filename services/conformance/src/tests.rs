//! The whole run against servers made for it: one that keeps the contract, ones that break it in one place, hostile ones.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use parsec_api::client::Timeouts;
use parsec_api::wire::{NOT_FOUND, ProvideRequest, Target};
use parsec_measure::{Cid, Content, OperationKind};
use parsec_test_support::double::{Asked, Double, response};
use parsec_test_support::hostile::{Hostile, Mode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::*;

/// What an operation of the double takes: far more than the call around it.
const WORK: Duration = Duration::from_millis(5);

/// Enough for any answer of a double that gives one.
const LIMIT: Duration = Duration::from_secs(10);

/// Enough to see that there is none.
const SHORT: Duration = Duration::from_millis(300);

#[derive(Debug, Clone)]
struct Said {
    status: u16,
    body: String,
}

impl Said {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into() }
    }

    fn text(&self) -> String {
        response(&format!("{} -", self.status), "content-type: application/json\r\n", &self.body)
    }

    /// The same with something changed in the object that it is.
    fn changed(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut answer: Value = serde_json::from_str(&self.body).unwrap();
        change(&mut answer);
        Self { body: answer.to_string(), ..self }
    }
}

/// What a double makes of the answer that the contract asks for.
type Twist = fn(&Asked, Said) -> Said;

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::new(address.ip(), address.port())
}

/// A server that keeps the contract, but for what `twist` makes of it.
async fn double(twist: Twist) -> Double {
    answering(move |asked, published| twist(asked, kept(asked, published))).await
}

/// A server whose answers take some work; it keeps what was published.
async fn answering(answer: impl Fn(&Asked, &Mutex<HashSet<Vec<u8>>>) -> Said + Send + Sync + 'static) -> Double {
    let shared = Arc::new((answer, Mutex::new(HashSet::new())));
    Double::start(move |asked, mut stream| {
        let shared = Arc::clone(&shared);
        async move {
            tokio::time::sleep(WORK).await;
            let (answer, published) = &*shared;
            let _ = stream.write_all(answer(&asked, published).text().as_bytes()).await;
        }
    })
    .await
}

/// What the contract has for an answer.
fn kept(asked: &Asked, published: &Mutex<HashSet<Vec<u8>>>) -> Said {
    let measured = |cid: &str, kind: OperationKind, error: &str| {
        let nanos = u64::try_from(asked.arrived.elapsed().as_nanos()).unwrap();
        let steps = json!([{ "Step": kind.wire_step(), "Duration": nanos, "Error": error }]);
        let whole =
            json!({ "CID": cid, "RoutingTableSize": 7, "Measurements": steps, "Duration": nanos, "Error": error });
        Said::new(200, whole.to_string())
    };
    let mut words = asked.line.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    match (method, path, path.strip_prefix("/retrieve/")) {
        ("GET", "/readiness", _) => Said::new(200, "ready"),
        ("POST", "/provide", _) => match ProvideRequest::decode(&asked.body) {
            Ok((content, Target::Dht)) => {
                published.lock().unwrap().insert(content.cid().multihash());
                measured(&content.cid().to_string(), OperationKind::Provide, "")
            }
            Ok((_, Target::Ipni)) => Said::new(400, "no indexers here"),
            Err(error) => Said::new(400, error.to_string()),
        },
        ("POST", _, Some(cid)) => match cid.parse::<Cid>() {
            Ok(parsed) => {
                let is_there = published.lock().unwrap().contains(&parsed.multihash());
                measured(cid, OperationKind::Retrieve, if is_there { "" } else { NOT_FOUND })
            }
            Err(error) => Said::new(400, error.to_string()),
        },
        (_, "/provide" | "/readiness", _) => Said::new(405, ""),
        _ => Said::new(404, ""),
    }
}

async fn inspect(server: SocketAddr, limit: Duration, ready_limit: Duration) -> Vec<Checked> {
    let client = HttpClient::new(Timeouts::default()).unwrap();
    let run = super::inspect(client, endpoint(server), Limits { answer: limit, ready: ready_limit });
    timeout(3 * LIMIT, run).await.expect("a run is bounded")
}

fn names(checked: &[Checked], verdict: Verdict) -> Vec<&'static str> {
    checked.iter().filter(|check| check.verdict() == verdict).map(|check| check.name).collect()
}

#[tokio::test]
async fn a_server_that_keeps_the_contract_passes_every_check() {
    let checked = inspect(double(|_, said| said).await.address(), LIMIT, LIMIT).await;
    assert!(checked.iter().all(|check| check.verdict() == Verdict::Pass), "{checked:#?}");
    assert_eq!(checked.len(), checks::checks(&mut rand::rng()).len() + 1);
}

/// Servers that break the contract in one place, and the checks that have to say so.
const BREACHES: &[(&str, Twist, &[&str])] = &[
    (
        "another CID",
        |asked, said| match asked.is("POST", "/provide") && said.status == 200 {
            true => said.changed(|answer| answer["CID"] = Content::from(b"x".to_vec()).cid().to_string().into()),
            false => said,
        },
        &[PUBLISHES, "provide, Content as integers", "provide, Target DHT"],
    ),
    (
        "a lookup answers with CIDv0 whatever it was asked for",
        |asked, said| match asked.line.contains("/retrieve/baf") {
            true => said.changed(|answer| {
                let asked: Cid = answer["CID"].as_str().unwrap().parse().unwrap();
                let v0 = String::from_utf8(v0(&asked)).unwrap();
                answer["CID"] = v0.into();
            }),
            false => said,
        },
        &["retrieve, CIDv1"],
    ),
    (
        "lookups of CIDv1 are refused",
        |asked, said| if asked.line.contains("/retrieve/baf") { Said::new(400, "no CID") } else { said },
        &["retrieve, CIDv1"],
    ),
    (
        "not found in other words",
        |_, said| Said { body: said.body.replace(NOT_FOUND, "no providers"), ..said },
        &["retrieve, unpublished content"],
    ),
    (
        "not found as a success",
        |_, said| Said { body: said.body.replace(NOT_FOUND, ""), ..said },
        &["retrieve, unpublished content"],
    ),
    (
        "not found as a status",
        |_, said| if said.body.contains(NOT_FOUND) { Said::new(404, NOT_FOUND) } else { said },
        &["retrieve, unpublished content"],
    ),
    (
        "an exception on a bad CID",
        |asked, said| if asked.is("POST", "/retrieve/nonsense") { Said::new(500, "panic") } else { said },
        &["retrieve, bad CID"],
    ),
    (
        "another status on bad JSON",
        |asked, said| if asked.is("POST", "/provide") && said.status == 400 { Said::new(422, "no") } else { said },
        &["provide, bad JSON", "provide, unknown Target"],
    ),
    (
        "no reason on bad JSON",
        |_, said| if said.status == 400 { Said::new(400, "") } else { said },
        &["provide, bad JSON"],
    ),
    ("integers are an exception", refuse_integers, &["provide, Content as integers"]),
    (
        "a target is an exception",
        |asked, said| if contains(&asked.body, "\"DHT\"") { Said::new(500, "") } else { said },
        &["provide, Target DHT"],
    ),
    (
        "schedulers must not have a name",
        |asked, said| if asked.head.to_lowercase().contains("x-scheduler-id") { Said::new(400, "") } else { said },
        &["retrieve, with x-scheduler-id"],
    ),
    (
        "an absent body is an exception",
        |asked, said| match asked.is("POST", "/retrieve/Qm") && asked.body.is_empty() {
            true => Said::new(500, ""),
            false => said,
        },
        &["retrieve, no body"],
    ),
    ("every path is there", |_, said| if said.status == 404 { Said::new(200, "") } else { said }, &["unknown path"]),
    ("every method is taken", |_, said| if said.status == 405 { Said::new(200, "") } else { said }, &["wrong method"]),
    (
        "not ready, and no reason",
        |_, _| Said::new(503, ""),
        &["readiness", "provide, bad JSON", "retrieve, bad CID", "unknown path", "wrong method"],
    ),
];

fn refuse_integers(asked: &Asked, said: Said) -> Said {
    if contains(&asked.body, "[") { Said::new(500, "") } else { said }
}

fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

/// The CIDv0 of the same multihash, in base58btc.
fn v0(cid: &Cid) -> Vec<u8> {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits = vec![0_u32];
    for byte in cid.multihash() {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    digits.iter().rev().map(|digit| ALPHABET[*digit as usize]).collect()
}

#[tokio::test]
async fn each_breach_is_found_by_the_check_that_is_about_it() {
    for (breach, twist, failing) in BREACHES {
        let checked = inspect(double(*twist).await.address(), LIMIT, LIMIT).await;
        assert_eq!(names(&checked, Verdict::Fail), *failing, "{breach}: {checked:#?}");
    }
}

/// What becomes of the object in an answer.
type Change = fn(&mut Value);

/// Servers that break the contract in every answer to an operation.
const BREACHES_OF_ANSWERS: &[(&str, Change)] = &[
    ("no CID", |answer| drop(answer.as_object_mut().unwrap().remove("CID"))),
    ("no routing table", |answer| drop(answer.as_object_mut().unwrap().remove("RoutingTableSize"))),
    ("durations as text", |answer| answer["Duration"] = "1.5s".into()),
    ("durations longer than the call", |answer| answer["Duration"] = 60_000_000_000_u64.into()),
    ("steps of its own", |answer| answer["Measurements"][0]["Step"] = "put".into()),
    ("camel case", |answer| *answer = json!({ "cid": "", "duration": 1, "error": "" })),
    ("failure in one place alone", |answer| answer["Error"] = "".into()),
];

#[tokio::test]
async fn a_breach_in_the_shape_of_answers_is_found() {
    for (breach, change) in BREACHES_OF_ANSWERS {
        let checked = inspect(twisted_answers(*change).await.address(), LIMIT, LIMIT).await;
        assert!(names(&checked, Verdict::Fail).contains(&"retrieve, unpublished content"), "{breach}: {checked:#?}");
    }
}

/// A double whose answers to operations are changed.
async fn twisted_answers(change: Change) -> Double {
    answering(move |asked, published| {
        let said = kept(asked, published);
        if said.status == 200 && asked.is("POST", "/") { said.changed(change) } else { said }
    })
    .await
}

#[tokio::test]
async fn milliseconds_are_recognised() {
    let slow = |asked: &Asked, said: Said| match asked.is("POST", "/provide") && said.status == 200 {
        true => {
            std::thread::sleep(Duration::from_millis(200));
            let millis = u64::try_from(asked.arrived.elapsed().as_millis()).unwrap();
            said.changed(|answer| {
                answer["Duration"] = millis.into();
                answer["Measurements"][0]["Duration"] = millis.into();
            })
        }
        false => said,
    };
    let checked = inspect(double(slow).await.address(), LIMIT, LIMIT).await;
    let provide = checked.iter().find(|check| check.name == PUBLISHES).unwrap();
    assert!(format!("{:?}", provide.findings).contains("looks like milliseconds"), "{provide:#?}");
}

#[tokio::test]
async fn a_publication_that_fails_leaves_nothing_to_look_up() {
    let failing = |asked: &Asked, said: Said| match asked.is("POST", "/provide") && said.status == 200 {
        true => said.changed(|answer| {
            answer["Error"] = "no peers".into();
            answer["Measurements"][0]["Error"] = "no peers".into();
        }),
        false => said,
    };
    let checked = inspect(double(failing).await.address(), LIMIT, LIMIT).await;
    assert_eq!(names(&checked, Verdict::Skipped).len(), 4, "{checked:#?}");
    assert!(names(&checked, Verdict::Fail).contains(&PUBLISHES), "{checked:#?}");
}

#[tokio::test]
async fn a_hostile_server_ends_the_run_like_any_other_and_fails() {
    let drips = Mode::Drips(Duration::from_millis(10));
    use Mode::{EndlessBody, EndlessHead, Garbage, Mute, Resets, TenGigabytes};
    for mode in [Mute, Garbage, TenGigabytes, EndlessBody, drips, EndlessHead, Resets] {
        let (hostile, at_first_honest) = tokio::join!(Hostile::start(mode), Hostile::start(mode));
        hostile.is_ready(mode);
        let (at_once, later) =
            tokio::join!(inspect(hostile.address(), SHORT, SHORT), inspect(at_first_honest.address(), SHORT, LIMIT));
        assert!(names(&at_once, Verdict::Fail).contains(&READINESS), "{mode:?}: {at_once:#?}");
        assert_eq!(names(&later, Verdict::Pass), [READINESS], "{mode:?}: {later:#?}");
        assert!(!names(&later, Verdict::Fail).is_empty(), "{mode:?}: {later:#?}");
        let told = format!("{:?}", [at_once, later]);
        assert!(told.len() < 20_000, "{mode:?}: {} characters", told.len());
    }
}

#[tokio::test]
async fn after_two_requests_without_an_answer_no_more_are_sent() {
    let checked = inspect(Hostile::start(Mode::Mute).await.address(), SHORT, LIMIT).await;
    assert_eq!(names(&checked, Verdict::Fail).len(), MAX_UNANSWERED, "{checked:#?}");
}

#[tokio::test]
async fn a_server_that_becomes_ready_is_waited_for() {
    static ASKED: Mutex<usize> = Mutex::new(0);
    let checked = inspect(
        double(|asked, said| {
            if !asked.is("GET", "/readiness") {
                return said;
            }
            let mut count = ASKED.lock().unwrap();
            *count += 1;
            if *count <= 2 { Said::new(503, "the routing table is empty") } else { said }
        })
        .await
        .address(),
        LIMIT,
        LIMIT,
    )
    .await;
    let [Finding::Pass(what)] = checked[0].findings.as_slice() else { panic!("{:?}", checked[0]) };
    assert!(what.starts_with("200 after ") && what.ends_with("not ready: `the routing table is empty`"), "{what}");
    assert!(names(&checked, Verdict::Fail).is_empty(), "{checked:#?}");
}

#[tokio::test]
async fn of_a_server_that_never_becomes_ready_the_refusals_are_checked_all_the_same() {
    let unready = |asked: &Asked, said: Said| match asked.is("GET", "/readiness") {
        true => Said::new(503, "no peers"),
        false => said,
    };
    let checked = inspect(double(unready).await.address(), LIMIT, SHORT).await;
    assert_eq!(names(&checked, Verdict::Fail), [READINESS], "{checked:#?}");
    let [Finding::Fail(what)] = checked[0].findings.as_slice() else { panic!("{:?}", checked[0]) };
    assert_eq!(what, "not ready: `no peers`, still after 300ms (--ready-timeout)");
    assert_eq!(names(&checked, Verdict::Pass).len(), 4, "{checked:#?}");
}

#[tokio::test]
async fn where_nobody_listens_there_is_nothing_to_check() {
    let nobody = double(|_, said| said).await.address();
    let checked = inspect(nobody, LIMIT, SHORT).await;
    assert_eq!(names(&checked, Verdict::Fail), [READINESS], "{checked:#?}");
    assert_eq!(names(&checked, Verdict::Skipped).len(), checked.len() - 1);
    assert!(format!("{:?}", checked[0]).contains("refused"), "{checked:#?}");
}
