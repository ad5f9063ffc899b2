//! What was measured, as people see it, and the one-line documents that programs read. Nothing here prints: texts are
//! returned to whoever has the terminal.
//!
//! - [`operation`]: one operation, with [`sentences`] about what its time went to and its [`waterfall`]
//! - [`many`]: many keys published at once
//! - [`recorded`]: operations out of the database; [`facts`]: what there is to say of both
//! - [`groups`]: many measurements, by what they have in common
//! - [`bench`]: strategies side by side, [`series`]: at several values of one thing, [`timeline`]: as time goes on, [`bulk`]: many keys at once; [`rounds`]: rounds as they
//!   are played
//! - [`spent`]: what the time of many went to; [`peers`]: whom it was spent on
//! - [`side_by_side`]: two operations; [`perfetto`]: operations for tools that draw traces
//! - [`failures`]: how they failed; [`planned`]: how many of them it takes
//! - [`compared`]: two groups of measurements, and what differs
//! - [`chart`]: pictures of them; [`report`]: what a period comes to, as one page
//! - [`page`]: the live page
//! - [`incidents`]: what happened; [`findings`]: what a deployment lacks
//! - [`checked`]: limits, and whether they were kept, also as `junit` and for GitHub
//! - `verdicts`: groups compared with one of them, a sentence each
//! - [`selected`]: which measurements were asked for; [`words`]: numbers in words
//! - [`Look`]: what the terminal can show

pub mod bench;
pub mod bulk;
pub mod chart;
pub mod checked;
pub mod compared;
pub mod facts;
pub mod failures;
pub mod findings;
pub mod groups;
pub mod incidents;
mod junit;
pub mod many;
pub mod operation;
pub mod page;
pub mod peers;
pub mod perfetto;
pub mod planned;
pub mod recorded;
mod records;
pub mod report;
mod requests;
pub mod rounds;
pub mod selected;
pub mod sentences;
pub mod series;
pub mod side_by_side;
pub mod spent;
mod table;
pub mod timeline;
mod verdicts;
pub mod waterfall;
pub mod words;

use parsec_measure::escaped_json;
use serde_json::Value;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// How many characters fit in a line.
    pub width: usize,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// A result for programs, in one line. What other peers and servers said stands in it escaped, word for word.
pub fn json(document: &Value) -> String {
    escaped_json(&document.to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_measure::is_harmful;
    use serde_json::json;

    #[test]
    fn a_result_for_programs_keeps_every_character_and_has_none_raw() {
        let said = json!({ "agent": "kubo\u{1b}\u{7f}\u{9b}\u{202e}\u{e0041}" });
        let line = json(&said);
        assert!(!line.chars().any(is_harmful), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), said);
    }
}
