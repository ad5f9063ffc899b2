//! Publishes many keys at once: each by itself, some at a time; with a full routing table peer by peer; or all together by a sweep
//! over the keyspace.
//!
//! It ends when every record has been written or given up, the time is over, or the node has stopped: what was done by then is
//! reported, key by key.

mod books;
mod full;
mod one_by_one;
mod sending;
mod sweep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parsec_measure::{Cid, Manner, ProvidedMany, StrategyKind};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use self::books::Books;
use crate::operation::aftermath::CONFIRMING;
use crate::operation::error::DhtError;
use crate::operation::report::Context;
use crate::strategy::prepare_targets;

/// How long it may take in all. Key by key, a node of the public network publishes some 80 keys a minute; a caller who has
/// more keys than fit asks again with those that are left.
pub const MANY_LIMIT: Duration = Duration::from_secs(1_800);

/// Tells those who work for somebody that nobody waits for them any more.
#[derive(Default)]
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Context {
    /// Publishes all of these keys. Every key is reported, however it ended, in the order in which they are given.
    pub(crate) async fn provide_many(self, cids: Vec<Cid>, manner: Manner) -> Result<ProvidedMany, DhtError> {
        if cids.is_empty() {
            return Ok(ProvidedMany::nothing(manner));
        }
        if manner == Manner::Sweep {
            let watched = GivenUp::default();
            let given_up = Arc::clone(&watched.0);
            let prepared = spawn_blocking(move || prepare_targets(&given_up)).await;
            prepared.map_err(|error| DhtError::Crashed(error.to_string()))?;
        }
        if self.cold {
            self.tools.driver.hang_up().await?;
        }
        // From here on connections are kept, which is the point of publishing many keys at once.
        let context = Self { cold: false, ..self };
        let began = Instant::now();
        let keys: Vec<Vec<u8>> = cids.iter().map(Cid::multihash).collect();
        let start = context.tools.driver.start(keys[0].clone(), context.config.k).await?;
        let is_full = context.strategy == StrategyKind::Fullrt;
        let table = if is_full { context.census.size() } else { start.table_size };
        let (mut books, deadline) = (Books::new(began, cids.len()), began + MANY_LIMIT);
        match manner {
            Manner::Each if is_full => full::publish(&context, &start.local, &keys, deadline, &mut books).await?,
            Manner::Each => one_by_one::publish(&context, &cids, deadline, &mut books).await?,
            Manner::Sweep => sweep::publish(&context, &start.local, &keys, deadline, &mut books).await?,
        }
        let duration = began.elapsed();
        tokio::select! {
            _ = timeout(CONFIRMING, books.confirmed()) => {}
            // Without the swarm no stream is read any more.
            () = context.tools.driver.gone() => {}
        }
        let routing_table_size = u32::try_from(table).unwrap_or(u32::MAX);
        let nothing = ProvidedMany { duration, routing_table_size, ..ProvidedMany::nothing(manner) };
        Ok(books.close(cids, nothing, MANY_LIMIT))
    }
}
