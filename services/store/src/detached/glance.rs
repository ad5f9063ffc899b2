//! What is seen at a glance, in terms of one kind of database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use parsec_measure::{AttemptId, NotedAttempt, Round, SeenServer};
use uuid::Uuid;

use super::{Backend, Detached};
use crate::columns::{Key, micros};
use crate::glance::{GlanceQueries, MAX_GLANCED, ServerRow};
use crate::history::{HistoryRound, attempt};
use crate::selection::Selected;
use crate::{Glance, Glanced, Selection, StoreError};

#[async_trait]
impl<B: Backend> Glance for Detached<B> {
    async fn servers(&self, since: Option<DateTime<Utc>>) -> Result<Vec<SeenServer>, StoreError> {
        let since = micros(since.unwrap_or(DateTime::UNIX_EPOCH));
        let rows = self.read(move |conn| conn.seen_servers(since).boxed()).await?;
        Ok(rows.into_iter().map(ServerRow::read).collect())
    }

    async fn newest_rounds(&self, limit: u32) -> Result<Glanced<Round>, StoreError> {
        let limit = i64::from(limit.min(MAX_GLANCED));
        let rows = self.read(move |conn| conn.last_rounds(limit).boxed()).await?;
        Ok(Glanced::of(rows, |row| row.id, HistoryRound::read))
    }

    async fn newest_attempts(
        &self,
        selection: &Selection,
        before: Option<AttemptId>,
        limit: u32,
    ) -> Result<Glanced<NotedAttempt>, StoreError> {
        let (selected, limit) = (Selected::new(selection, None), i64::from(limit.min(MAX_GLANCED)));
        let before = before.map_or(Key(Uuid::max()), |before| Key(before.0));
        let rows = self.read(move |conn| conn.last_attempts(selected.clone(), before, limit).boxed()).await?;
        Ok(Glanced::of(rows, |((id, ..), ..)| *id, attempt))
    }
}
