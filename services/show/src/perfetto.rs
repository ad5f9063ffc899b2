//! Operations as trace events, which ui.perfetto.dev and chrome://tracing draw.
//!
//! Each operation is a process, and all of them begin at 0, so that they can be compared. Its tracks are the operation, the critical path, and
//! one for each request with its phases.

use std::time::Duration;

use parsec_measure::{RequestEnd, StoredOperation, Trace, TracedRequest};
use parsec_results::Cause;
use parsec_results::path::stretches;
use parsec_results::phases::{Phase, Span, phases};
use serde_json::{Value, json};

use crate::words;

/// What stands before the first event.
pub const BEGIN: &str = r#"{"displayTimeUnit":"ms","traceEvents":["#;

/// What stands after the last one.
pub const END: &str = "]}";

/// The track of the operation, and that of its critical path. Those of requests come after them. No track is 0, which readers take for the
/// idle thread of a system, or for none.
const OPERATION: usize = 1;
const PATH: usize = 2;
const FIRST_REQUEST: usize = 3;

/// The category of what was measured, and the one that the format has for names of tracks. Some readers cannot do without.
const CATEGORY: &str = "parsec";
const NAMES: &str = "__metadata";

/// The events of the `number`-th operation, from 1. None if it has no trace.
pub fn events(number: usize, operation: &StoredOperation) -> Vec<Value> {
    let attempt = &operation.attempt;
    let Some(trace) = &attempt.result.trace else { return Vec::new() };
    let process = Process { number };
    let name = format!("{} {} after {}", attempt.kind, attempt.result.class, words::duration(attempt.result.duration));
    let told = json!({
        "id": attempt.id.0.to_string(),
        "cid": attempt.cid,
        "started": attempt.started.to_rfc3339(),
        "fleet": operation.fleet.as_str(),
        "region": operation.region,
        "peer": operation.peer_id,
        "strategy": trace.strategy.as_str(),
        "error": attempt.result.error,
        "requests_left_out": trace.left_out,
    });
    let mut events = vec![process.named("process_name", OPERATION, &format!("{name}, {}", attempt.id.0))];
    events.push(process.named("thread_name", OPERATION, "operation"));
    events.push(process.slice(OPERATION, &name, Span { from: Duration::ZERO, to: trace.returned }, told));
    events.push(process.named("thread_name", PATH, "critical path"));
    events.extend(stretches(trace).into_iter().map(|stretch| {
        process.slice(PATH, cause(stretch.cause), stretch.span, json!({ "requests": stretch.requests }))
    }));
    for (index, request) in trace.requests.iter().enumerate() {
        events.extend(process.request(FIRST_REQUEST + index, index, request, trace));
    }
    events
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Lookup => "lookup",
        Cause::Put => "put",
        Cause::Failed(end) => end.as_str(),
        Cause::UnderWay => "under way",
        Cause::Itself => "the node itself",
    }
}

/// One operation among others.
#[derive(Clone, Copy)]
struct Process {
    number: usize,
}

impl Process {
    fn named(self, what: &str, track: usize, name: &str) -> Value {
        json!({ "ph": "M", "cat": NAMES, "name": what, "pid": self.number, "tid": track, "ts": 0, "args": { "name": name } })
    }

    fn slice(self, track: usize, name: &str, span: Span, told: Value) -> Value {
        let (from, length) = (micros(span.from), micros(span.length()));
        json!({
            "ph": "X", "cat": CATEGORY, "name": name, "pid": self.number, "tid": track, "ts": from, "dur": length, "args": told,
        })
    }

