//! Settings: one table of them, four places to make them, typed values out. Environment, command line and configuration
//! file are read here and nowhere else.
//!
//! A flag wins over the environment, the environment over the configuration file, the file over the default.
//! From the bottom up:
//!
//! - `secrecy`, `names`, `duration`, `container`: texts
//! - `key`: what is declared of a setting, and which commands there are; `declare`: how the settings of a command are declared
//! - `error`, `values`, `hosts`: what a text must look like to be a value, and what is said if it does not
//! - `sources`: the four places merged, with the memory of where each value came from
//! - `common`, `access`, `place`, `spool`, `serving`, `demo`, `tools`: the typed settings of each command; `idle`: those
//!   that are read without having an effect, and `idle_values` how
//! - `declared`: the table of all settings. Command line, environment names, file keys, help and the table in
//!   `docs/configuration.md` are generated from it
//! - `schema`, `show`: what `parsec config` shows; `warnings`: what is odd
//! - `cli`: the command line

mod access;
mod cli;
mod common;
mod container;
#[cfg(test)]
mod contract;
mod declare;
mod declared;
mod demo;
mod duration;
mod error;
mod hosts;
mod idle;
mod idle_values;
mod key;
#[cfg(test)]
mod markdown;
mod names;
mod place;
mod redact;
mod schema;
mod secrecy;
#[cfg(test)]
mod secrets;
mod serving;
mod show;
mod sources;
mod spool;
mod started;
#[cfg(test)]
mod tests;
mod tools;
mod values;
mod warnings;

pub use access::{CallingConfig, ServerUrl, ServingConfig, TlsFiles};
pub use cli::{Binary, CliError, Command, completion_script, parse};
pub use common::{CommonConfig, DatabaseConfig, DatabaseParts, DatabaseTarget, LogConfig, TelemetryConfig};
pub use container::{BadMetadata, Container};
pub use demo::{DemoConfig, DemoFleet};
pub use error::ConfigError;
pub use place::{DenylistFiles, EcsConfig, PlaceConfig};
pub use redact::redacted;
pub use secrecy::Secret;
pub use serving::{DhtConfig, HealthConfig, SchedulerConfig, ServerConfig};
pub use show::ShowConfig;
pub use spool::{SpoolCommandConfig, SpoolConfig};
pub use started::{Started, started};
pub use tools::{
    BenchConfig, CompletionsConfig, ConformanceConfig, MigrateConfig, NetworkConfig, OneShot, OneShotConfig,
    TraceConfig,
};
pub use values::{BenchFormat, BenchTransport, HostPort, LogLevel, OutputFormat, Shell, SpoolAction, SslMode};
pub use warnings::Warning;
