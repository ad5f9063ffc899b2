//! Strangers on real sockets: slow ones, silent ones, and many of them. Each test takes limits of its own that are short
//! where it waits for one, and long where another one must not come first.

use parsec_test_support::http::get_secure;
use parsec_test_support::stage::Stage;
use parsec_test_support::tls::Authority;

use super::*;

/// Waited for by a test.
const SHORT: Duration = Duration::from_millis(300);

/// The same for what the HTTP library counts: its clock may be half a second behind, and a time that is over before it
/// begins it never notices.
const COUNTED: Duration = Duration::from_secs(1);

/// The same for what an honest request has to be in time for, on a machine that does something else.
const TURN: Duration = Duration::from_secs(2);

/// Never reached: a test that waits for it fails.
const LONG: Duration = Duration::from_secs(600);

fn patient() -> Limits {
    Limits { head: LONG, body: LONG, idle: LONG, turn: LONG, handshake: LONG, ..Limits::default() }
}

/// A gateway with these limits.
struct Host {
    address: SocketAddr,
    engine: Arc<FakeDht>,
    _kept: (Child<Gateway>, Supervised, Witness),
}

fn host(limits: Limits) -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, dht) = (listener.local_addr().unwrap(), supervised());
    let (parent, hears) = Witness::start_new();
    let gateway = Gateway::new(Arc::new(listener), dht.routes.clone()).with_limits(limits);
    let gateway = supervise("gateway", POLICY, hears, gateway);
    Host { address, engine: Arc::clone(&dht.engine), _kept: (gateway, dht, parent) }
}

async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    actix::clock::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: nothing after {PATIENCE:?}"))
}

/// Whatever comes until the server closes the connection; a reset is an end as well.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let _ = within_patience("the end of the connection", stream.read_to_end(&mut said)).await;
    String::from_utf8(said).unwrap()
}

async fn connected(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Sends these bytes one by one, for ever.
async fn trickle(stream: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        actix::clock::sleep(millis(10)).await;
    }
}

const READINESS: &[u8] = b"GET /readiness HTTP/1.1\r\nhost: parsec\r\n\r\n";

/// Sends a whole request over a kept connection, and takes its answer.
async fn served(stream: &mut TcpStream) {
    stream.write_all(READINESS).await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\nready") {
        reply.push(within_patience("the answer", stream.read_u8()).await.unwrap());
    }
}

/// Sends a whole request over a kept connection that no actor is asked for, and takes its answer.
async fn refused(stream: &mut TcpStream) {
    stream.write_all(b"GET /nowhere HTTP/1.1\r\nhost: parsec\r\n\r\n").await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"GET /readiness") {
        reply.push(within_patience("the answer", stream.read_u8()).await.unwrap());
    }
}

#[actix::test]
async fn the_head_of_a_request_has_its_time() {
    let host = host(Limits { head: COUNTED, ..patient() });
    let mut silent = connected(host.address).await;
    let mut slow = connected(host.address).await;
    assert!(until_closed(&mut silent).await.starts_with("HTTP/1.1 408 "));
    let (mut from, mut to) = slow.split();
    let mut said = Vec::new();
    let reading = async { within_patience("the end of the slow one", from.read_to_end(&mut said)).await };
    let (_, ()) = tokio::join!(reading, trickle(&mut to, b"x"));
    assert!(said.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&said));
}

#[actix::test]
async fn the_head_of_a_later_request_has_its_time_too() {
    let host = host(Limits { turn: TURN, ..patient() });
    let mut stream = connected(host.address).await;
    served(&mut stream).await;
    let (mut from, mut to) = stream.split();
    let mut said = Vec::new();
    let reading = async { within_patience("the end of the slow one", from.read_to_end(&mut said)).await };
    let _ = tokio::join!(reading, trickle(&mut to, b"x"));
    assert_eq!(String::from_utf8_lossy(&said), "", "nothing was asked");
}

