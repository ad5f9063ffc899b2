//! Nothing that keeps books stands between two measured moments: a recorder, a disk or a database that hangs delays no
//! operation, and every row is there once all the same.

use std::collections::BTreeSet;
use std::time::Duration;

use actix::prelude::*;
use parsec_actors::recording::recorder::{Announce, Backlog, Begin, Recorder};
use parsec_actors::supervision::ask::Ask;
use parsec_actors::supervision::supervise::Child;
use parsec_measure::{OperationKind, OutcomeClass, RoundOutcome};
use tokio::time::{Instant, advance, sleep};

use crate::fakes::{Call, DiskMood, FakeDisk, How, Mood, Question, counted, millis, secs};
use crate::rig::{Played, Rig, Setup};

const OK: OutcomeClass = OutcomeClass::Ok;

/// How much later than it is due an operation may begin.
const TOLERANCE: Duration = Duration::from_millis(50);

/// How long the first publication takes.
const PUBLICATION: Duration = Duration::from_secs(4);

/// Reads no mail for this long.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Hang(pub(crate) Duration);

/// Somebody in front of the recorder who can be made to hang.
pub(crate) struct HangingRecorder {
    announce: Ask<Announce>,
    begin: Ask<Begin>,
}

impl HangingRecorder {
    pub(crate) fn before(recorder: &Child<Recorder>) -> Self {
        Self { announce: recorder.ask(secs(60)), begin: recorder.ask(secs(60)) }
    }
}

impl Actor for HangingRecorder {
    type Context = Context<Self>;
}

impl Handler<Hang> for HangingRecorder {
    type Result = ();

    fn handle(&mut self, Hang(duration): Hang, context: &mut Self::Context) {
        context.wait(sleep(duration).into_actor(self));
    }
}

impl Handler<Announce> for HangingRecorder {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, round: Announce, _: &mut Self::Context) -> Self::Result {
        let announce = self.announce.clone();
        Box::pin(async move { announce.ask(round).await.unwrap() })
    }
}

impl Handler<Begin> for HangingRecorder {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, round: Begin, _: &mut Self::Context) -> Self::Result {
        let begin = self.begin.clone();
        Box::pin(async move { begin.ask(round).await.unwrap() })
    }
}

/// Nodes of which the first publishes for [`PUBLICATION`], and a recorder that can hang.
fn setup(nodes: u8) -> Setup {
    let setup = Setup { recorder_can_hang: true, ..Setup::of(nodes) };
    setup.servers.takes(1, Question::Provide, How::Slow(PUBLICATION));
    setup
}

/// When the questions of one kind came.
fn at(rig: &Rig, question: Question) -> Vec<Instant> {
    rig.servers.asked(question).into_iter().map(|asked| asked.at).collect()
}

/// All lookups of the first round began as soon as the publication had returned.
fn lookups_were_on_time(rig: &Rig, count: usize) {
    let returned = at(rig, Question::Provide)[0] + PUBLICATION;
    let begun = at(rig, Question::Retrieve);
    assert!(begun.len() >= count, "{begun:?}");
    for lookup in &begun[..count] {
        assert!(*lookup >= returned && *lookup - returned <= TOLERANCE, "{:?} late", *lookup - returned);
    }
}

/// Every attempt of the round has one row, and none was given up.
fn nothing_is_lost(rig: &Rig, round: &Played, attempts: usize) {
    let ids: BTreeSet<_> = round.attempts.iter().map(|attempt| attempt.id).collect();
    assert_eq!((round.attempts.len(), ids.len()), (attempts, attempts), "{round:?}");
    assert!(counted(&rig.metrics, "parsec_recorder_rows_lost_total").abs() < f64::EPSILON);
    let publication = round.attempts.iter().find(|attempt| attempt.kind == OperationKind::Provide).unwrap();
    let lookups = || round.attempts.iter().filter(|attempt| attempt.kind == OperationKind::Retrieve);
    let asked = lookups().filter(|lookup| lookup.result.class == OK);
    assert!(asked.clone().count() > 0);
    for lookup in asked {
        assert_eq!(lookup.due, publication.ended, "due when the answer to the publication was there");
        assert!(lookup.started >= lookup.due);
    }
}

#[actix::test]
async fn a_recorder_that_hangs_delays_no_lookup_and_no_publication() {
    let rig = setup(4).play();
    let hanging = rig.hanging.clone().unwrap();
    rig.servers.until_asked(1, Question::Provide, 1).await;
    hanging.send(Hang(secs(20))).await.unwrap();
    rig.servers.until_asked(4, Question::Retrieve, 1).await;
    lookups_were_on_time(&rig, 3);
    let round = rig.rounds(1).await.remove(0);
    assert_eq!((round.outcome(), round.lookups()), (RoundOutcome::Complete, vec![(2, OK), (3, OK), (4, OK)]));
    nothing_is_lost(&rig, &round, 4);
}

