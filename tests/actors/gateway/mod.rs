use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use parsec_api::token::CurrentToken;
use parsec_api::wire::{ATTEMPT_ID_HEADER, MAX_BODY_BYTES, SCHEDULER_ID_HEADER, TRACE_HEADER};
use parsec_measure::{AttemptId, Content, OutcomeClass};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fakes::{
    BeReady, FakeDht, Finds, How, LIAR, MockDht, POLICY, Records, Run, STRANGER, Witness, cid, counted, metrics,
    millis, peer_id, publication, secs,
};
use actix::prelude::*;
use actix_web::App;
use parsec_actors::serving::dht_node::{DhtHandle, DhtNode, StartDht};
use parsec_actors::serving::gateway::{Gateway, Limits, Measuring, Reports, Routes};
use parsec_actors::supervision::ask::Ask;
use parsec_actors::supervision::stop::Stop;
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::telemetry::Telemetry;
use parsec_actors::telemetry::metrics::Metrics;

mod many;
mod openapi;
mod page;
mod readiness;
mod status;
mod strangers;
mod token;

/// What the routes answered.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    content_type: String,
    body: String,
}

impl Reply {
    fn json(&self) -> serde_json::Value {
        assert_eq!((self.status, self.content_type.as_str()), (StatusCode::OK, "application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    fn is_refusal(&self, status: StatusCode, reason: &str) {
        assert_eq!((self.status, self.content_type.as_str()), (status, "text/plain; charset=utf-8"), "{self:?}");
        assert!(self.body.contains(reason), "no `{reason}` in {self:?}");
    }
}

async fn send(routes: &Routes, request: TestRequest) -> Reply {
    let app = init_service(App::new().configure(|config| routes.configure(config))).await;
    let response = call_service(&app, request.to_request()).await;
    let status = response.status();
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
    Reply { status, content_type: content_type.unwrap_or_default(), body }
}

fn measuring(dht: DhtHandle, metrics: &Arc<Metrics>) -> Routes {
    let (metrics, fleet, token) = (Arc::clone(metrics), "default".to_owned(), CurrentToken::default());
    Routes::measuring(Measuring { dht, metrics, fleet, peer_id: peer_id(1), token })
}

/// Routes in front of an actor that answers in the place of a DHT node.
fn mocked() -> (Routes, Addr<MockDht>, Arc<Metrics>) {
    let (dht, metrics) = (MockDht::new(&Records::default(), millis(7)).start(), metrics());
    (measuring(DhtHandle::new(&dht, secs(180)), &metrics), dht, metrics)
}

/// Routes in front of a real DHT node with a fake engine and no other one.
struct Supervised {
    routes: Routes,
    engine: Arc<FakeDht>,
    dht: DhtHandle,
    parent: Witness,
    _node: Child<DhtNode>,
}

fn supervised() -> Supervised {
    let engine = FakeDht::new();
    let start: StartDht = Arc::new(|| Box::pin(std::future::pending()));
    let (parent, hears) = Witness::start_new();
    let node = supervise("DHT node", POLICY, hears, DhtNode::new(engine.clone(), start));
    let dht = DhtHandle::of(&node, secs(180));
    Supervised { routes: measuring(dht.clone(), &metrics()), engine, dht, parent, _node: node }
}

fn provide(body: impl Into<String>) -> TestRequest {
    TestRequest::post().uri("/provide").insert_header(("content-type", "application/json")).set_payload(body.into())
}

fn retrieve(cid: &str) -> TestRequest {
    TestRequest::post().uri(&format!("/retrieve/{cid}")).set_payload("{}")
}

#[actix::test]
async fn content_is_taken_as_base64_and_as_an_array_of_bytes() {
    let (routes, ..) = mocked();
    let cid = Content::from(b"hello".to_vec()).cid().to_string();
    for body in [r#"{"Content": "aGVsbG8="}"#, r#"{"Content": [104, 101, 108, 108, 111], "Target": "DHT"}"#] {
        assert_eq!(send(&routes, provide(body)).await.json()["CID"], cid, "{body}");
    }
}

#[actix::test]
async fn an_answer_is_read_by_schedulers_of_both_generations() {
    let (routes, ..) = mocked();
    let provided = send(&routes, provide(r#"{"Content": "aGVsbG8="}"#)).await.json();
    assert_eq!((&provided["Duration"], &provided["Error"]), (&7_000_000.into(), &"".into()), "2023");
    let step = &provided["Measurements"][0];
    assert_eq!((&step["Duration"], &step["Error"]), (&7_000_000.into(), &"".into()), "2026");
    assert_eq!(provided["RoutingTableSize"], 202);
    let found = send(&routes, retrieve(provided["CID"].as_str().unwrap())).await.json();
    assert_eq!((&found["CID"], &found["Duration"]), (&provided["CID"], &7_000_000.into()));
}

#[actix::test]
async fn what_failed_is_answered_with_its_error() {
    let (routes, ..) = mocked();
    let absent = send(&routes, retrieve(&cid(1).to_string())).await.json();
    assert_eq!((&absent["Error"], &absent["Measurements"][0]["Error"]), (&"not found".into(), &"not found".into()));
    let host = supervised();
    host.engine.is(How::Measures(OutcomeClass::Timeout));
    let late = send(&host.routes, provide(r#"{"Content": "aGVsbG8="}"#)).await.json();
    assert!(late["Error"].as_str().unwrap().starts_with("context deadline exceeded"), "{late}");
}

#[actix::test]
async fn a_lookup_needs_no_body_and_echoes_the_cid_in_its_version() {
    let (routes, ..) = mocked();
    for cid in [cid(1).to_string(), "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e".to_owned()] {
        let bare = TestRequest::post().uri(&format!("/retrieve/{cid}"));
        assert_eq!(send(&routes, bare).await.json()["CID"], cid);
    }
}

#[actix::test]
async fn a_cid_in_base64_is_taken_with_its_slashes_as_they_are_and_as_codes() {
    let (routes, ..) = mocked();
    // `/` and `+` are in its alphabet.
    let cid = "mAVUSICwmtGto/8aP+ZtFPB0wQTQTQi1wZIO/oPmKXohiZueu";
    let codes = cid.replace('/', "%2F").replace('+', "%2b");
    let all: String = cid.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for path in [cid, &codes, &all, &cid.replace('/', "%2f")] {
        assert_eq!(send(&routes, retrieve(path)).await.json()["CID"], cid, "{path}");
    }
    for (path, reason) in [
        ("a/b", "`a/b` is not a CID: it is a path"),
        ("/", "`/` is not a CID: it is a path"),
        (&format!("ipfs/{cid}"), "it is a path"),
        (&format!("{cid}/"), "is not a CID"),
        (&format!("{cid}/x"), "is not a CID"),
        (&format!("{codes}%252F"), "is not a CID"),
    ] {
        send(&routes, retrieve(path)).await.is_refusal(StatusCode::BAD_REQUEST, reason);
    }
}

#[actix::test]
async fn an_answer_says_whom_a_search_found_to_whoever_asks() {
    let host = supervised();
    host.engine.is(How::Says(Finds::Stranger));
    let found = send(&host.routes, retrieve(&cid(1).to_string())).await.json();
    let stranger = serde_json::json!([{ "Peer": peer_id(STRANGER), "NamedBy": peer_id(LIAR) }]);
    assert_eq!((&found["Outcome"], &found["Providers"]), (&"ok".into(), &stranger));
}

#[actix::test]
async fn what_cannot_be_understood_is_refused_in_a_sentence() {
    let (routes, ..) = mocked();
    for (body, reason) in [
        ("", "the body is not a provide request"),
        ("{", "the body is not a provide request"),
        ("[]", "it is not a JSON object"),
        (r#"{"content": "aGVsbG8="}"#, "Content"),
        (r#"{"Content": 5}"#, "base64 text or an array of bytes"),
        (r#"{"Content": "§"}"#, "`Content` is not base64"),
        (r#"{"Content": [256]}"#, "256"),
        (r#"{"Content": "aGVsbG8=", "Target": "IPNI"}"#, "target `IPNI` is not served here"),
        (r#"{"Content": "aGVsbG8=", "Target": "moon"}"#, "unknown `Target` `moon`"),
    ] {
        send(&routes, provide(body)).await.is_refusal(StatusCode::BAD_REQUEST, reason);
    }
    send(&routes, retrieve("Qmnonsense")).await.is_refusal(StatusCode::BAD_REQUEST, "`Qmnonsense` is not a CID");
}

#[actix::test]
async fn a_body_over_the_limit_is_refused_with_the_limit() {
    let (routes, ..) = mocked();
    let body = format!(r#"{{"Content": "{}"}}"#, "A".repeat(MAX_BODY_BYTES));
    send(&routes, provide(body)).await.is_refusal(StatusCode::PAYLOAD_TOO_LARGE, &MAX_BODY_BYTES.to_string());
}

#[actix::test]
async fn readiness_says_yes_or_why_not() {
    let (routes, dht, _) = mocked();
    let ask = |method| TestRequest::with_uri("/readiness").method(method);
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(send(&routes, ask(method)).await.status, StatusCode::OK);
    }
    dht.send(BeReady(false)).await.unwrap();
    let refused = send(&routes, ask(Method::GET)).await;
    refused.is_refusal(StatusCode::SERVICE_UNAVAILABLE, "the routing table is empty");
    assert_eq!(send(&routes, ask(Method::HEAD)).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[actix::test]
async fn a_node_that_breaks_or_is_down_or_starting_is_told_at_once() {
    tokio::time::pause();
    let host = supervised();
    let began = tokio::time::Instant::now();
    host.engine.is(How::Panics);
    let crashed = send(&host.routes, retrieve(&cid(1).to_string())).await;
    crashed.is_refusal(StatusCode::INTERNAL_SERVER_ERROR, "DHT node crashed while it worked on this");
    host.engine.is(How::Unreachable);
    let gone = send(&host.routes, retrieve(&cid(1).to_string())).await;
    gone.is_refusal(StatusCode::INTERNAL_SERVER_ERROR, "the DHT node is not running");

    host.engine.dies("as ordered");
    host.parent.until_heard(1).await;
    for request in
        [retrieve(&cid(1).to_string()), provide(r#"{"Content": "aA=="}"#), TestRequest::with_uri("/readiness")]
    {
        let down = send(&host.routes, request).await;
        down.is_refusal(StatusCode::SERVICE_UNAVAILABLE, "DHT node is not running at the moment");
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    tokio::time::sleep(2 * POLICY.backoff_min).await;
    let starting = send(&host.routes, retrieve(&cid(1).to_string())).await;
    starting.is_refusal(StatusCode::SERVICE_UNAVAILABLE, "the DHT node is being started");
}

#[actix::test]
async fn a_node_that_is_busy_takes_no_more() {
    let host = supervised();
    host.engine.is(How::Hangs);
    let dht = host.dht.clone();
    let many = actix::spawn(async move {
        futures::future::join_all((0..64).map(|number| dht.provide.ask(publication(number)))).await
    });
    host.engine.until("all of them have begun", |engine| engine.begun == 64).await;
    let busy = send(&host.routes, retrieve(&cid(1).to_string())).await;
    busy.is_refusal(StatusCode::TOO_MANY_REQUESTS, "64 operations are under way");
    host.engine.is(How::Works);
    assert!(many.await.unwrap().into_iter().all(|answer| answer.unwrap().is_ok()));
}

#[actix::test]
async fn other_paths_are_not_found_and_other_methods_not_allowed() {
    let (routes, ..) = mocked();
    for uri in ["/", "/metrics", "/retrieve", "/retrieve/", "/provide/x"] {
        assert_eq!(send(&routes, TestRequest::post().uri(uri)).await.status, StatusCode::NOT_FOUND, "{uri}");
    }
    for (request, allowed) in [
        (TestRequest::get().uri("/provide"), "POST"),
        (TestRequest::put().uri("/provide"), "POST"),
        (TestRequest::get().uri("/retrieve/Qm"), "POST"),
        (TestRequest::post().uri("/readiness"), "GET, HEAD"),
    ] {
        let sentence = format!("this path takes {allowed}");
        send(&routes, request).await.is_refusal(StatusCode::METHOD_NOT_ALLOWED, &sentence);
    }
}

#[actix::test]
async fn requests_and_durations_are_counted_under_the_schedulers_name() {
    let (routes, _, metrics) = mocked();
    let named = |request: TestRequest| request.insert_header((SCHEDULER_ID_HEADER, "default,optprov"));
    send(&routes, named(provide(r#"{"Content": "aGVsbG8="}"#))).await.json();
    send(&routes, named(retrieve(&cid(1).to_string()))).await.json();
    send(&routes, named(provide("{"))).await.is_refusal(StatusCode::BAD_REQUEST, "");
    send(&routes, TestRequest::with_uri("/readiness")).await;
    for (series, value) in [
        ("parsec_http_requests_total{method=\"POST\",path=\"provide\",scheduler=\"default,optprov\"}", 2.0),
        ("parsec_http_requests_total{method=\"POST\",path=\"retrieve\",scheduler=\"default,optprov\"}", 1.0),
        ("parsec_http_requests_total{method=\"GET\",path=\"readiness\",scheduler=\"\"}", 1.0),
        ("parsec_durations_count{type=\"provide_duration\",success=\"true\",scheduler=\"default,optprov\"}", 1.0),
        ("parsec_durations_count{type=\"retrieval_ttfpr\",success=\"false\",scheduler=\"default,optprov\"}", 1.0),
    ] {
        assert!((counted(&metrics, series) - value).abs() < f64::EPSILON, "{series}");
    }
}

#[actix::test]
async fn whatever_strangers_send_the_number_of_series_has_a_bound() {
    const STRANGERS: usize = 10_000;
    let (routes, _, metrics) = mocked();
    let app = init_service(App::new().configure(|config| routes.configure(config))).await;
    let series = || metrics.encode().unwrap().lines().filter(|line| line.contains("scheduler=")).count();
    let mut after_a_thousand = 0;
    for stranger in 0..STRANGERS {
        let name = format!("stranger \"{stranger}\"");
        for request in [
            TestRequest::with_uri("/readiness"),
            TestRequest::post().uri("/retrieve/nonsense"),
            TestRequest::post().uri(&format!("/path-{stranger}")),
            TestRequest::post().uri(&format!("/retrieve/{stranger}/{stranger}")),
        ] {
            let _ = call_service(&app, request.insert_header((SCHEDULER_ID_HEADER, &*name)).to_request()).await;
        }
        if stranger == STRANGERS / 10 {
            after_a_thousand = series();
        }
    }
    assert_eq!(series(), after_a_thousand);
    assert!(after_a_thousand <= 2 * (16 + 1), "{after_a_thousand} series");
    let text = metrics.encode().unwrap();
    // The first sixteen have looked up, each twice; asking for readiness makes nobody known.
    assert!(!text.contains("path-") && text.contains(r#"path="readiness",scheduler="other"} 10000"#), "{text}");
    assert!(text.contains(r#"path="retrieve",scheduler="other"} 19968"#), "{text}");
}

#[actix::test]
async fn a_scheduler_that_gives_no_readable_name_has_none() {
    let (routes, _, metrics) = mocked();
    let unreadable = retrieve(&cid(1).to_string()).insert_header((SCHEDULER_ID_HEADER, &b"\xff\xfe"[..]));
    send(&routes, unreadable).await.json();
    let series = "parsec_http_requests_total{method=\"POST\",path=\"retrieve\",scheduler=\"\"}";
    assert!((counted(&metrics, series) - 1.0).abs() < f64::EPSILON);
}

#[actix::test]
async fn a_trace_is_answered_to_those_who_ask_for_it_by_header() {
    let host = supervised();
    let plain = send(&host.routes, retrieve(&cid(1).to_string())).await;
    assert!(!plain.body.contains("Trace"), "{plain:?}");
    for wish in ["0", "true", ""] {
        let request = retrieve(&cid(1).to_string()).insert_header((TRACE_HEADER, wish));
        assert_eq!(send(&host.routes, request).await.body, plain.body, "`{wish}` asks for nothing");
    }
    for request in [retrieve(&cid(1).to_string()), provide(r#"{"Content": "aGVsbG8="}"#)] {
        let traced = send(&host.routes, request.insert_header((TRACE_HEADER, "1"))).await.json();
        assert_eq!(traced["Trace"], serde_json::json!({ "strategy": "classic", "returned": 7_000, "requests": [] }));
    }
}

#[actix::test]
async fn a_scheduler_of_the_original_is_answered_as_ever() {
    let host = supervised();
    let key = cid(1).to_string();
    let found = send(&host.routes, retrieve(&key).insert_header((SCHEDULER_ID_HEADER, "default"))).await;
    let expected = format!(
        "{{\"CID\":\"{key}\",\"RoutingTableSize\":202,\
         \"Measurements\":[{{\"Step\":\"retrieval\",\"Duration\":7000000,\"Error\":\"\"}}],\
         \"Duration\":7000000,\"Error\":\"\",\"Outcome\":\"ok\",\"NetworkSize\":7000}}"
    );
    assert_eq!(found.body, expected);
}

#[actix::test]
async fn the_attempt_is_passed_on_if_the_header_has_a_uuid() {
    let host = supervised();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let body = r#"{"Content": "aGVsbG8="}"#;
    for header in [id, "no-uuid", ""] {
        send(&host.routes, provide(body).insert_header((ATTEMPT_ID_HEADER, header))).await.json();
    }
    send(&host.routes, provide(body)).await.json();
    let attempt = AttemptId(id.parse().unwrap());
    assert_eq!(host.engine.read(|engine| engine.attempts.clone()), [Some(attempt), None, None, None]);
}

#[actix::test]
async fn the_size_of_the_network_is_told_with_every_answer_and_with_readiness() {
    let size = |metrics: &Metrics| counted(metrics, "parsec_network_size_peers{fleet=\"default\"}");
    for request in [retrieve(&cid(1).to_string()), TestRequest::with_uri("/readiness")] {
        let (host, metrics) = (supervised(), metrics());
        assert!(send(&measuring(host.dht.clone(), &metrics), request).await.status.is_success());
        assert!((size(&metrics) - 7_000.0).abs() < f64::EPSILON);
    }
}

#[actix::test]
async fn metrics_are_told_in_the_text_format_of_prometheus() {
    let telemetry = Telemetry::new(metrics()).start();
    let (metrics, status) =
        (Ask::new("telemetry", telemetry.clone(), secs(5)), Ask::new("telemetry", telemetry, secs(5)));
    let routes = Routes::telemetry(Reports { metrics, status });
    let reply = send(&routes, TestRequest::with_uri("/metrics")).await;
    assert_eq!(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
    let first = ["# HELP parsec_build_info ", "# TYPE parsec_build_info gauge", "parsec_build_info{"];
    assert!(reply.status.is_success() && reply.body.lines().zip(first).all(|(line, start)| line.starts_with(start)));
    assert_eq!(send(&routes, TestRequest::post().uri("/metrics")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(send(&routes, TestRequest::post().uri("/provide")).await.status, StatusCode::NOT_FOUND);
}

/// The longest that anything on loopback may take, in real time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request over a connection of its own, and reads until the server closes it.
async fn call(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{request} HTTP/1.1\r\nhost: parsec\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    Ok(reply)
}

/// A gateway on loopback, in front of a DHT node with a fake engine.
fn serving() -> (Child<Gateway>, SocketAddr, Supervised, Witness) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, host) = (listener.local_addr().unwrap(), supervised());
    let (parent, hears) = Witness::start_new();
    let gateway = supervise("gateway", POLICY, hears, Gateway::new(Arc::new(listener), host.routes.clone()));
    (gateway, address, host, parent)
}

/// Waits until nobody takes connections any more.
async fn until_refused(address: SocketAddr) {
    let asked = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(asked.elapsed() < PATIENCE, "new connections are still taken");
        actix::clock::sleep(millis(1)).await;
    }
}

#[actix::test]
async fn a_stop_lets_requests_in_flight_finish_and_takes_no_new_ones() {
    let (gateway, address, host, _parent) = serving();
    let ready = call(address, "GET /readiness").await.unwrap();
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n") && ready.ends_with("\r\n\r\nready"), "{ready}");
    let head = call(address, "HEAD /readiness").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "a head has no body: {head}");

    host.engine.is(How::Hangs);
    let begun = host.engine.read(|engine| engine.begun);
    let in_flight = actix::spawn(async move { call(address, &format!("POST /retrieve/{}", cid(1))).await });
    host.engine.until("the lookup is under way", |engine| engine.begun > begun).await;
    let stop: Ask<Stop> = gateway.ask(PATIENCE);
    let stopping = actix::spawn(async move { stop.ask(Stop).await });
    until_refused(address).await;
    assert!(!in_flight.is_finished() && !stopping.is_finished());
    host.engine.is(How::Works);
    let reply = in_flight.await.unwrap().unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.contains("\"Outcome\":\"ok\""), "{reply}");
    assert_eq!(stopping.await.unwrap(), Ok(()));
    assert!(!gateway.addr().connected());
}

/// Sends a request over a kept connection, its body after its head; returns the head of the answer.
async fn call_again(stream: &mut TcpStream, path: &str, body: &str) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: parsec\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the connection is kept"));
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse::<usize>().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    head
}

#[actix::test]
async fn a_scheduler_can_keep_its_connection_for_the_next_request() {
    let (_gateway, address, _host, _parent) = serving();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for number in 0..100 {
        let found = call_again(&mut stream, &format!("/retrieve/{}", cid(number)), "{}").await;
        assert!(found.starts_with("HTTP/1.1 200 "), "{found}");
        let refused = call_again(&mut stream, "/retrieve/Qmnonsense", "{}").await;
        assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    }
}

#[actix::test]
async fn a_gateway_that_crashed_serves_again_on_the_same_socket() {
    let (gateway, address, _host, parent) = serving();
    assert!(call(address, "GET /readiness").await.unwrap().starts_with("HTTP/1.1 200"));
    for crashes in 1..=2 {
        gateway.addr().send(Run::panicking()).await.unwrap_err();
        parent.until_heard(crashes).await;
        let asked = Instant::now();
        // Answered once it is back; what its predecessor's server had taken by then may get no answer.
        gateway.addr().send(Run::nothing()).await.unwrap();
        while !call(address, "GET /readiness").await.is_ok_and(|reply| reply.starts_with("HTTP/1.1 200")) {
            assert!(asked.elapsed() < PATIENCE, "it does not serve again");
        }
    }
    // No server of the crashed ones is left behind.
    let stop: Ask<Stop> = gateway.ask(PATIENCE);
    assert_eq!(stop.ask(Stop).await, Ok(()));
    until_refused(address).await;
}
