//! Each key by itself, as the node publishes a single one, some at a time.

use std::collections::HashMap;

use parsec_measure::{Cid, OutcomeClass};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::books::Books;
use crate::operation::error::DhtError;
use crate::operation::log::Snapshot;
use crate::operation::report::{Context, Published};
use crate::strategy::Request;

/// How many publications are under way at a time: as many workers as Kubo has (`Provide.DHT.MaxWorkers`).
const AT_ONCE: usize = 16;

/// What has ended.
enum Ended {
    /// A publication has been answered, with the number of its key.
    Returned(usize, Result<Box<Published>, DhtError>),
    /// All that it left to the background has ended.
    Settled(usize, Snapshot),
}

/// Publishes all keys. Once the time is over, no other one begins.
pub(super) async fn publish(
    context: &Context,
    cids: &[Cid],
    deadline: Instant,
    books: &mut Books,
) -> Result<(), DhtError> {
    let mut waiting = cids.iter().enumerate();
    let (mut under_way, mut publishing) = (JoinSet::new(), 0);
    // What was done by those that something is still under way of.
    let mut unsettled: HashMap<usize, Snapshot> = HashMap::new();
    loop {
        while publishing < AT_ONCE
            && Instant::now() < deadline
            && let Some((number, cid)) = waiting.next()
        {
            publishing += 1;
            under_way.spawn(one(context.clone(), number, cid.clone(), deadline));
        }
        let Some(ended) = under_way.join_next().await else { return Ok(()) };
        match ended.map_err(|error| DhtError::Crashed(error.to_string()))? {
            Ended::Settled(number, log) => {
                unsettled.remove(&number);
                note(books, number, &log);
            }
            Ended::Returned(number, published) => {
                publishing -= 1;
                match published {
                    Ok(published) => {
                        let Published { measured, log, background, .. } = *published;
                        if let Some(reason) = measured.error {
                            books.failed(number, measured.class, reason);
                        }
                        match background {
                            None => note(books, number, &log),
                            Some(background) => {
                                unsettled.insert(number, log);
                                under_way.spawn(async move { Ended::Settled(number, background.await) });
                            }
                        }
                    }
                    Err(error) => books.failed(number, OutcomeClass::Cancelled, error.to_string()),
                }
            }
        }
    }
}

async fn one(context: Context, number: usize, cid: Cid, deadline: Instant) -> Ended {
    let left = deadline.saturating_duration_since(Instant::now());
    let context = Context { timeout: context.timeout.min(left), ..context };
    Ended::Returned(number, context.publication(&cid).await.map(Box::new))
}

fn note(books: &mut Books, number: usize, log: &Snapshot) {
    if log.entries().any(|(entry, _)| entry.request != Request::AddProvider) {
        books.looks_up();
    }
    let puts = log.puts();
    for place in 0..puts.chosen() {
        books.chose(place < puts.stored);
    }
    books.take_in_puts(number, log);
}
