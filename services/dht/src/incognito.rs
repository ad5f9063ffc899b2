//! Asks peers as a stranger: with a key and connections of its own, that are gone afterwards.

use std::sync::Arc;

use libp2p::StreamProtocol;
use libp2p::kad::Mode;
use tokio::task::AbortHandle;

use crate::driver::Driver;
use crate::node::{DhtError, Identity, Underlay};
use crate::operation::Tools;
use crate::reach::Reach;
use crate::size::NetworkSize;
use crate::swarm;

/// How to come to the network as somebody else.
#[derive(Debug, Clone)]
pub(crate) struct Incognito {
    pub(crate) protocol: StreamProtocol,
    pub(crate) reach: Reach,
    pub(crate) underlay: Arc<Underlay>,
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
        let (keypair, protocol) = (identity.keypair(), self.protocol.clone());
        let (swarm, rpc) = swarm::build(keypair, protocol, Mode::Client, false, &self.reach, &self.underlay)
            .map_err(|error| DhtError::Crashed(error.to_string()))?;
        let peer = keypair.public().to_peer_id();
        let (driver, handle) = Driver::new(swarm, rpc.clone(), self.reach.clone());
        let visit = Visit(tokio::spawn(driver.run()).abort_handle());
        Ok((Tools::new(rpc, handle, NetworkSize::unknown(&peer, k), self.reach.clone()), visit))
    }
}
