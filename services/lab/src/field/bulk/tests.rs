//! What publishing many keys comes to, whatever the world.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::super::testing::world;
use super::*;

fn run(world: World, seed: u64, keys: u32) -> Vec<BulkRun> {
    let bulk = Bulk { world, seed, keys, strategies: BulkStrategy::ALL.to_vec() };
    bulk.run(&AtomicBool::new(false), &|| {}).unwrap()
}

/// Everybody lives, and every table has everybody for whom it has room.
fn healthy(peers: u32) -> World {
    let names = ["undialable", "silent", "slow", "missing"];
    names.into_iter().fold(world(peers), |world, name| world.with(name, 0.0).unwrap())
}

#[test]
fn where_all_are_well_every_way_gives_each_key_its_holders() {
    for run in run(healthy(1_000), 1, 300) {
        let name = run.strategy.as_str();
        assert_eq!(run.findable.len(), 300, "{name}");
        assert!(run.findable.is_sorted() && run.findable.last().unwrap() <= &run.took, "{name}");
        assert_eq!(run.reached.0, run.reached.1, "{name}");
        match run.strategy {
            // It sends to the closest of all, and of each key to nobody else.
            BulkStrategy::Classic | BulkStrategy::Sweep => {
                assert_eq!(run.holders, [20; 300], "{name}");
                assert_eq!((run.closest_held, run.records), (Some(1.0), 300 * 20), "{name}");
            }
            BulkStrategy::Optprov => assert!(run.holders.iter().all(|holders| *holders >= 10), "{name}"),
            // It is content with seven and half a second (as in Go).
            BulkStrategy::Fullrt => assert!(run.holders.iter().all(|holders| (7..=20).contains(holders)), "{name}"),
        }
    }
}

#[test]
fn a_sweep_takes_few_lookups_and_asks_few_questions() {
    let runs = run(world(1_000), 1, 2_000);
    let [classic, _, fullrt, sweep] = &runs[..] else { panic!("{} runs", runs.len()) };
    assert_eq!((classic.lookups, fullrt.lookups), (2_000, 0));
    assert!(sweep.lookups * 10 < classic.lookups, "{} lookups", sweep.lookups);
    assert!(sweep.questions * 10 < classic.questions, "{} of {}", sweep.questions, classic.questions);
    assert!(sweep.took < classic.took, "{:?} of {:?}", sweep.took, classic.took);
}

#[test]
fn a_seed_gives_the_same_again_and_another_seed_something_else() {
    assert_eq!(run(world(500), 3, 50), run(world(500), 3, 50));
    assert_ne!(run(world(500), 3, 50), run(world(500), 4, 50));
}

#[test]
fn who_cannot_be_dialled_holds_nothing_and_silent_peers_give_nothing_back() {
    let deaf = healthy(500).with("silent", 0.9).unwrap();
    for run in run(deaf, 1, 40) {
        let kept = run.holders.iter().map(|holders| u64::from(*holders)).sum::<u64>();
        match run.strategy {
            // A crawl only meets those who answer.
            BulkStrategy::Fullrt => assert_eq!(kept, run.records),
            _ => assert!(kept < run.records / 2, "{}: {kept} of {}", run.strategy.as_str(), run.records),
        }
    }
    for run in run(healthy(500).with("undialable", 0.5).unwrap(), 1, 40) {
        assert!(run.reached.1 <= run.reached.0 && run.records >= run.reached.1, "{}", run.strategy.as_str());
    }
}

#[test]
fn of_what_is_stopped_there_is_nothing() {
    let bulk = Bulk { world: world(200), seed: 1, keys: 10, strategies: BulkStrategy::ALL.to_vec() };
    assert_eq!(bulk.run(&AtomicBool::new(true), &|| {}).unwrap(), []);
}

#[test]
fn no_keys_take_no_time() {
    for run in run(world(200), 1, 0) {
        assert_eq!((run.took, run.records, run.lookups), (Duration::ZERO, 0, 0), "{}", run.strategy.as_str());
    }
}

#[test]
fn keys_without_room_are_refused_before_anything_is_drawn() {
    let bulk = Bulk { world: world(200), seed: 1, keys: 1_000_000, strategies: BulkStrategy::ALL.to_vec() };
    let refused = bulk.fits(Some(500_000_000)).unwrap_err().to_string();
    assert!(
        refused.starts_with("keys = 1000000: so many need about 2.3 GB of memory, and 0.5 GB are available"),
        "{refused}"
    );
    assert_eq!(Bulk { keys: 1_000, ..bulk }.fits(Some(500_000_000)), Ok(()));
}

#[test]
fn networks_are_those_of_one_seed_after_the_other() {
    let bulk = Bulk { world: world(200), seed: 5, keys: 20, strategies: vec![BulkStrategy::Sweep] };
    let done = AtomicUsize::new(0);
    let count = || {
        done.fetch_add(1, Ordering::Relaxed);
    };
    let runs = bulk.run_on(3, &AtomicBool::new(false), &count).unwrap();
    assert_eq!(runs.iter().map(|run| run.network).collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(done.into_inner(), 3);
}

#[test]
fn many_keys_are_published_into_a_network_in_which_nobody_comes_or_goes() {
    assert_eq!(run(world(300), 2, 20), run(world(300).with("churn", 600.0).unwrap(), 2, 20));
}
