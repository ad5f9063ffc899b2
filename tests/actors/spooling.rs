//! Rows wait on disk while the database is away: through outages of the database, of the disk, of both, and of us.

use parsec_actors::recording::recorder::Backlog;
use parsec_actors::supervision::stop::Stop;
use parsec_measure::{OperationKind, OutcomeClass, RoundOutcome};
use parsec_store::{Recovered, Row};
use tokio::time::{advance, pause, sleep};

use crate::fakes::{Call, DiskMood, FakeDisk, FakeStore, How, Mood, Question, millis, secs};
use crate::recorder::{Desk, rows};
use crate::rig::Setup;

/// A recorder with a disk, on a clock that stands still.
fn desk() -> (Desk, FakeDisk) {
    pause();
    desk_on(FakeDisk::default())
}

/// A recorder with this disk, and a database of its own.
fn desk_on(disk: FakeDisk) -> (Desk, FakeDisk) {
    (Desk::over(FakeStore::with(vec![]), Backlog::on_disk(disk.spool())), disk)
}

#[actix::test]
async fn what_is_recorded_is_on_disk_before_it_is_written_and_gone_after() {
    let (desk, disk) = desk();
    desk.store.takes(Call::Record, [], Mood::Hangs);
    let rows = rows(3);
    desk.record(rows.clone());
    desk.store.until("a write is under way", |store| !store.asked(Call::Record).is_empty()).await;
    assert_eq!(disk.read(|disk| disk.rows.clone()), rows);
    desk.store.takes(Call::Record, [], Mood::Works);
    assert_eq!(desk.written(3).await, rows);
    sleep(secs(1)).await;
    assert_eq!(disk.read(|disk| disk.rows.len()), 0);
    assert_eq!((desk.rows_written(), desk.rows_waiting(), desk.rows_lost()), (3, 0, 0));
}

#[actix::test]
async fn after_an_hour_without_a_database_everything_is_written_once_and_in_order() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    let rows = rows(1_200);
    for three in rows.chunks(3) {
        desk.record(three.to_vec());
        sleep(secs(9)).await;
    }
    assert_eq!((disk.read(|disk| disk.rows.len()), desk.rows_waiting()), (1_200, 1_200));
    desk.store.is(Mood::Works);
    assert!(desk.written(rows.len()).await == rows);
    sleep(secs(1)).await;
    assert_eq!((desk.rows_written(), desk.rows_lost()), (1_200, 0));
}

#[actix::test]
async fn rows_of_a_process_that_died_are_written_by_the_next_one_before_its_own() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    let mut rows = rows(5);
    desk.record(rows[..3].to_vec());
    sleep(secs(1)).await;
    drop(desk);
    let (desk, _) = desk_on(disk);
    desk.record(rows.split_off(3));
    let written = desk.written(5).await;
    assert_eq!(written[..3], rows[..3]);
    sleep(secs(1)).await;
    assert_eq!(desk.rows_written(), 5);
}

#[actix::test]
async fn rows_that_come_while_the_disk_is_busy_go_there_in_one_piece() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    disk.is(DiskMood::Hangs);
    for row in rows(50) {
        desk.record(vec![row]);
    }
    disk.is(DiskMood::Works);
    sleep(secs(1)).await;
    let (rows, pushes) = disk.read(|disk| (disk.rows.len(), disk.pushes));
    assert!(rows == 50 && pushes <= 3, "{rows} rows in {pushes} pushes");
}

#[actix::test]
async fn without_a_disk_that_works_rows_are_kept_in_memory_and_go_to_the_disk_when_it_does() {
    pause();
    for mood in [DiskMood::Full, DiskMood::Broken] {
        let (desk, disk) = desk_on(FakeDisk::default());
        desk.store.is(Mood::Away);
        let rows = rows(9);
        desk.record(rows[..3].to_vec());
        sleep(secs(1)).await;
        disk.is(mood);
        desk.record(rows[3..6].to_vec());
        sleep(secs(1)).await;
        assert_eq!((desk.backlog.works(), desk.counts("parsec_spool_up"), desk.rows_waiting()), (false, 0, 6));
        disk.is(DiskMood::Works);
        desk.record(rows[6..].to_vec());
        sleep(secs(1)).await;
        assert_eq!((desk.backlog.works(), desk.counts("parsec_spool_up")), (true, 1), "{mood:?}");
        assert_eq!(disk.read(|disk| disk.rows.clone()), rows, "{mood:?}");
        desk.store.is(Mood::Works);
        assert_eq!(desk.written(9).await, rows, "{mood:?}");
    }
}

