//! parsec's domain: what is measured, on whom, in which order, and what can become of it.
//!
//! Everything here is pure: no clock, no socket, no task, no file. Time comes in as an argument and
//! randomness as a generator, so that each rule is tested with small values and holds in virtual
//! time as it does in the field. The exception is [`clock`]: what time it is for all that is recorded.

mod anonymous;
mod archived;
mod attempt;
mod check;
pub mod clock;
mod comparison;
mod content;
mod duration;
mod faults;
mod flat;
mod fleet;
mod found;
mod history;
mod id_part;
mod identity;
mod keep;
mod key_list;
mod latency;
mod liveness;
mod many;
mod name;
mod node;
mod outcome;
mod plan;
mod sampled;
mod schedule;
mod setup;
mod stranger;
mod subscriber;
mod summary;
mod trace;
mod when;

pub use archived::{ArchivedCheck, ArchivedNode, ArchivedOperation, ArchivedPublication, ArchivedRounds, Given};
pub use attempt::{Attempt, Round, RoundOutcome, StoredOperation};
pub use check::{CHECK_AGES, CheckDone, CheckId, HolderCheck, PlannedCheck, RecordCheck};
pub use comparison::found_publisher;
pub use content::{CONTENT_BYTES, Cid, Content, MAX_CID_CHARS, MAX_KEY_BYTES, ParseCidError};
pub use duration::{read_duration, written_duration};
pub use faults::{Absence, Faults};
pub use flat::{Cell, CellKind, Column, multiaddresses_in, without_addresses};
pub use fleet::{Fleet, FleetGroup, ParseFleetError};
pub use found::{FoundProvider, MAX_ADDRESS_CHARS, MAX_FOUND_ADDRESSES, MAX_FOUND_PROVIDERS, MAX_PEER_CHARS};
pub use history::{History, NotedAttempt, SeenServer, ServerLife};
pub use id_part::{IdPart, MIN_ID_DIGITS, NoIdPart, short_ids};
pub use identity::{AttemptId, RoundId, SchedulerId};
pub use keep::{LEAST_SEEN, REMEMBERED, SLOW_FROM, Share, TraceKeeper, WhyKept};
pub use key_list::{BadKeyList, read_key_list};
pub use latency::{Latency, LatencyError, RoundTripError, TICK};
pub use liveness::{CLOCK_TOLERANCE, Census, HEARTBEAT_INTERVAL, Heard, Liveness};
pub use many::{MAX_KEYS_AT_ONCE, Manner, ProvidedKey, ProvidedMany};
pub use name::UnknownName;
pub use node::{ACTIVE_WITHIN, Endpoint, Node, NodeId, ReadyNode};
pub use outcome::{Effort, Measured, Measurement, OperationKind, OutcomeClass};
pub use plan::{MIN_READY_NODES, Rotation, RoundPlan, TooFewNodes};
pub use sampled::SampledOperation;
pub use schedule::{Due, Schedule};
pub use setup::Setup;
pub use stranger::{escaped_json, harmless, is_harmful, shown};
pub use subscriber::subscriber;
pub use summary::{nearest_rank, quantile};
pub use trace::{FollowUp, MAX_TRACED_REQUESTS, RequestEnd, RequestKind, StrategyKind, Trace, TracedRequest, Warmth};
pub use when::When;
