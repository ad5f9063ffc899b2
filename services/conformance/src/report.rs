//! What the checks came to: as a table for people, as one object for programs.

use comfy_table::{ContentArrangement, Table, presets};
use parsec_show::Look;
use serde_json::{Value, json};

use super::finding::{Checked, Finding, Verdict};

/// The narrowest table whose sentences can still be read.
const MIN_WIDTH: usize = 60;

fn count(checked: &[Checked], verdict: Verdict) -> usize {
    checked.iter().filter(|check| check.verdict() == verdict).count()
}

/// For people: the table, each note that it refers to, once, and the count of results; without a last line break.
pub fn text(checked: &[Checked], look: Look) -> String {
    let notes = notes(checked);
    let mut lines = vec![table(checked, &notes, look).to_string()];
    lines.extend((1..).zip(&notes).map(|(number, note)| format!("note {number}: {note}")));
    lines.push(summary(checked));
    lines.join("\n")
}

/// Each different note, in the order of its first appearance.
fn notes(checked: &[Checked]) -> Vec<String> {
    let mut notes = Vec::new();
    for note in checked.iter().flat_map(|check| &check.findings).filter_map(note) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

fn note(finding: &Finding) -> Option<String> {
    let Finding::Note { what, known_from } = finding else { return None };
    Some(format!("{what} (as {known_from})"))
}

fn table(checked: &[Checked], notes: &[String], look: Look) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(look.width.max(MIN_WIDTH)).unwrap_or(u16::MAX));
    table.set_header(["check", "result", "what was seen"]);
    for check in checked {
        table.add_row([check.name, check.verdict().as_str(), &seen(&check.findings, notes)]);
    }
    table
}

/// In a few words what was in order, and the numbers of the notes; if anything failed, that alone, a line for each.
fn seen(findings: &[Finding], notes: &[String]) -> String {
    let failures: Vec<_> = findings
        .iter()
        .filter_map(|finding| if let Finding::Fail(what) = finding { Some(what.as_str()) } else { None })
        .collect();
    if !failures.is_empty() {
        return failures.join("\n");
    }
    let told = findings.iter().map(|finding| match finding {
        Finding::Note { .. } => {
            let number = notes.iter().position(|told| Some(told) == note(finding).as_ref());
            format!("note {}", number.map_or(0, |index| index + 1))
        }
        Finding::Pass(what) | Finding::Fail(what) | Finding::Skipped(what) => what.clone(),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn summary(checked: &[Checked]) -> String {
    let counts = Verdict::ALL.map(|verdict| format!("{} {}", count(checked, verdict), verdict.as_str()));
    format!("{} checks: {}", checked.len(), counts.join(", "))
}

/// For programs: every finding, as one object.
pub fn document(server: &str, checked: &[Checked]) -> Value {
    let finding = |finding: &Finding| {
        let (what, known_from) = match finding {
            Finding::Note { what, known_from } => (what, Some(known_from)),
            Finding::Pass(what) | Finding::Fail(what) | Finding::Skipped(what) => (what, None),
        };
        json!({ "result": finding.verdict(), "what": what, "known_from": known_from })
    };
    let check = |check: &Checked| {
        json!({
            "check": check.name,
            "request": check.request,
            "result": check.verdict(),
            "seconds": check.took.map(|took| took.as_secs_f64()),
            "findings": check.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    };
    let mut document = json!({ "server": server, "checks": checked.iter().map(check).collect::<Vec<_>>() });
    for verdict in Verdict::ALL {
        document[verdict.as_str()] = count(checked, verdict).into();
    }
    document
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn checked() -> Vec<Checked> {
        let check = |name, findings: Vec<Finding>| Checked {
            name,
            request: "POST /provide".to_owned(),
            findings,
            took: Some(Duration::from_millis(1_500)),
        };
        let note = Finding::note("a CIDv1", "others");
        vec![
            check("one", vec![Finding::pass("CIDv0"), Finding::pass("both wires")]),
            check("two", vec![Finding::pass("CIDv0"), note.clone()]),
            check("three", vec![Finding::pass("CIDv0"), note, Finding::fail("no `CID`")]),
            Checked { took: None, ..check("four", vec![Finding::Skipped("not ready".to_owned())]) },
        ]
    }

    #[test]
    fn people_see_a_line_for_each_check_and_each_note_once() {
        let shown = text(&checked(), Look { width: 80, colour: false });
        let rows = [
            ["one", "pass", "CIDv0, both wires"],
            ["two", "note", "CIDv0, note 1"],
            ["three", "fail", "no `CID`"],
            ["four", "skipped", "not ready"],
        ];
        for row in rows {
            let is_row = |line: &str| row.iter().all(|cell| line.contains(cell));
            assert!(shown.lines().any(is_row), "no {row:?} in\n{shown}");
        }
        let end = "\nnote 1: a CIDv1 (as others)\n4 checks: 1 pass, 1 note, 1 fail, 1 skipped";
        assert!(shown.ends_with(end) && shown.matches("a CIDv1").count() == 1, "{shown}");
    }

    #[test]
    fn no_line_of_the_table_is_wider_than_the_terminal() {
        let long = Finding::fail("word ".repeat(40));
        let check = Checked { name: "one", request: String::new(), findings: vec![long], took: None };
        let shown = table(&[check], &[], Look { width: 70, colour: false }).to_string();
        assert!(shown.lines().all(|line| line.chars().count() <= 70), "{shown}");
    }

    #[test]
    fn programs_see_every_finding() {
        let document = document("http://localhost:7070", &checked());
        assert_eq!((&document["pass"], &document["skipped"]), (&json!(1), &json!(1)));
        let third = &document["checks"][2];
        assert_eq!(
            (&third["check"], &third["result"], &third["seconds"]),
            (&json!("three"), &json!("fail"), &json!(1.5))
        );
        assert_eq!(third["findings"][1], json!({ "result": "note", "what": "a CIDv1", "known_from": "others" }));
        assert_eq!(document["checks"][3]["seconds"], Value::Null);
    }
}
