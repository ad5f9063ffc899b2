//! The actors of parsec: whatever lives long, owns state or can crash is an actor, one to a file. The modules are
//! rooms, and a room may only use those below it: [`scheduling`], [`serving`], [`viewing`], [`recording`],
//! [`telemetry`], [`supervision`].
//!
//! | actor | duty | asks | supervised by |
//! |---|---|---|---|
//! | [`Root`](supervision::root::Root) | the root of a process | – | the process |
//! | [`DhtNode`](serving::dht_node::DhtNode) | publishes and finds | `Listener` | root |
//! | `Listener` in [`follow_ups`](serving::follow_ups) | has the outcome of finished publications recorded | `Recorder` | `DhtNode` |
//! | [`Heartbeat`](serving::heartbeat::Heartbeat) | keeps the node's row alive | `DhtNode` | root |
//! | [`Verifier`](serving::verifier::Verifier) | checks whether records are still in place | `DhtNode`, `Recorder` | root |
//! | [`Gateway`](serving::gateway::Gateway) | serves HTTP | `DhtNode`, `Telemetry`, or `Archive` | root |
//! | [`Archive`](viewing::archive::Archive) | answers those who look at what was measured | `Telemetry` | root |
//! | [`Telemetry`](telemetry::Telemetry) | answers with metrics and status | – | root |
//! | [`Recorder`](recording::recorder::Recorder) | writes what was measured to the database | – | root |
//! | [`Scheduler`](scheduling::scheduler::Scheduler) | keeps the fleets going | `Fleet` | root |
//! | [`Fleet`](scheduling::fleet::Fleet) | runs the rounds of a group of fleets | `Recorder` | scheduler |
//!
//! Other code holds [`Ask`](supervision::ask::Ask)s, not addresses, so that a test can replace any of them with a fake.
//! [`supervise`](supervision::supervise) brings back what crashes or hangs ([`progress`](supervision::progress)),
//! [`stop`](supervision::stop) ends a process in order, [`vitals`](telemetry::vitals) say how it is doing.

pub mod recording;
pub mod scheduling;
pub mod serving;
pub mod supervision;
pub mod telemetry;
pub mod viewing;
