//! The settings of who is let in by a server, and of how those come who want to be.

use std::fmt;
use std::path::PathBuf;

use parsec_api::token::ApiToken;

use crate::error::ConfigError;
use crate::sources::Sources;
use crate::values::{self, HostPort, Reading};

/// Who is let in by a server, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServingConfig {
    /// What schedulers have to present; `None` lets everybody in.
    pub token: Option<ApiToken>,
    /// What proves who the server is; `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
}

/// The files of a server that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those up to its authority.
    pub certificate: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
}

/// How those come who want to be let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallingConfig {
    /// What to present.
    pub token: Option<ApiToken>,
    /// The authorities to believe.
    pub ca: Option<PathBuf>,
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

impl ServingConfig {
    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let file = |name| Ok(from.optional(name, values::text)?.map(PathBuf::from));
        let alone =
            |set: &str, missing| Err(ConfigError::Alone { set: from.origin(set).clone(), missing: from.key(missing) });
        let tls = match (file("server.tls_cert")?, file("server.tls_key")?) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => return alone("server.tls_cert", "server.tls_key"),
            (None, Some(_)) => return alone("server.tls_key", "server.tls_cert"),
        };
        Ok(Self { token: token(from, "server.api_token")?, tls })
    }
}

impl CallingConfig {
    /// What a scheduler presents and believes.
    pub(super) fn of_scheduler(from: &Sources) -> Result<Self, ConfigError> {
        let ca = from.optional("scheduler.server_tls_ca", values::text)?.map(PathBuf::from);
        Ok(Self { token: token(from, "scheduler.api_token")?, ca })
    }

    /// What those present and believe who ask for operations by hand.
    pub(super) fn by_hand(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self { token: token(from, "client.api_token")?, ..Self::without_token(from)? })
    }

    /// What those believe who ask for nothing that takes a token.
    pub(super) fn without_token(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self { token: None, ca: from.optional("client.tls_ca", values::text)?.map(PathBuf::from) })
    }
}

/// The token, given directly or in a file.
fn token(from: &Sources, name: &'static str) -> Result<Option<ApiToken>, ConfigError> {
    from.secret(name, |text| ApiToken::new(text).map_err(|error| error.to_string()))
}

/// An HTTP API at the root of a host and a port: schedulers know no other.
pub(super) fn server_url(text: &str) -> Reading<ServerUrl> {
    let (secure, bare) = match text.strip_prefix("https://") {
        Some(bare) => (true, bare),
        None => (false, text.strip_prefix("http://").unwrap_or(text)),
    };
    let place = values::host_port(bare.strip_suffix('/').unwrap_or(bare));
    let place = place.map_err(|_| "expected http://HOST:PORT or https://HOST:PORT, such as http://localhost:7070")?;
    Ok(ServerUrl { place, secure })
}

/// The same, most often as HOST:PORT.
pub(super) fn health_url(text: &str) -> Reading<ServerUrl> {
    match text.strip_prefix("https://") {
        Some(_) => server_url(text),
        None => Ok(ServerUrl { place: values::host_port(text)?, secure: false }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
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
}
