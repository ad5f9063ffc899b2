//! `deploy/Dockerfile` and `.dockerignore`.

use std::path::Path;

use parsec_test_support::stage::Stage;
use serde_json::Value;

use super::binary::Binary;
use super::{Variables, Workload, deploy, read, root};

/// One instruction, its continuation lines joined.
#[derive(Debug)]
struct Instruction {
    name: String,
    /// `--flag=value` before everything else.
    flags: Vec<(String, String)>,
    rest: String,
}

impl Instruction {
    fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    /// The words of the form that needs no shell.
    fn exec(&self) -> Vec<String> {
        exec(&self.rest)
    }
}

fn exec(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not in exec form: {text}: {error}"))
}

fn instructions(text: &str) -> Vec<Instruction> {
    let (mut found, mut line) = (Vec::new(), String::new());
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty() && !part.starts_with('#')) {
        match part.strip_suffix('\\') {
            Some(part) => line += part,
            None => {
                line += part;
                found.push(instruction(&line));
                line.clear();
            }
        }
    }
    assert!(line.is_empty(), "the last line goes on: {line}");
    found
}

fn instruction(line: &str) -> Instruction {
    let (name, mut rest) = line.split_once(char::is_whitespace).unwrap_or_else(|| panic!("only a name: {line}"));
    let mut flags = Vec::new();
    rest = rest.trim_start();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    Instruction { name: name.to_uppercase(), flags, rest: rest.to_owned() }
}

/// What a container has that says nothing else.
pub(super) struct Image {
    pub(super) environment: Variables,
    pub(super) entrypoint: Vec<String>,
    command: Vec<String>,
    health: Vec<String>,
    user: String,
    /// Where something is mounted.
    pub(super) volume: String,
    /// `7070/tcp`.
    pub(super) exposed: Vec<String>,
}

/// The last stage, as far as it says.
pub(super) fn image() -> Image {
    let all = instructions(&read(&deploy("Dockerfile")));
    let last = all.iter().rposition(|instruction| instruction.name == "FROM").unwrap();
    let stage = &all[last..];
    let the = |name: &str| {
        let mut found = stage.iter().filter(|instruction| instruction.name == name);
        let one = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "two of {name}: the last would win");
        one
    };
    let environment = the("ENV").rest.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    Image {
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        entrypoint: the("ENTRYPOINT").exec(),
        command: the("CMD").exec(),
        health: exec(the("HEALTHCHECK").rest.strip_prefix("CMD").unwrap().trim()),
        user: the("USER").rest.clone(),
        volume: the("VOLUME").rest.clone(),
        exposed: the("EXPOSE").rest.split_whitespace().map(str::to_owned).collect(),
    }
}

#[test]
fn instructions_are_read_with_their_flags_and_continuations() {
    let all = instructions(
        "# syntax=x\nFROM a AS b\nRUN --mount=type=cache,target=/x \\\n    # why\n    make && \\\n  cp\nENV A=1 \\\n B=2\n",
    );
    let shown: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.flags.len(), one.rest.as_str())).collect();
    assert_eq!(shown, [("FROM", 0, "a AS b"), ("RUN", 1, "make && cp"), ("ENV", 0, "A=1 B=2")]);
}

#[test]
fn it_is_built_in_one_stage_and_runs_in_another_as_nobody() {
    let all = instructions(&read(&deploy("Dockerfile")));
    let stages: Vec<_> = all.iter().filter(|one| one.name == "FROM").map(|one| one.rest.as_str()).collect();
    let [build, run] = stages[..] else { panic!("{stages:?}") };
    // The same release of Debian: a binary wants a C library no older than the one it was built with.
    let (rust, alias) = build.split_once(" AS ").unwrap();
    assert!(rust.ends_with("-slim-bookworm") && run == "debian:12-slim", "{rust} {run}");
    // The toolchain that the workspace asks for.
    let manifest = read(&root().join("Cargo.toml"));
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    assert_eq!(rust.strip_prefix("rust:").unwrap().strip_suffix("-slim-bookworm"), Some(wanted.trim_matches('"')));

    let made = "/usr/local/bin/parsec";
    assert!(all.iter().any(|one| one.name == "RUN" && one.rest.ends_with(&format!("cp target/release/parsec {made}"))));
    let copied =
        all.iter().filter(|one| one.name == "COPY").filter_map(|one| Some((one.flag("from")?, one.rest.as_str())));
    assert!(copied.clone().all(|(from, _)| from == alias));
    assert!(copied.clone().any(|(_, rest)| rest == format!("{made} {made}")));
    let image = image();
    let ids: Vec<u32> = image.user.split(':').map(|id| id.parse().expect("as a number")).collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| *id != 0), "{ids:?}");
}