#[actix::test]
async fn rows_in_memory_are_written_although_the_disk_is_broken() {
    let (desk, disk) = desk();
    disk.is(DiskMood::Broken);
    let rows = rows(3);
    desk.record(rows.clone());
    assert_eq!(desk.written(3).await, rows);
    sleep(secs(1)).await;
    assert_eq!((desk.rows_written(), desk.rows_lost()), (3, 0));
}

#[actix::test]
async fn a_row_that_is_offered_again_because_the_disk_broke_after_it_was_written_is_written_once() {
    let (desk, disk) = desk();
    desk.store.takes(Call::Record, [], Mood::Hangs);
    let rows = rows(3);
    desk.record(rows.clone());
    desk.store.until("a write is under way", |store| !store.asked(Call::Record).is_empty()).await;
    disk.is(DiskMood::Broken);
    desk.store.takes(Call::Record, [], Mood::Works);
    desk.written(3).await;
    sleep(secs(1)).await;
    disk.is(DiskMood::Works);
    desk.store.until("the rows are offered again", |store| store.batches.len() == 2).await;
    sleep(secs(1)).await;
    assert_eq!(desk.written(3).await, rows);
    assert_eq!((desk.rows_written(), disk.read(|disk| disk.rows.len())), (3, 0));
}

#[actix::test]
async fn what_has_waited_for_too_long_is_let_go_of_and_counted() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    desk.record(rows(5));
    sleep(secs(1)).await;
    disk.change(|disk| disk.too_old = 2);
    sleep(secs(60)).await;
    assert_eq!((desk.rows_lost(), desk.rows_waiting()), (2, 3));
}

#[actix::test]
async fn rows_that_a_damaged_disk_has_lost_are_counted_once_and_the_others_are_written_at_once() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    let rows = rows(5);
    desk.record(rows.clone());
    sleep(secs(1)).await;
    disk.change(|disk| disk.lost = 2);
    sleep(secs(60)).await;
    assert_eq!(desk.rows_lost(), 0, "they count when they are done with, so that no other process counts them too");
    desk.store.is(Mood::Works);
    assert_eq!(desk.written(3).await, rows[2..]);
    sleep(secs(1)).await;
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (3, 2, 0));
}

#[actix::test]
async fn a_spool_of_lost_rows_alone_is_done_with_although_the_database_is_away() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    desk.record(rows(2));
    sleep(secs(1)).await;
    disk.change(|disk| disk.lost = 2);
    sleep(secs(60)).await;
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (0, 2, 0));
}

#[actix::test]
async fn what_is_found_while_the_spool_is_looked_after_is_written_and_counted() {
    let (desk, disk) = desk();
    let rows = rows(3);
    let (in_hand, lost) = (rows.clone(), 4);
    disk.change(|disk| disk.found = Recovered { in_hand, lost, ..Recovered::default() });
    assert_eq!(desk.written(3).await, rows, "rows that the disk did not take are in memory");
    sleep(secs(1)).await;
    assert_eq!((desk.rows_written(), desk.rows_lost()), (3, 4));
}

#[actix::test]
async fn a_disk_that_can_be_used_only_later_is_tried_again() {
    pause();
    let disk = FakeDisk::default();
    disk.is(DiskMood::Broken);
    let (desk, disk) = desk_on(disk);
    sleep(secs(1)).await;
    assert!(!desk.backlog.works());
    disk.is(DiskMood::Works);
    disk.change(|disk| disk.found = Recovered { opened: true, ..Recovered::default() });
    sleep(secs(10)).await;
    assert!(desk.backlog.works(), "rounds are noted on it again");
}

