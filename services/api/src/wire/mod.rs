//! The shapes of the HTTP contract, in both generations, and their translation to the domain.

mod answer;
mod number;
mod request;

pub use answer::{Answer, BadAnswer, DEADLINE_EXCEEDED, MAX_ANSWER_BYTES, MAX_STEPS, NOT_FOUND};
pub use number::MAX_DURATION;
pub use request::{BadRequest, MAX_BODY_BYTES, MAX_CONTENT_BYTES, ProvideRequest, Target};

/// The optional request header in which a scheduler names itself.
pub const SCHEDULER_ID_HEADER: &str = "x-scheduler-id";
