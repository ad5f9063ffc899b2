//! What tests of this crate have in common.

use std::collections::BTreeMap;

use parsec_settings::{BenchConfig, Binary, Command, parse};

/// The binary as which lines are read.
pub(crate) const BINARY: Binary = Binary { version: "1", exit_codes: &[] };

/// The settings of such a line.
pub(crate) fn config(line: &str) -> BenchConfig {
    match parse(line.split(' ').map(Into::into), &BTreeMap::new(), &BINARY) {
        Ok((Command::Bench(config), _)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

/// The help of the command.
pub(crate) fn help() -> String {
    match parse(["parsec", "bench", "--help"].map(Into::into), &BTreeMap::new(), &BINARY) {
        Err(help) => help.to_string(),
        Ok(read) => panic!("{read:?}"),
    }
}
