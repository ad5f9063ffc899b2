//! The DHTs that parsec knows by name. A network is data: protocol id and bootstrap peers.

use thiserror::Error;

/// A DHT to take part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// `project/network`, e.g. `ipfs/amino`.
    pub name: String,
    /// The Kademlia protocol id that its peers speak.
    pub protocol: String,
    /// Multiaddresses, `/p2p/…` included, of peers that let newcomers in. Empty: they must be configured.
    pub bootstrap: Vec<String>,
}

/// A network that is not in the table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown network `{name}`; known are {known}; for any other give its protocol id and bootstrap peers")]
pub struct UnknownNetwork {
    /// The name as looked up.
    pub name: String,
    /// The names in the table.
    pub known: String,
}

/// Name, protocol id. Read off the networks' own software by ProbeLab (probe-lab/go-commons, p2p/bootstrap.go).
const NETWORKS: &[(&str, &str)] = &[
    ("ipfs/amino", "/ipfs/kad/1.0.0"),
    ("filecoin/mainnet", "/fil/kad/testnetnet/kad/1.0.0"),
    ("filecoin/calibnet", "/fil/kad/calibrationnet/kad/1.0.0"),
    ("celestia/mainnet", "/celestia/celestia/kad/1.0.0"),
    ("celestia/arabica", "/celestia/arabica-10/kad/1.0.0"),
    ("celestia/mocha", "/celestia/mocha-4/kad/1.0.0"),
    ("polkadot/mainnet", "/91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3/kad"),
    ("polkadot/kusama", "/ksmcc3/kad"),
    ("polkadot/westend", "/wnd2/kad"),
    ("avail/mainnet_fn", "/Avail/kad"),
    ("avail/turing_fn", "/Avail/kad"),
    ("avail/mainnet_lc", "/avail_kad/id/1.0.0-b91746"),
    ("avail/turing_lc", "/avail_kad/id/1.0.0-6f0996"),
    ("pactus/mainnet", "/pactus/gossip/v1/kad/1.0.0"),
    ("dria/mainnet", "/dria/kad/0.2"),
    ("algorand/mainnet", "/algorand/kad/mainnet/kad/1.0.0"),
];

/// Other names for the same network.
const ALIASES: &[(&str, &str)] = &[("ipfs/mainnet", "ipfs/amino")];

/// The bootstrap peers of the public IPFS DHT, as Kubo ships them.
const AMINO_BOOTSTRAP: &[&str] = &[
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
    "/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
];

impl Network {
    /// Looks a network up by project and network name.
    ///
    /// # Errors
    /// [`UnknownNetwork`], with the names that there are.
    pub fn named(project: &str, network: &str) -> Result<Self, UnknownNetwork> {
        let asked = format!("{}/{}", project.to_lowercase(), network.to_lowercase());
        let name = ALIASES.iter().find(|(alias, _)| *alias == asked).map_or(asked.as_str(), |(_, name)| name);
        let Some((name, protocol)) = NETWORKS.iter().find(|(known, _)| *known == name) else {
            let known = NETWORKS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(UnknownNetwork { name: asked, known });
        };
        let bootstrap: &[&str] = if *name == "ipfs/amino" { AMINO_BOOTSTRAP } else { &[] };
        Ok(Self {
            name: (*name).to_owned(),
            protocol: (*protocol).to_owned(),
            bootstrap: bootstrap.iter().map(|address| (*address).to_owned()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::{Multiaddr, StreamProtocol};

    #[test]
    fn every_entry_is_a_protocol_and_every_bootstrap_peer_an_address_with_a_peer_id() {
        for (name, protocol) in NETWORKS {
            let (project, network) = name.split_once('/').unwrap();
            assert_eq!(Network::named(project, network).unwrap().protocol, *protocol);
            StreamProtocol::try_from_owned((*protocol).to_owned()).unwrap();
        }
        for address in AMINO_BOOTSTRAP {
            let address: Multiaddr = address.parse().unwrap();
            assert!(crate::addresses::split_peer(&address).is_some(), "{address}");
        }
    }

    #[test]
    fn mainnet_is_another_name_of_amino() {
        assert_eq!(Network::named("ipfs", "mainnet"), Network::named("IPFS", "amino"));
    }

    #[test]
    fn an_unknown_network_is_named_together_with_the_known_ones() {
        let message = Network::named("ipfs", "nonet").unwrap_err().to_string();
        assert!(message.contains("`ipfs/nonet`") && message.contains("filecoin/calibnet"), "{message}");
    }
}
