//! `deploy/compose.yaml` with `deploy/local.env`, and the `compose.yaml` in the root that includes it.

use std::path::Path;

use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::Value;

use super::binary::Binary;
use super::image::image;
use super::yaml::{document, list, members, text, texts};
use super::{Variables, Workload, deploy, env_file, root};

/// The compose file with its variables put in.
pub(super) struct Compose(Value);

impl Compose {
    /// As `docker compose up` reads it.
    pub(super) fn public() -> Self {
        Self::with(&Variables::new())
    }

    /// As `docker compose --env-file local.env up` reads it.
    pub(super) fn local() -> Self {
        Self::with(&env_file(&deploy("local.env")))
    }

    fn with(variables: &Variables) -> Self {
        let mut file = document(&deploy("compose.yaml"));
        fill_in(&mut file, variables);
        let profiles: Vec<_> = variables.get("COMPOSE_PROFILES").iter().flat_map(|names| names.split(',')).collect();
        let runs = |service: &Value| match texts(&service["profiles"]) {
            all if all.is_empty() => true,
            all => all.iter().any(|profile| profiles.contains(&profile.as_str())),
        };
        file["services"].as_object_mut().unwrap().retain(|_, service| runs(service));
        Self(file)
    }

    /// The processes of parsec, with what the image adds to their environments.
    pub(super) fn workloads(&self) -> Vec<(String, Workload)> {
        let image = image();
        let ours = members(&self.0["services"])
            .filter(|(_, service)| !service["build"].is_null() && service["entrypoint"].is_null());
        let workload = |(name, service): (&String, &Value)| {
            let mut environment = image.environment.clone();
            environment.extend(environment_of(service));
            let at = format!("service {name}");
            (name.clone(), Workload { at, args: texts(&service["command"]), environment })
        };
        ours.map(workload).collect()
    }

    /// What the service that makes the token lets the shell run.
    pub(super) fn token_script(&self) -> String {
        let service = &self.0["services"]["token"];
        assert_eq!(texts(&service["entrypoint"]), ["sh", "-euc"]);
        texts(&service["command"]).remove(0)
    }
}

fn environment_of(service: &Value) -> Variables {
    // A number or `true` without quotes is an error of compose's.
    members(&service["environment"]).map(|(name, value)| (name.clone(), text(value).to_owned())).collect()
}

fn fill_in(value: &mut Value, variables: &Variables) {
    match value {
        Value::String(text) => *text = filled_in(text, variables),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, variables)),
        Value::Object(members) => members.values_mut().for_each(|member| fill_in(member, variables)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `${NAME:-default}`: the default stands for what is empty, too.
fn filled_in(text: &str, variables: &Variables) -> String {
    let Some((before, rest)) = text.split_once('$') else { return text.to_owned() };
    let inner = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let (inner, after) = inner.unwrap_or_else(|| panic!("this reader does not know {text}"));
    let (name, default) = inner.split_once(":-").unwrap_or_else(|| panic!("{text}: no default"));
    let value = variables.get(name).filter(|value| !value.is_empty()).map_or(default, String::as_str);
    format!("{before}{value}{}", filled_in(after, variables))
}

#[test]
fn variables_are_put_in_and_fall_back_to_their_defaults() {
    let variables = Variables::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())]);
    assert_eq!(filled_in("x ${A:-2}${B:-3} ${C:-}y", &variables), "x 13 y");
}

#[tokio::test]
async fn the_binary_takes_every_service_of_both_ways_to_start() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    for (compose, expected) in [
        (Compose::public(), &["scheduler", "server-1", "server-2"][..]),
        (Compose::local(), &["dht", "scheduler", "server-1", "server-2"]),
    ] {
        let workloads = compose.workloads();
        let mut names: Vec<_> = workloads.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, expected);
        for (_, workload) in &workloads {
            binary.takes(workload).await;
        }
    }
    let local = env_file(&deploy("local.env"));
    binary.knows("local.env", local.keys().map(String::as_str).filter(|name| *name != "COMPOSE_PROFILES"));
}

#[test]
fn the_root_has_the_same_services_under_the_same_name() {
    let (here, there) = (document(&root().join("compose.yaml")), document(&deploy("compose.yaml")));
    assert_eq!(texts(&here["include"]), ["deploy/compose.yaml"]);
    assert_eq!(here["name"], there["name"], "other containers and other volumes");
    assert_eq!(members(&here).count(), 2, "whatever else stood there would be missing in deploy");
}

/// What compose makes of the file in this folder, without the extensions of the file.
fn understood(folder: &Path, env_file: &Path) -> Value {
    let mut compose = std::process::Command::new("docker-compose");
    compose.current_dir(folder).arg("--env-file").arg(env_file).args(["config", "--format", "json"]);
    let output = compose.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: {errors}", folder.display());
    let mut understood: Value = serde_json::from_slice(&output.stdout).unwrap();
    understood.as_object_mut().unwrap().retain(|name, _| !name.starts_with("x-"));
    understood
}

