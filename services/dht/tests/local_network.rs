//! Measuring nodes on a network of real peers, over loopback TCP and QUIC.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::Ipv4Addr;
use std::time::Duration;

use parsec_dht::{
    Dht, Identity, LOCAL_PROTOCOL, LocalConfig, LocalNetwork, LocalTransport, Node, NodeConfig, Readiness, StartError,
};
use parsec_measure::{Cid, Content, OutcomeClass};
use tokio::time::timeout;

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn network(peers: usize, transport: LocalTransport) -> LocalNetwork {
    LocalNetwork::start(LocalConfig { peers, seed: 7, transport }).await.unwrap()
}

fn config(bootstrap: Vec<String>) -> NodeConfig {
    NodeConfig {
        identity: Identity::generate(),
        listen_ip: Ipv4Addr::LOCALHOST.into(),
        listen_port: 0,
        external_addresses: vec![],
        protocol: LOCAL_PROTOCOL.to_owned(),
        bootstrap,
        server_mode: false,
        alpha: 10,
        operation_timeout: PATIENCE,
    }
}

async fn ready(config: NodeConfig) -> Node {
    let node = Node::start(config).await.unwrap();
    timeout(PATIENCE, async {
        while let Readiness::NotReady(_) = node.readiness().await.unwrap() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    node
}

fn fresh() -> Cid {
    Content::random(&mut rand::rng()).cid()
}

async fn what_one_publishes_another_finds(transport: LocalTransport) {
    let network = network(60, transport).await;
    let (publisher, finder) = tokio::join!(ready(config(network.bootstrap())), ready(config(network.bootstrap())));
    let cid = fresh();

    let provided = publisher.provide(cid.clone(), None).await.unwrap();
    assert_eq!((provided.class, &provided.error), (OutcomeClass::Ok, &None));
    assert_eq!(provided.effort.holders_stored, Some(20));
    assert!(provided.effort.rpcs.unwrap() >= 40, "20 asked and 20 served: {:?}", provided.effort);
    assert_eq!((provided.effort.rpcs_failed, provided.effort.dials_failed), (Some(0), Some(0)));
    assert!(provided.routing_table_size > 0 && provided.duration > Duration::ZERO);
    assert_eq!(provided.steps[0].step, "provide");

    let found = finder.retrieve(cid).await.unwrap();
    assert_eq!((found.class, &found.error), (OutcomeClass::Ok, &None));
    assert_eq!(found.steps[0].step, "retrieval");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_publishes_another_finds_over_tcp() {
    what_one_publishes_another_finds(LocalTransport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_publishes_another_finds_over_quic() {
    what_one_publishes_another_finds(LocalTransport::Quic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_published_is_not_found() {
    let network = network(40, LocalTransport::Tcp).await;
    let node = ready(config(network.bootstrap())).await;
    let result = node.retrieve(fresh()).await.unwrap();
    assert_eq!((result.class, result.error.as_deref()), (OutcomeClass::NotFound, Some("not found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measuring_node_in_server_mode_holds_the_records_of_others() {
    let server = Node::start(NodeConfig { server_mode: true, ..config(vec![]) }).await.unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", server.port(), server.peer_id());
    let (publisher, finder) = tokio::join!(ready(config(vec![address.clone()])), ready(config(vec![address])));
    let cid = fresh();
    assert_eq!(publisher.provide(cid.clone(), None).await.unwrap().effort.holders_stored, Some(1));
    // ADD_PROVIDER has no answer: written is not yet held.
    timeout(PATIENCE, async { while finder.retrieve(cid.clone()).await.unwrap().class != OutcomeClass::Ok {} })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_provides_itself_it_finds_at_home() {
    let network = network(30, LocalTransport::Tcp).await;
    let node = ready(config(network.bootstrap())).await;
    let cid = fresh();
    node.provide(cid.clone(), None).await.unwrap();
    let found = node.retrieve(cid).await.unwrap();
    assert_eq!((found.class, found.effort.rpcs), (OutcomeClass::Ok, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_peers_is_not_ready_and_says_so_in_every_way() {
    let node = Node::start(config(vec![])).await.unwrap();
    assert_eq!(node.readiness().await.unwrap(), Readiness::NotReady("the routing table is empty".into()));
    for result in [node.provide(fresh(), None).await.unwrap(), node.retrieve(fresh()).await.unwrap()] {
        assert_eq!(result.class, OutcomeClass::NoPeers);
        assert_eq!(result.error.as_deref(), Some("failed to find any peer in table"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_network_has_gone_the_failure_says_so() {
    let network = network(30, LocalTransport::Tcp).await;
    let node = ready(config(network.bootstrap())).await;
    drop(network);
    let provided = node.provide(fresh(), None).await.unwrap();
    assert_ne!(provided.class, OutcomeClass::Ok, "{provided:?}");
    assert_eq!(provided.effort.holders_stored, Some(0));
    assert!(provided.error.unwrap().contains("record stored at no peer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_ends_with_its_time_limit() {
    let network = network(30, LocalTransport::Tcp).await;
    let limit = Duration::from_micros(50);
    let node = ready(NodeConfig { operation_timeout: limit, ..config(network.bootstrap()) }).await;
    let result = node.retrieve(fresh()).await.unwrap();
    assert_eq!(result.class, OutcomeClass::Timeout);
    assert!(result.error.unwrap().starts_with("context deadline exceeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_frees_its_port_and_says_that_it_is_gone() {
    let node = Node::start(config(vec![])).await.unwrap();
    let again = NodeConfig { listen_port: node.port(), ..config(vec![]) };
    let taken = Node::start(again.clone()).await.unwrap_err();
    assert!(matches!(taken, StartError::Listen { .. }), "{taken}");
    assert!(taken.to_string().contains(&node.port().to_string()), "{taken}");
    node.stop().await;
    assert_eq!(timeout(PATIENCE, node.died()).await.unwrap(), "the node was stopped");
    assert!(node.readiness().await.is_err());
    assert_eq!(Node::start(again).await.unwrap().port(), node.port());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_protocols_that_are_none_are_named() {
    let wrong = |change: fn(&mut NodeConfig)| {
        let mut config = config(vec![]);
        change(&mut config);
        config
    };
    for (config, part) in [
        (wrong(|c| c.bootstrap = vec!["nonsense".into()]), "bootstrap peer `nonsense`"),
        (wrong(|c| c.bootstrap = vec!["/ip4/127.0.0.1/tcp/1".into()]), "/p2p/"),
        (wrong(|c| c.external_addresses = vec!["1.2.3.4".into()]), "external address `1.2.3.4`"),
        (wrong(|c| c.protocol = "kad".into()), "protocol id `kad`"),
    ] {
        let message = Node::start(config).await.unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}
