//! Looks at where records are: planned, claimed by whoever makes them, and recorded when they were made.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use parsec_measure::{AttemptId, CheckId, NodeId, PlannedCheck, RecordCheck};

use crate::columns::{Key, count, micros, text};
use crate::connection::AsyncSqliteConnection;
use crate::session::Session;
use crate::{ClaimChecks, StoreError};

/// One row of `planned_checks`, and what was seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckRow {
    pub(crate) id: Key,
    operation: Option<Key>,
    node: i32,
    fleet: String,
    region: String,
    cid: String,
    provider: String,
    published: DateTime<Utc>,
    after_seconds: i32,
    due: DateTime<Utc>,
    pub(crate) done: Option<DoneRow>,
}

/// What the rows of `record_checks` have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DoneRow {
    at: DateTime<Utc>,
    by: i32,
    age_seconds: f64,
    holders: Vec<HolderRow>,
}

/// What a row of `record_checks` says of its own.
#[derive(Debug, Clone, PartialEq)]
struct HolderRow {
    rank: i32,
    peer: String,
    answered: bool,
    has_record: bool,
}

/// A plan as it is read back.
#[derive(Debug, Queryable)]
pub(crate) struct StoredPlan {
    id: Key,
    operation: Option<Key>,
    node: i32,
    fleet: String,
    region: String,
    cid: String,
    provider: String,
    published: DateTime<Utc>,
    after_seconds: i32,
}

