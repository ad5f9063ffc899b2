//! Configuration: one table of settings, four places to set them, typed values out.
//!
//! A flag wins over the environment, the environment over the configuration file, the file over the default.
//! [`table`] lists every setting once: command line, environment names, file keys, help and the table in `docs/configuration.md`
//! are all generated from it. [`sources`] merges the four places and remembers where each value came from,
//! [`values`] reads single values, and [`typed`], [`access`], [`place`], [`spool`] and [`tools`] make the settings of one command of them. [`idle`] has those
//! that are read without having an effect, and [`show`] shows what a command would run with.
//! Nobody here reads the process environment: it is handed in.

mod access;
#[cfg(test)]
mod contract;
mod duration;
mod error;
mod idle;
#[cfg(test)]
mod markdown;
mod place;
mod redact;
mod rows;
mod schema;
#[cfg(test)]
mod secrets;
mod show;
mod sources;
mod spool;
mod table;
#[cfg(test)]
mod tests;
mod tools;
mod typed;
mod values;
mod warnings;

pub(crate) use access::{CallingConfig, ServerUrl, TlsFiles};
pub(crate) use error::ConfigError;
pub(crate) use place::{EcsConfig, ListFiles, PlaceConfig};
pub(crate) use redact::redacted;
pub(crate) use rows::SECTIONS;
pub(crate) use show::ShowConfig;
pub(crate) use sources::{Flags, Given, Sources};
pub(crate) use spool::{SpoolCommandConfig, SpoolConfig};
pub(crate) use table::{Key, Kind, Program, Secrecy, keys};
pub(crate) use tools::{
    BenchConfig, CompletionsConfig, ConformanceConfig, MigrateConfig, NetworkConfig, OneShot, OneShotConfig,
    TraceConfig,
};
pub(crate) use typed::{
    CommonConfig, DatabaseConfig, DatabaseTarget, DemoConfig, DemoFleet, DhtConfig, HealthConfig, LogConfig,
    SchedulerConfig, ServerConfig,
};
pub(crate) use values::{BenchFormat, BenchTransport, HostPort, LogLevel, OutputFormat, Shell, SpoolAction};
pub(crate) use warnings::{Warning, warnings};
