use super::register::{MAX_REGIONS, MAX_SCHEDULERS};
use super::*;

use std::net::{IpAddr, Ipv4Addr};

use parsec_measure::{Content, Endpoint, HolderCheck, NodeId, ProvidedMany};

fn ok(ms: u64) -> Measured {
    Measured { routing_table_size: 202, ..Measured::unmeasured(OutcomeClass::Ok, Duration::from_millis(ms), "") }
}

fn node(region: &str) -> Node {
    Node {
        id: NodeId(7),
        peer_id: "12D3KooWGatU9DauFzPUS3NPcTnzJ8wyxJhkTpPzsabYP7zKGRTA".to_owned(),
        region: region.to_owned(),
        fleet: "default".parse().unwrap(),
        endpoint: Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070),
    }
}

fn assert_has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "no {line} in\n{text}");
    }
}

#[test]
fn the_series_of_the_original_are_there() {
    let metrics = Metrics::new("0.1.0", "abc");
    metrics.http_request("POST", "provide", By::Scheduler("default"));
    metrics.measured(OperationKind::Provide, "default", "default", &ok(1500));
    metrics.measured(OperationKind::Retrieve, "default", "default", &ok(300));
    metrics.active_nodes("default", 7);
    metrics.issued(OperationKind::Provide, &node("eu-central-1"), &ok(1500));
    metrics.issued(OperationKind::Retrieve, &node("eu-central-1"), &ok(300));
    let lines = [
        "# TYPE parsec_http_requests_total counter",
        "parsec_http_requests_total{method=\"POST\",path=\"provide\",scheduler=\"default\"} 1",
        "# TYPE parsec_durations summary",
        "parsec_durations_count{type=\"provide_duration\",success=\"true\",scheduler=\"default\"} 1",
        "parsec_durations_count{type=\"retrieval_ttfpr\",success=\"true\",scheduler=\"default\"} 1",
        "# TYPE parsec_active_nodes gauge",
        "parsec_active_nodes 7",
        "# TYPE parsec_issued_provides counter",
        "parsec_issued_provides{success=\"true\"} 1",
        "# TYPE parsec_issued_retrievals counter",
        "parsec_issued_retrievals{success=\"true\"} 1",
        "# TYPE parsec_datastore_disk_usage gauge",
        "parsec_datastore_disk_usage 0",
    ];
    assert_has(&metrics.encode().unwrap(), &lines);
}

#[test]
fn ours_stand_beside_them() {
    let metrics = Metrics::new("0.1.0", "abc");
    metrics.measured(OperationKind::Provide, "default", "default", &ok(1500));
    metrics.active_nodes("default", 7);
    metrics.issued(OperationKind::Provide, &node("eu-central-1"), &ok(1500));
    metrics.round_began("default", Duration::from_millis(250), 2);
    metrics.round_ended("default", RoundOutcome::TooFewNodes);
    let lines = [
        "parsec_build_info{version=\"0.1.0\",commit=\"abc\"} 1",
        "parsec_ready_nodes{fleet=\"default\"} 7",
        "parsec_routing_table_peers{fleet=\"default\"} 202",
        "parsec_operation_duration_seconds_count{operation=\"provide\",outcome=\"ok\",fleet=\"default\"} 1",
        "parsec_attempt_duration_seconds_count{operation=\"provide\",outcome=\"ok\",fleet=\"default\",\
         region=\"eu-central-1\"} 1",
        "parsec_rounds_total{outcome=\"too_few_nodes\",fleet=\"default\"} 1",
        "parsec_rounds_skipped_total{fleet=\"default\"} 2",
        "parsec_round_lateness_seconds{fleet=\"default\"} 0.25",
    ];
    assert_has(&metrics.encode().unwrap(), &lines);
}

/// A publication that has come to its end.
fn ended() -> FollowUp {
    FollowUp {
        attempt: None,
        cid: "Qm".to_owned(),
        stored: 18,
        confirmed: Some(17),
        failed: 2,
        pending: Some(0),
        duration: Duration::from_secs(9),
        confirming: Duration::from_millis(100),
    }
}

