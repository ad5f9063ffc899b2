//! Reading what happened.

use chrono::{SubsecRound as _, TimeDelta, Utc};
use parsec_measure::{AttemptId, OperationKind, Round, RoundId, RoundOutcome};
use parsec_store::{MAX_HISTORY_ROWS, Row, Selection, StoreConfig, StoreError, diagnose, open_chronicle, open_glance};
use uuid::Uuid;

use super::database::Database;
use super::samples::{Pair, at};

/// Times are kept to the microsecond.
fn as_kept(round: Round) -> Round {
    let ended = round.ended.map(|(at, outcome)| (at.trunc_subsecs(6), outcome));
    Round { due: round.due.trunc_subsecs(6), started: round.started.trunc_subsecs(6), ended, ..round }
}

pub(crate) async fn what_happened_is_read_back(database: &Database) {
    let pair = Pair::registered(database).await;
    let ended = pair.round(Some(RoundOutcome::Complete));
    let open = Round { id: RoundId(Uuid::from_u128(2)), started: at(500), ..pair.round(None) };
    let attempt = pair.attempt(3, OperationKind::Provide);
    database
        .store
        .record(&[Row::Round(ended.clone()), Row::Round(open.clone()), Row::Attempt(attempt.clone())])
        .await
        .unwrap();
    database.store.heartbeat(pair.node).await.unwrap();
    let chronicle = open_chronicle(&database.config()).await.unwrap();
    let all = chronicle.history(&Selection::default(), MAX_HISTORY_ROWS).await.unwrap();
    assert_eq!(all.rounds, [ended, open].map(as_kept));
    let [noted] = &all.attempts[..] else { panic!("{all:?}") };
    assert_eq!((noted.operation.id, noted.ended), (AttemptId(Uuid::from_u128(3)), attempt.ended.trunc_subsecs(6)));
    assert!((Utc::now() - noted.written).abs() < TimeDelta::minutes(1), "{noted:?}");
    let [server] = &all.servers[..] else { panic!("{all:?}") };
    assert_eq!((server.id, server.fleet.as_str(), server.region.as_str()), (pair.node, "default", "eu-central-1"));
    assert!(server.last_heartbeat.is_some() && server.offline_since.is_none(), "{server:?}");

    let more = chronicle.history(&Selection::default(), 1).await.unwrap_err();
    assert!(matches!(&more, StoreError::Refused(reason) if reason.contains("more than 1 rounds")), "{more:?}");

    // Identities of samples do not tell the time; rounds and attempts are selected by their start besides.
    let none =
        chronicle.history(&Selection { until: Some(at(0)), ..Selection::default() }, MAX_HISTORY_ROWS).await.unwrap();
    assert_eq!((none.rounds.len(), none.attempts.len()), (0, 0));
    let other = Selection { fleets: vec!["optprov".parse().unwrap()], ..Selection::default() };
    let other = chronicle.history(&other, MAX_HISTORY_ROWS).await.unwrap();
    assert_eq!((other.rounds.len(), other.attempts.len(), other.servers.len()), (0, 0, 0));
}

pub(crate) async fn the_newest_is_seen_at_a_glance(database: &Database) {
    let pair = Pair::registered(database).await;
    let older = pair.round(Some(RoundOutcome::Complete));
    let newer = Round { id: RoundId(Uuid::from_u128(2)), ..pair.round(None) };
    let attempts = [3, 4, 5].map(|id| Row::Attempt(pair.attempt(id, OperationKind::Retrieve)));
    database.store.record(&[Row::Round(older.clone()), Row::Round(newer.clone())]).await.unwrap();
    database.store.record(&attempts).await.unwrap();
    let glance = open_glance(&database.config()).await.unwrap();
    assert_eq!(glance.newest_rounds(1).await.unwrap().rows, [as_kept(newer)]);
    let newest = glance.newest_attempts(&Selection::default(), None, 2).await.unwrap().rows;
    let ids =
        |of: &[parsec_measure::NotedAttempt]| of.iter().map(|noted| noted.operation.id.0.as_u128()).collect::<Vec<_>>();
    assert_eq!(ids(&newest), [5, 4]);
    let before = newest.last().map(|noted| noted.operation.id);
    assert_eq!(ids(&glance.newest_attempts(&Selection::default(), before, 2).await.unwrap().rows), [3]);
    let [server] = &glance.servers(None).await.unwrap()[..] else { panic!("one server is registered") };
    assert_eq!((server.life.id, server.life.fleet.as_str(), &server.strategy), (pair.node, "default", &None));
    assert_eq!(glance.servers(Some(Utc::now())).await.unwrap(), [], "it was never heard of, and started long ago");
}

