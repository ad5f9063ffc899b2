//! Our servers in a DHT of go-libp2p-kad-dht, which the field runs.

use std::collections::BTreeSet;

use futures::future::join_all;
use futures::join;
use parsec_lab::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork};
use parsec_measure::Content;
use parsec_test_support::stage::Stage;
use serde_json::Value;

use crate::go_program::{Answer, GoPeers, PROTOCOL, module, program, turn};
use crate::matrix::{Attempt, Matrix, Party, Side};
use crate::servers::{Server, seconds};

/// How many Go servers there are to choose from: more than the 20 that hold a record.
pub(crate) const PEERS: usize = 30;

/// How many peers hold a record.
pub(crate) const HOLDERS: usize = 20;

/// How often each publishes.
const PUBLICATIONS: usize = 3;

pub(crate) const fn ours(strategy: &'static str) -> Party {
    Party { side: Side::Rust, strategy }
}

pub(crate) const fn theirs(strategy: &'static str) -> Party {
    Party { side: Side::Go, strategy }
}

/// A DHT of Go servers, and two of ours for each strategy: one publishes and one finds.
pub(crate) struct Meeting {
    stage: Stage,
    pub(crate) go: GoPeers,
    providers: Vec<(Party, Option<Server>)>,
    finders: Vec<(Party, Option<Server>)>,
}

impl Meeting {
    pub(crate) async fn of(stage: &Stage, go: GoPeers, providers: &[Party], finders: &[Party]) -> Self {
        let through = go.bootstrap();
        let join = async |party: &Party| match party.side {
            Side::Rust => (*party, Some(Server::join(stage, party.strategy, PROTOCOL, &through, &[]).await)),
            Side::Go => (*party, None),
        };
        let joining = (join_all(providers.iter().map(&join)), join_all(finders.iter().map(&join)));
        let (providers, finders) = join!(joining.0, joining.1);
        Self { stage: stage.clone(), go, providers, finders }
    }

    /// Each publishes, and all look for it: one after the other, so that they do not measure each other.
    pub(crate) async fn hold(&self, title: &str) -> Matrix {
        let parties =
            |all: &[(Party, _)]| all.iter().map(|(party, _): &(Party, Option<Server>)| *party).collect::<Vec<_>>();
        let mut matrix = Matrix::new(title.to_owned(), &parties(&self.providers), &parties(&self.finders));
        for _ in 0..PUBLICATIONS {
            for row in 0..self.providers.len() {
                let content = Content::random(&mut rand::rng());
                let cid = content.cid().to_string();
                let (published, provider) = self.publish(row, &content).await;
                matrix.provided(row, published);
                for column in 0..self.finders.len() {
                    matrix.found(row, column, self.find(column, &cid, &provider).await);
                }
            }
        }
        matrix
    }

    /// What it took, and the peer id of the provider.
    async fn publish(&self, row: usize, content: &Content) -> (Attempt, String) {
        let (party, server) = &self.providers[row];
        let cid = content.cid().to_string();
        let Some(server) = server else {
            let Answer { error, seconds, network_size, mut peers, .. } = self.go.provide(party.strategy, &cid).await;
            // Without an estimate Go publishes in the classic way and does not say so.
            let estimated = party.strategy != "optprov" || network_size > 0;
            let result =
                if error.is_empty() && estimated { Ok(seconds) } else { Err(format!("{error} {network_size}")) };
            return (result, peers.pop().unwrap_or_default());
        };
        let answer = server.provide(content).await;
        let result = if answer["Fallback"].is_null() { seconds(&answer) } else { Err(answer.to_string()) };
        let result = match result {
            Ok(seconds) => self.arrived(&cid, server).await.map(|()| seconds),
            failed => failed,
        };
        (result, server.peer_id.clone())
    }

    /// Whether all that ours sends arrives, and is what Go insists on: from the provider itself and with addresses. What is
    /// still under way when ours answers counts too.
    async fn arrived(&self, cid: &str, server: &Server) -> Result<(), String> {
        let all = async || {
            let puts = self.go.puts(cid).await;
            (puts.len() >= HOLDERS).then_some(puts)
        };
        let puts = self.stage.eventually(&format!("ADD_PROVIDER at {HOLDERS} Go peers for {cid}"), all).await;
        // Both transports, whichever these peers use: others may have the other one only.
        let all = BTreeSet::from(server.addresses());
        let sound = |addresses: &[String]| addresses.iter().cloned().collect::<BTreeSet<_>>() == all;
        for put in &puts {
            if put.sender != server.peer_id || put.provider != server.peer_id || !sound(&put.addresses) {
                return Err(format!("not what Go insists on: {put:?}"));
            }
        }
        let sent: BTreeSet<_> = puts.iter().map(|put| &put.holder).collect();
        let records = self.go.records(cid).await;
        let held: BTreeSet<_> =
            records.iter().filter(|record| record.id == server.peer_id).map(|r| &r.holder).collect();
        if sent.len() != HOLDERS || held != sent || !records.iter().all(|record| sound(&record.addresses)) {
            return Err(format!("sent to {sent:?}, held as {records:?}"));
        }
        Ok(())
    }

