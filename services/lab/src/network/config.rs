//! The shape of a local network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use parsec_measure::Latency;

/// The protocol id of local networks: never that of a public one, so that nothing can leak into it.
pub const LOCAL_PROTOCOL: &str = "/parsec/local/kad/1.0.0";

/// What carries the local peers' connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalTransport {
    /// TCP on loopback, with noise and yamux.
    Tcp,
    /// QUIC on loopback.
    Quic,
    /// The process's own memory, with noise and yamux. Delays run on tokio's clock alone: on a current-thread runtime
    /// whose clock is paused, they pass at once and are exact to the millisecond, however busy the machine.
    Memory,
}

/// The shape of a local network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalConfig {
    /// How many peers, those included that cannot be dialled or never answer.
    pub peers: usize,
    /// Decides the peers' keys and so who is close to what, whom they know, and who of them is live.
    pub seed: u64,
    /// How they are reached.
    pub transport: LocalTransport,
    /// How long the ways between them are.
    pub latency: Latency,
    /// The share of peers, 0 to 1, that stand in the others' routing tables and cannot be dialled. Two thirds of them
    /// refuse, one third never answers, so that the dial runs into TCP's time-out of 5 s.
    pub undialable: f64,
    /// The share of peers, 0 to 1, that accept connections and never answer a request.
    pub silent: f64,
    /// Where its peers listen, and what they tell each other and newcomers. Peers in memory have no such address.
    pub listen_ip: IpAddr,
    /// The port of the first peer; the others have the next ones, in the order of the seed. 0 takes free ones.
    pub first_port: u16,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            peers: 100,
            seed: 1,
            transport: LocalTransport::Tcp,
            latency: Latency::None,
            undialable: 0.0,
            silent: 0.0,
            listen_ip: Ipv4Addr::LOCALHOST.into(),
            first_port: 0,
        }
    }
}

impl LocalConfig {
    /// Where the peer of this index listens; a port of 0 is whichever is free.
    pub(super) fn spot(&self, index: usize) -> SocketAddr {
        let offset = if self.first_port == 0 { 0 } else { index };
        let port = u16::try_from(usize::from(self.first_port) + offset).expect("there are ports for all peers");
        SocketAddr::new(self.listen_ip, port)
    }
}