#[test]
fn a_record_that_nobody_took_in_is_counted_apart_from_one_that_was_written_nowhere() {
    let metrics = Metrics::new("0.1.0", "abc");
    for (stored, confirmed) in [(20, 0), (20, 20), (20, 0), (0, 0)] {
        let follow_up = FollowUp { stored, confirmed: Some(confirmed), failed: 20 - stored, ..ended() };
        metrics.followed_up("default", &follow_up);
    }
    let lines = [
        "parsec_unconfirmed_publications_total{fleet=\"default\"} 2",
        "parsec_confirmed_puts_total{fleet=\"default\"} 20",
        "parsec_background_puts_total{outcome=\"stored\",fleet=\"default\"} 60",
    ];
    assert_has(&metrics.encode().unwrap(), &lines);
}

#[test]
fn the_share_of_the_closest_that_have_a_record_is_told_by_its_age() {
    let metrics = Metrics::new("0.1.0", "abc");
    metrics.serving("default");
    let says = |answered, has_record| HolderCheck { holder: "12D3Koo".to_owned(), rank: 1, answered, has_record };
    let holders = [says(true, true), says(true, true), says(true, false), says(false, false)];
    metrics.checked("default", Duration::from_secs(12 * 3_600), &holders);
    let line = |age: &str, outcome: &str, n: u32| {
        format!("parsec_checked_holders_total{{age=\"{age}\",outcome=\"{outcome}\",fleet=\"default\"}} {n}")
    };
    let lines = [line("12h", "held", 2), line("12h", "missing", 1), line("12h", "silent", 1), line("0h", "held", 0)];
    assert_has(&metrics.encode().unwrap(), &lines.each_ref().map(String::as_str));
}

#[test]
fn what_a_server_knows_of_its_network_and_of_its_puts_is_told_by_fleet() {
    let metrics = Metrics::new("0.1.0", "abc");
    let fell_back = Measured { fallback: Some("no estimate".to_owned()), network_size: Some(7_000), ..ok(5) };
    metrics.measured(OperationKind::Provide, "optprov", "default", &fell_back);
    metrics.measured(OperationKind::Provide, "optprov", "default", &ok(5));
    metrics.issued(OperationKind::Provide, &node("local"), &Measured { network_size: Some(6_900), ..fell_back });
    let cid = "Qm".to_owned();
    let follow_up = FollowUp { cid, stored: 18, failed: 2, ..ended() };
    metrics.followed_up("optprov", &follow_up);
    let lines = [
        "parsec_network_size_peers{fleet=\"optprov\"} 7000",
        "parsec_network_size_peers{fleet=\"default\"} 6900",
        "parsec_fallbacks_total{operation=\"provide\",fleet=\"optprov\"} 1",
        "parsec_background_puts_total{outcome=\"stored\",fleet=\"optprov\"} 18",
        "parsec_background_puts_total{outcome=\"failed\",fleet=\"optprov\"} 2",
        "parsec_confirmed_puts_total{fleet=\"optprov\"} 17",
        "parsec_unconfirmed_publications_total{fleet=\"optprov\"} 0",
    ];
    assert_has(&metrics.encode().unwrap(), &lines);
}

fn many(classes: &[OutcomeClass]) -> ProvidedMany {
    let mut all = ProvidedMany::nothing(Manner::Sweep);
    for class in classes {
        all.add(Content::random(&mut rand::rng()).cid(), &Measured { class: *class, ..ok(5) });
    }
    ProvidedMany { duration: Duration::from_secs(45), records: 38, questions: 12, dials: 9, ..all }
}

