//! A peer that is dialled over TCP as any other, speaks identify, and answers Kademlia requests however a test likes.

#![allow(clippy::unwrap_used, reason = "what only a test uses fails with it")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::future::poll_fn;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::{StreamMuxerBox, SubstreamBox};
use libp2p::core::transport::{Boxed, ListenerId, TransportEvent};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::websocket::{self, tls};
use libp2p::{PeerId, Transport, noise, quic, tcp, yamux};
use multistream_select::listener_select_proto;
use prost::Message as _;
use tokio::task::JoinSet;

const IDENTIFY: &str = "/ipfs/id/1.0.0";

/// The Kademlia protocol id of parsec's local networks (`parsec_lab::LOCAL_PROTOCOL`).
pub(crate) const LOCAL_PROTOCOL: &str = "/parsec/local/kad/1.0.0";

/// What it writes in answer to each request, given its own address; after that it is silent and leaves the stream open.
type Says = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// A peer with a will of its own. Dropping it closes its connections.
#[derive(Debug)]
pub struct Stranger {
    /// `/p2p/…` included.
    pub address: String,
    _serving: JoinSet<()>,
}

/// Makes the transport of a peer with this key.
pub type MakeTransport = dyn Fn(&Keypair) -> Boxed<(PeerId, StreamMuxerBox)> + Send + Sync;

/// What a peer is reached by.
pub struct Carrier {
    /// Whose it is.
    pub keypair: Keypair,
    /// Where it listens.
    pub listen: &'static str,
    /// What listens there.
    pub transport: Box<MakeTransport>,
}

impl Carrier {
    /// TCP with noise and yamux.
    pub fn tcp(keypair: Keypair) -> Self {
        let transport = |keypair: &Keypair| secured(tcp::tokio::Transport::new(tcp::Config::default()), keypair);
        Self { keypair, listen: "/ip4/127.0.0.1/tcp/0", transport: Box::new(transport) }
    }

    /// QUIC.
    pub fn quic(keypair: Keypair) -> Self {
        let transport = |keypair: &Keypair| {
            let quic = quic::tokio::Transport::new(quic::Config::new(keypair));
            quic.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed()
        };
        Self { keypair, listen: "/ip4/127.0.0.1/udp/0/quic-v1", transport: Box::new(transport) }
    }

    /// WebSocket, secure if there is a key and a certificate for it (DER).
    pub fn web(listen: &'static str, tls: Option<(Vec<u8>, Vec<u8>)>) -> Self {
        let transport = move |keypair: &Keypair| {
            let mut web = websocket::Config::new(tcp::tokio::Transport::new(tcp::Config::default()));
            if let Some((key, certificate)) = tls.clone() {
                let (key, certificate) = (tls::PrivateKey::new(key), tls::Certificate::new(certificate));
                web.set_tls_config(tls::Config::new(key, [certificate]).unwrap());
            }
            secured(web, keypair)
        };
        Self { keypair: Keypair::generate_ed25519(), listen, transport: Box::new(transport) }
    }
}

fn secured<T>(transport: T, keypair: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let noise = noise::Config::new(keypair).unwrap();
    transport.upgrade(Version::V1).authenticate(noise).multiplex(yamux::Config::default()).boxed()
}

/// How it behaves.
#[derive(Clone)]
struct Conduct {
    keypair: Keypair,
    protocol: String,
    agent: String,
    address: String,
    says: Arc<Says>,
}

/// The messages of identify (libp2p specs, `identify`), as far as they matter here.
#[derive(Clone, PartialEq, prost::Message)]
struct Identify {
    #[prost(bytes = "vec", tag = "1")]
    public_key: Vec<u8>,
    #[prost(string, repeated, tag = "3")]
    protocols: Vec<String>,
    #[prost(string, tag = "6")]
    agent_version: String,
}

/// A Kademlia message, as far as it matters here.
#[derive(Clone, PartialEq, prost::Message)]
struct Kademlia {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(message, repeated, tag = "8")]
    closer: Vec<Named>,
}

