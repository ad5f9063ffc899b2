use std::collections::HashSet;

use parsec_dht::key::{Contact, Key};
use proptest::prelude::*;

use super::super::population::Population;
use super::super::testing::world;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn scenario(churn: Option<Duration>, events: Vec<(u32, What)>) -> Scenario {
    let events = events.into_iter().map(|(minute, what)| Event { at: MINUTE * minute, what }).collect();
    Scenario {
        name: "s".to_owned(),
        about: "s".to_owned(),
        length: MINUTE * 60,
        step: MINUTE,
        refresh: MINUTE * 10,
        lookup_after: Duration::ZERO,
        churn,
        events,
        starts: Duration::ZERO,
        is_scattered: false,
    }
}

fn any_event() -> impl Strategy<Value = What> {
    prop_oneof![
        (0.0..0.9_f64).prop_map(What::Silent),
        (0.0..0.9_f64).prop_map(What::Leave),
        (0.0..=1.0_f64).prop_map(What::Back),
        (21..300_u32).prop_map(What::Merge),
    ]
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    let events = proptest::collection::vec((0..60_u32, any_event()), 0..6);
    (proptest::option::of(1..300_u32), events).prop_map(|(churn, mut events)| {
        events.sort_by_key(|(minute, _)| *minute);
        scenario(churn.map(|minutes| MINUTE * minutes), events)
    })
}

/// By number and not by place, which depends on who else there is.
fn by_number(population: &Population, at: Duration) -> Vec<(u64, Fate)> {
    let members = population.at(at).members();
    let both = members.dialable.iter().chain(&members.dead);
    let mut all: Vec<_> = both.map(|index| (population.number(*index), population.fate(*index, at))).collect();
    all.sort_by_key(|(number, _)| *number);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn the_state_at_a_moment_does_not_depend_on_what_comes_after(
        scenario in any_scenario(), seed in any::<u64>(), peers in 21..200_u32, minute in 0..60_u32,
    ) {
        // Who comes in the place of others is numbered beyond all networks that ever merge in.
        prop_assume!(scenario.churn.is_none());
        let at = MINUTE * minute;
        let mut until = scenario.clone();
        until.events.retain(|event| event.at <= at);
        let [all, until] = [&scenario, &until].map(|scenario| Population::over(&world(peers), seed, scenario));
        prop_assert_eq!(by_number(&all, at), by_number(&until, at));
    }

    #[test]
    fn the_state_is_the_same_each_time_and_somebody_always_answers(
        scenario in any_scenario(), seed in any::<u64>(), peers in 21..200_u32,
    ) {
        let [one, two] = [(); 2].map(|()| Population::over(&world(peers), seed, &scenario));
        prop_assert_eq!(&one.moments, &two.moments);
        for moment in &one.moments {
            prop_assert!(moment.members().dialable.iter().any(|index| moment.fate(*index).answers()));
        }
    }

    #[test]
    fn who_has_left_stays_away_unless_an_event_brings_it_back(
        scenario in any_scenario(), seed in any::<u64>(), peers in 21..200_u32,
    ) {
        let population = Population::over(&world(peers), seed, &scenario);
        let mut gone: HashSet<u32> = HashSet::new();
        for moment in &population.moments {
            let brings_back = |event: &Event| event.at == moment.from && matches!(event.what, What::Back(_));
            let members = moment.members();
            let returned = gone.iter().any(|index| moment.fate(*index).is_dialable());
            prop_assert!(!returned || scenario.events.iter().any(brings_back), "at {:?}", moment.from);
            // Those who were in this network, and cannot be dialled any more.
            let before = population.at(moment.from.saturating_sub(Duration::from_nanos(1))).members();
            gone.extend(before.dialable.iter().filter(|index| !moment.fate(**index).is_dialable()));
            gone.retain(|index| !moment.fate(*index).is_dialable());
            prop_assert!(members.dialable.iter().all(|index| moment.fate(*index).is_dialable()));
            prop_assert!(members.dialable.is_sorted() && members.dead.is_sorted());
        }
    }

    #[test]
    fn as_many_are_hit_as_the_share_says(seed in any::<u64>(), share in 0.0..0.9_f64, leaves in any::<bool>()) {
        const PEERS: u32 = 4_000;
        let what = if leaves { What::Leave(share) } else { What::Silent(share) };
        let population = Population::over(&world(PEERS), seed, &scenario(None, vec![(10, what)]));
        let answering = |at| (0..PEERS).filter(|index| population.fate(*index, at).answers()).count() as f64;
        let (before, after) = (answering(MINUTE * 9), answering(MINUTE * 10));
        // Five standard deviations: one seed in a million is beyond.
        let off = 5.0 * (before * share * (1.0 - share)).sqrt() + 1.0;
        prop_assert!((before * (1.0 - share) - after).abs() <= off, "{before} and {after}, not {share}");
    }

    #[test]
    fn who_comes_and_when_does_not_depend_on_how_long_the_scenario_goes_on(
        half_life in 1..300_u32, seed in any::<u64>(), peers in 21..200_u32, minute in 0..67_u32, more in 0..3_000_u32,
    ) {
        let short = scenario(Some(MINUTE * half_life), vec![]);
        let long = Scenario { lookup_after: MINUTE * more, ..short.clone() };
        let at = MINUTE * minute;
        let [short, long] = [&short, &long].map(|scenario| Population::over(&world(peers), seed, scenario));
        prop_assert_eq!(by_number(&short, at), by_number(&long, at));
    }

    #[test]
    fn sessions_end_as_published(seed in any::<u64>()) {
        const PEERS: u32 = 4_000;
        let churning = scenario(Some(MINUTE * 30), vec![]);
        let population = Population::over(&world(PEERS), seed, &churning);
        let there = |at| {
            let dialable = population.at(at).members().dialable.iter();
            dialable.filter(|index| population.number(**index) < u64::from(PEERS)).count() as f64
        };
        let first = there(Duration::ZERO);
        for (minutes, left) in [(30, 0.5), (60, 1.0 / 3.0)] {
            let share = there(MINUTE * minutes) / first;
            prop_assert!((share - left).abs() < 0.05, "{share} are left after {minutes} minutes");
        }
        // Others come in their place.
        let now = population.at(MINUTE * 60).members().dialable.len() as f64;
        prop_assert!((now - first).abs() < 1.0, "{now} of {first}");
    }
}

