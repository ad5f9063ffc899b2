//! What the archive can be asked, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{AttemptId, Fleet, IdPart, OperationKind, When};
use parsec_store::{Selection, StoreError};
use serde_json::Value;
use thiserror::Error;

/// Which measurements a question is about. Names are as the tables have them, whoever wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Only those that started then or later.
    pub since: Option<When>,
    /// Only those that started earlier than then.
    pub until: Option<When>,
    /// Only of servers that measure these networks; all if there are none.
    pub networks: Vec<String>,
    /// Only of these fleets; all if there are none.
    pub fleets: Vec<String>,
    /// Only of these regions; all if there are none.
    pub regions: Vec<String>,
    /// Only of servers with these strategies; all if there are none.
    pub strategies: Vec<String>,
    /// Only publications, or only lookups.
    pub kind: Option<OperationKind>,
}

impl Filter {
    /// As the database is asked, at a time: it narrows down what it can, and the rest is left to [`takes`](Self::takes).
    pub(crate) fn selection(&self, now: DateTime<Utc>, unless_said: Duration) -> Selection {
        let until = self.until.map(|until| until.seen_from(now));
        let since = self.since.map(|since| since.seen_from(now));
        let since = since.unwrap_or_else(|| When::Ago(unless_said).seen_from(until.unwrap_or(now)));
        // A name that no fleet of ours can have is still one that a table can hold.
        let fleets: Result<Vec<Fleet>, _> = self.fleets.iter().map(|name| name.parse()).collect();
        Selection {
            since: Some(since),
            until,
            fleets: fleets.unwrap_or_default(),
            regions: self.regions.clone(),
            kind: self.kind,
        }
    }

    /// Whether the measurements of a server with these names are among them.
    pub(crate) fn takes(&self, [network, fleet, region, strategy]: [&str; 4]) -> bool {
        let among = |names: &[String], name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
        among(&self.networks, network)
            && among(&self.fleets, fleet)
            && among(&self.regions, region)
            && among(&self.strategies, strategy)
    }
}

/// What somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// Servers, rounds under way, the last attempts.
    Overview,
    /// Figures and charts of some measurements.
    Measurements(Filter),
    /// Two fleets against each other.
    Comparison {
        /// What to compare with.
        a: String,
        /// What to compare.
        b: String,
        /// Which measurements of both.
        of: Filter,
    },
    /// The peers that cost most.
    Peers(Filter),
    /// What happened.
    Incidents(Filter),
    /// A page of attempts, the newest first.
    Operations {
        /// Which.
        of: Filter,
        /// Only those that began before this one.
        before: Option<AttemptId>,
        /// How many at most.
        limit: u32,
    },
    /// One operation, by its identity or a part of it.
    Operation(IdPart),
}

/// What there is to see, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// When it was read.
    pub at: DateTime<Utc>,
    /// How long that took.
    pub took: Duration,
    /// The content of a page.
    pub html: String,
    /// The same for programs.
    pub document: Value,
    /// The same for tools that draw traces, if there is one.
    pub trace: Option<Value>,
    /// What can be chosen.
    pub known: Known,
    /// What is new to those who listen.
    pub glimpse: Option<Glimpse>,
}

/// The names that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Networks.
    pub networks: Vec<String>,
    /// Fleets.
    pub fleets: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
    /// Strategies.
    pub strategies: Vec<String>,
}

/// An overview, as far as it can become news.
#[derive(Debug, Clone, PartialEq)]
pub struct Glimpse {
    /// The last attempts, the oldest first, each as it is told.
    pub attempts: Vec<(AttemptId, Value)>,
    /// Changes when anything else in it does.
    pub mark: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unanswered {
    /// It is being counted; asking again in a moment helps.
    #[error("this is still being counted; it appears here as soon as it is there")]
    Counting,
    /// As many questions as may be under way are.
    #[error("too many questions are being answered at the moment; ask again in a few seconds")]
    Busy,
    /// It took too long.
    #[error("counting this took longer than {} s; choose a shorter period", .0.as_secs())]
    TooLong(Duration),
    /// More was selected than may be counted at once.
    #[error("more than {0} attempts are selected; choose a shorter period, or a fleet")]
    TooMany(usize),
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be asked like this.
    #[error("{0}")]
    Unanswerable(String),
    /// The database is away.
    #[error("the database is away: {0}")]
    Away(String),
    /// The database answers, and not with this.
    #[error("the database cannot be read: {0}")]
    Failed(String),
}

impl From<StoreError> for Unanswered {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Away(reason),
            StoreError::Refused(reason) | StoreError::BadRow(reason) | StoreError::Query(reason) => {
                Self::Failed(reason)
            }
            StoreError::NoSuchNode(_) => Self::Failed(error.to_string()),
        }
    }
}

/// An answer, perhaps an old one.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The newest that there is.
    pub answer: Arc<Answer>,
    /// Why it is not newer, if it should be.
    pub because: Option<Unanswered>,
}