    async fn find(&self, column: usize, cid: &str, provider: &str) -> Attempt {
        let (party, server) = &self.finders[column];
        match server {
            // What rust-libp2p's own lookups were told cannot be seen from outside.
            Some(server) if party.strategy == "libp2p" => seconds(&server.retrieve(cid).await),
            Some(server) => found_by_ours(&server.retrieve(cid).await),
            None => found_by_theirs(&self.go.find(party.strategy, cid).await, provider),
        }
    }
}

/// Our answers do not say who the provider is: nobody else can have published these bytes.
pub(crate) fn found_by_ours(answer: &Value) -> Attempt {
    let requests = answer["Trace"]["requests"].as_array();
    let named = requests.is_some_and(|all| all.iter().any(|request| request["providers"].as_u64() > Some(0)));
    if named && answer["FromOwnRecords"].is_null() { seconds(answer) } else { Err(answer.to_string()) }
}

/// The provider must be who published, and everywhere where it says it is.
pub(crate) fn found_by_theirs(answer: &Answer, provider: &str) -> Attempt {
    match &answer.providers[..] {
        [found] if answer.error.is_empty() && found.id == provider => {
            let dialled = !found.dials.is_empty() && found.dials.iter().all(|dial| dial.failure.is_empty());
            if dialled { Ok(answer.seconds) } else { Err(format!("cannot be dialled: {found:?}")) }
        }
        _ => Err(format!("{answer:?} instead of {provider}")),
    }
}

/// It may miss a record that is there (see [`Matrix::failures`]): it looks until it does not.
async fn found_by_go_fullrt(stage: &Stage, go: &GoPeers, cid: &str, provider: &str) -> Answer {
    let look = async || Some(go.find("fullrt", cid).await).filter(|answer| answer.error != "not found");
    let found = stage.eventually(&format!("{cid} found by the fullrt of Go"), look).await;
    found_by_theirs(&found, provider).unwrap_or_else(|error| panic!("{error}"));
    found
}

fn ids<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    names.sort_unstable();
    names
}

