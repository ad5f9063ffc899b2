//! Peers that lose records, each in its own way: what our publisher says, and what they really hold.

use std::collections::BTreeSet;
use std::fmt;

use parsec_measure::Content;
use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;

use crate::go_peers::HOLDERS;
use crate::go_program::{GoPeers, PROTOCOL, program, turn};
use crate::servers::{Server, seconds};

const METHODS: &str = include_str!("../../docs/methods.md");

/// More than hold a record.
const PEERS: usize = 24;

/// What became of one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    /// How many puts were written, failed, and were under way when the publication returned.
    stored: u64,
    failed: u64,
    pending: u64,
    /// How many of the truly closest peers name us when they are asked.
    verified: u64,
    /// How many peers hold the record.
    held: usize,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, failed, pending, verified, held } = self;
        write!(f, "{stored:>6} | {failed:>6} | {pending:>7} | {verified:>8} | {held:>4} |")
    }
}

/// Publishes, and waits until nothing changes any more: each put has arrived at a peer, unless it went with it.
async fn publish(stage: &Stage, go: &GoPeers, server: &Server) -> Fate {
    let content = Content::random(&mut rand::rng());
    let cid = content.cid().to_string();
    let answer = server.provide(&content).await;
    seconds(&answer).unwrap();
    let count = |name: &str| answer[name].as_u64().unwrap_or_else(|| panic!("no {name} in {answer}"));
    let arrived = async || {
        let holders: BTreeSet<_> = go.puts(&cid).await.into_iter().map(|put| put.holder).collect();
        (holders.len() == HOLDERS).then_some(())
    };
    stage.eventually("a put at each of the 20 peers", arrived).await;
    let held = go.records(&cid).await.len();
    let looked = async || server.verified(&cid);
    let verified = stage.eventually("a look where the record is", looked).await;
    let [stored, failed, pending] = ["HoldersStored", "HoldersFailed", "HoldersPending"].map(count);
    let fate = Fate { stored, failed, pending, verified, held };
    assert_eq!(
        fate.stored + fate.failed + fate.pending,
        HOLDERS as u64,
        "every chosen peer is accounted for: {answer}"
    );
    fate
}

/// How many peers have confirmed a publication when nothing is under way any more. `parsec provide` waits for that, and does
/// not call it a success if nobody has.
async fn confirmed(stage: &Stage, go: &GoPeers) -> u64 {
    let through = go.bootstrap().join(",");
    let joining = ["provide", "--protocol-id", PROTOCOL, "--bootstrap-peers", &through];
    let ended = Process::start(stage, &joining).end().await;
    let (_, records) = ended.err.rsplit_once("records: ").unwrap_or_else(|| panic!("no records in {}", ended.err));
    let count = records.split(", ").find_map(|part| part.strip_suffix(" confirmed"));
    let count = count.unwrap_or_else(|| panic!("nothing is confirmed in {records}")).parse().unwrap();
    assert_eq!(ended.code() == 0, count > 0, "{}", ended.err);
    count
}

/// The habits of habit.go, in the order of the table in `docs/methods.md`.
const HABITS: [&str; 6] = ["none", "closes", "resets", "echoes", "refuses", "dies"];

/// How often is published among the same peers: the second time on streams that the first has left behind.
const PUBLICATIONS: usize = 2;

/// What the table promises of each habit: stored, confirmed, verified, and held.
fn promised() -> Vec<(u64, u64, u64, usize)> {
    let table = METHODS.split("<!-- table:habits -->").nth(1).expect("the document marks its table");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let number = |cell: usize| cells[cell].parse().unwrap();
        (number(1), number(2), number(3), cells[4].parse().unwrap())
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn for_each_way_in_which_a_peer_loses_a_record_it_is_as_the_table_of_methods_says() {
    program("peers");
    let _turn = turn().await;
    println!("| habit   | stored | failed | pending | verified | held |");
    println!("| ------- | ------ | ------ | ------- | -------- | ---- |");
    let mut measured = Vec::new();
    for habit in HABITS {
        let stage = Stage::begin();
        let go = GoPeers::habitual(&stage, PEERS, habit).await;
        let server = Server::join(&stage, "classic", PROTOCOL, &go.bootstrap(), &["--verify-records", "1"]).await;
        // Nobody is left for another one.
        let publications = if habit == "dies" { 1 } else { PUBLICATIONS };
        let mut fates = Vec::new();
        for _ in 0..publications {
            let fate = publish(&stage, &go, &server).await;
            println!("| {habit:<7} | {fate}");
            fates.push((fate.stored, fate.verified, fate.held));
        }
        fates.dedup();
        assert_eq!(fates.len(), 1, "{habit}: a stream that has been used makes a difference: {fates:?}");
        assert_eq!(go.end().await, 0);
        let go = GoPeers::habitual(&stage, PEERS, habit).await;
        let confirmed = confirmed(&stage, &go).await;
        println!("| {habit:<7} | {confirmed} confirmed in the end");
        measured.extend(fates.into_iter().map(|(stored, verified, held)| (stored, confirmed, verified, held)));
    }
    assert_eq!(measured, promised());
}
