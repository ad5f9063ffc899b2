//! parsec as its operators meet it: real processes, started with real command lines, on loopback.
//!
//! Each test has a [`stage`](stage::Stage) of its own: what it starts there ends with it, every wait on it is for a
//! state (a log line, a row, an answer) and is bounded by the one deadline of the test, and what the processes said is
//! shown if the test fails. The DHT is a [`LocalNetwork`](parsec_lab::LocalNetwork) in the test's own process, or
//! another server where a peer must be stopped in the middle of something, or one peer that lies.

mod access;
mod bad_input;
mod bench;
mod browser;
mod check;
mod conformance;
mod demo;
mod doctor;
mod driver;
mod ecs;
mod explain;
mod exported;
mod file_limits;
mod floods;
mod found;
mod giving_up;
mod hangup;
mod health;
mod http_api;
mod incidents;
mod killed;
mod lists;
mod migrating;
mod newer;
mod odd_requests;
mod on_postgres;
mod on_sqlite;
mod one_shot;
mod outages;
mod page;
mod pooler;
mod pruned;
mod questions;
mod recorded;
mod refused;
mod report;
mod results;
mod scale;
mod secrets;
mod simulated_weeks;
mod spool;
mod status;
mod stopping;
mod strange_words;
mod strategies;
mod survivors;
mod tables;
mod traces;
mod unwritable;
mod verified;
mod who_is_there;
mod worlds;

use parsec_test_support::{deployment, http, process, stage};
