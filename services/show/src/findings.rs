//! What was found of a deployment: what is right, what to look at, what to mend.

use serde_json::{Value, json};

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is right.
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// It will not work.
    Error,
}

impl Level {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub said: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Finding {
    /// It is right.
    pub fn ok(what: &'static str, said: impl Into<String>) -> Self {
        Self { level: Level::Ok, what, said: said.into(), advice: None }
    }

    /// It works, and this can be done about it.
    pub fn warning(what: &'static str, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, what, said: said.into(), advice: Some(advice.into()) }
    }

    /// It will not work until this is done.
    pub fn error(what: &'static str, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Error, what, said: said.into(), advice: Some(advice.into()) }
    }
}

/// For people: a line for each, and one for what to do.
pub fn text(findings: &[Finding]) -> String {
    let wide = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for Finding { level, what, said, advice } in findings {
        lines.push(format!("{:<7}  {what:<wide$}  {said}", level.as_str()));
        lines.extend(advice.iter().map(|advice| format!("{:7}  {:wide$}  → {advice}", "", "")));
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    lines.push(format!(
        "\n{} ok, {} to look at, {} to mend",
        count(Level::Ok),
        count(Level::Warning),
        count(Level::Error)
    ));
    lines.join("\n")
}

/// For programs: an object for each.
pub fn document(findings: &[Finding]) -> Value {
    let object = |finding: &Finding| {
        json!({
            "level": finding.level.as_str(),
            "check": finding.what,
            "found": finding.said,
            "advice": finding.advice,
        })
    };
    findings.iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_with_what_to_do_below_it() {
        let findings = [
            Finding::ok("HTTP API", "127.0.0.1:7070 is free"),
            Finding::error("database", "connection refused", "start it"),
        ];
        let expected = "ok       HTTP API  127.0.0.1:7070 is free
error    database  connection refused
                   → start it

1 ok, 0 to look at, 1 to mend";
        assert_eq!(text(&findings), expected);
        let document = document(&findings);
        assert_eq!((&document[1]["level"], &document[1]["advice"]), (&json!("error"), &json!("start it")));
    }
}
