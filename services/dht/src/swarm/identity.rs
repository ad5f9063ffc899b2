//! Who a peer is.

use libp2p::identity;

/// A node's private key, and with it its peer id.
#[derive(Debug, Clone)]
pub struct Identity(identity::Keypair);

impl Identity {
    /// A new Ed25519 key.
    pub fn generate() -> Self {
        Self(identity::Keypair::generate_ed25519())
    }

    /// The key that belongs to these 32 secret bytes, for networks that shall be the same in every run.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(identity::Keypair::ed25519_from_bytes(seed).expect("any 32 bytes are an Ed25519 secret key"))
    }

    /// The peer id as text.
    pub fn peer_id(&self) -> String {
        self.0.public().to_peer_id().to_string()
    }

    pub(crate) fn keypair(&self) -> &identity::Keypair {
        &self.0
    }
}
