//! The search for incidents is calibrated like an instrument: quiet stretches of time, in which it may find next to nothing, and
//! stretches with something planted in them, which it has to find.
//!
//! Every figure here is printed (`cargo test -p parsec-results --test incidents -- --nocapture`) and stands in `docs/methods.md`.

#![expect(clippy::print_stdout, reason = "it reports figures")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{
    ArchivedOperation, AttemptId, History, NodeId, NotedAttempt, OperationKind, OutcomeClass, Round, RoundId,
    RoundOutcome, SchedulerId, ServerLife,
};
use parsec_results::incidents::{Incident, What, end_of_model, find};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use uuid::Uuid;

/// How often a quiet stretch is tried: the rate is then known to within a percentage point or two.
const QUIET: u64 = 400;

/// How often something planted is looked for.
const PLANTED: u64 = 100;

const FLEETS: [&str; 2] = ["default", "optprov"];
const REGIONS: [&str; 3] = ["eu-central-1", "us-east-2", "ap-south-2"];

/// One round a minute for eight hours.
const ROUNDS: i64 = 480;

fn at(round: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(round)
}

fn normal(rng: &mut Pcg64Mcg) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn id(round: i64, fleet: usize, number: usize) -> Uuid {
    let millis = u128::try_from(at(round).timestamp_millis()).unwrap();
    Uuid::from_u128((millis << 80) | ((fleet as u128) << 64) | number as u128)
}

/// Eight hours in which nothing happens: two fleets with a server in each of three regions, each round a publication by one of them and a
/// lookup by each of the others. Times are lognormal, share a third of their variance within a round, and 6 % fail.
fn quiet(seed: u64) -> History {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut history = History::default();
    for (fleet, name) in FLEETS.into_iter().enumerate() {
        for (region, place) in REGIONS.into_iter().enumerate() {
            history.servers.push(ServerLife {
                id: NodeId((3 * fleet + region) as i32),
                fleet: name.to_owned(),
                region: place.to_owned(),
                peer_id: format!("12D3KooW{name}{place}"),
                created: at(-10),
                last_heartbeat: Some(at(ROUNDS)),
                offline_since: None,
            });
        }
        for round in 0..ROUNDS {
            play(&mut history, &mut rng, fleet, round);
        }
    }
    history
}

fn play(history: &mut History, rng: &mut Pcg64Mcg, fleet: usize, number: i64) {
    let round = RoundId(id(number, fleet, 0));
    let publisher = rng.random_range(0..REGIONS.len());
    let (common, bad) = (normal(rng), normal(rng));
    for region in 0..REGIONS.len() {
        let kind = if region == publisher { OperationKind::Provide } else { OperationKind::Retrieve };
        let own =
            |common: f64, rng: &mut Pcg64Mcg| (1.0_f64 / 3.0).sqrt() * common + (2.0_f64 / 3.0).sqrt() * normal(rng);
        let median = if kind == OperationKind::Provide { 8.0 } else { 0.6 };
        let seconds = median * (0.7 * own(common, rng)).exp();
        // A standard normal variable is below -1.555 in 6 % of cases.
        let failed = own(bad, rng) < -1.555;
        let class = if failed { OutcomeClass::Timeout } else { OutcomeClass::Ok };
        let started = at(number) + TimeDelta::milliseconds(10 * region as i64);
        let duration = Duration::from_secs_f64(if failed { 60.0 } else { seconds });
        let operation = ArchivedOperation {
            id: AttemptId(id(number, fleet, region + 1)),
            round,
            node: NodeId((3 * fleet + region) as i32),
            kind,
            probe: 0,
            class,
            started,
            duration,
            from_own_records: false,
        };
        let ended = started + duration;
        history.attempts.push(NotedAttempt { operation, ended, written: ended + TimeDelta::milliseconds(150) });
    }
    history.rounds.push(Round {
        id: round,
        scheduler: SchedulerId(fleet as i32),
        fleets: FLEETS[fleet].parse().unwrap(),
        provider: Some(NodeId((3 * fleet + publisher) as i32)),
        nodes_listed: 3,
        nodes_ready: 3,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: at(number),
        started: at(number),
        ended: Some((at(number) + TimeDelta::seconds(50), RoundOutcome::Complete)),
    });
}

fn found(history: &History) -> Vec<Incident> {
    find(history, at(ROUNDS)).incidents
}

/// The attempts of the first server that were started in these rounds.
fn of_first_server(history: &mut History, rounds: std::ops::Range<i64>) -> impl Iterator<Item = &mut NotedAttempt> {
    let (from, to) = (at(rounds.start), at(rounds.end));
    let all = history.attempts.iter_mut();
    all.filter(move |noted| noted.operation.node == NodeId(0) && (from..to).contains(&noted.operation.started))
}

/// In how many percent of so many histories something `is_so`.
fn rate(what: &str, times: u64, is_so: impl Fn(u64) -> bool + Sync) -> f64 {
    let halves: Vec<u64> = std::thread::scope(|scope| {
        let is_so = &is_so;
        let half =
            |odd: u64| scope.spawn(move || (0..times).filter(|seed| seed % 2 == odd && is_so(*seed)).count() as u64);
        [half(0), half(1)].into_iter().map(|half| half.join().unwrap()).collect()
    });
    let rate = 100.0 * halves.iter().sum::<u64>() as f64 / times as f64;
    println!("{what}: {rate:.1} % of {times}");
    rate
}