/// As on a server, which has a row now and then: its rows went to the database, and nothing is left that could be tried with.
#[actix::test]
async fn a_disk_that_took_nothing_and_does_again_is_noticed_without_a_row() {
    pause();
    for mood in [DiskMood::Full, DiskMood::Broken] {
        let (desk, disk) = desk_on(FakeDisk::default());
        disk.is(mood);
        desk.record(rows(1));
        desk.written(1).await;
        sleep(secs(30)).await;
        assert_eq!(
            (desk.backlog.works(), desk.counts("parsec_spool_up"), desk.rows_waiting()),
            (false, 0, 0),
            "{mood:?}"
        );
        disk.is(DiskMood::Works);
        sleep(secs(11)).await;
        assert_eq!((desk.backlog.works(), desk.counts("parsec_spool_up")), (true, 1), "{mood:?}");
    }
}

#[actix::test]
async fn a_spool_that_is_half_full_takes_rows_without_their_traces() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    let traced = |row: &Row| matches!(row, Row::Attempt(attempt) if attempt.result.trace.is_some());
    desk.record(rows(1));
    sleep(secs(1)).await;
    disk.change(|disk| disk.bytes = 501);
    desk.record(rows(1));
    sleep(secs(1)).await;
    let kept: Vec<_> = disk.read(|disk| disk.rows.iter().map(traced).collect());
    assert_eq!(kept, [true, false]);
    assert_eq!(desk.counts("parsec_recorder_traces_lost_total"), 1);
}

#[actix::test]
async fn told_to_stop_without_a_database_it_leaves_the_rows_on_disk_and_does_not_wait() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Away);
    desk.record(rows(3));
    assert_eq!(desk.stop().ask(Stop).await, Ok(()));
    assert_eq!((disk.read(|disk| disk.rows.len()), desk.rows_lost()), (3, 0));
}

#[actix::test]
async fn told_to_stop_with_a_database_that_hangs_it_leaves_the_rows_on_disk_in_time() {
    let (desk, disk) = desk();
    desk.store.is(Mood::Hangs);
    desk.record(rows(3));
    desk.store.until("a write is under way", |store| !store.asked(Call::Record).is_empty()).await;
    assert_eq!(desk.stop().ask(Stop).await, Ok(()));
    assert_eq!((disk.read(|disk| disk.rows.len()), desk.rows_lost()), (3, 0));
}

#[actix::test]
async fn attempts_are_on_disk_before_they_begin_and_forgotten_when_their_round_has_ended() {
    let setup = Setup { probes: 2, ..Setup::of(3) };
    setup.servers.takes(1, Question::Provide, How::Hangs);
    setup.servers.takes(2, Question::Retrieve, How::Hangs);
    let disk = FakeDisk::default();
    let rig = setup.play_on(Backlog::on_disk(disk.spool()));
    let announced = || {
        let attempts: Vec<_> = disk.read(|disk| disk.announced.values().flatten().cloned().collect());
        assert!(attempts.iter().all(|attempt| attempt.result.class == OutcomeClass::RecordLost));
        attempts.into_iter().map(|attempt| (attempt.kind, attempt.node.0, attempt.probe)).collect::<Vec<_>>()
    };
    let (provide, retrieve) = (OperationKind::Provide, OperationKind::Retrieve);

    let planned = || disk.read(|disk| disk.planned.values().flatten().count());
    rig.servers.until_asked(1, Question::Provide, 1).await;
    assert_eq!((announced(), planned()), (vec![(provide, 1, 0)], 4), "the lookups are planned, and have not begun");
    rig.servers.takes(1, Question::Provide, How::Works);
    rig.servers.until_asked(2, Question::Retrieve, 1).await;
    sleep(millis(1)).await;
    let lookups = [(retrieve, 2, 0), (retrieve, 2, 1), (retrieve, 3, 0), (retrieve, 3, 1)];
    assert_eq!((announced(), planned()), ([&[(provide, 1, 0)], &lookups[..]].concat(), 0));
    let noted: Vec<_> = disk.read(|disk| disk.announced.values().flatten().map(|attempt| attempt.id).collect());
    rig.servers.takes(2, Question::Retrieve, How::Works);

    let round = rig.rounds(1).await.remove(0);
    sleep(millis(500)).await;
    assert_eq!(announced(), []);
    assert_eq!(round.outcome(), RoundOutcome::Complete);
    let mut recorded: Vec<_> = round.attempts.iter().map(|attempt| attempt.id).collect();
    recorded.sort_unstable();
    assert_eq!(recorded, noted, "the rows have the identities that were noted");
}

