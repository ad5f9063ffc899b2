//! Operations as they were recorded: a list of them, and one of them whole.

use chrono::{DateTime, SecondsFormat, Utc};
use parsec_measure::{FollowUp, FoundProvider, Measured, StoredOperation, short_ids};
use parsec_results::explain;
use serde_json::{Map, Value, json};

use crate::facts::{facts, figures, records};
use crate::operation::{self, Heading};
use crate::sentences::sentences;
use crate::{Look, words};

/// One operation for people.
pub fn text(operation: &StoredOperation, look: Look) -> String {
    let result = result(operation);
    operation::text(&heading(operation), &told(operation, &result), result.trace.as_deref(), look)
}

/// The same without what its time went to, for where that is said already.
pub(crate) fn unexplained(operation: &StoredOperation, look: Look) -> String {
    let result = result(operation);
    operation::unexplained(&heading(operation), &told(operation, &result), result.trace.as_deref(), look)
}

/// What there is to say of it besides its heading, in lines.
fn told(operation: &StoredOperation, result: &Measured) -> Vec<String> {
    let mut told = vec![format!("operation {}", operation.attempt.id.0)];
    told.push(format!("started {}", started(operation, SecondsFormat::Millis)));
    told.extend(facts(operation.attempt.kind, result));
    let end = |end: &FollowUp| format!("in the end: {} after {}", records(end), words::duration(end.duration));
    told.extend(operation.follow_up.as_ref().map(end));
    told
}

/// What the time of one operation went to, in a heading and sentences.
pub fn explanation(operation: &StoredOperation) -> String {
    let trace = operation.attempt.result.trace.as_deref();
    let heading = heading(operation).line(trace);
    let told = trace.map_or_else(|| vec!["no trace was taken".to_owned()], |trace| sentences(&explain(trace)));
    let told = told.iter().map(|sentence| format!("\n  {sentence}")).collect::<String>();
    format!("{heading}\noperation {}\n{told}", operation.attempt.id.0)
}

/// The same for programs.
pub fn explanation_document(operation: &StoredOperation) -> Value {
    let explanation = operation.attempt.result.trace.as_deref().map(explain);
    let mut all = identity(operation);
    all.extend(heading(operation).figures());
    all.insert("explanation".to_owned(), json!(explanation.as_ref().map(sentences)));
    all.insert("time_spent".to_owned(), json!(explanation.map(|explanation| explanation.parts.unwrap_or_default())));
    Value::Object(all)
}

/// One operation for programs.
pub fn document(operation: &StoredOperation) -> Value {
    let result = result(operation);
    let strategy = result.trace.as_ref().map(|trace| trace.strategy);
    let mut about = identity(operation);
    about.extend(figures(&operation.peer_id, strategy, &result));
    about.insert("follow_up".to_owned(), operation.follow_up.as_ref().map_or(Value::Null, in_the_end));
    operation::document(&heading(operation), about, result.trace.as_deref())
}

/// A line for each operation, which begins with as much of its id as tells it from the others.
pub fn list(operations: &[StoredOperation]) -> String {
    let ids: Vec<_> = operations.iter().map(|operation| operation.attempt.id).collect();
    operations.iter().zip(short_ids(&ids)).map(|(operation, id)| line(operation, &id)).collect::<Vec<_>>().join("\n")
}

/// The same for programs.
pub fn list_document(operations: &[StoredOperation]) -> Value {
    let summary = |operation: &StoredOperation| {
        let mut all = heading(operation).figures();
        all.extend(identity(operation));
        Value::Object(all)
    };
    operations.iter().map(summary).collect()
}

/// The result with the providers that it found: the database has them in the trace alone.
fn result(operation: &StoredOperation) -> Measured {
    let result = &operation.attempt.result;
    let providers = result.trace.iter().flat_map(|trace| trace.named()).map(FoundProvider::bounded).collect();
    Measured { providers, ..result.clone() }
}

fn heading(StoredOperation { attempt, region, fleet, .. }: &StoredOperation) -> Heading {
    Heading {
        kind: attempt.kind,
        cid: attempt.cid.clone(),
        class: attempt.result.class,
        error: attempt.result.error.clone(),
        duration: attempt.result.duration,
        fleet: Some(fleet.clone()),
        region: Some(region.clone()),
    }
}

/// What became of a publication.
fn in_the_end(follow_up: &FollowUp) -> Value {
    let FollowUp { stored, confirmed, failed, pending, duration, .. } = follow_up;
    json!({
        "holders_stored": stored,
        "holders_confirmed": confirmed,
        "holders_failed": failed,
        "holders_pending": pending,
        "duration_seconds": duration.as_secs_f64(),
    })
}

fn started(operation: &StoredOperation, format: SecondsFormat) -> String {
    let started: DateTime<Utc> = operation.attempt.started;
    started.to_rfc3339_opts(format, true)
}

