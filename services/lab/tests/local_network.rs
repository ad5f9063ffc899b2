//! Measuring nodes on a network of real peers, over loopback TCP and QUIC.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use parsec_dht::{Dht, Node, NodeConfig, Readiness, StartError};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport};
use parsec_measure::{AttemptId, Cid, Content, FoundProvider, Measured, OutcomeClass, RequestKind, StrategyKind};
use parsec_test_support::node::{on_loopback as config, ready};
use tokio::time::timeout;

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn network(peers: usize, transport: LocalTransport) -> LocalNetwork {
    LocalNetwork::start(LocalConfig { peers, seed: 7, transport, ..LocalConfig::default() }).await.unwrap()
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
    names_the_publisher(&found, &publisher);
}

/// A search says whom it found, where, and who of those that it asked said so; the trace says the same.
fn names_the_publisher(found: &Measured, publisher: &Node) {
    let [provider] = &found.providers[..] else { panic!("{:?}", found.providers) };
    assert_eq!(provider.peer, publisher.peer_id());
    let port = format!("/{}", publisher.port());
    assert!(provider.addresses.iter().any(|address| address.contains(&port)), "{provider:?}");
    let trace = found.trace.as_ref().unwrap();
    let by: Vec<_> = trace.requests.iter().filter(|request| request.providers > 0).collect();
    assert!(by.iter().any(|request| Some(&request.peer) == provider.named_by.as_ref()), "{provider:?} {by:#?}");
    assert!(trace.named().contains(provider), "{by:#?}");
    assert!(by.iter().all(|request| request.named.len() == request.providers as usize), "{by:#?}");
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
async fn an_optimistic_publication_returns_early_and_reports_the_rest_later() {
    let network = network(60, LocalTransport::Tcp).await;
    let optimistic = NodeConfig { strategy: StrategyKind::Optprov, ..config(network.bootstrap()) };
    let (publisher, finder) = tokio::join!(ready(optimistic), ready(config(network.bootstrap())));
    let size = match publisher.readiness().await.unwrap() {
        Readiness::Ready { network_size, .. } => network_size.unwrap(),
        Readiness::NotReady(reason) => panic!("{reason}"),
    };
    assert!((30..=120).contains(&size), "60 peers, estimated {size}");
    for _ in 0..10 {
        let (cid, attempt) = (fresh(), Some(AttemptId::fresh()));
        let provided = publisher.provide(cid.clone(), attempt).await.unwrap();
        assert_eq!((provided.class, &provided.fallback), (OutcomeClass::Ok, &None), "{provided:?}");
        assert!(provided.network_size.is_some());
        let effort = provided.effort;
        let [stored, failed, pending] =
            [effort.holders_stored, effort.holders_failed, effort.holders_pending].map(Option::unwrap);
        assert!(stored + failed >= 15 && stored + failed + pending >= 20, "{effort:?}");
        assert_eq!(finder.retrieve(cid.clone()).await.unwrap().class, OutcomeClass::Ok);
        let follow_up = timeout(PATIENCE, publisher.next_follow_up()).await.unwrap();
        assert_eq!((follow_up.cid, follow_up.attempt), (cid.to_string(), attempt));
        assert_eq!(follow_up.stored + follow_up.failed, stored + failed + pending);
        assert!(follow_up.duration >= provided.duration);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_size_an_optimistic_publication_is_made_the_classic_way_and_says_why() {
    let network = network(12, LocalTransport::Tcp).await;
    let optimistic = NodeConfig { strategy: StrategyKind::Optprov, ..config(network.bootstrap()) };
    let provided = ready(optimistic).await.provide(fresh(), None).await.unwrap();
    assert_eq!((provided.class, provided.effort.holders_stored), (OutcomeClass::Ok, Some(12)));
    assert!(provided.fallback.unwrap().starts_with("network size unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_routing_table_knows_everybody_before_it_is_ready_and_asks_the_closest_at_once() {
    let network = network(60, LocalTransport::Tcp).await;
    let full = || NodeConfig { strategy: StrategyKind::Fullrt, ..config(network.bootstrap()) };
    let (publisher, finder) = tokio::join!(ready(full()), ready(full()));
    let known = Readiness::Ready { routing_table_size: 60, network_size: Some(60) };
    assert_eq!(publisher.readiness().await.unwrap(), known);
    assert_eq!(publisher.crawl().await, Some(60), "and again on demand");

    let cid = fresh();
    let provided = publisher.provide(cid.clone(), None).await.unwrap();
    assert_eq!((provided.class, &provided.error), (OutcomeClass::Ok, &None));
    let trace = provided.trace.unwrap();
    assert!(trace.requests.iter().all(|request| request.kind == RequestKind::AddProvider && request.hop == 0));
    assert_eq!(trace.requests.len(), 20);
    assert_eq!(timeout(PATIENCE, publisher.next_follow_up()).await.unwrap().stored, 20);
    let found = finder.retrieve(cid).await.unwrap();
    assert_eq!((found.class, found.routing_table_size), (OutcomeClass::Ok, 60));
    names_the_publisher(&found, &publisher);
    assert_eq!(finder.retrieve(fresh()).await.unwrap().class, OutcomeClass::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_that_meets_nobody_does_not_replace_the_one_before_it() {
    let network = network(40, LocalTransport::Tcp).await;
    let node = ready(NodeConfig { strategy: StrategyKind::Fullrt, ..config(network.bootstrap()) }).await;
    let known = Readiness::Ready { routing_table_size: 40, network_size: Some(40) };
    assert_eq!(node.readiness().await.unwrap(), known);
    drop(network);
    assert_eq!(timeout(PATIENCE, node.crawl()).await.unwrap(), Some(0));
    assert_eq!(node.readiness().await.unwrap(), known);
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_libp2ps_own_lookups_are_measured_as_they_are_and_its_records_really_arrive() {
    let network = network(60, LocalTransport::Tcp).await;
    let own_walk = || NodeConfig { strategy: StrategyKind::Libp2p, ..config(network.bootstrap()) };
    let (publisher, finder) = tokio::join!(ready(own_walk()), ready(own_walk()));
    let cid = fresh();

    let provided = publisher.provide(cid.clone(), None).await.unwrap();
    assert_eq!((provided.class, &provided.error), (OutcomeClass::Ok, &None));
    assert_eq!(provided.effort.holders_stored, Some(20));
    let trace = provided.trace.unwrap();
    let count = |kind| trace.requests.iter().filter(|request| request.kind == kind).count();
    assert!(count(RequestKind::FindNode) >= 20, "libp2p asks until the 20 closest have answered: {trace:#?}");
    assert_eq!(count(RequestKind::AddProvider), 20);
    assert!(trace.requests.iter().all(|request| request.ended <= Some(trace.returned)), "{trace:#?}");

    let found = finder.retrieve(cid).await.unwrap();
    assert_eq!((found.class, &found.error), (OutcomeClass::Ok, &None));
    // Where they are and who said so it keeps to itself.
    let provider = FoundProvider { peer: publisher.peer_id(), addresses: vec![], named_by: None };
    assert_eq!(found.providers, [provider]);
    assert!(found.trace.unwrap().requests.iter().all(|request| request.kind == RequestKind::GetProviders));
    let missed = finder.retrieve(fresh()).await.unwrap();
    assert_eq!((missed.class, missed.error.as_deref()), (OutcomeClass::NotFound, Some("not found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_published_is_not_found() {
    let network = network(40, LocalTransport::Tcp).await;
    let node = ready(config(network.bootstrap())).await;
    let result = node.retrieve(fresh()).await.unwrap();
    assert_eq!((result.class, result.error.as_deref()), (OutcomeClass::NotFound, Some("not found")));
    assert_eq!(result.providers, []);
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
async fn of_a_server_that_joins_newcomers_are_told_and_of_a_client_nobody_is() {
    let network = network(30, LocalTransport::Tcp).await;
    let joining = || config(network.bootstrap());
    let _client = ready(joining()).await;
    let _server = ready(NodeConfig { server_mode: true, ..joining() }).await;
    let told = async {
        loop {
            let newcomer = ready(NodeConfig { strategy: StrategyKind::Fullrt, ..joining() }).await;
            let known = newcomer.retrieve(fresh()).await.unwrap().routing_table_size;
            assert!((30..=31).contains(&known), "{known}");
            if known == 31 {
                return;
            }
        }
    };
    timeout(PATIENCE, told).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_provides_itself_it_finds_at_home() {
    let network = network(30, LocalTransport::Tcp).await;
    let node = ready(config(network.bootstrap())).await;
    let cid = fresh();
    node.provide(cid.clone(), None).await.unwrap();
    let found = node.retrieve(cid).await.unwrap();
    assert_eq!((found.class, found.effort.rpcs), (OutcomeClass::Ok, Some(0)));
    assert!(found.from_own_records);
    assert_eq!(found.providers.into_iter().map(|provider| provider.peer).collect::<Vec<_>>(), [node.peer_id()]);
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
    // The task of QUIC closes its socket in its own time.
    let free = async {
        loop {
            match Node::start(again.clone()).await {
                Ok(node) => return node.port(),
                Err(StartError::Listen { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    assert_eq!(timeout(PATIENCE, free).await.unwrap(), node.port());
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
        (wrong(|c| c.protocols = vec!["kad".into()]), "protocol id `kad`"),
    ] {
        let message = Node::start(config).await.unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}
