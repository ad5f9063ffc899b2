use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::ask::{Patience, ask_with};
use reqwest::Url;

use super::*;

/// Short enough to be waited out, long enough for loopback.
const QUICK: Patience = Patience {
    tries: 3,
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(10),
    pauses: (Duration::from_millis(1), Duration::from_millis(2)),
};

/// What the endpoint answers, shortened: network mode, addresses, and what else is asked for.
fn metadata() -> Value {
    serde_json::json!({
        "Name": "curl",
        "Limits": {"CPU": 10, "Memory": 128},
        "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/0206b271",
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.100"]}],
    })
}

fn with(field: &str, value: Value) -> Result<Container, BadMetadata> {
    let mut document = metadata();
    document[field] = value;
    document.to_string().parse()
}

#[test]
fn a_container_is_its_limits_its_first_address_and_the_region_of_its_arn() {
    let container: Container = metadata().to_string().parse().unwrap();
    let expected = Container {
        cpu: Some(10),
        memory: Some(128),
        ip: Some([10, 0, 2, 100].into()),
        networks: vec!["awsvpc".to_owned()],
        region: Some("us-west-2".to_owned()),
    };
    assert_eq!(container, expected);
}

#[test]
fn what_is_missing_is_left_open() {
    assert_eq!("{}".parse::<Container>().unwrap(), Container::default());
    let nulls = r#"{"Limits": null, "Networks": null, "ContainerARN": null}"#;
    assert_eq!(nulls.parse::<Container>().unwrap(), Container::default());
    let container = with("Limits", serde_json::json!({"CPU": 2, "Memory": null})).unwrap();
    assert_eq!((container.cpu, container.memory), (Some(2), None));
}

#[test]
fn a_part_of_a_cpu_counts_as_one() {
    let limits = |cpu: f64| with("Limits", serde_json::json!({"CPU": cpu})).unwrap().cpu;
    assert_eq!([0.0, 0.25, 256.0, 256.5, 2_147_483_647.0].map(limits), [0, 1, 256, 257, i32::MAX].map(Some));
}

#[test]
fn only_an_awsvpc_network_has_an_address_of_its_own() {
    let network = |mode: &str, addresses: &[&str]| serde_json::json!({"NetworkMode": mode, "IPv4Addresses": addresses});
    let ip = |networks: &[Value]| with("Networks", networks.into()).unwrap().ip.map(|ip| ip.to_string());
    let found = Some("10.0.0.1".to_owned());
    assert_eq!(ip(&[network("bridge", &["172.17.0.2"]), network("awsvpc", &["10.0.0.1", "10.0.0.2"])]), found);
    assert_eq!(ip(&[network("awsvpc", &[]), network("awsvpc", &["10.0.0.1"])]), found);
    assert_eq!(ip(&[network("awsvpc", &["10.0.0.1"]), network("awsvpc", &["10.0.0.2"])]), found);
    assert_eq!(ip(&[network("bridge", &["172.17.0.2"])]), None);
    let six = serde_json::json!({"NetworkMode": "awsvpc", "IPv6Addresses": ["2001:db8::1"]});
    assert_eq!(ip(&[six]), None, "IPv6 only");
    let host = with("Networks", serde_json::json!([network("host", &[""])])).unwrap();
    assert!(host.is_on_host_network() && host.ip.is_none());
}

#[test]
fn a_region_is_taken_off_an_arn_that_is_one() {
    let region = |arn: &str| with("ContainerARN", arn.into()).unwrap().region;
    assert_eq!(region("arn:aws-cn:ecs:cn-north-1:1:container/x").as_deref(), Some("cn-north-1"));
    for arn in ["", "arn:aws:ecs", "arn:aws:ecs::1:x", "x:aws:ecs:us-west-2:1:x", "arn:aws:ecs:US West:1:x"] {
        assert_eq!(region(arn), None, "{arn}");
    }
    assert_eq!(region(&format!("arn:aws:ecs:{}:1:x", "a".repeat(MAX_REGION_CHARS + 1))), None);
    assert_eq!(with("ContainerARN", 7.into()).unwrap().region, None);
}

