//! Where an HTTP API is, as people write it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use thiserror::Error;

/// A place to listen on or to call, not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// An IP address or a name.
    pub host: String,
    /// The port; 0 takes a free one when listening.
    pub port: u16,
}

impl HostPort {
    /// The address to listen on or to call, IPv4 before IPv6. `localhost` is 127.0.0.1 without asking anybody:
    /// it works where no name does, and two processes that are told so mean the same address.
    ///
    /// # Errors
    /// If the name has no address, in the words of the system.
    pub fn resolve(&self) -> std::io::Result<SocketAddr> {
        if self.host.eq_ignore_ascii_case("localhost") {
            return Ok((Ipv4Addr::LOCALHOST, self.port).into());
        }
        let mut addresses: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let none = || std::io::Error::new(std::io::ErrorKind::NotFound, format!("`{}` has no address", self.host));
        addresses.first().copied().ok_or_else(none)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, self.port).fmt(f),
            Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// The HTTP API of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// Where it is.
    pub place: HostPort,
    /// Whether it speaks TLS.
    pub secure: bool,
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.place)
    }
}

/// A text that says no such place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParsePlaceError {
    /// Not [`HostPort`].
    #[error("expected HOST:PORT, such as localhost:7070 or [::1]:7070")]
    HostPort,
    /// Not [`ServerUrl`].
    #[error("expected http://HOST:PORT or https://HOST:PORT, such as http://localhost:7070")]
    ServerUrl,
}

/// A host name or an IP address by its looks, without the brackets around the latter.
pub fn host(text: &str) -> Option<&str> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let is_name = || plain.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    Some(plain).filter(|plain| !plain.is_empty() && (plain.parse::<IpAddr>().is_ok() || is_name()))
}

impl FromStr for HostPort {
    type Err = ParsePlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.rsplit_once(':').filter(|(name, _)| !name.contains(':') || name.starts_with('['));
        let parts =
            parts.and_then(|(name, port)| Some((host(name)?, port.parse().ok().filter(|port: &u16| *port > 0)?)));
        let (host, port) = parts.ok_or(ParsePlaceError::HostPort)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl FromStr for ServerUrl {
    type Err = ParsePlaceError;

    /// An HTTP API at the root of a host and a port: schedulers know no other.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (secure, bare) = match text.strip_prefix("https://") {
            Some(bare) => (true, bare),
            None => (false, text.strip_prefix("http://").unwrap_or(text)),
        };
        let place = bare.strip_suffix('/').unwrap_or(bare).parse::<HostPort>();
        Ok(Self { place: place.map_err(|_| ParsePlaceError::ServerUrl)?, secure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_host_and_port_and_no_more() {
        for (text, shown) in [
            ("http://localhost:7070", "http://localhost:7070"),
            ("http://localhost:7070/", "http://localhost:7070"),
            ("localhost:7070", "http://localhost:7070"),
            ("https://server-1:7070/", "https://server-1:7070"),
            ("http://[::1]:7070/", "http://[::1]:7070"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "http://", "http://localhost", "https://localhost", "http://localhost:7070/api", "ftp://x:1"] {
            assert!(text.parse::<ServerUrl>().unwrap_err().to_string().contains("http://localhost:7070"), "{text}");
        }
    }

    #[test]
    fn localhost_is_an_address_without_asking_anybody() {
        let resolve =
            |host: &str| HostPort { host: host.to_owned(), port: 0 }.resolve().map(|address| address.to_string());
        assert_eq!(resolve("localhost").unwrap(), "127.0.0.1:0");
        assert_eq!(resolve("0.0.0.0").unwrap(), "0.0.0.0:0");
        assert_eq!(resolve("::1").unwrap(), "[::1]:0");
    }

    #[test]
    fn a_place_to_call_needs_host_and_port() {
        for text in ["localhost:7070", "10.0.0.1:1", "[::1]:7070", "server-1.internal:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in ["", "localhost", ":7070", "localhost:", "localhost:0", "localhost:65536", "::1:7070", "a b:1"] {
            assert!(text.parse::<HostPort>().unwrap_err().to_string().contains("localhost:7070"), "{text}");
        }
    }
}
