use std::net::SocketAddr;
use std::time::Duration;

use parsec_test_support::double::{Asked, Double, response};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use reqwest::Url;

use super::*;

/// Short enough to be waited out, long enough for loopback.
const QUICK: Patience = Patience {
    tries: 3,
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(10),
    pauses: (Duration::from_millis(1), Duration::from_millis(2)),
};

/// What an endpoint does with a connection.
#[derive(Debug, Clone)]
enum Behaviour {
    /// Answers so.
    Says(String),
    /// Hangs up.
    HangsUp,
    /// Never answers.
    IsSilent,
    /// Begins to answer, and goes on for ever.
    NeverEnds,
}

fn answer(status: &str, header: &str, body: &str) -> Behaviour {
    Behaviour::Says(response(status, header, body))
}

/// An endpoint that does something else at each connection, and the last for ever.
async fn endpoint(behaviours: Vec<Behaviour>) -> (Url, Double) {
    let double = Double::start(move |asked, stream| {
        let turn = asked.turn.min(behaviours.len() - 1);
        behave(asked, stream, behaviours[turn].clone())
    })
    .await;
    (format!("http://{}/v4/id", double.address()).parse().unwrap(), double)
}

async fn behave(asked: Asked, mut stream: TcpStream, behaviour: Behaviour) {
    assert_eq!(asked.line, "GET /v4/id HTTP/1.1", "the container is asked for, at its own address");
    match behaviour {
        Behaviour::Says(text) => stream.write_all(text.as_bytes()).await.unwrap(),
        Behaviour::HangsUp => {}
        Behaviour::IsSilent => std::future::pending().await,
        Behaviour::NeverEnds => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b' '; 1024]).await.is_ok() {}
        }
    }
}

/// The message of a failure after the address, and how often the endpoint was asked.
async fn failure(patience: Patience, behaviour: Behaviour) -> (String, usize) {
    let (uri, double) = endpoint(vec![behaviour]).await;
    let message = ask_with(patience, uri.clone()).await.unwrap_err().to_string();
    let start = format!("ECS metadata (ECS_CONTAINER_METADATA_URI_V4 or --ecs-metadata-uri-v4) from {uri}: ");
    let message = message.strip_prefix(&start).unwrap_or_else(|| panic!("{message}")).to_owned();
    (message, double.asked())
}

#[tokio::test]
async fn an_agent_that_comes_up_late_is_waited_for() {
    let document = serde_json::json!({
        "Limits": {"CPU": 10, "Memory": 128},
        "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/0206b271",
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.100"]}],
    })
    .to_string();
    let late =
        vec![Behaviour::HangsUp, answer("404 Not Found", "", "no such container"), answer("200 OK", "", &document)];
    let (uri, double) = endpoint(late).await;
    assert_eq!(ask_with(QUICK, uri).await.unwrap(), document.parse().unwrap());
    assert_eq!(double.asked(), 3);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_a_few_times_and_what_will_not_is_not() {
    let (redirect, long) = ("Location: http://192.0.2.1/\r\n", "x".repeat((1 << 20) + 1));
    for (behaviour, message, tries) in [
        (answer("404 Not Found", "", ""), "it answers 404 Not Found; expected 200 with the metadata (3 tries)", 3),
        (answer("503 Service Unavailable", "", ""), "it answers 503 Service Unavailable; expected", 3),
        (Behaviour::HangsUp, "cannot reach it: ", 3),
        (answer("403 Forbidden", "", ""), "it answers 403 Forbidden; expected 200 with the metadata", 1),
        (
            answer("302 Found", redirect, ""),
            "it answers 302 Found with a redirect to `http://192.0.2.1/`, which is not followed; expected 200",
            1,
        ),
        (answer("200 OK", "", "<html>"), "it is not JSON (expected value at line 1 column 1); expected the object", 1),
        (answer("200 OK", "", "{\"Limits\": {\"CPU\": \"x\"}}"), "`Limits.CPU` is \"x\"; expected a number", 1),
        (answer("200 OK", "", &long), "its answer is longer than 1048576 bytes", 1),
        (Behaviour::NeverEnds, "its answer is longer than 1048576 bytes", 1),
    ] {
        let (said, asked) = failure(QUICK, behaviour).await;
        assert!(said.starts_with(message), "{said}");
        assert_eq!(asked, tries, "{said}");
    }
}

#[tokio::test]
async fn an_agent_that_says_nothing_is_given_up_on() {
    let answer = Duration::from_millis(50);
    let (said, _) = failure(Patience { answer, ..QUICK }, Behaviour::IsSilent).await;
    assert_eq!(said, "no complete answer within 0.05 s (3 tries)");
}

#[tokio::test]
async fn nobody_there_is_said_in_the_words_of_the_system() {
    let free = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap().local_addr().unwrap();
    let error = ask_with(QUICK, format!("http://{free}/").parse().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("cannot reach it: Connection refused") && error.ends_with("(3 tries)"), "{error}");
}
