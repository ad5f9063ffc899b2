//! A rehearsal of what operators do on the worst day: a primary and its replica, one address that leads to one of them, and
//! processes that nobody restarts.

use std::time::{Duration, Instant};

use parsec_test_support::ledger::LOST;
use parsec_test_support::postgres::Postgres;
use parsec_test_support::sabotage;

use super::{Scene, of_class};

/// How soon rows and heartbeats are back once the address leads to a server that can be written to: a row waits for its next
/// try, of which each comes later than the one before.
const SOON: Duration = Duration::from_secs(35);

/// What becomes of the old primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Old {
    /// It is killed, and its connections with it.
    Dies,
    /// It takes no more rows, and keeps its connections, as when it is fenced off.
    OnlyReads,
}

/// Measures, fails over, measures: the new primary has every row of the old one, and every row since.
async fn a_fail_over_loses_nothing(old: Old) {
    let mut scene = Scene::start().await;
    let replica = scene.database.postgres.replica().await;
    scene.goes_on_measuring().await;

    match old {
        Old::Dies => scene.database.postgres.kill().await,
        Old::OnlyReads => {
            let client = scene.sql().await;
            sabotage::read_only(&client, true).await.expect("a server in order can be made read-only");
        }
    }
    scene.goes_on_measuring().await;
    if old == Old::Dies {
        // The address may lead there before it is promoted: sessions begin with a server that only follows.
        scene.database.proxy.lead_to(replica.address());
        scene.goes_on_measuring().await;
    }
    replica.promote().await;
    scene.database.proxy.lead_to(replica.address());
    let led = Instant::now();
    let old_one: Postgres = std::mem::replace(&mut scene.database.postgres, replica);

    scene.catches_up().await;
    assert!(led.elapsed() < SOON, "rows were back after {:?}", led.elapsed());
    let nodes = format!(
        "nodes_ecs WHERE last_heartbeat > now() - interval '{} seconds' AND offline_since IS NULL",
        led.elapsed().as_secs() + 90
    );
    scene.wait_for(2, &nodes).await;
    scene.goes_on_measuring().await;
    let books = scene.agrees().await;
    assert_eq!(of_class(&books, LOST), 0);
    drop(old_one);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_to_a_replica_loses_nothing() {
    a_fail_over_loses_nothing(Old::Dies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_in_which_the_old_primary_keeps_its_connections_loses_nothing() {
    a_fail_over_loses_nothing(Old::OnlyReads).await;
}
