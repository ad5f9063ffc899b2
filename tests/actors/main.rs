//! The actors as their users meet them: through their public messages, with fakes all around and a clock
//! that runs only when nothing else does. No sockets, no waiting.
//!
//! One file to a subject; the name of each test is the rule that it checks. What takes a look inside an actor
//! is tested in its crate: panics in every place of every actor, and the routes of the gateway. The exception
//! to all of this is [`busy_thread`], which measures on a real network in real time.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod bad_servers;
mod beside;
mod busy_thread;
mod dht_node;
mod fakes;
mod follow_ups;
mod found;
mod heartbeat;
mod hung;
mod kid;
mod recorder;
mod rig;
mod rounds;
mod rounds_that_fail;
mod schedule;
mod scheduler;
mod spooling;
mod stopping;
mod supervision;
mod together;
mod traces;
mod verifier;
mod vitals;
