//! Keys to ask a peer for, so that its answers show its routing table, bucket by bucket.
//!
//! FIND_NODE carries bytes that the receiver hashes. So for each of the 65,536 possible first 16 bits, a table holds a
//! number whose encoded bytes hash to a point that begins with these bits. It is the same for all peers and computed
//! once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::strategy::key::Key;

/// How many buckets of a peer are asked for: those at common prefixes of 0 to 15 bits. In a network of a hundred
/// thousand peers the next one holds one peer on average.
pub const PREFIX_TARGETS: u32 = 16;

/// For each prefix of 16 bits the number to hash.
type Preimages = Vec<u32>;

/// Bytes for FIND_NODE whose point shares exactly 0, 1, … 15 leading bits with `peer`, in this order.
///
/// The first call computes the table: 753,015 hashes, half a second in an optimised build and two in a debug build. Do
/// not call it on a thread that others wait for.
pub fn prefix_targets(peer: &Key) -> Vec<Vec<u8>> {
    let preimages = preimages();
    let highest = 1 << (PREFIX_TARGETS - 1);
    let turned = (0..PREFIX_TARGETS).map(|shared| peer.head() ^ (highest >> shared));
    turned.map(|head| wire(preimages[usize::from(head)]).to_vec()).collect()
}

/// Bytes for FIND_NODE whose point shares at least 16 leading bits with `point`. The first call takes as long as that of
/// [`prefix_targets`].
pub fn target_near(point: &Key) -> Vec<u8> {
    wire(preimages()[usize::from(point.head())]).to_vec()
}

static PREIMAGES: OnceLock<Preimages> = OnceLock::new();

fn preimages() -> &'static Preimages {
    PREIMAGES.get_or_init(|| make(&AtomicBool::new(false)).unwrap_or_default())
}

/// Computes the table if nobody has yet, for those who will need it. Ends early, without one, once `given_up` is set: a
/// process that stops waits for it.
pub(crate) fn prepare_targets(given_up: &AtomicBool) {
    if PREIMAGES.get().is_none()
        && let Some(made) = make(given_up)
    {
        // Somebody else may have been faster.
        let _ = PREIMAGES.set(made);
    }
}

/// A well-formed peer id, in case the receiver insists on one: the multihash of a sha2-256 digest.
fn wire(number: u32) -> [u8; 34] {
    const SHA2_256: u8 = 0x12;
    let mut bytes = [0; 34];
    [bytes[0], bytes[1]] = [SHA2_256, 32];
    bytes[2..6].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Hashes one number after the other until every prefix has come up; `None` if it is given up.
fn make(given_up: &AtomicBool) -> Option<Preimages> {
    let mut found: Vec<Option<u32>> = vec![None; 1 << PREFIX_TARGETS];
    let mut missing = found.len();
    let mut numbers = 0..=u32::MAX;
    while missing > 0
        && let Some(number) = numbers.next()
    {
        if given_up.load(Ordering::Relaxed) {
            return None;
        }
        let place = &mut found[usize::from(Key::of(&wire(number)).head())];
        if place.is_none() {
            *place = Some(number);
            missing -= 1;
        }
    }
    let each = found.into_iter().map(|number| number.expect("sha2-256 reaches every prefix within a million numbers"));
    Some(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_of_a_peer_share_0_to_15_bits_with_it() {
        for peer in [b"one".as_slice(), b"two", b"three"].map(Key::of) {
            let shared: Vec<u32> =
                prefix_targets(&peer).iter().map(|bytes| Key::of(bytes).distance(&peer).common_prefix()).collect();
            assert_eq!(shared, (0..PREFIX_TARGETS).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_target_near_a_point_shares_16_bits_with_it() {
        for point in [b"one".as_slice(), b"two", b"three"].map(Key::of) {
            assert!(Key::of(&target_near(&point)).distance(&point).common_prefix() >= PREFIX_TARGETS);
        }
    }

    #[test]
    fn every_number_of_the_table_hashes_to_its_prefix() {
        let begun = std::time::Instant::now();
        assert_eq!(make(&AtomicBool::new(true)), None, "given up");
        let table = make(&AtomicBool::new(false)).unwrap();
        println!("made in {:?}, greatest number {:?}", begun.elapsed(), table.iter().max());
        for (prefix, number) in table.into_iter().enumerate() {
            assert_eq!(usize::from(Key::of(&wire(number)).head()), prefix);
        }
    }

    #[test]
    fn a_target_is_a_well_formed_peer_id() {
        let targets = prefix_targets(&Key::of(b"somebody"));
        assert!(targets.iter().all(|target| libp2p::PeerId::from_bytes(target).is_ok()));
    }
}
