//! Which keys are looked up.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

#[test]
fn a_random_key_falls_into_the_bucket_asked_for() {
    let mut rng = StdRng::seed_from_u64(1);
    let local = Key::of(b"me");
    for bucket in 0..=10 {
        let key = random_key_in_bucket(&local, bucket, &mut rng);
        assert_eq!(Key::of(&key).distance(&local).common_prefix(), bucket);
    }
}
