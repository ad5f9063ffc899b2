//! Rows of a version that is not there yet, in a database of ours: they take no other row away, and whoever asks is told of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use parsec_test_support::http::client;
use serde_json::Value;

use crate::explain::fill;
use crate::page::page;
use crate::process::ask;
use crate::stage::Stage;

/// Another outcome, another kind and another reason to keep a trace; the operations are those of the minutes 30, 33 and 36, which have traces.
const SPOILT: &str = "
    ALTER TABLE operations DROP CONSTRAINT operations_kind_check, DROP CONSTRAINT operations_outcome_check;
    ALTER TABLE traces DROP CONSTRAINT traces_why_kept_check;
    UPDATE operations SET outcome = 'rate_limited' WHERE id = (SELECT id FROM operations ORDER BY id LIMIT 1 OFFSET 30);
    UPDATE operations SET kind = 'refresh' WHERE id = (SELECT id FROM operations ORDER BY id LIMIT 1 OFFSET 33);
    UPDATE traces SET why_kept = 'asked' WHERE id = (SELECT id FROM operations ORDER BY id LIMIT 1 OFFSET 36)";

const PERIOD: [&str; 4] = ["--since", "2026-09-21", "--until", "2026-09-23"];

async fn got(url: String) -> String {
    client().get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_leaves_out_what_it_cannot_read_and_says_how_much() {
    let (stage, database) = (Stage::begin(), parsec_test_support::database().await);
    fill(database.url()).await;
    database.client().await.batch_execute(SPOILT).await.unwrap();
    let two = "2 rows are left out that this version cannot read";
    let three = "3 rows are left out that this version cannot read";
    for (words, said) in [
        (&["results"][..], two),
        (&["compare", "--a", "since=2026-09-21", "--b", "since=2026-09-21"], two),
        (&["plan"], two),
        (&["check", "--fail-if", "provide.p50 > 100s"], two),
        (&["explain"], three),
        (&["peers"], three),
        (&["trace", "--newest", "500"], three),
        (&["trace", "--newest", "500", "--export", "jsonl"], three),
        (&["report"], three),
        (&["incidents"], "2 attempts have rows that this version cannot read"),
    ] {
        let ended = ask(&stage, &[words, &PERIOD, &["--database-url", database.url()]].concat()).await;
        let told = format!("{}\n{}", ended.out.join("\n"), ended.err);
        assert!(ended.code() == 0 && told.contains(said), "{words:?}: no `{said}` in {}: {told}", ended.code());
    }
    let id = "SELECT CAST(id AS TEXT) FROM operations WHERE outcome = 'rate_limited'";
    let id: String = database.client().await.query_one(id, &[]).await.unwrap().get(0);
    for words in [&["trace", &id][..], &["explain", &id], &["trace", &id, "--export", "perfetto"]] {
        let ended = ask(&stage, &[words, &["--database-url", database.url()]].concat()).await;
        assert_eq!(ended.code(), 1, "{words:?}");
        assert!(ended.err.contains(&id) && ended.err.contains("`rate_limited`"), "{words:?}: {}", ended.err);
    }
    let (_process, at) = page(&stage, database.url(), &[]).await;
    let period = "since=2026-09-21&until=2026-09-23";
    for (path, said) in [
        (format!("measurements?{period}"), two),
        (format!("peers?{period}"), three),
        (format!("incidents?{period}"), "2 attempts have rows that this version cannot read"),
    ] {
        let document: Value = serde_json::from_str(&got(format!("{at}/api/v1/{path}")).await).unwrap();
        assert!(document["used"].as_str().unwrap_or_default().contains(said), "{path}: {document:#}");
    }
    for path in ["overview".to_owned(), format!("operations?{period}&limit=100")] {
        let document: Value = serde_json::from_str(&got(format!("{at}/api/v1/{path}")).await).unwrap();
        assert_eq!(document["unread_rows"], 2, "{path}: {document:#}");
    }
    let told = got(format!("{at}/api/v1/operations/{id}")).await;
    assert!(told.contains("rate_limited"), "{told}");
}
