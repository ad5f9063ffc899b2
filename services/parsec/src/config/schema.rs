//! The table of settings for programs: what deployment files name is checked against it.

use serde_json::{Value, json};

use super::table::{Key, Program, Secrecy, Section};
use super::{CommonConfig, SECTIONS};

/// `parsec config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShowConfig {
    /// What every command has.
    pub(crate) common: CommonConfig,
}

/// Every setting of every subcommand, one object for each.
pub(crate) fn schema() -> Value {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| row(section, key))).collect()
}

fn row(section: &Section, key: &Key) -> Value {
    let programs: Vec<_> = section.used_by.iter().copied().map(Program::name).collect();
    json!({
        "section": section.heading,
        "programs": programs,
        "name": key.name,
        "flag": key.flag,
        "variable": key.variable,
        "older_variables": key.older_variables,
        "kind": key.kind.as_str(),
        "default": key.default,
        "secret": key.secrecy != Secrecy::Open,
    })
}
