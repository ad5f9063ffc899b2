//! Publishing many keys at once, side by side: a table for people, JSON or CSV for programs.

use comfy_table::{CellAlignment, Table};
use parsec_results::bulk::{BulkRun, BulkStrategy, FIGURES, Figure, Measured, Over, over};
use serde_json::{Value, json};

use crate::table;

/// For people: a line for each figure, a column for each strategy.
pub fn table(runs: &[BulkRun]) -> String {
    let strategies = strategies(runs);
    let mut table = Table::new();
    table.set_header(std::iter::once("").chain(strategies.iter().map(|strategy| strategy.as_str())));
    for figure in &FIGURES {
        let cells = strategies.iter().map(|strategy| cell(&of(runs, *strategy), figure));
        table.add_row(std::iter::once(figure.about.to_owned()).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n{}", table::plain(table), note(runs))
}

/// As an array of objects, one for each network and strategy.
pub fn json(runs: &[BulkRun], network: &str) -> String {
    let objects: Vec<Value> = runs.iter().map(|run| Value::Object(flat(run, network).into_iter().collect())).collect();
    format!("{:#}", Value::Array(objects))
}

/// As comma-separated values, one line for each network and strategy.
pub fn csv(runs: &[BulkRun], network: &str) -> String {
    let header = ["network", "seed", "strategy", "keys"].into_iter().chain(FIGURES.iter().map(|figure| figure.name));
    let rows = runs.iter().map(|run| flat(run, network).into_iter().map(|(_, value)| value).collect());
    table::csv(header, rows)
}

/// In the order in which they come.
fn strategies(runs: &[BulkRun]) -> Vec<BulkStrategy> {
    let mut found = Vec::new();
    for run in runs {
        if !found.contains(&run.strategy) {
            found.push(run.strategy);
        }
    }
    found
}

fn of(runs: &[BulkRun], strategy: BulkStrategy) -> Vec<&BulkRun> {
    runs.iter().filter(|run| run.strategy == strategy).collect()
}

fn cell(runs: &[&BulkRun], figure: &Figure) -> String {
    let Some(Over { mean, least, most, without }) = over(runs, figure) else {
        return if figure.measured == Measured::Seconds { "never" } else { "–" }.to_owned();
    };
    let written = |value| number(value, figure.measured);
    let never = if without > 0 { format!("\nnever: {without} of {}", runs.len()) } else { String::new() };
    if runs.len() == 1 {
        return written(mean);
    }
    format!("{}\n({} to {}){never}", written(mean), written(least), written(most))
}

fn number(value: f64, measured: Measured) -> String {
    let digits = match value {
        _ if value >= 100.0 => 0,
        _ if value >= 10.0 => 1,
        _ => 2,
    };
    match measured {
        Measured::Seconds => format!("{value:.digits$} s"),
        Measured::Share => format!("{:.1} %", value * 100.0),
        Measured::Count => format!("{value:.digits$}"),
    }
}

/// What the figures are about.
fn note(runs: &[BulkRun]) -> String {
    let networks = strategies(runs).first().map_or(0, |strategy| of(runs, *strategy).len());
    if networks > 1 {
        format!("means of {networks} networks, and the least and the most of one; each network is drawn anew")
    } else {
        "one network; another one may differ (--networks 10)".to_owned()
    }
}

/// A run by the names of its figures, in their order.
fn flat(run: &BulkRun, network: &str) -> Vec<(String, Value)> {
    let mut flat = vec![
        ("network".to_owned(), json!(network)),
        ("seed".to_owned(), json!(run.network)),
        ("strategy".to_owned(), json!(run.strategy.as_str())),
        ("keys".to_owned(), json!(run.holders.len())),
    ];
    flat.extend(FIGURES.iter().map(|figure| (figure.name.to_owned(), json!((figure.of)(run)))));
    flat
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Map;

    use super::*;

    fn run(network: u64, strategy: BulkStrategy, seconds: u64) -> BulkRun {
        BulkRun {
            network,
            strategy,
            took: Duration::from_secs(seconds),
            lookups: 2,
            questions: 300,
            records: 40,
            dials: 5,
            holders: vec![20, 19, 0],
            closest_held: Some(0.65),
            reached: (4, 3),
            busiest_second: 9,
            findable: vec![Duration::from_millis(1500), Duration::from_secs(2)],
        }
    }

    #[test]
    fn figures_stand_beside_each_other() {
        let text = table(&[run(1, BulkStrategy::Classic, 600), run(1, BulkStrategy::Sweep, 60)]);
        let line = |about: &str| text.lines().find(|line| line.starts_with(about)).unwrap_or_default().to_owned();
        assert_eq!(
            line("keys a minute").split_whitespace().collect::<Vec<_>>(),
            ["keys", "a", "minute", "0.30", "3.00"]
        );
        assert_eq!(line("until 99 %").matches("never").count(), 2, "{text}");
        assert!(line("peers that could be reached").contains("75.0 %"), "{text}");
        assert!(text.ends_with("another one may differ (--networks 10)"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn several_networks_have_a_mean_and_ends() {
        let text = table(&[run(1, BulkStrategy::Sweep, 60), run(2, BulkStrategy::Sweep, 120)]);
        assert!(text.contains("90.0 s") && text.contains("(60.0 s to 120 s)"), "{text}");
        assert!(text.ends_with("means of 2 networks, and the least and the most of one; each network is drawn anew"));
    }

    #[test]
    fn json_and_csv_have_the_same_figures() {
        let runs = [run(7, BulkStrategy::Sweep, 60)];
        let read: Value = serde_json::from_str(&json(&runs, "simulated:test")).unwrap();
        let object: &Map<String, Value> = read[0].as_object().unwrap();
        assert_eq!((&object["seed"], &object["keys"], &object["strategy"]), (&json!(7), &json!(3), &json!("sweep")));
        assert_eq!((&object["took_seconds"], &object["findable_99_seconds"]), (&json!(60.0), &Value::Null));
        let csv = csv(&runs, "simulated:test");
        let mut lines = csv.split("\r\n");
        assert_eq!(lines.next().unwrap().split(',').count(), object.len());
        assert!(lines.next().unwrap().starts_with("simulated:test,7,sweep,3,60.0,3.0,"), "{csv}");
    }
}
