//! What carries a node's connections, passed to the node as a value: the internet, or a network for tests.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, noise, websocket};
use thiserror::Error;

use crate::wire::reach::Reach;

/// Somebody at the end of a connection.
pub type Connected = (PeerId, StreamMuxerBox);

/// A swarm that cannot be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The identity does not do for encryption.
    #[error("noise cannot use the identity: {0}")]
    Noise(#[from] noise::Error),
    /// The system does not say how names are resolved.
    #[error("cannot read the system's DNS configuration: {0}")]
    Dns(#[from] std::io::Error),
    /// A certificate that is none.
    #[error("a certificate authority for secure WebSockets cannot be used: {0}")]
    Authority(#[from] websocket::tls::Error),
}

/// What carries a node's connections.
pub trait Underlay: fmt::Debug + Send + Sync {
    /// The transport for a peer with this key, encrypted and multiplexed. It only dials what `reach` permits.
    ///
    /// # Errors
    /// If the key or the system's settings do not do.
    fn transport(&self, keypair: &Keypair, reach: &Reach) -> Result<Boxed<Connected>, BuildError>;

    /// What to listen on for an address and a port: one multiaddress for each of its transports.
    fn listen_addresses(&self, ip: IpAddr, port: u16) -> Vec<Multiaddr>;

    /// How long a connection on which nothing happens is kept, if it is kept for `usual` elsewhere.
    fn idle_timeout(&self, usual: Duration) -> Duration {
        usual
    }

    /// Whether it leads only to our own peers: then all of their addresses may be dialled.
    fn is_ours(&self) -> bool {
        false
    }
}
