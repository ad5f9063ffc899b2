//! How a look at where a record is is written into the spool: see [`shape`](super::shape).

use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{AttemptId, CheckDone, CheckId, HolderCheck, NodeId, ParseFleetError, PlannedCheck, RecordCheck};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredCheck {
    id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<Uuid>,
    node: i32,
    fleet: String,
    region: String,
    cid: String,
    provider: String,
    published: DateTime<Utc>,
    after: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<StoredDone>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredDone {
    at: DateTime<Utc>,
    by: i32,
    holders: Vec<StoredHolder>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredHolder {
    holder: String,
    rank: u32,
    answered: bool,
    has_record: bool,
}

impl From<&RecordCheck> for StoredCheck {
    fn from(RecordCheck { plan, done }: &RecordCheck) -> Self {
        Self {
            id: plan.id.0,
            attempt: plan.attempt.map(|attempt| attempt.0),
            node: plan.node.0,
            fleet: plan.fleet.as_str().to_owned(),
            region: plan.region.clone(),
            cid: plan.cid.clone(),
            provider: plan.provider.clone(),
            published: plan.published,
            after: plan.after,
            done: done.as_ref().map(|CheckDone { at, by, holders }| StoredDone {
                at: *at,
                by: by.0,
                holders: holders.iter().map(StoredHolder::from).collect(),
            }),
        }
    }
}

impl From<&HolderCheck> for StoredHolder {
    fn from(HolderCheck { holder, rank, answered, has_record }: &HolderCheck) -> Self {
        Self { holder: holder.clone(), rank: *rank, answered: *answered, has_record: *has_record }
    }
}

impl StoredCheck {
    pub(super) fn read(self) -> Result<RecordCheck, String> {
        let plan = PlannedCheck {
            id: CheckId(self.id),
            attempt: self.attempt.map(AttemptId),
            node: NodeId(self.node),
            fleet: self.fleet.parse().map_err(|error: ParseFleetError| error.to_string())?,
            region: self.region,
            cid: self.cid,
            provider: self.provider,
            published: self.published,
            after: self.after,
        };
        let holder =
            |StoredHolder { holder, rank, answered, has_record }| HolderCheck { holder, rank, answered, has_record };
        let done = self.done.map(|StoredDone { at, by, holders }| CheckDone {
            at,
            by: NodeId(by),
            holders: holders.into_iter().map(holder).collect(),
        });
        Ok(RecordCheck { plan, done })
    }
}