#[actix::test]
async fn a_recorder_that_hangs_before_the_round_holds_its_publication_up_for_seconds_at_most() {
    let rig = setup(3).play();
    rig.hanging.clone().unwrap().send(Hang(secs(20))).await.unwrap();
    rig.servers.until_asked(1, Question::Provide, 1).await;
    let waited = rig.began.elapsed();
    assert!(waited <= millis(6_010), "as long as a disk may take: {waited:?}");
    rig.servers.until_asked(3, Question::Retrieve, 1).await;
    lookups_were_on_time(&rig, 2);
    nothing_is_lost(&rig, &rig.rounds(1).await.remove(0), 3);
}

#[actix::test]
async fn rows_of_many_servers_that_are_absent_delay_no_lookup() {
    let rig = setup(250);
    (3..=249).for_each(|id| rig.servers.takes(id, Question::Readiness, How::NotReady));
    let rig = rig.play();
    rig.servers.until_asked(1, Question::Provide, 1).await;
    rig.hanging.clone().unwrap().send(Hang(secs(20))).await.unwrap();
    rig.servers.until_asked(250, Question::Retrieve, 1).await;
    lookups_were_on_time(&rig, 2);
    nothing_is_lost(&rig, &rig.rounds(1).await.remove(0), 250);
}

#[actix::test]
async fn a_database_that_hangs_delays_neither_the_publication_nor_the_lookups_of_those_who_are_there() {
    let setup = Setup { probes: 3, ..setup(4) };
    setup.servers.takes(3, Question::Readiness, How::Unreachable);
    setup.servers.takes(4, Question::Retrieve, How::Unreachable);
    setup.store.takes(Call::Record, [], Mood::Hangs);
    let rig = setup.play();
    rig.servers.until_asked(4, Question::Retrieve, 3).await;
    assert!(at(&rig, Question::Provide)[0] - rig.began <= TOLERANCE, "{:?}", rig.began.elapsed());
    lookups_were_on_time(&rig, 6);
    rig.store.is(Mood::Works);
    let round = rig.rounds(1).await.remove(0);
    nothing_is_lost(&rig, &round, 1 + 1 + 2 * 3);
}

#[actix::test]
async fn a_database_that_hangs_when_silent_nodes_are_marked_offline_delays_no_lookup() {
    let setup = setup(5);
    setup.servers.takes(4, Question::Readiness, How::Unreachable);
    setup.servers.takes(5, Question::Retrieve, How::Unreachable);
    setup.store.change(|store| store.fall_silent([4, 5]));
    setup.store.takes(Call::MarkOffline, [], Mood::Hangs);
    let rig = setup.play();
    rig.store.until("both are to be marked offline", |store| store.asked(Call::MarkOffline).len() == 2).await;
    let (before, begun) = (rig.played().len(), Instant::now());
    rig.store.is(Mood::Works);
    rig.rounds(before + 1).await;
    let lookups = at(&rig, Question::Retrieve);
    assert!(lookups.iter().any(|at| *at >= begun && *at - begun <= TOLERANCE), "{begun:?} {lookups:?}");
    let offline: BTreeSet<_> = rig.store.read(|store| store.offline.iter().map(|node| node.0).collect());
    assert_eq!(offline, BTreeSet::from([4, 5]));
}

#[actix::test]
async fn a_disk_that_hangs_delays_no_lookup() {
    let disk = FakeDisk::default();
    let rig = setup(3).play_on(Backlog::on_disk(disk.spool()));
    rig.servers.until_asked(1, Question::Provide, 1).await;
    disk.is(DiskMood::Hangs);
    // A thread that hangs keeps the clock from running by itself.
    let clock = async {
        loop {
            advance(millis(10)).await;
        }
    };
    tokio::select! {
        () = rig.servers.until_asked(3, Question::Retrieve, 1) => {}
        () = clock => {}
    }
    disk.is(DiskMood::Works);
    lookups_were_on_time(&rig, 2);
    nothing_is_lost(&rig, &rig.rounds(1).await.remove(0), 3);
}

#[actix::test]
async fn a_fleet_that_crashes_in_its_publication_leaves_no_rows_of_lookups_that_were_planned() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Panics);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.outcome(), RoundOutcome::Interrupted);
    assert_eq!(round.results(OperationKind::Provide), [(1, OutcomeClass::RecordLost)]);
    assert_eq!(round.lookups(), []);
}

#[actix::test]
async fn what_had_its_result_when_the_fleet_crashed_keeps_it() {
    let setup = setup(3);
    setup.servers.takes(3, Question::Retrieve, How::Panics);
    let rig = setup.play();
    rig.servers.until_asked(1, Question::Provide, 1).await;
    rig.hanging.clone().unwrap().send(Hang(secs(20))).await.unwrap();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.outcome(), RoundOutcome::Interrupted);
    assert_eq!(round.results(OperationKind::Provide), [(1, OK)]);
    assert_eq!(round.lookups(), [(2, OK), (3, OutcomeClass::RecordLost)]);
    assert_eq!(rig.store.read(|store| store.attempts().len()), 3);
}
