//! The actors as their users meet them: through their public messages, with fakes all around and a clock
//! that runs only when nothing else does.
//!
//! One file to a subject; the name of each test is the rule that it checks. Two exceptions: [`busy_thread`] measures on a real
//! network in real time, and [`gateway`] listens on real sockets.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod bad_servers;
mod beside;
mod busy_thread;
mod dht_node;
mod fakes;
mod follow_ups;
mod found;
mod gateway;
mod heartbeat;
mod hung;
mod kid;
mod looking;
mod panics;
mod recorder;
mod rig;
mod rounds;
mod rounds_that_fail;
mod schedule;
mod scheduler;
mod soak;
mod spooling;
mod stopping;
mod supervision;
mod together;
mod traces;
mod verifier;
mod vitals;
mod who_is_there;
