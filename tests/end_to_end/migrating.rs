//! `parsec migrate`: for those who let nobody but an owner change tables.

use futures::future::join_all;
use parsec_schema::{postgres, sqlite};
use parsec_test_support::{database, sqlite_file};

use crate::deployment::{Server, joining, network, scheduler, server};
use crate::process::{Ended, Process};
use crate::stage::Stage;
use crate::tables::Tables;

async fn migrate(stage: &Stage, url: &str, added: &[&str]) -> Ended {
    Process::start(stage, &[&["migrate", "--database-url", url], added].concat()).end().await
}

/// What a successful run says of each part of the schema.
fn said(ended: &Ended) -> Vec<&str> {
    assert_eq!(ended.code(), 0, "{}", ended.err);
    ended.out[1..].iter().map(String::as_str).collect()
}

const ORIGINAL: &str = "tables of the original: version 6, as before";

/// The version of the newest migration: what its name begins with.
fn newest(scripts: &[(&'static str, &str)]) -> &'static str {
    scripts.last().and_then(|(name, _)| name.split('_').next()).expect("there are migrations")
}

fn own() -> String {
    format!("tables of its own: migration {}, as before", newest(&postgres::SCRIPTS))
}

#[tokio::test]
async fn it_says_what_it_did_and_does_nothing_the_second_time() {
    let (stage, database, file) = (Stage::begin(), database().await, sqlite_file());
    let first = migrate(&stage, database.url(), &[]).await;
    let done = format!("tables of its own: from none to migration {}", newest(&postgres::SCRIPTS));
    assert_eq!(said(&first), ["tables of the original: from none to version 6", &done]);
    assert!(first.out[0].contains(database.name()) && first.err.is_empty(), "{first:?}");
    assert_eq!(said(&migrate(&stage, database.url(), &[]).await), [ORIGINAL, &own()]);

    let (url, newest) = (file.url(), newest(&sqlite::SCRIPTS));
    assert_eq!(said(&migrate(&stage, &url, &[]).await), [format!("all tables: from none to migration {newest}")]);
    assert_eq!(said(&migrate(&stage, &url, &[]).await), [format!("all tables: migration {newest}, as before")]);
}

#[tokio::test]
async fn what_it_prints_leaves_it_nothing_to_do() {
    let (stage, database, file) = (Stage::begin(), database().await, sqlite_file());
    // Nobody is asked: there is nobody at this port.
    let printed = migrate(&stage, "postgres://ann@127.0.0.1:1/dht", &["--print"]).await;
    assert_eq!((printed.code(), printed.err.as_str()), (0, ""));
    database.client().await.batch_execute(&printed.out.join("\n")).await.unwrap();
    assert_eq!(said(&migrate(&stage, database.url(), &[]).await), [ORIGINAL, &own()]);
    for step in ["from version 0 to 1", "from version 5 to 6", "Migration 0001", "Migration 0003"] {
        assert!(printed.out.iter().any(|line| line.starts_with("-- ") && line.contains(step)), "{step}");
    }

    let printed = migrate(&stage, &file.url(), &["--print"]).await;
    assert!(printed.code() == 0 && printed.out.iter().any(|line| line.contains("AUTOINCREMENT")));
    assert!(!file.path().exists());
}

#[tokio::test]
async fn several_at_once_do_it_once() {
    let (stage, database) = (Stage::begin(), database().await);
    let ended = join_all((0..6).map(|_| migrate(&stage, database.url(), &[]))).await;
    let busy = ended.iter().filter(|ended| said(ended) != [ORIGINAL, &own()]).count();
    assert_eq!(busy, 1);
}

#[tokio::test]
async fn a_role_without_the_right_is_told_what_to_run_and_as_whom() {
    let (stage, database) = (Stage::begin(), database().await);
    let guest = database.role("SELECT").await;
    let refused = migrate(&stage, &database.url_as(&guest), &[]).await;
    assert_eq!((refused.code(), refused.out.len()), (1, 0));
    for part in [&format!("`{guest}` has no right to create tables"), "run `parsec migrate` as a role that has it"] {
        assert!(refused.err.contains(part), "no {part} in {}", refused.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_tables_are_there_servers_and_scheduler_need_no_right_to_change_them() {
    let (stage, network, database) = (Stage::begin(), network().await, database().await);
    assert_eq!(migrate(&stage, database.url(), &[]).await.code(), 0);
    let guest = database.role("SELECT, INSERT, UPDATE").await;
    let url = database.url_as(&guest);
    let [flag, peers] = joining(&network);
    let at_database = ["--database-url", &url];
    let start = || server(&stage, &[&at_database[..], &[&flag, &peers]].concat());
    let servers = join_all([start(), start()].map(Server::started)).await;
    let scheduler = scheduler(&stage, &at_database);
    for count in 1..=2 {
        assert_eq!(scheduler.logged("attempt ended", count).await["outcome"], "ok");
    }
    for process in servers.into_iter().map(|server| server.process).chain([scheduler]) {
        assert_eq!(process.terminate().await.code(), 0);
    }
    let tables = Tables::of(&stage, database).await;
    tables.wait_for(1, "retrievals_ecs r JOIN nodes_ecs n ON n.id = r.node_id AND n.offline_since IS NOT NULL").await;
    assert_eq!(tables.count("provides_ecs WHERE error IS NOT NULL").await, 0);
}
