//! Where a server says that it runs: the container's metadata on ECS, the machine elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parsec_lab::LOCAL_PROTOCOL;
use parsec_test_support::database;
use parsec_test_support::double::{Double, response};

use crate::deployment::{Server, server_with};
use crate::process::Process;
use crate::stage::Stage;
use crate::tables::Tables;

/// As ECS describes a container, with what does not matter left out here and there.
const METADATA: &str = r#"{
    "DockerId": "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66",
    "Name": "parsec",
    "Labels": {"com.amazonaws.ecs.cluster": "default"},
    "KnownStatus": "RUNNING",
    "Limits": {"CPU": 1024, "Memory": 4096},
    "LogOptions": {"awslogs-region": "us-west-2"},
    "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/0206b271-b33f-47ab-86c6-a0ba208a70a9",
    "Networks": [
        {"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.100"], "IPv4SubnetCIDRBlock": "10.0.2.0/24"}
    ]
}"#;

/// An agent that knows the container from the second time on that it is asked.
async fn agent() -> Double {
    Double::answering(|asked| {
        assert_eq!(asked.line, "GET /v4/ea32 HTTP/1.1");
        match asked.turn {
            0 => response("404 Not Found", "", "no such container"),
            _ => response("200 OK", "", METADATA),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_registers_with_what_ecs_says_of_its_container_and_elsewhere_with_its_machine() {
    let (stage, agent, database) = (Stage::begin(), agent().await, database().await);
    let uri = format!("http://{}/v4/ea32", agent.address());
    let at_database = ["--database-url", database.url()];
    let asked = [("ECS_CONTAINER_METADATA_URI_V4", uri.as_str())];
    let told = [("ECS_CONTAINER_METADATA", METADATA), ("AWS_REGION", "eu-central-1")];
    let free = ["--server-port", "0", "--peer-port", "0", "--telemetry-port", "0", "--protocol-id", LOCAL_PROTOCOL];
    let anywhere = [&["server", "--log-format", "json", "--server-host", "0.0.0.0"], &free[..], &at_database].concat();
    let cores = std::thread::available_parallelism().unwrap();
    let cases = [
        (server_with(&stage, &asked, &at_database), "cpu = 1024 AND memory = 4096", "10.0.2.100", "us-west-2"),
        (server_with(&stage, &told, &at_database), "cpu = 1024 AND memory = 4096", "10.0.2.100", "eu-central-1"),
        (
            server_with(&stage, &told, &[&at_database[..], &["--advertise-ip", "192.0.2.7"]].concat()),
            "cpu = 1024 AND memory = 4096",
            "192.0.2.7",
            "eu-central-1",
        ),
        // The test's database is on this machine.
        (Process::start(&stage, &anywhere), &format!("cpu = {cores} AND memory > 1"), "127.0.0.1", "local"),
    ];
    let mut registered = Vec::new();
    for (process, size, ip, region) in cases {
        registered.push((Server::started(process).await, size, ip, region));
    }
    let tables = Tables::of(&stage, database).await;
    for (Server { node, .. }, size, ip, region) in &registered {
        let row = format!("id = {node} AND {size} AND host(ip_address) = '{ip}' AND region = '{region}'");
        assert_eq!(tables.count(&format!("nodes_ecs WHERE {row}")).await, 1, "{row}");
    }
}
