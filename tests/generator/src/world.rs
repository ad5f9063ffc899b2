//! Fleets, regions, servers, and the peers of the DHT.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use parsec_measure::{NodeId, SchedulerId, StrategyKind, Trace};
use parsec_store::{NewNode, ServerPort, Store, StoreError};
use serde_json::json;

use crate::chance::Chance;
use crate::history::{FLEETS, History, REGIONS};

/// What servers ran before and after the middle of the time.
const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];

/// How many peers the DHT has.
const PEERS: usize = 2_000;

/// One in so many of them is silent, if it can be dialled.
const SILENT: usize = 20;

/// What peers say they run.
const AGENTS: [&str; 5] = ["kubo/0.38.1/", "kubo/0.39.0/desktop", "go-ipfs/0.8.0/", "storm", "nabu/v0.8.0 \u{1f680}"];

/// A peer of the DHT.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) agent: Option<String>,
    pub(crate) address: String,
    pub(crate) manner: Manner,
}

/// What becomes of whoever asks a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers,
    /// It cannot be dialled.
    Dead,
    /// It takes connections, and says nothing.
    Silent,
}

/// Whoever takes part.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) schedulers: Vec<SchedulerId>,
    /// By fleet, version and region.
    nodes: Vec<NodeId>,
    peer_ids: Vec<String>,
    pub(crate) peers: Vec<Peer>,
    /// Which of them have each manner, in the order of [`Manner`].
    by_manner: [Vec<usize>; 3],
    /// Stands in for a trace until it is decided whether to keep one: only those that are kept are drawn.
    pub(crate) untold: Arc<Trace>,
}

impl World {
    /// Registers servers and schedulers.
    pub(crate) async fn register(store: &dyn Store, history: &History) -> Result<Self, StoreError> {
        let mut chance = Chance::of(history.seed, u64::MAX);
        let peers: Vec<Peer> = (0..PEERS).map(|number| peer(&mut chance, number % SILENT == 0)).collect();
        let by_manner = [Manner::Answers, Manner::Dead, Manner::Silent]
            .map(|manner| (0..PEERS).filter(|index| peers[*index].manner == manner).collect());
        let untold = Trace { strategy: StrategyKind::Classic, returned: Duration::ZERO, requests: vec![], left_out: 0 };
        let untold = Arc::new(untold);
        let mut world = Self { schedulers: vec![], nodes: vec![], peer_ids: vec![], peers, by_manner, untold };
        for (fleet, strategy, _) in FLEETS {
            let group = fleet.parse().map_err(|error| StoreError::BadRow(format!("{error}")))?;
            world.schedulers.push(store.register_scheduler(&group, json!({}), history.begin()).await?);
            for (half, version) in VERSIONS.into_iter().enumerate() {
                let created = history.begin() + TimeDelta::days(i64::from(history.days)) / 2 * half as i32;
                for (number, (region, _)) in REGIONS.into_iter().enumerate() {
                    let peer_id = chance.letters("12D3KooW", 44);
                    let node = NewNode {
                        cpu: 1_024,
                        memory: 2_048,
                        peer_id: peer_id.clone(),
                        region: region.to_owned(),
                        cmd: format!("parsec server --fleet {fleet}"),
                        fleet: fleet.parse().map_err(|error| StoreError::BadRow(format!("{error}")))?,
                        dependencies: json!({ "package": "parsec", "version": version, "strategy": strategy.as_str() }),
                        ip_address: std::net::Ipv4Addr::new(192, 0, 2, number as u8 + 1).into(),
                        server_port: port(7_070)?,
                        peer_port: port(4_001)?,
                        created_at: created,
                    };
                    world.nodes.push(store.register_node(node).await?);
                    world.peer_ids.push(peer_id);
                }
            }
        }
        Ok(world)
    }

    /// The server of a fleet in a region, and its peer id. `later` is the one since the middle of the time.
    pub(crate) fn server(&self, fleet: usize, region: usize, later: bool) -> (NodeId, &str) {
        let index = (fleet * VERSIONS.len() + usize::from(later)) * REGIONS.len() + region;
        (self.nodes[index], &self.peer_ids[index])
    }

    /// Some peer of this manner.
    pub(crate) fn peer(&self, chance: &mut Chance, manner: Manner) -> &Peer {
        let indexes = &self.by_manner[manner as usize];
        &self.peers[indexes[chance.below(indexes.len())]]
    }
}

fn port(number: u16) -> Result<ServerPort, StoreError> {
    ServerPort::try_from(number).map_err(|error| StoreError::BadRow(error.to_string()))
}

fn peer(chance: &mut Chance, is_silent: bool) -> Peer {
    let is_dead = chance.happens(0.15);
    let agent = AGENTS[chance.below(AGENTS.len())].to_owned();
    let octet = chance.below(250) + 1;
    let port = 4_001 + chance.below(100);
    Peer {
        id: chance.letters("12D3KooW", 44),
        agent: (!is_dead).then_some(agent),
        address: format!("/ip4/198.51.100.{octet}/tcp/{port}"),
        manner: match (is_dead, is_silent) {
            (true, _) => Manner::Dead,
            (false, true) => Manner::Silent,
            (false, false) => Manner::Answers,
        },
    }
}