#[test]
fn publications_of_many_keys_are_counted_with_their_keys_and_what_they_took() {
    let metrics = Metrics::new("0.1.0", "abc");
    metrics.serving("default");
    let begins = |manner| metrics.publishes_many("default", manner);
    let (fine, late) = (OutcomeClass::Ok, OutcomeClass::Timeout);
    for classes in [&[fine, fine][..], &[fine, late], &[late]] {
        begins(Manner::Sweep).ended(&many(classes));
    }
    begins(Manner::Each).refused();
    begins(Manner::Each).failed();
    drop(begins(Manner::Each));
    let publications = |strategy: &str, outcome: &str, count: u32| {
        let labels = format!("strategy=\"{strategy}\",outcome=\"{outcome}\",fleet=\"default\"");
        format!("parsec_many_publications_total{{{labels}}} {count}")
    };
    let of_requests = [
        publications("sweep", "published", 1),
        publications("sweep", "partly", 1),
        publications("sweep", "nowhere", 1),
        publications("sweep", "abandoned", 0),
        publications("each", "busy", 1),
        publications("each", "failed", 1),
        publications("each", "abandoned", 1),
        publications("each", "published", 0),
    ];
    let text = metrics.encode().unwrap();
    assert_has(&text, &of_requests.each_ref().map(String::as_str));
    let lines = [
        "parsec_many_keys_total{strategy=\"sweep\",outcome=\"ok\",fleet=\"default\"} 3",
        "parsec_many_keys_total{strategy=\"sweep\",outcome=\"timeout\",fleet=\"default\"} 2",
        "parsec_many_keys_total{strategy=\"each\",outcome=\"dial_failed\",fleet=\"default\"} 0",
        "parsec_many_duration_seconds_count{strategy=\"sweep\",fleet=\"default\"} 3",
        "parsec_many_duration_seconds_bucket{le=\"30.0\",strategy=\"sweep\",fleet=\"default\"} 0",
        "parsec_many_duration_seconds_bucket{le=\"60.0\",strategy=\"sweep\",fleet=\"default\"} 3",
        "parsec_many_records_total{strategy=\"sweep\",fleet=\"default\"} 114",
        "parsec_many_questions_total{strategy=\"sweep\",fleet=\"default\"} 36",
        "parsec_many_dials_total{strategy=\"sweep\",fleet=\"default\"} 27",
        "parsec_many_dials_total{strategy=\"each\",fleet=\"default\"} 0",
    ];
    assert_has(&text, &lines);
    assert!(!text.contains("parsec_durations_count"), "they are no single publications: {text}");
}

#[test]
fn a_server_is_ready_as_long_as_it_says_so() {
    let metrics = Metrics::new("0.1.0", "abc");
    metrics.serving("default");
    assert_has(&metrics.encode().unwrap(), &["parsec_server_ready{fleet=\"default\"} 0"]);
    let ready = Readiness::Ready { routing_table_size: 56, network_size: Some(100) };
    metrics.readiness("default", Some(&ready));
    let lines = [
        "parsec_server_ready{fleet=\"default\"} 1",
        "parsec_routing_table_peers{fleet=\"default\"} 56",
        "parsec_network_size_peers{fleet=\"default\"} 100",
    ];
    assert_has(&metrics.encode().unwrap(), &lines);
    for not in [Some(&Readiness::NotReady("the routing table is empty".to_owned())), None] {
        metrics.readiness("default", Some(&ready));
        metrics.readiness("default", not);
        assert_has(&metrics.encode().unwrap(), &["parsec_server_ready{fleet=\"default\"} 0"]);
    }
}

#[test]
fn counters_stand_at_zero_before_their_first_event() {
    let metrics = Metrics::new("0.1.0", "abc");
    metrics.serving("optprov");
    metrics.playing("optprov");
    metrics.supervised(&Signs::of("DHT node".into()));
    let lines = [
        "parsec_background_puts_total{outcome=\"failed\",fleet=\"optprov\"} 0",
        "parsec_fallbacks_total{operation=\"provide\",fleet=\"optprov\"} 0",
        "parsec_rounds_total{outcome=\"complete\",fleet=\"optprov\"} 0",
        "parsec_rounds_total{outcome=\"interrupted\",fleet=\"optprov\"} 0",
        "parsec_rounds_skipped_total{fleet=\"optprov\"} 0",
        "parsec_issued_provides{success=\"false\"} 0",
        "parsec_issued_retrievals{success=\"true\"} 0",
        "parsec_actor_restarts_total{actor=\"DHT node\",reason=\"panic\"} 0",
        "parsec_actor_restarts_total{actor=\"DHT node\",reason=\"hung\"} 0",
        "parsec_actor_up{actor=\"DHT node\"} 1",
        "parsec_actor_waiting{actor=\"DHT node\"} 0",
        "parsec_recorder_rows_lost_total 0",
    ];
    assert_has(&metrics.encode().unwrap(), &lines);
}

#[test]
fn a_process_shows_what_its_role_counts_and_nothing_else() {
    let shown = |role| Metrics::of(role, "0.1.0", "abc").encode().unwrap();
    let (server, scheduler) = (shown(Role::Server), shown(Role::Scheduler));
    for (name, of) in [("parsec_datastore_disk_usage ", &server), ("parsec_active_nodes ", &scheduler)] {
        for text in [&server, &scheduler] {
            assert_eq!(text.contains(name), text == of, "{name} in\n{text}");
        }
    }
    for text in [server, scheduler] {
        assert!(text.contains("parsec_build_info{") && text.contains("parsec_recorder_backlog_rows "), "{text}");
    }
}

