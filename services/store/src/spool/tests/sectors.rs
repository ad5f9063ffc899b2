//! Disks with places that can be neither read nor written (EIO), as the beginning of this file has them: nothing is mapped there.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::support::*;
use crate::spool::*;

const BAD: &str = "/proc/self/mem";

/// From now on the disk gives nothing of this file.
fn goes_bad(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink(BAD, path).unwrap();
}

#[test]
fn what_the_disk_does_not_give_is_asked_for_again_and_costs_no_row_beside_it() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(0..3)).unwrap();
    drop(spool);
    let (mut spool, _) = place.open();
    spool.push(&rows(3..5)).unwrap();
    assert_eq!(place.files().len(), 2);
    goes_bad(&place.files()[0]);
    for _ in 0..3 {
        let error = spool.oldest(9).unwrap_err();
        assert!(error.to_string().contains("Input/output error"), "a fault of a disk may pass: {error}");
    }
    let Oldest { rows: found, end, lost, damage } = spool.oldest(9).unwrap();
    assert_eq!((found, lost), (rows(3..5), 3));
    assert_eq!(damage.iter().map(|damage| damage.rows).sum::<usize>(), 3, "{damage:?}");
    assert_eq!(spool.confirm(end), Ok(Confirmed { rows: 2, lost: 3 }));
    spool.push(&rows(5..6)).unwrap();
    assert_eq!(drain(&mut spool), rows(5..6));
}

#[test]
fn a_place_that_takes_nothing_costs_nothing_that_was_said_to_be_kept() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(0..1)).unwrap();
    spool.journal.replace_writer(OpenOptions::new().write(true).open(BAD).unwrap());
    let error = spool.push(&rows(1..2)).unwrap_err();
    assert!(error.to_string().contains("Input/output error") && !error.is_full(), "{error}");
    spool.push(&rows(2..3)).unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.damage, recovered.lost), (vec![], 0));
    assert_eq!(drain(&mut spool), rows([0, 2]));
}

#[test]
fn a_spool_opens_although_the_disk_does_not_give_what_its_rows_do_not_depend_on() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(0..3)).unwrap();
    drop(spool);
    goes_bad(&place.note());
    goes_bad(&place.slot(0).join("database"));
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.lost, recovered.damage.len()), (3, 0, 1), "{recovered}");
    assert_eq!(recovered.damage[0].path, place.note());
    assert_eq!(drain(&mut spool), rows(0..3));
    drop(spool);
    let (_, recovered) = place.open();
    assert!(recovered.is_empty(), "{recovered}");
}
