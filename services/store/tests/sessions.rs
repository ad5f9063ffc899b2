//! Sessions with PostgreSQL: how many there are, how long they last, and which are not used again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use futures::future::join_all;
use parsec_measure::{NodeId, Round, RoundId};
use parsec_store::{NewNode, Roster, Row, ServerPort, Store, StoreError, connect};
use parsec_test_support::postgres::{Postgres, url_at};
use parsec_test_support::proxy::{Cut, Proxy, Way};
use parsec_test_support::{TestDatabase, database, sabotage};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Client;
use uuid::Uuid;

/// How soon things go on after a database is in order again.
const SOON: Duration = Duration::from_secs(5);

fn new_node() -> NewNode {
    NewNode {
        cpu: 2,
        memory: 4_096,
        peer_id: "12D3KooWSample".to_owned(),
        region: "eu-central-1".to_owned(),
        cmd: "parsec server".to_owned(),
        fleet: "default".parse().unwrap(),
        dependencies: serde_json::json!({}),
        ip_address: "192.0.2.7".parse().unwrap(),
        server_port: ServerPort::try_from(7_070).unwrap(),
        peer_port: ServerPort::try_from(4_001).unwrap(),
        created_at: Utc::now(),
    }
}

async fn opened(url: &str) -> Arc<dyn Store> {
    let store = connect(&url.parse().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn sessions(client: &Client) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'parsec'";
    client.query_one(count, &[]).await.unwrap().get(0)
}

/// Waits for a state, with a bound that is for machines which have much else to do.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn beats(store: &Arc<dyn Store>, node: NodeId) {
    let begun = Instant::now();
    store.heartbeat(node).await.unwrap();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

/// A replica can be read, once it knows the tables.
async fn can_read(store: &Arc<dyn Store>) {
    eventually("nodes can be listed", async || store.roster(&[]).await == Ok(Roster::default())).await;
}

/// What a fail-over with kept connections leaves behind: the server has long been writable, and its sessions are not.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_stays_read_only_is_not_used_again() {
    let server = Postgres::start().await;
    let store = opened(&server.url()).await;
    let node = store.register_node(new_node()).await.unwrap();
    let client = server.client().await.unwrap();

    sabotage::read_only_sessions(&client, true).await.unwrap();
    assert_eq!(store.roster(&[]).await, Ok(Roster::default()), "what can be read is read");
    store.heartbeat(node).await.unwrap_err();

    sabotage::read_only_sessions(&client, false).await.unwrap();
    beats(&store, node).await;
}

/// The old primary is fenced off: it takes no more rows, and keeps its connections. The address leads to the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_a_server_that_became_read_only_is_replaced_by_one_with_its_successor() {
    let old = Postgres::start().await;
    let wire = Proxy::to(old.address()).await;
    let store = opened(&url_at(wire.address())).await;
    let node = store.register_node(new_node()).await.unwrap();
    let new = old.replica().await;

    sabotage::read_only(&old.client().await.unwrap(), true).await.unwrap();
    store.heartbeat(node).await.unwrap_err();
    new.promote().await;
    wire.lead_to(new.address());
    beats(&store, node).await;
}

/// The address leads to the replica before that is promoted: the sessions begin while it only follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_began_before_the_promotion_does_no_harm_after_it() {
    let old = Postgres::start().await;
    let wire = Proxy::to(old.address()).await;
    let store = opened(&url_at(wire.address())).await;
    let node = store.register_node(new_node()).await.unwrap();
    let new = old.replica().await;

    old.kill().await;
    wire.lead_to(new.address());
    can_read(&store).await;
    store.heartbeat(node).await.unwrap_err();
    new.promote().await;
    beats(&store, node).await;
}

fn signal(name: &str, process: i32) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.unwrap().success(), "{name} {process}");
}

