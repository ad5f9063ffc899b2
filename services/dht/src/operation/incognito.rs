//! Asks peers under a temporary identity: with a key and connections that are discarded afterwards.

use std::sync::Arc;

use libp2p::StreamProtocol;
use libp2p::kad::Mode;
use tokio::task::JoinSet;

use crate::operation::drive::Tools;
use crate::operation::error::DhtError;
use crate::operation::size::NetworkSize;
use crate::swarm::build::{Plan, build};
use crate::swarm::driver::Driver;
use crate::swarm::identity::Identity;
use crate::swarm::underlay::Underlay;
use crate::swarm::warmth::Warmth;
use crate::wire::reach::Reach;

/// How to join the network under another identity.
#[derive(Debug, Clone)]
pub(crate) struct Incognito {
    pub(crate) protocols: Vec<StreamProtocol>,
    pub(crate) reach: Reach,
    pub(crate) underlay: Arc<dyn Underlay>,
}

/// The task of a temporary swarm, in a set of one: dropping it ends the task.
pub(crate) struct Visit {
    _driving: JoinSet<()>,
}

impl Incognito {
    /// A client with a fresh identity that nobody can reach. It can be used for as long as the visit is kept.
    pub(crate) fn arrive(&self, k: usize) -> Result<(Tools, Visit), DhtError> {
        let identity = Identity::generate();
        let plan = Plan {
            keypair: identity.keypair(),
            protocols: &self.protocols,
            mode: Mode::Client,
            walks: false,
            reach: &self.reach,
            underlay: self.underlay.as_ref(),
        };
        let (swarm, rpc) = build(&plan).map_err(|error| DhtError::Crashed(error.to_string()))?;
        let peer = identity.keypair().public().to_peer_id();
        let (driver, handle) = Driver::new(swarm, rpc.clone(), self.reach.clone(), Warmth::default());
        let mut driving = JoinSet::new();
        driving.spawn(driver.run());
        let tools = Tools::new(rpc, handle, NetworkSize::unknown(&peer, k), self.reach.clone());
        Ok((tools, Visit { _driving: driving }))
    }
}
