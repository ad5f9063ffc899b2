//! The nodes that are there, as they are read from a table that others write too.
//!
//! Whatever a row says, it is read within bounds, and one that cannot be used costs nobody but itself.

use std::fmt;
use std::net::IpAddr;

use diesel::prelude::*;
use parsec_measure::{Endpoint, Fleet, Node, NodeId};

use crate::columns::RosterAddress;

/// How many nodes are listed at most: far more than the fleets of the field have, and as many as one round can ask.
pub const MAX_ROSTER: usize = 1_000;

/// The longest peer id or region that is taken: twice the longest of each that there is.
pub(crate) const MAX_NAME_CHARS: i32 = 128;

/// The nodes that a scheduler can go round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Those that can be asked, by id.
    pub nodes: Vec<Node>,
    /// Rows of which no node can be made, by id.
    pub unusable: Vec<UnusableNode>,
    /// Whether there are more than [`MAX_ROSTER`]; then these are the ones that registered last.
    pub more: bool,
}

/// A row of `nodes_ecs` that names no server which could be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableNode {
    /// Its number.
    pub id: NodeId,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for UnusableNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} of nodes_ecs: {}", self.id, self.reason)
    }
}

/// What a scheduler wants to know of a row of `nodes_ecs`; texts are cut after one character too many.
#[derive(Debug, Queryable)]
pub(crate) struct RosterRow {
    pub(crate) id: i32,
    pub(crate) peer_id: String,
    pub(crate) region: String,
    pub(crate) fleet: String,
    pub(crate) address: RosterAddress,
    pub(crate) server_port: i16,
}

impl Roster {
    /// Takes the newest rows, newest first, one more than are listed if there are more.
    pub(crate) fn read(mut rows: Vec<RosterRow>) -> Self {
        let more = rows.len() > MAX_ROSTER;
        rows.truncate(MAX_ROSTER);
        let mut list = Self { more, ..Self::default() };
        for row in rows.into_iter().rev() {
            let id = NodeId(row.id);
            match row.read() {
                Ok(node) => list.nodes.push(node),
                Err(reason) => list.unusable.push(UnusableNode { id, reason }),
            }
        }
        list
    }
}

impl RosterRow {
    /// A port that a Go server let wrap around comes back as what it was.
    fn read(self) -> Result<Node, String> {
        let fleet = self.fleet.parse::<Fleet>().map_err(|error| error.to_string())?;
        let ip = self.address.0.map_err(|text| format!("ip_address `{text}` is not an IP address"))?;
        reachable(ip)?;
        if self.server_port == 0 {
            return Err("server_port is 0; expected the port of the HTTP API".to_owned());
        }
        for (column, text) in [("peer_id", &self.peer_id), ("region", &self.region)] {
            if text.chars().nth(MAX_NAME_CHARS as usize).is_some() {
                return Err(format!("{column} has more than {MAX_NAME_CHARS} characters"));
            }
        }
        let endpoint = Endpoint::new(ip, self.server_port.cast_unsigned());
        Ok(Node { id: NodeId(self.id), peer_id: self.peer_id, region: self.region, fleet, endpoint })
    }
}

/// A connection to `0.0.0.0` would end at the scheduler's own machine, and measure whoever listens there.
fn reachable(ip: IpAddr) -> Result<(), String> {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    if ip.is_unspecified() || ip.is_multicast() || broadcast {
        return Err(format!("ip_address {ip} is not the address of one host"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i32) -> RosterRow {
        RosterRow {
            id,
            peer_id: "12D3KooWSample".to_owned(),
            region: "eu-central-1".to_owned(),
            fleet: "default".to_owned(),
            address: RosterAddress(Ok(IpAddr::from([192, 0, 2, 7]))),
            server_port: 7_070,
        }
    }

    #[test]
    fn a_row_that_cannot_be_used_is_named_and_the_others_are_listed() {
        let long = "x".repeat(129);
        let rows = vec![
            row(7),
            RosterRow { server_port: 0, ..row(6) },
            RosterRow { address: RosterAddress(Ok(IpAddr::from([0, 0, 0, 0]))), ..row(5) },
            RosterRow { address: RosterAddress(Err("here".to_owned())), ..row(4) },
            RosterRow { region: long.clone(), ..row(3) },
            RosterRow { peer_id: long, ..row(2) },
            row(1),
        ];
        let list = Roster::read(rows);
        assert_eq!(list.nodes.iter().map(|node| node.id.0).collect::<Vec<_>>(), [1, 7]);
        let said: Vec<_> = list.unusable.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "row 2 of nodes_ecs: peer_id has more than 128 characters",
                "row 3 of nodes_ecs: region has more than 128 characters",
                "row 4 of nodes_ecs: ip_address `here` is not an IP address",
                "row 5 of nodes_ecs: ip_address 0.0.0.0 is not the address of one host",
                "row 6 of nodes_ecs: server_port is 0; expected the port of the HTTP API",
            ]
        );
    }

    #[test]
    fn a_port_that_wrapped_is_unwrapped() {
        let list = Roster::read(vec![RosterRow { server_port: -25_536, ..row(1) }]);
        assert_eq!(list.nodes[0].endpoint.socket().port(), 40_000);
    }

    #[test]
    fn of_too_many_the_newest_are_listed() {
        let all = MAX_ROSTER as i32 + 1;
        let list = Roster::read((1..=all).rev().map(row).collect());
        assert_eq!((list.more, list.nodes.len(), list.nodes[0].id), (true, MAX_ROSTER, NodeId(2)));
        let list = Roster::read((2..=all).rev().map(row).collect());
        assert_eq!((list.more, list.nodes.len()), (false, MAX_ROSTER));
    }
}
