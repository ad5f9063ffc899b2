//! Peers of every kind of key and transport can be joined, and what cannot be dialled is said to be that.

use std::sync::Arc;

use libp2p::identity::Keypair;
use parsec_dht::{Dht, Internet, Node, NodeConfig};
use parsec_measure::{Measured, OutcomeClass, RequestEnd, StrategyKind};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::peer::{Carrier, Named, Stranger, naming};
use super::{config, fresh, ready, reason};

/// An RSA key of 2,048 bits (PKCS #8), made for these tests: keys of this type cannot be made here.
const RSA: &[u8] = include_bytes!("rsa.pk8");

fn keys() -> [(&'static str, Keypair); 4] {
    [
        ("Ed25519", Keypair::generate_ed25519()),
        ("secp256k1", Keypair::generate_secp256k1()),
        ("ECDSA", Keypair::generate_ecdsa()),
        ("RSA", Keypair::rsa_from_pkcs8(&mut RSA.to_vec()).unwrap()),
    ]
}

async fn publishes(node: &Node) -> Measured {
    ready(node).await;
    node.provide(fresh(), None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_a_key_of_any_type_lets_us_in_over_tcp_and_over_quic() {
    for (what, keypair) in keys() {
        for carrier in [Carrier::tcp(keypair.clone()), Carrier::quic(keypair.clone())] {
            let peer = Stranger::over(&carrier, "-", |_| naming(vec![])).await;
            for strategy in StrategyKind::ALL {
                let node = Node::start(config(vec![peer.address.clone()], strategy)).await.unwrap();
                let published = publishes(&node).await;
                assert_eq!(published.effort.holders_stored, Some(1), "{what} {}: {published:?}", peer.address);
            }
        }
    }
}

/// An authority, and a key with the certificate that it has made out for this machine.
fn authority() -> (Vec<u8>, (Vec<u8>, Vec<u8>)) {
    let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new([]).unwrap());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let (own, names) = (KeyPair::generate().unwrap(), vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
    let certificate = CertificateParams::new(names).unwrap().signed_by(&own, &authority, &key).unwrap();
    (authority.der().to_vec(), (own.serialize_der(), certificate.der().to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_behind_a_web_server_are_dialled_and_a_certificate_has_to_come_from_somebody_we_trust() {
    let (trusted, tls) = authority();
    let plain = Stranger::over(&Carrier::web("/ip4/127.0.0.1/tcp/0/ws", None), "-", |_| naming(vec![])).await;
    let secure = Carrier::web("/ip4/127.0.0.1/tcp/0/tls/ws", Some(tls));
    let secure = Stranger::over(&secure, "-", |_| naming(vec![])).await;
    let by_name = secure.address.replace("/ip4/127.0.0.1/", "/dns4/localhost/").replace("/tls/ws", "/wss");
    for strategy in StrategyKind::ALL {
        for address in [&plain.address, &secure.address, &by_name] {
            let trusting = NodeConfig {
                underlay: Arc::new(Internet { authorities: vec![trusted.clone()] }),
                ..config(vec![address.clone()], strategy)
            };
            let published = publishes(&Node::start(trusting).await.unwrap()).await;
            assert_eq!(published.effort.holders_stored, Some(1), "{address}: {published:?}");
        }
        let node = Node::start(config(vec![secure.address.clone()], strategy)).await.unwrap();
        reason(&node, "dial failed: invalid peer certificate: UnknownIssuer").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_offers_only_what_we_cannot_dial_is_neither_dead_nor_dialled() {
    let unreachable = Named::invented(
        ["/ip4/127.0.0.1/udp/1/quic-v1/webtransport", "/ip4/127.0.0.1/udp/1/webrtc-direct"]
            .map(|address| address.parse::<libp2p::Multiaddr>().unwrap().to_vec())
            .to_vec(),
    );
    for strategy in [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Libp2p] {
        let named = unreachable.clone();
        let peer = Stranger::start("-", move |_| naming(vec![named.clone()])).await;
        let node = Node::start(config(vec![peer.address.clone()], strategy)).await.unwrap();
        let published = publishes(&node).await;
        assert_eq!((published.class, published.effort.dials_failed), (OutcomeClass::Ok, Some(0)), "{published:?}");
        let trace = published.trace.unwrap();
        let others: Vec<_> = trace.requests.iter().filter(|request| !peer.address.ends_with(&request.peer)).collect();
        assert!(!others.is_empty(), "{strategy}: {trace:?}");
        for request in others {
            assert_eq!((request.end, request.dialled), (RequestEnd::NoTransport, None), "{strategy}: {request:?}");
            let words = request.error.as_deref().unwrap();
            assert_eq!(words, "not dialled: the peer offers only webtransport, webrtc-direct", "{strategy}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_peer_that_cannot_be_dialled_is_said_to_be_that() {
    let id = parsec_dht::Identity::generate().peer_id();
    let address = format!("/ip4/127.0.0.1/udp/1/quic-v1/webtransport/p2p/{id}");
    for strategy in StrategyKind::ALL {
        let node = Node::start(config(vec![address.clone()], strategy)).await.unwrap();
        reason(&node, "offers only webtransport").await;
    }
}
