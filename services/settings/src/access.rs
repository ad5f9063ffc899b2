//! Addresses of HTTP APIs, and the settings of who is let in by a server and of how those come who want to be.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use parsec_api::token::ApiToken;

use crate::declare::settings;
use crate::error::ConfigError;
use crate::key::Secrecy;
use crate::sources::Sources;
use crate::values::{Reading, Value, within};

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

settings! {
    /// Who is let in by a server, and how. Without a token everybody is, without files for TLS over plain HTTP.
    #[derive(Default)]
    ServingConfig(from) = "Access to a server";
    token: Option<ApiToken> = ("server.api_token", "api-token", "TOKEN").secrecy(Secrecy::Secret).rivals(&["server.api_token_file"]),
        "Token, at least 22 characters, that callers have to send with every operation; without it, anyone may call";
    token_file: Option<PathBuf> = ("server.api_token_file", "api-token-file", "FILE").rivals(&["server.api_token"]),
        "File that holds the token, instead of the token itself";
    tls_cert: Option<PathBuf> = ("server.tls_cert", "server-tls-cert", "FILE"),
        "Certificate chain of the HTTP API, as PEM; without it, plain HTTP";
    tls_key: Option<PathBuf> = ("server.tls_key", "server-tls-key", "FILE"), "Private key of the certificate, as PEM";
    => tls: Option<TlsFiles> = tls(from, &tls_cert, &tls_key)?, "Both files of TLS; `None` is plain HTTP";
}

/// The files of a server that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those up to its authority.
    pub certificate: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
}

fn tls(from: &Sources, cert: &Option<PathBuf>, key: &Option<PathBuf>) -> Result<Option<TlsFiles>, ConfigError> {
    let alone = |made: &str, missing| Err(ConfigError::Alone(from.origin(made).clone(), from.key(missing)));
    match (cert, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate: certificate.clone(), key: key.clone() })),
        (None, None) => Ok(None),
        (Some(_), None) => alone("server.tls_cert", "server.tls_key"),
        (None, Some(_)) => alone("server.tls_key", "server.tls_cert"),
    }
}

settings! {
    /// How a scheduler enters the servers: over TLS if there are authorities to believe.
    #[derive(Default)]
    CallingConfig(from) = "Access to the servers";
    token: Option<ApiToken> = ("scheduler.api_token", "api-token", "TOKEN").secrecy(Secrecy::Secret).rivals(&["scheduler.api_token_file"]),
        "Token to send to the servers with every operation";
    token_file: Option<PathBuf> = ("scheduler.api_token_file", "api-token-file", "FILE").rivals(&["scheduler.api_token"]),
        "File that holds the token, instead of the token itself";
    ca: Option<PathBuf> = ("scheduler.server_tls_ca", "server-tls-ca", "FILE"),
        "Authorities, as PEM, that the certificates of all servers have to come from, each valid for the address of its server; \
         without it, plain HTTP";
}

settings! {
    /// Whom those believe who ask one server for one thing.
    TrustConfig(from) = "One server";
    ca: Option<PathBuf> = ("client.tls_ca", "tls-ca", "FILE"),
        "Certificate authorities, as PEM, to trust for a server at https://; the system's if not given";
}

settings! {
    /// What those present who also ask it for operations.
    TokenConfig(from) = "Access to one server";
    token: Option<ApiToken> = ("client.api_token", "api-token", "TOKEN").secrecy(Secrecy::Secret).rivals(&["client.api_token_file"]),
        "Token to send to the server";
    token_file: Option<PathBuf> = ("client.api_token_file", "api-token-file", "FILE").rivals(&["client.api_token"]),
        "File that holds the token, instead of the token itself";
}

pub(crate) fn host(host: &str) -> Reading<String> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !plain.is_empty() && (plain.parse::<IpAddr>().is_ok() || is_name(plain)) {
        Ok(plain.to_owned())
    } else {
        Err("expected an IP address or a host name; 0.0.0.0 listens on all addresses".to_owned())
    }
}

/// A host, by name or address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(pub String);

impl Value for Host {
    fn read(text: &str) -> Reading<Self> {
        host(text).map(Self)
    }
}

/// A host that is told to others.
pub(crate) fn told_host(text: &str) -> Reading<String> {
    let host = host(text)?;
    if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
        return Err("expected an address that others can dial, or a name of one, not all addresses".to_owned());
    }
    Ok(host)
}

fn host_port(text: &str) -> Reading<HostPort> {
    let expected = || "expected HOST:PORT, such as localhost:7070 or [::1]:7070".to_owned();
    let (name, port) = text.rsplit_once(':').ok_or_else(expected)?;
    if name.contains(':') && !name.starts_with('[') {
        return Err(expected());
    }
    let host = host(name).map_err(|_| expected())?;
    Ok(HostPort { host, port: within(1..=u16::MAX)(port).map_err(|_| expected())? })
}

/// An HTTP API at the root of a host and a port: schedulers know no other.
pub(crate) fn server_url(text: &str) -> Reading<ServerUrl> {
    let (secure, bare) = match text.strip_prefix("https://") {
        Some(bare) => (true, bare),
        None => (false, text.strip_prefix("http://").unwrap_or(text)),
    };
    let place = host_port(bare.strip_suffix('/').unwrap_or(bare));
    let place = place.map_err(|_| "expected http://HOST:PORT or https://HOST:PORT, such as http://localhost:7070")?;
    Ok(ServerUrl { place, secure })
}

