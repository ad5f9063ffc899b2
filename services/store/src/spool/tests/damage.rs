//! Files that are not what they were. `rot` has every byte of them; here is what becomes of a spool then.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use parsec_measure::OutcomeClass;

use super::support::*;
use crate::spool::journal::Line;
use crate::spool::*;

/// Writes each of these into a push of its own.
fn pushed(place: &Place, ids: impl IntoIterator<Item = u128>) -> Spool {
    let (mut spool, _) = place.open();
    for id in ids {
        spool.push(&rows([id])).unwrap();
    }
    spool
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_push_that_was_cut_off_anywhere_is_as_if_it_had_not_been() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&[follow_up(1, None)]).unwrap();
    let (whole, note) = (spool.state().bytes, fs::read(place.note()).unwrap());
    spool.push(&[follow_up(2, None), follow_up(3, None)]).unwrap();
    drop(spool);
    let file = place.files().remove(0);
    let bytes = fs::read(&file).unwrap();
    for length in whole as usize..bytes.len() {
        fs::write(&file, &bytes[..length]).unwrap();
        fs::write(place.note(), &note).unwrap();
        let (mut spool, found) = place.open();
        assert_eq!((found.torn_bytes, found.damage), (length as u64 - whole, vec![]));
        assert_eq!(spool.oldest(9).unwrap().rows, [follow_up(1, None)], "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn zeros_that_a_power_failure_leaves_are_left_out() {
    let place = Place::new();
    drop(pushed(&place, 0..2));
    let mut file = OpenOptions::new().append(true).open(&place.files()[0]).unwrap();
    file.write_all(&[0; 5_000]).unwrap();
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.torn_bytes, recovered.damage.len()), (5_000, 0));
    spool.push(&rows(2..3)).unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.torn_bytes, recovered.damage.len()), (0, 0), "{recovered}");
    assert_eq!(drain(&mut spool), rows(0..3));
}

#[test]
fn a_wrong_length_costs_the_row_that_it_belongs_to_and_none_behind() {
    let place = Place::new();
    drop(pushed(&place, 0..100));
    let file = place.files().remove(0);
    let frame = fs::metadata(&file).unwrap().len() as usize / 100;
    flip(&file, 20 * frame + 2);
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.torn_bytes, recovered.damage.len()), (99, 0, 1));
    let (found, lost, _) = drain_damaged(&mut spool);
    assert_eq!((found, lost), (rows((0..20).chain(21..100)), 1));
}

#[test]
fn a_row_that_has_rotted_is_reported_and_costs_no_other() {
    let place = Place::new();
    drop(pushed(&place, 0..3));
    let file = place.files().remove(0);
    let frame = fs::metadata(&file).unwrap().len() as usize / 3;
    flip(&file, frame + frame / 2);
    let (mut spool, recovered) = place.open();
    let what = "1 row cannot be read".to_owned();
    assert_eq!(recovered.damage, [Damage { path: file.clone(), offset: frame as u64, rows: 1, what }]);
    assert!(recovered.is_bad() && recovered.lost == 0, "it counts when those before it are confirmed");
    assert_eq!(drain_damaged(&mut spool), (rows([0, 2]), 1, vec![]));
    // The file is kept for somebody to look at.
    assert_eq!(place.files(), Vec::<PathBuf>::new());
    let aside = file.with_extension("entries.damaged");
    assert_eq!(fs::metadata(&aside).unwrap().len(), spool.state().bytes);
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert!(recovered.is_empty(), "{recovered}");
    spool.push(&rows(3..4)).unwrap();
    assert_eq!(drain(&mut spool), rows(3..4));
    assert!(aside.exists());
}

#[test]
fn rows_count_as_lost_once_although_several_processes_find_them_missing() {
    let place = Place::new();
    drop(pushed(&place, 0..3));
    let file = place.files().remove(0);
    flip(&file, fs::metadata(&file).unwrap().len() as usize / 2);
    for _ in 0..2 {
        let (mut spool, recovered) = place.open();
        assert_eq!((recovered.rows, recovered.damage.len()), (2, 1));
        assert_eq!(spool.oldest(9).unwrap().lost, 1);
    }
    let (mut spool, _) = place.open();
    assert_eq!(drain_damaged(&mut spool).1, 1);
    drop(spool);
    assert!(place.open().1.is_empty());
}

#[test]
fn rot_while_it_is_used_is_passed_over_at_once() {
    let place = Place::new();
    let mut spool = pushed(&place, 0..300);
    let file = place.files().remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let frame = bytes.len() / 300;
    // Two of three rows, one by one.
    (0..300).filter(|i| i % 3 > 0).for_each(|i| bytes[i * frame + frame / 2] ^= 1);
    fs::write(&file, bytes).unwrap();
    let oldest = spool.oldest(500).unwrap();
    assert_eq!((oldest.rows, oldest.lost, oldest.damage.len()), (rows((0..300).step_by(3)), 200, 200));
    let reason = "1 row cannot be read: the file does not hold what was written";
    assert_eq!((oldest.damage[0].offset, oldest.damage[0].what.as_str()), (frame as u64, reason));
    assert_eq!(spool.oldest(500).unwrap().damage, [], "it is told once");
    assert_eq!(spool.state().rows, 100);
    assert_eq!(spool.confirm(oldest.end), Ok(Confirmed { rows: 100, lost: 200 }));
}

