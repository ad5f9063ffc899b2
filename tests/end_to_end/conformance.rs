//! `parsec conformance`, asked of our own servers and of what is no server.

use std::net::{Ipv4Addr, TcpListener};

use futures::future::join_all;

use crate::deployment::{Server, joining, network, server};
use crate::process::Process;
use crate::stage::Stage;

const STRATEGIES: [&str; 4] = ["classic", "optprov", "fullrt", "libp2p"];

#[tokio::test(flavor = "multi_thread")]
async fn our_own_server_keeps_the_contract_with_every_strategy_and_without_a_note() {
    let (stage, network) = (Stage::begin(), network().await);
    let [flag, peers] = joining(&network);
    let judging = STRATEGIES.map(|strategy| {
        let (stage, joining) = (&stage, ["--dry-run", &flag, &peers, "--strategy", strategy]);
        async move {
            // Not waited for: that it becomes ready is part of what is checked.
            let server = Server::started(server(stage, &joining)).await;
            let url = format!("http://{}", server.api);
            let ended = Process::start(stage, &["conformance", &url]).end().await;
            assert_eq!(ended.code(), 0, "{strategy}: {ended:#?}");
            let checks = ended.out.last().and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
            let checks = checks.unwrap_or_else(|| panic!("{strategy}: {ended:#?}"));
            let summary = format!("{checks} checks: {checks} pass, 0 note, 0 fail, 0 skipped");
            assert!(checks > 10 && ended.out.last() == Some(&summary), "{strategy}: {ended:#?}");
        }
    });
    join_all(judging).await;
}

#[tokio::test]
async fn what_is_no_server_fails_and_what_is_no_url_is_not_asked() {
    let stage = Stage::begin();
    // It takes connections, and says nothing.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    let args = ["conformance", &url, "--timeout", "200ms", "--ready-timeout", "200ms"];
    let ended = Process::start(&stage, &args).end().await;
    assert_eq!(ended.code(), 1, "{ended:#?}");
    assert!(ended.out.iter().any(|line| line.contains("readiness") && line.contains("fail")), "{ended:#?}");
    assert!(ended.out.last().unwrap().contains(" 0 pass, 0 note, 1 fail, "), "{ended:#?}");

    for url in ["ftp://127.0.0.1:7070", "127.0.0.1"] {
        let ended = Process::start(&stage, &["conformance", url]).end().await;
        assert_eq!((ended.code(), ended.out), (2, vec![]), "{url}");
        assert!(ended.err.contains("argument URL") && ended.err.contains("http://localhost:7070"), "{}", ended.err);
    }
}
