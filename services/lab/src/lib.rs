//! Networks to try the DHT on: local ones of real peers, with delays and dead peers as the public one has them. Besides, what
//! is done there: the comparison of [`bench`](mod@bench), and the [`world`] of a demonstration.
//!
//! It builds on [`parsec_dht`], which does not know it: a node is handed its place in a network as a value. Besides
//! [`parsec_dht`], this crate alone knows libp2p.

pub mod bench;
pub mod field;
pub mod memory;
mod network;
mod threads;
pub mod world;

pub use network::{
    Attachment, LOCAL_PROTOCOL, LocalConfig, LocalError, LocalNetwork, LocalPeer, LocalTransport, Observer, Region,
    Turns, UnknownRegion,
};
