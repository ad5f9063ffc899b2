//! Passes over all that is selected: what comes next is read while what came is taken in. Rows come in the order of their identities, so that
//! the same rows give the same figures to the last digit.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use futures::{FutureExt, try_join};
use parsec_measure::{ArchivedOperation, AttemptId, SampledOperation, Trace};

use crate::{Archive, CountedPage, Glanced, Selection, StoreError, Stretch, TRACES_AT_ONCE, Traces};

/// In how many stretches of time attempts are read, and how many pages are asked for at once: the database then works while what it gave is
/// taken in, and sessions are left to others.
const STRETCHES: u32 = 16;
const AT_ONCE: usize = 2;

/// Hands over, in the order of time, what `read` makes of each stretch of the selected time.
///
/// # Errors
/// The first of `read` or `take`, after which nothing more is read.
pub async fn each_stretch<'a, T, E>(
    selection: &Selection,
    now: DateTime<Utc>,
    read: impl Fn(Stretch) -> BoxFuture<'a, Result<T, E>>,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let all: Vec<_> = selection.stretches(STRETCHES, now).into_iter().map(read).collect();
    let mut read = stream::iter(all).buffered(AT_ONCE);
    while let Some(of_stretch) = read.next().await {
        take(of_stretch?)?;
    }
    Ok(())
}

/// Hands over each of the selected attempts. Returns how many more there are that this version cannot read.
///
/// # Errors
/// As with [`Archive::counted`].
pub async fn each_counted(
    archive: &dyn Archive,
    selection: &Selection,
    now: DateTime<Utc>,
    mut each: impl FnMut(&ArchivedOperation),
) -> Result<usize, StoreError> {
    let mut unread = 0;
    let take = |pages: Vec<CountedPage>| {
        for page in pages {
            unread += page.unread;
            page.attempts.iter().for_each(&mut each);
        }
        Ok(())
    };
    each_stretch(selection, now, |stretch| stretched(archive, selection, stretch).boxed(), take).await?;
    Ok(unread)
}

async fn stretched(
    archive: &dyn Archive,
    selection: &Selection,
    stretch: Stretch,
) -> Result<Vec<CountedPage>, StoreError> {
    let (mut pages, mut rest) = (Vec::new(), Some(stretch));
    while let Some(stretch) = rest {
        let page = archive.counted(selection, stretch).await?;
        rest = page.rest;
        pages.push(page);
    }
    Ok(pages)
}

/// Hands over each of the selected operations, with whether its trace was kept. Returns how many more there are that this version cannot
/// read.
///
/// # Errors
/// As with [`Traces::sampled`].
pub async fn each_sampled(
    traces: &dyn Traces,
    selection: &Selection,
    mut each: impl FnMut(&SampledOperation),
) -> Result<usize, StoreError> {
    let mut unread = 0;
    let mut page = traces.sampled(selection, None).await?;
    while page.last.is_some() {
        let next = beyond(traces, selection, &page);
        let taken = async {
            page.rows.iter().for_each(&mut each);
            Ok(())
        };
        let (next, ()) = try_join!(next, taken)?;
        unread += page.unread;
        page = next;
    }
    Ok(unread)
}

/// Hands over each of the selected operations, and its trace if that was kept: none in it if it cannot be read. Only a few traces are in memory
/// at once. Returns how many more operations there are that this version cannot read.
///
/// # Errors
/// As with [`Traces::sampled`].
pub async fn each_traced(
    traces: &dyn Traces,
    selection: &Selection,
    mut each: impl FnMut(&SampledOperation, Option<Option<Trace>>),
) -> Result<usize, StoreError> {
    let mut unread = 0;
    let mut page = traces.sampled(selection, None).await?;
    while page.last.is_some() {
        let next = beyond(traces, selection, &page);
        let (next, ()) = try_join!(next, with_traces(traces, &page.rows, &mut each))?;
        unread += page.unread;
        page = next;
    }
    Ok(unread)
}

async fn beyond(
    traces: &dyn Traces,
    selection: &Selection,
    page: &Glanced<SampledOperation>,
) -> Result<Glanced<SampledOperation>, StoreError> {
    traces.sampled(selection, page.last.map(AttemptId)).await
}

async fn with_traces(
    traces: &dyn Traces,
    page: &[SampledOperation],
    each: &mut impl FnMut(&SampledOperation, Option<Option<Trace>>),
) -> Result<(), StoreError> {
    let (kept, others): (Vec<_>, Vec<_>) = page.iter().partition(|sampled| sampled.why_kept.is_some());
    others.into_iter().for_each(|sampled| each(sampled, None));
    let some: Vec<BoxFuture<'_, _>> = kept.chunks(TRACES_AT_ONCE).map(|some| read(traces, some).boxed()).collect();
    let mut read = stream::iter(some).buffered(AT_ONCE);
    while let Some(some) = read.next().await {
        some?.into_iter().for_each(|(sampled, trace)| each(sampled, Some(trace)));
    }
    Ok(())
}

async fn read<'a>(
    traces: &dyn Traces,
    some: &[&'a SampledOperation],
) -> Result<Vec<(&'a SampledOperation, Option<Trace>)>, StoreError> {
    let ids: Vec<AttemptId> = some.iter().map(|sampled| sampled.operation.id).collect();
    let found = traces.traces(&ids).await?;
    Ok(some.iter().copied().zip(found.into_iter().map(|(_, trace)| trace)).collect())
}
