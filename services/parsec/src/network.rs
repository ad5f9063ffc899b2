//! `parsec network`: a local DHT for servers in other processes, also on other machines or in other containers.
//!
//! With the same seed, its peers have the same ids and ports in every run, so the settings for joining it can be
//! written down beforehand, for instance in a compose file.

use anyhow::Context as _;
use parsec_actors::telemetry::metrics::Role;
use parsec_host::memory;
use parsec_lab::memory::Size;
use parsec_lab::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork};
use tracing::info;

use crate::exit::Failure;
use crate::process::{self, Process};
use parsec_output as output;
use parsec_settings::NetworkConfig;

/// Runs until it is told to stop. Prints two lines on standard output: the values for `--protocol-id` and
/// `--bootstrap-peers` of `parsec server dht`.
pub(crate) async fn run(config: NetworkConfig) -> anyhow::Result<()> {
    process::raise_file_limit();
    let size = Size { peers: config.peers.into(), undialable: 0.0, nodes: 0 };
    size.fitting(1, memory::available(), "--peers").map_err(Failure::from)?;
    let process = Process::start(Role::Server)?;
    let first = config.first.resolve().with_context(|| format!("peer host `{}`", config.peer_host))?;
    let shape = LocalConfig {
        peers: config.peers.into(),
        seed: config.seed,
        listen_ip: first.ip(),
        first_port: first.port(),
        ..LocalConfig::default()
    };
    let Some(network) = process.unless_stopped(LocalNetwork::start(shape)).await else { return Ok(()) };
    let network = network?;
    output::line(&format!("{LOCAL_PROTOCOL}\n{}", network.bootstrap().join(",")))?;
    info!(peers = network.len(), address = %first.ip(), "local DHT started");
    process.wait_for_end().await
}
