//! How many connections and dials there may be.

/// How many connections others may have to us, established and being established, and how many one peer may have either
/// way. About 50 KB each; Go trims above 192 unless told otherwise. How many one address may have stands in
/// [`doors`](crate::swarm::doors).
pub(crate) const MAX_INCOMING: u32 = 1_024;
pub(crate) const MAX_PENDING_INCOMING: u32 = 256;
pub(crate) const MAX_PER_PEER: u32 = 8;

/// How many connections we may have to others, and dials under way: several times what a crawl with its 200 visits at a time
/// and a hundred lookups besides come to. A dial beyond that fails.
pub(crate) const MAX_OUTGOING: u32 = 8_192;
pub(crate) const MAX_PENDING_OUTGOING: u32 = 4_096;
