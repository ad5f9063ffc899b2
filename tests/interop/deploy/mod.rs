//! What `deploy/` tells other people's software to run, held against the binary.
//!
//! Each file there is parsed, by a reader of its format: [`dockerfile`], [`compose`], [`ecs`], [`kubernetes`], [`systemd`]. What they say
//! comes down to [`Workload`]s, a command line and an environment, which [`Binary`](binary::Binary) takes or refuses. [`stack`]
//! starts what the compose file describes, as plain processes.

mod binary;
mod compose;
mod dockerfile;
mod ecs;
mod guide;
mod kubernetes;
mod stack;
mod systemd;
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How many seconds everybody who stops a process has to give it: it ends by itself after 31 at the latest.
const ORDERLY_STOP: u64 = 35;

/// Environment variables by their names.
type Variables = BTreeMap<String, String>;

/// A parsec process that some file describes.
#[derive(Debug, Clone)]
struct Workload {
    /// Who describes it, for messages.
    at: String,
    /// What follows `parsec`.
    args: Vec<String>,
    environment: Variables,
}

impl Workload {
    /// The value that a flag has on its command line.
    fn flag(&self, flag: &str) -> Option<&str> {
        let at = self.args.iter().position(|arg| arg == flag)?;
        Some(&self.args[at + 1])
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file or folder below `deploy/`.
fn deploy(path: &str) -> PathBuf {
    root().join("deploy").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// `NAME=value` lines, as systemd and compose read them where nothing is quoted.
fn env_file(path: &Path) -> Variables {
    let text = read(path);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{}: {line}", path.display()));
        assert!(!value.contains(['"', '\'', '\\', '$']), "this reader knows no quotes: {line}");
        (name.to_owned(), value.to_owned())
    });
    pairs.collect()
}

/// A duration of whole seconds or minutes.
fn seconds(text: &str) -> u64 {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number: u64 = digits.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    match &text[digits.len()..] {
        "" | "s" => number,
        "m" | "min" => number * 60,
        unit => panic!("{text}: unit {unit}"),
    }
}
