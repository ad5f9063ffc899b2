//! Stopping in order: each part is asked to stop, one after the other, each with its own time limit, within one limit
//! for all.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::watch;
use tracing::{info, warn};

use super::ask::Ask;

/// Finish what is under way, record what still has to be recorded, and stop. Answered when that is done.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// True once the process is stopping.
pub(crate) type Stopping = watch::Receiver<bool>;

/// Waits for `work`, unless the process stops first.
pub(crate) async fn unless_stopping<T>(mut stopping: Stopping, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // If the work is done, its result counts, even if the stop came in the same moment.
        biased;
        result = work => Some(result),
        _ = stopping.wait_for(|stopping| *stopping) => None,
    }
}

/// One part of an orderly stop.
#[derive(Debug, Clone)]
pub struct StopStep {
    /// What stops, for the log.
    pub name: &'static str,
    /// Whom to ask. Its deadline bounds the step.
    pub ask: Ask<Stop>,
}

/// Stops one part after the other. If one fails, the next ones are stopped all the same.
///
/// Returns what was left undone: a sentence for each part that did not stop in order.
pub async fn stop_in_order(steps: Vec<StopStep>) -> Vec<String> {
    let mut undone = Vec::new();
    for StopStep { name, ask } in steps {
        let started = tokio::time::Instant::now();
        match ask.ask(Stop).await {
            Ok(()) => info!(part = name, duration_seconds = started.elapsed().as_secs_f64(), "stopped"),
            Err(error) => {
                warn!(part = name, %error, "did not stop in order");
                undone.push(error.to_string());
            }
        }
    }
    undone
}

/// How much time the steps of a stop have. Those of a server (the longest) add up to 24 s of the 30 s.
#[derive(Debug, Clone, Copy)]
pub struct StopTimes {
    whole: Duration,
    scale: f64,
}

/// How long the process takes after its last part has stopped: a step of the thread that watches over the stop, and a
/// little.
const CONCLUSION: Duration = Duration::from_millis(1_500);

/// How long a whole stop may take by default.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);

impl StopTimes {
    /// The times of a stop that may take `whole` in all. If that is less than [`STOP_TIMEOUT`], each step gets a
    /// proportional share; if it is more, no step gets more.
    pub fn of(whole: Duration) -> Self {
        Self { whole, scale: (whole.as_secs_f64() / STOP_TIMEOUT.as_secs_f64()).min(1.0) }
    }

    fn scaled(self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds * self.scale)
    }

    /// How long the gateway waits for requests in flight.
    pub fn requests(self) -> Duration {
        self.scaled(GATEWAY_STOP.as_secs_f64())
    }

    /// The same, plus a little time to report back.
    pub fn gateway(self) -> Duration {
        self.scaled(GATEWAY_STOP.as_secs_f64() + 1.0)
    }

    /// How long the current rounds may take to record that they were interrupted, plus a little.
    pub fn scheduler(self) -> Duration {
        self.scaled(SCHEDULER_STOP.as_secs_f64() + 1.0)
    }

    /// How long the recorder may take to write what it holds, if the parts before it took so long: all that is left,
    /// because it is the last, and what it does not write may be lost.
    pub fn recorder(self, before: Duration) -> Duration {
        let left = self.whole.saturating_sub(before).saturating_sub(CONCLUSION);
        left.max(self.scaled(RECORDER_STOP.as_secs_f64()))
    }

    /// How long marking the node offline may take.
    pub fn heartbeat(self) -> Duration {
        self.scaled(HEARTBEAT_STOP.as_secs_f64())
    }

    /// How long the DHT node may take to close its connections.
    pub fn dht(self) -> Duration {
        self.scaled(DHT_STOP.as_secs_f64())
    }
}

/// [`StopTimes::requests`] of a whole stop.
pub const GATEWAY_STOP: Duration = Duration::from_secs(10);
/// How long the current rounds may take to record that they were interrupted.
pub const SCHEDULER_STOP: Duration = Duration::from_secs(5);
/// The least that [`StopTimes::recorder`] gives of a whole stop.
pub const RECORDER_STOP: Duration = Duration::from_secs(10);
/// [`StopTimes::heartbeat`] of a whole stop.
pub const HEARTBEAT_STOP: Duration = Duration::from_secs(3);
/// [`StopTimes::dht`] of a whole stop.
pub const DHT_STOP: Duration = Duration::from_secs(3);
