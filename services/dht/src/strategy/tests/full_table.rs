//! The full table.

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;

#[test]
fn an_empty_table_has_nobody_close() {
    assert_eq!(FullTable::<u8>::default().closest(&Key::from_byte(0), 4), Vec::<u8>::new());
}

#[test]
fn a_peer_that_comes_twice_is_there_once() {
    let table = FullTable::new([3_u8, 1, 3]);
    assert_eq!((table.len(), table.is_empty()), (2, false));
    assert_eq!(table.iter().copied().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(table.closest(&Key::from_byte(3), 4), [3, 1]);
}

proptest! {
    #[test]
    fn the_closest_of_one_byte_peers_are_those_that_sorting_all_finds(members in proptest::collection::hash_set(any::<u8>(), 0..256), target in any::<u8>(), n in 0..30_usize) {
        let target = Key::from_byte(target);
        let table = FullTable::new(members.iter().copied());
        prop_assert_eq!(table.closest(&target, n), World::default().nearest(target, members, n));
    }

    #[test]
    fn so_are_the_closest_of_peers_anywhere_in_the_keyspace(members in proptest::collection::hash_set(any::<u64>(), 0..500), target in any::<u64>()) {
        let target = Far(target).key();
        let mut sorted: Vec<Far> = members.iter().copied().map(Far).collect();
        sorted.sort_by_key(|peer| peer.key().distance(&target));
        sorted.truncate(20);
        prop_assert_eq!(FullTable::new(members.into_iter().map(Far)).closest(&target, 20), sorted);
    }
}
