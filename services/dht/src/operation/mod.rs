//! A publication or a search: runs a strategy over the network and reports the result.
//!
//! [`drive`] performs the steps of a strategy and notes each request in a [`log`]; [`book`] holds the addresses of
//! peers. [`report`] turns the outcome into a measurement, with the [`accounts`] of its puts; [`aftermath`] follows a
//! publication after it has been answered. [`check`] finds out where a record is, and uses [`incognito`] for that.
//! [`many`] publishes many keys at once. [`failures`] are told in the same words by all. [`size`] and [`census`] are what operations know about the network.

pub(crate) mod accounts;
pub(crate) mod aftermath;
pub(crate) mod book;
pub(crate) mod census;
pub(crate) mod check;
pub(crate) mod drive;
pub(crate) mod error;
pub mod failures;
pub(crate) mod incognito;
pub(crate) mod log;
pub(crate) mod many;
pub(crate) mod report;
pub(crate) mod size;