/// A peer in a Kademlia message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Named {
    /// Its id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// Where it is said to be: the bytes of Multiaddrs, or any others.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub addresses: Vec<Vec<u8>>,
}

impl Named {
    /// Somebody who does not exist.
    pub fn invented(addresses: Vec<Vec<u8>>) -> Self {
        Self { id: PeerId::random().to_bytes(), addresses }
    }
}

/// FIND_NODE's number on the wire: all that nodes ask while they join.
const FIND_NODE: i32 = 4;

/// An answer to FIND_NODE that names these.
pub fn naming(closer: Vec<Named>) -> Vec<u8> {
    Kademlia { kind: FIND_NODE, closer }.encode_length_delimited_to_vec()
}

impl Stranger {
    /// One that calls itself `agent` and answers every request with what `says` makes of its own address.
    pub async fn start(agent: &str, says: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::over(&Carrier::tcp(Keypair::generate_ed25519()), agent, says).await
    }

    /// The same with a key and a transport of a test's choice.
    pub async fn over(carrier: &Carrier, agent: &str, says: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::behaving(carrier, LOCAL_PROTOCOL, agent, says).await
    }

    /// One of another network.
    pub async fn speaking(protocol: &str, agent: &str) -> Self {
        Self::behaving(&Carrier::tcp(Keypair::generate_ed25519()), protocol, agent, |_| Vec::new()).await
    }

    async fn behaving(
        carrier: &Carrier,
        protocol: &str,
        agent: &str,
        says: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let (keypair, mut transport) = (carrier.keypair.clone(), (carrier.transport)(&carrier.keypair));
        transport.listen_on(ListenerId::next(), carrier.listen.parse().unwrap()).unwrap();
        let Some(TransportEvent::NewAddress { listen_addr, .. }) = transport.next().await else { panic!() };
        let address = listen_addr.with_p2p(keypair.public().to_peer_id()).unwrap().to_string();
        let (protocol, agent, says) = (protocol.to_owned(), agent.to_owned(), Arc::new(says));
        let conduct = Conduct { keypair, protocol, agent, address: address.clone(), says };
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Some(event) = transport.next().await {
                if let TransportEvent::Incoming { upgrade, .. } = event {
                    let conduct = conduct.clone();
                    connections.spawn(async move {
                        if let Ok((_, muxer)) = upgrade.await {
                            conduct.carry(muxer).await;
                        }
                    });
                }
            }
        });
        Self { address, _serving: serving }
    }
}

impl Conduct {
    /// Keeps a connection going until it breaks.
    async fn carry(&self, mut muxer: StreamMuxerBox) {
        let mut streams = JoinSet::new();
        poll_fn(|context| {
            while let Poll::Ready(stream) = Pin::new(&mut muxer).poll_inbound(context) {
                match stream {
                    Ok(stream) => drop(streams.spawn(self.clone().serve(stream))),
                    Err(_) => return Poll::Ready(()),
                }
            }
            match Pin::new(&mut muxer).poll(context) {
                Poll::Ready(Err(_)) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    async fn serve(self, stream: SubstreamBox) {
        let Ok((protocol, mut stream)) = listener_select_proto(stream, [IDENTIFY, self.protocol.as_str()]).await else {
            return;
        };
        if protocol == IDENTIFY {
            let _ = stream.write_all(&self.identify()).await;
            let _ = stream.close().await;
            return;
        }
        while read_frame(&mut stream).await.is_some() {
            if say(&mut stream, &(self.says)(&self.address)).await.is_none() {
                return;
            }
        }
    }

    fn identify(&self) -> Vec<u8> {
        let protocols = vec![IDENTIFY.to_owned(), self.protocol.clone()];
        let public_key = self.keypair.public().encode_protobuf();
        Identify { public_key, protocols, agent_version: self.agent.clone() }.encode_length_delimited_to_vec()
    }
}

/// Reads one request, whatever it is.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
    let length = unsigned_varint::aio::read_usize(&mut *stream).await.ok()?;
    stream.read_exact(&mut vec![0; length]).await.ok()
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), words: &[u8]) -> Option<()> {
    stream.write_all(words).await.ok()?;
    stream.flush().await.ok()
}
