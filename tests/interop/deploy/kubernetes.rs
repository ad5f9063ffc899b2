//! `deploy/kubernetes/`: bases, fleets, overlays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use parsec_test_support::stage::Stage;
use serde_json::Value;

use super::binary::{Binary, PASSWORD_FILE};
use super::yaml::{document, documents, list, members, parse, text, texts};
use super::{Variables, Workload, compose, deploy, dockerfile, env_file, files};

/// What a container of parsec is called; how an overlay names the image is its own business.
const IMAGE: &str = "parsec";

/// Every object in a file of this folder, with the file.
fn objects() -> Vec<(PathBuf, Value)> {
    let all = files(&deploy("kubernetes")).into_iter();
    all.flat_map(|path| documents(&path).into_iter().map(move |object| (path.clone(), object))).collect()
}

fn kustomizations() -> Vec<(PathBuf, Value)> {
    objects().into_iter().filter(|(_, object)| object["kind"] == "Kustomization").collect()
}

/// What pods are made of, with where that stands.
fn pods() -> Vec<(PathBuf, Value)> {
    let with_pod = objects().into_iter().filter(|(_, object)| object["spec"]["template"]["spec"].is_object());
    with_pod.map(|(path, object)| (path, object["spec"]["template"]["spec"].clone())).collect()
}

/// The containers of parsec in a pod.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["containers"]).iter().filter(|container| container["image"] == IMAGE)
}

/// A named port as its number.
fn port(container: &Value, name: &Value) -> u16 {
    let ports = list(&container["ports"]);
    let port =
        ports.iter().find(|port| port["name"] == *name).unwrap_or_else(|| panic!("no port {name} in {container}"));
    port["containerPort"].as_u64().and_then(|port| port.try_into().ok()).unwrap()
}

const PROBES: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];

/// Where servers are asked, and for what.
pub(super) fn probes() -> Vec<(u16, String)> {
    let server = document(&deploy("kubernetes/base/server/statefulset.yaml"));
    let pod = &server["spec"]["template"]["spec"];
    let asked = containers(pod).flat_map(|container| {
        PROBES.map(|probe| {
            let get = &container[probe]["httpGet"];
            (port(container, &get["port"]), text(&get["path"]).to_owned())
        })
    });
    asked.collect()
}

#[test]
fn readiness_is_asked_of_the_api_and_life_of_the_metrics() {
    let asked = probes();
    let asked: Vec<_> = asked.iter().map(|(port, path)| (*port, path.as_str())).collect();
    assert_eq!(asked, [(6666, "/metrics"), (6666, "/metrics"), (7070, "/readiness")]);
    let exposed = dockerfile::image().exposed;
    for (path, pod) in pods() {
        for container in containers(&pod).filter(|container| container["args"][0] != "network") {
            for port in list(&container["ports"]) {
                let name = format!("{}/{}", port["containerPort"], text(&port["protocol"]).to_lowercase());
                assert!(exposed.contains(&name), "{}: {name}", path.display());
            }
            assert!(PROBES[..2].iter().all(|probe| container[probe].is_object()), "{}", path.display());
        }
    }
}

#[test]
fn every_file_is_part_of_something() {
    let folder = deploy("kubernetes");
    let mut named: BTreeSet<PathBuf> = BTreeSet::from([folder.join("secret.example.yaml")]);
    let mut overlays = 0;
    for (path, file) in kustomizations() {
        let here = path.parent().unwrap();
        for resource in texts(&file["resources"]) {
            let resource = here.join(&resource);
            let resource = resource.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", resource.display()));
            named.insert(if resource.is_dir() { resource.join("kustomization.yaml") } else { resource });
        }
        if here.parent() == Some(&folder.join("overlays")) {
            overlays += 1;
            named.insert(path.clone());
        }
    }
    assert!(overlays >= 2);
    let all: BTreeSet<_> = files(&folder).into_iter().collect();
    assert_eq!(named, all);
}

/// The literals of a generator, as pairs.
fn literals(generator: &Value) -> Variables {
    let pairs = texts(&generator["literals"]);
    pairs
        .iter()
        .map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect()
}

#[tokio::test]
async fn every_variable_is_one_of_the_binarys() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    for (path, file) in kustomizations() {
        for generator in list(&file["configMapGenerator"]) {
            binary.knows(&path.display().to_string(), literals(generator).keys().map(String::as_str));
        }
    }
    for (path, pod) in pods() {
        for container in containers(&pod) {
            let names = list(&container["env"]).iter().map(|variable| text(&variable["name"]));
            binary.knows(&path.display().to_string(), names);
        }
    }
}

#[test]
fn pods_of_ours_have_no_rights() {
    let ours: Vec<_> = pods().into_iter().filter(|(_, pod)| containers(pod).next().is_some()).collect();
    assert_eq!(ours.len(), 3, "server, scheduler, DHT");
    for (path, pod) in ours {
        let at = path.display();
        assert_eq!(pod["automountServiceAccountToken"], false, "{at}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{at}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{at}");
        for container in containers(&pod) {
            let rights = &container["securityContext"];
            assert_eq!(rights["readOnlyRootFilesystem"], true, "{at}");
            assert_eq!(rights["allowPrivilegeEscalation"], false, "{at}");
            assert_eq!(texts(&rights["capabilities"]["drop"]), ["ALL"], "{at}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{at}");
            assert!(container["resources"]["requests"].is_object(), "{at}");
        }
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        assert!(grace >= super::ORDERLY_STOP, "{at}: {grace}");
    }
}

