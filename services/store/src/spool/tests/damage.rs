use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};

use proptest::prelude::*;

use super::support::*;
use crate::spool::clock::Clock;
use crate::spool::frame::Payload;
use crate::spool::journal::Journal;
use crate::spool::*;

/// What the rows of a spool are, with everything that could not be read on the way.
fn drain_with_damage(spool: &mut Spool) -> (Vec<Row>, Vec<SpoolError>) {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    loop {
        match spool.oldest(1) {
            Ok(Oldest { rows, .. }) if rows.is_empty() => return (all, errors),
            Ok(Oldest { rows, end }) => {
                spool.confirm(end).unwrap();
                all.extend(rows);
            }
            Err(error) => errors.push(error),
        }
    }
}

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
    let whole = spool.state().bytes;
    spool.push(&[follow_up(2, None)]).unwrap();
    drop(spool);
    let file = place.files().remove(0);
    let bytes = fs::read(&file).unwrap();
    for length in whole as usize..bytes.len() {
        fs::write(&file, &bytes[..length]).unwrap();
        let (mut journal, found) = Journal::open(&place.slot(0), Clock::at(NOON)).unwrap();
        assert_eq!((found.torn, found.damage), (length as u64 - whole, vec![]));
        assert_eq!(journal.oldest(9).unwrap().rows, [follow_up(1, None)], "{length} of {} bytes", bytes.len());
        assert_eq!(fs::metadata(&file).unwrap().len(), whole);
    }
}

#[test]
fn a_push_of_several_frames_counts_as_a_whole() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(0..1)).unwrap();
    let one = spool.state().bytes;
    let many = rows(1..10_000);
    spool.push(&many).unwrap();
    let all = spool.state().bytes;
    drop(spool);
    let file = OpenOptions::new().write(true).open(&place.files()[0]).unwrap();
    file.set_len(all - 1).unwrap();
    let (mut spool, recovered) = place.open();
    assert!(all > 3 << 20, "so long that it takes several");
    assert_eq!((recovered.rows, recovered.torn_bytes), (1, all - 1 - one));
    assert_eq!(drain(&mut spool), rows(0..1));
}

#[test]
fn zeros_that_a_power_failure_leaves_are_cut_off() {
    let place = Place::new();
    drop(pushed(&place, 0..2));
    let mut file = OpenOptions::new().append(true).open(&place.files()[0]).unwrap();
    file.write_all(&[0; 5_000]).unwrap();
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.torn_bytes, recovered.damage.len()), (5_000, 0));
    assert_eq!(drain(&mut spool), rows(0..2));
}

#[test]
fn a_push_that_has_rotted_is_reported_and_costs_no_other() {
    let place = Place::new();
    drop(pushed(&place, 0..3));
    let file = place.files().remove(0);
    let frame = fs::metadata(&file).unwrap().len() as usize / 3;
    flip(&file, frame + frame / 2);
    let (mut spool, recovered) = place.open();
    let place_of_damage =
        Damage { path: file.clone(), offset: frame as u64, what: "entry 1 cannot be read".to_owned() };
    assert_eq!(recovered.damage, [place_of_damage]);
    assert!(recovered.is_bad());
    assert_eq!(drain(&mut spool), rows([0, 2]));
    // The file is kept for somebody to look at.
    assert_eq!(place.files(), Vec::<std::path::PathBuf>::new());
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
fn rot_at_the_end_of_a_file_that_has_a_successor_is_no_torn_tail() {
    let place = Place::new();
    drop(pushed(&place, 0..2));
    drop(pushed(&place, 2..3));
    let files = place.files();
    assert_eq!(files.len(), 2, "each start begins a new one");
    let length = fs::metadata(&files[0]).unwrap().len();
    flip(&files[0], length as usize - 1);
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.torn_bytes, recovered.damage.len()), (0, 1), "{recovered}");
    assert_eq!(drain(&mut spool), rows([0, 2]));
}

#[test]
fn rot_that_shows_only_when_it_is_read_is_skipped_with_an_error() {
    let place = Place::new();
    let mut spool = pushed(&place, 0..3);
    let file = place.files().remove(0);
    let frame = fs::metadata(&file).unwrap().len() as usize / 3;
    flip(&file, frame + frame / 2);
    assert_eq!(spool.oldest(9).unwrap().rows, rows(0..1), "what comes before is read first");
    let (found, errors) = drain_with_damage(&mut spool);
    assert_eq!(found, rows([0, 2]));
    let [SpoolError::Damaged(damage)] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(
        (damage.offset, damage.what.as_str()),
        (frame as u64, "its checksum is not what it was; 1 rows are lost")
    );
    assert_eq!(spool.state().rows, 0);
}

