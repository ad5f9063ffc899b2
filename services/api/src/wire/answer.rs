//! What a server answers, and what a scheduler makes of the answers of every server in the field.

use std::time::Duration;

use parsec_measure::{Effort, Measured, Measurement, OperationKind, OutcomeClass, Trace, escaped_json, harmless};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::number::{Count, Nanos};
use super::providers::WireProviders;
use super::trace::WireTrace;
use crate::text::cut;

/// The largest body of an answer. One of ours has about 500 bytes, and 50 kB with the trace of a publication on a
/// large network; the largest trace that we write stays below 1.7 MB, and as many providers as there can be below 0.3 MB. An error text of Go can run to some kilobytes.
pub const MAX_ANSWER_BYTES: usize = 2 * 1024 * 1024;

/// The most timed steps in an answer. An IPNI publication, the longest operation known, has four.
pub const MAX_STEPS: usize = 16;

/// The error of a lookup that ended in good order without a provider: exactly this, in both generations.
pub const NOT_FOUND: &str = "not found";

/// How the error of an operation begins that ran past its limit: Go's text, which the field's reports look for.
pub const DEADLINE_EXCEEDED: &str = "context deadline exceeded";

/// The JavaScript server's text for [`NOT_FOUND`].
pub const NOT_FOUND_JS: &str = "Did not find any providers";

/// Go's text for an empty routing table (`kbucket.ErrLookupFailure`).
const EMPTY_TABLE: &str = "failed to find any peer in table";

/// How much of an error is kept: a sentence for each of the 20 peers that a record is sent to.
const MAX_ERROR_CHARS: usize = 4_000;

/// How much of the name of a step is kept; the longest that the contract has is `index_entries`.
const MAX_STEP_CHARS: usize = 64;

/// The body of an answer to `/provide` and `/retrieve`: a superset that schedulers of both generations read.
///
/// Reading is as lenient as the field needs it: what one of the generations leaves out may be absent, and Go
/// writes `null` for an empty list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    #[serde(rename = "CID")]
    cid: String,
    #[serde(default)]
    routing_table_size: Option<Count>,
    #[serde(default)]
    measurements: Option<Vec<Step>>,
    #[serde(default)]
    duration: Option<Nanos>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(default, rename = "RPCs", skip_serializing_if = "Option::is_none")]
    rpcs: Option<Count>,
    #[serde(default, rename = "RPCsFailed", skip_serializing_if = "Option::is_none")]
    rpcs_failed: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dials: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dials_failed: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_stored: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_confirmed: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_failed: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_pending: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network_size: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallback: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_own_records: Option<bool>,
    #[serde(default, skip_serializing_if = "WireProviders::is_none")]
    providers: WireProviders,
    #[serde(default, skip_serializing_if = "WireTrace::is_none")]
    trace: WireTrace,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Step {
    /// Go's servers leave it empty in the answer to a lookup.
    #[serde(default)]
    step: String,
    duration: Nanos,
    #[serde(default)]
    error: Option<String>,
}

/// A body that is no answer, or one that contradicts itself: never turned into a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadAnswer {
    /// Longer than an answer can be.
    #[error("the answer has more than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    /// Not JSON, or not the JSON of an answer; also a duration below zero or beyond a day.
    #[error("the answer is not a measurement: {reason}")]
    Malformed {
        /// What the decoder objected to, and where.
        reason: String,
    },
    /// Neither of the places where the generations keep the duration.
    #[error("the answer has neither `Duration` nor `Measurements`")]
    NoDuration,
    /// More than any operation has.
    #[error("the answer has {steps} `Measurements`, at most {MAX_STEPS} are taken")]
    TooManySteps {
        /// How many it has.
        steps: usize,
    },
    /// Success with an error text, or a failure without one.
    #[error("the answer contradicts itself: `Outcome` is `{outcome}` and `Error` is `{error}`")]
    Contradiction {
        /// The class it claims.
        outcome: OutcomeClass,
        /// The error it gives, cut to a sensible length.
        error: String,
    },
}

