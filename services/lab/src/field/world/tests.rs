//! What a world's file may say, and what is said of one that may not.

use super::super::testing::text;
use super::*;

#[test]
fn every_world_that_is_shipped_is_one_under_its_own_name() {
    for (name, _) in SHIPPED {
        assert_eq!(World::shipped(name).unwrap().name, name);
    }
    assert_eq!(World::shipped("atlantis"), None);
}

/// The message about a file in which one line stands instead of another.
fn message(instead: &str, of: &str) -> String {
    assert!(text().contains(of), "`{of}` is no part of the file");
    World::read("my.toml", &text().replacen(of, instead, 1)).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line_and_what_would_be_right() {
    let line = |of: &str| text().lines().position(|line| line.starts_with(of)).unwrap() + 1;
    for (instead, of, at, words) in [
        ("refusing = 1.1", "refusing = 0.1", "refusing", "`fates.refusing` is 1.1; expected a share from 0 to 1"),
        (
            "refusing = 0.95",
            "refusing = 0.1",
            "[fates]",
            "the shares of `fates` add up to 1.060; expected 0.99 at most",
        ),
        ("us-east-2 = 0.6", "us-east-2 = 0.5", "[regions]", "the shares of `regions` add up to 1.100; expected 1"),
        ("moon-1 = 0", "sa-east-1 = 0", "[regions]", "`regions.sa-east-1` is missing; expected a share from 0 to 1"),
        (
            "me-south-1 = 0\nmoon-1 = 0",
            "me-south-1 = 0",
            "me-south-1",
            "`regions.moon-1` is unknown; expected one of af-south-1",
        ),
        ("peers = 20", "peers = 200", "peers", "`peers` is 20; expected a whole number from 21 to 100000000"),
        ("peers = 33.5", "peers = 200", "peers", "`peers` is 33.5; expected a whole number"),
        ("peers = \"many\"", "peers = 200", "peers", "`peers` is \"many\"; expected a whole number"),
        ("alpha = 0", "alpha = 10", "alpha", "`alpha` is 0; expected a whole number from 1 to 100"),
        ("name = \"a\\u001Bb\"", "name = \"test\"", "name", "`name` is \"a\\u{1b}b\"; expected at most 40 letters"),
        (
            "live = { p0 = \"0ms\", p50 = \"3s\", p100 = \"2s\" }",
            "live = { p0 = \"0ms\", p50 = \"100ms\", p100 = \"2s\" }",
            "live",
            "`dial.live` goes down, from 3 s at p50 to 2 s at p100; expected times that ascend",
        ),
        (
            "slow = { p0 = \"1s\" }",
            "slow = { p0 = \"1s\", p100 = \"20s\" }",
            "slow = { p0",
            "`dial.slow` has no p0 or no p100",
        ),
        (
            "slow = { p0 = 1 }",
            "slow = { p0 = \"1s\", p100 = \"20s\" }",
            "slow = { p0",
            "`dial.slow.p0` is 1; expected a time such as \"250ms\"",
        ),
        (
            "slow = { p0 = \"1s\", p101 = \"2s\" }",
            "slow = { p0 = \"1s\", p100 = \"20s\" }",
            "slow = { p0",
            "`dial.slow.p101` is no quantile",
        ),
        (
            "stale = { b0 = 0.04, b256 = 0.1 }",
            "stale = { b0 = 0.04, b9 = 0.15 }",
            "stale",
            "`tables.stale.b256` is no bucket from b0 to b255",
        ),
        ("stale = {}", "stale = { b0 = 0.04, b9 = 0.15 }", "stale", "`tables.stale` is empty"),
        ("missing = -0.1", "missing = 0.02", "missing", "`tables.missing` is -0.1; expected a share"),
        ("silent = 2\n", "silent = 1\n", "silent = 1", "`tables.silent` is 2; expected a share"),
        (
            "alpha = 10\nchurn = \"5s\"",
            "alpha = 10",
            "alpha",
            "`churn` is \"5s\"; expected a time such as \"10m\", from 60s to 86400000s",
        ),
        ("alpha = 10\nchurn = 2", "alpha = 10", "alpha", "`churn` is 2; expected a time such as \"10m\""),
        (
            "[dial]\nwrong_addresses = 1.5",
            "[dial]",
            "[dial]",
            "`dial.wrong_addresses` is 1.5; expected a share from 0 to 1",
        ),
        ("missing = nan", "missing = 0.02", "missing", "`tables.missing` is nan; expected a share"),
        ("steady = true", "steady = 0.7", "steady", "`answer.steady` is true; expected a share"),
        (
            "regions = [\"moon-1\"]",
            "regions = [\"eu-central-1\", \"us-east-2\", \"sa-east-1\"]",
            "regions =",
            "unknown region `moon-1`",
        ),
        (
            "regions = []",
            "regions = [\"eu-central-1\", \"us-east-2\", \"sa-east-1\"]",
            "regions =",
            "`node.regions` is an empty list; expected a list of one region or more",
        ),
        ("gone = 0.1\nsunk = 1", "gone = 0.1", "gone", "`crawl.sunk` is unknown; expected one of gone"),
        ("peers = 200\npeers = 300", "peers = 200", "peers", "it is no TOML: duplicate key"),
    ] {
        let message = message(instead, of);
        let beside = line(at);
        let expected = [format!("world my.toml, line {beside}: "), format!("world my.toml, line {}: ", beside + 1)];
        assert!(
            expected.iter().any(|begin| message.starts_with(begin)) && message.contains(words),
            "{words}\n{message}"
        );
    }
    assert!(World::read("empty", "").unwrap_err().to_string().contains("line 1: `name` is missing; expected a text"));
}

#[test]
fn a_scan_changes_one_value_and_keeps_the_others() {
    let world = World::read("test", text()).unwrap();
    let dead = world.with("undialable", 0.3).unwrap();
    assert!((dead.fates.refusing - 0.2).abs() < 1e-9 && (dead.fates.black_hole - 0.1).abs() < 1e-9);
    assert!((dead.tables.stale(0) - 0.08).abs() < 1e-9, "with twice as many dead peers, tables are twice as stale");
    let again = dead.with("undialable", 0.15).unwrap();
    assert!((again.tables.stale(0) - 0.04).abs() < 1e-9 && (again.fates.refusing - 0.1).abs() < 1e-9);
    let churning = world.with("churn", 7_200.0).unwrap();
    for name in World::SCANNED {
        let world = if name == "after" { &churning } else { &world };
        let changed = [21.0, 0.4, 3_600.0].into_iter().find_map(|value| world.with(name, value).ok()).unwrap();
        assert_ne!(&changed, world, "{name}");
    }
    assert_eq!(world.with("alpha", 3.0).unwrap().alpha(), 3);
    assert_eq!(churning.with("churn", 0.0).unwrap(), world, "nobody leaves");
    assert_eq!(churning.still(), world);
}

#[test]
fn what_a_scan_cannot_set_is_named_with_what_it_can() {
    let world = World::read("test", text()).unwrap();
    let message = |name, value| world.with(name, value).unwrap_err().to_string();
    assert!(message("mood", 1.0).starts_with("a world has no `mood` to scan; expected one of after, alpha, churn, "));
    assert_eq!(message("alpha", 2.5), "`alpha` cannot be 2.5: expected a whole number from 1 to 100");
    assert_eq!(message("undialable", 0.95), "`undialable` cannot be 0.95: expected a number from 0 to 0.89");
    assert!(message("peers", 20.0).contains("from 21 to"));
    assert_eq!(message("churn", 30.0), "`churn` cannot be 30s: expected 0, or a time from 1m to 24000h");
    let churning = world.with("churn", 60.0).unwrap();
    assert_eq!(
        churning.with("after", 90_000.0).unwrap_err().to_string(),
        "`after` cannot be 25h: expected a time from 0s to 24h"
    );
    assert!(message("after", 60.0).starts_with("`after` changes nothing in a world in which nobody leaves"));
    assert!(message("silent", f64::NAN).contains("`silent` cannot be NaN"));
}

#[test]
fn between_two_buckets_staleness_is_in_between() {
    let tables = World::read("test", text()).unwrap().tables;
    let shares = [0, 3, 9, 200].map(|bucket| (tables.stale(bucket) * 1e4).round());
    assert_eq!(shares, [400.0, 767.0, 1_500.0, 1_500.0]);
}

#[test]
fn a_world_says_how_much_memory_it_takes_before_it_is_drawn() {
    let world = World::read("test", text()).unwrap();
    let million = world.with("peers", 1e6).unwrap();
    assert_eq!(million.fits(Some(2_000_000_000)), Ok(()));
    let message = world.with("peers", 1e8).unwrap().fits(Some(2_000_000_000)).unwrap_err().to_string();
    assert!(
        message.starts_with("peers = 100000000: so many peers need about 30.3 GB of memory, and 2.0 GB"),
        "{message}"
    );
}

#[test]
fn a_file_may_say_how_long_it_takes_until_half_of_all_peers_have_left() {
    let with = World::read("test", &text().replacen("alpha = 10", "alpha = 10\nchurn = \"2h\"", 1)).unwrap();
    assert_eq!((with.churn(), World::read("test", text()).unwrap().churn()), (Some(Duration::from_secs(7_200)), None));
}

#[test]
fn those_who_leave_between_two_refreshes_are_part_of_the_stale_entries_and_newcomers_of_the_missing_ones() {
    let world = World::read("test", text()).unwrap();
    let filled = |churn| world.with("churn", churn).unwrap().tables_as_filled(Duration::from_secs(600));
    assert_eq!(filled(0.0), world.tables);
    // Within five minutes on average, a share of 1 - 1/(1 + 5/120) leaves.
    let (two_hours, minutes) = (filled(7_200.0), filled(300.0));
    assert!((world.tables.stale(9) - two_hours.stale(9) - 0.04).abs() < 0.002, "{two_hours:?}");
    assert_eq!((two_hours.missing, minutes.stale(9), minutes.missing), (0.0, 0.0, 0.0), "never less than none");
}
