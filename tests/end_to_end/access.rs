//! Who is let in: loopback by default, a token, TLS.

use parsec_test_support::sqlite_file;
use parsec_test_support::tls::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::deployment::{Server, joining, network, scheduler, scheduler_with, server, server_with, telemetry};
use crate::http::{get_secure, post, post_with};
use crate::process::Process;
use crate::stage::Stage;

const TOKEN: &str = "geheim-geheim-geheim-geheim";

const HELLO: &str = r#"{"Content":"aGVsbG8="}"#;

#[tokio::test]
async fn unless_told_otherwise_everything_listens_on_loopback_alone() {
    let stage = Stage::begin();
    let line = "server --log-format json --dry-run --server-port 0 --peer-port 0 --telemetry-port 0 --protocol-id /x/kad/1.0.0";
    let server = Process::start(&stage, &line.split(' ').collect::<Vec<_>>());
    let started = server.log("server started").await;
    // What a process listens on is what the system says it does.
    let listening =
        std::fs::read_to_string("/proc/net/tcp").unwrap() + &std::fs::read_to_string("/proc/net/tcp6").unwrap();
    for port in [&started["http_port"], &started["peer_port"], &telemetry(&server).await.port().into()] {
        let port = format!(":{:04X}", port.as_u64().unwrap());
        let local = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
        let addresses: Vec<_> = listening.lines().filter_map(local).filter(|local| local.ends_with(&port)).collect();
        assert!(!addresses.is_empty(), "nobody listens on {port} in\n{listening}");
        assert!(addresses.iter().all(|address| address.starts_with("0100007F:")), "{addresses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_only_those_are_measured_for_who_send_it_and_all_are_told_of_readiness() {
    let (stage, network, file) = (Stage::begin(), network().await, sqlite_file());
    let [flag, peers] = joining(&network);
    let (url, secret) = (file.url(), file.path().with_file_name("token"));
    std::fs::write(&secret, TOKEN).unwrap();
    let secret = [("PARSEC_SERVER_API_TOKEN_FILE", secret.to_str().unwrap())];
    let start = || server_with(&stage, &secret, &["--database-url", &url, &flag, &peers]);
    let (one, other) = tokio::join!(Server::started(start()), Server::started(start()));
    let (one, _other) = tokio::join!(one.ready(&stage), other.ready(&stage));

    let path = "/retrieve/QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5";
    for (path, body) in [("/provide", HELLO), (path, "{}")] {
        let refused = post(&stage, one.api, path, body).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(refused.text.contains("Authorization: Bearer") && !refused.text.contains(TOKEN), "{refused:?}");
    }
    let wrong = post_with(&stage, one.api, path, ("authorization", "Bearer another-token-that-is-wrong")).await;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let right = post_with(&stage, one.api, path, ("authorization", &format!("Bearer {TOKEN}"))).await;
    assert_eq!(right.status, 200, "{right:?}");

    let url_of_one = format!("http://{}", one.api);
    let token = [("PARSEC_CLIENT_API_TOKEN", TOKEN)];
    let judged = Process::start_with(&stage, &token, &["conformance", &url_of_one]).end().await;
    assert_eq!(judged.code(), 0, "{judged:#?}");

    // A scheduler without it hears why, one with it measures.
    let stranger = scheduler(&stage, &["--database-url", &url]);
    let attempt = stranger.log("attempt ended").await;
    assert_eq!(attempt["outcome"], "server_error", "{attempt}");
    assert!(attempt["error"].as_str().is_some_and(|error| error.contains("status 401")), "{attempt}");
    assert_eq!(stranger.terminate().await.code(), 0);
    let token = [("PARSEC_SCHEDULER_API_TOKEN", TOKEN)];
    let friend = scheduler_with(&stage, &token, &["--database-url", &url]);
    assert_eq!(friend.log("attempt ended").await["outcome"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_servers_are_measured_by_those_who_know_their_authority() {
    let (stage, network, file) = (Stage::begin(), network().await, sqlite_file());
    let [flag, peers] = joining(&network);
    let (url, authority) = (file.url(), Authority::new());
    let directory = file.path().parent().unwrap().to_owned();
    let files = authority.issue_into(&directory, &["127.0.0.1", "localhost"]);
    let ca = directory.join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let ca = ca.to_str().unwrap();
    let tls =
        ["--server-tls-cert", files.certificate.to_str().unwrap(), "--server-tls-key", files.key.to_str().unwrap()];
    let start = || server(&stage, &[&["--database-url", &url, &flag, &peers], &tls[..]].concat());
    let (one, _other) = tokio::join!(Server::started(start()), Server::started(start()));

    let judged = Process::start(&stage, &["conformance", &format!("https://{}", one.api), "--tls-ca", ca]).end().await;
    assert_eq!(judged.code(), 0, "{judged:#?}");
    for server in [one.api.to_string(), format!("localhost:{}", one.api.port())] {
        let ended = Process::start(&stage, &["health", &format!("https://{server}"), "--tls-ca", ca]).end().await;
        assert_eq!((ended.code(), ended.out), (0, vec!["OK".to_owned()]), "{server}");
    }
    assert_eq!(get_secure(&stage, &authority, one.api, "/readiness").await.unwrap().status, 200);

    // Who believes somebody else, or speaks no TLS, does not get in.
    assert!(get_secure(&stage, &Authority::new(), one.api, "/readiness").await.is_err());
    let plain = Process::start(&stage, &["health", &one.api.to_string()]).end().await;
    assert_eq!(plain.code(), 1, "{plain:?}");

    let scheduler = scheduler(&stage, &["--database-url", &url, "--server-tls-ca", ca]);
    for count in 1..=2 {
        assert_eq!(scheduler.logged("attempt ended", count).await["outcome"], "ok");
    }
    assert_eq!(scheduler.terminate().await.code(), 0);
    assert_eq!(one.process.terminate().await.code(), 0);
}

#[tokio::test]
async fn a_stranger_who_holds_as_many_connections_as_it_can_keeps_nobody_else_out() {
    let stage = Stage::begin();
    let server = Server::started(server(&stage, &["--dry-run"])).await;
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(TcpStream::connect(server.api).await.unwrap());
    }
    // Another address of loopback is another neighbour.
    let neighbour = TcpSocket::new_v4().unwrap();
    neighbour.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let talking = async {
        let mut stream = neighbour.connect(server.api).await.unwrap();
        stream.write_all(b"GET /readiness HTTP/1.1\r\nhost: parsec\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    };
    let said = stage.in_time("an answer for the neighbour", talking).await;
    assert!(said.starts_with("HTTP/1.1 503 ") && said.ends_with("the routing table is empty"), "{said}");
}