impl Answer {
    /// The answer that says what became of an operation on `cid`, without its trace.
    ///
    /// Readers of 2026 see a failure in the steps alone, so that one step at least carries it.
    pub fn from_measured(cid: &str, measured: &Measured, kind: OperationKind) -> Self {
        let error = wire_error(measured.class, measured.error.as_deref());
        let mut steps: Vec<Step> = measured
            .steps
            .iter()
            .map(|step| Step {
                step: step.step.clone(),
                duration: Nanos(step.duration),
                error: Some(step.error.as_deref().map_or_else(String::new, |e| wire_error(measured.class, Some(e)))),
            })
            .collect();
        if steps.is_empty() {
            let step = kind.wire_step().to_owned();
            steps.push(Step { step, duration: Nanos(measured.duration), error: Some(String::new()) });
        }
        let silent = steps.iter().all(|step| step.error.as_deref().is_none_or(str::is_empty));
        if let Some(last) = steps.last_mut().filter(|_| silent) {
            last.error = Some(error.clone());
        }
        let effort = measured.effort;
        Self {
            cid: cid.to_owned(),
            routing_table_size: Some(Count(measured.routing_table_size)),
            measurements: Some(steps),
            duration: Some(Nanos(measured.duration)),
            error: Some(error),
            outcome: Some(measured.class.as_str().to_owned()),
            rpcs: effort.rpcs.map(Count),
            rpcs_failed: effort.rpcs_failed.map(Count),
            dials: effort.dials.map(Count),
            dials_failed: effort.dials_failed.map(Count),
            holders_stored: effort.holders_stored.map(Count),
            holders_confirmed: effort.holders_confirmed.map(Count),
            holders_failed: effort.holders_failed.map(Count),
            holders_pending: effort.holders_pending.map(Count),
            network_size: measured.network_size.map(Count),
            fallback: measured.fallback.clone(),
            from_own_records: measured.from_own_records.then_some(true),
            providers: WireProviders::written(&measured.providers),
            trace: WireTrace::default(),
        }
    }

    /// The same with what was done request by request, for those who [ask for it](super::TRACE_HEADER).
    #[must_use]
    pub fn with_trace(self, trace: Option<&Trace>) -> Self {
        Self { trace: WireTrace::written(trace), ..self }
    }

    /// Reads the body of an answer of any server in the field.
    ///
    /// # Errors
    /// [`BadAnswer::TooLarge`] and [`BadAnswer::Malformed`].
    pub fn decode(body: &[u8]) -> Result<Self, BadAnswer> {
        if body.len() > MAX_ANSWER_BYTES {
            return Err(BadAnswer::TooLarge);
        }
        serde_json::from_slice(body).map_err(|error| BadAnswer::Malformed { reason: cut(&error.to_string()) })
    }

    /// The body of this answer. Whoever prints it as it is, as curl does, gets nothing that steers their terminal.
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("text and numbers in an object are always JSON");
        escaped_json(&json).into_owned().into_bytes()
    }

    /// The identifier that the answer is about. Whoever asked checks that it is the one asked for.
    pub fn cid(&self) -> &str {
        &self.cid
    }

    /// The measurement in this answer, whichever generation wrote it. `kind` is what was asked for: it names the
    /// step where the answer has none.
    ///
    /// # Errors
    /// If the answer holds no duration, too many steps, or contradicts itself.
    pub fn into_measured(self, kind: OperationKind) -> Result<Measured, BadAnswer> {
        let steps = read_steps(kind, self.measurements.unwrap_or_default())?;
        let duration = match (self.duration, steps.as_slice()) {
            (Some(Nanos(whole)), _) => whole,
            (None, []) => return Err(BadAnswer::NoDuration),
            // The steps of an operation follow one another.
            (None, steps) => steps.iter().map(|step| step.duration).sum(),
        };
        let (class, error) = judge(self.outcome.as_deref(), self.error.as_deref().and_then(said), &steps)?;
        let steps = if steps.is_empty() { vec![whole_step(kind, duration, error.clone())] } else { steps };
        let number = |count: Option<Count>| count.map(|Count(number)| number);
        Ok(Measured {
            error,
            routing_table_size: number(self.routing_table_size).unwrap_or(0),
            steps,
            effort: Effort {
                rpcs: number(self.rpcs),
                rpcs_failed: number(self.rpcs_failed),
                dials: number(self.dials),
                dials_failed: number(self.dials_failed),
                holders_stored: number(self.holders_stored),
                holders_confirmed: number(self.holders_confirmed),
                holders_failed: number(self.holders_failed),
                holders_pending: number(self.holders_pending),
            },
            network_size: number(self.network_size),
            fallback: self.fallback.as_deref().and_then(said).map(|reason| cut(&reason)),
            from_own_records: self.from_own_records.unwrap_or(false),
            providers: self.providers.into_inner(),
            // What a server found is its word; whether that is who published is for the scheduler to say.
            found_publisher: None,
            trace: self.trace.into_inner(),
            class,
            duration,
        })
    }
}

