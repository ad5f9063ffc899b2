//! Calls of servers, each in a task of its own: when one of a thousand begins and ends does not depend on what is done with the
//! others' answers. Times are taken there, and books are kept here.

use std::panic::resume_unwind;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::clock;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::supervision::stop::{Stopping, unless_stopping};

/// A call that has ended.
#[derive(Debug)]
pub(crate) struct Called<T> {
    pub(crate) started: DateTime<Utc>,
    pub(crate) ended: DateTime<Utc>,
    pub(crate) took: Duration,
    /// `None` if it was cut off, because the process stops.
    pub(crate) answer: Option<T>,
}

/// Makes a call. Whoever drops this before it has ended cuts it off.
pub(crate) fn call<T: Send + 'static>(
    stopping: Stopping,
    span: Span,
    answering: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Called<T>> {
    let calling = async move {
        let (started, stopwatch) = (clock::now(), Instant::now());
        let answer = unless_stopping(stopping, answering).await;
        Called { started, ended: clock::now(), took: stopwatch.elapsed(), answer }
    };
    // A set of one: whoever drops it aborts the task.
    let mut task = JoinSet::new();
    task.spawn(calling.instrument(span));
    async move {
        match task.join_next().await {
            Some(Ok(called)) => called,
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends, and with it whoever would hear of it.
            _ => {
                let now = clock::now();
                Called { started: now, ended: now, took: Duration::ZERO, answer: None }
            }
        }
    }
}
