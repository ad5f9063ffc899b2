//! What keeps a node's picture of the network up to date: [`refresh`] its routing table, [`crawler`] the census of everybody.

pub(crate) mod crawler;
pub(crate) mod refresh;
