//! Settings as texts, in four layers: what a program's flags, its environment, its configuration file and its defaults say.
//!
//! What settings and commands there are is declared by whoever uses this, in tables ([`App`]). Nothing here knows any of
//! them by its name but the one that says where the configuration file is. A flag wins over the environment, the environment
//! over the file, the file over the default. From the bottom up:
//!
//! - `secrecy`: secrets, blanked
//! - `plain`: readers of plain values: what a text must look like to be one, and what is said if it does not
//! - `key`, `app`: what is declared of a setting, of a command, and of a program
//! - `error`: what can be wrong, in words that name the place, the value and the remedy
//! - `sources`: the four layers merged, with the memory of where each value came from
//! - `show`: the merged settings, for people and for programs; `warnings`: what is odd about them
//! - `cli`: the command line, as clap knows it

mod app;
mod cli;
mod error;
mod key;
pub mod plain;
mod redact;
mod secrecy;
mod show;
mod sources;
#[cfg(test)]
mod tests;
mod warnings;

pub use app::{ACTION, App, Argument, Binary, Command, Used, Words};
pub use clap_complete::Shell;
pub use cli::{CliError, command_line, completion_script, words};
pub use error::{ConfigError, Origin};
pub use key::{CONFIG, Choice, Form, Key, Kind, OWN_FILE, Secrecy, Section, Variables, set};
pub use redact::redacted;
pub use secrecy::Secret;
pub use show::{Setting, schema, table, toml};
pub use sources::{Sources, not_a_pipe, secret_again};
pub use warnings::{Warning, warnings};
