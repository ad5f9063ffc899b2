//! A node in server mode that looks the keys of other peers' requests up in lists.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use parsec_dht::{BadbitsReader, DeniedCidsReader, DenylistName, Denylists};
use parsec_dht::{DenylistWatch, Dht, Node, NodeConfig};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport, Region};
use parsec_measure::{Cid, Content, OutcomeClass, RequestKind};
use parsec_test_support::node::ready;
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

/// Far longer than anything here takes: reached only when something is missing.
const PATIENCE: Duration = Duration::from_secs(60);

type Told = Arc<Mutex<Vec<(DenylistName, RequestKind)>>>;

fn content(text: &str) -> Cid {
    Content::from(text.as_bytes().to_vec()).cid()
}

/// The content as a CIDv1 of codec raw, from the definition: version, codec, multihash, in base32 with its prefix.
fn raw_cid(cid: &Cid) -> String {
    let bytes = [&[0x01, 0x55][..], &cid.multihash()].concat();
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let digits = bits.chunks(5).map(|five| (0..5).fold(0, |digit, bit| digit << 1 | five.get(bit).unwrap_or(&0)));
    let letters = digits.map(|digit| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(digit)]));
    format!("b{}", letters.collect::<String>())
}

fn lists(bad: &Cid, denied: &Cid) -> Denylists {
    let digest = Sha256::digest(format!("{}/", raw_cid(bad)));
    let (mut badbits, mut denied_cids) = (BadbitsReader::default(), DeniedCidsReader::default());
    badbits.line(&format!("//{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())).unwrap();
    denied_cids.line(&format!("{denied},somebody")).unwrap();
    Denylists { badbits: Some(badbits.finish().unwrap()), denied_cids: Some(denied_cids.finish()) }
}

/// Looks again and again, on a clock that jumps.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap();
}

async fn publish(node: &Node, cid: &Cid) {
    let provided = node.provide(cid.clone(), None).await.unwrap();
    assert_eq!(provided.class, OutcomeClass::Ok, "{provided:?}");
}

/// Waits until `node` finds it.
async fn find(node: &Node, cid: &Cid) {
    until(async || node.retrieve(cid.clone()).await.unwrap().class == OutcomeClass::Ok).await;
}

#[tokio::test(start_paused = true)]
async fn what_others_ask_for_is_told_if_it_is_listed_and_nothing_else_is() {
    let config = LocalConfig { peers: 0, seed: 7, transport: LocalTransport::Memory, ..LocalConfig::default() };
    let network = LocalNetwork::start(config).await.unwrap();
    let [bad, denied, harmless] = ["bad", "denied", "harmless"].map(content);
    let told = Told::default();
    let watch = DenylistWatch::new(lists(&bad, &denied), {
        let told = Arc::clone(&told);
        move |list, request| told.lock().unwrap().push((list, request))
    });
    let newcomer = || network.newcomer(Region::EuCentral1);
    let server = Node::start(NodeConfig { server_mode: true, denylists: Some(watch), ..newcomer() }).await.unwrap();
    let bootstrap = vec![format!("/memory/{}/p2p/{}", server.port(), server.peer_id())];
    let join = || ready(NodeConfig { bootstrap: bootstrap.clone(), ..newcomer() });
    let (publisher, finder) = tokio::join!(join(), join());
    let count = |list, kind| told.lock().unwrap().iter().filter(|found| **found == (list, kind)).count();

    for cid in [&harmless, &bad, &denied] {
        publish(&publisher, cid).await;
        // What it looks for itself, until the record has come, is nobody's request.
        find(&server, cid).await;
        assert_eq!(finder.retrieve(cid.clone()).await.unwrap().class, OutcomeClass::Ok);
    }
    // Requests are looked up in their order: once this one has been, all before it have.
    publish(&publisher, &bad).await;
    until(async || count(DenylistName::Badbits, RequestKind::AddProvider) == 2).await;

    let all = told.lock().unwrap().clone();
    assert_eq!(count(DenylistName::DeniedCids, RequestKind::AddProvider), 1, "{all:?}");
    for list in [DenylistName::Badbits, DenylistName::DeniedCids] {
        assert_eq!(count(list, RequestKind::GetProviders), 1, "{all:?}");
    }
    assert_eq!(all.len(), 5, "{all:?}");
}
