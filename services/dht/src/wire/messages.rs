//! Kademlia messages on the wire: an unsigned-varint length, then protobuf (libp2p specs, kad-dht).
//!
//! Derived by hand from the specification, so that no protobuf compiler is needed to build.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{Multiaddr, PeerId};
use prost::Message as _;
use thiserror::Error;

use crate::wire::addresses;

/// The longest request of others that we serve. The longest there is, a record with a few dozen addresses, has 5 kB; Go takes
/// 4 MiB (`network.MessageSizeMax`), which from a thousand connections with 32 streams each is more than a machine has.
pub(crate) const MAX_REQUEST_BYTES: usize = 64 << 10;

/// The longest message that libp2p-kad reads where it asks by itself (the strategy `libp2p`), request or answer: it has one limit
/// for both. Just above the longest answer that we give, so that requests of strangers do not take eight times the memory that they
/// take elsewhere.
pub(crate) const MAX_WALK_BYTES: usize = 192 << 10;

/// The longest answer that is read: ten times the longest seen in the field, where 26 to 43 kB occur. Hundreds of answers
/// may be under way at a time, and what is decoded takes many times the room of what was sent.
pub(crate) const MAX_ANSWER_BYTES: usize = 512 << 10;

/// How many peers of one answer are used. Servers name at most k = 20, and providers besides; the rest is not worth reading.
pub(crate) const MAX_PEERS: usize = 64;

/// How many addresses of one peer are looked at. In the field some peers have four dozen.
const MAX_READ_ADDRESSES: usize = 256;

/// How many of a peer's addresses may be names of the DNS. Each costs look-ups at servers of a stranger's choice, up to 32 with
/// `dnsaddr`. A peer has one name for each of its IP addresses at most, as those with a certificate do, and a few by which
/// it is known.
const MAX_NAMES: usize = 4;

/// A peer as an answer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedPeer {
    pub(crate) id: PeerId,
    /// At most [`addresses::MAX_PER_PEER`], those that can be dialled in front.
    pub(crate) addresses: Vec<Multiaddr>,
}

/// What is sent. The key is the preimage of the point in the keyspace: a multihash or a peer id's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    FindNode { key: Vec<u8> },
    GetProviders { key: Vec<u8> },
    AddProvider { key: Vec<u8>, provider: NamedPeer },
}

/// What comes back to FIND_NODE and GET_PROVIDERS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) closer: Vec<NamedPeer>,
    pub(crate) providers: Vec<NamedPeer>,
}

/// Not a valid Kademlia answer.
#[derive(Debug, Error)]
pub(crate) enum WireError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the peer closed the stream without an answer")]
    Eof,
    #[error("malformed answer: {0}")]
    Malformed(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(enumeration = "MessageType", tag = "1")]
    kind: i32,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(message, repeated, tag = "8")]
    closer: Vec<Peer>,
    #[prost(message, repeated, tag = "9")]
    providers: Vec<Peer>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Peer {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    addresses: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum MessageType {
    PutValue = 0,
    GetValue = 1,
    AddProvider = 2,
    GetProviders = 3,
    FindNode = 4,
    Ping = 5,
}

impl Request {
    fn kind(&self) -> MessageType {
        match self {
            Self::FindNode { .. } => MessageType::FindNode,
            Self::GetProviders { .. } => MessageType::GetProviders,
            Self::AddProvider { .. } => MessageType::AddProvider,
        }
    }

    /// Whether servers answer it. ADD_PROVIDER gets no answer from Go and Rust servers.
    pub(crate) fn is_answered(&self) -> bool {
        !matches!(self, Self::AddProvider { .. })
    }

    fn encode(&self) -> Vec<u8> {
        let (key, providers) = match self {
            Self::FindNode { key } | Self::GetProviders { key } => (key, Vec::new()),
            Self::AddProvider { key, provider } => (key, vec![Peer::from(provider)]),
        };
        Message { kind: self.kind() as i32, key: key.clone(), closer: Vec::new(), providers }
            .encode_length_delimited_to_vec()
    }

    /// Writes the request and flushes it.
    pub(crate) async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        stream.write_all(&self.encode()).await?;
        stream.flush().await
    }

    /// Reads the answer to this request; one of another kind is malformed.
    pub(crate) async fn read_answer(&self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Response, WireError> {
        let bytes = read_frame(stream).await?;
        let message = Message::decode(&bytes[..]).map_err(|error| WireError::Malformed(error.to_string()))?;
        if message.kind != self.kind() as i32 {
            return Err(WireError::Malformed(format!("answer of type {} to a {:?}", message.kind, self.kind())));
        }
        Ok(Response { closer: named(&message.closer), providers: named(&message.providers) })
    }
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, WireError> {
    let length = unsigned_varint::aio::read_usize(&mut *stream).await.map_err(|error| match error {
        unsigned_varint::io::ReadError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            WireError::Eof
        }
        unsigned_varint::io::ReadError::Io(error) => WireError::Io(error),
        other => WireError::Malformed(other.to_string()),
    })?;
    if length > MAX_ANSWER_BYTES {
        return Err(WireError::Malformed(format!("{length} bytes announced, at most {MAX_ANSWER_BYTES} are read")));
    }
    // The buffer grows with what really arrives, so that a peer that announces much and sends nothing uses no memory.
    let mut bytes = Vec::new();
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(WireError::Malformed(format!("the stream ended after {} of {length} bytes", bytes.len())));
    }
    Ok(bytes)
}

