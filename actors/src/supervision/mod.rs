//! What keeps actors alive, finds what hangs, and ends a process in order. Knows no actor above it.

pub mod ask;
mod events;
pub mod progress;
mod restart;
pub mod root;
pub mod signs;
pub mod stop;
pub mod supervise;
mod watch;
