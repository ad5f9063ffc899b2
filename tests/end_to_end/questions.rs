//! `docs/questions.md`: every command on the page runs, on a database like the one that it shows.

use std::time::Duration;

use parsec_generator::History;

use crate::process::ask;
use crate::recorded::generated;
use crate::stage::Stage;

const PAGE: &str = include_str!("../../docs/questions.md");

/// What the page calls the database.
const DATABASE: &str = "sqlite:parsec.db";

/// A smaller one over the same days.
fn history() -> History {
    History { operations: 6_300, days: 8, checks: 0.2, traces: Some(0.1), seed: 7, ..History::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_on_the_page_answers() {
    let (stage, file) = (Stage::lasting(Duration::from_secs(180)), parsec_test_support::sqlite_file());
    generated(&file.url(), history()).await;
    let commands: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("parsec ")).collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        assert!(command.contains(DATABASE), "{command} names the database of the page");
        let command = command.replace(DATABASE, &file.url());
        let ended = ask(&stage, &command.split(' ').collect::<Vec<_>>()).await;
        assert_eq!(ended.code(), 0, "parsec {command}: {}", ended.err);
        assert!(!ended.out.is_empty(), "parsec {command}");
    }
}
