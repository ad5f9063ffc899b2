//! Rows that the database refuses while it takes others.

use std::time::{Duration, Instant};

use parsec_measure::OperationKind::{Provide, Retrieve};
use parsec_measure::{Attempt, RoundOutcome, WhyKept};
use parsec_store::{Refused, Row, write};

use super::checks::{made, plan, planned};
use super::database::Database;
use super::samples::{Pair, rows};
use super::traces::follow_up;

/// Every table that a row goes to.
pub(crate) const TABLES: [&str; 8] = [
    "rounds",
    "operations",
    "traces",
    "provides_ecs",
    "retrievals_ecs",
    "follow_ups",
    "planned_checks",
    "record_checks",
];

/// How long it may take to tell good rows from bad ones.
const SOON: Duration = Duration::from_secs(5);

/// What a scheduler and a server record of a round, and how many rows of each table that makes.
fn of_a_round(pair: Pair) -> (Vec<Row>, [usize; 8]) {
    let attempts = [pair.traced(1, Provide, WhyKept::Slow), pair.attempt(2, Retrieve), pair.attempt(3, Retrieve)];
    let mut all = vec![Row::Round(pair.round(None))];
    all.extend(rows(attempts));
    all.push(Row::Round(pair.round(Some(RoundOutcome::Complete))));
    all.push(Row::FollowUp(follow_up(pair, 4, Some(1))));
    all.push(planned(plan(pair.node, 5)));
    all.push(made(plan(pair.node, 6), pair.node, 4_000));
    (all, [1, 3, 1, 1, 2, 1, 2, 3])
}

async fn counts(database: &Database) -> [usize; 8] {
    let mut counts = [0; 8];
    for (count, table) in counts.iter_mut().zip(TABLES) {
        *count = database.count(table).await;
    }
    counts
}

/// Writes rows as the recorder does. Returns what is refused.
async fn written(database: &Database, rows: &[Row]) -> Vec<Refused> {
    let began = Instant::now();
    let refused = write(database.store.as_ref(), rows).await.unwrap();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    refused
}

/// What is refused is complete once it can be written, and offering it once more changes nothing.
async fn is_mended(database: &Database, refused: Vec<Refused>, expected: [usize; 8]) {
    let rows: Vec<Row> = refused.into_iter().map(|refused| refused.row).collect();
    for _ in 0..2 {
        assert_eq!(written(database, &rows).await, []);
        assert_eq!(counts(database).await, expected, "of {TABLES:?}");
    }
}

pub(crate) async fn a_table_without_rights_costs_only_its_rows(database: &Database, guest: &str, table: &str) {
    let pair = Pair::registered(database).await;
    let (rows, all) = of_a_round(pair);
    database.execute(&format!("REVOKE INSERT ON {table} FROM {guest}")).await;
    let refused = written(database, &rows).await;
    for Refused { why, in_part, .. } in &refused {
        assert!(why.contains(&format!("no right to write to table {table} ")), "{why}");
        assert!(why.ends_with(&format!("GRANT SELECT, INSERT, UPDATE ON TABLE public.{table} TO {guest}")), "{why}");
        assert_eq!(*in_part, table == "traces");
    }
    // An attempt is whole or not at all, but for its trace; so is a check.
    let (lost, missing) = match table {
        "rounds" => (2, [0, 3, 1, 1, 2, 1, 2, 3]),
        "operations" => (3, [1, 0, 0, 0, 0, 1, 2, 3]),
        "traces" => (1, [1, 3, 0, 1, 2, 1, 2, 3]),
        "provides_ecs" => (1, [1, 2, 0, 0, 2, 1, 2, 3]),
        "retrievals_ecs" => (2, [1, 1, 1, 1, 0, 1, 2, 3]),
        "follow_ups" => (1, [1, 3, 1, 1, 2, 0, 2, 3]),
        "planned_checks" => (2, [1, 3, 1, 1, 2, 1, 0, 0]),
        _ => (1, [1, 3, 1, 1, 2, 1, 1, 0]),
    };
    assert_eq!((refused.len(), counts(database).await), (lost, missing), "{table} of {TABLES:?}");
    database.execute(&format!("GRANT INSERT ON {table} TO {guest}")).await;
    is_mended(database, refused, all).await;
}

