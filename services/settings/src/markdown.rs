//! The table of settings as it stands in the documentation, and the test that it does.

use std::fmt::Write as _;

use crate::declared::{CONFIG, SECTIONS};
use crate::key::{Key, Program};

const BEGIN: &str = "<!-- configuration:begin -->\n";
const END: &str = "<!-- configuration:end -->";

/// The whole table as Markdown, one table for each section.
fn markdown() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let programs = match section.used_by {
            all if all.len() == Program::ALL.len() => "every command".to_owned(),
            some => some.iter().map(|program| format!("`{}`", program.name())).collect::<Vec<_>>().join(", "),
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
    let help = key.meaning().replace('|', "\\|");
    let flags: Vec<_> = key.flags().map(|flag| format!("`--{flag}`")).collect();
    format!("| {} | {} | {name} | {default} | {help} |", flags.join(", "), variables.join(", "))
}

#[test]
fn the_readme_shows_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (_, rest) = readme.split_once(BEGIN).expect("docs/configuration.md marks where the table begins");
    let (shown, _) = rest.split_once(END).expect("docs/configuration.md marks where the table ends");
    let table = markdown();
    assert!(
        shown == table,
        "docs/configuration.md is behind the table of settings; between the markers belongs:\n{table}"
    );
}
