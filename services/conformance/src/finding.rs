//! What a judge found, and what a check comes to.

use std::time::Duration;

use parsec_measure::harmless;
use serde::Serialize;

/// How much of a stranger's text is repeated.
const MAX_QUOTED_CHARS: usize = 160;

/// What one judge has to say of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// As the contract has it; in a few words, what it is.
    Pass(String),
    /// Not as the contract has it, but schedulers live with it.
    Note {
        /// What is different.
        what: String,
        /// Who in the field does the same.
        known_from: &'static str,
    },
    /// Not as the contract has it: what came, and what would be right.
    Fail(String),
    /// Not looked at: why.
    Skipped(String),
}

impl Finding {
    pub(crate) fn pass(what: impl Into<String>) -> Self {
        Self::Pass(what.into())
    }

    pub(crate) fn note(what: impl Into<String>, known_from: &'static str) -> Self {
        Self::Note { what: what.into(), known_from }
    }

    pub(crate) fn fail(what: impl Into<String>) -> Self {
        Self::Fail(what.into())
    }

    /// How it counts.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Pass(_) => Verdict::Pass,
            Self::Note { .. } => Verdict::Note,
            Self::Fail(_) => Verdict::Fail,
            Self::Skipped(_) => Verdict::Skipped,
        }
    }
}

/// What a check comes to, from the least to what outweighs everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was not made.
    Skipped,
    /// Everything is as the contract has it.
    Pass,
    /// Something is not, and known from servers in the field.
    Note,
    /// Something is not.
    Fail,
}

impl Verdict {
    /// All of them, in the order of a summary.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Note, Self::Fail, Self::Skipped];

    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Pass => "pass",
            Self::Note => "note",
            Self::Fail => "fail",
        }
    }
}

/// A check that was made, or passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was checked.
    pub name: &'static str,
    /// How the request began: its method and path.
    pub request: String,
    /// What its judges found, at least one thing.
    pub findings: Vec<Finding>,
    /// How long the answer took; `None` without one.
    pub took: Option<Duration>,
}

impl Checked {
    /// What outweighs the rest.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(Finding::verdict).max().unwrap_or(Verdict::Skipped)
    }
}

/// A stranger's text as it may be shown: cut, in one line, and with nothing in it that a terminal would obey.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", harmless(text.trim(), MAX_QUOTED_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_finding_decides() {
        let (pass, note, fail) = (Finding::pass("200"), Finding::note("v1", "others"), Finding::fail("500"));
        let verdict = |findings: &[&Finding]| {
            let findings = findings.iter().copied().cloned().collect();
            Checked { name: "x", request: String::new(), findings, took: None }.verdict()
        };
        assert_eq!(verdict(&[&pass, &pass]), Verdict::Pass);
        assert_eq!(verdict(&[&pass, &note, &pass]), Verdict::Note);
        assert_eq!(verdict(&[&fail, &note, &pass]), Verdict::Fail);
        assert_eq!(verdict(&[&Finding::Skipped("no answer".to_owned())]), Verdict::Skipped);
    }

    #[test]
    fn a_strangers_text_is_short_and_does_nothing_to_a_terminal() {
        assert_eq!(quoted(" \u{1b}[31mred\u{7}\nline "), "`\u{fffd}[31mred\u{fffd} line`");
        assert_eq!(quoted(&"ü".repeat(161)), format!("`{}…`", "ü".repeat(160)));
        assert_eq!(quoted(&"ü".repeat(160)), format!("`{}`", "ü".repeat(160)));
    }
}
