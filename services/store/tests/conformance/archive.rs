//! Reading many measurements back.

use std::collections::BTreeMap;

use parsec_measure::{ArchivedNode, ArchivedOperation, AttemptId, NodeId, OperationKind, OutcomeClass, RoundOutcome};
use parsec_store::{Archive, NewNode, Row, Selection, each_counted};
use serde_json::json;
use uuid::Uuid;

use super::database::Database;
use super::samples::{Pair, at, new_node, register_node};

/// An identity as it is made at a time, the `number`-th.
pub(crate) fn identity(second: i64, number: u128) -> AttemptId {
    let millis = u128::try_from(at(second).timestamp_millis()).unwrap();
    AttemptId(Uuid::from_u128((millis << 80) | number))
}

/// All that is selected, as figures need it.
async fn all_of(archive: &dyn Archive, selection: &Selection) -> Vec<ArchivedOperation> {
    let mut all = Vec::new();
    assert_eq!(each_counted(archive, selection, at(4_000), |operation| all.push(*operation)).await.unwrap(), 0);
    all
}

async fn record(database: &Database, pair: Pair, second: i64, number: u128, kind: OperationKind) {
    let mut attempt = pair.attempt(number, kind);
    (attempt.id, attempt.started) = (identity(second, number), at(second));
    database.store.record(&[Row::Attempt(attempt)]).await.unwrap();
}

pub(crate) async fn what_was_measured_is_read_back_in_the_order_of_time(database: &Database) {
    let pair = Pair::registered(database).await;
    for (number, second) in [(1, 300), (2, 100), (3, 200)] {
        record(database, pair, second, number, OperationKind::Provide).await;
    }
    let archive = database.archive().await;
    let all = all_of(&*archive, &Selection::default()).await;
    let started: Vec<_> = all.iter().map(|operation| operation.started.timestamp() - at(0).timestamp()).collect();
    assert_eq!(started, [100, 200, 300]);
    let (written, read) = (pair.attempt(3, OperationKind::Provide), all[1]);
    assert_eq!((read.node, read.kind, read.class), (pair.node, OperationKind::Provide, OutcomeClass::Ok));
    assert_eq!((read.round, read.duration, read.probe), (written.round, written.result.duration, written.probe));
}

pub(crate) async fn what_was_measured_is_selected_by_time_fleet_and_region(database: &Database) {
    let pair = Pair::registered(database).await;
    let other = Pair { node: register_node(database, "fullrt").await, ..pair };
    record(database, pair, 100, 1, OperationKind::Provide).await;
    record(database, pair, 200, 2, OperationKind::Provide).await;
    record(database, other, 200, 3, OperationKind::Retrieve).await;
    let archive = database.archive().await;
    let count = async |selection: Selection| all_of(&*archive, &selection).await.len();
    let all = Selection::default();
    assert_eq!(count(Selection { since: Some(at(200)), ..all.clone() }).await, 2);
    assert_eq!(count(Selection { until: Some(at(200)), ..all.clone() }).await, 1);
    assert_eq!(count(Selection { fleets: vec!["fullrt".parse().unwrap()], ..all.clone() }).await, 1);
    assert_eq!(count(Selection { regions: vec!["eu-central-1".to_owned()], ..all.clone() }).await, 3);
    assert_eq!(count(Selection { kind: Some(OperationKind::Retrieve), ..all.clone() }).await, 1);
    assert_eq!(count(Selection { regions: vec!["elsewhere".to_owned()], ..all }).await, 0);
}

pub(crate) async fn what_figures_are_made_of_is_what_was_measured_in_stretches(database: &Database) {
    let pair = Pair::registered(database).await;
    let other = Pair { node: register_node(database, "fullrt").await, ..pair };
    for number in 0..40 {
        let (kind, of) = match number % 3 {
            0 => (OperationKind::Provide, pair),
            1 => (OperationKind::Retrieve, pair),
            _ => (OperationKind::Retrieve, other),
        };
        let mut attempt = of.attempt(number, kind);
        (attempt.id, attempt.started) = (identity(100 * number as i64, number), at(100 * number as i64));
        attempt.probe = number as u32 % 2;
        if number % 4 == 0 {
            (attempt.result.class, attempt.result.error) = (OutcomeClass::Timeout, Some("too slow".to_owned()));
            attempt.result.from_own_records = kind == OperationKind::Retrieve;
        }
        database.store.record(&[Row::Attempt(attempt)]).await.unwrap();
    }
    let (archive, traces) = (database.archive().await, database.traces().await);
    let all = Selection { since: Some(at(0)), ..Selection::default() };
    for selection in [
        all.clone(),
        Selection { until: Some(at(2_000)), ..all.clone() },
        Selection { fleets: vec!["fullrt".parse().unwrap()], ..all.clone() },
        Selection { kind: Some(OperationKind::Provide), ..all },
    ] {
        let mut found = Vec::new();
        for stretch in selection.stretches(7, at(4_000)) {
            let page = archive.counted(&selection, stretch).await.unwrap();
            assert_eq!((page.unread, page.rest), (0, None));
            found.extend(page.attempts);
        }
        let expected = traces.sampled(&selection, None).await.unwrap().rows;
        let expected: Vec<_> = expected.into_iter().map(|sampled| sampled.operation).collect();
        assert!(!expected.is_empty());
        assert_eq!(found, expected, "{selection:?}");
        assert_eq!(all_of(&*archive, &selection).await, expected, "{selection:?}");
    }
}

