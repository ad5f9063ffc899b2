use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use parsec_measure::{AttemptId, OutcomeClass};
use parsec_test_support::double;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::client::{RawMethod, RawRequest};

mod hostile;
mod secure;

const CID: &str = "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4";

/// Short enough for a test that waits for it, and far longer than a local answer takes.
const SHORT: Duration = Duration::from_millis(300);

const ATTEMPT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn caller(scheduler_id: &str) -> Caller<'_> {
    Caller { scheduler_id, attempt: AttemptId(ATTEMPT.parse().unwrap()) }
}

fn client() -> HttpClient {
    HttpClient::new(Timeouts::default()).unwrap()
}

fn impatient() -> HttpClient {
    HttpClient::new(Timeouts { readiness: SHORT, operation: SHORT, ..Timeouts::default() }).unwrap()
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::new(address.ip(), address.port())
}

async fn listener() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, endpoint(address))
}

/// A server that takes one connection, reads its request, and does with it what `act` says. Yields the request.
async fn server<F: Future<Output = ()> + Send>(
    act: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (Endpoint, JoinHandle<String>) {
    let (listener, endpoint) = listener().await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = double::read(&mut stream, 0).await.expect("a whole request");
        act(stream).await;
        asked.text()
    });
    (endpoint, served)
}

