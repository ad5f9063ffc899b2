use chrono::{TimeDelta, TimeZone, Utc};
use parsec_measure::{
    ArchivedOperation, AttemptId, NodeId, NotedAttempt, OperationKind, OutcomeClass, Round, RoundId, RoundOutcome,
    SchedulerId, SeenServer, ServerLife,
};
use uuid::Uuid;

use super::*;

fn overview() -> Overview {
    let at = Utc.with_ymd_and_hms(2026, 11, 27, 9, 0, 0).unwrap();
    let server = |id, fleet: &str, heard: Option<i64>, offline: Option<i64>| SeenServer {
        life: ServerLife {
            id: NodeId(id),
            fleet: fleet.to_owned(),
            region: "eu-central-1".to_owned(),
            peer_id: format!("12D3KooWpeer{id}"),
            created: at - TimeDelta::hours(2),
            last_heartbeat: heard.map(|seconds| at - TimeDelta::seconds(seconds)),
            offline_since: offline.map(|seconds| at - TimeDelta::seconds(seconds)),
        },
        strategy: Some("classic".to_owned()),
        network: None,
        version: None,
    };
    let round = |id: u128, minutes: i64, ended: Option<RoundOutcome>| Round {
        id: RoundId(Uuid::from_u128(id)),
        scheduler: SchedulerId(1),
        fleets: "default".parse().unwrap(),
        provider: Some(NodeId(1)),
        nodes_listed: 3,
        nodes_ready: 2,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: at - TimeDelta::minutes(minutes),
        started: at - TimeDelta::minutes(minutes),
        ended: ended.map(|outcome| (at - TimeDelta::seconds(50), outcome)),
    };
    let attempt = SeenAttempt {
        noted: NotedAttempt {
            operation: ArchivedOperation {
                id: AttemptId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()),
                round: RoundId(Uuid::from_u128(1)),
                node: NodeId(1),
                kind: OperationKind::Retrieve,
                probe: 0,
                class: OutcomeClass::Timeout,
                started: at,
                duration: std::time::Duration::from_millis(1_500),
                from_own_records: false,
            },
            ended: at,
            written: at,
        },
        fleet: "<b>bold</b>".to_owned(),
        region: "eu-central-1".to_owned(),
    };
    Overview {
        at,
        servers: vec![
            server(3, "default", Some(500), Some(400)),
            server(2, "default", Some(180), None),
            server(1, "default", Some(30), None),
            server(4, "<b>bold</b>", None, None),
        ],
        rounds: vec![round(2, 0, None), round(1, 1, Some(RoundOutcome::ProvideFailed))],
        attempts: vec![attempt],
        unread: 0,
        process: None,
    }
}

#[test]
fn an_overview_says_who_is_there_what_is_under_way_and_what_came_last() {
    let html = overview().html();
    for part in [
        "1 in service, 1 not ready yet, 1 silent, 1 offline.",
        "1 round is under way. The next of default is due at <time datetime=\"2026-11-27T09:01:00.000Z\">2026-11-27 09:01:00</time>.",
        "<td class=\"bad\">provide failed</td>",
        "<a href=\"/operations/01890a5d-ac96-774b-bcce-b302099a8057\">099a8057</a>",
        "<td class=\"bad\">timeout</td><td>1.50 s</td>",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
    let (ready, offline) = (html.find("in service</td>").unwrap(), html.find("offline, ").unwrap());
    assert!(ready < offline, "those in service come first");
}

#[test]
fn markup_in_a_strangers_name_is_text() {
    let html = overview().html();
    assert!(!html.contains("<b>") && html.contains("&lt;b&gt;bold&lt;/b&gt;"), "{html}");
    let whole = whole(&Frame { notice: Some("<script>"), version: "<1>", ..Frame::default() }, &html);
    assert!(!whole.contains("<script>") && whole.contains("&lt;script&gt;") && !whole.contains("<1>"), "{whole}");
}

#[test]
fn nothing_stands_in_a_page_that_its_policy_forbids() {
    let form = form::form(
        Place::Measurements,
        &[form::Choice { chosen: "\"><i>".to_owned(), ..form::Choice::default() }],
        &[],
    );
    let page = whole(&Frame { place: Some(Place::Overview), form: Some(form), ..Frame::default() }, &overview().html());
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains(" on"), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<i>") && page.matches("<h1>").count() == 1, "{page}");
}

#[test]
fn only_a_heartbeat_is_no_news() {
    let before = overview();
    let mut after = before.clone();
    after.servers[2].life.last_heartbeat = Some(after.at);
    assert_eq!(before.mark(), after.mark());
    after.rounds[0].ended = Some((after.at, RoundOutcome::Complete));
    assert_ne!(before.mark(), after.mark());
}

#[test]
fn programs_read_times_as_rfc_3339_has_them() {
    let document = overview().document();
    assert_eq!(document["rounds"][0]["ended_at"], serde_json::Value::Null);
    assert_eq!(document["servers"][1]["state"], "silent");
    assert_eq!(document["operations"][0]["started_at"], "2026-11-27T09:00:00.000Z");
    assert_eq!(overview().attempts[0].news()["fleet"], "<b>bold</b>", "the script makes text of it");
}
