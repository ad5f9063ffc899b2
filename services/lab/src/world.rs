//! The world of a demonstration: a local network of real peers, and servers that join it, region after region.

use std::time::Duration;

use parsec_dht::{Identity, NodeConfig};
use parsec_measure::StrategyKind;
use rand::Rng;

use crate::memory::Size;
use crate::{LocalConfig, LocalError, LocalNetwork, Region};

/// How long one publication or search may take: with dead peers around, a classic publication takes ten seconds.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(60);

/// What a world shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldPlan {
    /// The network and its peers.
    pub network: LocalConfig,
    /// How many servers join it, of all fleets together.
    pub servers: u64,
}

impl WorldPlan {
    /// What it takes: its peers, and a node for each server.
    pub fn size(&self) -> Size {
        Size { peers: self.network.peers as u64, undialable: self.network.undialable, nodes: self.servers }
    }
}

/// A network that servers join.
#[derive(Debug)]
pub struct World(LocalNetwork);

impl World {
    /// Starts its peers. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As [`LocalNetwork::start`].
    pub async fn start(plan: WorldPlan) -> Result<Self, LocalError> {
        LocalNetwork::start(plan.network).await.map(Self)
    }

    /// Where the servers of a fleet stand.
    pub fn places(servers: usize) -> impl Iterator<Item = Region> {
        Region::ALL.into_iter().cycle().take(servers)
    }

    /// The node of a server that stands in a region: a stranger to all before each operation.
    pub fn server(&self, region: Region, strategy: StrategyKind, rng: &mut impl Rng) -> NodeConfig {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        NodeConfig {
            identity: Identity::from_seed(secret),
            strategy,
            cold: true,
            operation_timeout: OPERATION_TIMEOUT,
            ..self.0.newcomer(region)
        }
    }

    /// How many peers it has, dead ones included.
    pub fn peers(&self) -> usize {
        self.0.len()
    }

    /// How many of them can be dialled and answer.
    pub fn live_peers(&self) -> usize {
        self.0.live_peers()
    }
}
