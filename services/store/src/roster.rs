//! The nodes that are there, as they are read from a table that others write too.
//!
//! Whatever a row says, it is read within bounds, and one that cannot be used costs nobody but itself.

use std::fmt;
use std::net::IpAddr;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use parsec_measure::{Endpoint, Fleet, Heard, Node, NodeId, SchedulerId};

use crate::columns::RosterAddress;

/// How many nodes are listed at most: far more than the fleets of the field have, and as many as one round can ask.
pub const MAX_ROSTER: usize = 5_000;

/// A node that was last heard of longer before the others than this is not even listed as silent: what was killed and never
/// marked as offline is forgotten some day.
pub const HEARD_WITHIN: Duration = Duration::from_secs(3_600);

/// The longest peer id or region that is taken: twice the longest of each that there is.
pub(crate) const MAX_NAME_CHARS: i32 = 128;

/// The nodes that a scheduler can go round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Those that can be asked, by id: those heard of lately, and those that have fallen silent.
    pub nodes: Vec<Heard>,
    /// By how much the clock of the database is ahead of ours, at least.
    pub skew: TimeDelta,
    /// Rows of which no node can be made, by id.
    pub unusable: Vec<UnusableNode>,
    /// Whether there are more than [`MAX_ROSTER`]; then these are those heard of lately that registered last.
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

/// A round loop that goes round the same fleets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherScheduler {
    /// Its row.
    pub id: SchedulerId,
    /// Its fleets, as its row names them.
    pub fleets: Vec<String>,
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
    pub(crate) heartbeat: Option<DateTime<Utc>>,
}

impl Roster {
    /// Takes rows, the most wanted first, one more than are listed if there are more, and the time that they are compared with.
    pub(crate) fn read(mut rows: Vec<RosterRow>, now: DateTime<Utc>) -> Self {
        let more = rows.len() > MAX_ROSTER;
        rows.truncate(MAX_ROSTER);
        rows.sort_unstable_by_key(|row| row.id);
        let mut list = Self { more, ..Self::default() };
        for row in rows {
            let (id, age) = (NodeId(row.id), row.heartbeat.map_or(TimeDelta::MAX, |at| now - at));
            match row.read() {
                Ok(node) => list.nodes.push(Heard { node, age }),
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
            heartbeat: Some(DateTime::UNIX_EPOCH),
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
        let list = Roster::read(rows, DateTime::UNIX_EPOCH);
        assert_eq!(list.nodes.iter().map(|heard| heard.node.id.0).collect::<Vec<_>>(), [1, 7]);
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
        let list = Roster::read(vec![RosterRow { server_port: -25_536, ..row(1) }], DateTime::UNIX_EPOCH);
        assert_eq!(list.nodes[0].node.endpoint.socket().port(), 40_000);
    }

    #[test]
    fn of_too_many_the_newest_are_listed() {
        let all = MAX_ROSTER as i32 + 1;
        let list = Roster::read((1..=all).rev().map(row).collect(), DateTime::UNIX_EPOCH);
        assert_eq!((list.more, list.nodes.len(), list.nodes[0].node.id), (true, MAX_ROSTER, NodeId(2)));
        let list = Roster::read((2..=all).rev().map(row).collect(), DateTime::UNIX_EPOCH);
        assert_eq!((list.more, list.nodes.len()), (false, MAX_ROSTER));
    }
}
