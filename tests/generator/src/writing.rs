//! Puts a history into a database.

use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use parsec_measure::TraceKeeper;
use parsec_store::{Row, Store, StoreError};

use crate::history::{ATTEMPTS, FLEETS, History};
use crate::round;
use crate::world::World;

/// How many operations are written at once.
const BATCH: u64 = 1_000;

/// How many batches are under way at once: PostgreSQL writes them side by side, SQLite one after the other.
const WRITERS: usize = 3;

/// Writes the history into a migrated database, and tells `progress` how many operations are written.
///
/// # Errors
/// If the database does not take a row.
pub async fn write(store: Arc<dyn Store>, history: History, progress: impl Fn(u64) + Sync) -> Result<(), StoreError> {
    let world = World::register(&*store, &history).await?;
    let rounds_of_all = FLEETS.len() as u64 * ATTEMPTS;
    let at_once = BATCH / rounds_of_all;
    let mut keeper = history.keeper();
    let (store, world, progress) = (&store, &world, &progress);
    let writing = stream::iter((0..history.rounds()).step_by(at_once as usize)).map(|first| {
        let last = (first + at_once).min(history.rounds());
        // In the order of time, whatever the order in which they are written: what is slow depends on what was before.
        let rows = rows(world, &history, &mut keeper, first..last);
        async move {
            store.record(&rows).await?;
            progress(last * rounds_of_all);
            Ok(())
        }
    });
    writing.buffer_unordered(WRITERS).try_collect().await
}

/// The rows of rounds of all fleets.
fn rows(world: &World, history: &History, keeper: &mut TraceKeeper, rounds: Range<u64>) -> Vec<Row> {
    let numbers = rounds.flat_map(|number| (0..FLEETS.len()).map(move |fleet| (number, fleet)));
    numbers.flat_map(|(number, fleet)| round::play(world, history, keeper, number, fleet)).collect()
}
