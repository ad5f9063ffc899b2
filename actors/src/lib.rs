//! The living parts: whatever lives long, owns state or can crash is an actor, one to a file. They stand in rooms, and a room
//! knows only those below it: [`scheduling`], [`serving`], [`recording`], [`telemetry`], [`supervision`].
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

pub mod recording;
pub mod scheduling;
pub mod serving;
pub mod supervision;
pub mod telemetry;

pub use recording::recorder;
pub use scheduling::{fleet, round, scheduler, traces};
pub use serving::{dht_node, follow_ups, gateway, heartbeat, verifier};
pub use supervision::{ask, progress, root, signs, stop, supervise};
pub use telemetry::{metrics, vitals};
