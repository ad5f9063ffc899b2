use proptest::prelude::*;

use super::*;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn process(region: &str, version: &str, started: i64, last: i64) -> Process {
    let said = [("version".to_owned(), version.to_owned())].into();
    let setup =
        Setup { of: "default".to_owned(), region: region.to_owned(), started: at(started), said, cmd: String::new() };
    Process::server(&setup, at(last))
}

fn told(changes: &[Change]) -> Vec<(i64, i64, usize, String)> {
    let minute = |at: DateTime<Utc>| (at - DateTime::UNIX_EPOCH).num_minutes();
    let value = |value: &Option<String>| value.clone().unwrap_or_default();
    changes
        .iter()
        .map(|change| {
            let settings: Vec<_> = change
                .settings
                .iter()
                .map(|Changed { from, to, .. }| format!("{} {}", value(from), value(to)))
                .collect();
            (minute(change.first), minute(change.last), change.regions.len(), settings.join(", "))
        })
        .collect()
}

#[test]
fn a_release_that_goes_from_region_to_region_is_one_change() {
    let all = [
        process("eu", "1", 0, 1_000),
        process("us", "1", 0, 1_030),
        process("eu", "2", 1_002, 2_000),
        process("us", "2", 1_032, 2_000),
    ];
    assert_eq!(told(&changes(&all, at(500))), [(1_002, 1_032, 2, "1 2".to_owned())]);
    assert_eq!(told(&changes(&all, at(1_500))), [], "what changed before is not told");
}

#[test]
fn a_release_that_is_taken_back_is_two_changes() {
    let all = [process("eu", "1", 0, 500), process("eu", "2", 501, 700), process("eu", "1", 701, 2_000)];
    assert_eq!(told(&changes(&all, at(0))), [(501, 501, 1, "1 2".to_owned()), (701, 701, 1, "2 1".to_owned())]);
}

#[test]
fn servers_that_differ_and_measure_beside_each_other_are_no_change() {
    let all = [process("eu", "1", 0, 2_000), process("eu", "2", 100, 2_000)];
    assert_eq!(told(&changes(&all, at(0))), []);
    // Each of them starts again as it was.
    let again = [
        process("eu", "1", 0, 990),
        process("eu", "2", 0, 995),
        process("eu", "1", 1_000, 2_000),
        process("eu", "2", 1_001, 2_000),
    ];
    assert_eq!(told(&changes(&again, at(0))), []);
    let [both] = &configured(&again, at(999))[..] else { panic!("one fleet") };
    assert_eq!((both.count, &both.settings["version"]), (2, &["1".to_owned(), "2".to_owned()].into()));
}

#[test]
fn what_is_said_for_the_first_time_and_no_longer_is_a_change() {
    let mut silent = process("eu", "1", 0, 100);
    silent.settings.clear();
    let all = [silent, process("eu", "2", 101, 200)];
    assert_eq!(told(&changes(&all, at(0))), [(101, 101, 1, " 2".to_owned())]);
}

#[test]
fn of_a_command_line_stands_what_decides_what_is_measured() {
    let line = "parsec --log-level 3 --database-url postgres://u:***@db/n server --cold dht --fleet x --alpha 3 -optprov --peer-port=4001 --probes=2 --";
    let expected = [("--alpha", "3"), ("--cold", "true"), ("--optprov", "true"), ("--probes", "2")];
    assert_eq!(flags(line), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

proptest! {
    #[test]
    fn any_command_line_can_be_read(line in "[ =a-z*-]{0,60}") {
        prop_assert!(flags(&line).keys().all(|name| name.len() > 2 && name.starts_with("--")));
    }

    #[test]
    fn a_fleet_that_is_set_up_in_one_way_never_changes(starts in proptest::collection::vec((0..1_000i64, 0..1_000i64), 1..12)) {
        let all: Vec<_> = starts.into_iter().map(|(start, took)| process("eu", "1", start, start + took)).collect();
        prop_assert_eq!(changes(&all, at(0)), []);
    }
}
