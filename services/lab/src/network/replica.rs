//! A local network as a value, to be played by a model of it.

use super::peers::Kind;
use super::roads::Fate;
use super::{LocalNetwork, Region};
use parsec_dht::key::{Contact, Key};

/// One of its peers.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) key: Key,
    pub(crate) region: Region,
    pub(crate) does: Does,
    /// Whom it knows, by their places.
    pub(crate) knows: Vec<usize>,
}

/// What it does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Answer,
    Accept,
    Refuse,
    Nothing,
}

impl LocalNetwork {
    /// All peers.
    pub(crate) fn replica(&self) -> Vec<Replica> {
        let each = self.peers.iter().zip(&self.tables).map(|(peer, knows)| Replica {
            id: peer.peer_id(),
            key: peer.id.key(),
            region: peer.region,
            does: match peer.kind {
                Kind::Live => Does::Answer,
                Kind::Silent => Does::Accept,
                Kind::Undialable(Fate::Refused) => Does::Refuse,
                Kind::Undialable(Fate::Lost | Fate::Arrives) => Does::Nothing,
            },
            knows: knows.clone(),
        });
        each.collect()
    }
}
