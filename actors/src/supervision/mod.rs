//! Keeps actors alive, detects actors that hang, and stops a process in order. Knows none of the actors in other rooms.

pub mod ask;
mod events;
pub mod progress;
mod restart;
pub mod root;
pub mod signs;
pub mod stop;
pub mod supervise;
mod watch;
