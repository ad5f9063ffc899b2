//! Peers that answer whatever they like: what they say is bounded, and what is wrong with it is said.

use libp2p::Multiaddr;
use parsec_dht::{Dht, Node};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport};
use parsec_measure::{OutcomeClass, StrategyKind, TracedRequest, is_harmful};
use tokio::time::{Instant, timeout};

use super::peer::{Named, Stranger, naming};
use super::{PATIENCE, config, fresh, ready, reason};

/// Steers a terminal in every way there is: escape, C1, DEL, backspace, direction, no width, line break.
const HOSTILE: &str = "kubo\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\u{8}\u{202e}\u{200b}\nforged";

/// The same as it may be shown.
const HARMLESS: &str = "kubo\u{fffd}]0;owned\u{fffd}\u{fffd}31m\u{fffd}\u{fffd}\u{fffd}\u{fffd} forged";

/// A message of 1 MB, of which the length is already too much.
fn a_megabyte() -> Vec<u8> {
    [&[0x80, 0x80, 0x40][..], &vec![0; 1 << 20]].concat()
}

/// A Multiaddr whose bytes may be anything.
fn dns(name: &str) -> Vec<u8> {
    let tcp = "/tcp/4001".parse::<Multiaddr>().unwrap().to_vec();
    [&[0x36, u8::try_from(name.len()).unwrap()], name.as_bytes(), &tcp].concat()
}

/// One peer of each kind, by what it answers.
async fn of_each_kind() -> Vec<(&'static str, Stranger)> {
    let ten_thousand = naming((0..10_000).map(|_| Named::invented(vec![])).collect());
    vec![
        ("10,000 peers", Stranger::start("-", move |_| ten_thousand.clone()).await),
        ("1 MB", Stranger::start("-", |_| a_megabyte()).await),
        (
            "invented peers without end",
            Stranger::start("-", |address| {
                let mine: Multiaddr = address.parse().unwrap();
                let at = mine.iter().take(2).collect::<Multiaddr>().to_vec();
                naming((0..20).map(|_| Named::invented(vec![at.clone()])).collect())
            })
            .await,
        ),
        ("half a frame and silence", Stranger::start("-", |_| [&[100][..], &[0; 50]].concat()).await),
        ("no message", Stranger::start("-", |_| vec![4, 0xff, 0xff, 0xff, 0xff]).await),
        ("hostile names", Stranger::start(HOSTILE, |_| naming(vec![Named::invented(vec![dns(HOSTILE)])])).await),
        ("4 kB of agent", Stranger::start(&HOSTILE.repeat(80), |_| naming(vec![])).await),
    ]
}

/// What stands in a trace is short and can be shown.
fn is_fit_to_be_shown(request: &TracedRequest) -> bool {
    let texts = [&request.agent, &request.error].into_iter().flatten();
    texts.clone().all(|text| text.chars().count() <= 301 && !text.chars().any(is_harmful))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_one_peer_answers_the_others_serve_a_node_of_any_strategy() {
    let shape = LocalConfig { peers: 60, seed: 7, transport: LocalTransport::Tcp, ..LocalConfig::default() };
    let network = LocalNetwork::start(shape).await.unwrap();
    for (what, stranger) in of_each_kind().await {
        for strategy in StrategyKind::ALL {
            let started = Instant::now();
            let bootstrap = [vec![stranger.address.clone()], network.bootstrap()].concat();
            let node = Node::start(config(bootstrap, strategy)).await.unwrap();
            ready(&node).await;
            let provided = timeout(PATIENCE, node.provide(fresh(), None)).await.unwrap().unwrap();
            println!("{what}, {strategy}: {:?}", started.elapsed());
            assert_eq!(provided.class, OutcomeClass::Ok, "{what}, {strategy}: {provided:?}");
            // Those who do not exist take the places of some who do.
            assert!(provided.effort.holders_stored >= Some(1), "{what}, {strategy}: {:?}", provided.effort);
            let trace = provided.trace.unwrap();
            // 64 peers of an answer are used, each asked twice at most and sent a record. rust-libp2p's own lookups, measured
            // as they are, try everybody who fits into an answer.
            let (asked, most) = (trace.requests.len() + trace.left_out as usize, 300);
            let most = if strategy == StrategyKind::Libp2p { 10_000 + most } else { most };
            assert!(asked <= most, "{what}, {strategy}: {asked} requests");
            assert!(trace.requests.iter().all(is_fit_to_be_shown), "{what}, {strategy}: {trace:?}");
            let found = timeout(PATIENCE, node.retrieve(fresh())).await.unwrap().unwrap();
            assert_eq!(found.class, OutcomeClass::NotFound, "{what}, {strategy}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn if_everybody_answers_with_a_megabyte_the_node_says_why_it_is_not_ready() {
    let strangers = [Stranger::start("-", |_| a_megabyte()).await, Stranger::start("-", |_| a_megabyte()).await];
    for strategy in StrategyKind::ALL {
        let bootstrap = strangers.iter().map(|stranger| stranger.address.clone()).collect();
        let node = Node::start(config(bootstrap, strategy)).await.unwrap();
        let too_long = "malformed answer: 1048576 bytes announced, at most 524288 are read";
        let reason = reason(&node, too_long).await;
        assert!(reason.contains("; no bootstrap peer lets us in: "), "{reason}");
        let provided = timeout(PATIENCE, node.provide(fresh(), None)).await.unwrap().unwrap();
        assert_eq!(provided.class, OutcomeClass::NoPeers, "{strategy}: {provided:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_told_without_what_steers_a_terminal() {
    let stranger = Stranger::start(HOSTILE, |_| naming(vec![])).await;
    let long = Stranger::start(&HOSTILE.repeat(50), |_| naming(vec![])).await;
    let node = Node::start(config(vec![stranger.address.clone(), long.address.clone()], StrategyKind::Classic)).await;
    let node = node.unwrap();
    ready(&node).await;
    let agents = async || {
        let provided = node.provide(fresh(), None).await.unwrap();
        let requests = &provided.trace.unwrap().requests;
        let agent = |of: &Stranger| {
            let asked = requests.iter().find(|request| of.address.ends_with(&request.peer));
            asked.and_then(|request| request.agent.clone())
        };
        Some((agent(&stranger)?, agent(&long)?))
    };
    let told = timeout(PATIENCE, async {
        loop {
            if let Some(agents) = agents().await {
                return agents;
            }
        }
    });
    let (agent, of_long) = told.await.unwrap();
    assert_eq!(agent, HARMLESS);
    assert_eq!(of_long.chars().count(), 64 + 1, "{of_long}");
    assert!(of_long.starts_with(HARMLESS) && of_long.ends_with('…'), "{of_long}");
}
