//! Which world is simulated, what happens in it, and what it rules out.

use std::fmt;
use std::path::PathBuf;

use parsec_layers::{Choice, ConfigError, OWN_FILE, Origin, Sources};

use crate::values::{Reading, Value, no_choice, path};

/// How the name of a file ends that somebody wrote for a simulation.
const TOML: &str = ".toml";

/// One of the `choices` by its name, or a file of one's own.
fn shipped_or_file<T>(
    text: &str,
    (what, choices): (&'static str, &'static [Choice]),
    shipped: impl FnOnce(String) -> T,
    file: impl FnOnce(PathBuf) -> T,
) -> Reading<T> {
    if text.ends_with(TOML) {
        return path(text).map(file);
    }
    let is_shipped = choices.iter().any(|(name, _)| *name == text);
    if is_shipped { Ok(shipped(text.to_owned())) } else { Err(no_choice(what, text, choices)) }
}

/// A world to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorldSource {
    /// One that comes with parsec, by its name.
    Shipped(String),
    /// One of one's own.
    File(PathBuf),
}

impl Value for WorldSource {
    const CHOICES: &'static [Choice] = &[
        ("amino-2022", "The public IPFS DHT in July 2022, as ProbeLab measured it"),
        ("amino-2023-silent", "The same in early 2023, when 60 % of the servers never answered"),
        ("amino-2026", "The same in 2026, with 3,500 servers"),
        ("private-50", "A private network of 50 peers, all well"),
        (OWN_FILE, "A world of one's own"),
    ];

    fn read(text: &str) -> Reading<Self> {
        shipped_or_file(text, ("world", Self::CHOICES), Self::Shipped, Self::File)
    }
}

impl fmt::Display for WorldSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What happens in a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScenarioSource {
    /// One that comes with parsec, by its name.
    Shipped(String),
    /// One of one's own.
    File(PathBuf),
}

impl Value for ScenarioSource {
    const CHOICES: &'static [Choice] = &[
        (
            "silent-2023",
            "60 % of those who answer fall silent after ten minutes, and half of these are back after forty",
        ),
        ("merge", "A foreign network of 5,000 peers merges in after ten minutes"),
        ("udp-blocked", "UDP is blocked at the measuring nodes from ten to thirty minutes"),
        ("half-leaves", "Half of all peers leave after ten minutes"),
        ("churn", "Half of all peers leave within two hours, others come; keys are looked up after an hour"),
        (OWN_FILE, "A scenario of one's own"),
    ];

    fn read(text: &str) -> Reading<Self> {
        shipped_or_file(text, ("scenario", Self::CHOICES), Self::Shipped, Self::File)
    }
}

impl fmt::Display for ScenarioSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Whether somebody wants it to be as it is. A file may name every setting, also those that nobody changed.
pub(crate) fn is_set(from: &Sources, name: &str) -> bool {
    let is_default = from.shown(from.key(name)).as_deref() == from.key(name).default;
    matches!(from.origin(name), Origin::Flag(_)) || !is_default
}

/// Why its value cannot be used.
pub(crate) fn refused(from: &Sources, name: &str, reason: impl Into<String>) -> ConfigError {
    let value = from.shown(from.key(name)).unwrap_or_default();
    ConfigError::Value(from.origin(name).clone(), value, reason.into())
}

/// Refuses what shapes the local network of real peers, and means nothing in a world.
pub(crate) fn without_real_peers(from: &Sources, names: &[&str], world: &WorldSource) -> Result<(), ConfigError> {
    let Some(name) = names.iter().find(|name| is_set(from, name)) else { return Ok(()) };
    Err(refused(from, name, shapes(world)))
}

/// Reads what shapes that network. What it may be there is no help to somebody who has chosen a world.
pub(crate) fn outside<T>(
    world: Option<&WorldSource>,
    read: impl Fn(&str) -> Reading<T>,
) -> impl Fn(&str) -> Reading<T> {
    move |text| read(text).map_err(|reason| world.map_or(reason, shapes))
}

fn shapes(world: &WorldSource) -> String {
    format!(
        "it shapes the local network of real peers, and --world {world} says itself what it is like; expected only one of the two"
    )
}
