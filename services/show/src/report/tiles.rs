//! Figures to be seen at a glance.

use parsec_results::Group;
use parsec_results::statistics::{Compared, QUANTILES, Verdict};

use super::Tile;
use crate::compared::{Pairs, change};
use crate::groups;

/// A tile for each quantile that n carries, and one for the success rate. `before` compares the period before with this one, fleet by fleet.
pub(crate) fn tiles(group: &Group, before: Option<&Pairs>) -> Vec<Tile> {
    let fleet = group.common.join(" ");
    let due = group.sample.counts().due;
    let tile = |figure: &str, told: &str| {
        let (value, interval) = told.split_once('\n').unwrap_or((told, ""));
        let changed = changed(before, &fleet, group, figure).map(|changed| format!("; {changed}")).unwrap_or_default();
        Tile {
            name: figure.to_owned(),
            value: value.to_owned(),
            detail: format!("{interval} n = {due}{changed}").trim_start().to_owned(),
        }
    };
    let quantiles = QUANTILES.into_iter().filter_map(|(name, q)| {
        let quantile = group.sample.quantile(q)?;
        Some(tile(name, &groups::quantile(Some(quantile), "\n")))
    });
    let success = group.sample.success().map(|_| tile("success", &groups::success(&group.sample, "\n")));
    quantiles.chain(success).collect()
}

/// How the figure has changed against the period before, if the two were compared.
fn changed(before: Option<&Pairs>, fleet: &str, group: &Group, figure: &str) -> Option<String> {
    let pair = before?.pairs.iter().find(|pair| pair.common == fleet && pair.kind == group.kind)?;
    let found = pair.compared.as_ref().ok()?.iter().find(|compared| compared.figure.as_str() == figure)?;
    Some(told(found))
}

fn told(compared: &Compared) -> String {
    let change = change(compared, " ");
    match compared.verdict {
        Verdict::Better => format!("{change} against the period before: better"),
        Verdict::Worse => format!("{change} against the period before: worse"),
        Verdict::Equal => "as in the period before".to_owned(),
        Verdict::Inconclusive => "no change shown".to_owned(),
    }
}
