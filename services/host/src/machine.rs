//! The cores and addresses of the machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Cores that this process may use.
pub fn cores() -> i32 {
    std::thread::available_parallelism().ok().and_then(|cores| i32::try_from(cores.get()).ok()).unwrap_or(1)
}

/// The address of ours from which `host` is reached. Nothing is sent.
pub fn address_towards(host: &str, port: u16) -> Option<IpAddr> {
    let target: SocketAddr = (host, port).to_socket_addrs().ok()?.next()?;
    let unspecified: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((unspecified, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_ourselves_is_the_loopback() {
        assert_eq!(address_towards("127.0.0.1", 5432), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
