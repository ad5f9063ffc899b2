//! Times as pages and documents have them.

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

/// For people.
pub(super) fn shown(at: DateTime<Utc>) -> String {
    at.format("%F %T").to_string()
}

/// The same, with what programs read.
pub(super) fn time(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(told(at)) { (shown(at)) } }
}

/// As RFC 3339 has it.
pub(super) fn told(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
