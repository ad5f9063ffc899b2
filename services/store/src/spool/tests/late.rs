//! Disks that take nothing when a process starts, and do later.

use std::fs;

use super::support::*;
use crate::spool::*;

fn late(place: &Place) -> LateSpool {
    LateSpool::open(&place.path().join("spool"), &place.database(), WIDE)
}

#[test]
fn a_spool_that_cannot_be_opened_is_opened_as_soon_as_it_can_be() {
    let place = Place::new();
    let blocked = place.path().join("spool");
    fs::write(&blocked, "no directory").unwrap();
    let mut spool = late(&place);
    for _ in 0..2 {
        let error = spool.look_after().unwrap_err();
        assert!(matches!(&error, SpoolError::Io { path, .. } if path.starts_with(&blocked)), "{error}");
        assert_eq!(spool.push(&rows(0..1)), Err(error.clone()));
        assert_eq!((spool.state().rows, spool.trouble()), (0, Some(&error)));
    }
    fs::remove_file(&blocked).unwrap();
    assert_eq!(spool.look_after(), Ok(Recovered { opened: true, ..Recovered::default() }));
    assert_eq!(spool.look_after(), Ok(Recovered::default()), "once");
    spool.push(&rows(0..1)).unwrap();
    drop(spool);
    let mut spool = late(&place);
    assert_eq!(spool.look_after().unwrap().rows, 1);
    assert_eq!(spool.oldest(9).unwrap().rows, rows(0..1));
}

/// A disk that is full when a process starts: the rows of rounds that were cut off are handed to whoever opened the spool.
#[test]
fn rows_of_rounds_that_were_cut_off_are_in_hand_if_the_disk_does_not_take_them() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(7..9)).unwrap();
    spool.announce(&round(1), &[announced(2, 1), announced(3, 1)], &[]).unwrap();
    drop(spool);
    // Where the next file of rows should be.
    let in_the_way = place.slot(0).join("00000000000000000002.entries");
    fs::create_dir(&in_the_way).unwrap();
    let (spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.cut_off, recovered.in_hand.len()), (2, 3, 3));
    assert!(recovered.to_string().contains("3 rows of rounds that were cut off are in memory only"), "{recovered}");
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered.in_hand.len(), 3, "they are found again until they are pushed");

    fs::remove_dir(&in_the_way).unwrap();
    spool.push(&recovered.in_hand).unwrap();
    spool.forget(round(1).id).unwrap();
    drop(spool);
    let (mut spool, again) = place.open();
    assert_eq!(again, Recovered { rows: 5, ..Recovered::default() }, "{again}");
    assert_eq!(drain(&mut spool), [rows(7..9), recovered.in_hand].concat());
}

/// Whoever has nothing to write tries it out.
#[test]
fn a_disk_is_tried_out_and_nothing_of_that_stays() {
    let place = Place::new();
    let mut spool = late(&place);
    assert_eq!(spool.try_out(), Ok(()));
    let slot = fs::read_dir(place.path().join("spool")).unwrap().next().unwrap().unwrap().path();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&slot).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        names
    };
    let before = names();
    std::os::unix::fs::symlink("/dev/full", slot.join("tried")).unwrap();
    let error = spool.try_out().unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!((spool.try_out(), names()), (Ok(()), before));
}

#[test]
fn a_directory_that_is_removed_while_it_is_used_is_made_anew_and_its_rows_count_as_lost() {
    let place = Place::new();
    let mut spool = late(&place);
    spool.push(&rows(0..3)).unwrap();
    assert!(spool.look_after().unwrap().opened);
    fs::remove_dir_all(place.path().join("spool")).unwrap();
    let found = spool.look_after().unwrap();
    assert_eq!((found.opened, found.lost, found.is_bad()), (true, 3, true));
    spool.push(&rows(3..4)).unwrap();
    assert_eq!(spool.oldest(9).unwrap().rows, rows(3..4));
}

/// A disk that is away for a moment, or a directory that nobody may look into: nobody can tell whether the rows are there.
#[test]
fn rows_of_a_directory_that_does_not_tell_what_is_in_it_are_not_lost() {
    let place = Place::new();
    let mut spool = late(&place);
    spool.push(&rows(0..3)).unwrap();
    assert!(spool.look_after().unwrap().opened);
    let (directory, elsewhere) = (place.path().join("spool"), place.path().join("elsewhere"));
    fs::rename(&directory, &elsewhere).unwrap();
    // A link that leads to itself.
    std::os::unix::fs::symlink(&directory, &directory).unwrap();
    let _ = spool.look_after();
    assert_eq!(spool.state().rows, 3);
    fs::remove_file(&directory).unwrap();
    fs::rename(&elsewhere, &directory).unwrap();
    assert_eq!(spool.look_after(), Ok(Recovered::default()));
    assert_eq!(spool.oldest(9).unwrap().rows, rows(0..3));
}
