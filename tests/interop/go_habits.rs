//! Peers that lose records, each in its own way: what our publisher says, and what they really hold.

use std::collections::BTreeSet;
use std::fmt;

use parsec_measure::Content;
use parsec_test_support::stage::Stage;

use crate::go_peers::HOLDERS;
use crate::go_program::{GoPeers, PROTOCOL, program, turn};
use crate::servers::{Server, seconds};

/// More than hold a record.
const PEERS: usize = 24;

/// What became of one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    /// How many puts were written, failed, and were under way when the publication returned.
    stored: u64,
    failed: u64,
    pending: u64,
    /// How many peers hold the record.
    held: usize,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, failed, pending, held } = self;
        write!(f, "{stored:>6} | {failed:>6} | {pending:>7} | {held:>4} |")
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
    let fate =
        Fate { stored: count("HoldersStored"), failed: count("HoldersFailed"), pending: count("HoldersPending"), held };
    assert_eq!(
        fate.stored + fate.failed + fate.pending,
        HOLDERS as u64,
        "every chosen peer is accounted for: {answer}"
    );
    fate
}

/// What is to be expected of 20 peers that have a habit. A put counts as stored when it is written: who resets it, keeps
/// nothing or dies of it has been written to.
const EXPECTED: [(&str, usize); 6] =
    [("none", HOLDERS), ("closes", HOLDERS), ("resets", 0), ("echoes", HOLDERS), ("refuses", 0), ("dies", 0)];

/// How often is published among the same peers: the second time on streams that the first has left behind.
const PUBLICATIONS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn for_each_way_in_which_a_peer_loses_a_record_we_say_what_we_know_and_no_more() {
    program("peers");
    let _turn = turn().await;
    println!("| habit   | stored | failed | pending | held |");
    println!("| ------- | ------ | ------ | ------- | ---- |");
    for (habit, expected) in EXPECTED {
        let stage = Stage::begin();
        let go = GoPeers::habitual(&stage, PEERS, habit).await;
        let server = Server::join(&stage, "classic", PROTOCOL, &go.bootstrap(), &[]).await;
        // Nobody is left for another one.
        let publications = if habit == "dies" { 1 } else { PUBLICATIONS };
        for _ in 0..publications {
            let fate = publish(&stage, &go, &server).await;
            println!("| {habit:<7} | {fate}");
            assert_eq!(fate.held, expected, "{habit}: {fate:?}");
        }
        assert_eq!(go.end().await, 0);
    }
}
