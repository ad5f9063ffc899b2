//! Looks at where records are: planned, claimed, made.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use parsec_measure::{AttemptId, CheckDone, CheckId, HolderCheck, NodeId, PlannedCheck, RecordCheck};
use parsec_store::{ClaimChecks, NewNode, Row};
use uuid::Uuid;

use super::database::Database;
use super::samples::{Pair, at, new_node};

/// A look at a record of `node`, an hour after it was published at second 0.
pub(crate) fn plan(node: NodeId, id: u128) -> PlannedCheck {
    PlannedCheck {
        id: CheckId(Uuid::from_u128(id)),
        attempt: Some(AttemptId(Uuid::from_u128(1))),
        node,
        fleet: "default".parse().unwrap(),
        region: "eu-central-1".to_owned(),
        cid: "Qm1".to_owned(),
        provider: "12D3KooWProvider".to_owned(),
        published: chrono::SubsecRound::trunc_subsecs(at(0), 6),
        after: Duration::from_secs(3_600),
    }
}

pub(crate) fn planned(plan: PlannedCheck) -> Row {
    Row::Check(RecordCheck { plan, done: None })
}

/// A look in which the closest has the record, the next one not, and the third says nothing.
pub(crate) fn made(plan: PlannedCheck, by: NodeId, second: i64) -> Row {
    let says =
        |rank: u32, answered, has_record| HolderCheck { holder: format!("peer {rank}"), rank, answered, has_record };
    let holders = vec![says(1, true, true), says(2, true, false), says(3, false, false)];
    Row::Check(RecordCheck { plan, done: Some(CheckDone { at: at(second), by, holders }) })
}

/// What `by` claims at this second: its own as soon as it is due, that of others a minute later.
fn claim(by: NodeId, second: i64) -> ClaimChecks {
    ClaimChecks {
        by,
        fleet: "default".parse().unwrap(),
        region: "eu-central-1".to_owned(),
        now: at(second),
        of_others_due_by: at(second - 60),
        oldest_due: at(second - 86_400),
        until: at(second + 600),
        limit: 10,
    }
}

async fn claimed(database: &Database, claim: ClaimChecks) -> Vec<u128> {
    let claimed = database.store.claim_checks(claim).await.unwrap();
    let mut ids: Vec<_> = claimed.into_iter().map(|check| check.id.0.as_u128()).collect();
    ids.sort_unstable();
    ids
}

pub(crate) async fn a_check_that_was_made_tells_who_has_the_record(database: &Database) {
    let node = Pair::registered(database).await.node;
    database.store.record(&[planned(plan(node, 1))]).await.unwrap();
    assert_eq!(
        (database.count("planned_checks WHERE ended_at IS NULL").await, database.count("record_checks").await),
        (1, 0)
    );
    database.store.record(&[made(plan(node, 1), node, 4_000)]).await.unwrap();
    assert_eq!(database.count("planned_checks WHERE ended_at IS NOT NULL").await, 1);
    let columns = "rank || ' ' || holder_peer_id || ' ' || CASE WHEN answered THEN 'answered' ELSE 'silent' END \
                   || ' ' || CASE WHEN has_record THEN 'has' ELSE 'lacks' END || ' ' || cid || ' ' || provider_peer_id \
                   || ' ' || after_seconds || ' ' || CAST(age_seconds AS INTEGER) || ' ' || node_id || ' ' || checked_by";
    let tail = format!("Qm1 12D3KooWProvider 3600 4000 {node} {node}");
    assert_eq!(
        database.lines(columns, "record_checks ORDER BY rank").await,
        [
            format!("1 peer 1 answered has {tail}"),
            format!("2 peer 2 answered lacks {tail}"),
            format!("3 peer 3 silent lacks {tail}")
        ]
    );
    let share = "avg(CASE WHEN has_record THEN 1.0 ELSE 0.0 END)";
    let half = database.lines(share, "record_checks WHERE answered GROUP BY after_seconds").await;
    assert_eq!(half[0].parse::<f64>().unwrap().to_bits(), 0.5_f64.to_bits());
}

