//! What cannot be done.

use parsec_lab::field::{NoRoom, NoRoomForKeys};
use parsec_lab::memory::TooLarge;
use thiserror::Error;

/// What was asked for cannot be done: the command line, or a file that it names, is wrong. As text: why.
#[derive(Debug, Error)]
pub enum Refused {
    /// There is not enough memory for the local network.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The same of a simulated one.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The same of a simulated one and the keys that are published there.
    #[error(transparent)]
    NoRoomForKeys(#[from] NoRoomForKeys),
    /// What was given is not what it should be.
    #[error("{0}")]
    Unusable(String),
}
