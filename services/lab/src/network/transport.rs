//! The transport of whoever takes part in a local network.

use std::net::IpAddr;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, Transport, noise, yamux};
use parsec_dht::parts::{BuildError, Connected, DIAL_ADDRESS_TIMEOUT, Reach, Underlay, Yamux};

use super::config::LocalTransport;
use super::memory::MemoryTransport;
use super::quic::QuicTransport;
use super::roads::{Attachment, UNLIMITED};
use super::tcp::TcpTransport;

/// Connections as on the real network, with noise and yamux on top of TCP and of memory.
pub(super) fn transport(attachment: &Attachment, keypair: &Keypair) -> Result<Boxed<Connected>, BuildError> {
    // The same for two types of transport, which a generic function would need a page of bounds for.
    macro_rules! secured {
        ($transport:expr, $timeout:expr) => {
            $transport
                .upgrade(Version::V1Lazy)
                .authenticate(noise::Config::new(keypair)?)
                .multiplex(Yamux(yamux::Config::default()))
                .timeout($timeout)
                .boxed()
        };
    }
    let boxed = match attachment.roads.transport {
        LocalTransport::Tcp => secured!(TcpTransport::new(attachment.clone()), DIAL_ADDRESS_TIMEOUT),
        // Its dials end on the virtual clock; this one is real, and would count how busy the machine is.
        LocalTransport::Memory => secured!(MemoryTransport::new(attachment.clone()), UNLIMITED),
        LocalTransport::Quic => {
            let quic = QuicTransport::new(attachment.clone(), keypair);
            quic.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))).boxed()
        }
    };
    Ok(boxed)
}

impl Underlay for Attachment {
    fn transport(&self, keypair: &Keypair, _: &Reach) -> Result<Boxed<Connected>, BuildError> {
        transport(self, keypair)
    }

    /// One: a local network has one transport.
    fn listen_addresses(&self, ip: IpAddr, port: u16) -> Vec<Multiaddr> {
        vec![self.listen_address(ip, port)]
    }

    /// libp2p counts on the real clock, of which a connection in memory shall know nothing.
    fn idle_timeout(&self, usual: Duration) -> Duration {
        match self.roads.transport {
            LocalTransport::Memory => UNLIMITED,
            LocalTransport::Tcp | LocalTransport::Quic => usual,
        }
    }

    fn is_ours(&self) -> bool {
        true
    }
}
