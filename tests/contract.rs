//! The list of what other software relies on ([`CONTRACT.md`](CONTRACT.md)) names tests that exist.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LIST: &str = include_str!("CONTRACT.md");

/// One line of a table: what is promised, and who holds it.
struct Promise<'a> {
    text: &'a str,
    holders: Vec<Holder<'a>>,
}

/// A function in a file.
struct Holder<'a> {
    file: &'a str,
    test: &'a str,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every line of the tables but their heads.
fn promises(list: &str) -> Vec<Promise<'_>> {
    let lines = list.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    let lines = lines.filter(|(text, _)| *text != "what" && !text.starts_with("---"));
    lines.map(|(text, holders)| Promise { text, holders: holders.split(", ").filter_map(holder).collect() }).collect()
}

/// `` `file::test` ``, in backquotes.
fn holder(text: &str) -> Option<Holder<'_>> {
    let (file, test) = text.trim().strip_prefix('`')?.strip_suffix('`')?.split_once("::")?;
    Some(Holder { file, test })
}

/// Whether a file has a test of that name: a function under an attribute that makes it one.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(number, line)| {
        let is_it = declared.iter().any(|start| line.starts_with(start.as_str()));
        let attributes =
            lines[..number].iter().rev().take_while(|line| line.starts_with('#') || line.starts_with("//"));
        // The promises of the store are listed by name, and made tests on each back end.
        let is_listed = source.contains("promises! {") && line.strip_suffix(',') == Some(name);
        is_it && attributes.into_iter().any(|line| line.contains("test")) || is_listed
    })
}

#[test]
fn every_promise_is_held_by_a_test_that_exists() {
    let mut sources: BTreeMap<&str, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    let promises = promises(LIST);
    for Promise { text, holders } in &promises {
        if holders.is_empty() {
            wrong.push(format!("`{text}` is held by nothing"));
        }
        for Holder { file, test } in holders {
            let source =
                sources.entry(file).or_insert_with(|| std::fs::read_to_string(root().join(file)).unwrap_or_default());
            if !has_test(source, test) {
                wrong.push(format!("`{text}`: there is no test `{test}` in {file}"));
            }
        }
    }
    assert!(promises.len() > 50, "the list has {} lines: are its tables still tables?", promises.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_test_is_told_from_what_only_has_its_name() {
    let source = "#[test]\nfn one() {}\nfn two() {}\n/// three\n";
    assert!(has_test(source, "one"));
    assert!(!has_test(source, "two") && !has_test(source, "three"));
    let list =
        "| what | held by |\n| --- | --- |\n| a promise | `a.rs::one`, `b.rs::two` |\n| another one | nobody |\n";
    let held: Vec<_> = promises(list).iter().map(|promise| promise.holders.len()).collect();
    assert_eq!(held, [2, 0]);
}