fn whole_step(kind: OperationKind, duration: Duration, error: Option<String>) -> Measurement {
    Measurement { step: kind.wire_step().to_owned(), duration, error }
}

fn read_steps(kind: OperationKind, steps: Vec<Step>) -> Result<Vec<Measurement>, BadAnswer> {
    if steps.len() > MAX_STEPS {
        return Err(BadAnswer::TooManySteps { steps: steps.len() });
    }
    let read = |Step { step, duration: Nanos(duration), error }| Measurement {
        step: if step.is_empty() { kind.wire_step().to_owned() } else { harmless(&step, MAX_STEP_CHARS) },
        duration,
        error: error.as_deref().and_then(said),
    };
    Ok(steps.into_iter().map(read).collect())
}

/// The class and the error text: by the server's own word if it has one that we know, else by its error.
fn judge(
    outcome: Option<&str>,
    error: Option<String>,
    steps: &[Measurement],
) -> Result<(OutcomeClass, Option<String>), BadAnswer> {
    match outcome.and_then(|name| name.parse::<OutcomeClass>().ok()).filter(|class| class.is_answered()) {
        Some(class) if (class == OutcomeClass::Ok) != error.is_none() => {
            Err(BadAnswer::Contradiction { outcome: class, error: cut(&error.unwrap_or_default()) })
        }
        Some(class) => Ok((class, error)),
        None => {
            let error = error.or_else(|| steps.iter().find_map(|step| step.error.clone()));
            Ok((class_of(error.as_deref()), error))
        }
    }
}

fn class_of(error: Option<&str>) -> OutcomeClass {
    match error {
        None => OutcomeClass::Ok,
        Some(text) if text == NOT_FOUND || text.contains(NOT_FOUND_JS) => OutcomeClass::NotFound,
        Some(text) if text.contains(DEADLINE_EXCEEDED) => OutcomeClass::Timeout,
        Some(text) if text.contains(EMPTY_TABLE) => OutcomeClass::NoPeers,
        Some(_) => OutcomeClass::Protocol,
    }
}

/// The error text that the field expects for a class; it is empty exactly for success.
fn wire_error(class: OutcomeClass, detail: Option<&str>) -> String {
    let detail = detail.unwrap_or_default().trim();
    match class {
        OutcomeClass::Ok => String::new(),
        OutcomeClass::NotFound => NOT_FOUND.to_owned(),
        OutcomeClass::Timeout if detail.starts_with(DEADLINE_EXCEEDED) => detail.to_owned(),
        OutcomeClass::Timeout if detail.is_empty() => DEADLINE_EXCEEDED.to_owned(),
        OutcomeClass::Timeout => format!("{DEADLINE_EXCEEDED}: {detail}"),
        class if detail.is_empty() => class.as_str().to_owned(),
        _ => detail.to_owned(),
    }
}

/// An error text as the domain has it: `None` is success.
fn said(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| harmless(text, MAX_ERROR_CHARS))
}

#[cfg(test)]
mod tests;
