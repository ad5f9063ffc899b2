//! What there is to say of an operation besides what became of it, the same whether it has just ended or was recorded:
//! in sentences for people, by name for programs.

use parsec_measure::{FollowUp, FoundProvider, Measured, OperationKind, StrategyKind};
use serde_json::{Map, Value, json};

use crate::words;

/// How many providers have a line of their own. Of a key that has just been made up there is one; a list of dozens is
/// somebody's joke.
const MAX_SHOWN: usize = 10;

/// In sentences.
pub fn facts(kind: OperationKind, result: &Measured) -> Vec<String> {
    let effort = &result.effort;
    let known = |count: Option<u32>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
    let mut facts = Vec::new();
    if kind == OperationKind::Provide {
        let (stored, failed) = (known(effort.holders_stored), effort.holders_failed.unwrap_or(0));
        let confirmed =
            effort.holders_confirmed.map(|count| format!(" ({count} confirmed by then)")).unwrap_or_default();
        let pending = effort.holders_pending.unwrap_or(0);
        facts.push(format!("records: {stored} stored{confirmed}, {failed} failed, {pending} still being written"));
    }
    facts.push(format!(
        "requests: {} ({} failed), dials: {} ({} failed)",
        known(effort.rpcs),
        known(effort.rpcs_failed),
        known(effort.dials),
        known(effort.dials_failed)
    ));
    let size =
        result.network_size.map_or_else(|| "not known".to_owned(), |size| words::count(size as usize, "peer", "peers"));
    facts.push(format!(
        "routing table: {}, network: {size}",
        words::count(result.routing_table_size as usize, "peer", "peers")
    ));
    facts.extend(result.fallback.as_ref().map(|reason| format!("done the classic way: {reason}")));
    if result.from_own_records {
        facts.push("answered from the node's own records: no DHT was measured".to_owned());
    }
    facts.extend(found(result));
    facts
}

/// Whom a search found, a line for each.
fn found(result: &Measured) -> Vec<String> {
    let line = |FoundProvider { peer, addresses, named_by }: &FoundProvider| {
        let at = if addresses.is_empty() { "no known address".to_owned() } else { addresses.join(", ") };
        let by = named_by.as_ref().map(|by| format!(", named by {by}")).unwrap_or_default();
        format!("provider {peer} at {at}{by}")
    };
    let mut lines: Vec<_> = result.providers.iter().take(MAX_SHOWN).map(line).collect();
    let more = result.providers.len() - lines.len();
    if more > 0 {
        lines.push(format!("and {}", words::count(more, "more provider", "more providers")));
    }
    lines.extend(
        result
            .found_publisher
            .map(|found| format!("who had published is {}among those found", if found { "" } else { "not " })),
    );
    lines
}

/// What became of the records of a publication in the end.
pub fn records(follow_up: &FollowUp) -> String {
    let FollowUp { stored, confirmed, failed, pending, .. } = follow_up;
    let confirmed = confirmed.map(|count| format!(", {count} confirmed")).unwrap_or_default();
    let unknown = pending.map(|count| format!(", {count} unknown")).unwrap_or_default();
    format!("{stored} stored{confirmed}, {failed} failed{unknown}")
}