#[test]
fn when_many_leave_as_large_a_share_of_those_whom_tables_may_have_is_dead_as_before() {
    let population = Population::over(&world(4_000), 3, &scenario(None, vec![(10, What::Leave(0.5))]));
    let dead = |at| {
        let members = population.at(at).members();
        members.dead.len() as f64 / (members.dead.len() + members.dialable.len()) as f64
    };
    let (before, after) = (dead(Duration::ZERO), dead(MINUTE * 10));
    assert!((before - after).abs() < 0.02, "{before} and {after}");
}

#[test]
fn a_scenario_in_which_nothing_happens_changes_nothing() {
    let (with, without) = (Population::over(&world(500), 3, &scenario(None, vec![])), Population::draw(&world(500), 3));
    assert_eq!(with.moments, without.moments);
}

#[test]
fn a_network_that_merges_in_is_found_from_then_on() {
    let merging = scenario(None, vec![(10, What::Merge(400))]);
    let population = Population::over(&world(300), 3, &merging);
    let size = |at| {
        let members = population.at(at).members();
        members.dialable.len() + members.dead.len()
    };
    assert_eq!((size(MINUTE * 10 - Duration::from_nanos(1)), size(MINUTE * 10)), (300, 700));
    let key = Key::of(b"key");
    let closest = |at| population.closest_live(&key, 20, at);
    assert!(closest(MINUTE * 9).iter().all(|peer| population.number(peer.index) < 300));
    let strangers = closest(MINUTE * 10).iter().filter(|peer| population.number(peer.index) >= 300).count();
    assert!(strangers > 5, "{strangers}");
    assert!(closest(MINUTE * 10).is_sorted_by_key(|peer| peer.key().distance(&key)));
}