fn line(operation: &StoredOperation, id: &str) -> String {
    let StoredOperation { attempt, region, fleet, .. } = operation;
    let (kind, class, took) = (attempt.kind, attempt.result.class, words::duration(attempt.result.duration));
    let started = started(operation, SecondsFormat::Secs);
    format!("{id} {started} {kind:<8} {class:<12} {took:>8} {fleet} {region}").trim_end().to_owned()
}

fn identity(operation: &StoredOperation) -> Map<String, Value> {
    let (id, started) = (operation.attempt.id.0.to_string(), operation.attempt.started.to_rfc3339());
    Map::from_iter([("id".to_owned(), json!(id)), ("started".to_owned(), json!(started))])
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;

    use parsec_measure::{
        Attempt, AttemptId, Measured, NodeId, OperationKind, OutcomeClass, RoundId, SchedulerId, StoredOperation,
        Trace, WhyKept,
    };

    /// A lookup with this trace.
    pub(crate) fn recorded(trace: Trace) -> StoredOperation {
        let measured = Measured::unmeasured(OutcomeClass::Ok, trace.returned, "");
        of_kind(OperationKind::Retrieve, Measured { error: None, trace: Some(Arc::new(trace)), ..measured })
    }

    /// An operation with this result.
    pub(crate) fn of_kind(kind: OperationKind, result: Measured) -> StoredOperation {
        let at = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let attempt = Attempt {
            id: AttemptId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()),
            round: RoundId::fresh(),
            scheduler: SchedulerId(1),
            node: NodeId(2),
            kind,
            probe: 0,
            cid: "QmX".to_owned(),
            due: at,
            started: at,
            ended: at,
            result,
            why_kept: Some(WhyKept::Failed),
        };
        let (peer_id, region) = ("QmSelf".to_owned(), "eu-central-1".to_owned());
        StoredOperation { attempt, peer_id, region, fleet: "default".to_owned(), follow_up: None }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use parsec_measure::{Effort, OperationKind, OutcomeClass, TracedRequest};
    use parsec_results::testing::{request, trace};

    use super::testing::of_kind;
    use super::*;

    fn publication() -> StoredOperation {
        let measured = Measured::unmeasured(OutcomeClass::Ok, Duration::from_millis(250), "");
        let result = Measured {
            error: None,
            effort: Effort { rpcs: Some(1), ..measured.effort },
            trace: Some(Arc::new(trace(250, vec![request("peer", 0, 250)]))),
            ..measured
        };
        of_kind(OperationKind::Provide, result)
    }

    #[test]
    fn the_newest_are_listed_with_what_it_takes_to_ask_for_one() {
        assert_eq!(
            list(&[publication()]),
            "099a8057 2026-01-02T03:04:05Z provide  ok             250 ms default eu-central-1"
        );
        let listed = list_document(&[publication()]);
        assert_eq!(listed[0]["id"], "01890a5d-ac96-774b-bcce-b302099a8057");
        assert!(listed[0].get("trace").is_none());
    }

    #[test]
    fn whom_a_recorded_search_found_is_read_off_its_trace() {
        let named = |peer: &str| FoundProvider {
            peer: peer.to_owned(),
            addresses: vec!["/ip4/1.2.3.4/tcp/4001".to_owned()],
            named_by: None,
        };
        let liar = TracedRequest { providers: 1, named: vec![named("QmStranger")], ..request("QmLiar", 0, 250) };
        let result = Measured {
            trace: Some(Arc::new(trace(250, vec![request("QmHonest", 0, 9), liar]))),
            found_publisher: Some(false),
            ..Measured::unmeasured(OutcomeClass::WrongProvider, Duration::from_millis(250), "provided by QmStranger")
        };
        let search = of_kind(OperationKind::Retrieve, result);
        let look = Look { width: 160, colour: false };
        let shown = text(&search, look);
        for part in [
            "retrieve QmX: wrong_provider after 250 ms",
            "\nprovided by QmStranger\n",
            "\nprovider QmStranger at /ip4/1.2.3.4/tcp/4001, named by QmLiar\n",
            "\nwho had published is not among those found\n",
            "1 provider (…ranger), 20 closer",
        ] {
            assert!(shown.contains(part), "no `{part}` in {shown}");
        }
        let document = document(&search);
        let provider = json!([{ "peer": "QmStranger", "addresses": ["/ip4/1.2.3.4/tcp/4001"], "named_by": "QmLiar" }]);
        assert_eq!((&document["providers"], &document["found_publisher"]), (&provider, &json!(false)));
    }

    #[test]
    fn one_operation_is_shown_whole() {
        let look = Look { width: 100, colour: false };
        let shown = text(&publication(), look);
        assert!(
            shown.starts_with("provide QmX: ok after 250 ms, strategy classic, fleet default, region eu-central-1\n")
        );
        assert!(shown.contains("started 2026-01-02T03:04:05.678Z\n") && shown.contains("FIND_NODE"), "{shown}");
        let document = document(&publication());
        assert_eq!((&document["operation"], &document["trace"]["returned"]), (&json!("provide"), &json!(250_000)));
        assert_eq!(document["rpcs"], 1);
    }
}