/// By name, with the node that did it and how, as far as that is known.
pub fn figures(peer: &str, strategy: Option<StrategyKind>, result: &Measured) -> Map<String, Value> {
    let effort = &result.effort;
    let figures = [
        ("peer", json!(peer)),
        ("strategy", json!(strategy.map(StrategyKind::as_str))),
        ("routing_table_peers", json!(result.routing_table_size)),
        ("network_size_peers", json!(result.network_size)),
        ("fallback", json!(result.fallback)),
        ("from_own_records", json!(result.from_own_records)),
        ("providers", json!(result.providers)),
        ("found_publisher", json!(result.found_publisher)),
        ("rpcs", json!(effort.rpcs)),
        ("rpcs_failed", json!(effort.rpcs_failed)),
        ("dials", json!(effort.dials)),
        ("dials_failed", json!(effort.dials_failed)),
        ("holders_stored", json!(effort.holders_stored)),
        ("holders_confirmed", json!(effort.holders_confirmed)),
        ("holders_failed", json!(effort.holders_failed)),
        ("holders_pending", json!(effort.holders_pending)),
    ];
    figures.map(|(name, figure)| (name.to_owned(), figure)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::{Effort, OutcomeClass};

    use super::*;

    fn result() -> Measured {
        let effort = Effort {
            rpcs: Some(45),
            rpcs_failed: Some(3),
            dials: Some(30),
            dials_failed: Some(2),
            holders_stored: Some(15),
            holders_confirmed: Some(12),
            holders_failed: Some(1),
            holders_pending: Some(4),
        };
        let measured = Measured::unmeasured(OutcomeClass::Ok, Duration::from_millis(250), "");
        Measured { error: None, routing_table_size: 29, effort, ..measured }
    }

    #[test]
    fn what_a_publication_cost_is_said_in_full() {
        assert_eq!(
            facts(OperationKind::Provide, &result()),
            [
                "records: 15 stored (12 confirmed by then), 1 failed, 4 still being written",
                "requests: 45 (3 failed), dials: 30 (2 failed)",
                "routing table: 29 peers, network: not known",
            ]
        );
    }

    #[test]
    fn what_an_older_version_did_not_look_at_is_not_said() {
        let now = FollowUp {
            attempt: None,
            cid: "Qm".to_owned(),
            stored: 18,
            confirmed: Some(17),
            failed: 1,
            pending: Some(1),
            duration: Duration::from_secs(9),
            confirming: Duration::ZERO,
        };
        assert_eq!(records(&now), "18 stored, 17 confirmed, 1 failed, 1 unknown");
        assert_eq!(records(&FollowUp { confirmed: None, pending: None, ..now }), "18 stored, 1 failed");
        let effort = Effort { holders_confirmed: None, ..result().effort };
        let of_others = facts(OperationKind::Provide, &Measured { effort, ..result() });
        assert_eq!(of_others[0], "records: 15 stored, 1 failed, 4 still being written");
    }

    #[test]
    fn what_makes_a_result_another_thing_is_said_too() {
        let fallback = Some("no estimate of the network's size".to_owned());
        let odd = Measured { network_size: Some(101), fallback, from_own_records: true, ..result() };
        assert_eq!(
            facts(OperationKind::Retrieve, &odd)[1..],
            [
                "routing table: 29 peers, network: 101 peers",
                "done the classic way: no estimate of the network's size",
                "answered from the node's own records: no DHT was measured",
            ]
        );
    }

    fn provider(number: usize) -> FoundProvider {
        let addresses = (0..number).map(|port| format!("/ip4/1.2.3.4/tcp/{port}")).collect();
        FoundProvider { peer: format!("Qm{number}"), addresses, named_by: (number > 0).then(|| "QmLiar".to_owned()) }
    }

    #[test]
    fn who_provides_where_and_who_says_so_is_said_of_each_provider() {
        let found = |providers, found_publisher| {
            let result = Measured { providers, found_publisher, ..result() };
            facts(OperationKind::Retrieve, &result)[2..].to_vec()
        };
        assert_eq!(found(vec![], None), Vec::<String>::new());
        assert_eq!(
            found(vec![provider(2), provider(0)], Some(true)),
            [
                "provider Qm2 at /ip4/1.2.3.4/tcp/0, /ip4/1.2.3.4/tcp/1, named by QmLiar",
                "provider Qm0 at no known address",
                "who had published is among those found",
            ]
        );
        let many = found((0..64).map(provider).collect(), Some(false));
        assert_eq!(many.len(), MAX_SHOWN + 2);
        assert_eq!(many[MAX_SHOWN..], ["and 54 more providers", "who had published is not among those found"]);
    }

    #[test]
    fn programs_find_the_figures_by_name() {
        let figures = figures("12D3KooW", Some(StrategyKind::Optprov), &result());
        assert_eq!((&figures["peer"], &figures["strategy"]), (&json!("12D3KooW"), &json!("optprov")));
        assert_eq!((&figures["rpcs"], &figures["holders_pending"]), (&json!(45), &json!(4)));
        assert_eq!((&figures["routing_table_peers"], &figures["network_size_peers"]), (&json!(29), &Value::Null));
        assert_eq!((&figures["providers"], &figures["found_publisher"]), (&json!([]), &Value::Null));
        let found = Measured { providers: vec![provider(1)], found_publisher: Some(false), ..result() };
        let figures = super::figures("12D3KooW", None, &found);
        let provider = json!([{ "peer": "Qm1", "addresses": ["/ip4/1.2.3.4/tcp/0"], "named_by": "QmLiar" }]);
        assert_eq!((&figures["providers"], &figures["found_publisher"]), (&provider, &json!(false)));
    }
}
