//! The chronicle in terms of one kind of database.

use async_trait::async_trait;
use chrono::Utc;
use futures::FutureExt;
use parsec_measure::{AttemptId, History, NotedAttempt};

use super::{Backend, Detached};
use crate::history::{HistoryQueries, HistoryRound, HistoryServer, PAGE, attempt, too_many};
use crate::passes::each_stretch;
use crate::selection::Selected;
use crate::{Chronicle, Selection, StoreError, Stretch};

/// Whether a page is the last one.
fn is_last<T>(page: &[T]) -> bool {
    page.len() < PAGE as usize
}

impl<B: Backend> Detached<B> {
    /// The attempts of a stretch, and how many of it cannot be read.
    async fn attempts_of(
        &self,
        selection: &Selection,
        stretch: Stretch,
        at_most: usize,
    ) -> Result<(Vec<NotedAttempt>, usize), StoreError> {
        let (mut attempts, mut unread, mut rest) = (Vec::new(), 0, Some(stretch));
        while let Some(stretch) = rest {
            let selected = Selected::new(selection, None).in_stretch(stretch);
            let page = self.read(move |conn| conn.history_attempts(selected.clone()).boxed()).await?;
            rest = page.last().filter(|_| !is_last(&page)).map(|((id, ..), ..)| stretch.beyond(*id));
            let (found, known) = (page.len(), attempts.len());
            attempts.extend(page.into_iter().filter_map(|row| attempt(row).ok()));
            unread += found - (attempts.len() - known);
            if attempts.len() > at_most {
                return Err(too_many("attempts", at_most));
            }
        }
        Ok((attempts, unread))
    }
}

#[async_trait]
impl<B: Backend> Chronicle for Detached<B> {
    async fn history(&self, selection: &Selection, at_most: usize) -> Result<History, StoreError> {
        let mut history = History::default();
        let (mut after, mut read) = (None, 0);
        loop {
            // Rounds have identities of the same kind as attempts.
            let selected = Selected::new(selection, after);
            let page = self.read(move |conn| conn.history_rounds(selected.clone()).boxed()).await?;
            let last = is_last(&page);
            after = page.last().map(|row| AttemptId(row.id.0));
            read += page.len();
            for row in page.into_iter().map(HistoryRound::read) {
                // Everything else happened all the same.
                let Ok(round) = row else {
                    history.unread_rounds += 1;
                    continue;
                };
                let wanted = &selection.fleets;
                if wanted.is_empty() || round.fleets.fleets().iter().any(|fleet| wanted.contains(fleet)) {
                    history.rounds.push(round);
                }
            }
            if read > at_most {
                return Err(too_many("rounds", at_most));
            }
            if last {
                break;
            }
        }
        let read = |stretch| self.attempts_of(selection, stretch, at_most).boxed();
        let take = |(attempts, unread)| {
            history.attempts.extend::<Vec<NotedAttempt>>(attempts);
            history.unread_attempts += unread;
            if history.attempts.len() > at_most { Err(too_many("attempts", at_most)) } else { Ok(()) }
        };
        each_stretch(selection, Utc::now(), read, take).await?;
        let mut after = 0;
        loop {
            let selected = Selected::new(selection, None);
            let page = self.read(move |conn| conn.history_servers(selected.clone(), after).boxed()).await?;
            let last = is_last(&page);
            after = page.last().map_or(after, |row| row.id);
            history.servers.extend(page.into_iter().map(HistoryServer::read));
            if history.servers.len() > at_most {
                return Err(too_many("servers", at_most));
            }
            if last {
                return Ok(history);
            }
        }
    }
}
