//! `deploy/systemd/`: the units, and examples of what they read.

use std::process::Command;

use parsec_test_support::stage::Stage;

use super::binary::Binary;
use super::{Variables, Workload, deploy, env_file, read};

/// The units, with an instance for which there is an example of its settings.
const UNITS: [(&str, &str); 3] =
    [("parsec-server@.service", "optprov"), ("parsec-scheduler.service", ""), ("parsec-report.service", "")];

/// What a unit exposes of the system at most, as `systemd-analyze security` counts it (0 to 100): 13 is needed for the network.
const EXPOSURE: &str = "--threshold=20";

/// A unit: assignments in order, with their sections.
struct Unit {
    assignments: Vec<(String, String, String)>,
    instance: &'static str,
}

impl Unit {
    fn read(name: &str, instance: &'static str) -> Self {
        let (mut section, mut assignments) = (String::new(), Vec::new());
        let text = read(&deploy("systemd").join(name));
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
            assert!(!line.ends_with('\\'), "this reader knows no continuations: {line}");
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line}"));
                assignments.push((section.clone(), key.to_owned(), value.to_owned()));
            }
        }
        Self { assignments, instance }
    }

    /// What a key of the section `Service` is set to, once or more often, with the instance put in.
    fn all(&self, key: &str) -> Vec<String> {
        let here = self.assignments.iter().filter(|(section, name, _)| section == "Service" && name == key);
        here.map(|(.., value)| value.replace("%i", self.instance)).collect()
    }

    fn one(&self, key: &str) -> String {
        let mut all = self.all(key);
        assert_eq!(all.len(), 1, "{key}: {all:?}");
        all.remove(0)
    }

    /// What it runs, with the examples in place of the files that it reads.
    fn workload(&self, name: &str) -> Workload {
        let command = self.one("ExecStart");
        let mut args = command.split_whitespace().map(str::to_owned);
        assert_eq!(args.next().as_deref(), Some("/usr/local/bin/parsec"));
        let pairs = self.all("Environment");
        let mut environment: Variables = pairs
            .iter()
            .map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
            .collect();
        for file in self.all("EnvironmentFile") {
            let file = file.trim_start_matches('-').strip_prefix("/etc/parsec/").unwrap().to_owned();
            environment.extend(env_file(&deploy("systemd").join(format!("{file}.example"))));
        }
        Workload { at: name.to_owned(), args: args.collect(), environment }
    }
}

#[tokio::test]
async fn the_binary_takes_what_the_units_run_with_the_examples() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    for (name, instance) in UNITS {
        binary.takes(&Unit::read(name, instance).workload(name)).await;
    }
    let server = Unit::read(UNITS[0].0, "optprov").workload("server");
    assert_eq!(server.environment["PARSEC_SERVER_FLEET"], "optprov");
}

#[test]
fn a_wrong_configuration_is_not_tried_again() {
    for (name, instance) in &UNITS[..2] {
        let unit = Unit::read(name, instance);
        assert_eq!((unit.one("Restart").as_str(), unit.one("RestartPreventExitStatus").as_str()), ("on-failure", "2"));
    }
}

/// Systemd's own opinion of the units, with a program in place that every machine has.
fn analyze(args: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, instance) in UNITS {
        let text = read(&deploy("systemd").join(name)).replace("/usr/local/bin/parsec ", "/bin/true ");
        let path = folder.path().join(name.replace('@', &format!("@{instance}")));
        std::fs::write(&path, text).unwrap();
        let output = Command::new("systemd-analyze").args(args).arg(&path).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
#[cfg_attr(not(has_systemd_analyze), ignore = "needs systemd-analyze")]
fn systemd_understands_the_units() {
    analyze(&["verify", "--man=no"]);
}

#[test]
#[cfg_attr(not(has_systemd_analyze), ignore = "needs systemd-analyze")]
fn systemd_finds_little_that_the_units_expose() {
    analyze(&["security", "--offline=true", EXPOSURE]);
}
