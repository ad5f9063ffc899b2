//! The search for a free port.

use std::ops::RangeInclusive;

use rand::{Rng, RngExt};

/// Where a server that was given no port looks for a free one. A port has to fit into the SMALLINT columns of the
/// original's database; and below 32768 Linux takes no ports for outgoing connections, which could be in the way later.
const FREE_PORTS: RangeInclusive<u16> = 16_384..=32_767;

/// How many ports are tried before giving up on finding a free one.
const FREE_PORT_TRIES: usize = 100;

/// Ports to try, one after the other, for a server that was given none.
pub fn port_candidates(rng: &mut impl Rng) -> impl Iterator<Item = u16> {
    std::iter::repeat_with(|| rng.random_range(FREE_PORTS)).take(FREE_PORT_TRIES)
}
