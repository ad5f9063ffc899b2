//! Peers that speak Kademlia over TCP and break what they began, each in its own way. Those that answer name all others.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use futures::future::poll_fn;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::{StreamMuxerBox, SubstreamBox};
use libp2p::core::transport::{Boxed, ListenerId, TransportEvent};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport, noise, tcp, yamux};
use parsec_lab::LOCAL_PROTOCOL;
use tokio::sync::{Notify, oneshot};

/// What a peer does when it has read a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    AnswersAndCloses,
    AnswersAndResets,
    AnswersTwice,
    Closes,
    Resets,
    SendsHalfAFrame,
    Babbles,
    Echoes,
    HangsUp,
    AnswersOnceInTwo,
}

const ALL: [Manner; 10] = [
    Manner::AnswersAndCloses,
    Manner::AnswersAndResets,
    Manner::AnswersTwice,
    Manner::Closes,
    Manner::Resets,
    Manner::SendsHalfAFrame,
    Manner::Babbles,
    Manner::Echoes,
    Manner::HangsUp,
    Manner::AnswersOnceInTwo,
];

type Others = Arc<OnceLock<Vec<(PeerId, Multiaddr)>>>;

/// Starts one of each; their addresses, `/p2p/…` included. They live as long as the runtime.
pub(crate) async fn one_of_each() -> Vec<String> {
    let others = Others::default();
    let mut all = Vec::new();
    for manner in ALL {
        all.push(start(manner, Arc::clone(&others)).await);
    }
    others.set(all.clone()).expect("it is set once");
    all.into_iter().map(|(peer, address)| address.with_p2p(peer).expect("it has none yet").to_string()).collect()
}

async fn start(manner: Manner, others: Others) -> (PeerId, Multiaddr) {
    let keypair = Keypair::generate_ed25519();
    let noise = noise::Config::new(&keypair).unwrap();
    let tcp = tcp::tokio::Transport::new(tcp::Config::default()).upgrade(Version::V1).authenticate(noise);
    let mut transport = tcp.multiplex(yamux::Config::default()).boxed();
    transport.listen_on(ListenerId::next(), "/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let (listening, address) = oneshot::channel();
    tokio::spawn(accept(transport, listening, manner, others));
    (keypair.public().to_peer_id(), address.await.unwrap())
}

async fn accept(
    mut transport: Boxed<(PeerId, StreamMuxerBox)>,
    listening: oneshot::Sender<Multiaddr>,
    manner: Manner,
    others: Others,
) {
    let mut listening = Some(listening);
    loop {
        match poll_fn(|context| Pin::new(&mut transport).poll(context)).await {
            TransportEvent::NewAddress { listen_addr, .. } => {
                listening.take().map(|listening| listening.send(listen_addr));
            }
            TransportEvent::Incoming { upgrade, .. } => {
                let others = Arc::clone(&others);
                tokio::spawn(async move {
                    if let Ok((_, muxer)) = upgrade.await {
                        carry(muxer, manner, others).await;
                    }
                });
            }
            _ => {}
        }
    }
}

/// Keeps a connection going until it breaks, or a request makes the peer hang up.
async fn carry(mut muxer: StreamMuxerBox, manner: Manner, others: Others) {
    let hang_up = Arc::new(Notify::new());
    let carrying = poll_fn(|context| {
        loop {
            match Pin::new(&mut muxer).poll_inbound(context) {
                Poll::Ready(Ok(stream)) => {
                    let (others, hang_up) = (Arc::clone(&others), Arc::clone(&hang_up));
                    tokio::spawn(async move {
                        if speak(stream, manner, others).await == Some(Then::HangUp) {
                            hang_up.notify_one();
                        }
                    });
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        match Pin::new(&mut muxer).poll(context) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    });
    tokio::select! {
        () = carrying => {}
        () = hang_up.notified() => {}
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Then {
    HangUp,
}

/// `None` when the stream is over.
async fn speak(mut stream: SubstreamBox, manner: Manner, others: Others) -> Option<Then> {
    let line = |text: &str| [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes(), b"\n"].concat();
    frame(&mut stream).await?;
    stream.write_all(&line("/multistream/1.0.0")).await.ok()?;
    let wanted = frame(&mut stream).await?;
    if wanted != format!("{LOCAL_PROTOCOL}\n").as_bytes() {
        stream.write_all(&line("na")).await.ok()?;
        stream.flush().await.ok()?;
        return None;
    }
    stream.write_all(&line(LOCAL_PROTOCOL)).await.ok()?;
    stream.flush().await.ok()?;
    let mut requests = 0;
    loop {
        let request = frame(&mut stream).await?;
        let answer = answer(&request, others.get().map(Vec::as_slice).unwrap_or_default());
        requests += 1;
        match manner {
            Manner::AnswersTwice => stream.write_all(&answer.repeat(2)).await.ok()?,
            Manner::AnswersOnceInTwo if requests % 2 == 1 => stream.write_all(&answer).await.ok()?,
            Manner::AnswersAndCloses | Manner::AnswersAndResets => stream.write_all(&answer).await.ok()?,
            Manner::SendsHalfAFrame => stream.write_all(&answer[..answer.len() / 2]).await.ok()?,
            Manner::Babbles => stream.write_all(b"\x05hello").await.ok()?,
            Manner::Echoes => stream.write_all(&framed(&request)).await.ok()?,
            Manner::Closes | Manner::Resets | Manner::HangsUp | Manner::AnswersOnceInTwo => {}
        }
        stream.flush().await.ok()?;
        match manner {
            Manner::HangsUp => return Some(Then::HangUp),
            // Dropping it resets it.
            Manner::AnswersAndResets | Manner::Resets => return None,
            Manner::AnswersAndCloses | Manner::Closes | Manner::SendsHalfAFrame => {
                stream.close().await.ok()?;
                return None;
            }
            Manner::AnswersOnceInTwo if requests % 2 == 0 => return None,
            Manner::AnswersTwice | Manner::Babbles | Manner::Echoes | Manner::AnswersOnceInTwo => {}
        }
    }
}

/// One message behind its length.
async fn frame(stream: &mut SubstreamBox) -> Option<Vec<u8>> {
    let mut length = 0_usize;
    for shift in [0, 7, 14] {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn framed(message: &[u8]) -> Vec<u8> {
    [varint(message.len()), message.to_vec()].concat()
}

/// A field of bytes in protobuf.
fn field(number: usize, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), framed(bytes)].concat()
}

/// Says of the request's type that these peers are closer.
fn answer(request: &[u8], others: &[(PeerId, Multiaddr)]) -> Vec<u8> {
    let kind = request.get(..2).filter(|start| start[0] == 0x08).map_or(4, |start| start[1]);
    let peer = |(id, address): &(PeerId, Multiaddr)| {
        field(8, &[field(1, &id.to_bytes()), field(2, &address.to_vec())].concat())
    };
    framed(&[vec![0x08, kind], others.iter().flat_map(peer).collect()].concat())
}
