//! A publication or a search: a strategy driven over the network, and what became of it.
//!
//! [`drive`] performs the steps of a strategy and notes each request in a [`log`]; [`book`] is where peers can be dialled.
//! [`report`] turns the end into a measurement, with the [`accounts`] of its puts; [`aftermath`] sees to what becomes of a
//! publication after that. [`check`] looks where a record is, [`incognito`] for that. [`size`] and [`census`] are what
//! operations know of the network.

pub(crate) mod accounts;
pub(crate) mod aftermath;
pub(crate) mod book;
pub(crate) mod census;
pub(crate) mod check;
pub(crate) mod drive;
pub(crate) mod error;
pub(crate) mod incognito;
pub(crate) mod log;
pub(crate) mod report;
pub(crate) mod size;
