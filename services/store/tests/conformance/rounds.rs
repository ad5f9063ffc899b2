//! Rounds: written when they begin and when they end.

use parsec_measure::{NodeId, Round, RoundId, RoundOutcome};
use parsec_store::Row;
use uuid::Uuid;

use super::database::Database;
use super::samples::{Pair, at, shown};

async fn recorded(database: &Database) -> Vec<String> {
    let columns = "coalesce(provider_node_id, 0) || ' ' || nodes_listed || '/' || nodes_ready || ' ' || skipped_before \
                   || ' ' || fleets || ' ' || coalesce(substr(CAST(ended_at AS TEXT), 1, 26), 'running') \
                   || ' ' || coalesce(outcome, '-')";
    database.lines(columns, "rounds ORDER BY id").await
}

async fn record(database: &Database, rounds: impl IntoIterator<Item = Round>) {
    let rows: Vec<Row> = rounds.into_iter().map(Row::Round).collect();
    database.store.record(&rows).await.unwrap();
}

pub(crate) async fn a_round_that_began_is_visibly_unfinished(database: &Database) {
    let pair = Pair::registered(database).await;
    record(database, [pair.round(None)]).await;
    assert_eq!(recorded(database).await, [format!("{} 7/6 1 default+fullrt running -", pair.node)]);
}

pub(crate) async fn an_end_completes_the_row_of_the_beginning(database: &Database) {
    let pair = Pair::registered(database).await;
    let begun = Round { provider: None, nodes_ready: 0, ..pair.round(None) };
    record(database, [begun]).await;
    record(database, [pair.round(Some(RoundOutcome::Complete))]).await;
    let ended = shown(at(19));
    assert_eq!(recorded(database).await, [format!("{} 7/6 1 default+fullrt {ended} complete", pair.node)]);
}

pub(crate) async fn begin_and_end_may_come_in_any_order_and_twice(database: &Database) {
    let pair = Pair::registered(database).await;
    let (begun, ended) = (pair.round(None), pair.round(Some(RoundOutcome::Complete)));
    let cut_off = pair.round(Some(RoundOutcome::Interrupted));
    let orders = [
        vec![vec![&ended], vec![&begun]],
        vec![vec![&ended], vec![&ended]],
        vec![vec![&ended, &begun]],
        vec![vec![&begun, &ended, &begun]],
        vec![vec![&begun], vec![&ended], vec![&cut_off, &begun]],
    ];
    for (number, calls) in (1..).zip(orders) {
        for call in calls {
            record(
                database,
                call.into_iter().map(|round| Round { id: RoundId(Uuid::from_u128(number)), ..round.clone() }),
            )
            .await;
        }
    }
    let ended = shown(at(19));
    assert_eq!(recorded(database).await, vec![format!("{} 7/6 1 default+fullrt {ended} complete", pair.node); 5]);
}

pub(crate) async fn every_outcome_can_be_recorded(database: &Database) {
    use RoundOutcome::{Complete, Interrupted, ProvideFailed, TooFewNodes};
    let pair = Pair::registered(database).await;
    let rounds = (1..).zip([Complete, ProvideFailed, TooFewNodes, Interrupted]).map(|(number, outcome)| Round {
        id: RoundId(Uuid::from_u128(number)),
        provider: None::<NodeId>,
        ..pair.round(Some(outcome))
    });
    record(database, rounds).await;
    let outcomes = database.lines("outcome", "rounds ORDER BY id").await;
    assert_eq!(outcomes, ["complete", "provide_failed", "too_few_nodes", "interrupted"]);
}
