//! The shapes of the HTTP contract, in both generations, and their translation to the domain.

mod answer;
mod many;
mod number;
mod providers;
mod request;
mod trace;

pub use answer::{Answer, BadAnswer, DEADLINE_EXCEEDED, MAX_ANSWER_BYTES, MAX_STEPS, NOT_FOUND, NOT_FOUND_JS};
pub use many::{BadMany, ManyAnswer, ProvideManyRequest};
pub use number::MAX_DURATION;
pub use request::{BadRequest, MAX_BODY_BYTES, MAX_CONTENT_BYTES, ProvideRequest, Target};

/// The optional request header in which a scheduler names itself.
pub const SCHEDULER_ID_HEADER: &str = "x-scheduler-id";

/// The optional request header that asks a server of ours for the trace of the operation, in the member `Trace` of its
/// answer: [`TRACE_WANTED`]. Any other value asks for nothing.
pub const TRACE_HEADER: &str = "x-parsec-trace";

/// The value of [`TRACE_HEADER`] that asks for a trace.
pub const TRACE_WANTED: &str = "1";

/// The optional request header in which a scheduler of ours names the attempt, as a UUID: what a server reports later on,
/// when the puts that it left to the background have ended, is then joined with the attempt.
pub const ATTEMPT_ID_HEADER: &str = "x-parsec-attempt-id";

/// The response header in which a server of ours says whose node answers: its peer id as text. It stands in the answer to
/// every question of the measuring API, and in those of no other make.
pub const PEER_ID_HEADER: &str = "x-parsec-peer-id";
