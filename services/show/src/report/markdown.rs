//! A report as Markdown, for issue trackers: tables in the place of pictures.

use super::{Part, Report, Tile};
use crate::chart::{Chart, Data};
use crate::words::markdown;
use serde_json::Value;

/// How many rows of a chart's table are written: an issue is no archive.
const ROWS: usize = 40;

impl Report {
    /// For issue trackers.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        for sentence in &self.lead {
            text += &format!("\n{}\n", markdown(sentence));
        }
        for section in &self.sections {
            text += &format!("\n## {}\n", markdown(&section.heading));
            for part in &section.parts {
                text += &one(part);
            }
        }
        text
    }
}

fn one(part: &Part) -> String {
    match part {
        Part::Heading(text) => format!("\n### {}\n", markdown(text)),
        Part::Text(text) => format!("\n{}\n", markdown(text)),
        Part::List(sentences) => {
            let lines: String = sentences.iter().map(|sentence| format!("- {}\n", markdown(sentence))).collect();
            format!("\n{lines}")
        }
        Part::Tiles(tiles) => {
            let line = |Tile { name, value, detail }: &Tile| {
                format!("- {}: **{value}**, {}\n", markdown(name), markdown(detail))
            };
            format!("\n{}", tiles.iter().map(line).collect::<String>())
        }
        Part::Table(data) => table(data),
        Part::Chart(drawn) => chart(drawn),
        Part::Charts(charts) => charts.iter().map(chart).collect(),
    }
}

fn chart(Chart { title, says, data, .. }: &Chart) -> String {
    format!("\n### {}\n\n{}\n{}", markdown(title), markdown(says), table(data))
}

fn table(data: &Data) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("\n{}", line(data.heads.iter().map(|head| markdown(head)).collect()));
    text += &line(data.heads.iter().map(|_| "---".to_owned()).collect());
    for row in data.rows.iter().take(ROWS) {
        text += &line(row.iter().map(written).collect());
    }
    match data.rows.len().checked_sub(ROWS) {
        Some(more) if more > 0 => text + &format!("\n{more} more rows are left out.\n"),
        _ => text,
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => markdown(text),
        value => value.to_string(),
    }
}
