//! What a server says about the machine it runs on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Cores that this process may use.
pub(crate) fn cores() -> i32 {
    std::thread::available_parallelism().ok().and_then(|cores| i32::try_from(cores.get()).ok()).unwrap_or(1)
}

/// The machine's memory in MB; 0 where the system does not say.
pub(crate) fn memory_mb() -> i32 {
    std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse_meminfo(&text)).unwrap_or(0)
}

fn parse_meminfo(text: &str) -> Option<i32> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    i32::try_from(kib * 1024 / 1_000_000).ok()
}

/// The address of ours from which `host` is reached. Nothing is sent.
pub(crate) fn address_towards(host: &str, port: u16) -> Option<IpAddr> {
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
    fn memory_is_read_in_megabytes() {
        assert_eq!(parse_meminfo("MemTotal:       24576000 kB\nMemFree: 1 kB\n"), Some(25_165));
        assert_eq!(parse_meminfo("nothing of the kind"), None);
    }

    #[test]
    fn the_way_to_ourselves_is_the_loopback() {
        assert_eq!(address_towards("127.0.0.1", 5432), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
