//! `parsec provide`, `parsec retrieve` and `parsec trace`: one operation, as somebody at a terminal does it.

use nix::sys::signal::Signal;
use parsec_lab::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork, LocalTransport};
use parsec_measure::{Cid, Content};
use serde_json::Value;
use tempfile::TempDir;

use crate::deployment::{joining, network};
use crate::process::{Ended, Process};
use crate::stage::Stage;

/// The sha2-256 of `hello world`, which nobody has published.
const HELLO: &str = "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4";

fn start(stage: &Stage, network: &LocalNetwork, args: &[&str]) -> Process {
    let [flag, peers] = joining(network);
    Process::start(stage, &[args, &["--protocol-id", LOCAL_PROTOCOL, &flag, &peers]].concat())
}

fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out.concat()).unwrap_or_else(|error| panic!("{error}: {:#?}", ended.out))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_provides_another_finds_while_the_first_stays() {
    let (stage, network) = (Stage::begin(), network().await);
    let provider = start(&stage, &network, &["provide", "--stay", "--format", "json"]);
    let provided = provider.out("result", |line| serde_json::from_str::<Value>(line).ok()).await;
    assert_eq!((&provided["operation"], &provided["outcome"]), (&"provide".into(), &"ok".into()), "{provided}");
    assert_eq!((&provided["strategy"], &provided["holders_stored"]), (&"classic".into(), &20.into()), "{provided}");
    assert!(provided["duration_seconds"].as_f64().unwrap() > 0.0, "{provided}");

    let cid = provided["cid"].as_str().unwrap();
    let found = start(&stage, &network, &["retrieve", cid, "--format", "json"]).end().await;
    assert_eq!(found.code(), 0);
    let found = document(&found);
    assert_eq!((&found["outcome"], &found["cid"]), (&"ok".into(), &provided["cid"]), "{found}");
    assert_eq!(found["from_own_records"], false, "{found}");
    let peer = provided["peer"].as_str().unwrap();
    let [named] = &found["providers"].as_array().unwrap()[..] else { panic!("{found}") };
    assert_eq!((&named["peer"], &found["found_publisher"]), (&provided["peer"], &Value::Null), "{found}");
    assert!(named["addresses"][0].as_str().unwrap().starts_with("/ip4/127.0.0.1/"), "{found}");
    let by = named["named_by"].as_str().unwrap();
    let asked = found["trace"]["requests"].as_array().unwrap();
    let telling = asked.iter().find(|request| request["peer"] == by).unwrap();
    assert_eq!(telling["named"][0]["peer"], *peer, "{telling}");

    let ended = start(&stage, &network, &["retrieve", cid]).end().await;
    let told = |line: &String| {
        line.starts_with(&format!("provider {peer} at /ip4/127.0.0.1/")) && line.contains(", named by ")
    };
    assert!(ended.code() == 0 && ended.out.iter().any(told), "{:#?}", ended.out);

    provider.signal(Signal::SIGINT);
    let ended = provider.end().await;
    assert_eq!((ended.code(), ended.out.len()), (0, 1));
    assert!(
        ended.err.contains(&format!("the record names this process, peer {peer}, which runs until Ctrl-C")),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_published_by_the_hash_of_its_bytes_and_the_result_is_told_to_people() {
    let (stage, network, directory) = (Stage::begin(), network().await, TempDir::new().unwrap());
    let file = directory.path().join("hello");
    std::fs::write(&file, "hello world").unwrap();
    let ended = start(&stage, &network, &["provide", file.to_str().unwrap()]).end().await;
    assert_eq!(ended.code(), 0);
    assert!(ended.out[0].starts_with(&format!("provide {HELLO}: ok after ")), "{:#?}", ended.out);
    for part in ["records: 20 stored (", "requests: ", "routing table: ", "where the time went:"] {
        assert!(ended.out.iter().any(|line| line.starts_with(part)), "no `{part}` in {:#?}", ended.out);
    }
    let written = ended.out.iter().filter(|line| line.contains(" ADD_PROVIDER ") && line.contains(" written"));
    assert_eq!(written.count(), 20, "{:#?}", ended.out);
    for part in ["records: 20 stored, 20 confirmed, 0 failed, 0 unknown", "which ends now (--stay keeps it running)"] {
        assert!(ended.err.contains(part), "no `{part}` in {}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_returns_early_stays_until_its_last_record_is_written() {
    let (stage, network) = (Stage::begin(), network().await);
    for (strategy, at_return) in [("--optprov", 15), ("--fullrt", 10)] {
        let ended = start(&stage, &network, &["provide", strategy, "--format", "json"]).end().await;
        assert_eq!(ended.code(), 0);
        let provided = document(&ended);
        assert_eq!(provided["strategy"], strategy[2..], "{provided}");
        let [stored, pending] = ["holders_stored", "holders_pending"].map(|count| provided[count].as_u64().unwrap());
        assert!(stored >= at_return && pending > 0 && stored + pending == 20, "{provided}");
        let waited = format!("{pending} records are still being written: waiting until they have left, 110 s at most");
        for part in [&waited, "records: 20 stored, 20 confirmed, 0 failed, 0 unknown"] {
            assert!(ended.err.contains(part), "no `{part}` in {}", ended.err);
        }
    }
}

/// Over TCP and over QUIC: what was written is not on the wire yet, and the process must not end before.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_ends_has_left_its_record_with_all_twenty() {
    let stage = Stage::begin();
    for transport in [LocalTransport::Tcp, LocalTransport::Quic] {
        let shape = LocalConfig { peers: 30, seed: 7, transport, ..LocalConfig::default() };
        let network = LocalNetwork::start(shape).await.unwrap();
        let observer = network.observer().unwrap();
        for _ in 0..3 {
            let ended = start(&stage, &network, &["provide", "--format", "json"]).end().await;
            assert_eq!(ended.code(), 0, "{}", ended.err);
            let provided = document(&ended);
            let (cid, peer) = (provided["cid"].as_str().unwrap(), provided["peer"].as_str().unwrap());
            let key = cid.parse::<Cid>().unwrap().multihash();
            let held = observer.holders(&key, peer, &network.closest_live(&key, 20)).await;
            assert_eq!((&provided["holders_stored"], held), (&20.into(), 20), "{transport:?}");
        }
    }
}

/// Keys that nobody has published, as a file has them.
fn keys(directory: &TempDir, count: u8) -> (Vec<Cid>, String) {
    let cids: Vec<Cid> = (0..count).map(|number| Content::from(vec![number]).cid()).collect();
    let file = directory.path().join("keys.txt");
    std::fs::write(&file, cids.iter().map(|cid| format!("{cid}\n")).collect::<String>())
        .expect("the room of a stage can be written to");
    (cids, file.to_str().expect("paths of tests are text").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_keys_is_published_at_once_and_its_records_are_where_they_should_be() {
    let (stage, network, directory) = (Stage::begin(), network().await, TempDir::new().unwrap());
    let observer = network.observer().unwrap();
    let (cids, file) = keys(&directory, 30);
    // With a full table it is content with seven holders, where it takes long to reach the others.
    for (strategy, manner, holders) in [("classic", "each", 20), ("classic", "sweep", 20), ("fullrt", "each", 7)] {
        let args = ["provide", "--cids", &file, "--strategy", strategy, "--manner", manner, "--format", "json"];
        let ended = start(&stage, &network, &args).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        let all = document(&ended);
        assert_eq!((&all["strategy"], &all["manner"]), (&strategy.into(), &manner.into()), "{all}");
        assert_eq!((&all["keys"], &all["keys_failed"]), (&30.into(), &0.into()), "{all}");
        let named: Vec<_> = all["cids"].as_array().unwrap().iter().map(|key| key["cid"].clone()).collect();
        assert_eq!(named, cids.iter().map(ToString::to_string).collect::<Vec<_>>());
        let peer = all["peer"].as_str().unwrap();
        for cid in &cids[..3] {
            let key = cid.multihash();
            let held = observer.holders(&key, peer, &network.closest_live(&key, 20)).await;
            assert!(held >= holders, "{strategy} {manner}: {held} hold {cid}");
        }
        let note = format!("the records name this process, peer {peer}, which ends now (--stay keeps it running)");
        assert!(ended.err.contains(&note), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_a_row_for_each_key_and_a_key_at_no_peer_is_told_by_the_exit_code() {
    let (stage, network, directory) = (Stage::begin(), network().await, TempDir::new().unwrap());
    let (cids, file) = keys(&directory, 5);
    let [flag, peers] = joining(&network);
    let args = ["provide", "--cids", "-", "--protocol-id", LOCAL_PROTOCOL, &flag, &peers];
    let ended = Process::start_after(&stage, &format!("exec <{file}"), &args).end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let (totals, rows) = (&ended.out[0], &ended.out[5..]);
    assert!(totals.starts_with("provide 5 keys: 5 published, 0 at no peer, after "), "{:#?}", ended.out);
    assert_eq!(rows.len(), 5, "{:#?}", ended.out);
    for (cid, row) in cids.iter().zip(rows) {
        assert!(row.starts_with(&cid.to_string()) && row.contains(" ok "), "{:#?}", ended.out);
    }

    // Less time than it takes to find anybody.
    let late = ["provide", "--cids", &file, "--operation-timeout", "1ms", "--format", "json"];
    let ended = start(&stage, &network, &late).end().await;
    let all = document(&ended);
    assert!(all["keys_failed"].as_u64().unwrap() > 0, "{all}");
    assert_eq!((ended.code(), &all["cids"][0]["outcome"]), (1, &"timeout".into()), "{all}");
    assert!(all["cids"][0]["error"].as_str().unwrap().starts_with("context deadline exceeded"), "{all}");
}

#[tokio::test]
async fn a_list_of_keys_that_cannot_be_used_is_refused_with_its_line_before_anybody_is_dialled() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let file = directory.path().join("keys.txt");
    for (text, words) in [
        (format!("{HELLO}\n\nQmnonsense\n"), "line 3: `Qmnonsense` is not a CID: a CIDv0 has 46 characters"),
        (format!("{HELLO}\n{HELLO}\n"), "line 2: `Qmaoz"),
        ("\n".to_owned(), "there is no CID in it; expected 1 to 5000, each on a line of its own"),
    ] {
        std::fs::write(&file, text).unwrap();
        let ended = Process::start(&stage, &["provide", "--cids", file.to_str().unwrap()]).end().await;
        assert_eq!((ended.code(), ended.out), (1, vec![]));
        assert!(ended.err.contains(words) && ended.err.contains("keys.txt"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_published_is_not_found_and_the_exit_code_says_so() {
    let (stage, network) = (Stage::begin(), network().await);
    let ended = start(&stage, &network, &["retrieve", HELLO]).end().await;
    assert_eq!(ended.code(), 1);
    assert!(ended.out[0].starts_with(&format!("retrieve {HELLO}: not_found after ")), "{:#?}", ended.out);
    assert_eq!(ended.out[1], "not found");

    let ended = start(&stage, &network, &["retrieve", HELLO, "--format", "json"]).end().await;
    assert_eq!((ended.code(), &document(&ended)["outcome"]), (1, &"not_found".into()));
}

#[tokio::test]
async fn a_network_that_lets_nobody_in_is_named_with_what_was_missing() {
    let stage = Stage::begin();
    // The port of tcpmux: below 1024, so that no test can be given it.
    let nobody = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWQnUASa11PcTJZQPR5AJq5o4BYqqzYVn4kuEnnJ7dSTvj";
    let args = ["retrieve", HELLO, "--ready-timeout", "1s", "--bootstrap-peers", nobody];
    let ended = Process::start(&stage, &args).end().await;
    assert_eq!((ended.code(), ended.out), (1, vec![]));
    for part in ["cannot retrieve yet after 1s (--ready-timeout)", "the routing table is empty", nobody] {
        assert!(ended.err.contains(part), "no `{part}` in {}", ended.err);
    }
}

#[tokio::test]
async fn an_operation_that_was_never_recorded_has_no_trace_to_show() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let path = directory.path().join("parsec.db");
    let url = format!("sqlite:{}", path.display());
    assert_eq!(Process::start(&stage, &["migrate", "--database-url", &url]).end().await.code(), 0);
    let ended = Process::start(&stage, &["trace", "--database-url", &url]).end().await;
    assert_eq!((ended.code(), ended.out), (1, vec![]));
    assert!(ended.err.contains("no operation with a trace is recorded at any time"), "{}", ended.err);

    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let ended = Process::start(&stage, &["trace", id, "--database-url", &url]).end().await;
    assert_eq!((ended.code(), ended.out), (1, vec![]));
    assert!(ended.err.contains(&format!("no operation {id} is recorded")), "{}", ended.err);
}