/// Who claims, and what: see [`ClaimChecks`].
#[derive(Debug, Clone)]
pub(crate) struct ClaimRow {
    by: i32,
    fleet: String,
    region: String,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    of_others_due_by: DateTime<Utc>,
    oldest_due: DateTime<Utc>,
    limit: i64,
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait CheckQueries: Send {
    /// Writes the plan unless it is there, and what was seen unless somebody else's look is there.
    fn insert_check(&mut self, row: &CheckRow, written: DateTime<Utc>) -> impl Future<Output = QueryResult<()>> + Send;
    /// Claims what is due and open, the longest overdue first.
    fn claim_checks(&mut self, claim: ClaimRow) -> impl Future<Output = QueryResult<Vec<StoredPlan>>> + Send;
}

macro_rules! implement_check_queries {
    (for $connection:ty, on $schema:ident) => {
        const _: () = {
            use parsec_schema::$schema::{planned_checks, record_checks};

            macro_rules! open {
                ($claim:ident) => {
                    planned_checks::table.filter(planned_checks::ended_at.is_null()).filter(
                        planned_checks::claimed_until.is_null().or(planned_checks::claimed_until.le(Some($claim.now))),
                    )
                };
            }

            impl CheckQueries for $connection {
                async fn insert_check(&mut self, row: &CheckRow, written: DateTime<Utc>) -> QueryResult<()> {
                    diesel::insert_into(planned_checks::table)
                        .values((
                            planned_checks::id.eq(row.id),
                            planned_checks::operation_id.eq(row.operation),
                            planned_checks::node_id.eq(row.node),
                            planned_checks::fleet.eq(&row.fleet),
                            planned_checks::region.eq(&row.region),
                            planned_checks::cid.eq(&row.cid),
                            planned_checks::provider_peer_id.eq(&row.provider),
                            planned_checks::published_at.eq(row.published),
                            planned_checks::after_seconds.eq(row.after_seconds),
                            planned_checks::due_at.eq(row.due),
                            planned_checks::created_at.eq(written),
                        ))
                        .on_conflict(planned_checks::id)
                        .do_nothing()
                        .execute(self)
                        .await?;
                    let Some(done) = &row.done else { return Ok(()) };
                    let open = planned_checks::table.find(row.id).filter(planned_checks::ended_at.is_null());
                    let ended = planned_checks::ended_at.eq(Some(done.at));
                    if diesel::update(open).set(ended).execute(self).await? == 0 {
                        return Ok(());
                    }
                    // Twenty rows of a check that is made now and then: too few for batches.
                    for holder in &done.holders {
                        diesel::insert_into(record_checks::table)
                            .values((
                                record_checks::check_id.eq(row.id),
                                record_checks::rank.eq(holder.rank),
                                record_checks::holder_peer_id.eq(&holder.peer),
                                record_checks::answered.eq(holder.answered),
                                record_checks::has_record.eq(holder.has_record),
                                record_checks::operation_id.eq(row.operation),
                                record_checks::node_id.eq(row.node),
                                record_checks::checked_by.eq(Some(done.by)),
                                record_checks::cid.eq(&row.cid),
                                record_checks::provider_peer_id.eq(&row.provider),
                                record_checks::after_seconds.eq(row.after_seconds),
                                record_checks::age_seconds.eq(done.age_seconds),
                                record_checks::checked_at.eq(done.at),
                            ))
                            .execute(self)
                            .await?;
                    }
                    Ok(())
                }

                async fn claim_checks(&mut self, claim: ClaimRow) -> QueryResult<Vec<StoredPlan>> {
                    let due = planned_checks::due_at
                        .le(claim.of_others_due_by)
                        .or(planned_checks::node_id.eq(claim.by).and(planned_checks::due_at.le(claim.now)));
                    let ids: Vec<Key> = open!(claim)
                        .filter(planned_checks::fleet.eq(&claim.fleet))
                        .filter(planned_checks::region.eq(&claim.region))
                        .filter(planned_checks::due_at.ge(claim.oldest_due))
                        .filter(due)
                        .order((planned_checks::due_at, planned_checks::id))
                        .limit(claim.limit)
                        .select(planned_checks::id)
                        .load(self)
                        .await?;
                    if ids.is_empty() {
                        return Ok(Vec::new());
                    }
                    // Somebody else may have claimed them since: whoever comes second finds them claimed.
                    diesel::update(open!(claim).filter(planned_checks::id.eq_any(ids)))
                        .set((
                            planned_checks::claimed_by.eq(Some(claim.by)),
                            planned_checks::claimed_until.eq(Some(claim.until)),
                        ))
                        .returning((
                            planned_checks::id,
                            planned_checks::operation_id,
                            planned_checks::node_id,
                            planned_checks::fleet,
                            planned_checks::region,
                            planned_checks::cid,
                            planned_checks::provider_peer_id,
                            planned_checks::published_at,
                            planned_checks::after_seconds,
                        ))
                        .get_results(self)
                        .await
                }
            }
        };
    };
}

implement_check_queries!(for Session, on postgres);
implement_check_queries!(for AsyncSqliteConnection, on sqlite);

impl From<&RecordCheck> for CheckRow {
    fn from(RecordCheck { plan, done }: &RecordCheck) -> Self {
        let done = done.as_ref().map(|done| DoneRow {
            at: micros(done.at),
            by: done.by.0,
            age_seconds: (done.at - plan.published).as_seconds_f64().max(0.0),
            holders: done
                .holders
                .iter()
                .map(|holder| HolderRow {
                    rank: count(holder.rank),
                    peer: text(&holder.holder),
                    answered: holder.answered,
                    has_record: holder.has_record,
                })
                .collect(),
        });
        Self {
            id: Key(plan.id.0),
            operation: plan.attempt.map(|attempt| Key(attempt.0)),
            node: plan.node.0,
            fleet: plan.fleet.as_str().to_owned(),
            region: text(&plan.region),
            cid: text(&plan.cid),
            provider: text(&plan.provider),
            published: micros(plan.published),
            after_seconds: i32::try_from(plan.after.as_secs()).unwrap_or(i32::MAX),
            due: micros(plan.due()),
            done,
        }
    }
}

impl From<&ClaimChecks> for ClaimRow {
    fn from(claim: &ClaimChecks) -> Self {
        Self {
            by: claim.by.0,
            fleet: claim.fleet.as_str().to_owned(),
            region: text(&claim.region),
            now: micros(claim.now),
            until: micros(claim.until),
            of_others_due_by: micros(claim.of_others_due_by),
            oldest_due: micros(claim.oldest_due),
            limit: i64::from(claim.limit),
        }
    }
}

impl StoredPlan {
    /// In the terms of the domain.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if somebody else has written what cannot be a plan of ours.
    pub(crate) fn read(self) -> Result<PlannedCheck, StoreError> {
        let id = self.id;
        let bad = |error: &dyn std::fmt::Display| StoreError::BadRow(format!("planned check {}: {error}", id.0));
        Ok(PlannedCheck {
            id: CheckId(id.0),
            attempt: self.operation.map(|operation| AttemptId(operation.0)),
            node: NodeId(self.node),
            fleet: self.fleet.parse().map_err(|error| bad(&error))?,
            region: self.region,
            cid: self.cid,
            provider: self.provider,
            published: self.published,
            // The tables allow nothing negative.
            after: Duration::from_secs(u64::try_from(self.after_seconds).unwrap_or_default()),
        })
    }
}
