//! What is odd about a configuration without making it unusable.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::declare::PREFIX;
use crate::declared::{SECTIONS, keys};
use crate::error::Origin;
use crate::idle;
use crate::key::{Key, Program};
use crate::names::{did_you_mean, nearest};
use crate::sources::{Flags, Sources, Variables};

/// Something that its author should know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Warning {
    /// A variable with our prefix that nothing reads.
    #[error("environment variable {name} is not known and has no effect{}", did_you_mean(*nearest))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The known variable that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A setting under an older name.
    #[error("{older} is an older name, still read, of {}", current.name())]
    OlderName {
        /// The name that was used.
        older: Origin,
        /// The name to use.
        current: Origin,
    },
    /// The same setting under its current and under an older name.
    #[error("{older} has no effect because {} is set", current.name())]
    OlderNameBeaten {
        /// The name that lost.
        older: Origin,
        /// The name that won.
        current: Origin,
    },
    /// Settings that are read for the sake of existing deployments alone.
    #[error("{} no effect: {reason}", list(set))]
    Idle {
        /// Where they were made.
        set: Vec<Origin>,
        /// Why they have no effect.
        reason: &'static str,
    },
    /// A flag before a subcommand that has no use for it.
    #[error("flag --{flag} has no effect on `{program}`")]
    UnusedFlag {
        /// The flag.
        flag: &'static str,
        /// The subcommand.
        program: &'static str,
    },
}

/// `A has`, `A and B have`, `A, B and C have`.
fn list(set: &[Origin]) -> String {
    match set {
        [] => String::new(),
        [one] => format!("{one} has"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(ToString::to_string).collect();
            format!("{} and {last} have", first.join(", "))
        }
    }
}

/// Everything odd about what `program` was given.
pub(crate) fn warnings(program: Program, flags: &Flags, variables: &Variables, from: &Sources) -> Vec<Warning> {
    let mut found = unknown_variables(variables);
    found.extend(program.keys().flat_map(|key| older_flags(key, flags).chain(older_variables(key, variables))));
    found.extend(idle::made(from, program).into_iter().map(|(set, reason)| Warning::Idle { set, reason }));
    let unused = SECTIONS.iter().filter(|section| !section.used_by.contains(&program)).flat_map(|section| section.keys);
    let unused = unused.flat_map(|key| flags.get(key.name).into_iter().flatten());
    found.extend(unused.map(|given| Warning::UnusedFlag { flag: given.flag, program: program.name() }));
    found
}

fn unknown_variables(variables: &Variables) -> Vec<Warning> {
    let known: BTreeSet<_> = keys().flat_map(Key::variables).collect();
    variables
        .iter()
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty() && !known.contains(name.as_str()))
        .filter(|(name, value)| !value.to_str().is_some_and(|value| is_service_link(name, value)))
        .map(|(name, _)| Warning::UnknownVariable { name: name.clone(), nearest: nearest(name, known.iter().copied()) })
        .collect()
}

/// Whether Kubernetes set it: for a service called `parsec-server` each pod has `PARSEC_SERVER_SERVICE_HOST`,
/// `PARSEC_SERVER_PORT=tcp://…`, `PARSEC_SERVER_PORT_7070_TCP_ADDR` and more. Nobody can mend those.
fn is_service_link(name: &str, value: &str) -> bool {
    let of_a_port = name.rsplit_once("_PORT_").is_some_and(|(_, rest)| {
        rest.split_once('_').is_some_and(|(port, rest)| {
            port.parse::<u16>().is_ok() && ["TCP", "UDP"].contains(&rest.split('_').next().unwrap_or_default())
        })
    });
    let is_url = value.starts_with("tcp://") || value.starts_with("udp://");
    of_a_port
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && is_url)
}

fn older_flags(key: &'static Key, flags: &Flags) -> impl Iterator<Item = Warning> {
    let given = flags.get(key.name).into_iter().flatten().map(|given| given.flag);
    older_names(key.flag, given.collect(), Origin::Flag)
}

fn older_variables(key: &'static Key, variables: &Variables) -> impl Iterator<Item = Warning> {
    let set = key.variables().filter(|name| variables.get(*name).is_some_and(|value| !value.is_empty()));
    older_names(key.variable, set.collect(), Origin::Variable)
}

/// What to say of the names that were `used` for a setting, the one first that counts.
fn older_names(
    current: &'static str,
    used: Vec<&'static str>,
    origin: fn(&'static str) -> Origin,
) -> impl Iterator<Item = Warning> {
    let winner = used.first().copied();
    used.into_iter().filter(move |name| *name != current).map(move |older| match winner {
        Some(winner) if winner != older => Warning::OlderNameBeaten { older: origin(older), current: origin(winner) },
        _ => Warning::OlderName { older: origin(older), current: origin(current) },
    })
}

#[cfg(test)]
mod tests;
