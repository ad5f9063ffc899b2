//! Whether this machine has a route to an address.
//!
//! TCP fails at once without a route. QUIC does not: its packets vanish, and the handshake runs into its time-out. So
//! the system is asked beforehand, by connecting a UDP socket, which sends nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// # Errors
/// What the system says if no packet could leave for this address. Addresses that are not of UDP are not looked at.
pub(crate) fn check(address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => IpAddr::from(ip),
        Some(Protocol::Ip6(ip)) => IpAddr::from(ip),
        _ => return Ok(()),
    };
    let Some(Protocol::Udp(port)) = parts.next() else { return Ok(()) };
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind(SocketAddr::new(any, 0))?.connect(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_way_to_this_very_machine() {
        check(&"/ip4/127.0.0.1/udp/1/quic-v1".parse().unwrap()).unwrap();
        check(&"/ip4/127.0.0.1/tcp/1".parse().unwrap()).unwrap();
        check(&"/memory/1".parse().unwrap()).unwrap();
    }

    #[test]
    fn there_is_none_to_the_broadcast_address() {
        // The one address that no unprivileged UDP socket may be connected to, whatever routes a machine has.
        let error = check(&"/ip4/255.255.255.255/udp/1/quic-v1".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
