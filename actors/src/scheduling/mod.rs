//! A scheduler: the rounds of its fleets, and how their results are recorded.

mod books;
mod calls;
pub mod fleet;
mod memory;
mod muster;
mod notices;
mod open_round;
pub mod round;
pub mod scheduler;
mod tools;
pub mod traces;
