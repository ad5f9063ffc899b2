//! One operation: what became of it, what its time went to, and its waterfall.

use std::time::Duration;

use parsec_measure::{OperationKind, OutcomeClass, Trace};
use parsec_results::explain;
use serde_json::{Map, Value, json};

use crate::sentences::sentences;
use crate::waterfall::waterfall;
use crate::{Look, words};

/// What is known of an operation besides its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Publishing or finding.
    pub kind: OperationKind,
    /// The key.
    pub cid: String,
    /// What became of it.
    pub class: OutcomeClass,
    /// In words, why it failed.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
    /// The node's fleet, if it is known.
    pub fleet: Option<String>,
    /// The node's region, if it is known.
    pub region: Option<String>,
}

impl Heading {
    /// One line for people.
    pub(crate) fn line(&self, trace: Option<&Trace>) -> String {
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

    /// The same by name, for programs.
    pub(crate) fn figures(&self) -> Map<String, Value> {
        let figures = [
            ("operation", json!(self.kind.as_str())),
            ("cid", json!(self.cid)),
            ("outcome", json!(self.class.as_str())),
            ("error", json!(self.error)),
            ("duration_seconds", json!(self.duration.as_secs_f64())),
            ("fleet", json!(self.fleet)),
            ("region", json!(self.region)),
        ];
        figures.map(|(name, figure)| (name.to_owned(), figure)).into_iter().collect()
    }
}

/// An operation for people: heading, what else there is to say, explanation, waterfall.
pub fn text(heading: &Heading, facts: &[String], trace: Option<&Trace>, look: Look) -> String {
    let explained = |trace: &Trace| {
        let told = sentences(&explain(trace)).into_iter().map(|sentence| format!("  {sentence}\n"));
        format!("\nwhere the time went:\n{}", told.collect::<String>())
    };
    written(heading, facts, trace, look, explained)
}

/// The same without its explanation.
pub(crate) fn unexplained(heading: &Heading, facts: &[String], trace: Option<&Trace>, look: Look) -> String {
    written(heading, facts, trace, look, |_| String::new())
}

fn written(
    heading: &Heading,
    facts: &[String],
    trace: Option<&Trace>,
    look: Look,
    explained: impl Fn(&Trace) -> String,
) -> String {
    let mut text = heading.line(trace) + "\n";
    text.extend(facts.iter().map(|fact| format!("{fact}\n")));
    let Some(trace) = trace else { return text + "no trace was taken" };
    text += &explained(trace);
    text += "\n";
    text += &waterfall(trace, look);
    text.trim_end().to_owned()
}

/// An operation for programs, as one object; `facts` come before the trace.
pub fn document(heading: &Heading, facts: Map<String, Value>, trace: Option<&Trace>) -> Value {
    let explanation = trace.map(explain);
    let mut all = heading.figures();
    all.extend(facts);
    all.insert("explanation".to_owned(), json!(explanation.as_ref().map(sentences)));
    all.insert("time_spent".to_owned(), json!(explanation.map(|explanation| explanation.parts.unwrap_or_default())));
    all.insert("trace".to_owned(), json!(trace));
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use parsec_results::testing::{request, trace};

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
        let spent = &document["time_spent"][0];
        assert_eq!((&spent["cause"], &spent["seconds"]), (&json!("lookup"), &json!(0.25)));
        let explained = "\nwhere the time went:\n  250 of 250 ms: 1 hop of the lookup, 250 ms\n";
        let text = text(&heading(), &[], Some(&trace), LOOK);
        assert!(text.contains(explained), "{text}");
        assert_eq!(unexplained(&heading(), &[], Some(&trace), LOOK), text.replace(explained, ""));
    }
}
