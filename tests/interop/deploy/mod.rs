//! What `deploy/` tells other people's software to run, held against the binary.
//!
//! Only what parsec has to keep is checked here: variables, command lines, ports, the time that it takes to stop. What other
//! people's formats mean is left to their programs (kubectl, systemd-analyze, terraform), where they are installed.
//!
//! [`everywhere`] reads every file as text. [`image`], [`compose`], [`kubernetes`] and [`systemd`] know where a command line stands with its
//! environment: together they are a [`Workload`], which [`Binary`](binary::Binary) takes or refuses. [`stack`] starts what the compose file
//! describes, as plain processes, and [`ci`] runs the steps of the action for GitHub.

mod binary;
mod ci;
mod compose;
mod everywhere;
mod image;
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
