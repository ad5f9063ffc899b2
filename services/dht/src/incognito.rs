//! Asks peers as a stranger: with a key and connections of its own, that are gone afterwards.

use std::sync::Arc;

use libp2p::StreamProtocol;
use libp2p::kad::Mode;
use tokio::task::AbortHandle;

use crate::driver::Driver;
use crate::node::{DhtError, Identity};
use crate::operation::Tools;
use crate::reach::Reach;
use crate::size::NetworkSize;
use crate::swarm::{self, Plan};
use crate::underlay::Underlay;
use crate::warmth::Warmth;

/// How to come to the network as somebody else.
#[derive(Debug, Clone)]
pub(crate) struct Incognito {
    pub(crate) protocols: Vec<StreamProtocol>,
    pub(crate) reach: Reach,
    pub(crate) underlay: Arc<dyn Underlay>,
}

/// The task of a stranger's swarm. Dropping it ends it.
pub(crate) struct Visit(AbortHandle);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Incognito {
    /// Somebody whom nobody knows, and whom nobody can reach: what to ask with, for as long as the visit is kept.
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
        let (swarm, rpc) = swarm::build(&plan).map_err(|error| DhtError::Crashed(error.to_string()))?;
        let peer = identity.keypair().public().to_peer_id();
        let (driver, handle) = Driver::new(swarm, rpc.clone(), self.reach.clone(), Warmth::default());
        let visit = Visit(tokio::spawn(driver.run()).abort_handle());
        Ok((Tools::new(rpc, handle, NetworkSize::unknown(&peer, k), self.reach.clone()), visit))
    }
}