#[test]
fn rows_that_wait_outlive_the_container() {
    let mounted = dockerfile::image().volume;
    for part in ["server/statefulset.yaml", "scheduler/deployment.yaml"] {
        let pod = document(&deploy("kubernetes/base").join(part))["spec"]["template"]["spec"].clone();
        let container = containers(&pod).next().unwrap();
        let mount = list(&container["volumeMounts"]).iter().find(|mount| mount["mountPath"] == *mounted).unwrap();
        assert_ne!(mount["readOnly"], true, "{part}");
        let volume = list(&pod["volumes"]).iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        assert!(volume["emptyDir"]["sizeLimit"].is_string(), "{part}: {volume}");
    }
}

#[test]
fn the_example_of_the_secret_is_what_pods_mount_and_the_setting_names() {
    let secret = document(&deploy("kubernetes/secret.example.yaml"));
    let overlay = document(&deploy("kubernetes/overlays/public/kustomization.yaml"));
    assert_eq!(secret["metadata"]["namespace"], overlay["namespace"]);
    let keys: Vec<_> = members(&secret["stringData"]).map(|(key, _)| key.clone()).collect();
    let settings: Variables = list(&overlay["configMapGenerator"]).iter().flat_map(literals).collect();
    for part in ["server/statefulset.yaml", "scheduler/deployment.yaml"] {
        let pod = document(&deploy("kubernetes/base").join(part))["spec"]["template"]["spec"].clone();
        let volume = &list(&pod["volumes"])[0];
        assert_eq!(volume["secret"]["secretName"], secret["metadata"]["name"], "{part}");
        let container = containers(&pod).next().unwrap();
        let mount = list(&container["volumeMounts"]).iter().find(|mount| mount["name"] == volume["name"]).unwrap();
        assert_eq!(settings[PASSWORD_FILE], format!("{}/{}", text(&mount["mountPath"]), keys[0]), "{part}");
    }
}

#[test]
fn the_local_overlay_names_a_peer_of_its_dht_by_the_name_of_its_service() {
    let overlay = document(&deploy("kubernetes/overlays/local/kustomization.yaml"));
    let settings: Variables = list(&overlay["configMapGenerator"]).iter().flat_map(literals).collect();
    let service =
        documents(&deploy("kubernetes/overlays/local/dht.yaml")).into_iter().find(|one| one["kind"] == "Service");
    let service = text(&service.unwrap()["metadata"]["name"]).to_owned();
    let host = format!("{service}.{}.svc.cluster.local", text(&overlay["namespace"]));
    // The same seed and ports as in compose, where the ids are compared with what the binary says.
    let local = env_file(&deploy("local.env"));
    let peers = local["PARSEC_SERVER_DHT_BOOTSTRAP_PEERS"].replace("/dns4/dht/", &format!("/dns4/{host}/"));
    assert!(peers.split(',').any(|peer| peer == settings["PARSEC_SERVER_DHT_BOOTSTRAP_PEERS"]));
    assert_eq!(settings["PARSEC_SERVER_DHT_PROTOCOL_ID"], local["PARSEC_SERVER_DHT_PROTOCOL_ID"]);
    let pod =
        document_of(&deploy("kubernetes/overlays/local/dht.yaml"), "StatefulSet")["spec"]["template"]["spec"].clone();
    let here = Workload {
        at: String::new(),
        args: texts(&list(&pod["containers"])[0]["args"]),
        environment: Variables::new(),
    };
    let there = compose::Compose::local().workloads().into_iter().find(|(name, _)| *name == service).unwrap().1;
    for flag in ["--seed", "--peers", "--peer-port"] {
        assert_eq!(here.flag(flag), there.flag(flag), "{flag}");
    }
}

fn document_of(path: &Path, kind: &str) -> Value {
    documents(path).into_iter().find(|object| object["kind"] == kind).unwrap()
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
        let pod = &object["spec"]["template"]["spec"];
        for container in list(&pod["containers"]) {
            let at = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
            if container["image"].as_str().is_none_or(|image| !image.contains(IMAGE)) {
                continue;
            }
            let mut environment = dockerfile::image().environment;
            for from in list(&container["envFrom"]) {
                let name = text(&from["configMapRef"]["name"]);
                let map = config_maps.get(name).unwrap_or_else(|| panic!("{at}: no ConfigMap {name}"));
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
        let objects = rendered(overlay);
        let workloads = workloads(&objects);
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
        for fleet in fleets {
            check_fleet(&objects, fleet);
        }
    }
}

/// A fleet is kept together by labels: nobody else's pods, and all of its own.
fn check_fleet(objects: &[Value], fleet: &str) {
    let name = format!("server-{fleet}");
    let the = |kind: &str| {
        let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == *name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    let set = the("StatefulSet");
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["parsec/fleet"], fleet);
    assert_eq!(&set["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&the("Service")["spec"]["selector"], labels);
    assert_eq!(set["spec"]["serviceName"], *name);
    let (replicas, left) = (&set["spec"]["replicas"], &the("PodDisruptionBudget")["spec"]["minAvailable"]);
    assert!(left.as_u64().unwrap() >= 2 && replicas.as_u64() > left.as_u64(), "{replicas} and {left}");
}
