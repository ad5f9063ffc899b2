//! How many connections to us may come from one address, so that a single machine cannot take every place.
//!
//! Peer ids cost nothing, addresses do. The limits on connections of one peer and in all
//! ([`swarm`](crate::swarm::build)) would allow one machine with many ids, or one that never identifies itself, to keep
//! all others out. Go limits addresses as well (go-libp2p `p2p/host/resource-manager/conn_limiter.go`, 8 for an IPv4
//! address). On networks that are not public, where many peers share an address, there is no such limit.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::{ConnectionClosed, ListenFailure};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};
use parsec_measure::subscriber;
use thiserror::Error;

use crate::swarm::limits::{MAX_INCOMING, MAX_PENDING_INCOMING};

/// The share of all places that one address may have: an eighth leaves room for a company behind one address, and takes an
/// attacker eight addresses.
pub(crate) const SHARE: u32 = 8;

/// A [`subscriber`].
pub(crate) type Origin = IpAddr;

/// Where a connection with this address at its other end comes from.
pub(crate) fn origin(address: &Multiaddr) -> Option<Origin> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(subscriber(ip.into())),
        Protocol::Ip6(ip) => Some(subscriber(ip.into())),
        _ => None,
    }
}

/// The limit for one address is reached.
#[derive(Debug, Error)]
#[error("too many connections from {0}")]
struct Crowded(Origin);

/// How many connections an origin has: being established, and established.
#[derive(Debug, Default)]
struct Count {
    pending: u32,
    established: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Doors {
    limited: bool,
    counts: HashMap<Origin, Count>,
    /// Where each connection comes from, and whether it is established.
    guests: HashMap<ConnectionId, (Origin, bool)>,
}

impl Doors {
    /// With limits or without.
    pub(crate) fn new(limited: bool) -> Self {
        Self { limited, counts: HashMap::new(), guests: HashMap::new() }
    }

    fn knocks(&mut self, connection: ConnectionId, origin: Origin) -> Result<(), Crowded> {
        let count = self.counts.entry(origin).or_default();
        if count.pending >= MAX_PENDING_INCOMING / SHARE || count.established >= MAX_INCOMING / SHARE {
            return Err(Crowded(origin));
        }
        count.pending += 1;
        self.guests.insert(connection, (origin, false));
        Ok(())
    }

    fn comes_in(&mut self, connection: ConnectionId) -> Result<(), Crowded> {
        let Some((origin, established)) = self.guests.get_mut(&connection) else { return Ok(()) };
        let count = self.counts.entry(*origin).or_default();
        if count.established >= MAX_INCOMING / SHARE {
            return Err(Crowded(*origin));
        }
        *established = true;
        count.pending -= 1;
        count.established += 1;
        Ok(())
    }

    fn leaves(&mut self, connection: ConnectionId) {
        let Some((origin, established)) = self.guests.remove(&connection) else { return };
        let Some(count) = self.counts.get_mut(&origin) else { return };
        let of_its_kind = if established { &mut count.established } else { &mut count.pending };
        *of_its_kind -= 1;
        if count.pending + count.established == 0 {
            self.counts.remove(&origin);
        }
    }
}

impl NetworkBehaviour for Doors {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match origin(remote).filter(|_| self.limited) {
            Some(origin) => self.knocks(connection, origin).map_err(ConnectionDenied::new),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.comes_in(connection).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. })
            | FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => self.leaves(connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knock(doors: &mut Doors, connection: usize, from: &str) -> bool {
        let (connection, from) = (ConnectionId::new_unchecked(connection), from.parse().unwrap());
        doors.handle_pending_inbound_connection(connection, &Multiaddr::empty(), &from).is_ok()
    }

    fn come_in(doors: &mut Doors, connection: usize) -> bool {
        doors.comes_in(ConnectionId::new_unchecked(connection)).is_ok()
    }

    const CROWD: &str = "/ip4/1.2.3.4/tcp/1";

    #[test]
    fn an_address_has_an_eighth_of_the_places_before_the_door_and_of_those_behind_it() {
        let (mut doors, before, behind) = (Doors::new(true), MAX_PENDING_INCOMING / SHARE, MAX_INCOMING / SHARE);
        let knocking = (0..1_000).filter(|connection| knock(&mut doors, *connection, CROWD)).count();
        assert_eq!(knocking, before as usize);
        assert!(knock(&mut doors, 2_000, "/ip4/1.2.3.5/tcp/1"), "its neighbour has places of its own");
        (0..knocking).for_each(|connection| assert!(come_in(&mut doors, connection)));
        let more = (10_000..20_000)
            .filter(|connection| knock(&mut doors, *connection, CROWD) && come_in(&mut doors, *connection));
        assert_eq!(more.count() + knocking, behind as usize);
    }

    #[test]
    fn who_leaves_makes_room_and_leaves_nothing_behind() {
        let mut doors = Doors::new(true);
        for connection in 0..10_000 {
            assert!(knock(&mut doors, connection, CROWD));
            if connection % 2 == 0 {
                assert!(come_in(&mut doors, connection));
            }
            doors.leaves(ConnectionId::new_unchecked(connection));
        }
        assert!(doors.counts.is_empty() && doors.guests.is_empty());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_ipv4_address_as_what_it_is() {
        let of = |text: &str| origin(&text.parse().unwrap());
        assert_eq!(of("/ip6/2a01:4f8:1:2::1/tcp/1"), of("/ip6/2a01:4f8:1:2:ffff::9/tcp/1"));
        assert_ne!(of("/ip6/2a01:4f8:1:2::1/tcp/1"), of("/ip6/2a01:4f8:1:3::1/tcp/1"));
        assert_eq!(of("/ip6/::ffff:1.2.3.4/tcp/1"), of(CROWD));
    }

    #[test]
    fn off_the_public_network_many_may_share_an_address() {
        let mut doors = Doors::new(false);
        assert!((0..1_000).all(|connection| knock(&mut doors, connection, CROWD) && come_in(&mut doors, connection)));
    }
}