/// The peers that can be used: entries with a broken id are left out, as Go does, rather than failing the whole answer.
fn named(peers: &[Peer]) -> Vec<NamedPeer> {
    peers
        .iter()
        .take(MAX_PEERS)
        .filter_map(|peer| {
            let id = PeerId::from_bytes(&peer.id).ok()?;
            let known = peer.addresses.iter().take(MAX_READ_ADDRESSES);
            let short = known.filter(|bytes| bytes.len() <= addresses::MAX_ADDRESS_BYTES);
            let parsed = short.filter_map(|bytes| Multiaddr::try_from(bytes.clone()).ok());
            Some(NamedPeer { id, addresses: usable(parsed) })
        })
        .collect()
}

/// What is kept of a peer's addresses: at most [`addresses::MAX_PER_PEER`], none of them too long, those that can be dialled
/// in front, and among these only [`MAX_NAMES`] names.
pub(crate) fn usable(addresses: impl Iterator<Item = Multiaddr>) -> Vec<Multiaddr> {
    let short = addresses.take(MAX_READ_ADDRESSES).filter(|address| address.len() <= addresses::MAX_ADDRESS_BYTES);
    let (mut dialable, others): (Vec<_>, Vec<_>) = short.partition(addresses::is_dialable);
    let mut names = 0;
    dialable.retain(|address| {
        names += usize::from(addresses::is_name(address));
        names <= MAX_NAMES || !addresses::is_name(address)
    });
    // These show what a peer without any address that we can dial offers.
    dialable.extend(others);
    dialable.truncate(addresses::MAX_PER_PEER);
    dialable
}

/// Decodes these bytes as the answer to every kind of request that has one, for `tests/fuzz`.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_answer(bytes: &[u8]) {
    use futures::FutureExt as _;
    let key = vec![0x12, 0x20];
    for request in [Request::FindNode { key: key.clone() }, Request::GetProviders { key }] {
        let mut stream = bytes;
        let read = request.read_answer(&mut stream).now_or_never().expect("bytes in memory are there at once");
        if let Ok(Response { closer, providers }) = read {
            assert!(closer.len() <= MAX_PEERS && providers.len() <= MAX_PEERS);
            let peers = closer.iter().chain(&providers);
            assert!(peers.clone().all(|peer| peer.addresses.len() <= addresses::MAX_PER_PEER));
        }
    }
}

