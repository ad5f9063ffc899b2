//! The search for a free port, and whether a port is free.

use std::io;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use rand::{Rng, RngExt};

/// Where a server that was given no port looks for a free one. A port has to fit into the SMALLINT columns of the
/// original's database; and below 32768 Linux takes no ports for outgoing connections, which could be in the way later.
const FREE_PORTS: RangeInclusive<u16> = 16_384..=32_767;

/// How many ports are tried before giving up on finding a free one.
const FREE_PORT_TRIES: usize = 100;

/// Looks whether somebody listens at an address already. libp2p would not notice: it shares a TCP port with whoever would
/// share it too, so that two servers at one port would each get some of the connections.
///
/// # Errors
/// What the system says.
pub fn is_free(address: &Multiaddr) -> io::Result<()> {
    let mut ip: Option<IpAddr> = None;
    for protocol in address {
        match (protocol, ip) {
            (Protocol::Ip4(address), _) => ip = Some(address.into()),
            (Protocol::Ip6(address), _) => ip = Some(address.into()),
            (Protocol::Tcp(port), Some(ip)) if port != 0 => return TcpListener::bind((ip, port)).map(drop),
            (Protocol::Udp(port), Some(ip)) if port != 0 => return UdpSocket::bind((ip, port)).map(drop),
            _ => {}
        }
    }
    Ok(())
}

/// Ports to try, one after the other, for a server that was given none.
pub fn port_candidates(rng: &mut impl Rng) -> impl Iterator<Item = u16> {
    std::iter::repeat_with(|| rng.random_range(FREE_PORTS)).take(FREE_PORT_TRIES)
}
