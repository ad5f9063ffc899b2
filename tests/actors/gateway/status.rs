//! What `GET /status` answers, member by member.

use parsec_measure::{NodeId, Round, RoundId, RoundOutcome, SchedulerId};
use parsec_store::SpoolState;
use serde_json::{Value, json};
use tokio::time::{pause, sleep};

use super::*;
use parsec_actors::telemetry::metrics::Role;
use parsec_actors::telemetry::vitals::DatabaseCall;

/// A telemetry actor under supervision, and its routes.
struct Process {
    metrics: Arc<Metrics>,
    telemetry: Child<Telemetry>,
    routes: Routes,
    _parent: Witness,
}

fn process(role: Role) -> Process {
    pause();
    let metrics = Arc::new(Metrics::of(role, "1.2.3", "abcdef"));
    let (parent, hears) = Witness::start_new();
    let telemetry = supervise("telemetry", POLICY, hears, Telemetry::new(Arc::clone(&metrics)));
    metrics.supervised(telemetry.signs());
    let routes = Routes::telemetry(Reports { metrics: telemetry.ask(secs(5)), status: telemetry.ask(secs(5)) });
    Process { metrics, telemetry, routes, _parent: parent }
}

impl Process {
    async fn status(&self) -> Value {
        send(&self.routes, TestRequest::with_uri("/status")).await.json()
    }
}

fn at(seconds: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(1_750_000_000 + seconds, 0).unwrap()
}

fn round() -> Round {
    Round {
        id: RoundId::fresh(),
        scheduler: SchedulerId(1),
        fleets: "default+fullrt".parse().unwrap(),
        provider: Some(NodeId(7)),
        nodes_listed: 3,
        nodes_ready: 3,
        nodes_without_heartbeat: 0,
        skipped_before: 2,
        due: at(0),
        started: at(1),
        ended: Some((at(5), RoundOutcome::Complete)),
    }
}

/// Takes the members out that are another each time.
fn without(mut status: Value, members: &[&str]) -> Value {
    for pointer in members {
        let member = status.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        assert!(!member.is_null(), "{pointer}");
        *member = json!("…");
    }
    status
}

#[actix::test]
async fn a_process_that_has_nothing_to_tell_says_so_with_null_and_empty_lists() {
    let status = process(Role::Server).status().await;
    let expected = json!({
        "version": "1.2.3",
        "commit": "abcdef",
        "role": "server",
        "started_at": "…",
        "uptime_seconds": "…",
        "actors": [{
            "name": "telemetry",
            "state": "running",
            "restarts": 0,
            "last_reason": null,
            "last_crash_at": null,
            "waiting": 1,
            "silent_seconds": 0,
        }],
        "database": null,
        "recorder": null,
        "rounds": [],
        "clock_skew_seconds": null,
    });
    assert_eq!(without(status, &["/started_at", "/uptime_seconds"]), expected, "this question is the one that waits");
}

#[actix::test]
async fn a_process_at_work_tells_everything_with_its_unit() {
    let process = process(Role::Scheduler);
    process.telemetry.addr().send(Run::panicking()).await.unwrap_err();
    sleep(secs(1)).await;
    let (metrics, round) = (&process.metrics, round());
    metrics.backlog(12, 3);
    metrics.rows_set_aside(2);
    assert!(!metrics.encode().unwrap().contains("parsec_database_up"), "nobody has asked it yet");
    metrics.database(DatabaseCall::Write, Some("database is unavailable: it is read-only".to_owned()));
    assert!(metrics.encode().unwrap().contains("\nparsec_database_up 0\n"));
    let (oldest, max_age) = (Some(secs(90)), secs(604_800));
    metrics.spool(&SpoolState { rows: 3, bytes: 4_096, max_bytes: 1 << 30, oldest, max_age }, false);
    metrics.vitals().round_ended(&round, 6);

    let status = process.status().await;
    assert!(status["uptime_seconds"].as_f64().unwrap() >= 1.0);
    let actor = without(status["actors"][0].clone(), &["/last_crash_at"]);
    let expected = json!({
        "name": "telemetry",
        "state": "running",
        "restarts": 1,
        "last_reason": "in a handler",
        "last_crash_at": "…",
        "waiting": 1,
        "silent_seconds": 0,
    });
    assert_eq!(actor, expected);
    let spool = json!({
        "rows": 3,
        "bytes": 4_096,
        "max_bytes": 1 << 30,
        "oldest_seconds": 90.0,
        "max_age_seconds": 604_800.0,
    });
    let recorder = json!({
        "backlog_rows": 15,
        "rows_in_memory": 12,
        "rows_on_disk": 3,
        "rows_set_aside": 2,
        "spool": spool,
        "degraded": true,
    });
    assert_eq!(status["recorder"], recorder);
    let database = without(status["database"].clone(), &["/since", "/last_error_at"]);
    let error = "database is unavailable: it is read-only";
    assert_eq!(database, json!({"up": false, "since": "…", "last_error": error, "last_error_at": "…"}));
    metrics.database(DatabaseCall::Read, None);
    assert_eq!(process.status().await["database"]["up"], false, "who can read it cannot write to it yet");
    metrics.database(DatabaseCall::Write, None);
    let database = process.status().await["database"].clone();
    assert_eq!((&database["up"], &database["last_error"]), (&json!(true), &json!(error)));
    metrics.database(DatabaseCall::Record, Some(error.to_owned()));
    for call in [DatabaseCall::Check, DatabaseCall::Read, DatabaseCall::Write] {
        metrics.database(call, None);
        assert_eq!(process.status().await["database"]["up"], false, "a heartbeat is no row: {call:?}");
    }
    metrics.database(DatabaseCall::Record, None);
    assert_eq!(process.status().await["database"]["up"], true);
    let expected = json!([{
        "fleets": "default+fullrt",
        "id": round.id.0,
        "due_at": "2025-06-15T15:06:40.000Z",
        "started_at": "2025-06-15T15:06:41.000Z",
        "ended_at": "2025-06-15T15:06:45.000Z",
        "outcome": "complete",
        "attempts": 6,
        "skipped": 2,
    }]);
    assert_eq!(status["rounds"], expected);
}

#[actix::test]
async fn whoever_asks_for_anything_else_is_told_what_there_is() {
    let process = process(Role::Server);
    let routes = &process.routes;
    for path in ["/status", "/metrics"] {
        let post = send(routes, TestRequest::post().uri(path)).await;
        post.is_refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!("method `POST` is not served at `{path}`; this path takes GET, HEAD"),
        );
        let head = send(routes, TestRequest::default().method(Method::HEAD).uri(path)).await;
        assert_eq!(head.status, StatusCode::OK);
    }
    let elsewhere = send(routes, TestRequest::with_uri("/readiness")).await;
    let sentence = "nothing is served at `/readiness`; this server has GET /metrics and GET /status";
    elsewhere.is_refusal(StatusCode::NOT_FOUND, sentence);
}

#[actix::test]
async fn while_the_actor_comes_back_the_answer_is_503() {
    let process = process(Role::Server);
    process.telemetry.addr().send(Run::panicking()).await.unwrap_err();
    for path in ["/status", "/metrics"] {
        let reply = send(&process.routes, TestRequest::with_uri(path)).await;
        reply.is_refusal(StatusCode::SERVICE_UNAVAILABLE, "telemetry is not running at the moment");
    }
}
