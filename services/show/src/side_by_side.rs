//! Two operations side by side: what each did, and where they differ.

use std::collections::BTreeSet;
use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use parsec_measure::{RequestEnd, RequestKind, StoredOperation, Trace};
use parsec_results::phases::Phase;
use parsec_results::{Portion, portions};
use serde_json::{Value, json};

use crate::spent::portion;
use crate::{table, words};

/// What can be said of one of the two.
struct Side<'a> {
    operation: &'a StoredOperation,
    trace: Option<&'a Trace>,
    portions: [f64; Portion::ALL.len()],
    phases: [f64; Phase::ALL.len()],
}

impl<'a> Side<'a> {
    fn of(operation: &'a StoredOperation) -> Self {
        let trace = operation.attempt.result.trace.as_deref();
        let mut phases = [0.0; Phase::ALL.len()];
        for (phase, took) in trace.map(parsec_results::path::parts).into_iter().flatten().flat_map(|part| part.phases) {
            phases[phase as usize] += took.as_secs_f64();
        }
        Self { operation, trace, portions: trace.map(portions).unwrap_or_default(), phases }
    }

    fn count(&self, of: impl Fn(&parsec_measure::TracedRequest) -> bool) -> Option<usize> {
        self.trace.map(|trace| trace.requests.iter().filter(|request| of(request)).count())
    }

    fn peers(&self) -> BTreeSet<&'a str> {
        self.trace.into_iter().flat_map(|trace| &trace.requests).map(|request| request.peer.as_str()).collect()
    }

    fn hops(&self) -> Option<u32> {
        self.trace.map(|trace| trace.requests.iter().map(|request| request.hop + 1).max().unwrap_or(0))
    }

    fn duration(&self) -> Duration {
        self.operation.attempt.result.duration
    }

    fn document(&self) -> Value {
        let attempt = &self.operation.attempt;
        let by_kind =
            RequestKind::ALL.map(|kind| (kind.as_str().to_owned(), json!(self.count(|request| request.kind == kind))));
        let by_end =
            RequestEnd::ALL.map(|end| (end.as_str().to_owned(), json!(self.count(|request| request.end == end))));
        let portions = Portion::ALL.map(|of| (of.as_str().to_owned(), json!(self.portions[of as usize])));
        let phases = Phase::ALL.map(|phase| (phase.as_str().to_owned(), json!(self.phases[phase as usize])));
        let object = |members: Vec<(String, Value)>| Value::Object(members.into_iter().collect());
        json!({
            "id": attempt.id.0.to_string(),
            "operation": attempt.kind.as_str(),
            "outcome": attempt.result.class.as_str(),
            "started": attempt.started.to_rfc3339(),
            "fleet": self.operation.fleet.as_str(),
            "region": self.operation.region,
            "strategy": self.trace.map(|trace| trace.strategy.as_str()),
            "duration_seconds": self.duration().as_secs_f64(),
            "parts_seconds": object(portions.into()),
            "phases_seconds": object(phases.into()),
            "requests": object(by_kind.into()),
            "ends": object(by_end.into()),
            "hops": self.hops(),
            "peers": self.peers().len(),
        })
    }
}

/// For programs.
pub fn document(a: &StoredOperation, b: &StoredOperation) -> Value {
    let (a, b) = (Side::of(a), Side::of(b));
    let common = a.peers().intersection(&b.peers()).count();
    json!({ "a": a.document(), "b": b.document(), "peers_of_both": common })
}

/// For people.
pub fn text(a: &StoredOperation, b: &StoredOperation) -> String {
    let (a, b) = (Side::of(a), Side::of(b));
    let mut rows = Rows::default();
    rows.words("operation", |side| side.operation.attempt.kind.to_string(), (&a, &b));
    rows.words("outcome", |side| side.operation.attempt.result.class.to_string(), (&a, &b));
    rows.words("started", |side| side.operation.attempt.started.format("%F %T").to_string(), (&a, &b));
    rows.words("fleet", |side| side.operation.fleet.clone(), (&a, &b));
    rows.words("region", |side| side.operation.region.clone(), (&a, &b));
    let strategy = |side: &Side<'_>| side.trace.map_or("no trace", |trace| trace.strategy.as_str()).to_owned();
    rows.words("strategy", strategy, (&a, &b));
    rows.seconds("time", |side| side.seconds(), (&a, &b));
    let mut order = Portion::ALL;
    let most = |of: &Portion| a.portions[*of as usize].max(b.portions[*of as usize]);
    order.sort_by(|one, other| most(other).total_cmp(&most(one)));
    for of in order.into_iter().filter(|of| most(of) > 0.0) {
        rows.seconds(&format!("  {}", portion(of)), |side| side.portions[of as usize], (&a, &b));
    }
    rows.title("phases of hops and puts");
    for phase in Phase::ALL {
        rows.seconds(&format!("  {}", phase.as_str()), |side| side.phases[phase as usize], (&a, &b));
    }
    rows.counts("requests", |side| side.count(|_| true), (&a, &b));
    for kind in RequestKind::ALL {
        rows.counts(&format!("  {kind}"), |side| side.count(|request| request.kind == kind), (&a, &b));
    }
    for end in RequestEnd::ALL {
        rows.counts(&format!("  {}", end.as_str()), |side| side.count(|request| request.end == end), (&a, &b));
    }
    rows.counts("hops", |side| side.hops().map(|hops| hops as usize), (&a, &b));
    rows.counts("peers", |side| side.trace.map(|_| side.peers().len()), (&a, &b));
    let common = a.peers().intersection(&b.peers()).count();
    format!("a: {}\nb: {}\n\n{}\npeers of both: {common}", told(&a), told(&b), table::plain(rows.table))
}

