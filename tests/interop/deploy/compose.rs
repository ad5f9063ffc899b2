//! `deploy/compose.yaml` and `deploy/local.env`.

use std::collections::BTreeSet;
use std::path::Path;

use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::Value;

use super::binary::Binary;
use super::yaml::{document, documents, list, members, text, texts};
use super::{Variables, Workload, deploy, dockerfile, env_file, files, seconds};

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

    /// What runs, by name.
    pub(super) fn services(&self) -> impl Iterator<Item = (&String, &Value)> {
        members(&self.0["services"])
    }

    pub(super) fn service(&self, name: &str) -> &Value {
        match &self.0["services"][name] {
            Value::Null => panic!("no service {name}"),
            service => service,
        }
    }

    /// The processes of parsec, with what the image adds to their environments.
    pub(super) fn workloads(&self) -> Vec<(String, Workload)> {
        let image = dockerfile::image();
        let ours = self.services().filter(|(_, service)| !service["build"].is_null());
        let workload = |(name, service): (&String, &Value)| {
            let mut environment = image.environment.clone();
            environment.extend(environment_of(service));
            let at = format!("service {name}");
            (name.clone(), Workload { at, args: texts(&service["command"]), environment })
        };
        ours.map(workload).collect()
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

#[test]
fn hosts_ports_and_files_that_services_name_are_there() {
    let (compose, exposed) = (Compose::local(), dockerfile::image().exposed);
    let names: BTreeSet<_> = compose.services().map(|(name, _)| name.as_str()).collect();
    for (name, service) in compose.services() {
        for (host, _) in members(&service["depends_on"]) {
            assert!(names.contains(host.as_str()), "{name} depends on {host}");
        }
        for port in texts(&service["ports"]) {
            let [ip, _, inside] = port.split(':').collect::<Vec<_>>()[..] else { panic!("{name}: {port}") };
            assert_eq!(ip, "127.0.0.1", "{name}: who else shall reach it?");
            assert!(service["build"].is_null() || exposed.contains(&format!("{inside}/tcp")), "{name}: {port}");
        }
        for mount in texts(&service["volumes"]) {
            let (from, _) = mount.split_once(':').unwrap();
            let known = match from.strip_prefix("./") {
                Some(folder) => deploy(folder).is_dir() && !files(&deploy(folder)).is_empty(),
                None => compose.0["volumes"].get(from).is_some(),
            };
            assert!(known, "{name} mounts {from}");
        }
    }
    let postgres = environment_of(compose.service("postgres"));
    for (name, Workload { environment, args, .. }) in compose.workloads().into_iter().filter(|(name, _)| name != "dht")
    {
        assert_eq!(environment["PARSEC_DATABASE_HOST"], "postgres", "{name}: {args:?}");
        for (ours, theirs) in [("NAME", "DB"), ("USER", "USER"), ("PASSWORD", "PASSWORD")] {
            let (ours, theirs) = (format!("PARSEC_DATABASE_{ours}"), format!("POSTGRES_{theirs}"));
            assert_eq!(environment[&ours], postgres[&theirs], "{name}");
        }
    }
}

#[test]
fn rows_that_wait_outlive_the_containers() {
    let (compose, mounted) = (Compose::public(), dockerfile::image().volume);
    for (name, _) in compose.workloads() {
        let mounts = texts(&compose.service(&name)["volumes"]);
        assert!(mounts.iter().any(|mount| *mount == format!("spool:{mounted}")), "{name}: {mounts:?}");
    }
}

#[test]
fn the_scheduler_measures_the_fleet_of_the_servers() {
    let workloads = Compose::public().workloads();
    let of = |setting: &str| workloads.iter().filter_map(|(_, one)| one.environment.get(setting)).collect::<Vec<_>>();
    let (fleets, measured) = (of("PARSEC_SERVER_FLEET"), of("PARSEC_SCHEDULER_FLEETS"));
    assert!(fleets.len() >= 2 && measured.len() == 1 && fleets.iter().all(|fleet| *fleet == measured[0]));
}

#[test]
fn the_health_check_of_the_image_is_left_to_servers_and_everybody_may_stop_in_order() {
    let compose = Compose::local();
    for (name, Workload { args, .. }) in compose.workloads() {
        let service = compose.service(&name);
        assert_eq!(service["healthcheck"]["disable"] == true, args[0] != "server", "{name}");
        assert!(seconds(text(&service["stop_grace_period"])) >= super::ORDERLY_STOP, "{name}");
        // Another image of that name would be a stranger's.
        assert_eq!(service["pull_policy"], "build", "{name}");
        assert_eq!(service["build"]["context"], "..", "{name}");
        assert!(deploy("..").join(text(&service["build"]["dockerfile"])).is_file(), "{name}");
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
    let exposed = dockerfile::image().exposed;
    let (targets, workloads) = (targets(), Compose::public().workloads());
    for (name, _) in &workloads {
        let ports: Vec<_> = targets.iter().filter(|(host, _)| host == name).map(|(_, port)| *port).collect();
        assert_eq!(ports.len(), 1, "{name}: {ports:?}");
        assert!(exposed.contains(&format!("{}/tcp", ports[0])), "{name}: {ports:?}");
    }
    let file = document(&deploy("prometheus/prometheus.yml"));
    for rules in texts(&file["rule_files"]) {
        let name = Path::new(&rules).file_name().unwrap();
        assert!(deploy("prometheus").join(name).is_file(), "{rules}");
    }
}

#[test]
fn grafana_finds_its_dashboards_and_its_data_where_compose_puts_them() {
    let compose = Compose::public();
    let mounts = texts(&compose.service("grafana")["volumes"]);
    let inside: Vec<_> = mounts.iter().map(|mount| mount.split(':').nth(1).unwrap()).collect();
    for path in files(&deploy("grafana/provisioning")) {
        for file in documents(&path) {
            for provider in list(&file["providers"]) {
                let path = text(&provider["options"]["path"]);
                assert!(inside.contains(&path), "{path} is mounted by nobody: {inside:?}");
            }
            for source in list(&file["datasources"]).iter().filter(|source| source["url"].is_string()) {
                let url = text(&source["url"]);
                let host = url.rsplit("//").next().unwrap().split(':').next().unwrap();
                assert!(!compose.service(host).is_null(), "{url}");
            }
        }
    }
}
