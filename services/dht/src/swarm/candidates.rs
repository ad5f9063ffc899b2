//! AutoNAT, with a limit on the addresses it is given.
//!
//! Each peer says under which address it sees us. libp2p's AutoNAT client remembers every such address for ever, even
//! invented ones, and sorts them all every five seconds. Here it is given only the first [`MAX_CANDIDATES`] that may be
//! ours at all.

use std::collections::HashSet;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::NewExternalAddrCandidate;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, autonat};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::wire::addresses::MAX_ADDRESS_BYTES;
use crate::wire::reach::Reach;

/// How many addresses AutoNAT tries in all. A node has a few; behind a NAT that gives each connection a port of its own there
/// is no end of them, and none of them leads to us.
const MAX_CANDIDATES: usize = 64;

type Client = autonat::v2::client::Behaviour;

/// See the module's documentation.
pub(crate) struct Candidates {
    autonat: Client,
    reach: Reach,
    heard: HashSet<Multiaddr>,
}

impl Candidates {
    pub(crate) fn new(reach: Reach) -> Self {
        let rng = StdRng::from_rng(&mut rand::rng());
        Self { autonat: Client::new(rng, autonat::v2::client::Config::default()), reach, heard: HashSet::new() }
    }

    /// Whether AutoNAT may be given an address.
    fn admits(&mut self, address: &Multiaddr) -> bool {
        if self.heard.contains(address) {
            return true;
        }
        let admitted =
            self.heard.len() < MAX_CANDIDATES && address.len() <= MAX_ADDRESS_BYTES && self.reach.permits(address);
        if admitted {
            self.heard.insert(address.clone());
        }
        admitted
    }
}

impl NetworkBehaviour for Candidates {
    type ConnectionHandler = <Client as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = <Client as NetworkBehaviour>::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.autonat.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.autonat.handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate { addr }) if !self.admits(addr) => {}
            event => self.autonat.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.autonat.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.autonat.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::wire::reach::PrivatePeers;

    #[test]
    fn autonat_hears_of_so_many_addresses_and_of_none_that_cannot_be_ours() {
        let mut candidates = Candidates::new(Reach::of(PrivatePeers::Ignore, &[], Ipv4Addr::UNSPECIFIED.into()));
        let address = |ip: &str, port: usize| format!("/ip4/{ip}/tcp/{port}").parse::<Multiaddr>().unwrap();
        assert!(!candidates.admits(&address("192.168.0.7", 1)));
        let admitted = (1..1_000).filter(|port| candidates.admits(&address("1.2.3.4", *port))).count();
        assert_eq!(admitted, MAX_CANDIDATES);
        assert!(candidates.admits(&address("1.2.3.4", 1)), "and again of those that it knows");
    }
}