/// Killed in between, a process would leave the row of a round that nobody ends.
#[actix::test]
async fn the_row_of_a_round_comes_to_disk_after_the_note_of_what_it_attempts() {
    let setup = Setup::of(3);
    let disk = FakeDisk::default();
    let rig = setup.play_on(Backlog::on_disk(disk.spool()));
    rig.rounds(1).await;
    sleep(millis(500)).await;
    assert!(disk.read(|disk| disk.pushes) > 0);
    assert_eq!(disk.read(|disk| disk.unannounced.clone()), []);
}

#[actix::test]
async fn lookups_that_were_planned_are_forgotten_when_the_publication_has_failed() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Measures(OutcomeClass::Timeout));
    let disk = FakeDisk::default();
    let rig = setup.play_on(Backlog::on_disk(disk.spool()));
    assert_eq!(rig.rounds(1).await[0].outcome(), RoundOutcome::ProvideFailed);
    sleep(millis(500)).await;
    assert_eq!(disk.read(|disk| (disk.announced.len(), disk.planned.len())), (0, 0));
    assert_eq!(rig.store.read(|store| store.attempts().len()), 1);
}

#[actix::test]
async fn lookups_are_noted_as_they_begin_with_the_key_that_the_provider_wrote() {
    let setup = Setup::of(2);
    setup.servers.takes(1, Question::Provide, How::VersionOne);
    setup.servers.takes(2, Question::Retrieve, How::Hangs);
    let disk = FakeDisk::default();
    let rig = setup.play_on(Backlog::on_disk(disk.spool()));
    rig.servers.until_asked(2, Question::Retrieve, 1).await;
    sleep(millis(1)).await;
    let noted: Vec<_> = disk.read(|disk| disk.announced.values().flatten().cloned().collect());
    let lookup = noted.iter().find(|attempt| attempt.kind == OperationKind::Retrieve).unwrap();
    assert!(lookup.cid.starts_with("bafk"), "{lookup:?}");
    rig.servers.takes(2, Question::Retrieve, How::Works);
    let round = rig.rounds(1).await.remove(0);
    let recorded = round.attempts.iter().find(|attempt| attempt.id == lookup.id).unwrap();
    assert_eq!((recorded.due, &recorded.cid), (lookup.due, &lookup.cid));
}

/// Lets time go on until `done`: a thread that waits for a disk keeps the clock from running by itself.
pub(crate) async fn time_goes_on<T>(done: impl Future<Output = T>) -> T {
    let clock = async {
        loop {
            advance(millis(100)).await;
        }
    };
    tokio::select! {
        done = done => done,
        () = clock => unreachable!("it goes on for ever"),
    }
}

#[actix::test]
async fn a_publication_waits_for_a_slow_disk_to_note_it() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Hangs);
    let disk = FakeDisk::default();
    disk.is(DiskMood::Hangs);
    let rig = setup.play_on(Backlog::on_disk(disk.spool()));
    time_goes_on(sleep(secs(4))).await;
    assert!(rig.servers.asked(Question::Provide).is_empty(), "killed now, the attempt would be lost");
    // The clock stands still from here on until the disk has answered.
    disk.is(DiskMood::Works);
    rig.servers.until_asked(1, Question::Provide, 1).await;
    assert!(!disk.read(|disk| disk.announced.is_empty()));
    rig.servers.takes(1, Question::Provide, How::Works);
    assert_eq!(rig.rounds(1).await[0].outcome(), RoundOutcome::Complete);
}

#[actix::test]
async fn a_disk_that_hangs_holds_up_one_round_for_seconds_and_no_other() {
    let setup = Setup::of(3);
    let disk = FakeDisk::default();
    disk.is(DiskMood::Hangs);
    let rig = setup.play_on(Backlog::on_disk(disk.spool()));
    time_goes_on(rig.until_heard(1)).await;
    let took = rig.began.elapsed();
    assert!(took < secs(30), "{took:?}");
    disk.is(DiskMood::Works);
    assert_eq!(rig.rounds(1).await[0].outcome(), RoundOutcome::Complete);
}