pub(crate) async fn a_server_is_named_as_far_as_it_says_what_it_is(database: &Database) {
    let (strategy, package) = (json!({ "strategy": "optprov" }), json!({ "package": "parsec", "version": "0.1.0" }));
    let both = json!({ "strategy": "optprov", "package": "parsec", "version": "0.1.0", "crates": {} });
    let placed = json!({ "network": "simulated:amino-2022" });
    // The original says other things of itself, and whoever wrote a row may have meant anything.
    let foreign =
        [json!({ "github.com/libp2p/go-libp2p": "v0.36.0" }), json!(null), json!([]), json!("parsec"), json!(7)];
    let empty = json!({ "strategy": "", "package": "", "version": "1" });
    let silent = foreign.into_iter().chain([empty]).map(|said| (said, None, None));
    let said = [
        (both, Some("optprov"), Some("parsec/0.1.0")),
        (strategy, Some("optprov"), None),
        (package, None, Some("parsec/0.1.0")),
        (placed.clone(), None, None),
    ];
    let mut expected = BTreeMap::new();
    for (dependencies, strategy, agent) in said.into_iter().chain(silent) {
        let network = (dependencies == placed).then(|| "simulated:amino-2022".to_owned());
        let row = NewNode { dependencies, ..new_node("default") };
        let node = ArchivedNode {
            fleet: "default".to_owned(),
            region: "eu-central-1".to_owned(),
            peer_id: "12D3KooWSample".to_owned(),
            strategy: strategy.map(str::to_owned),
            agent: agent.map(str::to_owned),
            network,
        };
        expected.insert(database.store.register_node(row).await.unwrap(), node);
    }
    assert_eq!(database.archive().await.nodes().await.unwrap(), expected);
    if !database.is_postgres() {
        // SQLite takes what is no JSON, too.
        database.execute("UPDATE nodes_ecs SET dependencies = 'parsec'").await;
        let nodes = database.archive().await.nodes().await.unwrap();
        assert!(nodes.values().all(|node| node.strategy.is_none() && node.agent.is_none()), "{nodes:?}");
    }
}

pub(crate) async fn what_processes_said_when_they_started_is_read_of_those_that_are_asked_about(database: &Database) {
    let said = json!({ "version": "0.1.0", "crates": { "libp2p": "0.57.1" }, "probes": 2 });
    let row = NewNode { dependencies: said.clone(), cmd: "é".repeat(9_000), ..new_node("default") };
    let server = database.store.register_node(row).await.unwrap();
    let silent =
        database.store.register_node(NewNode { dependencies: json!(null), ..new_node("fullrt") }).await.unwrap();
    let fleets = "default+fullrt".parse().unwrap();
    let scheduler = database.store.register_scheduler(&fleets, said, at(7)).await.unwrap();
    let setups = parsec_store::open_setups(&database.config()).await.unwrap();
    let servers = setups.servers(&[server, silent, NodeId(1 << 30)].into()).await.unwrap();
    assert_eq!(servers.keys().copied().collect::<Vec<_>>(), [server, silent]);
    let expected = [("crates.libp2p", "0.57.1"), ("probes", "2"), ("version", "0.1.0")];
    let expected = BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (found, nothing) = (&servers[&server], &servers[&silent]);
    assert_eq!((found.of.as_str(), found.region.as_str(), &found.said), ("default", "eu-central-1", &expected));
    assert_eq!((found.cmd.chars().count(), nothing.said.len(), nothing.cmd.as_str()), (4_096, 0, "parsec server"));
    let loops = setups.schedulers(&[scheduler].into()).await.unwrap();
    let found = &loops[&scheduler];
    assert_eq!(
        (found.of.as_str(), &found.said, found.started.timestamp()),
        ("default+fullrt", &expected, at(7).timestamp())
    );
    assert!(setups.servers(&[].into()).await.unwrap().is_empty());
}

pub(crate) async fn rounds_are_counted_by_what_became_of_them(database: &Database) {
    let pair = Pair::registered(database).await;
    let ended = pair.round(Some(RoundOutcome::Complete));
    let mut open = pair.round(None);
    open.id.0 = Uuid::from_u128(2);
    database.store.record(&[Row::Round(ended), Row::Round(open)]).await.unwrap();
    let archive = database.archive().await;
    let rounds = archive.rounds(&Selection::default()).await.unwrap();
    assert_eq!(rounds.played, BTreeMap::from([(None, 1), (Some(RoundOutcome::Complete), 1)]));
    assert_eq!(rounds.skipped, 2);
    let of = async |fleet: &str| {
        let selection = Selection { fleets: vec![fleet.parse().unwrap()], ..Selection::default() };
        archive.rounds(&selection).await.unwrap().skipped
    };
    assert_eq!((of("fullrt").await, of("optprov").await), (2, 0));
}

pub(crate) async fn whoever_may_only_read_reads_everything(database: &Database) {
    let pair = Pair::registered(database).await;
    record(database, pair, 100, 1, OperationKind::Provide).await;
    let archive = database.archive_for_readers().await;
    assert_eq!(all_of(&*archive, &Selection::default()).await.len(), 1);
    assert_eq!(archive.nodes().await.unwrap().len(), 1);
    assert_eq!(archive.rounds(&Selection::default()).await.unwrap().skipped, 0);
}

pub(crate) async fn the_version_of_the_tables_is_read_where_it_may_be(database: &Database) {
    let version = database.store.migrate().await.unwrap().after.own;
    assert!(version.is_some());
    assert_eq!(database.archive_for_readers().await.schema_version().await.unwrap(), version);
    database.execute("DROP TABLE __diesel_schema_migrations").await;
    assert_eq!(database.archive().await.schema_version().await.unwrap(), None);
}
