//! What holds in every file of `deploy/`, whatever its format: each is read as text.

use std::collections::BTreeSet;
use std::path::PathBuf;

use parsec_test_support::stage::Stage;

use super::binary::Binary;
use super::image::image;
use super::{deploy, files, read};

/// How each format says how long a process has after it was asked to end.
const TIMES_TO_STOP: [&str; 4] =
    ["stop_grace_period:", "terminationGracePeriodSeconds:", "stopTimeout ", "TimeoutStopSec="];

/// How each format names a port of a container or of a firewall.
const PORTS: [&str; 3] = ["containerPort", "from_port", "to_port"];

/// Told to the build, not to the binary.
const OF_THE_BUILD: &str = "PARSEC_GIT_COMMIT";

/// Every line with its file.
fn lines() -> impl Iterator<Item = (PathBuf, String)> {
    files(&deploy("")).into_iter().flat_map(|path| {
        let lines: Vec<_> = read(&path).lines().map(|line| (path.clone(), line.to_owned())).collect();
        lines
    })
}

/// The number that follows the first of these words.
fn number_after(line: &str, words: &[&str]) -> Option<u64> {
    let (_, rest) = words.iter().find_map(|word| line.split_once(word))?;
    let digits = rest.trim_start_matches([' ', '=', ':']);
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[tokio::test]
async fn every_variable_is_one_of_the_binarys() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    let mut found = 0;
    for (path, line) in lines() {
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours: Vec<_> = words.filter(|word| word.starts_with("PARSEC_") && *word != OF_THE_BUILD).collect();
        found += ours.len();
        binary.knows(&path.display().to_string(), ours);
    }
    assert!(found > 50, "{found} variables");
}

#[test]
fn every_deployment_has_a_token_on_both_sides() {
    for place in ["compose.yaml", "ecs", "kubernetes/base", "systemd"] {
        let here = deploy(place);
        let text: String = lines().filter(|(path, _)| path.starts_with(&here)).map(|(_, line)| line + "\n").collect();
        for side in ["PARSEC_SERVER_API_TOKEN", "PARSEC_SCHEDULER_API_TOKEN"] {
            assert!(text.contains(side), "{place}: {side} is not set");
        }
    }
}

#[test]
fn no_spool_ends_with_its_container() {
    for (path, line) in lines().filter(|(path, _)| path.extension().is_some_and(|extension| extension != "md")) {
        assert!(!line.contains("emptyDir"), "{}: {line}", path.display());
    }
    // Each way to run has a place that outlives the process.
    for (place, durable) in [
        ("compose.yaml", "volumes: [\"spool:/var/lib/parsec\"]"),
        ("ecs/region/main.tf", "efs_volume_configuration {"),
        ("ecs/scheduler.tf", "efs_volume_configuration {"),
        ("kubernetes/base/server/statefulset.yaml", "volumeClaimTemplates:"),
        ("kubernetes/base/scheduler/statefulset.yaml", "volumeClaimTemplates:"),
        ("systemd/parsec-server@.service", "StateDirectory="),
        ("systemd/parsec-scheduler.service", "StateDirectory="),
    ] {
        assert!(read(&deploy(place)).contains(durable), "{place}: no {durable}");
    }
}

#[test]
fn everybody_has_time_to_stop_in_order() {
    let given: Vec<_> = lines().filter_map(|(path, line)| Some((path, number_after(&line, &TIMES_TO_STOP)?))).collect();
    let formats: BTreeSet<_> = given.iter().map(|(path, _)| path.extension()).collect();
    assert!(given.len() >= 8 && formats.len() == 3, "{given:?}");
    assert!(given.iter().all(|(_, seconds)| *seconds >= super::ORDERLY_STOP), "{given:?}");
}

#[test]
fn the_ports_of_servers_and_schedulers_are_those_of_the_image() {
    let exposed: BTreeSet<u64> =
        image().exposed.iter().map(|port| port.split('/').next().unwrap().parse().unwrap()).collect();
    for folder in ["ecs", "kubernetes/base"] {
        // The file system for the spools has a port of its own.
        let (here, not_ours) = (deploy(folder), deploy("ecs/spool"));
        let named = lines().filter(|(path, _)| path.starts_with(&here) && !path.starts_with(&not_ours));
        let named: BTreeSet<u64> = named.filter_map(|(_, line)| number_after(&line, &PORTS)).collect();
        assert_eq!(named, exposed, "{folder}");
    }
}

#[tokio::test]
async fn checks_of_health_ask_the_port_of_the_api() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    let commands: Vec<_> = lines()
        .filter_map(|(path, line)| {
            let (_, health) = line.split_once("\"parsec\", \"health\", \"")?;
            Some((path, health.split('"').next()?.to_owned()))
        })
        .collect();
    assert_eq!(commands.len(), 2, "Dockerfile and ECS: {commands:?}");
    for (path, server) in commands {
        let asked = binary.asks_for_health(&path.display().to_string(), &server).await;
        assert_eq!(asked.to_string(), binary.default_of("PARSEC_SERVER_SERVER_PORT"));
    }
}

#[test]
#[cfg_attr(not(has_terraform), ignore = "needs terraform")]
fn terraform_would_write_the_files_so() {
    let mut terraform = std::process::Command::new("terraform");
    let output = terraform.args(["fmt", "-check", "-recursive", "-diff"]).arg(deploy("ecs")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}
