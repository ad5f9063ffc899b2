//! The whole run against servers made for it: one that keeps the contract, ones that break it in one place, hostile ones.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use parsec_api::client::Timeouts;
use parsec_api::wire::{NOT_FOUND, ProvideRequest, Target};
use parsec_measure::{Cid, Content, OperationKind};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

/// What an operation of the double takes: far more than the call around it.
const WORK: Duration = Duration::from_millis(5);

/// Enough for any answer of a double that gives one.
const LIMIT: Duration = Duration::from_secs(10);

/// Enough to see that there is none.
const SHORT: Duration = Duration::from_millis(300);

struct Asked {
    line: String,
    head: String,
    body: Vec<u8>,
    arrived: Instant,
}

impl Asked {
    fn is(&self, method: &str, path: &str) -> bool {
        self.line.starts_with(&format!("{method} {path}"))
    }
}

#[derive(Debug, Clone)]
struct Said {
    status: u16,
    body: String,
}

impl Said {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into() }
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

async fn listener() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, Endpoint::new(address.ip(), address.port()))
}

async fn request(stream: &mut TcpStream) -> Option<Asked> {
    let (arrived, mut bytes) = (Instant::now(), Vec::new());
    loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&chunk[..n]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let body = bytes[end + 4..].to_vec();
        if body.len() >= length.unwrap_or(0) {
            let line = String::from_utf8(bytes[..end].to_vec()).unwrap().lines().next().unwrap().to_owned();
            return Some(Asked { line, head, body, arrived });
        }
    }
}

/// A server that keeps the contract, but for what `twist` makes of it.
async fn double(twist: Twist) -> Endpoint {
    let (listener, endpoint) = listener().await;
    let published = Arc::new(Mutex::new(HashSet::new()));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let published = Arc::clone(&published);
            tokio::spawn(async move {
                let Some(asked) = request(&mut stream).await else { return };
                tokio::time::sleep(WORK).await;
                let Said { status, body } = twist(&asked, kept(&asked, &published));
                let head = "content-type: application/json\r\nconnection: close";
                let text = format!("HTTP/1.1 {status} -\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(text.as_bytes()).await;
            });
        }
    });
    endpoint
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

async fn inspect(server: Endpoint, limit: Duration, ready_limit: Duration) -> Vec<Checked> {
    let client = HttpClient::new(Timeouts::default()).unwrap();
    let run = super::inspect(client, server, Limits { answer: limit, ready: ready_limit });
    timeout(3 * LIMIT, run).await.expect("a run is bounded")
}

fn names(checked: &[Checked], verdict: Verdict) -> Vec<&'static str> {
    checked.iter().filter(|check| check.verdict() == verdict).map(|check| check.name).collect()
}

#[tokio::test]
async fn a_server_that_keeps_the_contract_passes_every_check() {
    let checked = inspect(double(|_, said| said).await, LIMIT, LIMIT).await;
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
        |asked, said| if asked.head.contains("x-scheduler-id") { Said::new(400, "") } else { said },
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
        let checked = inspect(double(*twist).await, LIMIT, LIMIT).await;
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
        let checked = inspect(twisted_answers(*change).await, LIMIT, LIMIT).await;
        assert!(names(&checked, Verdict::Fail).contains(&"retrieve, unpublished content"), "{breach}: {checked:#?}");
    }
}

/// A double whose answers to operations are changed.
async fn twisted_answers(change: Change) -> Endpoint {
    let (listener, endpoint) = listener().await;
    let published = Mutex::new(HashSet::new());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(asked) = request(&mut stream).await else { continue };
            tokio::time::sleep(WORK).await;
            let said = kept(&asked, &published);
            let is_answer = said.status == 200 && asked.is("POST", "/");
            let Said { status, body } = if is_answer { said.changed(change) } else { said };
            let text = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    endpoint
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
    let checked = inspect(double(slow).await, LIMIT, LIMIT).await;
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
    let checked = inspect(double(failing).await, LIMIT, LIMIT).await;
    assert_eq!(names(&checked, Verdict::Skipped).len(), 4, "{checked:#?}");
    assert!(names(&checked, Verdict::Fail).contains(&PUBLISHES), "{checked:#?}");
}

