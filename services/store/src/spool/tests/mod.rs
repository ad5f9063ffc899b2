//! What a spool does in good order; `damage` and `rot` break its files, `late` has disks that take nothing, `sectors` disks
//! with bad places, `sharing` has several processes, `upgrade` files of earlier versions, `crashes` anything in any order.

mod crashes;
mod damage;
mod late;
mod rot;
mod sectors;
mod sharing;
mod support;
mod upgrade;

use std::fs;

use super::*;
use support::*;

#[test]
fn rows_of_every_kind_come_back_as_they_were_in_the_order_in_which_they_came() {
    let place = Place::new();
    let (mut spool, recovered) = place.open();
    assert!(recovered.is_empty(), "{recovered}");
    let ended = Round { provider: None, ended: Some((at(9), parsec_measure::RoundOutcome::TooFewNodes)), ..round(2) };
    let all = vec![
        Row::Round(round(1)),
        Row::Round(ended),
        Row::Attempt(traced(3)),
        row(4),
        follow_up(5, Some(3)),
        follow_up(6, None),
    ];
    spool.push(&all[..1]).unwrap();
    spool.push(&all[1..]).unwrap();
    spool.push(&[]).unwrap();
    assert_eq!(spool.oldest(100).unwrap().rows, all);
    drop(spool);

    let (mut spool, recovered) = place.open();
    assert_eq!(recovered, Recovered { rows: 6, ..Recovered::default() });
    assert_eq!(drain(&mut spool), all);
    assert_eq!(spool.state().rows, 0);
}

#[test]
fn reading_takes_whole_pushes_until_there_are_enough_rows_and_leaves_them() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    for ids in [0..2, 2..4, 4..6] {
        spool.push(&rows(ids)).unwrap();
    }
    let oldest = spool.oldest(3).unwrap();
    assert_eq!(oldest.rows, rows(0..4));
    assert_eq!(spool.oldest(3).unwrap(), oldest, "unconfirmed rows stay");
    assert_eq!(spool.confirm(oldest.end), kept(4));
    assert_eq!(spool.confirm(oldest.end), kept(0), "no news");
    assert_eq!(spool.state().rows, 2);
    assert_eq!(spool.oldest(1).unwrap().rows, rows(4..6));
    assert_eq!(spool.confirm(Mark(u64::MAX)), kept(2));
    assert!(spool.oldest(1).unwrap().rows.is_empty());
}

#[test]
fn what_was_confirmed_does_not_come_back() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(0..2)).unwrap();
    spool.push(&rows(2..3)).unwrap();
    let first = spool.oldest(1).unwrap();
    spool.confirm(first.end).unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered.rows, 1);
    assert_eq!(drain(&mut spool), rows(2..3));
    drop(spool);
    let (spool, recovered) = place.open();
    assert!(recovered.is_empty(), "{recovered}");
    assert_eq!((spool.state().bytes, place.files()), (0, vec![]), "and takes no room");
}

#[test]
fn months_of_rows_that_the_database_takes_at_once_leave_the_files_small() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    let push = rows(0..1_000);
    let mut most = 0;
    for _ in 0..20 {
        spool.push(&push).unwrap();
        most = most.max(spool.state().bytes);
        let end = spool.oldest(1).unwrap().end;
        spool.confirm(end).unwrap();
    }
    assert!(most < 3 << 20, "{most} bytes");
    assert!(place.files().len() <= 1);
}

#[test]
fn an_outage_fills_one_file_after_the_other_and_each_vanishes_when_it_is_done_with() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    let push = rows(0..10_000);
    for _ in 0..5 {
        spool.push(&push).unwrap();
    }
    let files = place.files().len();
    assert!(files > 1);
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered.rows, 50_000);
    let oldest = spool.oldest(30_000).unwrap();
    assert_eq!(oldest.rows[..10_000], push[..]);
    spool.confirm(oldest.end).unwrap();
    assert!(place.files().len() < files);
    assert_eq!(drain(&mut spool).len(), 20_000);
    assert_eq!(spool.state().bytes, 0);
}

