//! The network-size estimator.

use proptest::prelude::{any, prop_assert, proptest};

use super::*;

const K: usize = 20;

/// The peers 1 to 20 of 255 that lie evenly in the keyspace, seen from 0: the distance of the 20th is 20/256.
fn evenly() -> Vec<Key> {
    (1..=20).map(Key::from_byte).collect()
}

/// Twenty peers of which the farthest is at `farthest`/256, seen from 0.
fn within(farthest: u8) -> Vec<Key> {
    (farthest - 19..=farthest).map(Key::from_byte).collect()
}

fn estimator() -> SizeEstimator {
    SizeEstimator::new(Key::from_byte(0xff), K)
}

const ZERO: Duration = Duration::ZERO;
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn one_less_than_k_over_the_distance_of_the_kth_is_the_size() {
    let mut estimator = estimator();
    for _ in 0..5 {
        assert!(estimator.track(&Key::from_byte(0), &evenly(), K, ZERO));
    }
    let estimate = estimator.estimate(ZERO).unwrap();
    assert!((estimate.peers - 19.0 / (20.0 / 256.0)).abs() < 1e-9, "{estimate:?}");
    assert!((estimate.relative_error - 1.0 / (18.0_f64 * 5.0).sqrt()).abs() < 1e-9, "{estimate:?}");
    assert_eq!(estimate.lookups, 5);
}

#[test]
fn with_fewer_than_five_lookups_it_says_how_many_are_missing() {
    let mut estimator = estimator();
    for _ in 0..3 {
        estimator.track(&Key::from_byte(0), &evenly(), K, ZERO);
    }
    let error = estimator.estimate(ZERO).unwrap_err();
    assert_eq!(error, NotEnough { have: 3, need: 5, k: K });
    assert_eq!(error.to_string(), "network size unknown: 3 of 5 lookups that found 20 peers in the last two hours");
}

#[test]
fn lookups_that_did_not_end_with_k_peers_are_ignored() {
    let mut estimator = estimator();
    for keys in [&evenly()[..19], &[evenly(), vec![Key::from_byte(21)]].concat(), &[]] {
        assert!(!estimator.track(&Key::from_byte(0), keys, K, ZERO));
    }
    assert_eq!(estimator.estimate(ZERO).unwrap_err().have, 0);
}

#[test]
fn lookups_are_forgotten_after_two_hours() {
    let mut estimator = estimator();
    for hour in 0..6 {
        estimator.track(&Key::from_byte(0), &evenly(), K, HOUR * hour / 2);
    }
    assert_eq!(estimator.estimate(HOUR * 5 / 2).unwrap().lookups, 5, "that of the start is too old");
    assert_eq!(estimator.estimate(HOUR * 3).unwrap_err().have, 4);
}

#[test]
fn only_the_last_150_lookups_count() {
    let mut estimator = estimator();
    for _ in 0..150 {
        estimator.track(&Key::from_byte(0), &within(30), K, ZERO);
    }
    for _ in 0..150 {
        estimator.track(&Key::from_byte(0), &evenly(), K, ZERO);
    }
    let estimate = estimator.estimate(ZERO).unwrap();
    assert_eq!(estimate.lookups, 150);
    assert!((estimate.peers - 243.2).abs() < 1e-9, "{estimate:?}");
}

#[test]
fn each_place_missing_in_the_bucket_halves_the_weight() {
    let mut estimator = estimator();
    for _ in 0..5 {
        estimator.track(&Key::from_byte(0), &evenly(), 16, ZERO);
        estimator.track(&Key::from_byte(0), &within(30), 17, ZERO);
    }
    // The lookup itself found all twenty in the bucket, so it is as good as full, whatever our table says.
    let (sparse, dense) = (19.0 * 256.0 / 30.0, 19.0 * 256.0 / 20.0);
    assert!((estimator.estimate(ZERO).unwrap().peers - (sparse + dense) / 2.0).abs() < 1e-9);

    // Seen from 0, the peers 1 to 20 are spread over five buckets: 16 to 20 share the target's, and are five.
    let mut estimator = SizeEstimator::new(Key::from_byte(0), K);
    let shifted: Vec<Key> = (1..=30).filter(|byte| !(6..16).contains(byte)).map(Key::from_byte).collect();
    for _ in 0..5 {
        estimator.track(&Key::from_byte(16), &evenly(), 16, ZERO);
        estimator.track(&Key::from_byte(16), &shifted, 17, ZERO);
    }
    let farthest =
        |keys: &[Key]| keys.iter().map(|key| key.distance(&Key::from_byte(16)).fraction()).fold(0.0, f64::max);
    let (one, two) = (19.0 / farthest(&evenly()), 19.0 / farthest(&shifted));
    let estimate = estimator.estimate(ZERO).unwrap();
    assert!((estimate.peers - (one + 2.0 * two) / 3.0).abs() < 1e-9, "{estimate:?} of {one} and {two}");
}

