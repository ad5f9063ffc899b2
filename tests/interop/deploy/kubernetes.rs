//! `deploy/kubernetes/`: what kubectl makes of the overlays is held against the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use parsec_test_support::stage::Stage;
use serde_json::Value;

use super::binary::{Binary, SECRET_FILES};
use super::image::image;
use super::yaml::{document, list, members, parse, text, texts};
use super::{Workload, deploy, env_file, read};

/// What a container of parsec is called; how an overlay names the image is its own business.
const IMAGE: &str = "parsec";

/// Where servers are asked for life and readiness, and for what.
pub(super) fn probes() -> Vec<(u16, String)> {
    let server = document(&deploy("kubernetes/base/server/statefulset.yaml"));
    let container = &list(&server["spec"]["template"]["spec"]["containers"])[0];
    let number = |name: &Value| {
        let port = list(&container["ports"]).iter().find(|port| port["name"] == *name);
        port.and_then(|port| port["containerPort"].as_u64()?.try_into().ok())
            .unwrap_or_else(|| panic!("no port {name}"))
    };
    let asked = ["startupProbe", "livenessProbe", "readinessProbe"].map(|probe| &container[probe]["httpGet"]);
    asked.map(|get| (number(&get["port"]), text(&get["path"]).to_owned())).into()
}

#[test]
fn the_local_overlay_names_a_peer_of_the_dht_of_compose() {
    // The same seed, peers and ports as there, where the ids are compared with what the binary says.
    let local = env_file(&deploy("local.env"));
    let overlay = read(&deploy("kubernetes/overlays/local/kustomization.yaml"));
    let host = "/dns4/dht.parsec-local.svc.cluster.local/";
    let peers = local["PARSEC_SERVER_DHT_BOOTSTRAP_PEERS"].replace("/dns4/dht/", host);
    assert!(peers.split(',').any(|peer| overlay.contains(&format!("PARSEC_SERVER_DHT_BOOTSTRAP_PEERS={peer}\n"))));
    let protocol = &local["PARSEC_SERVER_DHT_PROTOCOL_ID"];
    assert!(overlay.contains(&format!("PARSEC_SERVER_DHT_PROTOCOL_ID={protocol}\n")), "{protocol}");
}

/// What kubectl makes of an overlay.
fn rendered(overlay: &str) -> Vec<Value> {
    kustomize(&deploy("kubernetes/overlays").join(overlay))
}

/// What kubectl makes of a folder.
fn kustomize(folder: &Path) -> Vec<Value> {
    let name = folder.display().to_string();
    let output = Command::new("kubectl").arg("kustomize").arg(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.to_lowercase().contains("warning"), "{name}: {errors}");
    parse(&name, &String::from_utf8(output.stdout).unwrap())
}

/// The processes of parsec in rendered objects, with the environments that their pods have.
fn workloads(objects: &[Value]) -> Vec<Workload> {
    let config_maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
    let config_maps: BTreeMap<&str, &Value> =
        config_maps.map(|object| (text(&object["metadata"]["name"]), &object["data"])).collect();
    let mut found = Vec::new();
    for object in objects {
        let template =
            if object["kind"] == "CronJob" { &object["spec"]["jobTemplate"]["spec"] } else { &object["spec"] };
        let containers = list(&template["template"]["spec"]["containers"]).iter();
        for container in containers.filter(|one| one["image"].as_str().is_some_and(|image| image.contains(IMAGE))) {
            let at = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
            let mut environment = image().environment;
            for from in list(&container["envFrom"]) {
                let map = config_maps[text(&from["configMapRef"]["name"])];
                environment.extend(members(map).map(|(name, value)| (name.clone(), text(value).to_owned())));
            }
            for variable in list(&container["env"]) {
                // An address of a pod, where it is none that stands here.
                let value = variable["value"].as_str().unwrap_or("10.0.0.7").to_owned();
                environment.insert(text(&variable["name"]).to_owned(), value);
            }
            found.push(Workload { at, args: texts(&container["args"]), environment });
        }
    }
    found
}

/// The pods of an overlay that run parsec: what makes them, and their specification.
fn pods(objects: &[Value]) -> Vec<(&Value, &Value)> {
    let pods = objects.iter().map(|object| (object, &object["spec"]["template"]["spec"]));
    let ours = |pod: &Value| list(&pod["containers"]).iter().any(|one| text(&one["image"]).contains(IMAGE));
    pods.filter(|(_, pod)| pod.is_object() && ours(pod)).collect()
}