    fn request(self, track: usize, index: usize, request: &TracedRequest, trace: &Trace) -> Vec<Value> {
        let TracedRequest { peer, agent, kind, named_by, hop, asked, ended, end, error, confirmed, .. } = request;
        // What had not ended was still under way when the operation returned.
        let to = ended.unwrap_or(trace.returned).max(*asked);
        let told = json!({
            "peer": peer,
            "agent": agent,
            "end": end.as_str(),
            "error": error,
            "named_by": named_by,
            "hop": hop,
            "common_prefix_bits": request.common_prefix,
            "closer": request.closer,
            "providers": request.providers,
            "unconfirmed": request.unconfirmed,
        });
        let mut name = format!("{kind} …{}", words::peer(peer));
        if *end != RequestEnd::Answered {
            name += &format!(", {}", end.as_str());
        }
        let mut events = vec![self.named("thread_name", track, &format!("request {index}"))];
        events.push(self.slice(track, &name, Span { from: *asked, to }, told));
        let some = phases(request, to).into_iter().filter(|(_, span)| span.length() > Duration::ZERO);
        events.extend(some.map(|(phase, span)| self.slice(track, phase_name(phase), span, json!({}))));
        events.extend(confirmed.map(|at| {
            json!({
                "ph": "i", "s": "t", "cat": CATEGORY, "name": "confirmed", "pid": self.number, "tid": track, "ts": micros(at),
            })
        }));
        events
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "queued",
        Phase::Dial => "dial",
        Phase::Open => "open stream, write",
        Phase::Wait => "wait for the answer",
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use parsec_results::testing::{at, ending, put, request, trace};

    use super::*;
    use crate::recorded::testing::recorded;

    #[test]
    fn each_request_is_a_track_with_its_phases_inside() {
        let cold = TracedRequest {
            dialled: at(10),
            connected: at(210),
            opened: at(300),
            written: at(300),
            ..request("peer-aaaaaa", 0, 400)
        };
        let stored =
            TracedRequest { connected: at(400), written: at(400), confirmed: at(700), ..put("peer-bbbbbb", 400, 500) };
        let pending = ending(RequestEnd::Pending, TracedRequest { ended: None, ..put("peer-cccccc", 400, 0) });
        let events = events(3, &recorded(trace(500, vec![cold, stored, pending])));
        assert!(events.iter().all(|event| event["pid"] == 3 && event["tid"].as_u64() > Some(0)), "{events:#?}");
        // What the format says of every event; a reader that we did not write cannot do without.
        for field in ["ph", "cat", "name", "ts"] {
            assert!(events.iter().all(|event| !event[field].is_null()), "{field}: {events:#?}");
        }
        let on = |track: usize, sort: &str| -> Vec<_> {
            let of = |event: &&Value| event["tid"] == track && event["ph"] == sort;
            let told = |event: &Value| {
                (event["name"].as_str().unwrap().to_owned(), event["ts"].as_u64().unwrap(), event["dur"].as_u64())
            };
            events.iter().filter(of).map(told).collect()
        };
        assert_eq!(on(OPERATION, "X").len(), 1);
        let path: Vec<_> = on(PATH, "X").into_iter().map(|(name, ..)| name).collect();
        assert_eq!(path, ["lookup", "put"]);
        assert_eq!(
            on(FIRST_REQUEST, "X"),
            [
                ("FIND_NODE …aaaaaa".to_owned(), 0, Some(400_000)),
                ("queued".to_owned(), 0, Some(10_000)),
                ("dial".to_owned(), 10_000, Some(200_000)),
                ("open stream, write".to_owned(), 210_000, Some(90_000)),
                ("wait for the answer".to_owned(), 300_000, Some(100_000)),
            ]
        );
        assert_eq!(on(FIRST_REQUEST + 1, "i"), [("confirmed".to_owned(), 700_000, None)]);
        assert_eq!(on(FIRST_REQUEST + 2, "X")[0], ("ADD_PROVIDER …cccccc, pending".to_owned(), 400_000, Some(100_000)));
    }

    #[test]
    fn a_file_of_several_operations_is_one_document() {
        let lines: Vec<_> =
            (1..=2).flat_map(|number| events(number, &recorded(trace(9, vec![request("a", 0, 9)])))).collect();
        let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
        let document: Value = serde_json::from_str(&format!("{BEGIN}\n{}\n{END}", lines.join(",\n"))).unwrap();
        assert_eq!(document["traceEvents"].as_array().unwrap().len(), lines.len());
    }
}
