//! Settings of the original that have nothing behind them here. They are read, so that a deployment starts unchanged; a
//! value that says nothing is refused, and one that asks for something is told that it has no effect.

use crate::error::{ConfigError, Origin};
use crate::key::{Key, Program};
use crate::sources::Sources;

/// Reads what `program` has no use for.
///
/// # Errors
/// Names the first setting that says nothing.
pub(super) fn check(from: &Sources, program: Program) -> Result<(), ConfigError> {
    idle(program).try_for_each(|key| from.optional(key.name, key.idle_reader).map(drop))
}

/// Where settings without effect were made with another value than their default, for each reason why they have none.
pub(super) fn made(from: &Sources, program: Program) -> Vec<(Vec<Origin>, &'static str)> {
    let mut found: Vec<(Vec<Origin>, &'static str)> = Vec::new();
    for key in idle(program) {
        let Ok(Some(value)) = from.optional(key.name, key.idle_reader) else { continue };
        let default = key.default.and_then(|default| (key.idle_reader)(default).ok()).unwrap_or_default();
        let Some(reason) = key.idle.filter(|_| value != default) else { continue };
        let origin = from.origin(key.name).clone();
        match found.iter_mut().find(|(_, other)| *other == reason) {
            Some((set, _)) => set.push(origin),
            None => found.push((vec![origin], reason)),
        }
    }
    found
}

fn idle(program: Program) -> impl Iterator<Item = &'static Key> {
    program.keys().filter(|key| key.idle.is_some())
}

#[cfg(test)]
mod tests {
    use crate::declared::keys;

    #[test]
    fn every_setting_without_effect_has_a_default_that_says_something() {
        let idle: Vec<_> = keys().filter(|key| key.idle.is_some()).collect();
        assert_eq!(idle.len(), 14);
        for key in idle {
            assert!(key.default.is_none_or(|default| (key.idle_reader)(default).is_ok()), "{}", key.name);
        }
    }
}
