//! The output of `parsec spool`.

use std::path::Path;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use parsec_show::words;
use parsec_store::{Damage, Replayed, SetAsideReport, SlotReport, StoreConfig};
use serde_json::{Value, json};

use parsec_settings::OutputFormat;

/// The columns of the list that hold numbers.
const NUMBERS: std::ops::RangeInclusive<usize> = 3..=7;

/// The rows that wait, slot by slot, what cannot be read, and what the database has refused.
pub(super) fn list(directory: &Path, slots: &[SlotReport], refused: &[SetAsideReport], format: OutputFormat) -> String {
    if format == OutputFormat::Json {
        return slots
            .iter()
            .map(slot_json)
            .chain(refused.iter().map(SetAsideReport::to_json))
            .collect::<Value>()
            .to_string();
    }
    let mut parts = Vec::new();
    if !slots.is_empty() {
        parts.push(table(slots));
    }
    parts.extend(refused.iter().map(SetAsideReport::to_string));
    if parts.is_empty() { nothing(directory) } else { parts.join("\n\n") }
}

fn table(slots: &[SlotReport]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["directory", "database", "used by", "rows", "bytes", "oldest", "open rounds", "lost rows"]);
    for slot in slots {
        table.add_row([
            slot.path.display().to_string(),
            slot.database.clone().unwrap_or_else(|| "–".to_owned()),
            if slot.used { "a running process" } else { "nobody" }.to_owned(),
            slot.rows.to_string(),
            words::bytes(slot.bytes),
            slot.oldest.map_or_else(|| "–".to_owned(), age),
            slot.open_rounds.to_string(),
            slot.lost.to_string(),
        ]);
    }
    for column in NUMBERS {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.extend(slots.iter().flat_map(|slot| &slot.damage).map(Damage::to_string));
    lines.join("\n")
}

/// What can be read, and what cannot.
pub(super) fn verified(directory: &Path, slots: &[SlotReport], format: OutputFormat) -> String {
    if format == OutputFormat::Json {
        return list(directory, slots, &[], format);
    }
    if slots.is_empty() {
        return nothing(directory);
    }
    let mut lines = Vec::new();
    for slot in slots {
        let rows = words::count(slot.rows, "row", "rows");
        let damage = match slot.damage.len() {
            0 => "no damage".to_owned(),
            places => words::count(places, "damaged place", "damaged places"),
        };
        let lost = match slot.lost {
            0 => String::new(),
            lost => format!(", {} lost", words::count(lost, "row is", "rows are")),
        };
        let torn = match slot.torn_bytes {
            0 => String::new(),
            bytes => format!(", {} of an unfinished write, which nobody waits for", words::bytes(bytes)),
        };
        lines.push(format!("{}: {rows}, {damage}{lost}{torn}", slot.path.display()));
        lines.extend(slot.damage.iter().map(|damage| format!("  {damage}")));
    }
    lines.join("\n")
}

/// What was written. `used` slots for this database belong to running processes.
pub(super) fn replayed(
    directory: &Path,
    database: &StoreConfig,
    replayed: &Replayed,
    used: usize,
    format: OutputFormat,
) -> String {
    let Replayed { rows, refused, refused_at, unreadable, damage, lost } = replayed;
    if format == OutputFormat::Json {
        let document = json!({
            "rows": rows,
            "refused": refused,
            "refused_at": refused_at,
            "unreadable": unreadable,
            "lost": lost,
            "damage": damage.iter().map(damage_json).collect::<Value>(),
            "slots_in_use": used,
        });
        return document.to_string();
    }
    let written = match rows + refused {
        0 => format!("nothing waits for database {database} below {}", directory.display()),
        _ => format!("{} written to database {database}, {refused} refused", words::count(*rows, "row", "rows")),
    };
    let mut lines = vec![written];
    lines.extend(refused_at.iter().map(|path| format!("what was refused is in {}", path.display())));
    if *unreadable > 0 {
        lines.push(format!("{} of rows set aside cannot be read", words::count(*unreadable, "line", "lines")));
    }
    lines.extend(damage.iter().map(Damage::to_string));
    if *lost > 0 {
        lines.push(format!("{} lost", words::count(*lost, "row is", "rows are")));
    }
    if used > 0 {
        let slots = words::count(used, "slot is", "slots are");
        lines.push(format!("{slots} used by running processes, which write their rows themselves"));
    }
    lines.join("\n")
}

fn nothing(directory: &Path) -> String {
    format!("no process has used {} as its spool directory", directory.display())
}

/// In whole seconds.
fn age(age: Duration) -> String {
    parsec_measure::written_duration(Duration::from_secs(age.as_secs()))
}

fn slot_json(slot: &SlotReport) -> Value {
    json!({
        "path": slot.path,
        "database": slot.database,
        "used": slot.used,
        "rows": slot.rows,
        "bytes": slot.bytes,
        "oldest_seconds": slot.oldest.map(|age| age.as_secs()),
        "open_rounds": slot.open_rounds,
        "lost": slot.lost,
        "torn_bytes": slot.torn_bytes,
        "damage": slot.damage.iter().map(damage_json).collect::<Value>(),
    })
}

fn damage_json(Damage { path, offset, rows, what }: &Damage) -> Value {
    json!({ "path": path, "offset": offset, "rows": rows, "what": what })
}
