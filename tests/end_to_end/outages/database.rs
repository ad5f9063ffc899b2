//! The database goes away and comes back.

use parsec_test_support::hostile::Mode;
use parsec_test_support::ledger::LOST;
use parsec_test_support::outage::Outage;

use super::{Scene, of_class};
use crate::deployment::{Server, server};

/// Measures before, during and after an outage: nothing is lost, nothing doubled, and nothing waits.
async fn is_ridden_out(outage: Outage) {
    let scene = Scene::start().await;
    scene.strike(outage).await;
    scene.goes_on_measuring().await;
    scene.heal(outage).await;
    scene.catches_up().await;
    scene.goes_on_measuring().await;
    let books = scene.agrees().await;
    assert_eq!(of_class(&books, LOST), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_connections_costs_no_row() {
    is_ridden_out(Outage::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_resets_connections_costs_no_row() {
    is_ridden_out(Outage::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_behind_a_wire_that_hangs_costs_no_row() {
    is_ridden_out(Outage::Hanging).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_behind_a_slow_wire_costs_no_row() {
    is_ridden_out(Outage::SlowWire).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_statements_are_slow_costs_no_row() {
    is_ridden_out(Outage::SlowStatements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_table_somebody_locked_costs_no_row() {
    is_ridden_out(Outage::Locked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_frozen_costs_no_row() {
    is_ridden_out(Outage::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restarted_costs_no_row() {
    is_ridden_out(Outage::Restarted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_costs_no_row() {
    is_ridden_out(Outage::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_over_costs_no_row() {
    is_ridden_out(Outage::FailedOver).await;
}

/// As its clients see it: the SQLSTATE of a full disk (53100), from statements that write.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_says_that_its_disk_is_full_costs_no_row() {
    is_ridden_out(Outage::DiskFull).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_read_only_costs_no_row() {
    is_ridden_out(Outage::ReadOnly).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_pgbouncer), ignore = "needs PgBouncer")]
async fn a_database_that_is_moved_behind_a_pooler_costs_no_row() {
    is_ridden_out(Outage::BehindPooler).await;
}

/// Those of a fail-over in which connections are kept: each process has some when the database is writable again.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_stay_read_only_cost_no_row() {
    is_ridden_out(Outage::ReadOnlySessions).await;
}

/// No server can write a heartbeat any more, and the list says of all of them that they are dead.
async fn ages_nobody_out(outage: Outage) {
    let scene = Scene::start().await;
    scene.strike(outage).await;
    // Hours pass for the rows alone. A superuser may do what the outage keeps others from.
    let hours = "SET transaction_read_only = off; SET session_replication_role = replica; \
                 UPDATE nodes_ecs SET last_heartbeat = last_heartbeat - interval '3 hours'";
    scene.sql().await.batch_execute(&format!("BEGIN; {hours}; COMMIT")).await.expect("a superuser may write");
    scene.scheduler().log(DOUBTS).await;
    scene.goes_on_measuring().await;
    scene.heal(outage).await;
    scene.catches_up().await;
    scene.wait_for(2, "rounds WHERE outcome = 'complete' AND nodes_listed = 0 AND nodes_without_heartbeat = 2").await;
    assert_eq!(scene.count("rounds WHERE outcome = 'too_few_nodes' AND nodes_without_heartbeat > 0").await, 0);
    scene.agrees().await;
}

const DOUBTS: &str = "the heartbeats of nearly all nodes grew too old at once: the database cannot be written (is it read-only, \
                      full or locked?), or a clock has jumped; going on with the nodes that answer";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_read_only_for_hours_ages_nobody_out() {
    ages_nobody_out(Outage::ReadOnly).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_full_for_hours_ages_nobody_out() {
    ages_nobody_out(Outage::DiskFull).await;
}

/// Commits meet with an accident for as long as rounds are played. Each row is offered again and again.
async fn cut_commits_leave_each_row_once(outage: Outage) {
    let scene = Scene::start().await;
    scene.strike(outage).await;
    scene.database.proxy.has_cut(1).await;
    scene.goes_on_measuring().await;
    scene.heal(outage).await;
    scene.catches_up().await;
    scene.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_made_again() {
    cut_commits_leave_each_row_once(Outage::CutBeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_done_and_not_acknowledged_leaves_one_row() {
    cut_commits_leave_each_row_once(Outage::CutAfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_done_and_followed_by_silence_leaves_one_row() {
    cut_commits_leave_each_row_once(Outage::SilentAfterCommit).await;
}

/// It is there to read from, so that nothing else tells the server to wait.
async fn a_server_waits_for_its_row(outage: Outage) {
    let mut scene = Scene::among_strangers([Mode::Honest; 2], &[]).await;
    scene.database.prepare().await.expect("a database in order can be prepared");
    scene.strike(outage).await;
    let server = server(&scene.stage, &["--database-url", &scene.database.url()]);
    server.log("not registered in the database yet; trying again").await;
    scene.heal(outage).await;
    scene.servers.push(Server::started(server).await);
    scene.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_while_the_database_is_read_only_registers_later() {
    a_server_waits_for_its_row(Outage::ReadOnly).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_while_the_disk_of_the_database_is_full_registers_later() {
    a_server_waits_for_its_row(Outage::DiskFull).await;
}
