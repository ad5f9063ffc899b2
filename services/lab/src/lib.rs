//! Networks to try the DHT on: local ones of real peers, with delays and dead peers as the public one has them.
//!
//! It builds on [`parsec_dht`], which does not know it: a node is handed its place in a network as a value. Besides
//! [`parsec_dht`], this crate alone knows libp2p.

mod network;

pub use network::{
    Attachment, LOCAL_PROTOCOL, Latency, LatencyError, LocalConfig, LocalError, LocalNetwork, LocalPeer,
    LocalTransport, Observer, Region, RoundTripError, Turns, UnknownRegion,
};
