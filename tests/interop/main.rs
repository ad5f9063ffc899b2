//! parsec among other people's software: real Go and JavaScript programs, tools that read what we publish.
//!
//! A test that needs a program which is not on every machine says so with the name that the build script gives it (`has_go`
//! for instance), and is reported as ignored where the program is missing.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../end_to_end/deployment.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod deployment;
mod wire;

use parsec_test_support::{http, process, stage};
