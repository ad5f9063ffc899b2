//! The settings of the report.

use std::path::PathBuf;

use parsec_measure::Share;

use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;
use crate::results::{SelectionConfig, share_or_percent};
use crate::values::choice;

choice! {
    /// How a report is written.
    ReportFormat {
        Html = "html", "One page that needs no other file, with charts";
        Markdown = "markdown", "For issue trackers: tables in the place of charts";
    }
}

settings! {
    /// `parsec report`.
    ReportConfig(from) = "Report";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + selection: SelectionConfig, "Which of them; without --since those of seven days";
    output: Option<PathBuf> = ("report.output", "output", "FILE").short('o'), "Where the report is written; stdout if not given";
    format: ReportFormat = ("report.format", "format", "FORMAT").default("html"), "How it is written";
    log_axis: bool = ("report.log_axis", "log-axis", "BOOL"), "Axes of distributions go by decades instead of from zero";
    margin: Share = ("report.margin", "margin", "SHARE").default("5%") by share_or_percent, "By how much times may differ and still count as equal";
}
