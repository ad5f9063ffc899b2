//! How processes are doing, in their own words: `GET /status`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::deployment::telemetry;
use crate::http;
use crate::process::Process;
use crate::stage::Stage;
use crate::world::World;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What a process says of itself; `None` if it does not say anything now.
pub(crate) async fn status(process: &Process) -> Option<Value> {
    let address = timeout(LIMIT, telemetry(process)).await.ok()?;
    let reply = http::try_get(address, "/status", LIMIT).await.filter(|reply| reply.status == 200)?;
    serde_json::from_str(&reply.text).ok()
}

/// What a process shows to Prometheus; `None` if it does not show anything now.
pub(crate) async fn metrics(process: &Process) -> Option<String> {
    let address = timeout(LIMIT, telemetry(process)).await.ok()?;
    Some(http::try_get(address, "/metrics", LIMIT).await.filter(|reply| reply.status == 200)?.text)
}

/// How many rows the scheduler has not got into the database yet: in memory and on disk.
pub(crate) fn rows_waiting(status: &Value) -> Option<u64> {
    status["recorder"]["backlog_rows"].as_u64()
}

/// What is wrong with the actors of a process, one sentence each.
pub(crate) fn ailing(name: &str, status: &Value) -> Vec<String> {
    let actors = status["actors"].as_array().cloned().unwrap_or_default();
    if actors.is_empty() {
        return vec![format!("{name} names no actors: {status}")];
    }
    let down = actors.iter().filter(|actor| actor["state"] != "running");
    let mut ailing: Vec<_> = down.map(|actor| format!("{name}: {actor}")).collect();
    if status["recorder"]["degraded"].as_bool() == Some(true) {
        ailing.push(format!("{name} does not write to its spool: {}", status["recorder"]));
    }
    ailing
}

/// Waits until everybody who had a full disk has found out that it takes something again: without a row to write, within 10 s.
pub(crate) async fn disks_are_used(stage: &Stage, world: &World) {
    for slot in world.slots() {
        let is_used = async || (slot.look(status).await??["recorder"]["degraded"] != true).then_some(());
        stage.eventually(&format!("use of the disk of {}", slot.name), is_used).await;
    }
}

/// Waits until the scheduler has nothing left to write and its spool is in order.
pub(crate) async fn has_written_everything(stage: &Stage, world: &World) {
    let is_done = async || {
        let status = world.scheduler.look(status).await??;
        (rows_waiting(&status) == Some(0) && status["recorder"]["degraded"] != true).then_some(())
    };
    stage.eventually("empty backlog", is_done).await;
}