#[test]
fn a_wrong_field_is_named_with_what_stands_there_and_what_would_be_right() {
    let number = "a number from 0 to 2147483647";
    for (field, value, message) in [
        ("Limits", serde_json::json!({"CPU": "10"}), format!("`Limits.CPU` is \"10\"; expected {number}")),
        ("Limits", serde_json::json!({"CPU": -1}), format!("`Limits.CPU` is -1; expected {number}")),
        (
            "Limits",
            serde_json::json!({"Memory": 1i64 << 31}),
            format!("`Limits.Memory` is 2147483648; expected {number}"),
        ),
        ("Limits", serde_json::json!({"Memory": 1e300}), format!("`Limits.Memory` is 1e+300; expected {number}")),
        ("Limits", "much".into(), "`Limits` is \"much\"; expected an object".to_owned()),
        ("Networks", "awsvpc".into(), "`Networks` is \"awsvpc\"; expected an array".to_owned()),
        ("Networks", serde_json::json!([7]), "`Networks` is 7; expected objects in it".to_owned()),
        (
            "Networks",
            serde_json::json!([{}]),
            "`Networks.NetworkMode` is null; expected a text such as awsvpc".to_owned(),
        ),
        (
            "Networks",
            serde_json::json!([{"NetworkMode": "awsvpc", "IPv4Addresses": "10.0.0.1"}]),
            "`Networks.IPv4Addresses` is \"10.0.0.1\"; expected an array".to_owned(),
        ),
        (
            "Networks",
            serde_json::json!([{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.0.256"]}]),
            "`Networks.IPv4Addresses` is \"10.0.0.256\"; expected IPv4 addresses in it".to_owned(),
        ),
    ] {
        assert_eq!(with(field, value).unwrap_err().to_string(), message);
    }
    let long = with("Limits", "x".repeat(1_000_000).into()).unwrap_err().to_string();
    assert!(long.len() < 200, "{} characters", long.len());
    for text in ["", "not found", "<html>", "{\"Limits\":", &"[".repeat(100_000)] {
        let message = text.parse::<Container>().unwrap_err().to_string();
        assert!(message.starts_with("no JSON (") && message.contains("ECS metadata endpoint"), "{message}");
    }
    let message = "[]".parse::<Container>().unwrap_err().to_string();
    assert_eq!(message, "`the document` is []; expected an object");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "([{}\\[\\]:,\"]|Limits|Networks|NetworkMode|awsvpc|null|[0-9e.-]){0,40}") {
        let _ = text.parse::<Container>();
    }
}

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
    let length = body.len();
    Behaviour::Says(format!("HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"))
}

/// An endpoint that does something else at each connection, and the last for ever; how often it was asked.
async fn endpoint(behaviours: Vec<Behaviour>) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let turn = counter.fetch_add(1, Ordering::Relaxed).min(behaviours.len() - 1);
            tokio::spawn(behave(stream, behaviours[turn].clone()));
        }
    });
    (format!("http://{address}/v4/id").parse().unwrap(), asked)
}

async fn behave(mut stream: TcpStream, behaviour: Behaviour) {
    let mut request = [0; 1024];
    let length = stream.read(&mut request).await.unwrap();
    assert!(
        request[..length].starts_with(b"GET /v4/id HTTP/1.1\r\n"),
        "the container is asked for, at its own address"
    );
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
    let (uri, asked) = endpoint(vec![behaviour]).await;
    let message = ask_with(patience, uri.clone()).await.unwrap_err().to_string();
    let start = format!("ECS metadata (ECS_CONTAINER_METADATA_URI_V4 or --ecs-metadata-uri-v4) from {uri}: ");
    let message = message.strip_prefix(&start).unwrap_or_else(|| panic!("{message}")).to_owned();
    (message, asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn an_agent_that_comes_up_late_is_waited_for() {
    let document = metadata().to_string();
    let late =
        vec![Behaviour::HangsUp, answer("404 Not Found", "", "no such container"), answer("200 OK", "", &document)];
    let (uri, asked) = endpoint(late).await;
    assert_eq!(ask_with(QUICK, uri).await.unwrap(), document.parse().unwrap());
    assert_eq!(asked.load(Ordering::Relaxed), 3);
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
        (answer("200 OK", "", "<html>"), "no JSON (expected value at line 1 column 1); expected the object", 1),
        (answer("200 OK", "", "{\"Limits\": {\"CPU\": \"1\"}}"), "`Limits.CPU` is \"1\"; expected a number", 1),
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
