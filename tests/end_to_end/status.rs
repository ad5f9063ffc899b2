//! `GET /status` on the telemetry port, of real processes.

use std::collections::BTreeSet;

use parsec_test_support::database;
use parsec_test_support::outage::{Database, Outage};
use serde_json::Value;
use url::Url;

use crate::deployment::{Server, joining, metrics, network, scheduler, server, telemetry};
use crate::http;
use crate::process::Process;
use crate::stage::Stage;

async fn status(stage: &Stage, process: &Process) -> (Value, String) {
    let reply = http::get(stage, telemetry(process).await, "/status").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    (reply.json(), reply.text)
}

fn names(status: &Value) -> BTreeSet<&str> {
    let actors = status["actors"].as_array().expect("there are actors");
    assert!(actors.iter().all(|actor| actor["state"] == "running" && actor["restarts"] == 0), "{status}");
    actors.iter().map(|actor| actor["name"].as_str().expect("actors have names")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_schedulers_say_how_they_and_each_of_their_actors_are_doing_and_nothing_secret() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    // The server lets everybody in, and does not look at the password.
    let mut url = Url::parse(database.url()).unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let url = url.as_str();
    let starting = [(); 2].map(|()| server(&stage, &["--database-url", url, &flag, &peers]));
    let scheduler = scheduler(&stage, &["--database-url", url]);
    let mut servers = vec![];
    for process in starting {
        servers.push(Server::started(process).await);
    }

    let played = async || {
        let (status, text) = status(&stage, &scheduler).await;
        (status["rounds"][0]["outcome"] == "complete").then_some((status, text))
    };
    let (of_scheduler, text) = stage.eventually("a round in the status of the scheduler", played).await;
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(of_scheduler["role"], "scheduler");
    assert_eq!(
        names(&of_scheduler),
        ["fleet default", "recorder", "scheduler", "telemetry", "telemetry gateway"].into()
    );
    let round = &of_scheduler["rounds"][0];
    assert_eq!((&round["fleets"], &round["attempts"]), (&"default".into(), &2.into()), "{round}");
    assert_eq!(of_scheduler["recorder"]["degraded"], false);

    let (of_server, text) = status(&stage, &servers[0].process).await;
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!((&of_server["role"], &of_server["rounds"]), (&"server".into(), &Value::Array(vec![])));
    let expected =
        ["DHT node", "follow-ups", "gateway", "heartbeat", "recorder", "telemetry", "telemetry gateway", "verifier"];
    assert_eq!(names(&of_server), expected.into());
    assert_eq!(of_server["version"], of_scheduler["version"]);
    assert!(of_server["uptime_seconds"].as_f64().unwrap() > 0.0);
    let telemetry = of_server["actors"].as_array().unwrap().iter().find(|actor| actor["name"] == "telemetry");
    assert_eq!(telemetry.unwrap()["waiting"], 1, "this question: {of_server}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_in_the_status_with_its_error_and_since_when() {
    let (stage, database) = (Stage::begin(), Database::start().await);
    let scheduler = scheduler(&stage, &["--database-url", &database.url()]);
    let is = async |up: bool| {
        let told = async || {
            let (status, _) = status(&stage, &scheduler).await;
            (status["database"]["up"] == up).then(|| status["database"].clone())
        };
        stage.eventually(&format!("database up: {up}"), told).await
    };
    let before = is(true).await;
    assert_eq!(before["last_error"], Value::Null, "{before}");
    database.strike(Outage::Refused).await.unwrap();
    let away = is(false).await;
    assert!(away["last_error"].as_str().unwrap().starts_with("database is unavailable: "), "{away}");
    assert!(away["since"].as_str() > before["since"].as_str() && !away["last_error_at"].is_null(), "{away}");
    assert!(metrics(&stage, &scheduler).await.contains("\nparsec_database_up 0\n"));
    database.heal(Outage::Refused).await.unwrap();
    let back = is(true).await;
    assert!(back["since"].as_str() > away["since"].as_str() && !back["last_error"].is_null(), "{back}");
    assert!(metrics(&stage, &scheduler).await.contains("\nparsec_database_up 1\n"));
}