#[test]
fn the_state_tells_what_waits_and_for_how_long() {
    let place = Place::new();
    let limits = SpoolLimits { bytes: 1 << 20, age: Duration::from_secs(60) };
    let (mut spool, _) = place.open_with(limits, NOON);
    let nothing = SpoolState { rows: 0, bytes: 0, max_bytes: 1 << 20, oldest: None, max_age: Duration::from_secs(60) };
    assert_eq!(spool.state(), nothing);
    spool.push(&rows(0..2)).unwrap();
    let bytes = std::fs::metadata(&place.files()[0]).unwrap().len();
    assert_eq!(spool.state(), SpoolState { rows: 2, bytes, oldest: Some(Duration::ZERO), ..nothing });
    drop(spool);
    let (spool, _) = place.open_with(limits, NOON + 40);
    assert_eq!(spool.state().oldest, Some(Duration::from_secs(40)));
}

#[test]
fn rows_that_have_waited_for_too_long_are_dropped_and_younger_ones_stay() {
    let place = Place::new();
    let limits = SpoolLimits { age: Duration::from_secs(60), ..WIDE };
    for (second, ids) in [(0, 0..2), (50, 2..3)] {
        let (mut spool, _) = place.open_with(limits, NOON + second);
        spool.push(&rows(ids)).unwrap();
        assert_eq!(spool.expire(), kept(0));
    }
    let (mut spool, _) = place.open_with(limits, NOON + 61);
    assert_eq!(spool.expire(), kept(2));
    assert_eq!(drain(&mut spool), rows(2..3));
}

#[test]
fn a_clock_that_was_wrong_makes_no_row_older_than_it_is() {
    let place = Place::new();
    let limits = SpoolLimits { age: Duration::from_secs(60), ..WIDE };
    // The clock showed next year, and was put right.
    let (mut spool, _) = place.open_with(limits, NOON + 31_536_000);
    spool.push(&rows(0..1)).unwrap();
    drop(spool);
    let (mut spool, _) = place.open_with(limits, NOON);
    assert_eq!((spool.state().oldest, spool.expire()), (Some(Duration::ZERO), kept(0)));
    assert_eq!(drain(&mut spool), rows(0..1));
}

#[test]
fn a_full_spool_takes_nothing_more_until_there_is_room_again() {
    let place = Place::new();
    let (mut spool, _) = place.open_with(SpoolLimits { bytes: 10_000, ..WIDE }, NOON);
    let mut pushed = 0;
    let error = loop {
        match spool.push(&rows([pushed])) {
            Ok(()) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert!(pushed > 10 && error.is_full(), "{pushed}: {error}");
    assert!(error.to_string().starts_with("the spool is full: "), "{error}");
    assert!(spool.state().bytes <= 10_000);
    spool.announce(&round(1), &[announced(2, 1)], &[]).unwrap();
    assert_eq!(drain(&mut spool), rows(0..pushed));
    spool.push(&rows([pushed])).unwrap();
    assert_eq!(drain(&mut spool), rows([pushed]));
}

#[test]
fn a_row_that_is_too_long_is_refused_and_the_others_with_it() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    let mut long = announced(2, 9);
    long.cid = "Q".repeat(frame::MAX_PAYLOAD);
    let error = spool.push(&[row(1), Row::Attempt(long)]).unwrap_err();
    assert!(matches!(error, SpoolError::TooLong { .. }) && !error.is_full(), "{error}");
    assert_eq!(spool.state().rows, 0);
}

#[test]
fn a_round_that_was_cut_off_leaves_lost_attempts_and_an_end_behind_all_results() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.announce(&round(1), &[announced(2, 1)], &[]).unwrap();
    spool.announce(&round(1), &[announced(2, 1), announced(3, 1)], &[]).unwrap();
    spool.push(&rows(7..8)).unwrap();
    drop(spool);

    let (mut spool, recovered) = place.open();
    assert_eq!(recovered, Recovered { rows: 4, cut_off: 3, ..Recovered::default() });
    let found = drain(&mut spool);
    assert_eq!(found[0], row(7));
    let Row::Round(ended) = &found[1] else { panic!("{:?}", found[1]) };
    assert_eq!(ended.ended.map(|(_, outcome)| outcome), Some(parsec_measure::RoundOutcome::Interrupted));
    assert!(ended.ended.unwrap().0 > at(2), "it ends when it is found");
    assert_eq!(Round { ended: None, ..ended.clone() }, round(1));
    for (row, id) in found[2..].iter().zip([2, 3]) {
        let Row::Attempt(attempt) = row else { panic!("{row:?}") };
        assert_eq!(attempt.id, announced(id, 1).id);
        assert_eq!(attempt.result.class, parsec_measure::OutcomeClass::RecordLost);
        assert_eq!(attempt.result.error.as_deref(), parsec_measure::Measured::record_lost().error.as_deref());
    }
    drop(spool);
    assert!(place.open().1.is_empty(), "once");
}

