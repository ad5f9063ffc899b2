//! The living parts: whatever lives long, owns state or can crash is an actor, one to a file.
//!
//! | actor | duty | asks | supervised by |
//! |---|---|---|---|
//! | [`Root`](root::Root) | the root of a process | – | the process |
//! | [`DhtNode`](dht_node::DhtNode) | publishes and finds | `Recorder` | root |
//! | [`Heartbeat`](heartbeat::Heartbeat) | keeps the node's row alive | `DhtNode` | root |
//! | [`Verifier`](verifier::Verifier) | looks whether records are where they were put | `DhtNode`, `Recorder` | root |
//! | [`Gateway`](gateway::Gateway) | serves HTTP | `DhtNode`, or `Telemetry` | root |
//! | [`Telemetry`](telemetry::Telemetry) | tells the metrics | – | root |
//! | [`Recorder`](recorder::Recorder) | writes what was measured | – | root |
//! | [`Scheduler`](scheduler::Scheduler) | keeps the fleets going | `Fleet` | root |
//! | [`Fleet`](fleet::Fleet) | plays the rounds of a group | `Recorder` | scheduler |
//!
//! Others hold [`Ask`](ask::Ask)s, not addresses, so that a fake can stand in for any of them.
//! [`supervise`] brings back what crashes or hangs ([`progress`]), [`stop`] ends a process in order, [`vitals`] say how it
//! is doing.

pub mod ask;
mod books;
pub mod dht_node;
pub mod fleet;
pub mod follow_ups;
pub mod gateway;
pub mod heartbeat;
pub mod metrics;
mod muster;
pub mod open_round;
pub mod progress;
pub mod recorder;
pub mod root;
pub mod round;
pub mod scheduler;
pub mod signs;
pub mod stop;
pub mod supervise;
pub mod telemetry;
pub mod traces;
pub mod verifier;
pub mod vitals;

// Unit tests and the tests in `tests/actors` share their fakes, which know this crate by its name.
#[cfg(test)]
extern crate self as parsec_actors;
#[cfg(test)]
#[path = "../../tests/actors/fakes/mod.rs"]
mod fakes;
#[cfg(test)]
mod panics;
