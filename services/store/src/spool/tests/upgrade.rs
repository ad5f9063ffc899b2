//! Files as earlier versions wrote them: several rows to a frame, and a note of one number.

use std::fs;
use std::time::Duration;

use parsec_measure::{
    Attempt, AttemptId, CheckDone, CheckId, FollowUp, HolderCheck, Measured, Measurement, NodeId, OutcomeClass,
    PlannedCheck, RecordCheck, Round, RoundOutcome, WhyKept,
};
use uuid::Uuid;

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

/// A line of each kind, as the versions so far write it.
fn lines() -> [(&'static str, Row); 5] {
    let plan = PlannedCheck {
        id: CheckId(Uuid::from_u128(6)),
        attempt: Some(AttemptId(Uuid::from_u128(5))),
        node: NodeId(2),
        fleet: "default".parse().unwrap(),
        region: "eu".to_owned(),
        cid: "Qm".to_owned(),
        provider: "12D3KooW".to_owned(),
        published: at(5),
        after: Duration::from_secs(3_600),
    };
    let holder = HolderCheck { holder: "QmHolder".to_owned(), rank: 1, answered: true, has_record: false };
    let done = CheckDone { at: at(6), by: NodeId(3), holders: vec![holder] };
    let step = Measurement { step: "provide".to_owned(), duration: Duration::from_secs(2), error: None };
    let result = Measured {
        routing_table_size: 200,
        steps: vec![step, Measurement { step: String::new(), duration: Duration::ZERO, error: Some("x".to_owned()) }],
        ..Measured::unmeasured(OutcomeClass::Timeout, Duration::from_nanos(1_500_000_001), "too late")
    };
    [
        (
            r#"{"round":{"id":"00000000-0000-0000-0000-000000000001","scheduler":1,"fleets":"default+fullrt","provider":3,"nodes_listed":7,"nodes_ready":6,"nodes_without_heartbeat":0,"skipped_before":1,"due":"2023-11-14T22:13:21.123456789Z","started":"2023-11-14T22:13:22.123456789Z","ended":["2023-11-14T22:13:25.123456789Z","provide_failed"]}}"#,
            Row::Round(Round { ended: Some((at(5), RoundOutcome::ProvideFailed)), ..round(1) }),
        ),
        (
            r#"{"attempt":{"id":"00000000-0000-0000-0000-000000000005","round":"00000000-0000-0000-0000-000000000009","scheduler":1,"node":2,"kind":"retrieve","probe":0,"cid":"Qm","due":"2023-11-14T22:13:21.123456789Z","started":"2023-11-14T22:13:22.123456789Z","ended":"2023-11-14T22:13:22.123456789Z","class":"timeout","duration":{"secs":1,"nanos":500000001},"error":"too late","steps":[{"step":"provide","duration":{"secs":2,"nanos":0}},{"step":"","duration":{"secs":0,"nanos":0},"error":"x"}],"routing_table_size":200,"effort":{},"from_own_records":false,"why_kept":"slow"}}"#,
            Row::Attempt(Attempt { result, why_kept: Some(WhyKept::Slow), ..announced(5, 9) }),
        ),
        (
            r#"{"follow_up":{"id":"00000000-0000-0000-0000-000000000004","node":2,"ended":"2023-11-14T22:13:25.123456789Z","attempt":null,"cid":"Qm","stored":18,"confirmed":17,"failed":2,"pending":0,"duration":{"secs":9,"nanos":0},"confirming":{"secs":0,"nanos":100000000}}}"#,
            follow_up(4, None),
        ),
        (
            r#"{"check":{"id":"00000000-0000-0000-0000-000000000006","attempt":"00000000-0000-0000-0000-000000000005","node":2,"fleet":"default","region":"eu","cid":"Qm","provider":"12D3KooW","published":"2023-11-14T22:13:25.123456789Z","after":{"secs":3600,"nanos":0}}}"#,
            Row::Check(RecordCheck { plan: plan.clone(), done: None }),
        ),
        (
            r#"{"check":{"id":"00000000-0000-0000-0000-000000000006","node":2,"fleet":"default","region":"eu","cid":"Qm","provider":"12D3KooW","published":"2023-11-14T22:13:25.123456789Z","after":{"secs":3600,"nanos":0},"done":{"at":"2023-11-14T22:13:26.123456789Z","by":3,"holders":[{"holder":"QmHolder","rank":1,"answered":true,"has_record":false}]}}}"#,
            Row::Check(RecordCheck { plan: PlannedCheck { attempt: None, ..plan }, done: Some(done) }),
        ),
    ]
}

#[test]
fn the_lines_of_every_version_are_the_same_letter_by_letter() {
    for (text, row) in lines() {
        assert_eq!(String::from_utf8(shape::line(&row)).unwrap(), text);
        assert_eq!(shape::row(text.as_bytes()), Ok(row));
    }
}

#[test]
fn what_earlier_versions_did_not_know_is_what_it_was_then() {
    let [(round, expected), _, (follow_up, _), ..] = lines();
    let earlier = round.replace(r#""nodes_without_heartbeat":0,"#, "");
    assert_eq!(shape::row(earlier.as_bytes()), Ok(expected));
    let earlier = follow_up.replace(r#""confirmed":17,"#, "").replace(r#""pending":0,"#, "");
    let earlier = earlier.replace(r#","confirming":{"secs":0,"nanos":100000000}"#, "");
    let Ok(Row::FollowUp(read)) = shape::row(earlier.as_bytes()) else { panic!("{earlier}") };
    let FollowUp { confirmed, pending, confirming, .. } = read.follow_up;
    assert_eq!((confirmed, pending, confirming), (None, None, Duration::ZERO));
}

#[test]
fn a_line_with_a_name_that_nobody_knows_is_refused_with_the_name() {
    for (line, known, other, message) in [
        (0, "provide_failed", "lost_in_space", "unknown round outcome `lost_in_space`"),
        (0, "default+fullrt", "a+a", "names `a` twice"),
        (1, "timeout", "lost_in_space", "unknown outcome class `lost_in_space`"),
        (3, "default", "a b", "fleet `a b` contains ' '"),
    ] {
        let refused = shape::row(lines()[line].0.replace(known, other).as_bytes()).unwrap_err();
        assert!(refused.contains(message), "{refused}");
    }
}