/// A server that says this and closes.
async fn saying(text: impl Into<String>) -> (Endpoint, JoinHandle<String>) {
    let text = text.into();
    server(|mut stream| async move {
        // The client may hang up in the middle of what it does not want to hear.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await
}

fn response(status: &str, body: &str) -> String {
    double::response(status, "", body)
}

#[tokio::test]
async fn a_publication_goes_out_as_a_go_scheduler_sends_it() {
    let body = format!(r#"{{"CID":"{CID}","Duration":5000000,"Error":"","RoutingTableSize":3}}"#);
    let (server, served) = saying(response("200 OK", &body)).await;
    let content = Content::from(b"hello world".to_vec());
    let answered = client().provide(&server, caller("default,fullrt"), &content).await.unwrap();
    assert_eq!((answered.cid.as_str(), answered.measured.duration), (CID, Duration::from_millis(5)));

    let request = served.await.unwrap();
    assert!(request.starts_with("POST /provide HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.contains("x-scheduler-id: default,fullrt\r\n"), "{request}");
    assert!(request.contains(&format!("x-parsec-attempt-id: {ATTEMPT}\r\n")), "{request}");
    assert!(request.contains("x-parsec-trace: 1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"Content\":\"aGVsbG8gd29ybGQ=\"}"), "{request}");
}

#[tokio::test]
async fn a_lookup_names_the_cid_in_its_path() {
    let body = format!(r#"{{"CID":"{CID}","Duration":5000000,"Error":"not found"}}"#);
    let (server, served) = saying(response("200 OK", &body)).await;
    let answered = client().retrieve(&server, caller("default"), CID).await.unwrap();
    assert_eq!(answered.measured.class, OutcomeClass::NotFound);

    let request = served.await.unwrap();
    assert!(request.starts_with(&format!("POST /retrieve/{CID} HTTP/1.1\r\n")), "{request}");
    assert!(request.contains(&format!("x-parsec-attempt-id: {ATTEMPT}\r\n")), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn the_slashes_of_a_cid_in_base64_are_no_path() {
    let cid = "mAVUSICwmtGto/8aP+ZtFPB0wQTQTQi1wZIO/oPmKXohiZueu";
    let body = format!(r#"{{"CID":"{cid}","Duration":5000000,"Error":""}}"#);
    let (server, served) = saying(response("200 OK", &body)).await;
    assert_eq!(client().retrieve(&server, caller("default"), cid).await.unwrap().cid, cid);
    let request = served.await.unwrap();
    let path = "/retrieve/mAVUSICwmtGto%2F8aP+ZtFPB0wQTQTQi1wZIO%2FoPmKXohiZueu";
    assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
}

#[tokio::test]
async fn text_that_is_no_cid_cannot_change_the_path() {
    let (server, served) = saying(response("400 Bad Request", "no CID")).await;
    client().retrieve(&server, caller("default"), "../provide?x#y").await.unwrap_err();
    let request = served.await.unwrap();
    assert!(request.starts_with("POST /retrieve/..%2Fprovide%3Fx%23y HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn every_success_means_ready_whatever_its_body() {
    for text in [response("200 OK", " "), response("200 OK", ""), response("204 No Content", "")] {
        let (server, served) = saying(text).await;
        assert_eq!(client().readiness(&server).await, Ok(None));
        assert!(served.await.unwrap().starts_with("GET /readiness HTTP/1.1\r\n"));
    }
}

#[tokio::test]
async fn whose_node_answered_is_told_if_the_server_says_so() {
    let said = |peer: &str| format!("HTTP/1.1 200 OK\r\nX-Parsec-Peer-Id: {peer}\r\nContent-Length: 0\r\n\r\n");
    for (header, told) in [("12D3KooWSample", Some("12D3KooWSample".to_owned())), (" ", None)] {
        let (server, _served) = saying(said(header)).await;
        assert_eq!(client().readiness(&server).await, Ok(told));
    }
    let (server, _served) = saying(said(&"x".repeat(10_000))).await;
    let told = client().readiness(&server).await.unwrap().unwrap();
    assert!(told.chars().count() <= 81, "{told}");
}

#[tokio::test]
async fn a_server_that_is_not_ready_says_why() {
    let (server, _served) = saying(response("503 Service Unavailable", "routing table is empty\n")).await;
    let error = client().readiness(&server).await.unwrap_err();
    assert_eq!(error, CallError::NotReady { reason: "routing table is empty".to_owned() });
    assert_eq!(error.class(), OutcomeClass::ServerNotReady);
}

#[tokio::test]
async fn a_failure_is_told_with_its_status_and_the_beginning_of_its_text() {
    for status in ["500 Internal Server Error", "302 Found", "400 Bad Request"] {
        let (server, _served) = saying(response(status, &"x".repeat(100_000))).await;
        let error = client().retrieve(&server, caller("default"), CID).await.unwrap_err();
        let CallError::Status { code, text } = &error else { panic!("{status}: {error:?}") };
        assert!(status.starts_with(&code.to_string()));
        assert_eq!(*text, "x".repeat(300) + "…");
        assert_eq!(error.class(), OutcomeClass::ServerError);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_measurement_is_an_error() {
    let huge = format!(r#"{{"CID":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(10 * MAX_ANSWER_BYTES));
    for (text, word) in [
        (response("200 OK", "<html>"), "not a measurement"),
        (response("200 OK", &huge), "more than 2097152 bytes"),
        (endless, "more than 2097152 bytes"),
        (response("200 OK", r#"{"CID":"Qm","Duration":-1}"#), "from 0 to 86400000000000"),
        ("SSH-2.0-OpenSSH_9.9\r\n".to_owned(), "not HTTP"),
    ] {
        let (server, _served) = saying(text).await;
        let error = client().retrieve(&server, caller("default"), CID).await.unwrap_err();
        assert!(matches!(&error, CallError::BadAnswer { reason } if reason.contains(word)), "{word}: {error:?}");
        assert_eq!(error.class(), OutcomeClass::ServerError);
    }
}

fn raw(method: RawMethod, body: Option<&str>) -> RawRequest {
    let headers = vec![(SCHEDULER_ID_HEADER, "default".to_owned())];
    RawRequest { method, path: "/a%2Fb?c".to_owned(), headers, body: body.map(Into::into) }
}

#[tokio::test]
async fn a_raw_request_goes_out_word_for_word_and_every_answer_comes_back() {
    let text = "HTTP/1.1 418 I'm a teapot\r\ncontent-type: text/tea\r\ncontent-length: 3\r\n\r\ntea";
    let (server, served) = saying(text).await;
    let reply = client().exchange(&server, raw(RawMethod::Post, Some("{")), 3, SHORT).await.unwrap();
    assert_eq!((reply.status, reply.content_type.as_deref()), (418, Some("text/tea")));
    assert_eq!((reply.body.as_slice(), reply.is_complete), (&b"tea"[..], true));
    let request = served.await.unwrap();
    assert!(request.starts_with("POST /a%2Fb?c HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("x-scheduler-id: default\r\n") && request.ends_with("\r\n\r\n{"), "{request}");

    let (server, served) = saying(response("200 OK", "four")).await;
    let reply = client().exchange(&server, raw(RawMethod::Get, None), 3, SHORT).await.unwrap();
    assert_eq!((reply.body.len(), reply.is_complete), (3, false));
    let request = served.await.unwrap();
    assert!(request.starts_with("GET ") && !request.contains("content-type"), "{request}");
}

#[tokio::test]
async fn a_raw_answer_that_does_not_end_ends_with_the_limit() {
    let (server, served) = server(|mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let error = client().exchange(&server, raw(RawMethod::Get, None), 9, SHORT).await.unwrap_err();
    assert_eq!(error, CallError::TimedOut { after: SHORT });
    served.abort();
}

#[tokio::test]
async fn silence_ends_with_the_limit_of_the_call() {
    let after = CallError::TimedOut { after: SHORT };
    assert_eq!(after.class(), OutcomeClass::ServerUnreachable);
    // One never answers, the other never comes to an end.
    for beginning in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let (server, served) = server(move |mut stream: TcpStream| async move {
            stream.write_all(beginning.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        assert_eq!(impatient().retrieve(&server, caller("default"), CID).await, Err(after.clone()));
        served.abort();
    }
}

#[tokio::test]
async fn silence_on_the_question_of_readiness_ends_too() {
    let (server, served) = server(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    assert_eq!(impatient().readiness(&server).await, Err(CallError::TimedOut { after: SHORT }));
    served.abort();
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let (listener, server) = listener().await;
    drop(listener);
    let error = client().readiness(&server).await.unwrap_err();
    assert!(matches!(&error, CallError::Unreachable { reason } if reason.contains("refused")), "{error:?}");
    assert_eq!(error.class(), OutcomeClass::ServerUnreachable);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_no_measurement() {
    let whole = format!(r#"{{"CID":"{CID}","Duration":5000000,"Error":""}}"#);
    let cut_off = response("200 OK", &whole).replace(r#""Error":""}"#, "");
    for text in [cut_off, String::new()] {
        let (server, _served) = saying(text).await;
        let error = client().retrieve(&server, caller("default"), CID).await.unwrap_err();
        assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
        assert_eq!(error.class(), OutcomeClass::ServerUnreachable);
    }
}

#[tokio::test]
async fn a_reset_connection_is_no_measurement() {
    let resetting = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await.unwrap();
        // Closing without the usual farewell sends a reset.
        stream.set_zero_linger().unwrap();
    };
    let (endpoint, _served) = server(resetting).await;
    let error = client().retrieve(&endpoint, caller("default"), CID).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
}

#[test]
fn addresses_of_both_families_make_a_url() {
    let v6 = Endpoint::new("fd00::1".parse().unwrap(), 7070);
    assert_eq!(client().url(&v6, &["readiness"]).as_str(), "http://[fd00::1]:7070/readiness");
}
