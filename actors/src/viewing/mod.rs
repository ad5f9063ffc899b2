//! What was measured, for those who look at it: asked of the database with deadlines, so that no reader delays a measurement.
//!
//! - [`archive`]: the actor that answers; [`question`]: what it can be asked, and what it answers
//! - `reading`: how each answer is read and counted; `attempts`: many attempts in little memory
//! - `shelf`: answers that are kept for a while; [`feed`]: those who want to hear what is new

pub mod archive;
mod attempts;
pub mod feed;
pub mod question;
mod reading;
mod shelf;
