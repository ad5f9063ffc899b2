//! Nodes: the servers of a fleet as a scheduler sees them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Fleet;

/// A node whose last heartbeat is older than this takes no part in rounds: two missed beats of one minute each (contract, part 2).
pub const ACTIVE_WITHIN: Duration = Duration::from_secs(120);

/// The database's number of a server: `nodes_ecs.id`. A server that starts again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a server's HTTP API listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint(SocketAddr);

impl Endpoint {
    /// The API at this address and port.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self(SocketAddr::new(ip, port))
    }

    /// Address and port.
    pub fn socket(&self) -> SocketAddr {
        self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A server as the database lists it: who it is and how to reach it, in one value, so that an answer
/// can never be credited to another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its row in the database.
    pub id: NodeId,
    /// Its libp2p peer id, base58 or CID text, as it wrote it.
    pub peer_id: String,
    /// The region it runs in, e.g. `eu-central-1`.
    pub region: String,
    /// The fleet it belongs to.
    pub fleet: Fleet,
    /// Where its HTTP API listens.
    pub endpoint: Endpoint,
}

impl Node {
    /// This node, now that it has said that it can measure.
    pub fn ready(self) -> ReadyNode {
        ReadyNode(self)
    }
}

/// A node that answered the readiness question of this round with yes. Only such nodes can be planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyNode(Node);

impl ReadyNode {
    /// The node itself.
    pub fn node(&self) -> &Node {
        &self.0
    }

    /// Its row in the database.
    pub fn id(&self) -> NodeId {
        self.0.id
    }
}
