//! Turns the settings of a DHT node into the configuration of the engine.

use std::sync::Arc;

use anyhow::Context as _;
use parsec_dht::{Identity, Internet, Network, NodeConfig};

use parsec_api::place::HostPort;
use parsec_settings::DhtConfig;

/// A node with a fresh identity.
///
/// # Errors
/// If the network is not known, or if the host has no address.
pub(crate) fn node_config(dht: &DhtConfig, peer: &HostPort) -> anyhow::Result<NodeConfig> {
    let (protocols, bootstrap) = network(dht)?;
    let listen = peer.resolve().with_context(|| format!("libp2p host `{}`", peer.host))?;
    Ok(NodeConfig {
        identity: Identity::generate(),
        underlay: Arc::new(Internet::default()),
        listen_ip: listen.ip(),
        listen_port: listen.port(),
        external_addresses: dht.external_addresses.clone().unwrap_or_default(),
        protocols,
        bootstrap,
        server_mode: false,
        strategy: dht.strategy,
        alpha: usize::from(dht.alpha),
        cold: false,
        operation_timeout: dht.operation_timeout,
        denylists: None,
        private_peers: dht.private_peers,
        warmth: dht.connections,
    })
}

/// Protocol ids and bootstrap peers: the configured ones, or else those of the named network.
fn network(dht: &DhtConfig) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let (protocols, known) = match &dht.protocol_ids {
        Some(protocols) => (protocols.clone(), Vec::new()),
        None => {
            let network = Network::named(&dht.project, &dht.network)?;
            (network.protocols, network.bootstrap)
        }
    };
    let bootstrap = dht.bootstrap_peers.clone().filter(|peers| !peers.is_empty());
    Ok((protocols, bootstrap.unwrap_or(known)))
}
