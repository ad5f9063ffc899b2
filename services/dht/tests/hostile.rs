//! Peers that mean harm, on real sockets: they get no more than their share, and others are answered meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::poll_fn;
use futures::stream::FuturesUnordered;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::muxing::{StreamMuxerBox, SubstreamBox};
use libp2p::core::transport::{DialOpts, PortUse};
use libp2p::core::upgrade::Version;
use libp2p::core::{Endpoint, StreamMuxer};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport, noise, tcp, yamux};
use parsec_dht::{Dht, Node, NodeConfig, PrivatePeers};
use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::{Cid, Content, OutcomeClass};
use parsec_test_support::node::{on_loopback, ready, tcp_address};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A socket at an address from which nobody else connects.
fn at_another_address() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket
}

/// A port from which connections go on to the victim as if they came from another address.
async fn elsewhere(victim: &Node) -> u16 {
    let (detour, port) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), victim.port());
    let entrance = detour.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut here, _)) = detour.accept().await {
            tokio::spawn(async move {
                let mut there = at_another_address().connect((Ipv4Addr::LOCALHOST, port).into()).await?;
                copy_bidirectional(&mut here, &mut there).await
            });
        }
    });
    entrance
}

/// An ADD_PROVIDER as it stands on the wire: length, type 2, the key, and its provider at a public address.
fn announcement(key: &[u8], provider: &PeerId) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let address: Multiaddr = "/ip4/1.2.3.4/tcp/4001".parse().unwrap();
    let named = [field(0x0a, &provider.to_bytes()), field(0x12, &address.to_vec())].concat();
    let message = [&[0x08, 2][..], &field(0x12, key), &field(0x4a, &named)].concat();
    [&[u8::try_from(message.len()).unwrap()][..], &message].concat()
}

/// A FIND_NODE as it stands on the wire: length, type 4, a key of three bytes.
const FIND_NODE: &[u8] = &[7, 0x08, 4, 0x12, 3, 0x12, 0x20, 7];

/// Who is attacked.
async fn victim() -> Node {
    // On a public network, so that everything which holds there holds here.
    let config = NodeConfig { server_mode: true, private_peers: PrivatePeers::Ignore, ..on_loopback(vec![]) };
    Node::start(config).await.unwrap()
}

/// Somebody who uses the victim as a DHT server. It comes anew for each question.
async fn is_served(victim: &Node) {
    let served = async {
        let node = ready(on_loopback(vec![tcp_address(victim)])).await;
        let cid: Cid = Content::random(&mut rand::rng()).cid();
        let provided = node.provide(cid, None).await.unwrap();
        assert_eq!((provided.class, provided.effort.holders_stored), (OutcomeClass::Ok, Some(1)), "{provided:?}");
    };
    timeout(PATIENCE, served).await.unwrap();
}

/// A wish for a stream; answered with nothing once the connection is gone.
type Wish = oneshot::Sender<SubstreamBox>;

/// A peer that says whatever a test wants.
struct Attacker {
    peer: PeerId,
    wishes: mpsc::UnboundedSender<Wish>,
}

impl Attacker {
    /// One with a fresh identity, connected over TCP, noise and yamux.
    async fn connect(victim: &Node) -> Self {
        Self::connect_to(victim.port()).await.unwrap()
    }

    /// The same with whoever listens at this port; `None` if it hangs up.
    async fn connect_to(port: u16) -> Option<Self> {
        let keypair = Keypair::generate_ed25519();
        let noise = noise::Config::new(&keypair).unwrap();
        let tcp = tcp::tokio::Transport::new(tcp::Config::default()).upgrade(Version::V1).authenticate(noise);
        let mut transport = tcp.multiplex(yamux::Config::default()).boxed();
        let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let (_, muxer) = transport.dial(address, options).unwrap().await.ok()?;
        let (wishes, wished) = mpsc::unbounded_channel();
        tokio::spawn(Self::carry(muxer, wished));
        Some(Self { peer: keypair.public().to_peer_id(), wishes })
    }