#[test]
fn a_file_that_vanishes_costs_its_rows_with_an_error_and_holds_nobody_up() {
    let place = Place::new();
    drop(pushed(&place, 0..3));
    let mut spool = pushed(&place, 3..4);
    fs::remove_file(&place.files()[0]).unwrap();
    let (found, errors) = drain_with_damage(&mut spool);
    assert_eq!(found, rows(3..4));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().ends_with("No such file or directory (os error 2); 3 rows are lost"), "{errors:?}");
    // The one that is written to may vanish too.
    spool.push(&rows(4..5)).unwrap();
    for file in place.files() {
        fs::remove_file(file).unwrap();
    }
    spool.push(&rows(5..6)).unwrap();
    drop(spool);
    assert_eq!(drain(&mut place.open().0), rows(5..6));
}

#[test]
fn rows_of_another_version_are_named_and_kept_aside() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    let newer = String::from_utf8(shape::line(&row(1))).unwrap().replace("record_lost", "eaten_by_a_grue");
    spool.journal.push(&[Payload { seconds: NOON, rows: 1, bytes: newer.into_bytes() }], u64::MAX).unwrap();
    spool.push(&rows(2..3)).unwrap();
    let seen = inspect(place.path(), SpoolDepth::Rows).unwrap();
    assert_eq!(seen[0].damage[0].what, "row 1 of 1: unknown outcome class `eaten_by_a_grue`");
    assert_eq!(inspect(place.path(), SpoolDepth::Frames).unwrap()[0].damage, []);
    let (found, errors) = drain_with_damage(&mut spool);
    assert_eq!(found, rows(2..3));
    assert!(errors[0].to_string().contains("eaten_by_a_grue"), "{errors:?}");
    drop(spool);
    assert!(place.open().1.is_empty());
    assert_eq!(inspect(place.path(), SpoolDepth::Frames).unwrap()[0].damage.len(), 1, "the file is still there");
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
    assert_eq!((recovered.torn_bytes, recovered.damage), ("half a frame".len() as u64, vec![]));
    assert_eq!(drain(&mut spool), rows([0, 2, 3, 5]));
}

#[test]
fn without_a_readable_note_of_what_is_done_with_rows_are_offered_again() {
    let place = Place::new();
    let mut spool = pushed(&place, 0..2);
    let first = spool.oldest(1).unwrap();
    spool.confirm(first.end).unwrap();
    drop(spool);
    let note = place.slot(0).join("acknowledged");
    flip(&note, 0);
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.damage.len(), &recovered.damage[0].path), (1, &note));
    assert_eq!(drain(&mut spool), rows(0..2));
}

#[test]
fn an_announcement_that_is_damaged_anywhere_is_reported_and_set_aside() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.announce(&round(1), &[], &[]).unwrap();
    drop(spool);
    let folder = place.slot(0).join("open");
    let path = folder.join(round(1).id.0.to_string());
    let bytes = fs::read(&path).unwrap();
    fs::write(folder.join("half.unfinished"), "written by half").unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let (spool, recovered) = place.open();
        assert_eq!((recovered.damage.len(), recovered.rows), (1, 0), "byte {at}: {recovered}");
        assert_eq!(spool.state().rows, 0);
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [path.with_extension("damaged")]);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens to the bytes, what is read is what was written, in order, and what is missing is accounted for.
    #[test]
    fn rows_are_what_they_were_or_are_missed(
        pushes in prop::collection::vec(1..4_u128, 1..5),
        reopened in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        garbage in prop::collection::vec(any::<u8>(), 0..60),
        which in any::<prop::sample::Index>(),
    ) {
        let place = Place::new();
        let (mut spool, _) = place.open();
        let mut next = 0;
        for (i, count) in pushes.iter().enumerate() {
            if reopened && i == 1 {
                drop(spool);
                spool = place.open().0;
            }
            spool.push(&rows(next..next + count)).unwrap();
            next += count;
        }
        drop(spool);
        let files = place.files();
        let file = which.get(&files);
        let mut bytes = fs::read(file).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.extend(garbage);
        fs::write(file, bytes).unwrap();

        let (mut spool, recovered) = place.open();
        let waiting = recovered.rows;
        let (found, errors) = drain_with_damage(&mut spool);
        prop_assert_eq!(&errors, &[]);
        prop_assert_eq!(found.len(), waiting);
        let all = rows(0..next);
        let mut rest = all.iter();
        prop_assert!(found.iter().all(|row| rest.any(|other| other == row)), "in order");
        let missed = found.len() < all.len();
        prop_assert!(!missed || !recovered.damage.is_empty() || recovered.torn_bytes > 0, "{}", recovered);
        spool.push(&rows(100..101)).unwrap();
        prop_assert_eq!(drain(&mut spool), rows(100..101));
    }

    #[test]
    fn a_file_of_anything_is_no_trouble(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let place = Place::new();
        drop(place.open());
        fs::write(place.slot(0).join("00000000000000000000.entries"), &content).unwrap();
        let (mut spool, recovered) = place.open();
        prop_assert_eq!((recovered.rows, recovered.torn_bytes), (0, content.len() as u64));
        spool.push(&rows(0..1)).unwrap();
        prop_assert_eq!(drain(&mut spool), rows(0..1));
    }
}