/// As when the machine of a primary loses its power: its connections say nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_fallen_silent_is_not_waited_for() {
    let server = Postgres::start().await;
    let store = opened(&server.url()).await;
    let node = store.register_node(new_node()).await.unwrap();
    let client = server.client().await.unwrap();
    for asks_for_rights in [false, true] {
        beats(&store, node).await;
        let pid = "SELECT pid FROM pg_stat_activity WHERE application_name = 'parsec'";
        let silent: i32 = client.query_one(pid, &[]).await.unwrap().get(0);
        signal("-STOP", silent);
        let begun = Instant::now();
        if asks_for_rights {
            assert_eq!(store.closed_tables(false).await, Ok(Vec::new()));
        } else {
            store.heartbeat(node).await.unwrap();
        }
        let waited = begun.elapsed();
        signal("-CONT", silent);
        assert!(waited < 4 * SOON, "{waited:?}");
        eventually("the silent one is gone", async || sessions(&client).await <= 1).await;
    }
}

/// As behind a pooler that answers for a server which has frozen: no connection breaks.
#[tokio::test]
async fn sessions_that_fall_silent_in_a_query_are_given_up_with_it() {
    let server = Postgres::start().await;
    let store = opened(&server.url()).await;
    let client = server.client().await.unwrap();
    client.batch_execute("BEGIN; LOCK TABLE nodes_ecs").await.unwrap();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn({
                let store = Arc::clone(&store);
                async move { store.roster(&[]).await }
            })
        })
        .collect();
    let waiting = async || -> Vec<i32> {
        let waiting = "SELECT pid FROM pg_locks WHERE relation = 'nodes_ecs'::regclass AND NOT granted";
        client.query(waiting, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    eventually("all sessions wait", async || waiting().await.len() == 4).await;
    let silent = waiting().await;
    silent.iter().for_each(|process| signal("-STOP", *process));
    client.batch_execute("ROLLBACK").await.unwrap();

    tokio::time::pause();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains("within 60 s")), "{error:?}");
    }
    tokio::time::advance(SOON).await;
    tokio::time::resume();
    let roster = store.roster(&[]).await;
    silent.iter().for_each(|process| signal("-CONT", *process));
    assert_eq!(roster, Ok(Roster::default()));
}

/// The server has committed, or not: nobody hears of it.
#[tokio::test]
async fn sessions_that_fall_silent_in_a_commit_are_given_up_with_it() {
    let server = Postgres::start().await;
    let wire = Proxy::to(server.address()).await;
    let store = opened(&url_at(wire.address())).await;
    let node = store.register_node(new_node()).await.unwrap();
    wire.set(Way::CutAtCommit(Cut::Silence)).await;
    let calls: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn({
                let store = Arc::clone(&store);
                async move { store.heartbeat(node).await }
            })
        })
        .collect();
    wire.has_cut(4).await;
    tokio::time::pause();
    for call in calls {
        assert!(matches!(call.await.unwrap(), Err(StoreError::Unavailable(_))));
    }
    tokio::time::advance(SOON).await;
    tokio::time::resume();
    // What only reads does not wait for its commit.
    store.roster(&[]).await.unwrap();
}

/// With both named, no address has to be led anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_the_one_is_used_that_can_be_written_to() {
    let primary = Postgres::start().await;
    let replica = primary.replica().await;
    // The loopback network has many addresses: the primary is also at the replica's port on another one.
    let port = replica.address().port();
    forward(SocketAddr::from(([127, 0, 0, 2], port)), primary.address()).await;
    for hosts in ["127.0.0.1,127.0.0.2", "127.0.0.2,127.0.0.1"] {
        let store = opened(&format!("postgres://parsec@{hosts}:{port}/postgres?sslmode=disable")).await;
        let node = store.register_node(new_node()).await.unwrap();
        beats(&store, node).await;
    }
    // One that is silent is not waited for, as long as there is another.
    replica.freeze();
    let both = format!("postgres://parsec@127.0.0.1,127.0.0.2:{port}/postgres?sslmode=disable");
    connect(&both.parse().unwrap()).await.unwrap();
    replica.thaw();
    primary.kill().await;
    let only_read = format!("postgres://parsec@127.0.0.2,127.0.0.1:{port}/postgres?sslmode=disable");
    can_read(&connect(&only_read.parse().unwrap()).await.unwrap()).await;
}

async fn forward(at: SocketAddr, to: SocketAddr) {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
}

