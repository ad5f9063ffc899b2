//! `deploy/Dockerfile` and `.dockerignore`, as far as the binary and the workspace have to agree with them.

use parsec_test_support::stage::Stage;

use super::binary::Binary;
use super::{Variables, Workload, deploy, read, root};

/// What a container has that says nothing else.
pub(super) struct Image {
    pub(super) environment: Variables,
    /// `7070/tcp`.
    pub(super) exposed: Vec<String>,
}

/// What follows these words, continuation lines joined.
fn said(words: &str) -> String {
    let text = read(&deploy("Dockerfile")).replace("\\\n", " ");
    let found = text.lines().filter_map(|line| line.trim().strip_prefix(words)).next_back();
    found.unwrap_or_else(|| panic!("no {words}")).trim().to_owned()
}

pub(super) fn image() -> Image {
    let environment = said("ENV ");
    let pairs = environment.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    Image {
        environment: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        exposed: said("EXPOSE ").split_whitespace().map(str::to_owned).collect(),
    }
}

#[tokio::test]
async fn what_it_runs_by_default_is_a_server_that_others_reach() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    let Image { environment, exposed } = image();
    for host in ["PARSEC_SERVER_SERVER_HOST", "PARSEC_SERVER_PEER_HOST", "PARSEC_TELEMETRY_HOST"] {
        assert_eq!(environment[host], "0.0.0.0", "{host}");
    }
    let command: Vec<String> = serde_json::from_str(&said("CMD ")).unwrap();
    binary.takes(&Workload { at: "Dockerfile".to_owned(), args: command, environment }).await;

    let port = |name| binary.default_of(name);
    let (api, peer) = (port("PARSEC_SERVER_SERVER_PORT"), port("PARSEC_SERVER_PEER_PORT"));
    let telemetry = port("PARSEC_TELEMETRY_PORT");
    let expected = [format!("{api}/tcp"), format!("{peer}/tcp"), format!("{peer}/udp"), format!("{telemetry}/tcp")];
    assert_eq!(exposed, expected);
}

#[test]
fn it_is_built_as_the_workspace_is() {
    // The variable of the build script, the oldest release that it may be built with, and every folder with a crate in it.
    let (name, _) = said("ARG ").split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    assert!(read(&root().join("services/parsec/build.rs")).contains(&format!("env::var_os(\"{name}\")")), "{name}");
    let manifest = read(&root().join("Cargo.toml"));
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(said("FROM rust:").starts_with(&format!("{wanted}-")), "{wanted}");

    let sent = read(&root().join(".dockerignore"));
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let folders = members.split('"').skip(1).step_by(2).map(|member| member.split('/').next().unwrap());
    for path in folders.chain(["Cargo.toml", "Cargo.lock"]) {
        assert!(sent.lines().any(|line| line == format!("!{path}")), "the builder is not sent {path}");
    }
}
