//! Denylists: content that somebody wants to see gone, and who asks this node for it.

pub(crate) mod lists;
pub(crate) mod watch;