#[test]
fn files_that_vanish_cost_their_rows_which_are_counted_and_hold_nobody_up() {
    let place = Place::new();
    drop(pushed(&place, 0..3));
    let mut spool = pushed(&place, 3..4);
    fs::remove_file(&place.files()[0]).unwrap();
    let (found, lost, damage) = drain_damaged(&mut spool);
    assert_eq!((found, lost, damage.len()), (rows(3..4), 3, 3));
    // The one that is written to may vanish too.
    spool.push(&rows(4..5)).unwrap();
    for file in place.files() {
        fs::remove_file(file).unwrap();
    }
    spool.push(&rows(5..6)).unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered.rows, 1);
    assert_eq!(drain_damaged(&mut spool).0, rows(5..6));
    spool.push(&rows(6..9)).unwrap();
    drop(spool);
    place.files().iter().for_each(|file| fs::remove_file(file).unwrap());
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.damage[0].rows), (0, 3), "{recovered}");
    assert_eq!(drain_damaged(&mut spool), (vec![], 3, vec![]));
}

#[test]
fn rows_of_another_version_are_named_and_kept_aside() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    let newer = String::from_utf8(shape::line(&row(1))).unwrap().replace("record_lost", "eaten_by_a_grue");
    spool.journal.push(&[Line { seconds: NOON, bytes: newer.into_bytes() }], u64::MAX).unwrap();
    spool.push(&rows(2..3)).unwrap();
    let seen = inspect(place.path(), SpoolDepth::Rows).unwrap();
    assert_eq!(seen[0].damage[0].what, "unknown outcome class `eaten_by_a_grue`");
    assert_eq!(inspect(place.path(), SpoolDepth::Frames).unwrap()[0].damage, []);
    let (found, lost, damage) = drain_damaged(&mut spool);
    assert_eq!((found, lost), (rows(2..3), 1));
    assert!(damage[0].to_string().contains("eaten_by_a_grue"), "{damage:?}");
    drop(spool);
    assert!(place.open().1.is_empty());
    assert_eq!(inspect(place.path(), SpoolDepth::Frames).unwrap()[0].damage.len(), 1, "the file is still there");
}

#[test]
fn what_is_missing_where_no_row_waits_counts_when_the_spool_is_looked_after() {
    let place = Place::new();
    drop(pushed(&place, 0..3));
    fs::remove_file(&place.files()[0]).unwrap();
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.lost, recovered.damage.len()), (0, 0, 1));
    assert_eq!(spool.look_after().unwrap().lost, 3);
    assert_eq!(spool.look_after(), Ok(Recovered::default()), "once");
    drop(spool);
    assert!(place.open().1.is_empty());
}

/// A round with two attempts whose rows are 2 and 3.
fn of_round() -> Vec<Row> {
    let ended = Round { ended: Some((at(9), parsec_measure::RoundOutcome::Complete)), ..round(1) };
    let measured = |id| {
        let mut attempt = announced(id, 1);
        attempt.result.class = OutcomeClass::Ok;
        Row::Attempt(attempt)
    };
    vec![Row::Round(round(1)), measured(2), measured(3), Row::Round(ended)]
}

fn lost_attempts(rows: &[Row]) -> Vec<u128> {
    let lost = |row: &Row| match row {
        Row::Attempt(attempt) if attempt.result.class == OutcomeClass::RecordLost => Some(attempt.id.0.as_u128()),
        _ => None,
    };
    rows.iter().filter_map(lost).collect()
}

#[test]
fn attempts_whose_rows_are_lost_are_recorded_as_lost_behind_all_that_is_left() {
    for reopened in [false, true] {
        let place = Place::new();
        let (mut spool, _) = place.open();
        spool.announce(&round(7), &[announced(70, 7)], &[]).unwrap();
        spool.forget(round(7).id).unwrap();
        spool.announce(&round(1), &[announced(2, 1)], &[announced(3, 1)]).unwrap();
        spool.push(&of_round()[..1]).unwrap();
        spool.begin(&round(1), &[announced(3, 1)]).unwrap();
        spool.push(&of_round()[1..]).unwrap();
        spool.forget(round(1).id).unwrap();
        if reopened {
            drop(spool);
            spool = place.open().0;
        }
        let file = place.files().remove(0);
        let bytes = fs::read(&file).unwrap();
        let third = frame::frames(&bytes, 0..9).nth(2).unwrap();
        flip(&file, third.at + 40);
        let (found, lost, _) = drain_damaged(&mut spool);
        assert_eq!(lost, 1);
        assert_eq!(found[..3], [of_round().remove(0), of_round().remove(1), of_round().remove(3)]);
        assert_eq!(lost_attempts(&found[3..]), [2, 3], "the database keeps the first row of each: {found:?}");
        assert_eq!(spool.state().rows, 0);
        drop(spool);
        assert!(place.open().1.is_empty());
        assert_eq!(fs::read_dir(place.slot(0).join("open")).unwrap().count(), 0);
    }
}