/// The same, most often as HOST:PORT.
pub(crate) fn health_url(text: &str) -> Reading<ServerUrl> {
    if text.starts_with("https://") {
        return server_url(text);
    }
    Ok(ServerUrl { place: host_port(text)?, secure: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::Command;
    use crate::tests::{file, run, server};

    const GEHEIM: &str = "geheim-geheim-geheim-geheim";

    fn scheduler(variables: &[(&str, &str)]) -> CallingConfig {
        match run("scheduler --fleets a", variables) {
            Ok((Command::Scheduler(config), _)) => config.access,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_is_asked_for_and_sent_only_if_it_was_given() {
        let token = Some(ApiToken::new(GEHEIM).unwrap());
        let (_dir, path) = file("token", &format!("{GEHEIM}\n"));
        let path = path.to_str().unwrap();
        assert_eq!((server("", &[]).access, scheduler(&[])), (ServingConfig::default(), CallingConfig::default()));
        for (name, value) in [("PARSEC_SERVER_API_TOKEN", GEHEIM), ("PARSEC_SERVER_API_TOKEN_FILE", path)] {
            assert_eq!(server("", &[(name, value)]).access.token, token, "{name}");
        }
        for (name, value) in [("PARSEC_SCHEDULER_API_TOKEN", GEHEIM), ("PARSEC_SCHEDULER_API_TOKEN_FILE", path)] {
            assert_eq!(scheduler(&[(name, value)]).token, token, "{name}");
        }
        let line = format!("conformance http://localhost:1 --api-token {GEHEIM}");
        let Ok((Command::Conformance(config), _)) = run(&line, &[]) else { panic!("{line}") };
        assert_eq!(config.access.token, token);
    }

    #[test]
    fn a_token_that_cannot_be_used_is_refused_without_being_repeated() {
        let (_dir, path) = file("token", "geheim");
        let name = path.display();
        let variable = "error: environment variable PARSEC_SERVER_API_TOKEN";
        for (set, value, says) in [
            (
                "PARSEC_SERVER_API_TOKEN",
                "geheim",
                format!("{variable}: cannot use `***`: it has 6 characters; expected at least 22"),
            ),
            (
                "PARSEC_SERVER_API_TOKEN",
                "geheim geheim geheim geheim",
                format!("{variable}: cannot use `***`: it holds other characters"),
            ),
            (
                "PARSEC_SERVER_API_TOKEN_FILE",
                path.to_str().unwrap(),
                format!("{variable}_FILE: cannot read {name}: it has 6 characters"),
            ),
        ] {
            let message = run("server", &[(set, value)]).unwrap_err();
            assert!(message.starts_with(&says) && !message.contains("geheim"), "{message}");
        }
        let both = [("PARSEC_SERVER_API_TOKEN", GEHEIM), ("PARSEC_SERVER_API_TOKEN_FILE", "/x")];
        let message = run("server", &both).unwrap_err();
        assert!(message.ends_with("are both set; set only one of them"), "{message}");
    }

    #[test]
    fn a_certificate_needs_its_key_and_a_key_its_certificate() {
        let message = run("server --server-tls-cert a.pem", &[]).unwrap_err();
        assert_eq!(message, "error: flag --server-tls-cert is set, and --server-tls-key is not; set both or neither");
        let message = run("server", &[("PARSEC_SERVER_TLS_KEY", "a.key")]).unwrap_err();
        let says = "error: environment variable PARSEC_SERVER_TLS_KEY is set, and --server-tls-cert is not; set both or neither";
        assert_eq!(message, says);
        let files = TlsFiles { certificate: "a.pem".into(), key: "a.key".into() };
        let config = server("--server-tls-cert a.pem", &[("PARSEC_SERVER_TLS_KEY", "a.key")]);
        assert_eq!(config.access.tls, Some(files));
    }

    #[test]
    fn a_server_is_named_by_host_and_port_and_no_more() {
        for (text, shown) in [
            ("http://localhost:7070", "http://localhost:7070"),
            ("http://localhost:7070/", "http://localhost:7070"),
            ("localhost:7070", "http://localhost:7070"),
            ("https://server-1:7070/", "https://server-1:7070"),
            ("http://[::1]:7070/", "http://[::1]:7070"),
        ] {
            assert_eq!(server_url(text).unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "http://", "http://localhost", "https://localhost", "http://localhost:7070/api", "ftp://x:1"] {
            assert!(server_url(text).unwrap_err().contains("http://localhost:7070"), "{text}");
        }
        assert_eq!(health_url("localhost:7070").unwrap().to_string(), "http://localhost:7070");
        assert_eq!(health_url("https://localhost:7070").unwrap().to_string(), "https://localhost:7070");
        assert!(health_url("http://localhost:7070").is_err(), "it never was");
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
            assert_eq!(host_port(text).unwrap().to_string(), text);
        }
        for text in ["", "localhost", ":7070", "localhost:", "localhost:0", "localhost:65536", "::1:7070", "a b:1"] {
            assert!(host_port(text).unwrap_err().contains("localhost:7070"), "{text}");
        }
    }
}