#[expect(clippy::print_stdout, reason = "a table to look at, with --nocapture")]
pub(crate) fn check(matrix: &Matrix) {
    println!("{matrix}");
    assert_eq!(matrix.failures(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn over_tcp_whoever_publishes_everybody_finds_it_whatever_the_strategies() {
    program("peers");
    let _turn = turn().await;
    let rust = ["classic", "optprov", "fullrt", "libp2p"].map(ours);
    let providers = [&rust[..], &["classic", "optprov", "fullrt"].map(theirs)].concat();
    let finders = [&rust[..], &["classic", "fullrt"].map(theirs)].concat();
    let stage = Stage::begin();
    let go = GoPeers::start(&stage, PEERS, "tcp").await;
    let meeting = Meeting::of(&stage, go, &providers, &finders).await;
    check(&meeting.hold(&format!("TCP (noise, yamux), {PEERS} Go servers, median, n publications each")).await);
    everybody_is_met(&meeting).await;
    a_record_leads_to_its_provider(&meeting).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn over_quic_whoever_publishes_everybody_finds_it() {
    program("peers");
    let _turn = turn().await;
    let (rust, go) = (["classic", "fullrt", "libp2p"].map(ours), ["classic", "fullrt"].map(theirs));
    let all = [&rust[..], &go].concat();
    let stage = Stage::begin();
    let go = GoPeers::start(&stage, PEERS, "quic").await;
    let meeting = Meeting::of(&stage, go, &all, &all).await;
    check(&meeting.hold(&format!("QUIC, {PEERS} Go servers, median, n publications each")).await);
    everybody_is_met(&meeting).await;
    a_record_leads_to_its_provider(&meeting).await;
}

/// A full routing table, ours or theirs, knows all Go servers and nobody else: whoever only asks is in no table.
pub(crate) async fn everybody_is_met(meeting: &Meeting) {
    let Meeting { go, finders, .. } = meeting;
    assert_eq!(go.crawl().await, ids(go.servers.iter().map(|server| &server.id)));
    let fullrt = finders.iter().find(|(party, _)| *party == ours("fullrt")).and_then(|(_, server)| server.as_ref());
    let cid = Content::random(&mut rand::rng()).cid().to_string();
    let answer = fullrt.expect("one of them is ours and has a full routing table").retrieve(&cid).await;
    assert_eq!(
        (&answer["Error"], &answer["RoutingTableSize"]),
        (&"not found".into(), &go.servers.len().into()),
        "{answer}"
    );
}

/// What a record of a Go server says is enough for one of ours to join through it.
pub(crate) async fn a_record_leads_to_its_provider(meeting: &Meeting) {
    let Meeting { stage, go, .. } = meeting;
    let cid = Content::random(&mut rand::rng()).cid().to_string();
    assert_eq!(go.provide("server", &cid).await.error, "");
    let found = go.find("classic", &cid).await;
    let record = found.providers.first().unwrap_or_else(|| panic!("not found: {found:?}"));
    let addresses: Vec<_> = record.addresses.iter().map(|address| format!("{address}/p2p/{}", record.id)).collect();
    Server::join(stage, "classic", PROTOCOL, &addresses, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn in_a_mixed_dht_both_know_both_and_both_hold_the_records_of_both() {
    program("peers");
    let _turn = turn().await;
    let stage = Stage::begin();
    // Fewer in all than hold a record: each of them holds each record but its own.
    let go = GoPeers::start(&stage, 12, "both").await;
    let through = go.bootstrap();
    let join = |strategy| Server::join(&stage, strategy, PROTOCOL, &through, &["--server-mode"]);
    // The first ones meet the later ones when these connect to them.
    let mut servers = join_all(["libp2p", "classic"].map(join)).await;
    servers.push(join("classic").await);
    let everybody = ids(go.servers.iter().map(|server| &server.id).chain(servers.iter().map(|server| &server.peer_id)));

    let know_ours = async || {
        let know = |known: &[String]| servers.iter().all(|server| known.contains(&server.peer_id));
        go.tables().await.iter().all(|table| know(&table.knows)).then_some(())
    };
    stage.eventually("each of our servers in each Go server's routing table", know_ours).await;
    for server in &servers {
        let knows_all = async || {
            let nothing = Content::random(&mut rand::rng()).cid().to_string();
            let answer = server.retrieve(&nothing).await;
            (answer["RoutingTableSize"].as_u64() == Some(everybody.len() as u64 - 1)).then_some(())
        };
        stage.eventually("everybody else in the routing table of a server of ours", knows_all).await;
    }
    assert_eq!(go.crawl().await, everybody);

    for publisher in &servers {
        let content = Content::random(&mut rand::rng());
        let answer = publisher.provide(&content).await;
        seconds(&answer).unwrap();
        assert_eq!(answer["HoldersStored"], everybody.len() - 1, "{answer}");
        held_by_all(&stage, &go, &servers, &content, &publisher.peer_id).await;
    }
    let content = Content::random(&mut rand::rng());
    let answer = go.provide("classic", &content.cid().to_string()).await;
    assert_eq!(answer.error, "");
    held_by_all(&stage, &go, &servers, &content, &answer.peers[0]).await;
}

async fn held_by_all(stage: &Stage, go: &GoPeers, servers: &[Server], content: &Content, provider: &str) {
    let cid = content.cid().to_string();
    let held = async || {
        let records = go.records(&cid).await;
        assert!(records.iter().all(|record| record.id == provider && !record.addresses.is_empty()), "{records:?}");
        (records.len() == go.servers.len()).then_some(())
    };
    stage.eventually("the record on each Go server", held).await;
    for server in servers {
        // Whoever holds a record need not ask anybody.
        let held = async || (server.retrieve(&cid).await["FromOwnRecords"] == true).then_some(());
        stage.eventually("the record on each server of ours", held).await;
    }
    found_by_theirs(&go.find("classic", &cid).await, provider).unwrap_or_else(|error| panic!("{error}"));
    found_by_go_fullrt(stage, go, &cid, provider).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn the_full_routing_table_of_go_knows_a_network_of_ours_and_publishes_and_finds_in_it() {
    program("peers");
    let _turn = turn().await;
    let stage = Stage::begin();
    let config = LocalConfig { peers: PEERS, seed: 7, ..LocalConfig::default() };
    let network = LocalNetwork::start(config).await.expect("loopback carries a small network");
    let go = GoPeers::among(&stage, LOCAL_PROTOCOL, &network.bootstrap()).await;
    let everybody: Vec<_> = network.closest_live(b"any", PEERS).iter().map(|peer| peer.peer_id()).collect();
    assert_eq!(go.crawl().await, ids(&everybody));

    let through = network.bootstrap();
    let server = Server::join(&stage, "classic", LOCAL_PROTOCOL, &through, &[]).await;
    let content = Content::random(&mut rand::rng());
    let cid = content.cid().to_string();
    let answer = go.provide("fullrt", &cid).await;
    assert_eq!(answer.error, "");
    found_by_ours(&server.retrieve(&cid).await).unwrap();

    let content = Content::random(&mut rand::rng());
    seconds(&server.provide(&content).await).unwrap();
    let found = found_by_go_fullrt(&stage, &go, &content.cid().to_string(), &server.peer_id).await;
    // Go reads who we are as well.
    assert!(found.providers[0].agent.starts_with("parsec/"), "{found:?}");
    assert_eq!(go.end().await, 0);
}

#[test]
#[cfg_attr(not(has_go), ignore = "needs Go")]
fn the_go_programs_are_formatted_as_go_wants_it() {
    let output = std::process::Command::new("gofmt").args(["-l", "."]).current_dir(module()).output().unwrap();
    assert_eq!(
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        ("".into(), "".into())
    );
}
