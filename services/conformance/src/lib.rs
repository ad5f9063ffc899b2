//! Whether a server, of whatever implementation, keeps the HTTP contract.
//!
//! `checks` lists what is asked, `judges` weigh what came, `finding` is what they say, [`report`] shows it. Here the
//! questions are put, one after the other and each bounded in time and size: a hostile server ends the run like any other.

mod checks;
mod finding;
mod judges;
pub mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

use parsec_api::client::{CallError, HttpClient, RawMethod, RawReply, RawRequest};
use parsec_api::wire::MAX_ANSWER_BYTES;
use parsec_measure::Endpoint;
use parsec_show::words;
use tokio::time::{Instant, sleep};

use self::checks::{Check, Expected, Needs, PUBLISHES, READINESS};
use self::finding::quoted;
pub use self::finding::{Checked, Finding, Verdict};
use self::judges::Readiness;

/// How often it is asked whether the server can measure.
const READY_POLL: Duration = Duration::from_millis(250);

/// How long an answer may take that no work is done for, such as a refusal.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// After so many requests without an answer, no more are sent: what is left would take as long for the same news.
const MAX_UNANSWERED: usize = 2;

/// How many reasons for not being ready are kept to be told.
const MAX_REASONS: usize = 3;

/// How long to wait for the server that is inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For each answer.
    pub answer: Duration,
    /// For the server to be ready.
    pub ready: Duration,
}

/// Runs every check, one after the other.
pub async fn inspect(client: HttpClient, server: Endpoint, limits: Limits) -> Vec<Checked> {
    Inspection::new(client, server, limits.answer, limits.ready).run(checks::checks(&mut rand::rng())).await
}

/// What is known of the server by now.
#[derive(Debug)]
struct Inspection {
    client: HttpClient,
    server: Endpoint,
    /// For each request.
    limit: Duration,
    /// For the server to be ready.
    ready_limit: Duration,
    answers: bool,
    ready: bool,
    published: bool,
    unanswered: usize,
}

impl Inspection {
    fn new(client: HttpClient, server: Endpoint, limit: Duration, ready_limit: Duration) -> Self {
        let (answers, ready, published) = (false, false, false);
        Self { client, server, limit, ready_limit, answers, ready, published, unanswered: 0 }
    }

    async fn run(mut self, checks: Vec<Check>) -> Vec<Checked> {
        let mut all = vec![self.readiness().await];
        for check in checks {
            all.push(self.check(check).await);
        }
        all
    }

    /// Asks until the server is ready, gives a wrong answer, or has had its time.
    async fn readiness(&mut self) -> Checked {
        let clock = Instant::now();
        let mut reasons: Vec<String> = Vec::new();
        let finding = loop {
            let answer = self.ask(checks::ask_readiness(), IDLE_LIMIT.min(self.limit)).await;
            self.answers |= answer.is_ok();
            let reason = match answer.as_ref().map(judges::readiness) {
                Ok(Readiness::Ready) => break Finding::pass(ready_after(&reasons, clock.elapsed())),
                Ok(Readiness::Wrong(what)) => break Finding::Fail(what),
                Ok(Readiness::Waits(reason)) => format!("not ready: {reason}"),
                Err(error) => no_answer(error),
            };
            if reasons.last() != Some(&reason) && reasons.len() < MAX_REASONS {
                reasons.push(reason.clone());
            }
            if clock.elapsed() >= self.ready_limit {
                let waited = parsec_measure::written_duration(self.ready_limit);
                break Finding::fail(format!("{reason}, still after {waited} (--ready-timeout)"));
            }
            sleep(READY_POLL).await;
        };
        self.ready = finding.verdict() == Verdict::Pass;
        let request = shown(&checks::ask_readiness());
        Checked { name: READINESS, request, findings: vec![finding], took: Some(clock.elapsed()) }
    }

    async fn check(&mut self, check: Check) -> Checked {
        let Check { name, request, expected, needs } = check;
        let shown = shown(&request);
        if let Some(reason) = self.in_the_way(needs) {
            let findings = vec![Finding::Skipped(reason.to_owned())];
            return Checked { name, request: shown, findings, took: None };
        }
        let limit = if needs == Needs::Answers { IDLE_LIMIT.min(self.limit) } else { self.limit };
        let reply = self.ask(request, limit).await;
        let (findings, took) = match &reply {
            Ok(reply) => (judged(&expected, reply), Some(reply.took)),
            Err(error) => {
                self.unanswered += 1;
                (vec![Finding::Fail(no_answer(error))], None)
            }
        };
        let checked = Checked { name, request: shown, findings, took };
        self.published |= name == PUBLISHES && checked.verdict() != Verdict::Fail;
        checked
    }

    /// Why a check would say nothing.
    fn in_the_way(&self, needs: Needs) -> Option<&'static str> {
        if !self.answers {
            Some("the server does not answer")
        } else if self.unanswered >= MAX_UNANSWERED {
            Some("two requests before this one had no answer")
        } else if needs != Needs::Answers && !self.ready {
            Some("the server is not ready")
        } else if needs == Needs::Published && !self.published {
            Some("nothing was published")
        } else {
            None
        }
    }

    async fn ask(&self, request: RawRequest, limit: Duration) -> Result<RawReply, CallError> {
        self.client.exchange(&self.server, request, MAX_ANSWER_BYTES, limit).await
    }
}

fn ready_after(reasons: &[String], waited: Duration) -> String {
    match reasons {
        [] => "200".to_owned(),
        reasons => format!("200 after {}, before that {}", words::duration(waited), reasons.join(", then ")),
    }
}

fn judged(expected: &Expected, reply: &RawReply) -> Vec<Finding> {
    match expected {
        Expected::Operation(operation) => judges::operation(operation, reply),
        Expected::Refusal(refusal) => vec![judges::refusal(*refusal, reply)],
    }
}

/// What the network says may repeat what the server said.
fn no_answer(error: &CallError) -> String {
    format!("no answer: {}", quoted(&error.to_string()))
}

fn shown(request: &RawRequest) -> String {
    let method = match request.method {
        RawMethod::Get => "GET",
        RawMethod::Post => "POST",
    };
    format!("{method} {}", request.path)
}
