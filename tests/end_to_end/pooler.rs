//! A PgBouncer between processes and their database.

use parsec_test_support::ledger::{self, Books, Rules, Said};
use parsec_test_support::pooler::{Lending, Pooler};
use parsec_test_support::postgres::{Postgres, url_at};

use crate::deployment::{Server, joining, network, scheduling, server};
use crate::process::Process;
use crate::stage::Stage;

const INTERVAL: &str = "500ms";
const RULES: Rules = Rules { interval: std::time::Duration::from_millis(500), probes: 1, lost: 0 };

/// Nothing has to be set: each process is given the sessions of others, transaction by transaction.
async fn a_deployment_measures_behind_a_pooler(lending: Lending) {
    let stage = Stage::begin();
    let database = Postgres::start().await;
    let pooler = Pooler::before(database.address(), lending).await;
    let url = url_at(pooler.address());

    // All at once, on an empty database: each migrates it.
    let network = network().await;
    let [flag, peers] = joining(&network);
    let starting: Vec<_> = (0..3).map(|_| server(&stage, &["--database-url", &url, &flag, &peers])).collect();
    let scheduler = Process::start(&stage, &scheduling("default", INTERVAL, &["--database-url", &url]));
    let mut servers = Vec::new();
    for process in starting {
        servers.push(Server::started(process).await);
    }
    for count in 1..=8 {
        let attempt = scheduler.logged("attempt ended", count).await;
        assert_eq!(attempt["outcome"], "ok", "{attempt}");
    }

    let mut said = Said::default();
    let ended = scheduler.terminate().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    said.by_scheduler(&ended.logged());
    for server in servers {
        let ended = server.process.terminate().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        said.by_server(&ended.logged());
    }
    let books =
        Books::read(&database.client().await.expect("the server is there")).await.expect("the tables are there");
    assert_eq!(ledger::disagreements(&said, &books, RULES), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_pgbouncer), ignore = "needs PgBouncer")]
async fn a_deployment_measures_behind_a_pooler_that_lends_sessions_for_a_transaction() {
    a_deployment_measures_behind_a_pooler(Lending::Transaction).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_pgbouncer), ignore = "needs PgBouncer")]
async fn a_deployment_measures_behind_a_pooler_that_lends_sessions_for_good() {
    a_deployment_measures_behind_a_pooler(Lending::Session).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_pgbouncer), ignore = "needs PgBouncer")]
async fn a_pooler_that_lends_sessions_for_a_statement_is_refused_with_what_to_set() {
    let stage = Stage::begin();
    let database = Postgres::start().await;
    let pooler = Pooler::before(database.address(), Lending::Statement).await;
    let ended = Process::start(&stage, &["migrate", "--database-url", &url_at(pooler.address())]).end().await;
    assert_eq!(ended.code(), 1);
    let advice = "set pool_mode of PgBouncer to transaction or session";
    assert!(ended.err.contains("statement pooling mode") && ended.err.contains(advice), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_pgbouncer), ignore = "needs PgBouncer")]
async fn a_pooler_whose_database_is_away_is_waited_for() {
    let stage = Stage::begin();
    let database = Postgres::start().await;
    let pooler = Pooler::before(database.address(), Lending::Transaction).await;
    database.stop(parsec_test_support::postgres::Shutdown::Fast).await;
    let migrating =
        Process::start(&stage, &["migrate", "--log-format", "json", "--database-url", &url_at(pooler.address())]);
    migrating.log("the database cannot be reached yet; trying again").await;
    database.start_again().await;
    let ended = migrating.end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
}
