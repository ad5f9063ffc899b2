//! The stack of `deploy/compose.yaml`, running: the same commands with the same variables and the same ports, as plain
//! processes. An address of 127.0.0.0/8 is to each what a container's own address is there.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use parsec_test_support::database;
use parsec_test_support::http;
use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use tokio_postgres::Client;

use super::compose::{Compose, targets};
use super::{Variables, Workload, binary, kubernetes};

/// Where the volume is mounted that all processes share.
const VOLUME: &str = "/var/lib/parsec";

/// The addresses of the services. No other process has our id, and so nobody else these addresses; most listen in 127.0.
fn addresses(compose: &Compose) -> BTreeMap<String, Ipv4Addr> {
    let [.., high, low] = std::process::id().to_be_bytes();
    let ours = compose.workloads().into_iter().map(|(name, _)| name);
    ours.zip(101..).map(|(name, service)| (name, Ipv4Addr::new(127, service, high, low))).collect()
}

/// A service as it is started here: names of hosts are addresses, "all addresses" is its own.
fn placed(
    workload: Workload,
    own: Ipv4Addr,
    addresses: &BTreeMap<String, Ipv4Addr>,
    database: &Variables,
    volume: &Path,
) -> Workload {
    let place = |text: &str| {
        let text = if text == "0.0.0.0" { own.to_string() } else { text.to_owned() };
        let by_name = addresses
            .iter()
            .fold(text, |text, (name, address)| text.replace(&format!("/dns4/{name}/"), &format!("/ip4/{address}/")));
        addresses.get(&by_name).map_or(by_name.clone(), ToString::to_string)
    };
    let Workload { at, args, environment } = workload;
    let mut environment: Variables = environment.into_iter().map(|(name, value)| (name, place(&value))).collect();
    if environment.contains_key("PARSEC_DATABASE_HOST") {
        environment.extend(database.clone());
    }
    let in_volume = |file: &mut String| *file = file.replace(VOLUME, volume.to_str().unwrap());
    environment.values_mut().for_each(in_volume);
    // The test reads the log.
    environment.insert("PARSEC_LOG_FORMAT".to_owned(), "json".to_owned());
    let is_value = |index: usize| index > 0 && args[index - 1].starts_with("--");
    let placed = |(index, arg): (usize, &String)| if is_value(index) { place(arg) } else { arg.clone() };
    Workload { at, args: args.iter().enumerate().map(placed).collect(), environment }
}

/// The database of the test in the parts that the original has.
fn parts(url: &str) -> Variables {
    let url = url::Url::parse(url).unwrap();
    let part = |name: &str, value: &str| (format!("PARSEC_DATABASE_{name}"), value.to_owned());
    Variables::from([
        part("HOST", url.host_str().unwrap()),
        part("PORT", &url.port().unwrap_or(5432).to_string()),
        part("NAME", url.path().trim_start_matches('/')),
        part("USER", url.username()),
        part("PASSWORD", url.password().unwrap_or("password")),
    ])
}

async fn wait_for(stage: &Stage, sql: &Client, least: i64, from: &str) {
    let query = format!("SELECT count(*) FROM {from}");
    let look = async || {
        // The tables come with the first process.
        let count: i64 = sql.query_one(&query, &[]).await.ok()?.get(0);
        (count >= least).then_some(())
    };
    stage.eventually(&format!("{least} rows of {from}"), look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_of_the_local_profile_measure_each_other() {
    let (stage, compose) = (Stage::begin(), Compose::local());
    let database = database().await;
    let sql = database.client().await;
    let (addresses, parts) = (addresses(&compose), parts(database.url()));
    let volume = tempfile::tempdir().unwrap();
    let script = compose.token_script().replace(VOLUME, volume.path().to_str().unwrap());
    assert!(Command::new("sh").args(["-euc", &script]).status().unwrap().success());
    let start = |(name, workload): (String, Workload)| {
        let workload = placed(workload, addresses[&name], &addresses, &parts, volume.path());
        (name, binary::start(&stage, &workload))
    };
    let processes: BTreeMap<String, Process> = compose.workloads().into_iter().map(start).collect();

    wait_for(&stage, &sql, 2, "(SELECT DISTINCT node_id FROM provides_ecs WHERE error IS NULL) publishers").await;
    wait_for(&stage, &sql, 2, "(SELECT DISTINCT node_id FROM retrievals_ecs WHERE error IS NULL) finders").await;
    for table in ["provides_ecs", "retrievals_ecs"] {
        let failed: i64 =
            sql.query_one(&format!("SELECT count(*) FROM {table} WHERE error IS NOT NULL"), &[]).await.unwrap().get(0);
        assert_eq!(failed, 0, "{table}");
    }
    // The peers of the DHT and nobody else: a server that had found only the other one would have measured as well.
    let smallest: i32 = sql.query_one("SELECT min(rt_size) FROM retrievals_ecs", &[]).await.unwrap().get(0);
    assert!(smallest > 20, "{smallest} peers in a routing table");

    for (host, port) in targets() {
        if let Some(address) = addresses.get(&host) {
            let reply = http::get(&stage, SocketAddr::from((*address, port)), "/metrics").await;
            assert!(reply.status == 200 && reply.text.contains("parsec_build_info"), "{host}: {reply:?}");
        }
    }
    let server = addresses["server-1"];
    let uninvited =
        http::post(&stage, SocketAddr::from((server, 7070)), "/provide", r#"{"Content": "aGVsbG8="}"#).await;
    assert_eq!(uninvited.status, 401, "a caller without the token: {}", uninvited.text);
    for (port, path) in kubernetes::probes() {
        let reply = http::get(&stage, SocketAddr::from((addresses["server-1"], port)), &path).await;
        assert_eq!(reply.status, 200, "{path} on {port}: {}", reply.text);
    }
    for (name, process) in processes {
        assert_eq!(process.terminate().await.code(), 0, "{name}");
    }
}
