//! Processes that may have few files open at a time.

use std::collections::BTreeMap;

use parsec_lab::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork};
use serde_json::Value;

use crate::deployment::{SERVER, Server, joining, network};
use crate::http::post_traced;
use crate::process::Process;
use crate::stage::Stage;

/// What a process says that has little room.
const WARNING: &str = "this process may have no more files open than this";

#[tokio::test(flavor = "multi_thread")]
async fn with_256_files_operations_work_and_the_limit_is_named() {
    let (stage, network) = (Stage::begin(), network().await);
    let [flag, peers] = joining(&network);
    for strategy in ["--optprov", "--fullrt"] {
        let args = ["provide", strategy, "--format", "json", "--protocol-id", LOCAL_PROTOCOL, &flag, &peers];
        let ended = Process::start_after(&stage, "ulimit -n 256", &args).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        let provided: Value = serde_json::from_str(&ended.out.concat()).unwrap();
        assert_eq!(provided["outcome"], "ok", "{provided}");
        for part in [WARNING, "limit=256", "enough=4096", "ulimit -Hn"] {
            assert!(ended.err.contains(part), "no `{part}` in {}", ended.err);
        }
    }
    // The soft limit alone is raised, and nothing is said.
    let args = ["provide", "--format", "json", "--protocol-id", LOCAL_PROTOCOL, &flag, &peers];
    let ended = Process::start_after(&stage, "ulimit -Sn 64", &args).end().await;
    assert_eq!((ended.code(), ended.err.contains(WARNING)), (0, false), "{}", ended.err);
}

/// A server that has run out of files says so: it is no fault of the network, and no figure of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_64_files_takes_no_dial_that_it_could_not_make_for_the_networks_fault() {
    let shape = LocalConfig { peers: 100, seed: 7, ..LocalConfig::default() };
    let (stage, network) = (Stage::begin(), LocalNetwork::start(shape).await.unwrap());
    let [flag, peers] = joining(&network);
    let added = ["--fleet", "default", "--protocol-id", LOCAL_PROTOCOL, "--dry-run", &flag, &peers];
    let server = Process::start_after(&stage, "ulimit -n 64", &[SERVER, &added].concat());
    let server = Server::started(server).await.ready(&stage).await;
    let mut ends = BTreeMap::<String, usize>::new();
    for round in 0..10 {
        let content = format!(r#"{{"Content": [{round}]}}"#);
        let answer = post_traced(&stage, server.api, "/provide", content).await.json();
        let outcome = answer["Outcome"].as_str().unwrap().to_owned();
        assert!(["ok", "local_limit"].contains(&outcome.as_str()), "{answer}");
        for request in answer["Trace"]["requests"].as_array().unwrap() {
            *ends.entry(request["end"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(ends.contains_key("local_limit") && ends.contains_key("answered"), "{ends:?}");
    assert!(!ends.keys().any(|end| end.starts_with("dial") || end == "back_off"), "{ends:?}");
}
