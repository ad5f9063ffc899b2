//! What is odd about a configuration without making it unusable.

use thiserror::Error;

use super::error::did_you_mean;
use super::sources::{Flags, Variables};
use super::table::{Program, keys};
use super::{Key, SECTIONS};

/// How many slips (a letter too many, too few, wrong, or two swapped) a name may be away from a known one to be taken
/// for it: enough for mistyping, too few to turn one real name of the table into a guess for something else.
const MAX_SLIPS: usize = 3;

/// Something that its author should know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Warning {
    /// A variable with our prefix that nothing reads.
    #[error("environment variable {name} is not known and has no effect{}", did_you_mean(*nearest))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The known variable that looks most like it.
        nearest: Option<&'static str>,
    },
    /// The same setting under its current and under an older name.
    #[error("environment variable {older} has no effect because {current} is set")]
    OlderVariable {
        /// The name that lost.
        older: &'static str,
        /// The name that won.
        current: &'static str,
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

/// Everything odd about what `program` was given.
pub(crate) fn warnings(program: Program, flags: &Flags, variables: &Variables) -> Vec<Warning> {
    let mut found = unknown_variables(variables);
    found.extend(keys().flat_map(|key| older_variables(key, variables)));
    let unused = SECTIONS.iter().filter(|section| !section.used_by.contains(&program)).flat_map(|section| section.keys);
    found.extend(
        unused
            .filter(|key| flags.contains_key(key.name))
            .map(|key| Warning::UnusedFlag { flag: key.flag, program: program.name() }),
    );
    found
}

fn unknown_variables(variables: &Variables) -> Vec<Warning> {
    let known: Vec<_> = keys().flat_map(Key::variables).collect();
    variables
        .iter()
        .filter(|(name, value)| name.starts_with("PARSEC_") && !value.is_empty() && !known.contains(&name.as_str()))
        .map(|(name, _)| Warning::UnknownVariable { name: name.clone(), nearest: nearest(name, known.iter().copied()) })
        .collect()
}

fn older_variables(key: &'static Key, variables: &Variables) -> Vec<Warning> {
    let mut set = key.variables().filter(|name| variables.get(*name).is_some_and(|value| !value.is_empty()));
    let Some(current) = set.next() else { return Vec::new() };
    set.map(|older| Warning::OlderVariable { older, current }).collect()
}

/// The name that looks most like `name`, if one does.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(slips, _)| *slips <= MAX_SLIPS)
        .min()
        .map(|(_, candidate)| candidate)
}
