//! The schema as a whole.

use futures::future::join_all;

use super::database::Database;
use super::samples::{Pair, register_node, rows};
use parsec_measure::OperationKind::{Provide, Retrieve};
use parsec_measure::{OutcomeClass, WhyKept};
use parsec_schema::postgres::OWN_VIEWS;

pub(crate) async fn migrating_again_changes_nothing(database: &Database) {
    let pair = Pair::registered(database).await;
    database.store.record(&rows([pair.attempt(1, Retrieve)])).await.unwrap();
    database.store.migrate().await.unwrap();
    database.another_store().await.migrate().await.unwrap();
    assert_eq!(database.count("operations").await, 1);
}

pub(crate) async fn a_database_from_before_traces_were_kept_keeps_its_rows(database: &Database) {
    let pair = Pair::registered(database).await;
    database.store.record(&rows([pair.attempt(1, Retrieve)])).await.unwrap();
    database.forget_traces().await;
    database.store.migrate().await.unwrap();
    let earlier = database.count("operations WHERE NOT from_own_records AND network_size IS NULL").await;
    assert_eq!((earlier, database.count("traces").await), (1, 0));
    database.store.record(&rows([pair.attempt(2, Retrieve)])).await.unwrap();
}

pub(crate) async fn a_database_from_before_the_publisher_was_looked_for_keeps_its_rows_and_their_traces(
    database: &Database,
) {
    let pair = Pair::registered(database).await;
    let before = [pair.traced(1, Retrieve, WhyKept::Slow), pair.traced(2, Provide, WhyKept::Sampled)];
    let mut poisoned = pair.failed(3, Retrieve, OutcomeClass::WrongProvider);
    poisoned.result.found_publisher = Some(false);
    database.store.record(&rows(before.into_iter().chain([poisoned]))).await.unwrap();
    let shown = async || {
        let of_all = "operations o LEFT JOIN traces t ON t.id = o.id LEFT JOIN retrievals_ecs r ON r.id = o.retrieval_id \
                      ORDER BY o.id";
        database.lines("o.cid || outcome || due_at || coalesce(why_kept, '-') || coalesce(r.id, 0)", of_all).await
    };
    let now = shown().await;
    database.take_back("found_publisher").await;
    // To a program of before, that lookup went well.
    let then: Vec<_> = now.iter().map(|line| line.replace("wrong_provider", "ok")).collect();
    assert_eq!(shown().await, then);
    assert!(now[2].contains("wrong_provider") && now[0].contains("slow"), "{now:?}");

    database.store.migrate().await.unwrap();
    assert_eq!((shown().await, database.count("operations WHERE found_publisher IS NULL").await), (then, 3));
    let mut stranger = pair.failed(4, Retrieve, OutcomeClass::WrongProvider);
    stranger.result.found_publisher = Some(false);
    database.store.record(&rows([stranger])).await.unwrap();
    assert_eq!(database.count("operations WHERE outcome = 'wrong_provider' AND NOT found_publisher").await, 1);
    // Traces still go with their operations.
    database.execute("DELETE FROM operations").await;
    assert_eq!(database.count("traces").await, 0);
}

pub(crate) async fn eight_programs_may_migrate_at_once(database: &Database) {
    // Back to nothing: the suite's databases are migrated when they are handed out.
    for view in OWN_VIEWS {
        database.execute(&format!("DROP VIEW {view}")).await;
    }
    for table in [
        "record_checks",
        "planned_checks",
        "traces",
        "follow_ups",
        "operations",
        "rounds",
        "provides_ecs",
        "retrievals_ecs",
        "nodes_ecs",
        "schedulers_ecs",
    ] {
        database.execute(&format!("DROP TABLE {table}")).await;
    }
    for table in ["provides", "retrievals", "nodes", "runs", "__diesel_schema_migrations"] {
        database.execute(&format!("DROP TABLE {table}")).await;
    }
    database.execute("DROP TABLE IF EXISTS schema_migrations").await;

    let stores = join_all((0..8).map(|_| database.another_store())).await;
    let programs = stores.into_iter().map(|store| tokio::spawn(async move { store.migrate().await }));
    for migrated in join_all(programs).await {
        migrated.unwrap().unwrap();
    }
    register_node(database, "default").await;
}

pub(crate) async fn a_migration_says_from_where_to_where_it_went(database: &Database) {
    let again = database.store.migrate().await.unwrap();
    assert_eq!(again.before, again.after);
    database.forget_traces().await;
    let done = database.store.migrate().await.unwrap();
    assert_eq!(done.after, again.after);
    assert_eq!(done.before.original, again.before.original);
    assert!(done.before.own.is_some() && done.before.own < done.after.own, "{done:?}");
}

pub(crate) async fn the_script_leaves_nothing_to_migrate(database: &Database) {
    let by_hand = Database::by_script(database.is_postgres()).await;
    let done = by_hand.store.migrate().await.unwrap();
    assert_eq!(done.before, done.after);
    assert_eq!(by_hand.tables().await, database.tables().await);
    register_node(&by_hand, "default").await;
}

pub(crate) async fn what_was_written_is_there_after_opening_it_again(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.heartbeat(node).await.unwrap();
    let reopened = database.another_store().await;
    reopened.migrate().await.unwrap();
    let nodes = reopened.roster(&["default".parse().unwrap()]).await.unwrap();
    assert_eq!(nodes.nodes.iter().map(|listed| listed.node.id).collect::<Vec<_>>(), [node]);
}