/// A store, and a database in which the first `failing` batches fail with this code.
async fn failing(code: &str, failing: u32) -> (TestDatabase, Arc<dyn Store>, Row) {
    let database = database().await;
    let store = opened(database.url()).await;
    let node = store.register_node(new_node()).await.unwrap();
    let fleet = "default".parse().unwrap();
    let scheduler = store.register_scheduler(&fleet, serde_json::json!({}), Utc::now()).await.unwrap();
    let set_up = format!(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION fail() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('tries') <= {failing} THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER fail BEFORE INSERT ON rounds FOR EACH ROW EXECUTE FUNCTION fail()"
    );
    database.client().await.batch_execute(&set_up).await.unwrap();
    let round = Row::Round(Round {
        id: RoundId(Uuid::from_u128(1)),
        scheduler,
        fleets: "default".parse().unwrap(),
        provider: Some(node),
        nodes_listed: 2,
        nodes_ready: 2,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: Utc::now(),
        started: Utc::now(),
        ended: None,
    });
    (database, store, round)
}

#[tokio::test]
async fn a_batch_that_collides_is_written_again_at_once() {
    for code in ["serialization_failure", "deadlock_detected"] {
        let (database, store, round) = failing(code, 2).await;
        store.record(std::slice::from_ref(&round)).await.unwrap();
        let count = database.client().await.query_one("SELECT count(*) FROM rounds", &[]).await.unwrap();
        assert_eq!(count.get::<_, i64>(0), 1);

        let (_database, store, round) = failing(code, 1_000).await;
        let error = store.record(&[round]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
}

/// What a session failed for may be the session: the codes that say so are many, and a new one costs little.
#[tokio::test]
async fn a_session_is_used_again_only_after_an_error_that_was_the_fault_of_a_row() {
    for (code, is_kept) in [("check_violation", true), ("disk_full", false), ("admin_shutdown", false)] {
        let (database, store, round) = failing(code, 1_000).await;
        let client = database.client().await;
        let process = async || -> Option<i32> {
            let pid =
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parsec'";
            client.query_opt(pid, &[]).await.unwrap().map(|row| row.get(0))
        };
        // Again and again: on a machine with much else to do, a session may go because it was idle for too long.
        let is_so = async || {
            store.roster(&[]).await.unwrap();
            let before = process().await;
            store.record(std::slice::from_ref(&round)).await.unwrap_err();
            if is_kept { before.is_some() && process().await == before } else { process().await.is_none() }
        };
        eventually(&format!("a session is kept after {code}: {is_kept}"), is_so).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_idle_holds_no_session() {
    let database = database().await;
    let store = opened(database.url()).await;
    let client = database.client().await;
    assert_eq!(sessions(&client).await, 1);

    let busy = (0..20).map(|_| store.roster(&[]));
    join_all(busy).await.into_iter().for_each(|list| drop(list.unwrap()));
    assert!(sessions(&client).await <= 4);
    eventually("no session is left", async || sessions(&client).await == 0).await;
    assert_eq!(store.roster(&[]).await, Ok(Roster::default()));
}

#[tokio::test]
async fn no_session_lasts_longer_than_half_an_hour() {
    let database = database().await;
    let store = opened(database.url()).await;
    let client = database.client().await;
    let process = async || -> i32 {
        store.roster(&[]).await.unwrap();
        let newest = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parsec' \
                      ORDER BY backend_start DESC LIMIT 1";
        client.query_one(newest, &[]).await.unwrap().get(0)
    };
    let first = process().await;
    assert_eq!(process().await, first);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30 * 60)).await;
    tokio::time::resume();
    assert_ne!(process().await, first);
}

/// Four servers and a scheduler, and a database with five sessions of which the operator has one.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_five_sessions_carries_five_programs() {
    let server =
        Postgres::start_with("max_connections = 5\nsuperuser_reserved_connections = 0\nmax_wal_senders = 0\n").await;
    let url = server.url();
    let operator = server.client().await.unwrap();
    let programs: Vec<_> = join_all((0..5).map(|_| opened(&url))).await;
    let busy = programs.iter().map(async |store| {
        let node = store.register_node(new_node()).await.unwrap();
        for _ in 0..20 {
            let calls = (0..4).map(|_| store.heartbeat(node));
            join_all(calls).await.into_iter().for_each(|beat| assert!(beat.is_ok(), "{beat:?}"));
        }
    });
    join_all(busy).await;
    operator.simple_query("SELECT 1").await.unwrap();
}
