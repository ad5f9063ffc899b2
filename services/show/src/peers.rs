//! Peers of the DHT by what they cost: a table for people, Markdown for issue trackers, CSV and JSON for programs.

use comfy_table::{CellAlignment, Table};
use parsec_measure::harmless;
use parsec_results::{PeerCost, PeerCosts};
use serde_json::{Map, Value, json};

use crate::spent::{estimate, seconds};
use crate::{table, words};

/// How much of what a peer says it runs is shown in a table.
const MAX_AGENT_CHARS: usize = 32;

/// How many ways to fail a table names for a peer.
const MAX_FAILURES: usize = 3;

/// Peers, and whether their addresses may be shown.
#[derive(Debug)]
pub struct PeerTable {
    /// What they cost.
    pub costs: PeerCosts,
    /// Whether to show where they are.
    pub addresses: bool,
}

impl PeerTable {
    /// For people, on a terminal.
    pub fn text(&self) -> String {
        table::plain(self.table("\n"))
    }

    /// For issue trackers.
    pub fn markdown(&self) -> String {
        table::markdown(self.table(" "))
    }

    /// For spreadsheets.
    pub fn csv(&self) -> String {
        let mut header = vec![
            "peer",
            "agent",
            "seconds",
            "seconds_low",
            "seconds_high",
            "share",
            "requests",
            "failed",
            "traces",
            "failures",
        ];
        header.extend(self.addresses.then_some("addresses"));
        let rows = self.costs.worst.iter().map(|cost| {
            let ends = cost.seconds.ends;
            let mut row = vec![json!(cost.peer), json!(cost.agent), json!(cost.seconds.value)];
            row.extend([json!(ends.map(|ends| ends.0)), json!(ends.map(|ends| ends.1)), json!(cost.share)]);
            row.extend([
                json!(cost.requests),
                json!(failed(cost)),
                json!(cost.traces),
                json!(failures(cost, usize::MAX)),
            ]);
            row.extend(self.addresses.then(|| json!(addresses(cost, " "))));
            row
        });
        table::csv(header, rows)
    }

    /// For programs: an object for each peer.
    pub fn document(&self) -> Value {
        let object = |cost: &PeerCost| {
            let failed: Map<_, _> =
                cost.failed.iter().map(|(end, times)| (end.as_str().to_owned(), json!(times))).collect();
            let mut object = json!({
                "peer": cost.peer,
                "agent": cost.agent,
                "seconds": estimate(cost.seconds),
                "share": cost.share,
                "requests": cost.requests,
                "failed": failed,
                "traces": cost.traces,
            });
            if self.addresses {
                object["addresses"] = json!(cost.addresses);
            }
            object
        };
        self.costs.worst.iter().map(object).collect()
    }

    /// What the table is part of, in words.
    pub fn remark(&self) -> String {
        let PeerCosts { worst, peers, forgotten, seconds } = &self.costs;
        let share: f64 = worst.iter().map(|cost| cost.share).sum();
        let mut remark = format!(
            "{} of {peers} peers: {} of the {} that all operations took together, on their critical paths.",
            worst.len(),
            words::rounded_percent(share),
            words::long(*seconds),
        );
        if *forgotten > 0 {
            remark += &format!(" {forgotten} peers that had cost less than the others were forgotten on the way.");
        }
        remark
    }

    pub(crate) fn table(&self, between: &str) -> Table {
        let mut table = Table::new();
        let heads = ["peer", "time", "share", "requests", "failed", "agent"];
        table.set_header(heads.into_iter().chain(self.addresses.then_some("addresses")));
        for cost in &self.costs.worst {
            let agent = cost.agent.as_deref().unwrap_or("–");
            let mut cells = vec![harmless(&cost.peer, usize::MAX), seconds(cost.seconds)];
            cells.extend([words::percent(cost.share), format!("{:.0}", cost.requests)]);
            let failures = failures(cost, MAX_FAILURES);
            cells.extend([
                if failures.is_empty() { "–".to_owned() } else { failures },
                harmless(agent, MAX_AGENT_CHARS),
            ]);
            cells.extend(self.addresses.then(|| harmless_lines(&addresses(cost, between))));
            table.add_row(cells);
        }
        for column in table.column_iter_mut().skip(1).take(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

fn failed(cost: &PeerCost) -> f64 {
    cost.failed.iter().map(|(_, times)| times).sum()
}

/// How requests failed, most often first.
fn failures(cost: &PeerCost, most: usize) -> String {
    let some = cost.failed.iter().take(most).map(|(end, times)| format!("{times:.0} {}", end.as_str()));
    some.collect::<Vec<_>>().join(", ")
}

fn addresses(cost: &PeerCost, between: &str) -> String {
    cost.addresses.iter().map(String::as_str).collect::<Vec<_>>().join(between)
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(|line| harmless(line, usize::MAX)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use parsec_measure::RequestEnd;
    use parsec_results::Estimate;

    use super::*;

    fn peers(addresses: bool) -> PeerTable {
        let cost = PeerCost {
            peer: "12D3KooWslow".to_owned(),
            agent: Some("kubo/\u{1b}[31m0.38".to_owned()),
            addresses: ["/ip4/192.0.2.1/tcp/4001".to_owned()].into(),
            seconds: Estimate { value: 120.0, ends: Some((90.0, 150.0)) },
            share: 0.125,
            requests: 24.4,
            failed: vec![(RequestEnd::DialTimeout, 20.0), (RequestEnd::Timeout, 2.4)],
            traces: 5,
        };
        let unknown = PeerCost {
            peer: "12D3KooWother".to_owned(),
            agent: None,
            addresses: [].into(),
            seconds: Estimate { value: 1.5, ends: None },
            failed: vec![],
            ..cost.clone()
        };
        let costs = PeerCosts { worst: vec![cost, unknown], peers: 40, forgotten: 0, seconds: 960.0 };
        PeerTable { costs, addresses }
    }

    #[test]
    fn people_see_what_a_peer_cost_and_how_it_failed() {
        let markdown = peers(false).markdown();
        let rows: Vec<_> = markdown.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
        assert_eq!(rows[0][1..7], ["peer", "time", "share", "requests", "failed", "agent"]);
        assert_eq!(rows[2][1..4], ["12D3KooWslow", "120.0 s (90.0–150.0)", "12.5 %"]);
        assert_eq!(rows[2][4..6], ["24", "20 dial_timeout, 2 timeout"]);
        assert!(!markdown.contains('\u{1b}'), "{markdown}");
        assert_eq!((rows[3][2], rows[3][5], rows[3][6]), ("1.50 s (–)", "–", "–"));
        assert_eq!(
            peers(false).remark(),
            "2 of 40 peers: 25 % of the 16 min that all operations took together, on their critical paths."
        );
    }

    #[test]
    fn addresses_of_strangers_are_shown_to_those_who_ask_for_them() {
        for (table, shown) in [(peers(false), false), (peers(true), true)] {
            for text in [table.text(), table.markdown(), table.csv(), table.document().to_string()] {
                assert_eq!(text.contains("192.0.2.1"), shown, "{text}");
            }
        }
    }

    #[test]
    fn programs_get_every_figure_by_its_name() {
        let document = peers(false).document();
        assert_eq!(document[0]["seconds"], json!({ "value": 120.0, "low": 90.0, "high": 150.0 }));
        assert_eq!(document[0]["failed"], json!({ "dial_timeout": 20.0, "timeout": 2.4 }));
        let csv = peers(false).csv();
        assert!(csv.starts_with("peer,agent,seconds,seconds_low"), "{csv}");
        assert!(!csv.contains('\u{1b}'), "{csv}");
    }
}
