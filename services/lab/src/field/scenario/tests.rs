use proptest::prelude::*;

use super::super::testing::world;
use super::*;

fn scenario(events: &str) -> Result<Scenario, String> {
    let text = format!("name = \"s\"\nabout = \"what happens\"\nlength = \"30m\"\n{events}");
    Scenario::read("s.toml", &text).map_err(|error| error.to_string())
}

fn event(at: &str, what: &str) -> String {
    format!("[[event]]\nat = \"{at}\"\n{what}\n")
}

#[test]
fn every_scenario_that_is_shipped_is_read_and_has_its_name() {
    for (name, _) in SHIPPED_SCENARIOS {
        assert_eq!(Scenario::shipped(name).unwrap().name, name);
    }
    assert_eq!(Scenario::shipped("nothing"), None);
}

#[test]
fn what_is_not_said_is_as_go_libp2p_has_it() {
    let plain = scenario("").unwrap();
    assert_eq!((plain.step, plain.refresh), (Duration::from_secs(60), Duration::from_secs(600)));
    assert_eq!((plain.lookup_after, plain.churn, plain.events.len()), (Duration::ZERO, None, 0));
    assert_eq!(plain.changes(), [Duration::ZERO], "nothing happens");
}

#[test]
fn events_are_told_in_words() {
    let all = [
        event("1m", "silent = 0.6"),
        event("2m", "leave = 0.125"),
        event("2m", "back = 1"),
        event("3m", "merge = 5000"),
        event("4m", "udp_blocked = true\nquic_only = 0.1\ntcp_only = 0.2"),
        event("5m", "udp_blocked = false"),
    ];
    let scenario = scenario(&all.concat()).unwrap();
    let told: Vec<_> = scenario.told().into_iter().map(|(at, what)| format!("{} {what}", at.as_secs())).collect();
    assert_eq!(
        told,
        [
            "60 60 % of those who answer go silent",
            "120 12.5 % leave",
            "120 100 % of those who went silent or left are back",
            "180 a network of 5000 peers merges in",
            "240 UDP is blocked at the nodes that measure",
            "300 UDP is open again",
        ]
    );
    assert_eq!((scenario.merged(Duration::from_secs(179)), scenario.merged(Duration::from_secs(180))), (0, 1));
    let blocked = |seconds| scenario.udp_blocked(Duration::from_secs(seconds)).is_some();
    assert_eq!([239, 240, 299, 300].map(blocked), [false, true, true, false]);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_would_be_right() {
    let two = |one: &str, other: &str| format!("{one}{other}");
    for (events, why) in [
        (
            "lenght = \"3m\"".to_owned(),
            "line 4: `lenght` is unknown; expected one of about, churn, event, length, lookup_after",
        ),
        (event("10m", "silent = 1.5"), "line 6: `event.silent` is 1.5; expected a share from 0 to 1"),
        (
            event("10m", "silent = 1"),
            "line 6: `event.silent` is 1: after it 0.0 % of the peers that answered at first are left; expected at least 1 %",
        ),
        (
            two(&event("10m", "leave = 0.95"), &event("11m", "silent = 0.9")),
            "line 9: `event.silent` is 0.9: after it 0.5 % of the peers that answered at first are left",
        ),
        (
            two(&event("10m", "leave = 0.5"), &event("9m", "silent = 0.1")),
            "line 8: `event.at` is 540s, and the event above it happens at 600s; expected events in the order of their times",
        ),
        (
            event("30m", "leave = 0.5"),
            "line 5: `event.at` is 1800s, and the scenario ends after 1800s; expected an earlier",
        ),
        (
            event("-3m", "leave = 0.5"),
            "line 5: `event.at` is \"-3m\"; expected a time such as \"10m\", from 0s to 86400s",
        ),
        (
            event("3m", "explode = 0.5"),
            "line 4: an event has 0 of silent, leave, back, merge, udp_blocked; expected exactly one",
        ),
        (event("3m", "leave = 0.5\nback = 1"), "line 4: an event has 2 of silent"),
        (event("3m", "leave = 0.5\nmood = 1"), "line 7: `event.mood` is unknown; expected one of at, leave"),
        (event("3m", "back = 0.5"), "line 6: `event.back`: nobody has gone silent or left before"),
        (event("3m", "merge = 7"), "line 6: `event.merge` is 7; expected a whole number from 21 to 100000000"),
        (
            event("3m", "udp_blocked = false"),
            "line 6: `event.udp_blocked` is false, and UDP is open already; expected true",
        ),
        (event("3m", "udp_blocked = true"), "line 4: `event.quic_only` is missing; expected a share from 0 to 1"),
        (
            event("3m", "udp_blocked = true\nquic_only = 0.8\ntcp_only = 0.3"),
            "line 8: `event.quic_only` and `event.tcp_only` add up to 1.100; expected at most 1",
        ),
        ("step = \"1s\"".to_owned(), "line 4: `step` cuts the length into 1800 rows; expected at most 1440"),
        ("churn = \"2s\"".to_owned(), "line 4: `churn` is \"2s\"; expected a time such as \"10m\", from 60s to"),
        ("event = 3".to_owned(), "line 4: `event` is 3; expected a list of at most 100 tables, each as [[event]]"),
        ("[[event]".to_owned(), "line 4: it is no TOML"),
    ] {
        let error = scenario(&events).unwrap_err();
        assert!(error.starts_with("scenario s.toml, ") && error.contains(why), "{events}\n{error}\n{why}");
    }
}

/// A world in which half of all peers leave within so many minutes, and keys are looked up so many minutes after they were published.
fn churning(churn: u32, after: u32) -> World {
    let world = world(100).with("churn", f64::from(churn) * 60.0).unwrap();
    world.with("after", f64::from(after) * 60.0).unwrap()
}

proptest! {
    #[test]
    fn in_a_world_in_which_peers_come_and_go_publications_begin_all_over_an_hour_and_fewer_are_the_first_of_many(
        number in any::<u32>(), all in any::<u32>(), after in 0..1_440_u32,
    ) {
        let scenario = Scenario::of(&churning(120, after));
        let begins = scenario.begins(number, all);
        prop_assert_eq!(begins, scenario.begins(number, 1));
        prop_assert!((scenario.starts..scenario.starts + scenario.length).contains(&begins));
        prop_assert_eq!(scenario.starts, scenario.refresh, "tables have been refreshed once");
    }

    #[test]
    fn the_network_changes_by_the_minute_wherever_an_operation_can_meet_it_and_not_too_often(
        churn in 1..10_000_u32, after in 0..1_440_u32, minute in 0..1_600_u32,
    ) {
        let (scenario, at_once) = (Scenario::of(&churning(churn, after)), Scenario::of(&churning(churn, 0)));
        let (changes, at) = (scenario.changes(), Duration::from_secs(60) * minute);
        prop_assert!(changes.len() <= 1 + MOST_TICKS as usize, "{}", changes.len());
        prop_assert_eq!(changes.contains(&at), at < scenario.ends() && scenario.matters(at));
        let first = at_once.changes();
        prop_assert_eq!(&changes[..first.len()], &first[..], "publications meet the same network whenever lookups are");
        // A crawl is an hour old at most, when a lookup begins.
        let lookup = scenario.starts + scenario.lookup_after;
        prop_assert!(scenario.matters(lookup) && scenario.matters(lookup.saturating_sub(LOOK_BACK)));
    }
}

#[test]
fn a_world_in_which_nobody_comes_or_goes_stands_still() {
    assert_eq!(Scenario::of(&world(100)), STILL.clone());
    let scenario = scenario(&event("10m", "leave = 0.5")).unwrap();
    assert_eq!(scenario.on(&world(100)), scenario);
}

#[test]
fn a_scenario_in_a_world_in_which_peers_come_and_go_begins_when_tables_have_been_refreshed_once() {
    let scenario = scenario(&event("10m", "leave = 0.5")).unwrap();
    let on = scenario.on(&churning(120, 0));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!((on.starts, on.events[0].at, on.churn), (minutes(10), minutes(20), Some(minutes(120))));
    assert_eq!((on.begins(0, 30), on.begins(1, 30)), (minutes(10), minutes(11)));
    let own = Scenario { churn: Some(minutes(30)), ..scenario };
    assert_eq!(own.on(&churning(120, 0)).churn, Some(minutes(30)), "its own is what holds");
}
