//! parsec among other people's software: real Go and JavaScript programs, tools that read what we publish.
//!
//! A test that needs a program which is not on every machine says so with the name that the build script gives it (`has_go`
//! for instance), and is reported as ignored where the program is missing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod dashboards;
mod deploy;
mod doubles;
mod exposition;
mod go_habits;
mod go_in_ours;
mod go_many;
mod go_mixed;
mod go_peers;
mod go_scheduler;
mod golang_migrate;
mod js_conformance;
mod js_server;
mod matrix;
mod observed;
mod prometheus;
mod rows_of_others;
mod wire;

use parsec_test_support::{deployment, go_program, http, process, servers, stage};
