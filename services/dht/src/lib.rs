//! The DHT: measuring nodes that are real libp2p Kademlia peers, and local networks of such peers.
//!
//! This crate alone knows libp2p. Others hold a [`Dht`] and speak of CIDs, texts and
//! [`Measured`](parsec_measure::Measured) results.
//!
//! From the inside out: [`key`] is the keyspace, `wire` the messages, `rpc` one request to one
//! peer, [`strategy`] the decisions as pure machines, `operation` drives a strategy over the
//! network and notes each request in a `log`, `report` turns its end into a measurement. `driver` owns
//! the swarm, `refresh` keeps its routing table, `crawler` the census of a full one, `size` what is known of
//! the network's size. `serving` is libp2p-kad, and `walk` what is seen of its own lookups. [`Node`] ties
//! them together, `local` is a network to try them on.

mod addresses;
mod book;
mod crawler;
mod driver;
pub mod key;
mod local;
mod log;
mod network;
mod node;
mod operation;
mod records;
mod refresh;
mod report;
mod rpc;
mod serving;
mod size;
pub mod strategy;
mod swarm;
mod walk;
mod wire;

pub use local::{
    Attachment, LOCAL_PROTOCOL, Latency, LatencyError, LocalConfig, LocalError, LocalNetwork, LocalPeer,
    LocalTransport, Observer, Region, UnknownRegion,
};
pub use network::{Network, UnknownNetwork};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use wire::fuzz_answer;

pub use node::{Dht, DhtError, Identity, Node, NodeConfig, Readiness, StartError, Underlay};
