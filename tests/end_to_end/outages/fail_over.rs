//! A rehearsal of what operators do on the worst day: a primary and its replica, one address that leads to one of them, and
//! processes that nobody restarts.

use std::time::{Duration, Instant};

use parsec_test_support::ledger::LOST;
use parsec_test_support::postgres::Postgres;
use parsec_test_support::sabotage;

use super::{Scene, of_class, seconds_since_1970};

/// Servers beat once a minute: so long it takes until each has missed a beat.
const LIMIT: Duration = Duration::from_secs(180);

/// How soon heartbeats and rows are back once the address leads to a server that can be written to: they are tried every two and
/// every five seconds.
const SOON: Duration = Duration::from_secs(20);

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
    let mut scene = Scene::start_lasting(LIMIT).await;
    let replica = scene.database.postgres.replica().await;
    scene.goes_on_measuring().await;
    let rows = scene.count("operations").await;

    match old {
        Old::Dies => {
            // The address leads to the replica before that is promoted: sessions begin with a server that only follows.
            scene.database.postgres.kill().await;
            scene.database.proxy.lead_to(replica.address());
        }
        Old::OnlyReads => {
            let client = scene.sql().await;
            sabotage::read_only(&client, true).await.expect("a server in order can be made read-only");
        }
    }
    for server in &scene.servers {
        server.process.log("no heartbeat").await;
    }
    scene.goes_on_measuring().await;

    // Before either can come back: a heartbeat that came sooner than it was looked for would be missed, and the next is a minute later.
    let client = replica.client().await.expect("a replica can be asked");
    let since = seconds_since_1970(&client).await;
    replica.promote().await;
    scene.database.proxy.lead_to(replica.address());
    let led = Instant::now();
    let old_one: Postgres = std::mem::replace(&mut scene.database.postgres, replica);
    assert!(scene.count("operations").await >= rows);
    scene.wait_for(2, &format!("nodes_ecs WHERE extract(epoch FROM last_heartbeat) > {since}")).await;
    assert!(led.elapsed() < SOON, "heartbeats were back after {:?}", led.elapsed());
    scene.catches_up().await;
    assert!(led.elapsed() < SOON, "rows were back after {:?}", led.elapsed());
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
