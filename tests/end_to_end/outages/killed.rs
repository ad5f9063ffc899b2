//! Processes that are killed (SIGKILL) or frozen (SIGSTOP) while they measure.

use nix::sys::signal::Signal;
use parsec_test_support::hostile::Mode;
use parsec_test_support::ledger::LOST;
use parsec_test_support::outage::Outage;
use tempfile::TempDir;
use tokio::time::sleep;

use super::{RULES, Scene, of_class};
use crate::deployment::{Server, metrics, server};

/// A directory for the rows of a scheduler.
fn spool() -> (TempDir, String) {
    let directory =
        tempfile::Builder::new().prefix("parsec-spool-").tempdir().expect("tests can make a temporary directory");
    let path = directory.path().to_str().expect("temporary directories have plain names").to_owned();
    (directory, path)
}

/// How many attempts a round may have had under way: what is lost with a scheduler that is killed.
const UNDER_WAY: usize = RULES.probes;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scheduler_had_on_disk_when_it_was_killed_is_written_by_the_next_one() {
    let (_directory, path) = spool();
    let at_spool = ["--spool-dir", path.as_str()];
    let mut scene = Scene::start_with(&at_spool).await;
    scene.strike(Outage::Refused).await;
    scene.goes_on_measuring().await;

    // The next one is there before the database is.
    scene.kill_scheduler().await;
    scene.schedule();
    scene.scheduler().log("the database cannot be reached yet; trying again").await;
    scene.heal(Outage::Refused).await;

    scene.goes_on_measuring().await;
    let books = scene.agrees().await;
    assert!(of_class(&books, LOST) <= UNDER_WAY, "{:?}", books.classes());
}

/// Kills the scheduler while it waits for the answer of this server, and gives the account to its successor.
async fn killed_in_a_round(modes: [Mode; 2], waits_for: usize, lost: usize) {
    let (_directory, path) = spool();
    let at_spool = ["--spool-dir", path.as_str()];
    let mut scene = Scene::among_strangers(modes, &at_spool).await;
    let is_asked = async || (scene.strangers[waits_for].server.operations() > 0).then_some(());
    scene.stage.eventually("round in the middle", is_asked).await;

    scene.kill_scheduler().await;
    scene.strangers.iter().for_each(|stranger| stranger.server.measures(Mode::Honest));
    scene.schedule();
    scene.goes_on_measuring().await;
    scene.wait_for(1, "rounds WHERE outcome = 'interrupted'").await;
    let books = scene.agrees().await;
    assert_eq!(of_class(&books, LOST), lost, "{:?}", books.classes());
    let cut_off = books.rounds.iter().find(|round| round.outcome.as_deref() == Some("interrupted"));
    let cut_off = cut_off.expect("that has been waited for");
    let of_round = books.operations.iter().filter(|row| row.round == cut_off.id && row.outcome == LOST);
    assert_eq!(of_round.count(), lost, "{books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_was_under_way_when_the_scheduler_was_killed_is_lost_and_its_round_interrupted() {
    killed_in_a_round([Mode::Mute, Mode::Honest], 0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_that_were_under_way_when_the_scheduler_was_killed_are_lost_and_their_round_interrupted() {
    killed_in_a_round([Mode::Honest, Mode::Mute], 1, RULES.probes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_was_frozen_plays_one_round_and_counts_those_it_missed() {
    let scene = Scene::start().await;
    scene.scheduler().signal(Signal::SIGSTOP);
    // Nothing else passes here but time: that of six rounds.
    sleep(6 * RULES.interval).await;
    let thawed = scene.seconds_since_1970().await;
    scene.scheduler().signal(Signal::SIGCONT);
    scene.goes_on_measuring().await;
    let books = scene.agrees().await;

    let after: Vec<_> = books.rounds.iter().filter(|round| round.started >= thawed).collect();
    assert!(after[0].skipped >= 4, "{after:?}");
    // One that was due while it was frozen, and then the grid again.
    let second = after.iter().filter(|round| round.started < thawed + 1.0).count();
    assert!(second <= 4, "{after:?}");
    assert!(after[1..].iter().all(|round| round.skipped == 0), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_frozen_costs_its_own_part_and_no_round() {
    // Whether it freezes before it is asked or after, it is not waited for long.
    let mut scene = Scene::start_with(&["--operation-timeout", "2s"]).await;
    scene.add_servers(1).await;
    let frozen = &scene.servers[2];
    scene.wait_for(1, "rounds WHERE outcome = 'complete' AND nodes_ready = 3").await;
    frozen.process.signal(Signal::SIGSTOP);
    let noted = format!("operations WHERE node_id = {} AND outcome = 'server_unreachable'", frozen.node);
    scene.wait_for(1, &noted).await;
    let since = scene.seconds_since_1970().await;
    let without = format!("rounds WHERE outcome = 'complete' AND extract(epoch FROM started_at) > {since}");
    scene.wait_for(2, &without).await;
    frozen.process.signal(Signal::SIGCONT);
    scene.agrees().await;
}

/// Its only peer in the DHT is frozen, so that a publication takes for as long as the test wants.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_a_publication_costs_that_round_and_no_other() {
    let mut scene = Scene::empty(&[]).await;
    let peer = Server::started(server(&scene.stage, &["--dry-run", "--server-mode"])).await;
    let joining = ["--database-url", &scene.database.url(), "--bootstrap-peers", &peer.multiaddress];
    // Who registers first publishes first.
    let victim = Server::started(server(&scene.stage, &joining)).await.ready(&scene.stage).await;
    scene.add_servers(2).await;
    scene.wait_for(3, "nodes_ecs WHERE last_heartbeat IS NOT NULL").await;
    peer.process.signal(Signal::SIGSTOP);
    scene.schedule();
    let publishes = r#"parsec_http_requests_total{method="POST",path="provide",scheduler="default"} 1"#;
    let is_asked = async || metrics(&scene.stage, &victim.process).await.contains(publishes).then_some(());
    scene.stage.eventually("publication under way", is_asked).await;
    victim.process.signal(Signal::SIGKILL);
    let ended = victim.process.end().await;
    scene.said.by_server(&ended.logged());

    let noted = format!("operations WHERE node_id = {} AND kind = 'provide'", victim.node);
    let failed = "outcome IN ('server_unreachable', 'server_error') AND error IS NOT NULL";
    scene.wait_for(1, &format!("{noted} AND {failed}")).await;
    scene.wait_for(1, "rounds WHERE outcome = 'provide_failed'").await;
    // Two minutes pass for its row alone.
    let silent = format!("UPDATE nodes_ecs SET last_heartbeat = now() - interval '121 s' WHERE id = {}", victim.node);
    scene.sql().await.batch_execute(&silent).await.unwrap();
    scene.wait_for(1, &format!("nodes_ecs WHERE id = {} AND offline_since IS NOT NULL", victim.node)).await;
    scene.goes_on_measuring().await;
    scene.agrees().await;
}