    /// Keeps the connection going and opens what is wished for, until it breaks or nobody wants it any more.
    async fn carry(mut muxer: StreamMuxerBox, mut wished: mpsc::UnboundedReceiver<Wish>) {
        let mut next: Option<Wish> = None;
        poll_fn(|context| {
            // The victim's own questions get no answer.
            while let Poll::Ready(stream) = Pin::new(&mut muxer).poll_inbound(context) {
                if stream.is_err() {
                    return Poll::Ready(());
                }
            }
            loop {
                if next.is_none() {
                    match wished.poll_recv(context) {
                        Poll::Ready(Some(wish)) => next = Some(wish),
                        Poll::Ready(None) => return Poll::Ready(()),
                        Poll::Pending => break,
                    }
                }
                match Pin::new(&mut muxer).poll_outbound(context) {
                    Poll::Ready(Ok(stream)) => drop(next.take().unwrap().send(stream)),
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            match Pin::new(&mut muxer).poll(context) {
                Poll::Ready(Err(_)) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// A stream on which Kademlia is spoken; `None` if the victim will have none of it.
    async fn open(&self) -> Option<SubstreamBox> {
        let (wish, opened) = oneshot::channel();
        self.wishes.send(wish).ok()?;
        let mut stream = opened.await.ok()?;
        let line = |text: &str| [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes(), b"\n"].concat();
        let hello = [line("/multistream/1.0.0"), line(LOCAL_PROTOCOL)].concat();
        stream.write_all(&hello).await.ok()?;
        stream.flush().await.ok()?;
        let mut echo = vec![0; hello.len()];
        stream.read_exact(&mut echo).await.ok()?;
        assert_eq!(echo, hello);
        Some(stream)
    }
}

/// Whether a request is answered on this stream.
async fn is_answered(stream: &mut SubstreamBox) -> bool {
    let asked = stream.write_all(FIND_NODE).await.is_ok() && stream.flush().await.is_ok();
    // The length of the answer comes first.
    asked && stream.read_exact(&mut [0]).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_streams_of_one_connection_at_most_32_are_served_and_others_are_answered() {
    let victim = victim().await;
    let attacker = Attacker::connect(&victim).await;
    let opened = futures::future::join_all((0..1_000).map(|_| attacker.open()));
    let (streams, ()) = timeout(PATIENCE, async { tokio::join!(opened, is_served(&victim)) }).await.unwrap();
    let mut streams: Vec<_> = streams.into_iter().flatten().collect();
    let asked = futures::future::join_all(streams.iter_mut().map(is_answered));
    let answered = timeout(PATIENCE, asked).await.unwrap().into_iter().filter(|answered| *answered).count();
    assert!(answered <= 32, "{answered} streams are served");
    is_served(&victim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_peers_at_one_address_at_most_128_are_served_and_others_are_answered() {
    let victim = victim().await;
    let elsewhere = elsewhere(&victim).await;
    let mut attackers = Vec::new();
    for _ in 0..200 {
        attackers.extend(Attacker::connect_to(elsewhere).await);
    }
    let asks = async |attacker: &Attacker| match attacker.open().await {
        Some(mut stream) => is_answered(&mut stream).await,
        None => false,
    };
    let asked = timeout(PATIENCE, futures::future::join_all(attackers.iter().map(asks))).await.unwrap();
    let served = asked.into_iter().filter(|served| *served).count();
    assert!((1..=128).contains(&served), "{served} peers are served");
    is_served(&victim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_records_from_one_address_leaves_those_of_others_where_they_are() {
    let victim = victim().await;
    let cid: Cid = Content::random(&mut rand::rng()).cid();
    // Somebody announces one thing, and then the flood comes: more than there is room for.
    let other = Attacker::connect(&victim).await;
    let attacker = Attacker::connect_to(elsewhere(&victim).await).await.unwrap();
    let flood = (0..70_000_u32).map(|key| key.to_be_bytes().to_vec()).collect();
    for (peer, keys) in [(other, vec![cid.multihash()]), (attacker, flood)] {
        let mut stream = peer.open().await.unwrap();
        for key in keys {
            stream.write_all(&announcement(&key, &peer.peer)).await.unwrap();
        }
        // All have been read: what comes after them on the same stream is answered.
        assert!(timeout(PATIENCE, is_answered(&mut stream)).await.unwrap());
    }
    let asker = ready(on_loopback(vec![tcp_address(&victim)])).await;
    let found = timeout(PATIENCE, asker.retrieve(cid)).await.unwrap().unwrap();
    assert_eq!(found.class, OutcomeClass::Ok, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_ends_its_stream_and_nothing_else() {
    let victim = victim().await;
    let attacker = Attacker::connect(&victim).await;
    let mut sound = attacker.open().await.unwrap();
    assert!(is_answered(&mut sound).await);
    // A length of 2^63, one byte more than is read, a length without end, a message that is none, a type that is none.
    let one_too_many = [0x81, 0x80, 0x04];
    for garbage in [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f][..],
        &one_too_many,
        &[0xff; 64],
        &[4, 0xff, 0xff, 0xff, 0xff],
        &[2, 0x08, 99],
    ] {
        let mut stream = attacker.open().await.unwrap();
        let _ = stream.write_all(garbage).await;
        let _ = stream.flush().await;
        let end = timeout(PATIENCE, stream.read(&mut [0])).await.unwrap();
        assert!(matches!(end, Ok(0) | Err(_)), "{garbage:x?}: {end:?}");
    }
    assert!(is_answered(&mut sound).await, "the connection stands");
    is_served(&victim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_never_reads_is_not_read_either() {
    let victim = victim().await;
    let attacker = Attacker::connect(&victim).await;
    let mut stream = attacker.open().await.unwrap();
    let many = FIND_NODE.repeat(4 << 20);
    let asking = async { (stream.write_all(&many).await, stream.flush().await) };
    let (asked, ()) = tokio::join!(timeout(Duration::from_secs(5), asking), is_served(&victim));
    assert!(!matches!(asked, Ok((Ok(()), Ok(())))), "32 MiB of requests were read, and their answers kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_many_silent_sockets_does_not_keep_others_out() {
    let victim = victim().await;
    let call = async |_| -> TcpStream {
        at_another_address().connect((Ipv4Addr::LOCALHOST, victim.port()).into()).await.unwrap()
    };
    let silent = futures::future::join_all((0..300).map(call)).await;
    // 32 of one address may be about to say who they are. Whoever says nothing is waited for 15 s.
    let mut sent_away: FuturesUnordered<_> = silent
        .iter()
        .map(async |socket| {
            socket.readable().await.unwrap();
            socket.try_read(&mut [0; 1])
        })
        .collect();
    let all_but_32 = async {
        for _ in 32..300 {
            let end = sent_away.next().await.unwrap();
            assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        }
    };
    timeout(Duration::from_secs(10), all_but_32).await.unwrap();
    is_served(&victim).await;
}
