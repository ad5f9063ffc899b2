//! What the original's tables do, as the original's programs and the reports of the field rely on it.

use parsec_test_support::TestDatabase;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::contract::DATA;
use crate::{lines, migrate, migrated};

/// A migrated database with the rows of every version in it.
async fn filled() -> (TestDatabase, Client) {
    let (database, client) = migrated().await;
    for data in DATA {
        // Since version 6 a publication has a step.
        let data = data.replace(
            "INSERT INTO provides_ecs (scheduler_id, node_id, rt_size, duration, cid, error, created_at) SELECT 1,",
            "INSERT INTO provides_ecs (step, scheduler_id, node_id, rt_size, duration, cid, error, created_at) SELECT 'provide', 1,",
        );
        client.batch_execute(&data).await.unwrap();
    }
    (database, client)
}

async fn count(client: &Client, from: &str) -> String {
    lines(client, &format!("SELECT count(*)::TEXT FROM {from}")).await.remove(0)
}

async fn refusal(client: &Client, sql: &str) -> SqlState {
    let error = client.batch_execute(sql).await.expect_err(sql);
    error.code().unwrap_or_else(|| panic!("{sql}: {error:?}")).clone()
}

const SCHEDULER: &str = "schedulers_ecs (fleets, dependencies, created_at) VALUES ('{a}', '{}', now())";

#[tokio::test]
async fn a_number_is_given_by_the_database_alone_and_never_twice() {
    let (_database, client) = migrated().await;
    for expected in ["1", "2"] {
        assert_eq!(lines(&client, &format!("INSERT INTO {SCHEDULER} RETURNING id::TEXT")).await, [expected]);
    }
    let own_number = "INSERT INTO schedulers_ecs (id, fleets, dependencies, created_at) VALUES (7, '{a}', '{}', now())";
    assert_eq!(refusal(&client, own_number).await, SqlState::GENERATED_ALWAYS);
    client.batch_execute("DELETE FROM schedulers_ecs WHERE id = 2").await.unwrap();
    // Nor one that went with a transaction.
    client.batch_execute(&format!("BEGIN; INSERT INTO {SCHEDULER}; ROLLBACK")).await.unwrap();
    assert_eq!(lines(&client, &format!("INSERT INTO {SCHEDULER} RETURNING id::TEXT")).await, ["4"]);
}

#[tokio::test]
async fn numbers_go_on_where_the_original_stopped() {
    let (database, client) = crate::at_version(5).await;
    migrate(&database).await.unwrap();
    assert_eq!(lines(&client, &format!("INSERT INTO {SCHEDULER} RETURNING id::TEXT")).await, ["2"]);
}

#[tokio::test]
async fn with_a_node_go_its_measurements_and_with_a_scheduler_those_that_it_asked_for() {
    let (_database, client) = filled().await;
    assert_eq!(
        (count(&client, "provides_ecs").await, count(&client, "retrievals_ecs").await),
        ("4".into(), "3".into())
    );
    client.batch_execute("DELETE FROM nodes_ecs WHERE id = 2").await.unwrap();
    assert_eq!(
        (count(&client, "provides_ecs").await, count(&client, "retrievals_ecs").await),
        ("2".into(), "2".into())
    );
    client.batch_execute("DELETE FROM schedulers_ecs").await.unwrap();
    assert_eq!(
        (count(&client, "provides_ecs").await, count(&client, "retrievals_ecs").await),
        ("0".into(), "0".into())
    );
    assert_eq!(count(&client, "nodes_ecs").await, "2");
}

#[tokio::test]
async fn a_measurement_needs_its_node_and_its_scheduler() {
    let (_database, client) = filled().await;
    for (scheduler, node) in [(1, 4_711), (4_711, 1)] {
        let row = format!(
            "(scheduler_id, node_id, rt_size, duration, cid, created_at) VALUES ({scheduler}, {node}, 1, 1, 'Qm', now())"
        );
        let retrieval = format!("INSERT INTO retrievals_ecs {row}");
        assert_eq!(refusal(&client, &retrieval).await, SqlState::FOREIGN_KEY_VIOLATION);
    }
}

#[tokio::test]
async fn the_legacy_tables_hold_their_rows_as_they_did() {
    let (_database, client) = filled().await;
    // The reference would become NULL, which the column does not take.
    assert_eq!(refusal(&client, "DELETE FROM runs WHERE id = 1").await, SqlState::NOT_NULL_VIOLATION);
    assert_eq!(refusal(&client, "DELETE FROM nodes").await, SqlState::FOREIGN_KEY_VIOLATION);
    client.batch_execute("DELETE FROM runs WHERE id = 2").await.unwrap();
    for update in ["finished_at = started_at", "updated_at = created_at - INTERVAL '1s'"] {
        assert_eq!(refusal(&client, &format!("UPDATE runs SET {update}")).await, SqlState::CHECK_VIOLATION, "{update}");
    }
}

#[tokio::test]
async fn an_error_of_null_is_success_and_nothing_else_may_be_left_out() {
    let (_database, client) = filled().await;
    for table in ["provides_ecs", "retrievals_ecs"] {
        assert_eq!(count(&client, &format!("{table} WHERE error IS NULL AND node_id = 1")).await, "1", "{table}");
        for column in ["scheduler_id", "node_id", "rt_size", "duration", "cid", "created_at"] {
            let update = format!("UPDATE {table} SET {column} = NULL");
            assert_eq!(refusal(&client, &update).await, SqlState::NOT_NULL_VIOLATION, "{update}");
        }
    }
    // As before version 6, without the step: such a program would mix up what it timed.
    let without_step = "INSERT INTO provides_ecs (scheduler_id, node_id, rt_size, duration, cid, created_at) \
                        VALUES (1, 1, 200, 1.5, 'Qm', now())";
    assert_eq!(refusal(&client, without_step).await, SqlState::NOT_NULL_VIOLATION);
    let port = "UPDATE nodes_ecs SET server_port = 40000";
    assert_eq!(refusal(&client, port).await, SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
}

#[tokio::test]
async fn a_scheduler_whose_fleets_are_not_all_names_is_read_all_the_same() {
    let (database, client) = migrated().await;
    client
        .batch_execute(
            "INSERT INTO schedulers_ecs (fleets, dependencies, created_at)
             VALUES ('{}', '{}', now()), (ARRAY['a', NULL, 'b'], '{}', now())",
        )
        .await
        .unwrap();
    let store = parsec_store::connect(&database.url().parse().unwrap()).await.unwrap();
    assert_eq!(store.recent_schedulers().await.unwrap(), ["a,b", ""]);
}