pub(crate) async fn plan_and_look_may_come_in_any_order_and_twice_and_the_first_look_stays(database: &Database) {
    let node = Pair::registered(database).await.node;
    let (plan, first, second) =
        (planned(plan(node, 1)), made(plan(node, 1), node, 4_000), made(plan(node, 1), node, 5_000));
    database.store.record(&[first.clone(), plan.clone()]).await.unwrap();
    database.store.record(&[plan, second, first]).await.unwrap();
    let ages = database.lines("CAST(min(age_seconds) AS INTEGER)", "record_checks").await;
    assert_eq!((ages, database.count("record_checks").await), (vec!["4000".to_owned()], 3));
    assert_eq!(claimed(database, claim(node, 4_500)).await, [], "there is nothing left to look at");
}

pub(crate) async fn what_is_due_is_claimed_once_and_by_the_node_that_published(database: &Database) {
    let node = Pair::registered(database).await.node;
    let other = Pair::registered(database).await.node;
    database.store.record(&[planned(plan(node, 1))]).await.unwrap();
    assert_eq!(claimed(database, claim(node, 3_599)).await, [], "not yet");
    assert_eq!(claimed(database, claim(other, 3_600)).await, [], "its own server may do it");
    let mine = database.store.claim_checks(claim(node, 3_600)).await.unwrap();
    assert_eq!(mine, [plan(node, 1)], "as it was planned");
    assert_eq!(claimed(database, claim(node, 3_601)).await, [], "once");
}

pub(crate) async fn what_nobody_made_in_time_is_taken_over_in_the_same_fleet_and_region(database: &Database) {
    let (gone, heir) = (Pair::registered(database).await.node, Pair::registered(database).await.node);
    let elsewhere = NewNode { region: "us-east-1".to_owned(), ..new_node("default") };
    let elsewhere = database.store.register_node(elsewhere).await.unwrap();
    let stranger = database.store.register_node(new_node("fullrt")).await.unwrap();
    database.store.record(&[planned(plan(gone, 1))]).await.unwrap();
    let of_region = ClaimChecks { region: "us-east-1".to_owned(), ..claim(elsewhere, 3_660) };
    let of_fleet = ClaimChecks { fleet: "fullrt".parse().unwrap(), ..claim(stranger, 3_660) };
    assert_eq!((claimed(database, of_region).await, claimed(database, of_fleet).await), (vec![], vec![]));
    assert_eq!(claimed(database, claim(heir, 3_600 + 86_401)).await, [], "too late to say anything");
    assert_eq!(claimed(database, claim(heir, 3_660)).await, [1]);
    database.store.record(&[made(plan(gone, 1), heir, 3_661)]).await.unwrap();
    let who = database.lines("node_id || ' ' || checked_by", "record_checks WHERE rank = 1").await;
    assert_eq!(who, [format!("{gone} {heir}")]);
}

pub(crate) async fn a_claim_that_ran_out_is_free_again(database: &Database) {
    let node = Pair::registered(database).await.node;
    database.store.record(&[planned(plan(node, 1))]).await.unwrap();
    assert_eq!(claimed(database, claim(node, 3_600)).await, [1]);
    assert_eq!(claimed(database, claim(node, 4_199)).await, []);
    assert_eq!(claimed(database, claim(node, 4_200)).await, [1]);
}

pub(crate) async fn eight_programs_that_claim_at_once_share_what_is_due(database: &Database) {
    let node = Pair::registered(database).await.node;
    let all: Vec<Row> = (0..40).map(|id| planned(plan(node, id))).collect();
    database.store.record(&all).await.unwrap();
    let stores = join_all((0..8).map(|_| database.another_store())).await;
    let claimers = stores.into_iter().map(|store| {
        tokio::spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..5 {
                mine.extend(store.claim_checks(claim(node, 3_600)).await.unwrap());
            }
            mine
        })
    });
    let claimed: Vec<_> = join_all(claimers).await.into_iter().flat_map(|mine| mine.unwrap()).collect();
    let different: BTreeSet<_> = claimed.iter().map(|check| check.id).collect();
    assert_eq!((claimed.len(), different.len()), (40, 40));
}

pub(crate) async fn checks_of_a_node_go_with_its_row(database: &Database) {
    let node = Pair::registered(database).await.node;
    database.store.record(&[made(plan(node, 1), node, 4_000)]).await.unwrap();
    database.execute("DELETE FROM nodes_ecs").await;
    assert_eq!((database.count("planned_checks").await, database.count("record_checks").await), (0, 0));
}
