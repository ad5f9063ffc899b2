//! Servers in JavaScript that answer as those of the field do (`js/server.mjs`).

use std::path::Path;
use std::process::Command;

use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::Value;

/// Servers of one process, which find what they publish.
#[derive(Debug)]
pub(crate) struct Doubles {
    /// Where each listens on 127.0.0.1.
    pub(crate) ports: Vec<u16>,
    _process: Process,
}

impl Doubles {
    /// So many servers that speak `wire`, with these arguments added.
    pub(crate) async fn start(stage: &Stage, wire: &str, instances: usize, added: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/js/server.mjs");
        let mut command = Command::new("node");
        command.arg(script).args(["--wire", wire, "--instances", &instances.to_string()]).args(added);
        let process = Process::run(stage, &[], command);
        let ports = process.out("ports", |line| serde_json::from_str::<Value>(line).ok()).await;
        let ports = ports["ports"].as_array().expect("ports are a list").iter();
        let ports =
            ports.map(|port| port.as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port is a number"));
        Self { ports: ports.collect(), _process: process }
    }
}