#[actix::test]
async fn a_body_has_its_time_and_its_sender_is_told_the_limit() {
    let host = host(Limits { body: SHORT, ..patient() });
    for path in ["/provide", "/retrieve/Qm"] {
        let mut stream = connected(host.address).await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: parsec\r\ncontent-length: 1000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        let mut said = String::new();
        let reading = async { within_patience("the end of the slow one", from.read_to_string(&mut said)).await };
        let _ = tokio::join!(reading, trickle(&mut to, b" "));
        let sentence = "request body did not arrive within 0.3 s";
        assert!(said.starts_with("HTTP/1.1 408 ") && said.ends_with(sentence), "{said}");
    }
}

#[actix::test]
async fn a_connection_on_which_nothing_happens_is_closed() {
    let host = host(Limits { idle: COUNTED, ..patient() });
    let mut stream = connected(host.address).await;
    served(&mut stream).await;
    assert_eq!(until_closed(&mut stream).await, "");
}

#[actix::test]
async fn whoever_does_not_read_the_answers_is_not_waited_for() {
    let host = host(Limits { turn: TURN, ..patient() });
    let mut stream = connected(host.address).await;
    // In the end nothing moves any more: the server reads nothing while its answers are not taken.
    let asking = async { while stream.write_all(READINESS).await.is_ok() {} };
    within_patience("the end of the connection", asking).await;
}

#[actix::test]
async fn a_body_that_nobody_wants_is_not_read_for_ever() {
    let host = host(Limits { turn: TURN, ..patient() });
    let mut stream = connected(host.address).await;
    let head = b"POST /provide HTTP/1.1\r\nhost: parsec\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let (mut from, mut to) = stream.split();
    let sending = async { while to.write_all(chunk.as_bytes()).await.is_ok() {} };
    let mut said = Vec::new();
    let reading = async {
        let _ = from.read_to_end(&mut said).await;
    };
    within_patience("the end of the connection", async { tokio::join!(sending, reading) }).await;
    assert!(said.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&said));
}

#[actix::test]
async fn a_request_that_is_worked_on_is_waited_for_whatever_the_turn() {
    let host = host(Limits { turn: TURN, idle: COUNTED, head: COUNTED, ..patient() });
    host.engine.is(How::Hangs);
    let mut stream = connected(host.address).await;
    let head = format!("POST /retrieve/{} HTTP/1.1\r\nhost: parsec\r\nconnection: close\r\n\r\n", cid(1));
    stream.write_all(head.as_bytes()).await.unwrap();
    host.engine.until("the lookup is under way", |engine| engine.begun == 1).await;
    actix::clock::sleep(TURN + COUNTED).await;
    host.engine.is(How::Works);
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[actix::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let host = host(Limits { connections_per_address: 3, ..patient() });
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = connected(host.address).await;
        served(&mut stream).await;
        held.push(stream);
    }
    assert_eq!(until_closed(&mut connected(host.address).await).await, "");
    served(&mut held[2]).await;
    // A place is free again once its connection has ended, which the server learns a moment later.
    held.pop();
    let asked = Instant::now();
    while !call(host.address, "GET /readiness").await.is_ok_and(|reply| reply.ends_with("ready")) {
        assert!(asked.elapsed() < PATIENCE, "the place is not free again");
    }
}

/// A connection from another address of loopback: another neighbour.
async fn connected_from(from: &str, address: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(from.parse().unwrap()).unwrap();
    socket.connect(address).await.unwrap()
}

#[actix::test]
async fn a_newcomer_takes_the_place_of_those_who_hold_most_and_not_that_of_an_operation() {
    let host = host(Limits { connections: 4, connections_per_address: 3, ..patient() });
    host.engine.is(How::Hangs);
    let mut at_work = connected_from("127.0.0.2:0", host.address).await;
    let head = format!("POST /retrieve/{} HTTP/1.1\r\nhost: parsec\r\nconnection: close\r\n\r\n", cid(1));
    at_work.write_all(head.as_bytes()).await.unwrap();
    host.engine.until("the lookup is under way", |engine| engine.begun == 1).await;
    let mut greedy = Vec::new();
    for _ in 0..3 {
        let mut stream = connected_from("127.0.0.3:0", host.address).await;
        refused(&mut stream).await;
        greedy.push(stream);
    }
    // Nobody waits for the limits: all of them are ten minutes.
    for from in ["127.0.0.4:0", "127.0.0.5:0"] {
        refused(&mut connected_from(from, host.address).await).await;
    }
    assert_eq!(until_closed(&mut greedy[0]).await, "");
    host.engine.is(How::Works);
    assert!(until_closed(&mut at_work).await.starts_with("HTTP/1.1 200 "));
}

