//! Every byte of a spool, one by one: what is read is what was written, in order, and each row that is not is counted.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use proptest::prelude::*;

use super::support::*;
use crate::spool::clock::Clock;
use crate::spool::journal::{Journal, Line, Taken};
use crate::spool::*;

fn read(journal: &mut Journal) -> (Vec<Row>, usize) {
    let Taken { rows, lost, .. } = journal.oldest(usize::MAX, |line: Line| shape::row(&line.bytes)).unwrap();
    (rows, lost)
}

fn open(place: &Place) -> Journal {
    Journal::open(&place.slot(0), Clock::at(NOON)).unwrap().0
}

/// A spool with pushes of so many rows, the rows, and where in its first file each row ends.
fn written(pushes: &[usize]) -> (Place, Vec<Row>, PathBuf, Vec<u64>) {
    let place = Place::new();
    let (mut spool, _) = place.open();
    let mut next = 0;
    for count in pushes {
        spool.push(&(next..next + *count as u128).map(|id| follow_up(id, None)).collect::<Vec<_>>()).unwrap();
        next += *count as u128;
    }
    drop(spool);
    let file = place.files().remove(0);
    let ends = frame::frames(&fs::read(&file).unwrap(), 0..u64::MAX).map(|frame| frame.end() as u64).collect();
    (place, (0..next).map(|id| follow_up(id, None)).collect(), file, ends)
}

/// What was read is all rows but the lost ones, in order.
fn accounts(all: &[Row], (found, lost): &(Vec<Row>, usize)) -> bool {
    let mut rest = all.iter();
    found.len() + lost == all.len() && found.iter().all(|row| rest.any(|other| other == row))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_byte_costs_the_row_that_it_belongs_to(pushes in prop::collection::vec(1..4_usize, 1..4), mask in 1..=255_u8) {
        let (place, all, path, ends) = written(&pushes);
        let bytes = fs::read(&path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for at in 0..bytes.len() {
            let hit = ends.iter().position(|end| (at as u64) < *end).unwrap();
            let without: Vec<_> = all.iter().enumerate().filter(|(i, _)| *i != hit).map(|(_, row)| row.clone()).collect();
            // While it is used.
            let mut journal = open(&place);
            file.write_all_at(&[bytes[at] ^ mask], at as u64).unwrap();
            prop_assert_eq!(read(&mut journal), (without.clone(), 1), "byte {}", at);
            // And by the next process.
            prop_assert_eq!(read(&mut open(&place)), (without, 1), "byte {}", at);
            file.write_all_at(&bytes[at..=at], at as u64).unwrap();
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_loses_what_is_behind_and_that_is_counted(pushes in prop::collection::vec(1..4_usize, 1..4)) {
        let (place, all, path, ends) = written(&pushes);
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes).unwrap();
            let mut journal = open(&place);
            fs::write(&path, &bytes[..length]).unwrap();
            let whole = ends.iter().filter(|end| **end <= length as u64).count();
            let expected = (all[..whole].to_vec(), all.len() - whole);
            prop_assert_eq!(read(&mut journal), expected.clone(), "{} bytes", length);
            prop_assert_eq!(read(&mut open(&place)), expected, "{} bytes", length);
        }
    }

    #[test]
    fn a_flipped_byte_in_the_note_costs_nothing(mask in 1..=255_u8, confirmed in 0..3_usize) {
        let (place, all, _, _) = written(&[1, 1, 1]);
        let mut journal = open(&place);
        journal.confirm(Mark(confirmed as u64));
        drop(journal);
        let note = fs::read(place.note()).unwrap();
        for at in 0..note.len() {
            let mut damaged = note.clone();
            damaged[at] ^= mask;
            fs::write(place.note(), damaged).unwrap();
            prop_assert_eq!(read(&mut open(&place)), (all.clone(), 0), "byte {}", at);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Several places at once, in several files: whatever happens to the bytes, nothing is invented, and nothing is missing
    /// that is not counted.
    #[test]
    fn whatever_happens_to_a_file_every_row_is_there_or_counted(
        pushes in prop::collection::vec(1..4_usize, 1..5),
        reopened in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        torn_out in any::<prop::sample::Index>(),
        garbage in prop::collection::vec(any::<u8>(), 0..60),
        which in any::<prop::sample::Index>(),
        used in any::<bool>(),
    ) {
        let (place, mut all, _, _) = written(&pushes);
        if reopened {
            let (mut spool, _) = place.open();
            spool.push(&rows(100..103)).unwrap();
            all.extend(rows(100..103));
        }
        let files = place.files();
        let path = which.get(&files);
        let mut journal = used.then(|| open(&place));
        let mut bytes = fs::read(path).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let gap = torn_out.index(bytes.len());
        bytes.drain(gap..(gap + 100).min(bytes.len()));
        bytes.extend(garbage);
        fs::write(path, bytes).unwrap();
        let journal = journal.get_or_insert_with(|| open(&place));
        let found = read(journal);
        prop_assert!(accounts(&all, &found), "{} of {} rows, {} lost", found.0.len(), all.len(), found.1);
        journal.confirm(Mark(u64::MAX));
        prop_assert_eq!(journal.rows(), 0);
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
