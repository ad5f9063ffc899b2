//! The settings of the commands that take measurements along, and that delete old ones.

use std::path::PathBuf;
use std::time::Duration;

use parsec_measure::When;
use parsec_store::Dataset;

use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;
use crate::results::SelectionConfig;
use crate::values::{Reading, Value, choice, names};

/// The shortest time that measurements are kept: by then every round has ended, and every check of a record has been made or given up.
const MIN_KEPT: Duration = Duration::from_secs(48 * 60 * 60);

choice! {
    /// In which form a table is written.
    ExportFormat {
        Parquet = "parquet", "Apache Parquet, compressed with Snappy";
        Csv = "csv", "Comma-separated, with a header";
        Jsonl = "jsonl" or "ndjson", "A JSON object a line";
    }
}

names! {
    Dataset, "" {
        Dataset::Operations = "operations", "A row for each attempt to publish or to look up";
        Dataset::Requests = "requests", "A row for each request of each trace";
        Dataset::Traces = "traces", "A row for each trace, with the trace as JSON";
        Dataset::Rounds = "rounds", "A row for each round";
        Dataset::Records = "records", "A row for each peer that was asked at a check for a record";
    }
}

settings! {
    /// `parsec export`.
    ExportConfig(from) = "Export";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + selection: SelectionConfig, "Which of them";
    directory: PathBuf = ("export.directory", "output", "DIR").default("parsec-export").short('o'), "Where the files are written";
    format: ExportFormat = ("export.format", "format", "FORMAT").default("parquet"), "In which form";
    addresses: bool = ("export.addresses", "addresses", "BOOL"), "Keep the addresses of other peers in traces and errors";
    overwrite: bool = ("export.overwrite", "overwrite", "BOOL"), "Write over the files of an earlier export";
    => dataset: Dataset = from.required_argument(Dataset::read)?, "What to take along";
}

settings! {
    /// `parsec prune`.
    PruneConfig(from) = "Prune";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    keep: Duration = ("prune.keep", "keep", "AGE") by kept, "How old measurements may be, such as 90d or 12w; older ones go";
    delete: bool = ("prune.delete", "yes", "BOOL"), "Delete them; without this, they are only counted";
    originals: bool = ("prune.originals", "original-tables", "BOOL"), "Also the rows of provides_ecs and retrievals_ecs, the tables of the original";
}

/// How long measurements are kept.
fn kept(text: &str) -> Reading<Duration> {
    match text.parse() {
        Ok(When::Ago(age)) if age >= MIN_KEPT => Ok(age),
        _ => Err("expected how old measurements may be, at least 2d, such as 90d, 12w or 2160h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_time_of_two_days_or_more() {
        assert_eq!(kept("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(kept("48h"), Ok(MIN_KEPT));
        for text in ["", "90", "2026-11-27", "47h", "1d", "-90d"] {
            assert!(kept(text).unwrap_err().contains("at least 2d"), "{text}");
        }
    }
}
