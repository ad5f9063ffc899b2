//! How long to measure: rounds that it takes to see a difference.

use comfy_table::{CellAlignment, Table};
use parsec_results::Group;
use parsec_results::statistics::{Figure, rounds_to_see};
use serde_json::{Map, Value, json};

use crate::{table, words};

/// What is not known from so few rounds, or would take too many.
const UNKNOWN: &str = "–";

/// Groups, what tells them apart, and how many rounds of their like it takes.
#[derive(Debug)]
pub struct Plans {
    by: Vec<&'static str>,
    /// The difference that is to be seen, as a share.
    effect: f64,
    plans: Vec<Plan>,
}

/// What one group says.
#[derive(Debug)]
struct Plan {
    group: Group,
    /// Rounds for each of the figures that are times.
    rounds: Vec<(Figure, Option<u64>)>,
}

impl Plans {
    /// Plans to see this difference between a group like each of these and another one. So many kinds of operations are compared at
    /// once.
    pub fn new(by: Vec<&'static str>, groups: Vec<Group>, effect: f64, kinds: usize) -> Self {
        let questions = kinds * Figure::ALL.len();
        let plan = |group: Group| {
            let times = Figure::ALL.into_iter().filter_map(|figure| Some((figure, figure.quantile()?)));
            let rounds =
                times.map(|(figure, q)| (figure, rounds_to_see(&group.sample, q, effect, questions))).collect();
            Plan { group, rounds }
        };
        Self { by, effect, plans: groups.into_iter().map(plan).collect() }
    }

    /// For people, on a terminal.
    pub fn text(&self) -> String {
        table::plain(self.table())
    }

    /// For issue trackers.
    pub fn markdown(&self) -> String {
        table::markdown(self.table())
    }

    /// For spreadsheets.
    pub fn csv(&self) -> String {
        let rows: Vec<Map<String, Value>> = self.plans.iter().map(|plan| self.object(plan)).collect();
        let header: Vec<String> = rows.first().map(|row| row.keys().cloned().collect()).unwrap_or_default();
        table::csv(header, rows.into_iter().map(|row| row.into_iter().map(|(_, value)| value).collect()))
    }

    /// For programs: an object for each group.
    pub fn document(&self) -> Value {
        self.plans.iter().map(|plan| Value::Object(self.object(plan))).collect()
    }

    /// What the rounds are good for.
    pub fn remark(&self) -> String {
        format!(
            "Rounds of each group that show a difference of {} in at least 80 % of cases, by how much the rounds measured here vary. \
             Two groups that are measured in the same rounds need fewer.",
            words::set_percent(self.effect)
        )
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.set_header(self.by.iter().copied().chain(["kind", "rounds so far", "for p50", "for p90"]));
        for Plan { group, rounds } in &self.plans {
            let needed =
                rounds.iter().map(|(_, rounds)| rounds.map_or_else(|| UNKNOWN.to_owned(), |rounds| rounds.to_string()));
            let own = [group.kind.to_string(), group.sample.counts().rounds.to_string()];
            table.add_row(group.common.iter().cloned().chain(own).chain(needed));
        }
        for column in table.column_iter_mut().skip(self.by.len() + 1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn object(&self, Plan { group, rounds }: &Plan) -> Map<String, Value> {
        let common = self.by.iter().zip(&group.common).map(|(name, value)| ((*name).to_owned(), json!(value)));
        let mut object: Map<_, _> = common.collect();
        object.insert("kind".to_owned(), json!(group.kind.as_str()));
        object.insert("effect".to_owned(), json!(self.effect));
        object.insert("rounds".to_owned(), json!(group.sample.counts().rounds));
        for (figure, rounds) in rounds {
            object.insert(format!("rounds_for_{}", figure.as_str()), json!(rounds));
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use parsec_measure::{OperationKind, OutcomeClass};
    use parsec_results::statistics::Observation;

    fn plans(effect: f64) -> Plans {
        let observation = |round: u64| Observation {
            round,
            stratum: 0,
            class: OutcomeClass::Ok,
            duration: Duration::from_millis(1_000 + 50 * (round * 7 % 40)),
        };
        let group = |fleet: &str, rounds: u64| Group {
            common: vec![fleet.to_owned()],
            kind: OperationKind::Provide,
            sample: (0..rounds).map(observation).collect(),
        };
        Plans::new(vec!["fleet"], vec![group("default", 200), group("optprov", 5)], effect, 1)
    }

    #[test]
    fn a_smaller_difference_takes_more_rounds_and_too_few_say_nothing() {
        let rounds = |effect: f64| plans(effect).document()[0]["rounds_for_p50"].as_u64().unwrap();
        assert!(rounds(0.05) > 4 * rounds(0.2) && rounds(0.2) >= 10, "{} {}", rounds(0.05), rounds(0.2));
        let markdown = plans(0.2).markdown();
        let rows: Vec<_> = markdown.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
        assert_eq!(rows[0][1..6], ["fleet", "kind", "rounds so far", "for p50", "for p90"]);
        assert_eq!(rows[3][1..6], ["optprov", "provide", "5", "–", "–"]);
        assert!(plans(0.2).remark().contains("a difference of 20 %"), "{}", plans(0.2).remark());
        assert_eq!(plans(0.2).csv().lines().count(), 3);
    }
}
