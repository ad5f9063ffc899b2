//! `docs/questions.md`: every command on the page gives the answer that stands below it, to the letter.

use std::time::Duration;

use parsec_generator::History;
use parsec_measure::Share;

use crate::process::ask;
use crate::recorded::generated;
use crate::stage::Stage;

const PAGE: &str = include_str!("../../docs/questions.md");

/// What the page calls the database.
const DATABASE: &str = "sqlite:parsec.db";

/// That of the page.
fn history() -> History {
    History { operations: 42_000, days: 8, checks: 0.2, traces: Share::new(0.1), seed: 7, ..History::default() }
}

/// Each command with the answer below it.
fn answered() -> Vec<(&'static str, &'static str)> {
    let blocks = PAGE.split("```sh\nparsec ").skip(1);
    let answered = blocks.map(|block| {
        let (command, rest) = block.split_once("\n```\n\n```text\n").expect("below each command stands its answer");
        (command, rest.split("\n```").next().unwrap_or_default())
    });
    answered.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_on_the_page_gives_the_answer_that_stands_there() {
    let (stage, file) = (Stage::lasting(Duration::from_secs(300)), parsec_test_support::sqlite_file());
    generated(&file.url(), history()).await;
    let answered = answered();
    assert!(answered.len() >= 10, "{answered:?}");
    for (command, answer) in answered {
        assert!(command.contains(DATABASE), "{command} names the database of the page");
        let asked = command.replace(DATABASE, &file.url());
        let ended = ask(&stage, &asked.split(' ').collect::<Vec<_>>()).await;
        assert_eq!(ended.code(), 0, "parsec {command}: {}", ended.err);
        let out: Vec<_> = ended.out.iter().map(|line| line.trim_end()).collect();
        let out = out.join("\n");
        assert_eq!(out.trim_end(), answer, "parsec {command}: docs/questions.md has another answer than\n{out}");
    }
}