#[test]
fn a_round_that_has_ended_leaves_nothing() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.announce(&round(1), &[announced(2, 1)], &[]).unwrap();
    assert!(spool.state().bytes > 0);
    spool.forget(round(1).id).unwrap();
    spool.forget(round(8).id).unwrap();
    assert_eq!(spool.state().bytes, 0);
    drop(spool);
    assert!(place.open().1.is_empty());
}

/// What the next process finds of a round whose publication is attempt 2 and which plans attempts 3 and 4.
fn left_by(ends: impl FnOnce(&mut Spool)) -> Vec<(u128, String)> {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.announce(&round(1), &[announced(2, 1)], &[announced(3, 1), announced(4, 1)]).unwrap();
    let bytes = spool.state().bytes;
    ends(&mut spool);
    assert!(spool.state().bytes == 0 || spool.state().bytes >= bytes, "what is planned takes room too");
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered.damage, []);
    let attempt =
        |row: Row| if let Row::Attempt(attempt) = row { Some((attempt.id.0.as_u128(), attempt.cid)) } else { None };
    let left = drain(&mut spool).into_iter().filter_map(attempt).collect();
    drop(spool);
    assert!(place.open().1.is_empty(), "once");
    left
}

#[test]
fn what_was_planned_leaves_no_rows_unless_it_began() {
    let planned = |id| (id, "Qm".to_owned());
    assert_eq!(left_by(|_| {}), [planned(2)]);
    assert_eq!(left_by(|spool| spool.forget(round(1).id).unwrap()), []);
    let begun = [3, 4].map(|id| Attempt { cid: "bafk".to_owned(), ..announced(id, 1) });
    let as_it_began = |id| (id, "bafk".to_owned());
    assert_eq!(
        left_by(|spool| spool.begin(&round(1), &begun).unwrap()),
        [planned(2), as_it_began(3), as_it_began(4)],
        "as it began, not as it was planned"
    );
    let forgotten = |spool: &mut Spool| {
        spool.begin(&round(1), &begun).unwrap();
        spool.forget(round(1).id).unwrap();
    };
    assert_eq!(left_by(forgotten), []);
}

#[test]
fn a_process_that_dies_as_soon_as_it_has_said_that_lookups_begin_leaves_them_as_they_were_planned() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.announce(&round(1), &[announced(2, 1)], &[announced(3, 1)]).unwrap();
    let path = place.slot(0).join("open").join(round(1).id.0.to_string());
    fs::rename(path.with_extension("planned"), path.with_extension("begun")).unwrap();
    fs::write(path.with_extension("begun.unfinished"), "half").unwrap();
    drop(spool);
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.cut_off, drain(&mut spool).len()), (3, 3), "{recovered}");
}

#[test]
fn what_is_left_of_a_plan_without_its_round_is_cleared_away() {
    let place = Place::new();
    drop(place.open());
    let path = place.slot(0).join("open").join(round(1).id.0.to_string());
    for ending in ["planned", "begun.unfinished"] {
        fs::write(path.with_extension(ending), "anything").unwrap();
    }
    let (spool, recovered) = place.open();
    assert!(recovered.is_empty() && spool.state().bytes == 0, "{recovered}");
    assert_eq!(fs::read_dir(place.slot(0).join("open")).unwrap().count(), 0);
}

#[test]
fn announcements_are_bounded() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    let many: Vec<_> = (0..20_000).map(|id| announced(id, 1)).collect();
    let error = spool.announce(&round(1), &many, &[]).unwrap_err();
    assert!(matches!(error, SpoolError::TooLong { .. }), "{error}");
}
