//! The judges: small pure functions from what was expected and what came to what is to be said of it.
//!
//! The measure is the contract. Where a server of the field is known to differ, and schedulers live with it, the finding
//! is a note that names it; the JavaScript and Go servers that are meant are those of the original's deployments.

use std::time::Duration;

use parsec_api::client::RawReply;
use parsec_api::wire::{DEADLINE_EXCEEDED, MAX_ANSWER_BYTES, MAX_STEPS, NOT_FOUND, NOT_FOUND_JS};
use parsec_measure::{Cid, OperationKind};
use parsec_show::words;
use serde_json::{Map, Value};

use super::checks::{End, Operation, Refusal};
use super::finding::{Finding, quoted};

/// Servers and client have clocks of their own: how much a duration may exceed the call that it was part of. One part in
/// a thousand is far more than clocks drift; a clock that counts milliseconds is off by one of them.
const CLOCK_TOLERANCE: f64 = 0.001;
const CLOCK_STEP: Duration = Duration::from_millis(1);

/// How small a part of the whole call a duration has to be before its unit is doubted.
const SUSPICIOUS: f64 = 0.01;

/// Units that people mistake for nanoseconds, and how many of these they are.
const OTHER_UNITS: [(&str, u64); 3] =
    [("microseconds", 1_000), ("milliseconds", 1_000_000), ("seconds", 1_000_000_000)];

/// The steps of a publication; all but the first are those of one to the network indexers.
const PROVIDE_STEPS: [&str; 5] = ["provide", "announce", "index_ad", "index_entries", "availability"];
const RETRIEVE_STEPS: [&str; 1] = ["retrieval"];

const JS: &str = "JavaScript servers";
const GO_2023: &str = "Go servers of 2023";
const GO_2026: &str = "Go servers of 2026";

/// An answer to an operation that could be read.
#[derive(Debug)]
struct Answer<'a> {
    members: Map<String, Value>,
    steps: Vec<Value>,
    reply: &'a RawReply,
}

impl Answer<'_> {
    /// What the answer says of times: the name of each, and its value if it is one.
    fn durations(&self) -> Vec<(String, &Value)> {
        let whole = self.members.get("Duration").filter(|value| !value.is_null());
        let whole = whole.map(|value| ("Duration".to_owned(), value));
        let steps = self.steps.iter().enumerate();
        let steps = steps.map(|(index, step)| (format!("Measurements[{index}].Duration"), &step["Duration"]));
        whole.into_iter().chain(steps).collect()
    }

    /// What the answer says of failure, in the place of each generation; an empty text is none.
    fn errors(&self) -> [Option<&str>; 2] {
        let said = |value: &Value| value.as_str().map(str::trim).is_some_and(|text| !text.is_empty());
        let whole = self.members.get("Error").filter(|value| said(value));
        let step = self.steps.iter().map(|step| &step["Error"]).find(|value| said(value));
        [whole, step].map(|value| value.and_then(Value::as_str))
    }

    fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }
}

/// A judge of one side of an answer; it says nothing where there is nothing to judge.
type Judge = fn(&Operation, &Answer<'_>) -> Option<Finding>;

const JUDGES: [Judge; 6] = [content_type, cid, routing_table, wires, error, timing];

/// What there is to say of the answer to an operation.
pub(crate) fn operation(expected: &Operation, reply: &RawReply) -> Vec<Finding> {
    if let (400, Some(by)) = (reply.status, expected.refused_by) {
        return vec![Finding::note("refused with status 400", by)];
    }
    match answer(reply) {
        Ok(answer) => JUDGES.iter().filter_map(|judge| judge(expected, &answer)).collect(),
        Err(why_not) => vec![Finding::Fail(why_not)],
    }
}

fn answer(reply: &RawReply) -> Result<Answer<'_>, String> {
    if reply.status != 200 {
        let text = text(reply);
        return Err(format!(
            "status {} with the text {}; a failed operation too is a 200",
            reply.status,
            quoted(&text)
        ));
    }
    if !reply.is_complete {
        return Err(endless());
    }
    let members = match serde_json::from_slice(&reply.body) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return Err(format!("the body {} is not a JSON object", quoted(&text(reply)))),
        Err(error) => return Err(format!("the body {} is not JSON: {error}", quoted(&text(reply)))),
    };
    let steps = match members.get("Measurements") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(steps)) => steps.clone(),
        Some(_) => return Err("`Measurements` is not an array".to_owned()),
    };
    Ok(Answer { members, steps, reply })
}

