use std::fs::File;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, RowAccessor};
use parsec_measure::CellKind;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;

const fn column(name: &'static str, kind: CellKind, nullable: bool) -> Column {
    Column { name, kind, unit: "", nullable, meaning: "what it means" }
}

const COLUMNS: &[Column] = &[
    column("at", CellKind::Time, false),
    column("name", CellKind::Text, false),
    column("error", CellKind::Words, true),
    column("count", CellKind::Int, true),
    column("seconds", CellKind::Float, true),
    column("good", CellKind::Bool, true),
];

const TABLE: Table = Table { name: "things", columns: COLUMNS, time: "at" };

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 123_456_000).unwrap()
}

fn row(second: i64) -> Vec<Cell> {
    vec![
        Cell::Time(at(second)),
        Cell::Text(format!("thing, \"{second}\"\n")),
        Cell::Text("192.0.2.9 is away".to_owned()),
        Cell::Int(second),
        Cell::Null,
        Cell::Bool(second % 2 == 0),
    ]
}

fn written(format: Format, rows: Vec<Vec<Cell>>) -> (tempfile::TempDir, Manifest) {
    let directory = tempfile::tempdir().unwrap();
    let mut export = Export::begin(directory.path(), TABLE, format, false, false).unwrap();
    export.add(rows).unwrap();
    let manifest = export.finish(Provenance::default()).unwrap();
    (directory, manifest)
}

#[test]
fn csv_has_a_header_and_quotes_what_needs_it() {
    let (directory, _) = written(Format::Csv, vec![row(1)]);
    let text = fs::read_to_string(directory.path().join("things.csv")).unwrap();
    let expected = "at,name,error,count,seconds,good\r\n2026-09-21T14:13:21.123456Z,\"thing, \"\"1\"\"\n\",<address> is away,1,,false\r\n";
    assert_eq!(text, expected);
}

