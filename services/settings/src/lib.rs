//! Settings: one table of them, four places to make them, typed values out. Environment, command line and configuration
//! file are read here and nowhere else; [`parsec_layers`] does it, which knows none of our settings.
//!
//! A flag wins over the environment, the environment over the configuration file, the file over the default.
//! From the bottom up:
//!
//! - `values`, `hosts`: what a text must look like to be a value, and what is said if it does not
//! - `declare`: how settings are declared
//! - `access`, `common`, `serving`, `demo`, `tools`, `results`, `keeping`, `check`: the settings; `idle`: those that are read without
//!   having an effect; `show`: those of `parsec config`
//! - `programs`: the commands, and the table of all settings. Command line, environment names, file keys, help and
//!   `docs/configuration.md` are generated from it
//! - `cli`: from words to a command; `started`: what the process was started with

mod access;
mod bench;
mod check;
mod cli;
mod common;
#[cfg(test)]
mod contract;
mod declare;
mod demo;
mod doctor;
mod hosts;
mod idle;
mod keeping;
#[cfg(test)]
mod markdown;
mod page;
mod programs;
mod redact;
mod report;
mod results;
#[cfg(test)]
mod secrets;
mod serving;
mod show;
mod started;
#[cfg(test)]
mod tests;
mod tools;
mod traces;
mod values;
mod world;

pub use access::{CallingConfig, ServingConfig, TlsFiles};
pub use bench::{AskedBulk, BENCH_ALPHA, BenchConfig, BenchFormat, BenchStrategy, BenchTransport, Simulated};
pub use check::{CheckConfig, Limits};
pub use cli::{completion_script, parse};
pub use common::{
    CommonConfig, DatabaseConfig, LogConfig, SpoolConfig, SpoolLimitsConfig, TelemetryConfig, WrongDatabaseUrl,
};
pub use demo::{DemoConfig, DemoFleet, SimulatedRounds};
pub use doctor::DoctorConfig;
pub use keeping::{ExportConfig, ExportFormat, PruneConfig};
pub use page::{PageAccessConfig, PageConfig};
pub use parsec_layers::{Binary, CliError, ConfigError, Secret, Shell, Warning, not_a_pipe, secret_again};
pub use programs::Command;
pub use redact::redacted;
pub use report::{ReportConfig, ReportFormat};
pub use results::{
    CompareConfig, CompareFormat, Half, IncidentsConfig, Place, PlanConfig, ResultsConfig, ResultsFormat,
    SelectionConfig, Side,
};
pub use serving::{DenylistFiles, DhtConfig, HealthConfig, PlaceConfig, SchedulerConfig, ServerConfig};
pub use show::ShowConfig;
pub use started::{Started, started};
pub use tools::{
    CompletionsConfig, ConformanceConfig, MigrateConfig, NetworkConfig, OneShotConfig, ProvideConfig, RetrieveConfig,
    SpoolAction, SpoolCommandConfig,
};
pub use traces::{Asked, ExplainConfig, PeersConfig, TraceConfig, TraceExport};
pub use values::{LogLevel, OutputFormat};
pub use world::{ScenarioSource, WorldSource};
