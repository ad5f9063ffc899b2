//! The table of settings as it stands in the documentation, and the test that it does.

use std::fmt::Write as _;
use std::path::Path;

use parsec_layers::Used;

use crate::programs::{Program, table};
use parsec_layers::{CONFIG, Key};

const BEGIN: &str = "<!-- configuration:begin -->\n";
const END: &str = "<!-- configuration:end -->";

/// The whole table as Markdown, one table for each section.
fn markdown() -> String {
    let mut text = String::new();
    for Used { section, by } in table() {
        let programs = match by {
            all if all.len() == Program::ALL.len() => "every command".to_owned(),
            some => some.iter().map(|program| format!("`{program}`")).collect::<Vec<_>>().join(", "),
        };
        let _ = writeln!(text, "\n**{}** ({programs})\n", section.heading);
        let _ = writeln!(text, "| flag | environment | file | default | meaning |\n| --- | --- | --- | --- | --- |");
        for key in section.keys {
            let _ = writeln!(text, "{}", row(key));
        }
    }
    text + "\n"
}

fn row(key: &Key) -> String {
    let variables: Vec<_> = key.variables().map(|name| format!("`{name}`")).collect();
    let default = match key.default {
        None => "–".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => format!("`{default}`"),
    };
    let name = if key.name == CONFIG { "–".to_owned() } else { format!("`{}`", key.name) };
    let values: Vec<_> = key.choices.iter().map(|(name, _)| format!("`{name}`")).collect();
    let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
    let help = (key.described() + &values).replace('|', "\\|");
    let short = key.short.map(|short| format!("`-{short}`"));
    let flags: Vec<_> = short.into_iter().chain(key.flags().map(|flag| format!("`--{flag}`"))).collect();
    format!("| {} | {} | {name} | {default} | {help} |", flags.join(", "), variables.join(", "))
}

fn path() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md"))
}

/// What stands before the table, the table, and what stands behind it.
fn page() -> (String, String, String) {
    let page = std::fs::read_to_string(path()).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page marks where the table begins");
    let (table, behind) = rest.split_once(END).expect("the page marks where the table ends");
    (before.to_owned(), table.to_owned(), behind.to_owned())
}

#[test]
fn the_page_shows_the_table() {
    let (_, shown, _) = page();
    let write = "cargo test -p parsec-settings --lib -- --ignored write_the_table";
    assert!(shown == markdown(), "docs/configuration.md is behind the table of settings; run `{write}`");
}

#[test]
#[ignore = "writes docs/configuration.md"]
fn write_the_table() {
    let (before, _, behind) = page();
    std::fs::write(path(), format!("{before}{BEGIN}{}{END}{behind}", markdown())).unwrap();
}