impl From<&NamedPeer> for Peer {
    fn from(peer: &NamedPeer) -> Self {
        Self { id: peer.id.to_bytes(), addresses: peer.addresses.iter().map(Multiaddr::to_vec).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};
    use proptest::prelude::*;

    fn find_node() -> Request {
        Request::FindNode { key: vec![0x12, 0x20, 7] }
    }

    fn answer(bytes: Vec<u8>) -> Result<Response, WireError> {
        block_on(find_node().read_answer(&mut Cursor::new(bytes)))
    }

    fn framed(message: &Message) -> Vec<u8> {
        message.encode_length_delimited_to_vec()
    }

    #[test]
    fn a_request_has_the_bytes_of_the_specification() {
        let mut bytes = Vec::new();
        block_on(find_node().write(&mut bytes)).unwrap();
        assert_eq!(bytes, [7, 0x08, 4, 0x12, 3, 0x12, 0x20, 7]);
    }

    #[test]
    fn peers_with_a_broken_id_or_address_are_left_out() {
        let good = PeerId::random();
        let address: Multiaddr = "/ip4/10.0.0.1/tcp/4001".parse().unwrap();
        let closer = vec![
            Peer { id: vec![1, 2, 3], addresses: vec![] },
            Peer { id: good.to_bytes(), addresses: vec![vec![0xff, 0xff], address.to_vec()] },
        ];
        let message = Message { kind: MessageType::FindNode as i32, closer, ..Default::default() };
        let named = NamedPeer { id: good, addresses: vec![address] };
        assert_eq!(answer(framed(&message)).unwrap(), Response { closer: vec![named], providers: vec![] });
    }

    #[test]
    fn addresses_that_are_too_long_are_left_out() {
        let (id, short) = (PeerId::random(), "/dns4/example.org/tcp/4001".parse::<Multiaddr>().unwrap());
        let long: Multiaddr = format!("/dns4/{}/tcp/4001", "a".repeat(100_000)).parse().unwrap();
        let peer = Peer { id: id.to_bytes(), addresses: vec![long.to_vec(), short.to_vec()] };
        let message = Message { kind: MessageType::FindNode as i32, closer: vec![peer], ..Default::default() };
        assert_eq!(answer(framed(&message)).unwrap().closer, [NamedPeer { id, addresses: vec![short] }]);
    }

    #[test]
    fn so_many_peers_of_an_answer_are_used_and_so_many_addresses_of_each() {
        let addresses = |peer: u16| (0..100).map(move |port| format!("/ip4/10.0.0.1/tcp/{}", peer * 100 + port));
        let parsed = |text: String| text.parse::<Multiaddr>().unwrap().to_vec();
        let peer = |peer| Peer { id: PeerId::random().to_bytes(), addresses: addresses(peer).map(parsed).collect() };
        let closer = (0..100).map(peer).collect::<Vec<_>>();
        let message =
            Message { kind: MessageType::FindNode as i32, providers: closer.clone(), closer, ..Default::default() };
        let Response { closer, providers } = answer(framed(&message)).unwrap();
        assert_eq!([closer.len(), providers.len()], [MAX_PEERS; 2]);
        assert!(closer.iter().chain(&providers).all(|peer| peer.addresses.len() == addresses::MAX_PER_PEER));
    }

    #[test]
    fn a_peer_has_few_names_and_they_take_no_room_from_its_other_addresses() {
        let all = |kind: &str| (0..20).map(move |n| format!("{kind}{n}")).collect::<Vec<_>>();
        let names = [all("/dnsaddr/evil.example"), all("/dns4/evil.example/tcp/")].concat();
        let parsed = |texts: &[String]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Multiaddr>>();
        let many = parsed(&[names.clone(), all("/ip4/192.0.2.1/tcp/")].concat());
        let kept = usable(many.into_iter());
        assert_eq!(kept.len(), addresses::MAX_PER_PEER);
        assert_eq!(kept[..MAX_NAMES], parsed(&names[..MAX_NAMES]));
        assert!(kept[MAX_NAMES..].iter().all(|address| !addresses::is_name(address)));
    }

    #[test]
    fn the_longest_answer_that_we_give_is_one_that_we_would_read() {
        // Each address with the peer's id behind it, as libp2p-kad keeps it, and a few bytes of tags and lengths.
        let address = addresses::MAX_ADDRESS_BYTES + 39 + 4;
        let peer = addresses::MAX_PER_PEER * address + 39 + 16;
        let peers = libp2p::kad::K_VALUE.get() + crate::swarm::records::MAX_PROVIDERS;
        assert!(crate::swarm::records::MAX_KEY_BYTES + peers * peer < MAX_WALK_BYTES.min(MAX_ANSWER_BYTES));
    }

    #[test]
    fn what_is_no_answer_is_an_error_that_says_why() {
        let other = Message { kind: MessageType::Ping as i32, ..Default::default() };
        for (bytes, why) in [
            (vec![], "without an answer"),
            (framed(&other), "answer of type 5"),
            (vec![5, 0xff], "after 1 of 5"),
            (vec![0x81, 0x80, 0x20], "524289 bytes announced, at most 524288"),
            (vec![0x80, 0x80, 0x20], "after 0 of 524288"),
            (vec![2, 0xff, 0xff], "malformed"),
        ] {
            let message = answer(bytes).unwrap_err().to_string();
            assert!(message.contains(why), "{message} / {why}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = answer(bytes);
        }
    }
}
