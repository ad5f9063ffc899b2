//! Strangers in numbers: connections without end, and names that anybody can make up.

use std::net::SocketAddr;
use std::time::Duration;

use parsec_test_support::sqlite_file;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::deployment::{Server, joining, metrics, network, scheduler, server, telemetry};
use crate::stage::Stage;

/// Far more than the server has places for.
const FLOOD: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_connections_from_two_addresses_close_neither_the_api_nor_the_metrics_to_others() {
    let stage = Stage::begin();
    let server = Server::started(server(&stage, &["--dry-run"])).await;
    let telemetry = telemetry(&server.process).await;
    let flooding = [server.api, telemetry].into_iter().flat_map(|to| ["127.0.0.2", "127.0.0.3"].map(|from| (from, to)));
    let floods: Vec<_> = flooding.map(|(from, to)| tokio::spawn(flood(from, to))).collect();
    let mut held = Vec::new();
    for flood in floods {
        held.extend(flood.await.unwrap());
    }
    assert!(held.len() > FLOOD, "{}", held.len());
    for neighbour in ["127.0.0.4", "127.0.0.5", "127.0.0.1"] {
        let asked = std::time::Instant::now();
        let ready = ask_from(&stage, neighbour, server.api, "/readiness").await;
        assert!(ready.ends_with("the routing table is empty"), "{ready}");
        let shown = ask_from(&stage, neighbour, telemetry, "/metrics").await;
        assert!(shown.contains("parsec_build_info"), "{shown}");
        // The limits close what is held without use after half a minute: nobody has waited for that.
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
}

/// Connects as often as it can, and holds what it is left.
async fn flood(from: &str, to: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..FLOOD {
        held.extend(connect(from, to).await);
    }
    held
}

async fn ask_from(stage: &Stage, from: &str, to: SocketAddr, path: &str) -> String {
    let talking = async {
        let stream = connect(from, to).await.expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: parsec\r\nconnection: close\r\n\r\n");
        answer(stream, &request).await
    };
    stage.in_time("an answer for the neighbour", talking).await
}

/// Connects from another address of loopback: another neighbour.
async fn connect(from: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from.parse().expect("an address"), 0))?;
    socket.connect(to).await
}

async fn answer(mut stream: TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("the server answers");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_anybody_can_make_up_take_no_label_and_fill_no_log() {
    let (stage, network, file) = (Stage::begin(), network().await, sqlite_file());
    let [flag, peers] = joining(&network);
    let start = || server(&stage, &["--database-url", &file.url(), &flag, &peers]);
    let (one, two) = tokio::join!(Server::started(start()), Server::started(start()));
    // As whoever has no token can: readiness needs none.
    for number in 0..40 {
        let id = format!("invented-{number}");
        let asked = async { ask_with_id(one.api, "GET /readiness", &id).await };
        stage.in_time("readiness", asked).await;
    }
    let long = "x".repeat(100_000);
    let answered = stage.in_time("an operation of a scheduler with a long name", async {
        ask_with_id(one.api, "POST /retrieve/QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5", &long).await
    });
    assert!(answered.await.starts_with("HTTP/1.1 200 "));
    let logged = one.process.log("measured").await.to_string();
    assert!(logged.len() < 1_500, "{} bytes: {logged}", logged.len());

    let scheduler = scheduler(&stage, &["--database-url", &file.url()]);
    for count in 1..=2 {
        scheduler.logged("attempt ended", count).await;
    }
    let shown = async || {
        let text = metrics(&stage, &one.process).await;
        text.contains(r#"success="true",scheduler="default""#).then_some(text)
    };
    let text = stage.eventually("the scheduler's own series", shown).await;
    assert!(!text.contains("invented") && !text.contains("xxx"), "{text}");
    assert_eq!(scheduler.terminate().await.code(), 0);
    drop(two);
}

/// Asks over a connection of its own, under the name of a scheduler.
async fn ask_with_id(to: SocketAddr, what: &str, id: &str) -> String {
    let stream = TcpStream::connect(to).await.expect("the server listens");
    let request = format!(
        "{what} HTTP/1.1\r\nhost: parsec\r\nx-scheduler-id: {id}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    answer(stream, &request).await
}
