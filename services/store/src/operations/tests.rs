use std::sync::{Arc, Mutex};

use diesel::connection::InstrumentationEvent;
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use parsec_measure::OutcomeClass;
use parsec_schema::sqlite::SCRIPTS;

use super::*;
use crate::Selection;

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// How SQLite finds the operations, before it looks for what belongs to each.
async fn plan(selection: &Selection, outcomes: &[OutcomeClass], order: Order) -> String {
    let mut conn = AsyncSqliteConnection::establish(":memory:").await.unwrap();
    for (_, script) in SCRIPTS {
        conn.batch_execute(script).await.unwrap();
    }
    let asked = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&asked);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            *noted.lock().unwrap() = query.to_string();
        }
    });
    let outcomes = outcomes.iter().map(|class| class.as_str().to_owned()).collect();
    let selected = Selected::new(selection, None);
    conn.listed(Listed { selected, outcomes, order, limit: 9 }).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    let (statement, _binds) = asked.split_once(" -- binds").unwrap();
    let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut conn).await.unwrap();
    steps.into_iter().next().unwrap().detail
}

#[tokio::test]
async fn operations_with_traces_are_listed_by_their_indexes() {
    let always = Selection::default();
    let lately = Selection { since: Some(DateTime::UNIX_EPOCH + Duration::from_secs(86_400)), ..Selection::default() };
    for (selection, order, index) in [
        (&always, Order::Newest, "operations_traced_idx"),
        (&always, Order::Slowest, "operations_traced_duration_seconds_idx"),
        (&lately, Order::Newest, "operations_traced_idx (started_at>? AND started_at<?)"),
        (&lately, Order::Slowest, "operations_traced_idx (started_at>? AND started_at<?)"),
    ] {
        let plan = plan(selection, &[], order).await;
        assert!(plan.ends_with(&format!("INDEX {index}")), "{order:?}: {plan}");
    }
    // What has no trace is in none of them.
    let failed = plan(&lately, &[OutcomeClass::Timeout], Order::Newest).await;
    assert!(failed.ends_with("(id>? AND id<?)"), "{failed}");
}