#[actix::test]
async fn over_tls_a_connection_without_a_handshake_holds_a_place_like_any_other() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, dht) = (listener.local_addr().unwrap(), supervised());
    let (_parent, hears) = Witness::start_new();
    let gateway = Gateway::new(Arc::new(listener), dht.routes.clone())
        .with_tls(Some(authority.server(&["127.0.0.1"])))
        .with_limits(Limits { connections: 4, connections_per_address: 2, ..patient() });
    let _gateway = supervise("gateway", POLICY, hears, gateway);
    let mut silent = Vec::new();
    for from in ["127.0.0.2:0", "127.0.0.2:0", "127.0.0.3:0", "127.0.0.3:0", "127.0.0.2:0"] {
        silent.push(connected_from(from, address).await);
    }
    assert_eq!(until_closed(&mut silent[4]).await, "", "its address has two already");
    let reply = get_secure(&Stage::begin(), &authority, address, "/readiness").await.unwrap();
    assert_eq!(reply.status, 200, "among handshakes that never come");
    assert_eq!(until_closed(&mut silent[0]).await, "", "it was the oldest of those who hold most");
}

#[actix::test]
async fn strangers_that_hold_every_connection_keep_others_out_for_no_longer_than_the_limits() {
    let limits = Limits { connections: 4, head: COUNTED, ..patient() };
    let host = host(limits);
    // More of them than there is room for: the rest waits with the scheduler that comes last.
    let mut strangers = Vec::new();
    for _ in 0..8 {
        strangers.push(connected(host.address).await);
    }
    let reply = within_patience("an answer among strangers", call(host.address, "GET /readiness")).await.unwrap();
    assert!(reply.ends_with("ready"), "{reply}");
    for mut stranger in strangers {
        until_closed(&mut stranger).await;
    }
}

#[actix::test]
async fn a_head_has_as_many_bytes_and_headers_as_the_http_library_reads() {
    let host = host(patient());
    for (lines, status) in [
        (format!("x: {}\r\n", "x".repeat(60_000)), 200),
        (format!("x: {}\r\n", "x".repeat(131_072)), 431),
        ("x: y\r\n".repeat(90), 200),
        ("x: y\r\n".repeat(97), 431),
    ] {
        let mut stream = connected(host.address).await;
        let request = format!("GET /readiness HTTP/1.1\r\nhost: parsec\r\nconnection: close\r\n{lines}\r\n");
        // What the server does not want to read may stay unsent.
        let _ = stream.write_all(request.as_bytes()).await;
        let said = until_closed(&mut stream).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{} bytes: {said}", lines.len());
    }
}

#[actix::test]
async fn the_telemetry_of_a_process_is_served_within_the_same_limits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let telemetry = Telemetry::new(metrics()).start();
    let metrics = Ask::new("telemetry", telemetry.clone(), secs(5));
    let routes = Routes::telemetry(Reports { metrics, status: Ask::new("telemetry", telemetry, secs(5)) });
    let limits = Limits { turn: TURN, connections_per_address: 2, ..patient() };
    let (_parent, hears) = Witness::start_new();
    let gateway = Gateway::new(Arc::new(listener), routes).with_limits(limits);
    let _gateway = supervise("telemetry gateway", POLICY, hears, gateway);
    let mut held = [connected(address).await, connected(address).await];
    let mut third = connected(address).await;
    assert_eq!(until_closed(&mut third).await, "", "the third one is too many");
    for stream in &mut held {
        assert_eq!(until_closed(stream).await, "", "nobody asked anything");
    }
    assert!(call(address, "GET /metrics").await.unwrap().contains("parsec_build_info"));
}
