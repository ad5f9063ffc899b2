//! What is said of two fleets, of peers, of a stretch of time, and of one operation.

use comfy_table::Table;
use maud::{Markup, PreEscaped, html};
use parsec_measure::StoredOperation;
use parsec_results::explain;
use parsec_results::incidents::Incidents;
use parsec_results::phases::phases;

use super::{section, table};
use crate::chart::{self, Named, Times};
use crate::compared::Pairs;
use crate::peers::PeerTable;
use crate::report::{Part, judged, part};
use crate::{Look, incidents, recorded, sentences::sentences, waterfall, words};

/// How wide a waterfall is: letters that fit on a desk, and scroll on a telephone.
const WATERFALL: Look = Look { width: 130, colour: false };

/// Two groups against each other.
pub fn comparison(pairs: &Pairs) -> String {
    let (a, b) = (&pairs.names.0, &pairs.names.1);
    let said = judged(pairs, b, a);
    let inside = html! {
        @if said.is_empty() { p { "There is nothing to compare." } } @else { (part(&Part::List(said))) }
        (table("Both sides, figure by figure, with 95 % intervals", &pairs.table(" ")))
        @for pair in &pairs.pairs {
            @let sides = [Named { name: a, sample: &pair.samples.0 }, Named { name: b, sample: &pair.samples.1 }];
            (part(&Part::Chart(chart::ecdf(&format!("{} of {a} and {b}", pair.kind), &sides, Times::FromZero))))
        }
        p class="lead" {
            "A comparison says what these servers met at these times. It corrects for the number of questions that are asked at once on this page, \
             not for how often somebody looks."
        }
    };
    section("compared", &format!("{b} against {a}"), &inside).into_string()
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
                thead { tr { @for head in ["When", "What", "Where", "Attempts"] { th scope="col" { (head) } } } }
                tbody {
                    @for (incident, [when, what, place]) in incidents::told(found) {
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
        ("Fleet", of.fleet.to_string()),
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
            table { tbody { @for (name, value) in about { tr { th scope="row" { (name) } td { (value) } } } } }
        }
        @match trace {
            None => p { "Its trace was not kept, or has been pruned: what it did request by request is not known." },
            Some(trace) => {
                (section("explanation", "What its time went to", &part(&Part::List(sentences(&explain(trace))))))
                (section("waterfall", "Request by request", &html! {
                    pre tabindex="0" role="img" aria-label="A waterfall of the requests; the table below says the same" { (waterfall::waterfall(trace, WATERFALL)) }
                    (requests(of))
                }))
            }
        }
        details { summary { "As the command line shows it" } pre tabindex="0" { (recorded::text(of, WATERFALL)) } }
    }
    .into_string()
}

fn requests(of: &StoredOperation) -> Markup {
    let Some(trace) = of.attempt.result.trace.as_deref() else { return PreEscaped(String::new()) };
    let mut rows = Table::new();
    rows.set_header([
        "#",
        "named by",
        "hop",
        "common bits",
        "peer",
        "request",
        "asked",
        "queued",
        "dial",
        "open",
        "wait",
        "end",
        "agent",
    ]);
    for (index, request) in trace.requests.iter().enumerate() {
        let end = request.ended.unwrap_or(trace.returned);
        let spent = phases(request, end).map(|(_, span)| words::duration(span.length()));
        let by = request.named_by.map_or_else(|| "table".to_owned(), |by| by.to_string());
        let first = [index.to_string(), by, request.hop.to_string(), request.common_prefix.to_string()];
        let who = [words::peer(&request.peer).to_owned(), request.kind.to_string(), words::duration(request.asked)];
        let last = [request.end.as_str().replace('_', " "), request.agent.clone().unwrap_or_else(|| "–".to_owned())];
        rows.add_row(first.into_iter().chain(who).chain(spent).chain(last));
    }
    table("Its requests, each with its phases", &rows)
}
