//! Files as earlier versions wrote them: several rows to a frame, and a note of one number.

use std::fs;

use super::support::*;
use crate::spool::frame::{Header, encode};
use crate::spool::*;

/// What an earlier version left: frames of three rows, of which the first is done with, and an open round.
fn left_by_an_earlier_version(place: &Place) {
    drop(place.open());
    let slot = place.slot(0);
    let lines = |rows: &[Row]| rows.iter().map(shape::line).collect::<Vec<_>>().join(&b'\n');
    let (mut bytes, header) = (Vec::new(), Header { number: 0, seconds: NOON - 70, rows: 3, last: true });
    for number in 0..4 {
        let ids = u128::from(number) * 3;
        encode(&mut bytes, Header { number, ..header }, &lines(&rows(ids..ids + 3)));
    }
    fs::write(slot.join("00000000000000000000.entries"), bytes).unwrap();
    let done = 1_u64.to_le_bytes();
    fs::write(place.note(), [&done[..], &crc32fast::hash(&done).to_le_bytes()].concat()).unwrap();
    let mut announcement = Vec::new();
    let round_and_attempts = [Row::Round(round(1)), Row::Attempt(announced(50, 1)), Row::Attempt(announced(51, 1))];
    encode(&mut announcement, header, &lines(&round_and_attempts));
    fs::write(slot.join("open").join(round(1).id.0.to_string()), announcement).unwrap();
}

#[test]
fn what_an_earlier_version_left_is_taken_up_by_the_next_process() {
    let place = Place::new();
    left_by_an_earlier_version(&place);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered, Recovered { rows: 12, cut_off: 3, ..Recovered::default() }, "{recovered}");
    assert_eq!(spool.state().oldest, Some(Duration::from_secs(70)));
    spool.push(&rows(90..91)).unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered, Recovered { rows: 13, ..Recovered::default() }, "{recovered}");
    let found = drain(&mut spool);
    assert_eq!(found[..9], rows(3..12));
    assert_eq!(found[12..], rows(90..91));
    assert_eq!(place.files(), Vec::<PathBuf>::new());
}

#[test]
fn what_an_earlier_version_left_in_another_slot_is_moved_row_by_row() {
    let place = Place::new();
    left_by_an_earlier_version(&place);
    fs::rename(place.slot(0), place.slot(1)).unwrap();
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.adopted[0].rows), (12, 12));
    assert_eq!(spool.state().oldest, Some(Duration::from_secs(70)));
    assert_eq!(drain(&mut spool)[..9], rows(3..12));
}

#[test]
fn damage_to_what_an_earlier_version_left_costs_the_frame() {
    let place = Place::new();
    left_by_an_earlier_version(&place);
    let file = place.files().remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2 - 9;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.damage.len()), (9, 1));
    assert_eq!(drain_damaged(&mut spool).0[..6], rows(6..12));
}