/// Whether one of these is from about `from` until about `to`, to within so many rounds.
fn is_about(incident: &Incident, from: i64, to: Option<i64>, within: i64) -> bool {
    let near = |time: DateTime<Utc>, round: i64| (time - at(round)).num_minutes().abs() <= within;
    near(incident.from, from)
        && incident.to.map(|time| to.is_some_and(|round| near(time, round))) != Some(false)
        && incident.to.is_some() == to.is_some()
}

#[test]
fn a_quiet_stretch_shows_something_at_most_once_in_twenty() {
    let alarms = rate("quiet, anything reported", QUIET, |seed| !found(&quiet(seed)).is_empty());
    assert!(alarms <= 5.0, "{alarms}");
}

#[test]
fn a_burst_of_failures_is_found_where_it_was() {
    let hits = rate("half an hour in which 70 % of what one region does fails", PLANTED, |seed| {
        let mut history = quiet(seed);
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        for noted in of_first_server(&mut history, 100..130) {
            if rng.random_bool(0.7) {
                noted.operation.class = OutcomeClass::DialFailed;
            }
        }
        found(&history).iter().any(|incident| {
            matches!(incident.what, What::FailureBurst { .. })
                && incident.place.region.as_deref() == Some(REGIONS[0])
                && is_about(incident, 100, Some(130), 10)
        })
    });
    assert!(hits >= 80.0, "{hits}");
}

#[test]
fn a_shift_of_p90_is_found_where_it_was() {
    let hits = rate("lookups of one region take 2.5 times as long from the middle on", PLANTED, |seed| {
        let mut history = quiet(seed);
        for noted in of_first_server(&mut history, ROUNDS / 2..ROUNDS) {
            if noted.operation.class == OutcomeClass::Ok {
                noted.operation.duration = noted.operation.duration.mul_f64(2.5);
            }
        }
        found(&history).iter().any(|incident| {
            let What::P90Shift { before, after, .. } = &incident.what else { return false };
            before.value.seconds() < after.value.seconds()
                && incident.place.kind == Some(OperationKind::Retrieve)
                && is_about(incident, ROUNDS / 2, None, 20)
        })
    });
    assert!(hits >= 80.0, "{hits}");
}

#[test]
fn an_outage_a_lost_server_and_lost_results_are_always_found() {
    for seed in 0..20 {
        let mut history = quiet(seed);
        for noted in &mut history.attempts {
            if (at(50)..at(60)).contains(&noted.ended) {
                noted.written = at(60) + TimeDelta::seconds(3);
            }
        }
        history.servers[1].offline_since = Some(at(80));
        history.servers.push(ServerLife {
            id: NodeId(9),
            created: at(90),
            offline_since: None,
            ..history.servers[1].clone()
        });
        history.rounds.retain(|round| round.scheduler != SchedulerId(1) || !(at(30)..at(40)).contains(&round.due));
        history.attempts[600].operation.class = OutcomeClass::RecordLost;
        let incidents = found(&history);
        let there = |name: &str, from: i64, to: Option<i64>| {
            let is_it = |incident: &&Incident| incident.what.as_str() == name && is_about(incident, from, to, 1);
            assert!(incidents.iter().any(|incident| is_it(&incident)), "no {name} in {incidents:#?}");
        };
        there("database_away", 50, Some(60));
        there("server_lost", 80, Some(90));
        there("no_rounds", 30, Some(40));
        assert!(incidents.iter().any(|incident| incident.what.as_str() == "records_lost"), "{incidents:#?}");
    }
}

#[test]
fn the_same_history_gives_the_same_incidents() {
    let mut history = quiet(3);
    of_first_server(&mut history, 10..40).for_each(|noted| noted.operation.class = OutcomeClass::NoPeers);
    let (one, other) = (found(&history), found(&history));
    assert_eq!(one, other);
    assert!(!one.is_empty());
}

#[test]
fn a_model_ends_in_good_order_whenever_one_looks() {
    let mut history = quiet(1);
    history.servers.iter_mut().for_each(|server| server.offline_since = Some(at(ROUNDS)));
    let later = at(ROUNDS) + TimeDelta::days(2);
    let told = |history: &History, end| {
        let found = find(history, end).incidents;
        found
            .into_iter()
            .map(|one| one.what.as_str())
            .filter(|what| ["server_lost", "no_rounds"].contains(what))
            .count()
    };
    assert_eq!(told(&history, later), 6 + 2, "six servers and the rounds of two fleets, were it not a model");
    let end = end_of_model(&history, later);
    assert_eq!((end.max(at(ROUNDS - 1)), told(&history, end)), (end, 0));
    // Nobody said goodbye: the process was killed.
    history.servers.iter_mut().for_each(|server| server.offline_since = None);
    assert_eq!((told(&history, later), told(&history, end)), (6 + 2, 0));
    // Who is silent while others measure has gone.
    history.servers[0].last_heartbeat = Some(at(ROUNDS / 2));
    history.servers[1].offline_since = Some(at(ROUNDS / 2));
    assert_eq!(told(&history, end), 2);
    assert_eq!(end_of_model(&history, at(7)), at(7), "somebody wants to know about the beginning");
    assert_eq!(end_of_model(&History::default(), later), later);
}
