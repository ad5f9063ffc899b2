//! A DHT in which a peer names a provider who never published anything: whoever searches there is told of a stranger.

use std::borrow::Cow;
use std::iter;

use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::kad::store::{RecordStore, Result};
use libp2p::kad::{self, Mode, ProviderRecord, Record, RecordKey};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, SwarmBuilder, noise, tcp, yamux};
use parsec_dht::LOCAL_PROTOCOL;
use parsec_test_support::database;
use serde_json::Value;

use crate::deployment::{Server, scheduler, server};
use crate::process::Process;
use crate::stage::Stage;
use crate::tables::Tables;

/// Where the stranger is said to be: a port that no test can be given.
const NOWHERE: &str = "/ip4/127.0.0.1/tcp/1";

/// Takes every record, keeps none, and says of each key that the stranger provides it.
struct Poison {
    stranger: PeerId,
}

impl RecordStore for Poison {
    type RecordsIter<'a> = iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = iter::Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Ok(())
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        iter::empty()
    }

    fn add_provider(&mut self, _: ProviderRecord) -> Result<()> {
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let addresses = vec![NOWHERE.parse::<Multiaddr>().expect("it is written as addresses are")];
        vec![ProviderRecord { key: key.clone(), provider: self.stranger, expires: None, addresses }]
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        iter::empty()
    }

    fn remove_provider(&mut self, _: &RecordKey, _: &PeerId) {}
}

/// Starts a DHT of one peer that lies; its id, and how to join it.
async fn poisoned(stranger: PeerId) -> (PeerId, String) {
    let with_kad = |key: &Keypair| {
        let local = key.public().to_peer_id();
        let config = kad::Config::new(StreamProtocol::new(LOCAL_PROTOCOL));
        let mut kad = kad::Behaviour::with_config(local, Poison { stranger }, config);
        kad.set_mode(Some(Mode::Server));
        kad
    };
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .expect("a fresh identity is fit for noise")
        .with_behaviour(with_kad)
        .expect("it cannot fail")
        .build();
    let liar = *swarm.local_peer_id();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("loopback is there");
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break format!("{address}/p2p/{liar}");
        }
    };
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    (liar, address)
}

/// Lookups of strangers, each with its row in the original's table.
const WRONG: &str = "operations o JOIN retrievals_ecs r ON r.id = o.retrieval_id WHERE o.outcome = 'wrong_provider'";

#[tokio::test(flavor = "multi_thread")]
async fn where_a_peer_names_a_stranger_the_lookup_is_no_success_and_the_row_the_trace_and_the_terminal_say_who() {
    let (stage, stranger) = (Stage::begin(), PeerId::random());
    let ((liar, peers), database) = tokio::join!(poisoned(stranger), database());
    let url = database.url().to_owned();
    let start = || server(&stage, &["--database-url", &url, "--bootstrap-peers", &peers]);
    let (one, other) = tokio::join!(Server::started(start()), Server::started(start()));
    let scheduler = scheduler(&stage, &["--database-url", &url, "--trace-sample", "0"]);
    let tables = Tables::of(&stage, database).await;
    tables.wait_for(2, WRONG).await;
    for process in [scheduler, one.process, other.process] {
        assert_eq!(process.terminate().await.code(), 0);
    }

    let publisher =
        "(SELECT n.peer_id FROM rounds p JOIN nodes_ecs n ON n.id = p.provider_node_id WHERE p.id = o.round_id)";
    let says = format!(
        "o.error LIKE 'provided by {stranger} (so says {liar}), and not by the publisher ' || {publisher} AND \
         NOT o.found_publisher AND o.trace_id IS NOT NULL"
    );
    let wrong = tables.count(WRONG).await;
    assert_eq!(tables.count(&format!("{WRONG} AND {says}")).await, wrong);
    // As the original would have recorded it.
    assert_eq!(tables.count(&format!("{WRONG} AND r.error IS NULL AND r.duration = o.duration_seconds")).await, wrong);
    assert_eq!(tables.count("operations WHERE kind = 'retrieve' AND outcome = 'ok'").await, 0);

    let id: String = tables.query(&format!("SELECT o.id::text FROM {WRONG} LIMIT 1")).await[0].get(0);
    let show = async |args: &[&str]| {
        let ended = Process::start(&stage, &[&["trace", &id, "--database-url", &url], args].concat()).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        ended.out
    };
    let named = format!("provider {stranger} at {NOWHERE}, named by {liar}");
    let shown = show(&[]).await;
    assert!(shown.contains(&named), "no `{named}` in {shown:#?}");
    let document: Value = serde_json::from_str(&show(&["--format", "json"]).await.concat()).expect("one object");
    assert_eq!((&document["outcome"], &document["found_publisher"]), (&"wrong_provider".into(), &false.into()));
    assert_eq!(document["providers"][0]["peer"], stranger.to_string(), "{document}");
}
