//! What was given on the command line.

use clap::ArgMatches;

use super::definition::{ARGUMENT, id};
use crate::declared::keys;
use crate::key::Program;
use crate::sources::{Flags, Given};

/// The subcommand that stands at a level of the command line.
pub(super) fn program(levels: &[(&str, &ArgMatches)], level: usize) -> Option<Program> {
    let (name, _) = levels.get(level)?;
    Program::ALL.into_iter().find(|program| program.name() == *name)
}

/// What was given to the program itself, to its subcommand, and to the subcommand of that.
pub(super) fn levels(matches: &ArgMatches) -> Vec<(&str, &ArgMatches)> {
    let mut levels = vec![("", matches)];
    while let Some(deeper) = levels.last().and_then(|(_, matches)| matches.subcommand()) {
        levels.push(deeper);
    }
    levels
}

/// The flags that were given. One after the subcommand wins over the same one before it.
pub(super) fn flags(levels: &[(&str, &ArgMatches)]) -> Flags {
    let mut flags = Flags::new();
    for key in keys() {
        let given = key.flags().filter_map(|flag| {
            let id = id(key, flag);
            // The flag of another subcommand is unknown here: clap says so with an error, and it was not given.
            let given = |matches: &ArgMatches| Some(matches.try_get_many::<String>(id).ok()??.cloned().collect());
            let values: Vec<String> = levels.iter().rev().find_map(|(_, matches)| given(matches))?;
            Some(Given { flag, value: values.join(",") })
        });
        let given: Vec<_> = given.collect();
        if !given.is_empty() {
            flags.insert(key.name, given);
        }
    }
    flags
}

pub(super) fn given_argument<'a>(levels: &[(&str, &'a ArgMatches)]) -> Option<&'a str> {
    levels.last().and_then(|(_, matches)| matches.try_get_one::<String>(ARGUMENT).ok()?).map(String::as_str)
}

pub(super) fn required_argument<'a>(levels: &[(&str, &'a ArgMatches)]) -> &'a str {
    given_argument(levels).expect("clap asks for an argument that is required")
}
