//! `deploy/kubernetes/`: what kubectl makes of the overlays is held against the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use parsec_test_support::stage::Stage;
use serde_json::Value;

use super::binary::Binary;
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
    let folder = deploy("kubernetes/overlays").join(overlay);
    let output = Command::new("kubectl").arg("kustomize").arg(&folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.to_lowercase().contains("warning"), "{overlay}: {errors}");
    parse(overlay, &String::from_utf8(output.stdout).unwrap())
}

/// The processes of parsec in rendered objects, with the environments that their pods have.
fn workloads(objects: &[Value]) -> Vec<Workload> {
    let config_maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
    let config_maps: BTreeMap<&str, &Value> =
        config_maps.map(|object| (text(&object["metadata"]["name"]), &object["data"])).collect();
    let mut found = Vec::new();
    for object in objects {
        let containers = list(&object["spec"]["template"]["spec"]["containers"]).iter();
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
        let setting =
            |name: &str| workloads.iter().filter_map(|one| one.environment.get(name)).cloned().collect::<Vec<_>>();
        let mut served = setting("PARSEC_SERVER_FLEET");
        served.sort();
        assert_eq!(served, fleets, "{overlay}");
        let measured = setting("PARSEC_SCHEDULER_FLEETS").join(",");
        assert_eq!(measured.split(',').collect::<BTreeSet<_>>(), fleets.iter().copied().collect(), "{overlay}");
    }
}