fn text(reply: &RawReply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

fn endless() -> String {
    format!("the body has more than {MAX_ANSWER_BYTES} bytes")
}

fn content_type(_: &Operation, answer: &Answer<'_>) -> Option<Finding> {
    let given = answer.reply.content_type.as_deref().unwrap_or("");
    let kind = given.split(';').next().unwrap_or_default().trim();
    let is_json = kind.eq_ignore_ascii_case("application/json");
    let what = || format!("Content-Type {} instead of application/json", quoted(given));
    (!is_json).then(|| Finding::note(what(), "Go servers, and JavaScript servers for lookups"))
}

fn cid(expected: &Operation, answer: &Answer<'_>) -> Option<Finding> {
    let Some(given) = answer.members.get("CID").and_then(Value::as_str) else {
        return Some(Finding::fail("no text `CID`"));
    };
    let Ok(parsed) = given.parse::<Cid>() else {
        return Some(Finding::fail(format!("`CID` is {}, which is not a CID", quoted(given))));
    };
    let wanted = &expected.cid;
    Some(match expected.kind {
        _ if parsed == *wanted => Finding::pass(if given.starts_with("Qm") { "CIDv0" } else { "CIDv1" }),
        OperationKind::Provide if parsed == wanted.raw_v1() => {
            Finding::note("`CID` is a CIDv1 of raw bytes instead of the CIDv0", JS)
        }
        OperationKind::Provide => {
            Finding::fail(format!("`CID` is {}; the sha2-256 of the content is {wanted}", quoted(given)))
        }
        OperationKind::Retrieve => Finding::fail(format!("`CID` is {}; asked for {wanted}", quoted(given))),
    })
}

/// The database keeps it in an INT.
fn routing_table(_: &Operation, answer: &Answer<'_>) -> Option<Finding> {
    let value = answer.members.get("RoutingTableSize").unwrap_or(&Value::Null);
    let count = value.as_u64().and_then(|count| i32::try_from(count).ok());
    Some(match count {
        Some(count) => Finding::pass(format!("routing table {count}")),
        None => Finding::fail(format!("`RoutingTableSize` is {}, not a whole number", quoted(&value.to_string()))),
    })
}

/// Which generation can read it, and that each finds all it needs.
fn wires(expected: &Operation, answer: &Answer<'_>) -> Option<Finding> {
    let known = match expected.kind {
        OperationKind::Provide => &PROVIDE_STEPS[..],
        OperationKind::Retrieve => &RETRIEVE_STEPS[..],
    };
    if answer.steps.len() > MAX_STEPS {
        return Some(Finding::fail(format!(
            "{} `Measurements`, where no operation has more than {MAX_STEPS}",
            answer.steps.len()
        )));
    }
    for (name, value) in answer.durations() {
        if value.as_u64().is_none() {
            let value = quoted(&value.to_string());
            return Some(Finding::fail(format!("`{name}` is {value}, not a whole number of nanoseconds")));
        }
    }
    // The original's servers of 2026 leave the step of a lookup empty, and its schedulers do not read it.
    let unnamed = |step: &Value| {
        let is_empty = step["Step"].is_null() || step["Step"] == "";
        expected.kind == OperationKind::Retrieve && is_empty
    };
    let is_known = |step: &Value| step["Step"].as_str().is_some_and(|name| known.contains(&name));
    if let Some(step) = answer.steps.iter().find(|step| !is_known(step) && !unnamed(step)) {
        let name = quoted(&step["Step"].to_string());
        return Some(Finding::fail(format!("`Step` is {name}; a {} has {}", expected.kind, known.join(", "))));
    }
    let errors = answer.members.get("Error").into_iter().chain(answer.steps.iter().map(|step| &step["Error"]));
    if let Some(odd) = errors.into_iter().find(|value| !value.is_string() && !value.is_null()) {
        return Some(Finding::fail(format!("`Error` is {}, not a text", quoted(&odd.to_string()))));
    }
    if answer.steps.iter().any(unnamed) {
        return Some(Finding::note("`Step` is empty instead of `retrieval`", GO_2026));
    }
    Some(match (answer.has("Duration"), answer.steps.is_empty()) {
        (true, false) => Finding::pass("both wires"),
        (false, false) => Finding::pass("wire of 2026"),
        (true, true) => Finding::pass("wire of 2023"),
        (false, true) => Finding::fail("neither `Duration` nor `Measurements`"),
    })
}

fn error(expected: &Operation, answer: &Answer<'_>) -> Option<Finding> {
    let [whole, step] = answer.errors();
    if answer.has("Duration") && !answer.steps.is_empty() && whole.is_some() != step.is_some() {
        return Some(Finding::fail("of `Error` and the one in `Measurements`, only one says that it failed"));
    }
    match (expected.end, whole.or(step)) {
        (End::NotFound, error) => Some(not_found(error)),
        (End::Published | End::FoundOwn, Some(error)) => {
            let what = if expected.end == End::Published { "published" } else { "found" };
            Some(Finding::fail(format!("not {what}: {}", quoted(error))))
        }
        (End::Published | End::FoundOwn, None) if answer.steps.is_empty() && !answer.has("Error") => {
            Some(Finding::note("`Error` is missing instead of empty", JS))
        }
        (End::Published | End::FoundOwn, None) => None,
    }
}

fn not_found(error: Option<&str>) -> Finding {
    match error {
        Some(NOT_FOUND) => Finding::pass(NOT_FOUND),
        Some(error) if error.contains(NOT_FOUND_JS) => {
            Finding::note(format!("`Error` is {} instead of `{NOT_FOUND}`", quoted(error)), JS)
        }
        Some(error) if error.starts_with(DEADLINE_EXCEEDED) => {
            let what = format!("the lookup took too long, so that no `{NOT_FOUND}` was to be seen: {}", quoted(error));
            Finding::note(what, "any server on a slow network")
        }
        Some(error) => Finding::fail(format!(
            "`Error` is {}; if no provider was found it has to be exactly `{NOT_FOUND}`",
            quoted(error)
        )),
        None => Finding::fail(format!("no `Error` where nothing can be found; expected exactly `{NOT_FOUND}`")),
    }
}

/// Whether the durations can be true: longer than nothing, and no longer than the whole call.
fn timing(expected: &Operation, answer: &Answer<'_>) -> Option<Finding> {
    let whole = answer.reply.took;
    let totals = totals(answer)?;
    if totals.contains(&0) {
        return Some(match expected.end {
            End::Published => Finding::fail("a duration of 0; it is in nanoseconds"),
            End::FoundOwn => Finding::note("a duration of 0", "JavaScript servers, whose clock counts milliseconds"),
            End::NotFound => Finding::note("a duration of 0", "JavaScript servers, which time successes alone"),
        });
    }
    let longest = Duration::from_nanos(totals.iter().copied().max()?);
    let in_call = format!("in a call that took {}", words::duration(whole));
    if longest > whole.mul_f64(1.0 + CLOCK_TOLERANCE) + CLOCK_STEP {
        let longest = words::duration(longest);
        return Some(Finding::fail(format!("a duration of {longest} {in_call}; durations are in nanoseconds")));
    }
    let goes_out = expected.end != End::FoundOwn;
    let odd = totals.iter().filter(|_| goes_out).find_map(|total| Some((total, other_unit(*total, whole)?)));
    Some(match odd {
        Some((total, unit)) => {
            Finding::fail(format!("a duration of {total} ns {in_call}: it looks like {unit}, expected nanoseconds"))
        }
        None => Finding::pass(words::share(longest, whole)),
    })
}

/// How long it took, in nanoseconds and in the words of each generation; nothing if any of them is no such number.
fn totals(answer: &Answer<'_>) -> Option<Vec<u64>> {
    let durations = answer.durations();
    let nanos: Option<Vec<u64>> = durations.iter().map(|(_, value)| value.as_u64()).collect();
    let mut totals = nanos?;
    let steps = totals.split_off(totals.len() - answer.steps.len());
    let sum = steps.iter().fold(0_u64, |sum, step| sum.saturating_add(*step));
    totals.extend((!steps.is_empty()).then_some(sum));
    Some(totals)
}

/// The unit in which a number that is next to nothing in nanoseconds would fill the call.
fn other_unit(number: u64, whole: Duration) -> Option<&'static str> {
    let whole = whole.as_nanos() as f64;
    let number = number as f64;
    let fills = |nanos: f64| nanos > whole / 4.0 && nanos < whole * (1.0 + CLOCK_TOLERANCE);
    let (unit, _) = OTHER_UNITS.into_iter().find(|(_, nanos)| fills(number * *nanos as f64))?;
    (number < whole * SUSPICIOUS).then_some(unit)
}