pub(crate) async fn tables_without_rights_are_named_with_the_grant_that_mends_it(database: &Database, guest: &str) {
    assert_eq!(database.store.closed_tables(false).await.unwrap(), []);
    database.execute(&format!("REVOKE INSERT ON traces, nodes_ecs FROM {guest}")).await;
    let closed = database.store.closed_tables(false).await.unwrap();
    assert_eq!(closed.iter().map(|closed| closed.table.as_str()).collect::<Vec<_>>(), ["nodes_ecs", "traces"]);
    let grant = format!("GRANT SELECT, INSERT, UPDATE ON TABLE public.traces TO {guest}");
    assert!(
        closed[1].why.contains(&format!("`{guest}` has no right")) && closed[1].why.ends_with(&grant),
        "{}",
        closed[1]
    );

    // Whoever migrates is told of the roles that write to some of the tables and not to others.
    let owner = database.of_the_owner().await;
    assert_eq!(owner.closed_tables(false).await.unwrap(), []);
    assert_eq!(owner.closed_tables(true).await.unwrap(), closed);
    for right in [grant.as_str(), &format!("GRANT INSERT ON nodes_ecs TO {guest}")] {
        database.execute(right).await;
    }
    assert_eq!(owner.closed_tables(true).await.unwrap(), []);

    // A column that takes its numbers from a sequence needs a right to that, too.
    let serial = "CREATE SEQUENCE numbers OWNED BY provides_ecs.id; \
                  ALTER TABLE provides_ecs ALTER id DROP IDENTITY, ALTER id SET DEFAULT nextval('numbers')";
    database.execute(serial).await;
    let closed = database.store.closed_tables(false).await.unwrap();
    let grant = format!("GRANT USAGE ON SEQUENCE public.numbers TO {guest}");
    assert!(closed.len() == 1 && closed[0].why.ends_with(&grant), "{closed:?}");
}

/// Has operations on this content refused.
async fn refuse_content(database: &Database, cid: &str) {
    let trigger = if database.is_postgres() {
        format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'not this one'; END $$; \
             CREATE TRIGGER refusing BEFORE INSERT ON operations FOR EACH ROW WHEN (NEW.cid = '{cid}') \
             EXECUTE FUNCTION refuse()"
        )
    } else {
        format!(
            "CREATE TRIGGER refusing BEFORE INSERT ON operations WHEN NEW.cid = '{cid}' \
             BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    };
    database.execute(&trigger).await;
}

pub(crate) async fn a_row_that_a_trigger_refuses_holds_up_no_other(database: &Database) {
    let pair = Pair::registered(database).await;
    refuse_content(database, "Qm77").await;
    let attempts: Vec<Attempt> = (1..=200).map(|id| pair.attempt(id, Retrieve)).collect();
    let refused = written(database, &rows(attempts.clone())).await;
    let [Refused { row, why, in_part: false }] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!((row, why.contains("not this one")), (&Row::Attempt(attempts[76].clone()), true), "{why}");
    assert_eq!((database.count("operations").await, database.count("retrievals_ecs").await), (199, 199));
    let of_table = if database.is_postgres() { " ON operations" } else { "" };
    database.execute(&format!("DROP TRIGGER refusing{of_table}")).await;
    assert_eq!(written(database, std::slice::from_ref(row)).await, []);
    assert_eq!((database.count("operations").await, database.count("retrievals_ecs").await), (200, 200));
}

pub(crate) async fn a_row_whose_trace_is_refused_is_written_without_it_and_gets_it_later(database: &Database) {
    let pair = Pair::registered(database).await;
    database.execute("ALTER TABLE traces RENAME TO elsewhere").await;
    let offered = rows([pair.traced(1, Provide, WhyKept::Failed), pair.traced(2, Retrieve, WhyKept::Slow)]);
    let refused = written(database, &offered).await;
    assert_eq!(refused.iter().map(|refused| refused.in_part).collect::<Vec<_>>(), [true, true]);
    assert_eq!(database.count("operations WHERE trace_id IS NULL").await, 2);
    database.execute("ALTER TABLE elsewhere RENAME TO traces").await;
    is_mended(database, refused, [0, 2, 2, 1, 1, 0, 0, 0]).await;
    assert_eq!(database.count("operations o JOIN traces t ON t.id = o.trace_id").await, 2);
}

pub(crate) async fn a_table_that_is_gone_costs_only_what_belongs_there(database: &Database) {
    let pair = Pair::registered(database).await;
    let (rows, all) = of_a_round(pair);
    database.execute("ALTER TABLE follow_ups RENAME TO elsewhere").await;
    let refused = written(database, &rows).await;
    assert!(matches!(&refused[..], [Refused { row: Row::FollowUp(_), in_part: false, .. }]), "{refused:?}");
    database.execute("ALTER TABLE elsewhere RENAME TO follow_ups").await;
    is_mended(database, refused, all).await;
}