pub(crate) async fn what_others_wrote_oddly_takes_nothing_else_away(database: &Database) {
    let pair = Pair::registered(database).await;
    database.execute("UPDATE nodes_ecs SET fleet = '<b>bold</b>'").await;
    let (round, other) = (pair.round(None), Round { id: RoundId(Uuid::from_u128(2)), ..pair.round(None) });
    database.store.record(&[Row::Round(round.clone()), Row::Round(other)]).await.unwrap();
    database.store.record(&[Row::Attempt(pair.attempt(3, OperationKind::Retrieve))]).await.unwrap();
    let odd = Uuid::from_u128(2);
    database.execute(&format!("UPDATE rounds SET fleets = '<i>, odd' WHERE id = '{odd}'")).await;
    let glance = open_glance(&database.config()).await.unwrap();
    let rounds = glance.newest_rounds(9).await.unwrap();
    assert_eq!((rounds.rows, rounds.unread, rounds.last), (vec![as_kept(round)], 1, Some(Uuid::from_u128(1))));
    assert_eq!(glance.newest_attempts(&Selection::default(), None, 9).await.unwrap().rows.len(), 1);
    let history = glance.history(&Selection::default(), MAX_HISTORY_ROWS).await.unwrap();
    assert_eq!((history.rounds.len(), history.unread_rounds, history.attempts.len()), (1, 1, 1));
    let rounds = glance.rounds(&Selection::default()).await.unwrap();
    assert_eq!((rounds.played.values().sum::<u64>(), rounds.unread), (1, 1));
    let whole = glance.whole(AttemptId(Uuid::from_u128(3))).await.unwrap().unwrap();
    assert_eq!(whole.fleet, "<b>bold</b>");
    database.store.record(&[Row::Attempt(pair.attempt(4, OperationKind::Retrieve))]).await.unwrap();
    let unchecked = if database.is_postgres() {
        "ALTER TABLE operations DROP CONSTRAINT operations_outcome_check"
    } else {
        "PRAGMA ignore_check_constraints = ON"
    };
    let id = Uuid::from_u128(4);
    let spoilt = format!("UPDATE operations SET outcome = 'odd', error = 'odd' WHERE id = '{id}'");
    database.execute(&format!("{unchecked}; {spoilt}")).await;
    let history = glance.history(&Selection::default(), MAX_HISTORY_ROWS).await.unwrap();
    assert_eq!((history.attempts.len(), history.unread_attempts), (1, 1));
    let all = Selection::default();
    let [stretch] = all.stretches(1, Utc::now())[..] else { panic!("one was asked for") };
    let page = glance.counted(&all, stretch).await.unwrap();
    assert_eq!((page.attempts.len(), page.unread, page.rest), (1, 1, None));
    database.execute("UPDATE nodes_ecs SET dependencies = '[\"odd\"]'").await;
    let servers = glance.servers(None).await.unwrap();
    assert!(
        servers.iter().any(|server| server.life.fleet == "<b>bold</b>" && server.strategy.is_none()),
        "{servers:?}"
    );
}

pub(crate) async fn a_database_is_diagnosed_without_a_change(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut attempt = pair.attempt(3, OperationKind::Provide);
    attempt.ended = Utc::now();
    database.store.record(&[Row::Attempt(attempt)]).await.unwrap();
    let fleets = ["default".parse().unwrap()];
    let found = diagnose(&database.config(), &fleets, Utc::now() - TimeDelta::hours(1)).await.unwrap();
    assert_eq!(found.schema.own.as_deref(), Some(found.newest.as_str()));
    assert_eq!((found.read_only, found.closed, found.is_dirty), (None, vec![], false));
    assert!(found.ahead.abs() < TimeDelta::minutes(1), "{}", found.ahead);
    assert_eq!(found.schedulers.iter().map(|other| other.id).collect::<Vec<_>>(), [pair.scheduler]);
    let is_postgres = matches!(database.config(), StoreConfig::Postgres { .. });
    assert_eq!(found.schema.original, is_postgres.then_some(6));
}