/// What there is to say of the answer to a request that cannot be served.
pub(crate) fn refusal(expected: Refusal, reply: &RawReply) -> Finding {
    if !reply.is_complete {
        return Finding::Fail(endless());
    }
    let text = text(reply);
    let given = || format!("status {} with the text {}", reply.status, quoted(&text));
    let is_object = matches!(serde_json::from_slice(&reply.body), Ok(Value::Object(_)));
    match (expected, reply.status) {
        (Refusal::BadJson, 400) if text.trim().is_empty() => Finding::fail("status 400 without a reason"),
        (Refusal::BadJson, 200) if !is_object && !text.trim().is_empty() => {
            Finding::note(format!("{}, instead of 400", given()), GO_2023)
        }
        (Refusal::BadCid, 500) if is_fastifys(&reply.body) => Finding::note(format!("{}, instead of 400", given()), JS),
        (Refusal::UnknownTarget, 200) if is_object => {
            Finding::note("status 200: published all the same", "Go servers of 2026, which know no `Target`")
        }
        (Refusal::WrongMethod, 404) => Finding::note("status 404 instead of 405", JS),
        (Refusal::BadJson | Refusal::BadCid | Refusal::UnknownTarget, 400) => Finding::pass("400"),
        (Refusal::UnknownPath, 404) => Finding::pass("404"),
        (Refusal::WrongMethod, 405) => Finding::pass("405"),
        (Refusal::BadJson, _) => Finding::fail(format!("{}; expected 400 and a reason", given())),
        (Refusal::BadCid | Refusal::UnknownTarget, _) => Finding::fail(format!("{}; expected 400", given())),
        (Refusal::UnknownPath, _) => Finding::fail(format!("{}; expected 404", given())),
        (Refusal::WrongMethod, _) => Finding::fail(format!("{}; expected 405", given())),
    }
}

/// Whether this is how fastify, which the JavaScript server is made with, tells of an exception.
fn is_fastifys(body: &[u8]) -> bool {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    told["statusCode"] == 500 && told["error"] == "Internal Server Error"
}

/// What the answer of `/readiness` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// The server can measure.
    Ready,
    /// It cannot yet, and says why.
    Waits(String),
    /// Not what the contract has.
    Wrong(String),
}

/// Reads an answer of `/readiness`. What stands in the body of a 200 is nobody's business.
pub(crate) fn readiness(reply: &RawReply) -> Readiness {
    let reason = text(reply);
    match reply.status {
        _ if !reply.is_complete => Readiness::Wrong(endless()),
        200 => Readiness::Ready,
        503 if reason.trim().is_empty() => Readiness::Wrong("status 503 without a reason".to_owned()),
        503 => Readiness::Waits(quoted(&reason)),
        status => Readiness::Wrong(format!(
            "status {status} with the text {}; expected 200, or 503 and a reason",
            quoted(&reason)
        )),
    }
}

#[cfg(test)]
mod tests;
