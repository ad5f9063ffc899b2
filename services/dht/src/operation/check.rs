//! Checks where a record is, without being measured: a fresh lookup of its key, and GET_PROVIDERS to each of the
//! closest peers. A check costs as much as a publication, and leaves no record behind.
//!
//! The check uses a temporary key and connections of its own. rust-libp2p's servers do not name a provider to itself,
//! so the publisher would be told that nobody has its record. This also leaves the routing table and the connections of
//! the measuring node untouched.

use std::time::Duration;

use libp2p::PeerId;
use parsec_measure::{Cid, HolderCheck, StrategyKind};
use tokio::time::Instant;

use crate::operation::drive::{Limits, Operation};
use crate::operation::error::DhtError;
use crate::operation::log::Log;
use crate::operation::report::Context;
use crate::strategy::key::Key;
use crate::strategy::{Asked, FindHolders};

/// How long one request of a check may take, dial included. No caller is waiting for it, and a slower peer is useless
/// to those who look for the record.
const ASK: Limits = Limits { ask: Some(Duration::from_secs(15)), put: None };

/// How long a whole check may take: several hops with a silent peer in each, and then the holders.
const CHECK_LIMIT: Duration = Duration::from_secs(120);

impl Context {
    /// Whether the closest peers of a key hold a record that names `provider`. Empty if no peer could be asked in time.
    /// This node itself is not asked.
    pub(crate) async fn check_record(self, cid: Cid, provider: String) -> Result<Vec<HolderCheck>, DhtError> {
        let key = cid.multihash();
        let (target, k) = (Key::of(&key), self.config.k);
        let mut start = self.tools.driver.start(key.clone(), k).await?;
        if self.strategy == StrategyKind::Fullrt {
            (start.seeds, _) = self.census.closest(&target, k);
        }
        let (tools, _visit) = self.incognito.arrive(k)?;
        let ids = start.seeds.iter().map(|seed| seed.id).collect();
        let strategy = FindHolders::new(target, self.local, ids, self.config);
        let (local, started) = (start.local, Instant::now());
        let operation = Operation { key, local, started, deadline: started + CHECK_LIMIT, limits: ASK };
        let asked = operation.drive(&tools, strategy, start.seeds, Log::default()).await.outcome;
        let names = |named: &Vec<PeerId>| named.iter().any(|named| named.to_string() == provider);
        let holder = |(rank, Asked { peer, providers }): (u32, Asked<PeerId>)| HolderCheck {
            holder: peer.to_string(),
            rank,
            answered: providers.is_some(),
            has_record: providers.as_ref().is_some_and(names),
        };
        Ok((1..).zip(asked.unwrap_or_default()).map(holder).collect())
    }
}