#[test]
fn json_lines_have_every_member_in_its_order() {
    let (directory, _) = written(Format::Jsonl, vec![row(1), row(2)]);
    let text = fs::read_to_string(directory.path().join("things.jsonl")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with(r#"{"at":"2026-09-21T14:13:21.123456Z","name":"thing, \"1\"\n","#), "{text}");
    let second: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!((&second["count"], &second["seconds"], &second["good"]), (&json!(2), &Value::Null, &json!(true)));
}

#[test]
fn parquet_has_groups_of_a_bounded_size() {
    let rows = (0..50_001).map(row).collect();
    let (directory, manifest) = written(Format::Parquet, rows);
    let reader = SerializedFileReader::new(File::open(directory.path().join("things.parquet")).unwrap()).unwrap();
    let groups: Vec<_> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!((groups, manifest.rows), (vec![50_000, 1], 50_001));
}

#[test]
fn the_manifest_says_what_the_file_is_and_what_its_columns_mean() {
    let (directory, manifest) = written(Format::Csv, vec![row(5), row(1)]);
    let text = fs::read_to_string(directory.path().join("things.manifest.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let file = fs::read(directory.path().join(document["file"].as_str().unwrap())).unwrap();
    assert_eq!(document["sha256"], hex::encode(Sha256::digest(&file)));
    assert_eq!((&document["bytes"], &document["rows"]), (&json!(file.len()), &json!(2)));
    assert_eq!(manifest.times, Some((at(1), at(5))));
    assert_eq!(
        (&document["first"], &document["addresses"]),
        (&json!("2026-09-21T14:13:21.123456Z"), &json!("left out"))
    );
    let first =
        json!({ "name": "at", "type": "timestamp", "unit": null, "nullable": false, "meaning": "what it means" });
    assert_eq!((document["columns"].as_array().unwrap().len(), &document["columns"][0]), (6, &first));
}

#[test]
fn what_is_there_is_not_written_over_unless_that_is_wanted() {
    let (directory, _) = written(Format::Csv, vec![row(1)]);
    let again = |format, overwrite| Export::begin(directory.path(), TABLE, format, false, overwrite).map(drop);
    // The manifest of the CSV file would say something else than the Parquet file.
    for format in [Format::Csv, Format::Parquet] {
        let error = again(format, false).unwrap_err().to_string();
        assert!(error.contains("is already there") && error.contains("--overwrite"), "{error}");
    }
    again(Format::Csv, true).unwrap();
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "what is not finished leaves nothing: {names:?}");
}

/// Begins an export over that of [`written`], and finishes it.
fn written_over(directory: &Path) -> Result<Manifest, ExportError> {
    let mut export = Export::begin(directory, TABLE, Format::Csv, false, true).unwrap();
    export.add(vec![row(1), row(2)]).unwrap();
    export.finish(Provenance::default())
}

/// What is in the directory, without what something of the test's own stands in the way of.
fn files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = names.filter(|entry| entry.file_type().unwrap().is_file());
    let mut names: Vec<_> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_manifest_that_cannot_be_written_leaves_the_earlier_pair() {
    let (directory, _) = written(Format::Csv, vec![row(1)]);
    let read = || ["things.csv", "things.manifest.json"].map(|name| fs::read(directory.path().join(name)).unwrap());
    let earlier = read();
    fs::create_dir(directory.path().join("things.manifest.json.partial")).unwrap();
    let error = written_over(directory.path()).unwrap_err().to_string();
    assert!(error.contains("things.manifest.json"), "{error}");
    assert_eq!(read(), earlier);
    assert_eq!(files(directory.path()), ["things.csv", "things.manifest.json"]);
}

#[test]
fn an_earlier_manifest_does_not_stand_beside_a_later_table() {
    let (directory, _) = written(Format::Csv, vec![row(1)]);
    // The table cannot get its name: as far as the manifest is concerned, this is where the power failed.
    let file = directory.path().join("things.csv");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let error = written_over(directory.path()).unwrap_err().to_string();
    assert!(error.contains("things.csv"), "{error}");
    assert_eq!(files(directory.path()), Vec::<String>::new());
    fs::remove_dir(&file).unwrap();
    assert_eq!(written_over(directory.path()).unwrap().rows, 2);
    assert_eq!(files(directory.path()), ["things.csv", "things.manifest.json"]);
}

#[test]
fn a_row_that_does_not_fit_is_an_error_that_names_the_column() {
    let directory = tempfile::tempdir().unwrap();
    let mut export = Export::begin(directory.path(), TABLE, Format::Parquet, true, false).unwrap();
    let mut wrong = row(1);
    wrong[1] = Cell::Null;
    assert_eq!(export.add(vec![wrong]).unwrap_err().to_string(), "column name: Null where text is expected");
}

proptest! {
    #[test]
    fn parquet_reads_back_as_it_was_written(
        rows in proptest::collection::vec((".{0,9}", any::<Option<i64>>(), any::<Option<f64>>(), any::<Option<bool>>(), 0..1_000_000i64), 1..40),
    ) {
        let of = |cell: Option<Cell>| cell.unwrap_or(Cell::Null);
        let cells = |(name, count, seconds, good, second): &(String, Option<i64>, Option<f64>, Option<bool>, i64)| vec![
            Cell::Time(at(*second)), Cell::Text(name.clone()), Cell::Null, of(count.map(Cell::Int)), of(seconds.map(Cell::Float)), of(good.map(Cell::Bool)),
        ];
        let (directory, _) = written(Format::Parquet, rows.iter().map(cells).collect());
        let reader = SerializedFileReader::new(File::open(directory.path().join("things.parquet")).unwrap()).unwrap();
        let read: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(read.len(), rows.len());
        for (read, (name, count, seconds, good, second)) in read.iter().zip(&rows) {
            prop_assert_eq!(read.get_timestamp_micros(0).unwrap(), at(*second).timestamp_micros());
            prop_assert_eq!(read.get_string(1).unwrap(), name);
            let fields: Vec<_> = read.get_column_iter().map(|(_, field)| field.clone()).collect();
            prop_assert_eq!(&fields[2], &Field::Null);
            prop_assert_eq!(&fields[3], &count.map_or(Field::Null, Field::Long));
            prop_assert_eq!(&fields[5], &good.map_or(Field::Null, Field::Bool));
            match (&fields[4], seconds) {
                (Field::Double(read), Some(written)) => prop_assert_eq!(read.to_bits(), written.to_bits()),
                (read, written) => prop_assert!(*read == Field::Null && written.is_none()),
            }
        }
    }
}
