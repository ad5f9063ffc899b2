//! The settings of who is let in by a server and of how those come who want to be.

use std::net::IpAddr;
use std::path::PathBuf;

use parsec_api::place::{self, ServerUrl};
use parsec_api::token::ApiToken;
use parsec_layers::{ConfigError, Secrecy, Sources};

use crate::declare::settings;
use crate::values::{Reading, parsed};

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

pub(crate) fn host(text: &str) -> Reading<String> {
    let expected = "expected an IP address or a host name; 0.0.0.0 listens on all addresses";
    place::host(text).map(str::to_owned).ok_or_else(|| expected.to_owned())
}

/// A host that is told to others.
pub(crate) fn told_host(text: &str) -> Reading<String> {
    let host = host(text)?;
    if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
        return Err("expected an address that others can dial, or a name of one, not all addresses".to_owned());
    }
    Ok(host)
}

/// A server, most often as HOST:PORT.
pub(crate) fn health_url(text: &str) -> Reading<ServerUrl> {
    if text.starts_with("https://") {
        return parsed(text);
    }
    Ok(ServerUrl { place: parsed(text)?, secure: false })
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
    fn a_server_that_is_asked_for_its_health_is_a_place_or_a_secure_url() {
        assert_eq!(health_url("localhost:7070").unwrap().to_string(), "http://localhost:7070");
        assert_eq!(health_url("https://localhost:7070").unwrap().to_string(), "https://localhost:7070");
        assert!(health_url("http://localhost:7070").is_err(), "it never was");
    }
}
