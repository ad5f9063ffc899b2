//! A list of keys as people keep it: a text with a CID on each line.

use std::collections::HashMap;

use thiserror::Error;

use crate::{Cid, MAX_KEYS_AT_ONCE, ParseCidError};

/// What some editors put at the beginning of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why the keys of a list cannot be published at once. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadKeyList {
    /// There are none.
    #[error("there is no CID in it; expected 1 to {MAX_KEYS_AT_ONCE}, each on a line of its own")]
    None,
    /// There are more than are published at once.
    #[error("line {0}: {MAX_KEYS_AT_ONCE} CIDs stand above it already; expected at most so many")]
    TooMany(usize),
    /// A line is no CID.
    #[error("line {line}: {reason}")]
    NoCid {
        /// Which one.
        line: usize,
        /// What it is, and what would be right.
        reason: ParseCidError,
    },
    /// A key is there twice. Records are kept by the multihash, so that two CIDs may be the same key.
    #[error("line {line}: `{cid}` has the same multihash as line {first}; expected each key once")]
    Twice {
        /// The second one.
        line: usize,
        /// The first one.
        first: usize,
        /// The second.
        cid: String,
    },
}

/// Reads a list of keys to publish at once. Empty lines, and spaces around a CID, mean nothing.
///
/// # Errors
/// [`BadKeyList`] names the first line that cannot be used, and what would be right.
pub fn read_key_list(text: &str) -> Result<Vec<Cid>, BadKeyList> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let (mut cids, mut lines) = (Vec::new(), HashMap::new());
    for (place, given) in text.lines().map(str::trim).enumerate().filter(|(_, given)| !given.is_empty()) {
        let line = place + 1;
        if cids.len() >= MAX_KEYS_AT_ONCE {
            return Err(BadKeyList::TooMany(line));
        }
        let cid: Cid = given.parse().map_err(|reason| BadKeyList::NoCid { line, reason })?;
        if let Some(first) = lines.insert(cid.multihash(), line) {
            return Err(BadKeyList::Twice { line, first, cid: cid.to_string() });
        }
        cids.push(cid);
    }
    if cids.is_empty() { Err(BadKeyList::None) } else { Ok(cids) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Content;

    fn cid(number: usize) -> Cid {
        Content::from(number.to_be_bytes().to_vec()).cid()
    }

    fn refusal(text: &str) -> String {
        read_key_list(text).unwrap_err().to_string()
    }

    #[test]
    fn a_key_on_each_line_whatever_ends_it_and_empty_lines_mean_nothing() {
        let (one, other) = (cid(1), cid(2).raw_v1());
        for text in [
            format!("{one}\n{other}"),
            format!("{one}\n{other}\n"),
            format!("\u{feff}\r\n  {one}\t\r\n\r\n{other}\r\n\r\n"),
        ] {
            assert_eq!(read_key_list(&text), Ok(vec![one.clone(), other.clone()]), "{text:?}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named_with_what_would_be_right() {
        let one = cid(1);
        let nonsense = refusal(&format!("{one}\n\nQmnonsense\n"));
        let expected = "line 3: `Qmnonsense` is not a CID: a CIDv0 has 46 characters, this has 10 (expected `Qm…` or a multibase CIDv1)";
        assert_eq!(nonsense, expected);
        let twice = refusal(&format!("\n{one}\n{}\n{}", cid(2), one.raw_v1()));
        assert_eq!(
            twice,
            format!("line 4: `{}` has the same multihash as line 2; expected each key once", one.raw_v1())
        );
        for empty in ["", "\n", " \r\n\t\n", "\u{feff}"] {
            assert_eq!(refusal(empty), "there is no CID in it; expected 1 to 5000, each on a line of its own");
        }
    }

    #[test]
    fn as_many_as_a_server_takes_and_no_more() {
        let mut text: String = (0..MAX_KEYS_AT_ONCE).map(|number| format!("{}\n", cid(number))).collect();
        assert_eq!(read_key_list(&text).map(|cids| cids.len()), Ok(MAX_KEYS_AT_ONCE));
        text += &cid(MAX_KEYS_AT_ONCE).to_string();
        assert_eq!(refusal(&text), "line 5001: 5000 CIDs stand above it already; expected at most so many");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = read_key_list(&text);
        }
    }
}