/// What a hostile server does with every connection that it takes, whatever it was asked.
#[derive(Debug, Clone, Copy)]
enum Hostility {
    /// Nothing.
    Silence,
    /// No HTTP.
    Garbage,
    /// Ten gigabytes, announced and begun.
    Huge,
    /// A body without an end, as fast as it goes.
    Endless,
    /// A blank at a time.
    Drip,
    /// A head without an end.
    EndlessHead,
    /// Goes away in the middle.
    CutOff,
}

async fn be_hostile(mut stream: TcpStream, how: Hostility) -> std::io::Result<()> {
    let blanks = [b' '; 1 << 16];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    match how {
        Hostility::Silence => std::future::pending().await,
        Hostility::Garbage => stream.write_all(&[0x16, 3, 1, 0, 0xff, b'\n', b'\n']).await,
        Hostility::Huge | Hostility::Endless => {
            let length = if matches!(how, Hostility::Huge) { "content-length: 10000000000\r\n" } else { "" };
            stream.write_all(format!("{head}{length}\r\n").as_bytes()).await?;
            loop {
                stream.write_all(&blanks).await?;
            }
        }
        Hostility::Drip => {
            stream.write_all(format!("{head}content-length: 1000\r\n\r\n").as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Hostility::EndlessHead => {
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(b"x: ").await?;
                stream.write_all(&blanks).await?;
            }
        }
        Hostility::CutOff => stream.write_all(format!("{head}content-length: 10\r\n\r\n{{").as_bytes()).await,
    }
}

/// Hostile, but for the first question if it says that it is ready.
async fn hostile(how: Hostility, says_ready: bool) -> Endpoint {
    let (listener, endpoint) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Some(asked) = request(&mut stream).await else { return };
                if says_ready && asked.is("GET", "/readiness") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                } else {
                    // That the other side hangs up is the point.
                    let _ = be_hostile(stream, how).await;
                }
            });
        }
    });
    endpoint
}

#[tokio::test]
async fn a_hostile_server_ends_the_run_like_any_other_and_fails() {
    use Hostility::{CutOff, Drip, Endless, EndlessHead, Garbage, Huge, Silence};
    for how in [Silence, Garbage, Huge, Endless, Drip, EndlessHead, CutOff] {
        let (at_once, later) = tokio::join!(async { inspect(hostile(how, false).await, SHORT, SHORT).await }, async {
            inspect(hostile(how, true).await, SHORT, LIMIT).await
        },);
        assert!(names(&at_once, Verdict::Fail).contains(&READINESS), "{how:?}: {at_once:#?}");
        assert_eq!(names(&later, Verdict::Pass), [READINESS], "{how:?}: {later:#?}");
        assert!(!names(&later, Verdict::Fail).is_empty(), "{how:?}: {later:#?}");
        let told = format!("{:?}", [at_once, later]);
        assert!(told.len() < 20_000, "{how:?}: {} characters", told.len());
    }
}

#[tokio::test]
async fn after_two_requests_without_an_answer_no_more_are_sent() {
    let checked = inspect(hostile(Hostility::Silence, true).await, SHORT, LIMIT).await;
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
        .await,
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
    let checked = inspect(double(unready).await, LIMIT, SHORT).await;
    assert_eq!(names(&checked, Verdict::Fail), [READINESS], "{checked:#?}");
    let [Finding::Fail(what)] = checked[0].findings.as_slice() else { panic!("{:?}", checked[0]) };
    assert_eq!(what, "not ready: `no peers`, still after 300ms (--ready-timeout)");
    assert_eq!(names(&checked, Verdict::Pass).len(), 4, "{checked:#?}");
}

#[tokio::test]
async fn where_nobody_listens_there_is_nothing_to_check() {
    let (listener, nobody) = listener().await;
    drop(listener);
    let checked = inspect(nobody, LIMIT, SHORT).await;
    assert_eq!(names(&checked, Verdict::Fail), [READINESS], "{checked:#?}");
    assert_eq!(names(&checked, Verdict::Skipped).len(), checked.len() - 1);
    assert!(format!("{:?}", checked[0]).contains("refused"), "{checked:#?}");
}
