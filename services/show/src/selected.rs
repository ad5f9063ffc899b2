//! Which measurements were asked for, and what was left out of them, in words.

use chrono::{DateTime, Utc};
use parsec_measure::{OperationKind, harmless};
use parsec_results::Looked;

use crate::words;

/// How much of a name that strangers may have written is repeated.
const MAX_NAME_CHARS: usize = 128;

/// Of which time they are, of whom, and of what: `since 2026-11-20 00:00 UTC, fleet default or optprov`. Each kind of name stands with the names
/// that were asked for, all if there are none.
pub fn selected(
    (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    names: &[(&str, Vec<&str>)],
    kind: Option<OperationKind>,
) -> String {
    let mut told = match (since, until) {
        (None, None) => "at any time".to_owned(),
        (Some(since), None) => format!("since {}", moment(since)),
        (None, Some(until)) => format!("until {}", moment(until)),
        (Some(since), Some(until)) => format!("from {} to {}", moment(since), moment(until)),
    };
    for (what, names) in names.iter().filter(|(_, names)| !names.is_empty()) {
        let names: Vec<_> = names.iter().map(|name| harmless(name, MAX_NAME_CHARS)).collect();
        told += &format!(", {what} {}", names.join(" or "));
    }
    if let Some(kind) = kind {
        told += &format!(", {kind} only");
    }
    told
}

/// Which rows a result is made of.
pub fn used(selected: &str, looked: Looked) -> String {
    let Looked { grouped, from_own_records, later_looks } = looked;
    let mut told = format!("{grouped} attempts {selected}");
    let left_out =
        [(from_own_records, "answered from the own records of a server"), (later_looks, "later looks at the same key")];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        told += &format!("; {count} left out: {what}");
    }
    told
}

/// How many rows are left out because they cannot be read; empty if none is.
pub fn without(unread: usize) -> String {
    match unread {
        0 => String::new(),
        some => {
            format!("; {} that this version cannot read", words::count(some, "row is left out", "rows are left out"))
        }
    }
}

/// A moment as precisely as it is asked for.
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_said_whoever_wrote_the_names() {
        let at = |hour: i64| DateTime::from_timestamp(1_790_000_000 + 3_600 * hour, 0);
        let names = [("fleet", vec!["default", "<b>\u{1b}"]), ("region", vec![])];
        assert_eq!(
            selected((at(0), at(1)), &names, Some(OperationKind::Provide)),
            "from 2026-09-21 14:13 UTC to 2026-09-21 15:13 UTC, fleet default or <b>\u{fffd}, provide only"
        );
        assert_eq!(selected((None, None), &[], None), "at any time");
        let looked = Looked { grouped: 3, from_own_records: 0, later_looks: 2 };
        assert_eq!(used("at any time", looked), "3 attempts at any time; 2 left out: later looks at the same key");
    }
}
