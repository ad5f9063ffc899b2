//! Peers that do with a record what they like: what "stored", "confirmed" and "verified" say of each way, and what the peers
//! really hold. On real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::future::poll_fn;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::{StreamMuxerBox, SubstreamBox};
use libp2p::core::transport::{ListenerId, TransportEvent};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{Transport, noise, tcp, yamux};
use parsec_dht::{Dht, Node, Readiness};
use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::{Cid, Content, OutcomeClass};
use parsec_test_support::node::{on_loopback, until};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many peers there are, all of one kind.
const PEERS: usize = 4;

/// What a peer does with ADD_PROVIDER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It keeps the record and ends the stream, as Go and Rust do.
    Keeps,
    /// It keeps the record and sends the message back, as one specification has it.
    Echoes,
    /// It keeps the record and never ends the stream.
    LeavesOpen,
    /// It does not keep the record, and breaks the stream off together with its connection.
    BreaksOff,
    /// It ends the stream as one that keeps the record does, and does not keep it.
    Forgets,
}

/// Provider records: what stands behind the key in ADD_PROVIDER, which is how GET_PROVIDERS is answered.
type Records = Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>;

/// A peer that speaks just enough; returns its address.
async fn peer(way: Way, records: &Records) -> String {
    let keypair = Keypair::generate_ed25519();
    let noise = noise::Config::new(&keypair).unwrap();
    let tcp = tcp::tokio::Transport::new(tcp::Config::default()).upgrade(Version::V1Lazy).authenticate(noise);
    let mut transport = tcp.multiplex(yamux::Config::default()).boxed();
    transport.listen_on(ListenerId::next(), "/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let Some(TransportEvent::NewAddress { listen_addr, .. }) = transport.next().await else { panic!("no address") };
    let records = Arc::clone(records);
    tokio::spawn(async move {
        while let Some(event) = transport.next().await {
            if let TransportEvent::Incoming { upgrade, .. } = event {
                let records = Arc::clone(&records);
                tokio::spawn(async move {
                    if let Ok((_, muxer)) = upgrade.await {
                        carry(muxer, way, records).await;
                    }
                });
            }
        }
    });
    format!("{listen_addr}/p2p/{}", keypair.public().to_peer_id())
}

/// Answers the streams of a connection until it breaks, or one of them breaks it off.
async fn carry(mut muxer: StreamMuxerBox, way: Way, records: Records) {
    let (broken_off, mut end) = mpsc::channel::<()>(1);
    let carrying = poll_fn(|context| {
        loop {
            match Pin::new(&mut muxer).poll_inbound(context) {
                Poll::Ready(Ok(stream)) => {
                    tokio::spawn(speak(stream, way, Arc::clone(&records), broken_off.clone()));
                    continue;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            match Pin::new(&mut muxer).poll(context) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    tokio::select! {
        () = carrying => {}
        _ = end.recv() => {}
    }
}

/// A text or a message with its length before it; `None` at the end of the stream.
async fn read(stream: &mut SubstreamBox) -> Option<Vec<u8>> {
    let (mut length, mut shift, mut byte) = (0_usize, 0, [0x80]);
    while byte[0] & 0x80 != 0 {
        stream.read_exact(&mut byte).await.ok()?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

async fn write(stream: &mut SubstreamBox, bytes: &[u8]) -> Option<()> {
    let (low, high) = (u8::try_from(bytes.len() & 0x7f).unwrap(), u8::try_from(bytes.len() >> 7).unwrap());
    let length = if high > 0 { vec![low | 0x80, high] } else { vec![low] };
    stream.write_all(&[length, bytes.to_vec()].concat()).await.ok()?;
    stream.flush().await.ok()
}

/// Kademlia, and no other protocol, until the other side is done or breaks it off.
async fn speak(mut stream: SubstreamBox, way: Way, records: Records, broken_off: mpsc::Sender<()>) -> Option<()> {
    let hello = read(&mut stream).await?;
    write(&mut stream, &hello).await?;
    let protocol = read(&mut stream).await?;
    if protocol != format!("{LOCAL_PROTOCOL}\n").into_bytes() {
        return write(&mut stream, b"na\n").await;
    }
    write(&mut stream, &protocol).await?;
    while let Some(message) = read(&mut stream).await {
        // The type, the key with its length, and the rest.
        let [8, kind, 0x12, length, rest @ ..] = &message[..] else { panic!("{message:x?}") };
        let (key, rest) = rest.split_at(usize::from(*length));
        match (kind, way) {
            (2, Way::BreaksOff) => {
                let _ = broken_off.send(()).await;
                // Dropped, the stream might still be ended before the connection is gone.
                return std::future::pending().await;
            }
            (2, _) => {
                if way != Way::Forgets {
                    records.lock().unwrap().insert(key.to_vec(), rest.to_vec());
                }
                if way == Way::Echoes {
                    write(&mut stream, &message).await?;
                }
            }
            (3, _) => {
                let held = records.lock().unwrap().get(key).cloned().unwrap_or_default();
                write(&mut stream, &[vec![8, 3], held].concat()).await?;
            }
            (kind, _) => write(&mut stream, &[8, *kind]).await?,
        }
    }
    if way == Way::LeavesOpen {
        return std::future::pending().await;
    }
    stream.close().await.ok()
}

async fn ready(bootstrap: Vec<String>) -> Node {
    let node = Node::start(on_loopback(bootstrap)).await.unwrap();
    let knows_all = |said| matches!(said, Readiness::Ready { routing_table_size: 4, .. }).then_some(());
    until(&node, knows_all).await;
    node
}

/// How many peers the record was stored at, how many confirmed it, and at how many it was verified.
async fn published_to_peers_that(way: Way) -> [usize; 3] {
    let records: Vec<Records> = (0..PEERS).map(|_| Records::default()).collect();
    let peers = futures::future::join_all(records.iter().map(|records| peer(way, records))).await;
    let node = ready(peers).await;
    let cid: Cid = Content::random(&mut rand::rng()).cid();
    let provided = node.provide(cid.clone(), None).await.unwrap();
    assert_eq!(provided.class, OutcomeClass::Ok, "the measurement does not wait for any of it: {provided:?}");
    let end = timeout(PATIENCE, node.next_follow_up()).await.unwrap();
    assert_eq!((end.failed, end.pending), (0, Some(0)), "{end:?}");

    let looked = node.check_record(cid.clone(), node.peer_id()).await.unwrap();
    assert!(looked.len() == PEERS && looked.iter().all(|holder| holder.answered), "{looked:?}");
    let verified = looked.iter().filter(|holder| holder.has_record).count();
    let held = records.iter().filter(|records| records.lock().unwrap().contains_key(&cid.multihash())).count();
    assert_eq!(verified, held, "{way:?}: what is verified is what they hold");

    let count = |count: u32| usize::try_from(count).unwrap();
    [count(end.stored), count(end.confirmed.unwrap()), verified]
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_keep_a_record_confirm_it_whether_they_echo_it_or_not() {
    assert_eq!(published_to_peers_that(Way::Keeps).await, [PEERS; 3]);
    assert_eq!(published_to_peers_that(Way::Echoes).await, [PEERS; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_all_peers_drop_is_stored_and_neither_confirmed_nor_verified() {
    assert_eq!(published_to_peers_that(Way::BreaksOff).await, [PEERS, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_lies_is_found_out_by_looking() {
    assert_eq!(published_to_peers_that(Way::Forgets).await, [PEERS, PEERS, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_ends_the_stream_confirms_nothing_and_may_have_the_record() {
    assert_eq!(published_to_peers_that(Way::LeavesOpen).await, [PEERS, 0, PEERS]);
}