#[test]
#[cfg_attr(not(has_kubectl), ignore = "needs kubectl")]
fn every_spool_is_on_a_claim_and_every_secret_is_mounted_where_it_is_looked_for() {
    for overlay in ["public", "local"] {
        let objects = rendered(overlay);
        let measuring = pods(&objects).into_iter().filter(|(_, pod)| !list(&pod["volumes"]).is_empty());
        let mut seen = 0;
        for (object, pod) in measuring {
            let at = format!("{overlay}: {}", text(&object["metadata"]["name"]));
            let container = &list(&pod["containers"])[0];
            let mount = |path: &str| {
                let mounts = list(&container["volumeMounts"]).iter();
                let name = mounts.filter(|mount| mount["mountPath"] == path).map(|mount| text(&mount["name"])).next();
                name.unwrap_or_else(|| panic!("{at}: nothing is mounted at {path}"))
            };
            let spool = mount("/var/lib/parsec");
            let claims = list(&object["spec"]["volumeClaimTemplates"]);
            assert!(claims.iter().any(|claim| claim["metadata"]["name"] == spool), "{at}: {claims:?}");

            let volume = list(&pod["volumes"]).iter().find(|volume| volume["name"] == mount("/run/secrets/parsec"));
            let sources = list(&volume.unwrap()["projected"]["sources"]).iter();
            let files = sources.flat_map(|source| list(&source["secret"]["items"])).map(|item| text(&item["path"]));
            let files: BTreeSet<_> = files.map(|file| format!("/run/secrets/parsec/{file}")).collect();
            let name = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
            let workload = workloads(&objects).into_iter().find(|workload| workload.at == name).unwrap();
            let named = workload.environment.into_iter().filter(|(name, _)| SECRET_FILES.contains(&name.as_str()));
            assert_eq!(named.map(|(_, file)| file).collect::<BTreeSet<_>>(), files, "{at}");
            seen += 1;
        }
        assert!(seen >= 2, "{overlay}: {seen}");
    }
}

#[test]
#[cfg_attr(not(has_kubectl), ignore = "needs kubectl")]
fn only_schedulers_reach_the_api_and_prometheus_is_told_of_every_process() {
    let monitors = kustomize(&deploy("kubernetes/prometheus-operator"));
    for overlay in ["public", "local"] {
        let objects = rendered(overlay);
        let policies = objects.iter().filter(|object| object["kind"] == "NetworkPolicy");
        let rules = policies.flat_map(|policy| list(&policy["spec"]["ingress"]));
        let api: Vec<_> = rules.filter(|rule| list(&rule["ports"]).iter().any(|port| port["port"] == 7070)).collect();
        let [rule] = api[..] else { panic!("{overlay}: {api:?}") };
        let scheduler = serde_json::json!({
            "app.kubernetes.io/name": "parsec", "app.kubernetes.io/component": "scheduler",
        });
        assert_eq!(rule["from"], serde_json::json!([{ "podSelector": { "matchLabels": scheduler } }]), "{overlay}");

        for (object, pod) in pods(&objects).into_iter().filter(|(_, pod)| !list(&pod["volumes"]).is_empty()) {
            let labels = &object["spec"]["template"]["metadata"]["labels"];
            let selects = |selector: &Value| members(selector).all(|(name, value)| labels[name] == *value);
            let ports: BTreeSet<_> =
                list(&list(&pod["containers"])[0]["ports"]).iter().map(|port| text(&port["name"])).collect();
            let scraped = monitors.iter().filter(|monitor| selects(&monitor["spec"]["selector"]["matchLabels"]));
            let scraped = scraped.flat_map(|monitor| list(&monitor["spec"]["podMetricsEndpoints"]));
            let found: Vec<_> = scraped.map(|endpoint| text(&endpoint["port"])).collect();
            assert!(found.len() == 1 && ports.contains(found[0]), "{overlay}: {labels}: {found:?} of {ports:?}");
        }
    }
}

#[tokio::test]
#[cfg_attr(not(has_kubectl), ignore = "needs kubectl")]
async fn the_binary_takes_everything_that_kubectl_makes_of_the_overlays() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    for (overlay, fleets) in [("public", &["default", "fullrt", "optprov"][..]), ("local", &["default"])] {
        let workloads = workloads(&rendered(overlay));
        for workload in &workloads {
            binary.takes(workload).await;
        }
        let reports = workloads.iter().filter(|one| one.args.first().is_some_and(|word| word == "report"));
        assert_eq!(reports.count(), usize::from(overlay == "public"), "{overlay}: reports");
        let setting =
            |name: &str| workloads.iter().filter_map(|one| one.environment.get(name)).cloned().collect::<Vec<_>>();
        let mut served = setting("PARSEC_SERVER_FLEET");
        served.sort();
        assert_eq!(served, fleets, "{overlay}");
        let measured = setting("PARSEC_SCHEDULER_FLEETS").join(",");
        assert_eq!(measured.split(',').collect::<BTreeSet<_>>(), fleets.iter().copied().collect(), "{overlay}");
    }
}
