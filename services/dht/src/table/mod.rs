//! Keeps a node's view of the network up to date: [`refresh`] its routing table, [`crawler`] the census of all peers.

pub(crate) mod crawler;
pub(crate) mod refresh;
