//! From the settings of a DHT node to what the engine wants to know.

use std::time::Duration;

use anyhow::{Context as _, bail};
use parsec_dht::{Identity, Network, NodeConfig};
use parsec_measure::StrategyKind;

use crate::config::{DhtConfig, HostPort};

/// A node with a fresh identity.
///
/// # Errors
/// If the network is not known, if the host has no address, or if the strategy is none that this version has.
pub(crate) fn node_config(dht: &DhtConfig, peer: &HostPort, operation_timeout: Duration) -> anyhow::Result<NodeConfig> {
    check(dht.strategy)?;
    let (protocol, bootstrap) = network(dht)?;
    let listen = peer.resolve().with_context(|| format!("libp2p host `{}`", peer.host))?;
    Ok(NodeConfig {
        identity: Identity::generate(),
        listen_ip: listen.ip(),
        listen_port: listen.port(),
        external_addresses: dht.external_addresses.clone(),
        protocol,
        bootstrap,
        server_mode: dht.server_mode,
        alpha: usize::from(dht.alpha),
        operation_timeout,
    })
}

fn check(strategy: StrategyKind) -> anyhow::Result<()> {
    if strategy == StrategyKind::Classic {
        return Ok(());
    }
    bail!(
        "strategy {strategy}: this version measures with the classic strategy only; \
         start without --{strategy} or --strategy {strategy}"
    )
}

/// Protocol id and bootstrap peers: those configured, else those of the network by its name.
fn network(dht: &DhtConfig) -> anyhow::Result<(String, Vec<String>)> {
    let (protocol, known) = match dht.protocol_id.clone() {
        Some(protocol) => (protocol, Vec::new()),
        None => {
            let network = Network::named(&dht.project, &dht.network)?;
            (network.protocol, network.bootstrap)
        }
    };
    let bootstrap = dht.bootstrap_peers.clone();
    Ok((protocol, if bootstrap.is_empty() { known } else { bootstrap }))
}