#[test]
#[cfg_attr(not(has_docker_compose), ignore = "needs docker-compose")]
fn compose_understands_both_files_and_takes_them_for_the_same() {
    let nothing = tempfile::NamedTempFile::new().unwrap();
    for env_file in [nothing.path(), &deploy("local.env")] {
        let there = understood(&deploy(""), env_file);
        assert_eq!(understood(&root(), env_file), there);
        assert_eq!(members(&there["services"]).any(|(name, _)| name == "dht"), env_file != nothing.path());
    }
}

#[test]
fn servers_and_scheduler_start_after_the_token_is_there_and_read_it_from_their_volume() {
    let compose = Compose::public();
    for (name, service) in
        members(&compose.0["services"]).filter(|(name, _)| name.starts_with("server") || *name == "scheduler")
    {
        assert_eq!(service["depends_on"]["token"]["condition"], "service_completed_successfully", "{name}");
        let environment = environment_of(service);
        let file = environment.iter().find(|(variable, _)| variable.ends_with("_API_TOKEN_FILE")).map(|(_, file)| file);
        assert!(compose.token_script().contains(file.unwrap()), "{name}");
        assert_eq!(texts(&service["volumes"]), texts(&compose.0["services"]["token"]["volumes"]), "{name}");
    }
}

#[test]
fn the_token_is_made_once_and_long_enough_and_others_cannot_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let volume = tempfile::tempdir().unwrap();
    let path = volume.path().to_str().unwrap();
    let script = Compose::public().token_script().replace("/var/lib/parsec", path);
    let run = || {
        let status = std::process::Command::new("sh").args(["-euc", &script]).status().unwrap();
        assert!(status.success());
        std::fs::read_to_string(volume.path().join("api-token")).unwrap()
    };
    let first = run();
    assert!(first.len() == 64 && first.chars().all(|c| c.is_ascii_hexdigit()), "{first}");
    assert_eq!(run(), first, "a restart makes no new one");
    let mode = volume.path().join("api-token").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn a_plain_up_measures_the_public_dht() {
    for (name, Workload { environment, .. }) in Compose::public().workloads() {
        for setting in ["PARSEC_SERVER_DHT_PROTOCOL_ID", "PARSEC_SERVER_DHT_BOOTSTRAP_PEERS"] {
            assert_eq!(environment.get(setting).is_some_and(String::is_empty), name.starts_with("server"), "{name}");
        }
    }
}

/// What `parsec network` says with the flags of the service: its protocol id, and the ids of its peers from the first on.
async fn network(stage: &Stage, peers: &str, seed: &str) -> (String, Vec<String>) {
    let process = Process::start(stage, &["network", "--peers", peers, "--seed", seed]);
    let mut lines = Vec::new();
    let said = process.out("protocol id and bootstrap peers", |line| {
        lines.push(line.to_owned());
        <[String; 2]>::try_from(lines.clone()).ok()
    });
    let [protocol, bootstrap] = said.await;
    (protocol, bootstrap.split(',').map(|address| address.rsplit('/').next().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn the_env_file_names_the_peers_of_the_dht_beside_the_servers() {
    let (stage, compose) = (Stage::begin(), Compose::local());
    let workloads = compose.workloads();
    let (host, dht) = workloads.iter().find(|(_, workload)| workload.args[0] == "network").unwrap();
    assert_eq!(dht.flag("--peer-host"), Some(host.as_str()), "its peers tell each other an address that others reach");
    let (peers, seed) = (dht.flag("--peers").unwrap(), dht.flag("--seed").unwrap());
    let (protocol, ids) = network(&stage, peers, seed).await;
    let first: usize = dht.flag("--peer-port").unwrap().parse().unwrap();

    let local = env_file(&deploy("local.env"));
    assert_eq!(local["PARSEC_SERVER_DHT_PROTOCOL_ID"], protocol);
    for (index, address) in local["PARSEC_SERVER_DHT_BOOTSTRAP_PEERS"].split(',').enumerate() {
        assert_eq!(address, format!("/dns4/{host}/tcp/{}/p2p/{}", first + index, ids[index]));
    }
}

/// Host and port of what Prometheus asks for metrics, by the service's name.
pub(super) fn targets() -> Vec<(String, u16)> {
    let file = document(&deploy("prometheus/prometheus.yml"));
    let jobs = list(&file["scrape_configs"]).iter().flat_map(|job| list(&job["static_configs"]));
    let targets = jobs.flat_map(|config| texts(&config["targets"]));
    targets
        .map(|target| target.split_once(':').map(|(host, port)| (host.to_owned(), port.parse().unwrap())).unwrap())
        .collect()
}

#[test]
fn prometheus_asks_every_process_that_has_metrics() {
    let exposed = image().exposed;
    let (targets, workloads) = (targets(), Compose::public().workloads());
    for (name, _) in &workloads {
        let ports: Vec<_> = targets.iter().filter(|(host, _)| host == name).map(|(_, port)| *port).collect();
        assert_eq!(ports.len(), 1, "{name}: {ports:?}");
        assert!(exposed.contains(&format!("{}/tcp", ports[0])), "{name}: {ports:?}");
    }
}
