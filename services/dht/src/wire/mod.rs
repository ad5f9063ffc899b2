//! What goes over the wire: messages, addresses, and whom we may dial.

pub(crate) mod addresses;
pub(crate) mod messages;
pub(crate) mod reach;
