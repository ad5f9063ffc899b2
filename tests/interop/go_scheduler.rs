//! The original's schedulers and our servers: what Go's own structs take our answers for.

use std::process::Command;

use futures::join;
use parsec_lab::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork};
use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::{Value, json};

use crate::go_program::{program, turn};
use crate::servers::Server;

/// How many peers our servers measure among.
const PEERS: usize = 30;

/// What no operation on loopback takes, in nanoseconds: a duration in another unit lies beyond it, or is 0.
const TOO_LONG: u64 = 10_000_000_000;

/// The duration, which has to be plausible.
fn nanoseconds(of: &Value) -> u64 {
    let nanoseconds = of["Duration"].as_u64().unwrap_or_else(|| panic!("no duration in {of}"));
    // Whoever asks on loopback and gets an answer has waited for more than a microsecond.
    assert!((1_000..TOO_LONG).contains(&nanoseconds), "{of}");
    nanoseconds
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn go_schedulers_of_both_generations_make_their_rounds_with_our_servers() {
    let mut command = Command::new(program("scheduler"));
    let _turn = turn().await;
    let stage = Stage::begin();
    let config = LocalConfig { peers: PEERS, seed: 7, ..LocalConfig::default() };
    let network = LocalNetwork::start(config).await.expect("loopback carries a small network");
    let through = network.bootstrap();
    let server = |strategy| Server::join(&stage, strategy, LOCAL_PROTOCOL, &through, &[]);
    let (provider, retriever) = join!(server("classic"), server("fullrt"));
    let (from, to) = (provider.api.to_string(), retriever.api.to_string());
    command.args(["-provider", &from, "-retriever", &to, "-scheduler-id", "default,fullrt"]);
    let ended = Process::run(&stage, &[], command).end().await;
    assert_eq!((ended.code(), ended.err.as_str()), (0, ""));
    let rounds: Vec<Value> = ended.out.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [of_2023, of_2026] = &rounds[..] else { panic!("two generations: {rounds:?}") };
    check_2023(of_2023);
    check_2026(of_2026);
}

/// One duration and one error.
fn check_2023(round: &Value) {
    assert_eq!(round["generation"], "2023");
    for (answer, error) in [("provide", ""), ("retrieve", ""), ("missing", "not found")] {
        let answer = &round[answer];
        nanoseconds(answer);
        assert_eq!(answer["Error"], error, "{round}");
    }
    check_common(round);
}

/// One measurement for each operation.
fn check_2026(round: &Value) {
    assert_eq!(round["generation"], "2026");
    for (answer, step, error) in
        [("provide", "provide", ""), ("retrieve", "retrieval", ""), ("missing", "retrieval", "not found")]
    {
        let measurements = &round[answer]["Measurements"];
        let duration = nanoseconds(&measurements[0]);
        assert_eq!(*measurements, json!([{ "Step": step, "Duration": duration, "Error": error }]), "{round}");
    }
    check_common(round);
}

fn check_common(round: &Value) {
    let cid = round["cid"].as_str().expect("a round has an identifier");
    assert!(cid.starts_with("Qm"), "{round}");
    assert_eq!((&round["provide"]["CID"], &round["retrieve"]["CID"]), (&round["cid"], &round["cid"]), "{round}");
    assert_ne!(round["missing"]["CID"], round["cid"], "{round}");
    let peers = |answer: &str| round[answer]["RoutingTableSize"].as_u64().expect("a size is a number");
    assert!((1..=PEERS as u64).contains(&peers("provide")), "{round}");
    assert_eq!((peers("retrieve"), peers("missing")), (PEERS as u64, PEERS as u64), "{round}");
}