#[test]
fn strangers_cannot_grow_the_number_of_series() {
    let metrics = Metrics::new("0.1.0", "abc");
    for i in 0..1_000 {
        metrics.http_request("POST", "provide", By::Scheduler(&format!("stranger-{i}")));
        metrics.measured(OperationKind::Provide, "default", &"x".repeat(i), &ok(1));
        metrics.attempted(OperationKind::Provide, &node(&format!("region-{i}")), &ok(1));
    }
    let text = metrics.encode().unwrap();
    for (name, bound) in [
        ("parsec_http_requests_total", MAX_SCHEDULERS + 1),
        ("parsec_durations_count", MAX_SCHEDULERS + 1),
        ("parsec_attempt_duration_seconds_count", MAX_REGIONS + 1),
    ] {
        let series = text.lines().filter(|line| line.starts_with(name)).count();
        assert!((2..=bound).contains(&series), "{series} series of {name}");
    }
}

#[test]
fn names_that_anybody_can_make_up_take_no_place_from_schedulers() {
    let metrics = Metrics::new("0.1.0", "abc");
    for i in 0..100 {
        metrics.http_request("GET", "readiness", By::Anybody(&format!("invented-{i}")));
    }
    metrics.http_request("POST", "provide", By::Scheduler("default"));
    // Once it is known that it is one, it has its name everywhere.
    metrics.http_request("GET", "readiness", By::Anybody("default"));
    metrics.http_request("GET", "readiness", By::Anybody(""));
    let series = |method, path, scheduler, count| {
        format!("parsec_http_requests_total{{method=\"{method}\",path=\"{path}\",scheduler=\"{scheduler}\"}} {count}")
    };
    let lines = [
        series("GET", "readiness", "other", 100),
        series("POST", "provide", "default", 1),
        series("GET", "readiness", "default", 1),
        series("GET", "readiness", "", 1),
    ];
    assert_has(&metrics.encode().unwrap(), &lines.each_ref().map(String::as_str));
}

#[test]
fn schedulers_of_the_database_have_their_names_however_many_others_came_first() {
    let metrics = Metrics::new("0.1.0", "abc");
    for i in 0..100 {
        metrics.measured(OperationKind::Provide, "default", &format!("stranger-{i}"), &ok(1));
    }
    metrics.known_schedulers(["default".to_owned(), "a,b".to_owned(), "x".repeat(1_000), String::new()]);
    assert!(metrics.knows_scheduler("a,b") && !metrics.knows_scheduler("stranger-1") && !metrics.knows_scheduler(""));
    metrics.measured(OperationKind::Provide, "default", "a,b", &ok(1));
    metrics.measured(OperationKind::Provide, "default", "late", &ok(1));
    let text = metrics.encode().unwrap();
    let count = |scheduler| {
        format!("parsec_durations_count{{type=\"provide_duration\",success=\"true\",scheduler=\"{scheduler}\"}} ")
    };
    assert!(text.contains(&format!("{}1\n", count("a,b"))), "{text}");
    assert!(text.contains(&format!("{}85\n", count("other"))), "{text}");
    // Nobody is forgotten who is known, and nobody makes the number of those grow without bound.
    metrics.known_schedulers((0..100).map(|i| format!("fleet-{i}")));
    assert!(metrics.knows_scheduler("default") && !metrics.knows_scheduler("fleet-99"));
}

#[test]
fn no_label_says_which_key_or_which_peer() {
    let metrics = Metrics::new("0.1.0", "abc");
    let (node, cid) = (node("local"), "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5".to_owned());
    let error = Some(format!("{cid} at {}", node.peer_id));
    let failed = Measured { class: OutcomeClass::DialFailed, error, fallback: Some(node.peer_id.clone()), ..ok(5) };
    for kind in OperationKind::ALL {
        metrics.measured(kind, "default", "default", &failed);
        metrics.issued(kind, &node, &failed);
    }
    metrics.readiness("default", Some(&Readiness::NotReady(node.peer_id.clone())));
    let follow_up = FollowUp { cid, ..ended() };
    metrics.followed_up("default", &follow_up);
    let text = metrics.encode().unwrap();
    assert!(!text.contains("Qm") && !text.contains("12D3Koo"), "{text}");
}
