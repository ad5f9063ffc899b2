//! What processes said they did.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// An attempt as a scheduler spoke of it when it had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidAttempt {
    /// Its class.
    pub outcome: String,
    /// The round it belongs to.
    pub round: String,
}

/// What a number of processes said, all together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// By their ids, what schedulers said.
    pub attempts: BTreeMap<String, SaidAttempt>,
    /// The ids of the attempts that servers measured.
    pub measured: BTreeSet<String>,
}

impl Said {
    /// Takes note of the JSON log lines of a scheduler.
    ///
    /// # Panics
    /// If it said of one attempt twice that it ended, or a line has not the members that it should have.
    pub fn by_scheduler(&mut self, lines: &[Value]) {
        for line in lines.iter().filter(|line| line["message"] == "attempt ended") {
            let id = text(line, &line["attempt"]);
            let attempt =
                SaidAttempt { outcome: text(line, &line["outcome"]), round: text(line, &in_spans(line, "round")) };
            let earlier = self.attempts.insert(id, attempt);
            assert_eq!(earlier, None, "it ended twice: {line}");
        }
    }

    /// Takes note of the JSON log lines of a server.
    pub fn by_server(&mut self, lines: &[Value]) {
        let measured = lines.iter().filter(|line| line["message"] == "measured");
        // Those of callers that name none have no id.
        let ids = measured.filter_map(|line| Some(in_spans(line, "attempt").as_str()?.to_owned()));
        self.measured.extend(ids);
    }
}

/// A field of one of the spans that the line was written in.
fn in_spans(line: &Value, field: &str) -> Value {
    let spans = line["spans"].as_array().into_iter().flatten();
    spans.rev().find_map(|span| span.get(field).cloned()).unwrap_or_default()
}

fn text(line: &Value, value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("it lacks a member that it should have: {line}")).to_owned()
}