#[test]
fn a_lookup_that_went_astray_and_one_into_a_crowd_change_nothing() {
    let mut estimator = estimator();
    let crowd: Vec<Key> = (0..20_u16).map(|index| Key::near_zero(index + 1)).collect();
    for _ in 0..6 {
        estimator.track(&Key::from_byte(0), &evenly(), K, ZERO);
    }
    estimator.track(&Key::from_byte(0), &within(0xf0), K, ZERO);
    estimator.track(&Key::from_byte(0), &crowd, K, ZERO);
    let estimate = estimator.estimate(ZERO).unwrap();
    assert_eq!(estimate.lookups, 6);
    assert!((estimate.peers - 243.2).abs() < 1e-9, "{estimate:?}");
}

/// What a node in a network of `size` estimates after lookups of random keys, with the table that it would have.
fn estimate(size: u64, lookups: u64, seed: u64) -> SizeEstimate {
    let peer = |index: u64| Far(seed.wrapping_mul(1 << 32).wrapping_add(index));
    let local = peer(1 << 30).key();
    let network = FullTable::new((0..size).map(peer));
    let in_buckets: Vec<u32> = network.iter().map(|peer| local.distance(&peer.key()).common_prefix()).collect();
    let mut estimator = SizeEstimator::new(local, K);
    for lookup in 0..lookups {
        let target = peer((1 << 31) + lookup).key();
        let bucket = local.distance(&target).common_prefix();
        let in_bucket = in_buckets.iter().filter(|other| **other == bucket).count();
        let closest: Vec<Key> = network.closest(&target, K).iter().map(Contact::key).collect();
        assert!(estimator.track(&target, &closest, in_bucket.min(K), ZERO));
    }
    estimator.estimate(ZERO).unwrap()
}

#[test]
fn sixteen_random_lookups_tell_the_size_within_a_fifth() {
    for size in [200, 500, 2_000] {
        let off: Vec<f64> = (1..=10).map(|seed| estimate(size, 16, seed).peers / size as f64 - 1.0).collect();
        println!("{size} peers, seeds 1 to 10, off by {off:.3?}");
        assert!(off.iter().all(|off| off.abs() < 0.2), "{size} peers: {off:?}");
        let mean_square = off.iter().map(|off| off * off).sum::<f64>() / off.len() as f64;
        assert!(mean_square.sqrt() < 0.1, "{size} peers: off by {} on average", mean_square.sqrt());
    }
}

#[test]
fn a_hundred_lookups_tell_it_within_a_tenth() {
    for size in [200, 500, 2_000] {
        let estimate = estimate(size, 100, 1);
        assert!((estimate.peers / size as f64 - 1.0).abs() < 0.1, "{size} peers: {estimate:?}");
        assert!(estimate.relative_error < 0.03, "{estimate:?}");
    }
}

proptest! {
    #[test]
    fn an_estimate_is_always_a_number_of_at_least_k_less_one(seeds in proptest::collection::vec(any::<(u64, u8)>(), 5..40)) {
        let mut estimator = estimator();
        for (seed, in_bucket) in seeds {
            let keys: Vec<Key> = (0..K as u64).map(|index| Far(seed.wrapping_add(index)).key()).collect();
            estimator.track(&Far(!seed).key(), &keys, usize::from(in_bucket), ZERO);
        }
        let estimate = estimator.estimate(ZERO).unwrap();
        prop_assert!(estimate.peers.is_finite() && estimate.peers >= 19.0, "{:?}", estimate);
        prop_assert!(estimate.relative_error > 0.0 && estimate.relative_error < 1.0, "{:?}", estimate);
    }
}
