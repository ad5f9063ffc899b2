//! The building blocks of peers and underlays, for crates that build their own networks.

use libp2p::kad::Mode;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

pub use crate::swarm::ends::Yamux;
pub use crate::swarm::internet::{DIAL_ADDRESS_TIMEOUT, TCP_CONNECT_TIMEOUT};
pub use crate::swarm::rpc::{ANSWER_TIMEOUT, RpcError};
pub use crate::swarm::serving::Serving;
pub use crate::swarm::underlay::{BuildError, Connected, Underlay};
pub use crate::wire::reach::Reach;

use crate::swarm::dial::Experience;
use crate::swarm::rpc::Stopwatch;
use crate::swarm::rpc::client::RpcClient;
use crate::swarm::serving;
use crate::wire::addresses;
use crate::wire::messages::{MAX_REQUEST_BYTES, NamedPeer, Request, Response};

/// Kademlia of a peer that serves others and sends no requests of its own.
pub fn serving(local: PeerId, protocol: StreamProtocol) -> Serving {
    serving::kad(local, &[protocol], Mode::Server, Reach::anywhere(), MAX_REQUEST_BYTES)
}

/// The addresses of a peer that can be dialled, at most as many as are kept for one peer.
pub fn dialable(addresses: &[Multiaddr]) -> impl Iterator<Item = &Multiaddr> {
    addresses.iter().filter(|address| addresses::is_dialable(address)).take(addresses::MAX_PER_PEER)
}

/// Sends requests directly to peers whose addresses are known.
#[derive(Debug)]
pub struct Asker(RpcClient);

impl Asker {
    /// The behaviour for a swarm, and the client that sends requests through it.
    pub fn new(protocol: StreamProtocol) -> (impl NetworkBehaviour, Self) {
        let (behaviour, client) = RpcClient::new(vec![protocol], Reach::anywhere(), Experience::default());
        (behaviour, Self(client))
    }

    /// The peers that a peer names as closest to a key, which is a multihash or the bytes of a peer id.
    ///
    /// # Errors
    /// [`RpcError`] says why the request failed.
    pub async fn closer(&self, peer: PeerId, address: Multiaddr, key: &[u8]) -> Result<Vec<PeerId>, RpcError> {
        Ok(ids(self.ask(peer, address, Request::FindNode { key: key.to_vec() }).await?.closer))
    }

    /// The peers that a peer names as providers of a key, which is a multihash.
    ///
    /// # Errors
    /// [`RpcError`] says why the request failed.
    pub async fn providers(&self, peer: PeerId, address: Multiaddr, key: &[u8]) -> Result<Vec<PeerId>, RpcError> {
        Ok(ids(self.ask(peer, address, Request::GetProviders { key: key.to_vec() }).await?.providers))
    }

    async fn ask(&self, peer: PeerId, address: Multiaddr, request: Request) -> Result<Response, RpcError> {
        self.0.ask(peer, vec![address], &request, &Stopwatch::start(), None).await
    }
}

fn ids(peers: Vec<NamedPeer>) -> Vec<PeerId> {
    peers.into_iter().map(|peer| peer.id).collect()
}
