//! Settings: one table of them, four places to make them, typed values out. Environment, command line and configuration
//! file are read here and nowhere else.
//!
//! A flag wins over the environment, the environment over the configuration file, the file over the default.
//! From the bottom up:
//!
//! - `secrecy`, `names`: texts
//! - `key`: what is declared of a setting
//! - `error`, `values`, `hosts`: what a text must look like to be a value, and what is said if it does not
//! - `sources`: the four places merged, with the memory of where each value came from
//! - `declare`: how settings are declared
//! - `access`, `common`, `serving`, `demo`, `tools`, `results`, `keeping`: the settings; `idle`: those that are read without having an effect
//! - `show`: what `parsec config` shows
//! - `programs`: the commands, and the table of all settings. Command line, environment names, file keys, help and
//!   `docs/configuration.md` are generated from it
//! - `warnings`: what is odd; `cli`: the command line; `started`: what the process was started with

mod access;
mod cli;
mod common;
#[cfg(test)]
mod contract;
mod declare;
mod demo;
mod error;
mod hosts;
mod idle;
mod keeping;
mod key;
#[cfg(test)]
mod markdown;
mod names;
mod programs;
mod redact;
mod results;
mod secrecy;
#[cfg(test)]
mod secrets;
mod serving;
mod show;
mod sources;
mod started;
#[cfg(test)]
mod tests;
mod tools;
mod values;
mod warnings;

pub use access::{CallingConfig, HostPort, ServerUrl, ServingConfig, TlsFiles};
pub use cli::{Binary, CliError, completion_script, parse};
pub use common::{CommonConfig, DatabaseConfig, LogConfig, SpoolConfig, SpoolLimitsConfig, TelemetryConfig};
pub use demo::{DemoConfig, DemoFleet};
pub use error::ConfigError;
pub use keeping::{ExportConfig, ExportFormat, PruneConfig};
pub use programs::Command;
pub use redact::redacted;
pub use results::{CompareConfig, CompareFormat, ResultsConfig, ResultsFormat, SelectionConfig, Side, When};
pub use secrecy::Secret;
pub use serving::{DenylistFiles, DhtConfig, HealthConfig, PlaceConfig, SchedulerConfig, ServerConfig};
pub use show::ShowConfig;
pub use sources::secret_in_file;
pub use started::{Started, started};
pub use tools::{
    BenchConfig, BenchFormat, BenchTransport, CompletionsConfig, ConformanceConfig, MigrateConfig, NetworkConfig,
    OneShotConfig, ProvideConfig, RetrieveConfig, Shell, SpoolAction, SpoolCommandConfig, TraceConfig,
};
pub use values::{LogLevel, OutputFormat};
pub use warnings::Warning;
