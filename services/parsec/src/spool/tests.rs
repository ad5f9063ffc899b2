use std::path::PathBuf;
use std::time::Duration;

use parsec_store::{Damage, SetAsideReport, SlotReport, SpoolLimits, Spooling, StoreConfig};
use serde_json::{Value, json};

use super::*;
use parsec_settings::OutputFormat;

fn slot(name: &str, rows: usize) -> SlotReport {
    SlotReport {
        path: PathBuf::from("/spool").join(name),
        database: Some("sqlite:/parsec.db".to_owned()),
        used: rows > 1,
        rows,
        bytes: 12 + 4_000 * rows as u64,
        oldest: (rows > 0).then_some(Duration::from_secs(4_000)),
        open_rounds: rows / 2,
        lost: 0,
        torn_bytes: 0,
        damage: Vec::new(),
    }
}

fn damage() -> Damage {
    Damage { path: "/spool/a.0/0.entries".into(), offset: 7, rows: 3, what: "3 rows cannot be read".to_owned() }
}

const LIMITS: SpoolLimits = SpoolLimits { bytes: 1 << 30, age: Duration::from_secs(60) };

fn refused() -> SetAsideReport {
    SetAsideReport {
        path: "/spool/a.refused.jsonl".into(),
        database: Some("sqlite:/parsec.db".to_owned()),
        rows: 3,
        in_part: 2,
        unreadable: 0,
        bytes: 900,
        oldest: Some(Duration::from_secs(60)),
        reasons: [("no right to write to table traces".to_owned(), 2), ("node 7 is gone".to_owned(), 1)].into(),
    }
}

#[test]
fn the_list_is_a_table_with_a_line_for_each_slot() {
    let text = report::list(Path::new("/spool"), &[slot("a.0", 2), slot("a.1", 0)], &[], OutputFormat::Text);
    let lines: Vec<Vec<_>> =
        text.lines().map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect()).collect();
    assert_eq!(lines[0], ["directory", "database", "used by", "rows", "bytes", "oldest", "open rounds", "lost rows"]);
    assert_eq!(lines[1], ["/spool/a.0", "sqlite:/parsec.db", "a running process", "2", "7.8 KiB", "1h6m40s", "1", "0"]);
    assert_eq!(lines[2], ["/spool/a.1", "sqlite:/parsec.db", "nobody", "0", "12 B", "–", "0", "0"]);
    let damaged = SlotReport { lost: 3, damage: vec![damage()], ..slot("a.0", 1) };
    let text = report::list(Path::new("/spool"), &[damaged], &[], OutputFormat::Text);
    assert!(
        text.ends_with("0          3\n/spool/a.0/0.entries is damaged from byte 7 on: 3 rows cannot be read"),
        "{text}"
    );
    let nothing = report::list(Path::new("/spool"), &[], &[], OutputFormat::Text);
    assert_eq!(nothing, "no process has used /spool as its spool directory");
}

#[test]
fn for_programs_it_is_an_array_of_objects() {
    let damaged = SlotReport { lost: 3, damage: vec![damage()], ..slot("a.0", 2) };
    let document: Value =
        serde_json::from_str(&report::list(Path::new("/spool"), &[damaged], &[refused()], OutputFormat::Json)).unwrap();
    let expected = json!([{
        "path": "/spool/a.0", "database": "sqlite:/parsec.db", "used": true, "rows": 2, "bytes": 8012,
        "oldest_seconds": 4000, "open_rounds": 1, "lost": 3, "torn_bytes": 0,
        "damage": [{ "path": "/spool/a.0/0.entries", "offset": 7, "rows": 3, "what": "3 rows cannot be read" }],
    }, {
        "path": "/spool/a.refused.jsonl", "database": "sqlite:/parsec.db", "refused": true, "used": false, "rows": 3,
        "in_part": 2, "unreadable": 0, "bytes": 900, "oldest_seconds": 60,
        "reasons": { "no right to write to table traces": 2, "node 7 is gone": 1 },
    }]);
    assert_eq!(document, expected);
}

#[test]
fn what_the_database_has_refused_is_listed_with_the_reasons_and_what_to_do() {
    let expected = "\
        /spool/a.refused.jsonl: 3 rows that sqlite:/parsec.db has refused, 2 of them only the trace\n  \
        once the reason is gone, `parsec spool replay` writes them\n  \
        2 rows: no right to write to table traces\n  \
        1 row: node 7 is gone";
    assert_eq!(report::list(Path::new("/spool"), &[], &[refused()], OutputFormat::Text), expected);
    let both = report::list(Path::new("/spool"), &[slot("a.0", 2)], &[refused()], OutputFormat::Text);
    assert!(both.starts_with(" directory ") && both.ends_with(&format!("\n\n{expected}")), "{both}");
}

#[test]
fn what_is_damaged_is_named_under_its_slot() {
    let damaged = SlotReport { damage: vec![damage()], lost: 3, torn_bytes: 20, ..slot("a.0", 1) };
    let text = report::verified(Path::new("/spool"), &[damaged, slot("a.1", 3)], OutputFormat::Text);
    let expected = "\
        /spool/a.0: 1 row, 1 damaged place, 3 rows are lost, 20 B of an unfinished write, which nobody waits for\n  \
        /spool/a.0/0.entries is damaged from byte 7 on: 3 rows cannot be read\n\
        /spool/a.1: 3 rows, no damage";
    assert_eq!(text, expected);
}

#[test]
fn a_replay_says_what_became_of_the_rows() {
    let database = StoreConfig::Sqlite { path: "/parsec.db".into() };
    let text = |replayed: &Replayed, used| {
        report::replayed(Path::new("/spool"), &database, replayed, used, OutputFormat::Text)
    };
    let nothing = "nothing waits for database sqlite:/parsec.db below /spool";
    assert_eq!(text(&Replayed::default(), 0), nothing);
    let used = "2 slots are used by running processes, which write their rows themselves";
    assert_eq!(text(&Replayed::default(), 2), format!("{nothing}\n{used}"));
    let replayed = Replayed {
        rows: 7,
        refused: 1,
        refused_at: Some("/spool/refused.jsonl".into()),
        unreadable: 0,
        damage: vec![damage()],
        lost: 3,
    };
    let expected = "7 rows written to database sqlite:/parsec.db, 1 refused\n\
                    what was refused is in /spool/refused.jsonl\n\
                    /spool/a.0/0.entries is damaged from byte 7 on: 3 rows cannot be read\n\
                    3 rows are lost";
    assert_eq!(text(&replayed, 0), expected);
}

#[tokio::test]
async fn a_process_measures_without_a_spool_if_there_can_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let database = StoreConfig::Sqlite { path: directory.path().join("parsec.db") };
    assert!(open(None, LIMITS, &database).await.is_none());
    let taken = directory.path().join("file");
    std::fs::write(&taken, "").unwrap();
    let spool = open(Some(&taken), LIMITS, &database).await.unwrap();
    assert!(spool.trouble().is_some(), "it is tried again later");
    let spool = open(Some(&directory.path().join("spool")), LIMITS, &database).await.unwrap();
    assert_eq!((spool.trouble(), spool.state().max_bytes), (None, 1 << 30));
}
