//! What is odd about a configuration without making it unusable.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;

use crate::app::{App, Command};
use crate::error::Origin;
use crate::key::{Key, Variables, set};
use crate::plain::did_you_mean;
use crate::sources::Sources;

/// Something that the author of a configuration should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything odd about what was given.
pub fn warnings(from: &Sources, variables: &Variables) -> Vec<Warning> {
    let Sources { app, words, .. } = from;
    let command = words.meant.unwrap_or(words.command);
    let mut found = unknown_variables(app, variables);
    let given = |key: &Key| words.flags.get(key.name).into_iter().flatten().map(|(flag, _)| *flag).collect();
    for key in command.keys() {
        found.extend(older_names(given(key), key.flag, Origin::Flag));
        let is_set = |name: &&str| set(variables, name).is_some();
        found.extend(older_names(key.variables().filter(is_set).collect(), key.variable, Origin::Variable));
    }
    found.extend(idle(from).into_iter().map(|(made, reason)| format!("{} no effect: {reason}", list(&made))));
    // A command that tells about others takes flags of its own beside theirs.
    let used: Vec<_> = app.describers().chain([command]).flat_map(Command::keys).collect();
    let unused = app.keys().filter(|key| !used.contains(key)).flat_map(given);
    found.extend(unused.map(|flag| format!("flag --{flag} has no effect on `{}`", command.name)));
    found.into_iter().map(Warning).collect()
}

/// Where settings without effect were made with another value than their default, for each reason why they have none.
fn idle(from: &Sources) -> Vec<(Vec<Origin>, &'static str)> {
    let mut found: Vec<(Vec<Origin>, &'static str)> = Vec::new();
    for key in from.scope().map(|(_, key)| key).filter(|key| key.idle.is_some()) {
        let Ok(Some(value)) = from.optional(key.name, key.meaning) else { continue };
        let default = key.default.and_then(|default| (key.meaning)(default).ok()).unwrap_or_default();
        let Some(reason) = key.idle.filter(|_| value != default) else { continue };
        let origin = from.origin(key.name).clone();
        match found.iter_mut().find(|(_, other)| *other == reason) {
            Some((set, _)) => set.push(origin),
            None => found.push((vec![origin], reason)),
        }
    }
    found
}

/// `A has`, `A and B have`, `A, B and C have`.
fn list(made: &[Origin]) -> String {
    let names: Vec<_> = made.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, [])) => format!("{last} has"),
        Some((last, first)) => format!("{} and {last} have", first.join(", ")),
        None => String::new(),
    }
}

fn unknown_variables(app: &App, variables: &Variables) -> Vec<String> {
    let known: BTreeSet<_> = app.keys().flat_map(Key::variables).collect();
    let ours = variables.iter().filter(|(name, value)| name.starts_with(app.prefix) && !value.is_empty());
    let is_link = |name: &str, value: &OsString| value.to_str().is_some_and(|value| is_service_link(name, value));
    let unknown = ours.filter(|(name, value)| !known.contains(name.as_str()) && !is_link(name, value));
    let guess = |name: &str| did_you_mean(name, known.iter().copied());
    unknown
        .map(|(name, _)| format!("environment variable {name} is not known and has no effect{}", guess(name)))
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

/// What to say of the names that were `used` for a setting, the one first that counts.
fn older_names(used: Vec<&'static str>, current: &'static str, origin: fn(&'static str) -> Origin) -> Vec<String> {
    let winner = used.first().copied().unwrap_or(current);
    let older = used.into_iter().filter(|name| *name != current);
    let name = |name| origin(name).place().1;
    older
        .map(|older| match winner == older {
            true => format!("{} is an older name, still read, of {}", origin(older), name(current)),
            false => format!("{} has no effect because {} is set", origin(older), name(winner)),
        })
        .collect()
}