#[test]
fn a_round_that_goes_on_while_its_rows_are_lost_has_them_recorded_when_it_ends() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.announce(&round(1), &[announced(2, 1), announced(3, 1)], &[]).unwrap();
    spool.push(&of_round()[..2]).unwrap();
    let file = place.files().remove(0);
    let length = fs::metadata(&file).unwrap().len() as usize;
    flip(&file, length - 40);
    let (found, lost, _) = drain_damaged(&mut spool);
    assert_eq!((found.len(), lost), (1, 1), "its attempts may still end");
    spool.push(&of_round()[2..]).unwrap();
    spool.forget(round(1).id).unwrap();
    let found = drain(&mut spool);
    assert_eq!(found[..2], of_round()[2..]);
    assert_eq!(lost_attempts(&found[2..]), [2, 3]);
}

#[test]
fn a_disk_that_fails_takes_nothing_and_goes_on_where_it_was() {
    let place = Place::new();
    let mut spool = pushed(&place, 0..1);
    let (slot, elsewhere) = (place.slot(0), place.path().join("elsewhere"));
    fs::rename(&slot, &elsewhere).unwrap();
    fs::write(&slot, "no directory").unwrap();
    for _ in 0..2 {
        let error = spool.push(&rows(1..2)).unwrap_err();
        assert!(matches!(&error, SpoolError::Io { path, .. } if path.starts_with(&slot)), "{error}");
        assert!(!error.is_full());
        assert!(spool.announce(&round(1), &[], &[]).is_err());
        assert_eq!(spool.state().rows, 1);
    }
    fs::remove_file(&slot).unwrap();
    fs::rename(&elsewhere, &slot).unwrap();
    spool.push(&rows(2..3)).unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered, Recovered { rows: 2, ..Recovered::default() });
    assert_eq!(drain(&mut spool), rows([0, 2]));
}

#[test]
fn a_disk_without_room_says_so_and_what_it_took_by_half_is_nothing() {
    let place = Place::new();
    let mut spool = pushed(&place, 0..1);
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    spool.journal.replace_writer(full());
    let error = spool.push(&rows(1..2)).unwrap_err();
    assert!(matches!(error, SpoolError::Io { kind: ErrorKind::StorageFull, .. }) && error.is_full(), "{error}");
    spool.push(&rows(2..3)).unwrap();

    // A part of a frame that cannot be taken back either: this file cannot be written to, nor cut.
    let file = place.files().pop().unwrap();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"half a frame").unwrap();
    spool.push(&rows(3..4)).unwrap();
    spool.journal.replace_writer(std::fs::File::open(place.files().pop().unwrap()).unwrap());
    assert!(!spool.push(&rows(4..5)).unwrap_err().is_full());
    spool.push(&rows(5..6)).unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered.damage, []);
    assert_eq!(drain(&mut spool), rows([0, 2, 3, 5]));
}

#[test]
fn without_a_readable_note_of_what_is_done_with_rows_are_offered_again() {
    let place = Place::new();
    let mut spool = pushed(&place, 0..2);
    let first = spool.oldest(1).unwrap();
    spool.confirm(first.end).unwrap();
    drop(spool);
    let note = place.note();
    flip(&note, 0);
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.damage.len(), &recovered.damage[0].path), (1, &note));
    assert_eq!(drain(&mut spool), rows(0..2));
}

#[test]
fn an_announcement_that_is_damaged_anywhere_costs_a_row_at_most() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.announce(&round(1), &[announced(2, 1), announced(3, 1)], &[]).unwrap();
    drop(spool);
    let folder = place.slot(0).join("open");
    let path = folder.join(round(1).id.0.to_string());
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let (mut spool, recovered) = place.open();
        assert_eq!((recovered.damage.len(), recovered.lost, recovered.rows), (1, 1, 2), "byte {at}: {recovered}");
        assert_eq!(drain(&mut spool).len(), 2);
        assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), bytes, "for somebody to look at");
    }
}

#[test]
fn what_lies_about_in_a_slot_is_left_alone() {
    let place = Place::new();
    drop(pushed(&place, 0..1));
    let slot = place.slot(0);
    for name in ["notes.txt", "99999999999999999999.entries", "18446744073709551615.entries", "x.entries", "open/a"] {
        fs::write(slot.join(name), "not ours").unwrap();
    }
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered, Recovered { rows: 1, ..Recovered::default() });
    assert_eq!(drain(&mut spool), rows(0..1));
    assert_eq!(fs::read_to_string(slot.join("x.entries")).unwrap(), "not ours");
}
