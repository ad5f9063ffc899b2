//! What is said of two fleets, of peers, of a stretch of time, and of one operation.

use maud::{Markup, html};
use parsec_measure::{OperationKind, StoredOperation, harmless};
use parsec_results::incidents::Incidents;
use parsec_results::{Named as Group, Spent, explain};

use super::{section, table};
use crate::chart::{self, Named, Room, Times};
use crate::compared::Pairs;
use crate::peers::PeerTable;
use crate::report::{Part, judged, part, waterfall};
use crate::sentences::sentences;
use crate::spent::unknown;
use crate::{Look, incidents, recorded, words};

/// How wide the text of an operation is: letters that fit on a desk, and scroll on a telephone.
const TEXT: Look = Look { width: 130, colour: false };

/// How much of a stranger's text is shown: errors are sentences.
const MAX_TEXT_CHARS: usize = 1_024;

/// Two groups against each other.
pub fn comparison(pairs: &Pairs) -> String {
    let (a, b) = (&pairs.names.0, &pairs.names.1);
    let said = judged(pairs, b, a);
    let inside = html! {
        @if said.is_empty() { p { "There is nothing to compare." } } @else { (part(&Part::List(said))) }
        @if pairs.has_figures() {
            (table(&format!("Both sides, figure by figure, with 95 % intervals: a is {a}, b is {b}"), &pairs.table(" ")))
        }
        @for pair in &pairs.pairs {
            @let sides = [Named { name: a, sample: &pair.samples.0 }, Named { name: b, sample: &pair.samples.1 }];
            (part(&Part::Chart(chart::ecdf(&format!("{} of {a} and {b}", words::plural(pair.kind)), &sides, Times::FromZero, Room::Whole))))
        }
        p class="lead" {
            "A comparison says what these servers met at these times. It allows for the number of questions that this page asks at once. It does \
             not allow for how often you look: whoever looks often enough sees a difference by chance."
        }
    };
    section("compared", &format!("{b} against {a}"), &inside).into_string()
}

/// What the time went to, fleet by fleet.
pub fn spent(groups: &[Group<Spent>]) -> String {
    let of_kind = |kind: OperationKind| {
        let of_kind = groups.iter().filter(move |(_, of, _)| *of == kind);
        let name = |common: &[String]| common.first().cloned().unwrap_or_default();
        of_kind.filter_map(move |(common, _, spent)| Some((name(common), spent.as_ref().ok()?))).collect::<Vec<_>>()
    };
    let inside = html! {
        @for kind in OperationKind::ALL {
            @let of_kind = of_kind(kind);
            @let named: Vec<_> = of_kind.iter().map(|(name, spent)| (name.as_str(), *spent)).collect();
            @if !named.is_empty() {
                (part(&Part::Chart(chart::spent(&format!("{}: what the time went to", words::plural(kind)), &named))))
            }
        }
        @for sentence in unknown(groups) { p { (sentence) "." } }
    };
    section("spent", "What the time went to", &inside).into_string()
}

/// The peers that cost most.
pub fn peers(of: &PeerTable) -> String {
    let inside = html! {
        p { (of.remark()) }
        (table("The peers that cost most", &of.table(" ")))
    };
    section("worst", "Whom the time was spent on", &inside).into_string()
}

/// What happened.
pub fn happened(found: &Incidents) -> String {
    let inside = html! {
        @if found.incidents.is_empty() { p { "Nothing happened." } } @else { (list(found)) }
        p class="lead" { (incidents::judged(found)) }
    };
    section("happened", "What happened", &inside).into_string()
}

fn list(found: &Incidents) -> Markup {
    html! {
        div class="wide" tabindex="0" role="region" aria-label="Incidents" {
            table {
                caption { "Incidents, in the order in which they began" }
                thead { tr { @for head in incidents::HEADS { th scope="col" { (head) } } } }
                tbody {
                    @for (incident, [when, what, place, _]) in found.incidents.iter().zip(incidents::rows(found)) {
                        tr {
                            th scope="row" { (when) } td { (what) } td { (place) }
                            td {
                                @for id in &incident.ids {
                                    @let id = id.0.to_string();
                                    a href=(format!("/operations/{id}")) { (id.get(id.len() - 8..).unwrap_or_default()) } " "
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One operation: what its time went to, and request by request what it did.
pub fn operation(of: &StoredOperation) -> String {
    let attempt = &of.attempt;
    let id = attempt.id.0.to_string();
    let trace = attempt.result.trace.as_deref();
    let about = [
        ("Kind", attempt.kind.to_string()),
        ("Outcome", attempt.result.class.to_string()),
        ("Took", words::duration(attempt.result.duration)),
        ("Started", attempt.started.format("%F %T%.3f").to_string()),
        ("Due", attempt.due.format("%F %T%.3f").to_string()),
        ("Fleet", of.fleet.clone()),
        ("Region", of.region.clone()),
        ("Server", of.peer_id.clone()),
        ("Key", attempt.cid.clone()),
        ("Error", attempt.result.error.clone().unwrap_or_else(|| "–".to_owned())),
    ];
    html! {
        p {
            "Operation " code { (id) } ". "
            a href=(format!("/api/v1/operations/{id}")) { "JSON with its trace" }
            @if trace.is_some() { ", " a download href=(format!("/api/v1/operations/{id}/perfetto")) { "trace for ui.perfetto.dev" } }
        }
        div class="wide" tabindex="0" role="region" aria-label="What it was" {
            table { caption { "What is known of it" } tbody { @for (name, value) in about { tr { th scope="row" { (name) } td { (harmless(&value, MAX_TEXT_CHARS)) } } } } }
        }
        @match trace {
            None => p { "Its trace was not kept, or has been pruned: what it did request by request is not known." },
            Some(trace) => {
                (section("explanation", "What its time went to", &part(&Part::List(sentences(&explain(trace))))))
                (section("waterfall", "Request by request", &html! { @if let Some(chart) = waterfall(of) { (part(&Part::Chart(chart))) } }))
            }
        }
        details { summary { "All that is known of it, and its requests, as text" } pre tabindex="0" { (recorded::unexplained(of, TEXT)) } }
    }
    .into_string()
}