#[test]
fn the_spool_is_in_a_volume_that_belongs_to_whom_it_runs_as() {
    let image = image();
    assert!(Path::new(&image.environment["PARSEC_SPOOL_DIR"]).starts_with(&image.volume));
    let all = instructions(&read(&deploy("Dockerfile")));
    let owner = all.iter().find(|one| one.rest == format!("{0} {0}", image.volume)).and_then(|one| one.flag("chown"));
    assert_eq!(owner, Some(image.user.as_str()));
}

#[test]
fn the_build_is_told_the_commit_by_the_name_that_it_asks_for() {
    let all = instructions(&read(&deploy("Dockerfile")));
    let arg = all.iter().find(|one| one.name == "ARG").unwrap();
    let (name, default) = arg.rest.split_once('=').unwrap();
    assert_eq!(default, "unknown");
    assert!(read(&root().join("services/parsec/build.rs")).contains(&format!("env::var_os(\"{name}\")")), "{name}");
}

#[tokio::test]
async fn what_it_runs_by_default_is_a_server_that_others_reach() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    let Image { environment, entrypoint, command, health, exposed, .. } = image();
    assert_eq!(entrypoint, ["parsec"]);
    for host in ["PARSEC_SERVER_SERVER_HOST", "PARSEC_SERVER_PEER_HOST", "PARSEC_TELEMETRY_HOST"] {
        assert_eq!(environment[host], "0.0.0.0", "{host}");
    }
    binary.takes(&Workload { at: "Dockerfile".to_owned(), args: command, environment }).await;

    let port = |name| binary.default_of(name);
    let (api, peer) = (port("PARSEC_SERVER_SERVER_PORT"), port("PARSEC_SERVER_PEER_PORT"));
    let telemetry = port("PARSEC_TELEMETRY_PORT");
    let expected = [format!("{api}/tcp"), format!("{peer}/tcp"), format!("{peer}/udp"), format!("{telemetry}/tcp")];
    assert_eq!(exposed, expected);
    assert_eq!(binary.asks_for_health("HEALTHCHECK", &health).await.to_string(), api);
}

/// Whether a path of the repository is sent to the builder: the last pattern that matches it or a folder around it decides.
fn is_sent(path: &str) -> bool {
    let ignored = read(&root().join(".dockerignore"));
    let mut sent = true;
    for line in ignored.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (pattern, sends) = line.strip_prefix('!').map_or((line, false), |rest| (rest, true));
        let folders = Path::new(path).ancestors().filter(|folder| folder.parent().is_some());
        if folders.into_iter().any(|folder| matches(pattern, folder.to_str().unwrap())) {
            sent = sends;
        }
    }
    sent
}

/// `*`, a path, or `**/` before a name that may begin with `*`.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_prefix("**/") {
        Some(name) => {
            let last = path.rsplit('/').next().unwrap();
            name.strip_prefix('*').map_or(last == name, |ending| last.ends_with(ending))
        }
        None if pattern == "*" => !path.contains('/'),
        None => {
            assert!(!pattern.contains('*'), "this reader does not know {pattern}");
            pattern == path
        }
    }
}

#[test]
fn the_builder_is_sent_every_member_of_the_workspace_and_nothing_that_grows() {
    let metadata = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let manifests =
        metadata["packages"].as_array().unwrap().iter().map(|package| package["manifest_path"].as_str().unwrap());
    let members: Vec<_> =
        manifests.map(|path| Path::new(path).strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect();
    assert!(members.len() > 5);
    for path in members.iter().map(String::as_str).chain(["Cargo.toml", "Cargo.lock"]) {
        assert!(is_sent(path), "{path}");
    }
    for path in
        [".git/HEAD", "target/debug/parsec", "services/dht/target/x", "deploy/local.env", "tests/a.db", "README.md"]
    {
        assert!(!is_sent(path), "{path}");
    }
}
