//! The DHTs that parsec knows by name. A network is data: protocol ids and bootstrap peers.

mod known;

use thiserror::Error;

use self::known::{ALIASES, NETWORKS};

/// A DHT to take part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// `project/network`, e.g. `ipfs/amino`.
    pub name: String,
    /// The Kademlia protocol ids that its peers speak, in the order in which they are offered. At least one.
    pub protocols: Vec<String>,
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

impl Network {
    /// Looks a network up by project and network name.
    ///
    /// # Errors
    /// [`UnknownNetwork`], with the names that there are.
    pub fn named(project: &str, network: &str) -> Result<Self, UnknownNetwork> {
        let asked = format!("{}/{}", project.to_lowercase(), network.to_lowercase());
        let name = ALIASES.iter().find(|(alias, _)| *alias == asked).map_or(asked.as_str(), |(_, name)| name);
        let Some((name, protocols, bootstrap)) = NETWORKS.iter().find(|(known, ..)| *known == name) else {
            let known = NETWORKS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
            return Err(UnknownNetwork { name: asked, known });
        };
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Ok(Self { name: (*name).to_owned(), protocols: owned(protocols), bootstrap: owned(bootstrap) })
    }
}

#[cfg(test)]
mod tests;
