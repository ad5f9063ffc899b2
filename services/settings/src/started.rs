//! What the process was started with: the one place that reads the environment.

use std::ffi::OsString;

use parsec_layers::{Binary, CliError, Variables, Warning};

use crate::cli::parse;
use crate::programs::Command;

/// What the process was started with.
#[derive(Debug)]
pub struct Started {
    /// The command line, program name first.
    pub args: Vec<OsString>,
    /// What to do, with what is odd about it; or why there is nothing to do.
    pub parsed: Result<(Command, Vec<Warning>), CliError>,
    /// Whether `NO_COLOR` asks for plain text (<https://no-color.org>).
    pub colours_unwanted: bool,
    /// Whether somebody has told glibc's allocator what to do, which is theirs to say.
    pub allocator_told: bool,
}

/// Reads the command line and the environment. Variables whose names are not Unicode cannot be ours.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn started(binary: &Binary) -> Started {
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let environment: Variables = variables.collect();
    let args: Vec<_> = std::env::args_os().collect();
    let parsed = parse(args.clone(), &environment, binary);
    let colours_unwanted = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
    let allocator_told = environment.keys().any(|name| name.starts_with("MALLOC_") || name == "GLIBC_TUNABLES");
    Started { args, parsed, colours_unwanted, allocator_told }
}
