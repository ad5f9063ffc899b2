//! Operations as people and programs see them: what became of one, what its time went to, and its waterfall.
//!
//! [`explain`] finds the words, `path` what they are about, `waterfall` draws; `recorded` is the command `parsec trace`.

mod explain;
mod path;
mod phases;
mod recorded;
#[cfg(test)]
mod testing;
mod waterfall;

use std::time::Duration;

use parsec_measure::{OperationKind, OutcomeClass, Trace};
use parsec_show::{Look, words};
use serde_json::{Map, Value, json};

pub(crate) use self::explain::explain;
pub(crate) use self::recorded::run;

/// What is known of an operation besides its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heading {
    /// Publishing or finding.
    pub(crate) kind: OperationKind,
    /// The key.
    pub(crate) cid: String,
    /// What became of it.
    pub(crate) class: OutcomeClass,
    /// In words, why it failed.
    pub(crate) error: Option<String>,
    /// How long it took.
    pub(crate) duration: Duration,
    /// The node's fleet, if it is known.
    pub(crate) fleet: Option<String>,
    /// The node's region, if it is known.
    pub(crate) region: Option<String>,
}

impl Heading {
    /// One line for people.
    fn line(&self, trace: Option<&Trace>) -> String {
        let took = words::duration(self.duration);
        let mut line = format!("{} {}: {} after {took}", self.kind, self.cid, self.class);
        if let Some(trace) = trace {
            line += &format!(", strategy {}", trace.strategy);
        }
        for (what, name) in [("fleet", &self.fleet), ("region", &self.region)] {
            if let Some(name) = name.as_ref().filter(|name| !name.is_empty()) {
                line += &format!(", {what} {name}");
            }
        }
        if let Some(error) = &self.error {
            line += &format!("\n{error}");
        }
        line
    }
}

/// An operation for people: heading, what else there is to say, explanation, waterfall.
pub(crate) fn text(heading: &Heading, facts: &[String], trace: Option<&Trace>, look: Look) -> String {
    let mut text = heading.line(trace) + "\n";
    text.extend(facts.iter().map(|fact| format!("{fact}\n")));
    let Some(trace) = trace else { return text + "no trace was taken" };
    text += "\nwhat the time went to:\n";
    text.extend(explain(trace).iter().map(|sentence| format!("  {sentence}\n")));
    text += "\n";
    text += &waterfall::waterfall(trace, look);
    text.trim_end().to_owned()
}

/// An operation for programs, as one object; `facts` come before the trace.
pub(crate) fn document(heading: &Heading, facts: Map<String, Value>, trace: Option<&Trace>) -> Value {
    let mut all = Map::new();
    all.insert("operation".to_owned(), json!(heading.kind.as_str()));
    all.insert("cid".to_owned(), json!(heading.cid));
    all.insert("outcome".to_owned(), json!(heading.class.as_str()));
    all.insert("error".to_owned(), json!(heading.error));
    all.insert("duration_seconds".to_owned(), json!(heading.duration.as_secs_f64()));
    all.insert("fleet".to_owned(), json!(heading.fleet));
    all.insert("region".to_owned(), json!(heading.region));
    all.extend(facts);
    all.insert("explanation".to_owned(), json!(trace.map(explain)));
    all.insert("trace".to_owned(), json!(trace));
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::testing::{request, trace};
    use super::*;

    fn heading() -> Heading {
        Heading {
            kind: OperationKind::Retrieve,
            cid: "QmX".to_owned(),
            class: OutcomeClass::NotFound,
            error: Some("not found".to_owned()),
            duration: Duration::from_millis(250),
            fleet: Some(String::new()),
            region: Some("eu-central-1".to_owned()),
        }
    }

    const LOOK: Look = Look { width: 80, colour: false };

    #[test]
    fn an_operation_without_a_trace_says_so() {
        let text = text(&heading(), &["29 peers in the routing table".to_owned()], None, LOOK);
        assert_eq!(
            text,
            "retrieve QmX: not_found after 250 ms, region eu-central-1\nnot found\n29 peers in the routing table\nno trace was taken"
        );
        let document = document(&heading(), Map::new(), None);
        assert_eq!((&document["trace"], &document["explanation"]), (&Value::Null, &Value::Null));
        assert_eq!((&document["outcome"], &document["duration_seconds"]), (&json!("not_found"), &json!(0.25)));
    }

    #[test]
    fn a_document_holds_the_trace_as_it_is_written_down_everywhere() {
        let trace = trace(250, vec![request("peer", 0, 250)]);
        let document = document(&heading(), Map::new(), Some(&trace));
        assert_eq!(serde_json::from_value::<Trace>(document["trace"].clone()).unwrap(), trace);
        assert_eq!(document["explanation"], json!(["250 of 250 ms: 1 hop of the lookup, 250 ms"]));
        assert!(text(&heading(), &[], Some(&trace), LOOK).contains("\n  250 of 250 ms: 1 hop of the lookup, 250 ms\n"));
    }
}
