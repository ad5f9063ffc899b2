//! Why a call brought no measurement.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use parsec_measure::OutcomeClass;
use thiserror::Error;

use crate::text::cut;
use crate::wire::BadAnswer;

/// Why a call to a server brought no measurement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// No connection, or one that broke before the answer was complete.
    #[error("the server could not be reached: {reason}")]
    Unreachable {
        /// What the network said.
        reason: String,
    },
    /// No complete answer in time.
    #[error("the server gave no answer within {after:?}")]
    TimedOut {
        /// The limit that was reached.
        after: Duration,
    },
    /// The server says that it cannot measure now: it is not ready yet, or busy.
    #[error("the server is not ready: {reason}")]
    NotReady {
        /// The server's reason, cut to a sensible length.
        reason: String,
    },
    /// Neither success nor "not ready".
    #[error("the server answered with status {code}: {text}")]
    Status {
        /// The HTTP status.
        code: u16,
        /// The body, cut to a sensible length.
        text: String,
    },
    /// An answer that is not a measurement, or no HTTP at all.
    #[error("{reason}")]
    BadAnswer {
        /// What is wrong with it.
        reason: String,
    },
}

impl CallError {
    /// Under which class the attempt is recorded.
    pub fn class(&self) -> OutcomeClass {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => OutcomeClass::ServerUnreachable,
            Self::NotReady { .. } => OutcomeClass::ServerNotReady,
            Self::Status { .. } | Self::BadAnswer { .. } => OutcomeClass::ServerError,
        }
    }

    /// Sorts what the HTTP library reports about a call that was given the time `limit`.
    pub(super) fn from_reqwest(error: &reqwest::Error, limit: Duration) -> Self {
        let reason = cut(&with_causes(error));
        if error.is_connect() {
            Self::Unreachable { reason }
        } else if error.is_timeout() {
            Self::TimedOut { after: limit }
        } else if is_not_http(error) {
            Self::BadAnswer { reason: format!("the answer is not HTTP: {reason}") }
        } else {
            Self::Unreachable { reason }
        }
    }
}

impl From<BadAnswer> for CallError {
    fn from(error: BadAnswer) -> Self {
        Self::BadAnswer { reason: error.to_string() }
    }
}

/// reqwest's own text says little more than "error sending request"; the causes say why.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

fn is_not_http(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        // What is wrong in the middle of a body, such as a chunk without an end, hyper reports as data that are not valid.
        let is_invalid = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData;
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
            || error.downcast_ref::<io::Error>().is_some_and(is_invalid)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
