//! Denylists: content that their publishers want to see gone, and the requests of other peers for it.

pub(crate) mod lists;
pub(crate) mod watch;