impl Side<'_> {
    fn seconds(&self) -> f64 {
        self.duration().as_secs_f64()
    }
}

fn told(side: &Side<'_>) -> String {
    format!("{} of {}", side.operation.attempt.id.0, side.operation.attempt.cid)
}

/// The rows of the table.
struct Rows {
    table: Table,
}

impl Default for Rows {
    fn default() -> Self {
        let mut table = Table::new();
        table.set_header(["", "a", "b", "b − a"]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self { table }
    }
}

impl Rows {
    fn words(&mut self, name: &str, of: impl Fn(&Side<'_>) -> String, (a, b): (&Side<'_>, &Side<'_>)) {
        let (a, b) = (of(a), of(b));
        let differs = if a == b { "" } else { "differs" };
        self.table.add_row([name.to_owned(), a, b, differs.to_owned()]);
    }

    fn title(&mut self, name: &str) {
        self.table.add_row([name, "", "", ""]);
    }

    fn seconds(&mut self, name: &str, of: impl Fn(&Side<'_>) -> f64, (a, b): (&Side<'_>, &Side<'_>)) {
        let (a, b) = (of(a), of(b));
        let scale = Duration::try_from_secs_f64(a.max(b)).unwrap_or_default();
        let told = |seconds: f64| words::scaled(seconds, scale, true);
        let sign = if b < a { "−" } else { "+" };
        self.table.add_row([name.to_owned(), told(a), told(b), format!("{sign}{}", told((b - a).abs()))]);
    }

    /// A row that says nothing of either is left out.
    fn counts(&mut self, name: &str, of: impl Fn(&Side<'_>) -> Option<usize>, (a, b): (&Side<'_>, &Side<'_>)) {
        let (a, b) = (of(a), of(b));
        if [a, b].into_iter().all(|count| count.unwrap_or(0) == 0) {
            return;
        }
        let told = |count: Option<usize>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
        let difference = a.zip(b).map(|(a, b)| if b < a { format!("−{}", a - b) } else { format!("+{}", b - a) });
        self.table.add_row([name.to_owned(), told(a), told(b), difference.unwrap_or_default()]);
    }
}

#[cfg(test)]
mod tests {
    use parsec_measure::TracedRequest;
    use parsec_results::testing::{at, ending, request, trace};

    use super::*;
    use crate::recorded::testing::recorded;

    fn both() -> (StoredOperation, StoredOperation) {
        let warm = TracedRequest { connected: at(0), written: at(0), ..request("peer-a", 0, 200) };
        let cold = TracedRequest { dialled: at(0), connected: at(150), written: at(150), ..request("peer-a", 0, 350) };
        let dead = ending(RequestEnd::DialTimeout, request("peer-b", 350, 5_350));
        (recorded(trace(200, vec![warm])), recorded(trace(5_350, vec![cold, dead])))
    }

    #[test]
    fn what_differs_is_told_part_by_part_and_request_by_request() {
        let (a, b) = both();
        let text = text(&a, &b);
        let row = |name: &str| {
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with(name))
                .unwrap_or_else(|| panic!("no {name} in\n{text}"));
            line.trim_start()[name.len()..]
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(row("dial time-outs"), ["0.00 s", "5.00 s", "+5.00 s"]);
        assert_eq!(row("dialling"), ["0 ms", "150 ms", "+150 ms"]);
        assert_eq!(row("hops of the lookup"), ["200 ms", "200 ms", "+0 ms"]);
        assert_eq!(row("requests"), ["1", "2", "+1"]);
        assert_eq!(row("dial_timeout"), ["0", "1", "+1"]);
        assert!(text.ends_with("peers of both: 1") && !text.contains("protocol"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn an_operation_without_a_trace_has_only_what_is_known_of_it() {
        let (a, mut b) = both();
        b.attempt.result.trace = None;
        let text = text(&a, &b);
        assert!(text.contains("no trace") && text.contains("peers of both: 0"), "{text}");
        assert_eq!(document(&a, &b)["b"]["requests"]["FIND_NODE"], Value::Null);
    }

    #[test]
    fn programs_get_both_sides_by_name() {
        let (a, b) = both();
        let document = document(&a, &b);
        assert_eq!(document["b"]["parts_seconds"]["dial_timeouts"], 5.0);
        assert_eq!(
            (&document["a"]["phases_seconds"]["dial"], &document["b"]["ends"]["answered"]),
            (&json!(0.0), &json!(1))
        );
        assert_eq!(document["peers_of_both"], 1);
    }
}
