//! Asks the ECS metadata endpoint (version 4) what it says of the container that this server runs in: an agent on the same
//! machine, which may come up later than the container.

mod container;

use std::time::Duration;

use parsec_api::client::bare;
use parsec_measure::harmless;
use reqwest::header::LOCATION;
use reqwest::{Client, Response, StatusCode, Url};
use thiserror::Error;
use tokio::time::sleep;
use tracing::warn;

pub use container::{BadMetadata, Container};

/// The largest answer that is read: a real one has about 2 kB, with all labels that AWS allows 40 kB.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How much of what is wrong is repeated, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// How long the endpoint is given: 42 s in all if it never answers, below what an orchestrator waits for a start.
const PATIENCE: Patience = Patience {
    tries: 6,
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(5),
    pauses: (Duration::from_millis(500), Duration::from_secs(4)),
};

/// How often and how long something is asked.
#[derive(Debug, Clone, Copy)]
struct Patience {
    tries: u32,
    /// For a connection.
    connect: Duration,
    /// For the whole answer, connection included.
    answer: Duration,
    /// Between two tries: doubling between these.
    pauses: (Duration, Duration),
}

/// An endpoint without a usable answer.
#[derive(Debug, Error)]
#[error("ECS metadata (ECS_CONTAINER_METADATA_URI_V4 or --ecs-metadata-uri-v4) from {uri}: {reason}")]
pub struct AskError {
    uri: Url,
    #[source]
    reason: Reason,
}

#[derive(Debug, Error)]
enum Reason {
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    #[error("{last} ({tries} tries)")]
    GivenUp { last: Box<Reason>, tries: u32 },
    #[error("cannot reach it: {0}")]
    Unreachable(String),
    #[error("no complete answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("it answers {0}; expected 200 with the metadata")]
    Status(StatusCode),
    #[error("it answers {status} with a redirect to `{to}`, which is not followed; expected 200 with the metadata")]
    Redirect { status: StatusCode, to: String },
    #[error("its answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    #[error(transparent)]
    Bad(#[from] BadMetadata),
}

impl Reason {
    /// Whether it may be different a moment later: the agent is not up yet, or does not know the container yet.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Status(status) => {
                status.is_server_error() || [StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS].contains(status)
            }
            _ => false,
        }
    }
}

/// Asks for the container that this process runs in.
///
/// # Errors
/// Names the address, and what came instead of an answer.
pub async fn ask(uri: Url) -> Result<Container, AskError> {
    ask_with(PATIENCE, uri).await
}

async fn ask_with(patience: Patience, uri: Url) -> Result<Container, AskError> {
    again_and_again(patience, &uri).await.map_err(|reason| AskError { uri, reason })
}

async fn again_and_again(patience: Patience, uri: &Url) -> Result<Container, Reason> {
    let client = bare().connect_timeout(patience.connect).timeout(patience.answer).build().map_err(Reason::Client)?;
    let (mut pause, mut tries) = (patience.pauses.0, 1);
    loop {
        let reason = match once(&client, uri, patience.answer).await {
            Ok(text) => return Ok(text.parse::<Container>()?),
            Err(reason) => reason,
        };
        if !reason.may_pass() {
            return Err(reason);
        }
        if tries >= patience.tries {
            return Err(Reason::GivenUp { last: Box::new(reason), tries });
        }
        warn!(%uri, %reason, tries, "no ECS metadata yet; trying again");
        sleep(pause).await;
        pause = (pause * 2).min(patience.pauses.1);
        tries += 1;
    }
}

async fn once(client: &Client, uri: &Url, limit: Duration) -> Result<String, Reason> {
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => Reason::TimedOut(limit),
        false => Reason::Unreachable(root_cause(&error)),
    };
    let mut response = client.get(uri.clone()).send().await.map_err(failed)?;
    match response.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(Reason::Redirect { status, to: location(&response) }),
        status => return Err(Reason::Status(status)),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Reason::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    // What is no text is no JSON either, and is refused as such.
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn location(response: &Response) -> String {
    let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
    harmless(to, MAX_SHOWN_CHARS)
}

/// What the system said: the errors around it only repeat what was tried.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    harmless(&cause.to_string(), MAX_SHOWN_CHARS)
}

#[cfg(test)]
mod tests;
