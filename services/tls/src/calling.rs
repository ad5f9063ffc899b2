//! How the servers of a deployment are called.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;
use parsec_api::client::{Access, Answered, CallError, Caller, HttpClient, ServerApi, Timeouts};
use parsec_api::place::ServerUrl;
use parsec_measure::{Content, Endpoint};
use parsec_settings::CallingConfig;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::files::{TlsError, certificates, read, token_in};
use crate::proof::CIPHERS;

/// How to connect to the servers of a deployment: over TLS if authorities are configured.
///
/// # Errors
/// If the authorities cannot be read: names the file, and what is wrong with it.
pub fn to_servers(config: &CallingConfig) -> Result<Access, TlsError> {
    let tls = config.ca.as_deref().map(roots_of).transpose()?.map(believer);
    Ok(Access { token: config.token.clone(), tls, name: None })
}

/// How to connect to this one server, which has the address `ip`.
///
/// # Errors
/// If there are no authorities to trust: names the file, and what is wrong with it.
pub fn to_server(url: &ServerUrl, ip: IpAddr, config: &CallingConfig) -> Result<Access, TlsError> {
    let token = config.token.clone();
    if !url.secure {
        return Ok(Access { token, ..Access::default() });
    }
    let roots = match &config.ca {
        Some(ca) => roots_of(ca)?,
        None => roots_of_the_system()?,
    };
    let name = Some(url.place.host.clone()).filter(|host| host.parse::<IpAddr>().is_err());
    Ok(Access { token, tls: Some(believer(roots)), name: name.map(|name| (name, ip)) })
}

fn believer(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect(CIPHERS)
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let wrong = TlsError::of("authorities (--tls-ca, --server-tls-ca)", path);
    let mut roots = RootCertStore::empty();
    for certificate in read(path).and_then(|pem| certificates(&pem)).map_err(&wrong)? {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(roots)
}

fn roots_of_the_system() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}

/// Calls servers with the token and the authorities that were read last.
#[derive(Debug)]
pub struct CurrentClient {
    timeouts: Timeouts,
    config: CallingConfig,
    client: RwLock<HttpClient>,
}

impl CurrentClient {
    /// Reads the authorities.
    ///
    /// # Errors
    /// If they cannot be read, or if the HTTP library cannot be set up.
    pub fn new(timeouts: Timeouts, config: CallingConfig) -> Result<Self, TlsError> {
        let client = RwLock::new(client(timeouts, &config)?);
        Ok(Self { timeouts, config, client })
    }

    /// Whether anything of this was read from a file.
    pub fn has_files(&self) -> bool {
        self.config.token_file.is_some() || self.config.ca.is_some()
    }

    /// Reads token and authorities again. What cannot be used changes nothing.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut config = self.config.clone();
        if let Some(file) = &config.token_file {
            config.token = Some(token_in(file)?);
        }
        *self.client.write() = client(self.timeouts, &config)?;
        Ok(())
    }

    fn now(&self) -> HttpClient {
        self.client.read().clone()
    }
}

fn client(timeouts: Timeouts, config: &CallingConfig) -> Result<HttpClient, TlsError> {
    HttpClient::with_access(timeouts, to_servers(config)?).map_err(|error| TlsError::Client(error.to_string()))
}

#[async_trait]
impl ServerApi for CurrentClient {
    async fn readiness(&self, server: &Endpoint) -> Result<Option<String>, CallError> {
        self.now().readiness(server).await
    }

    async fn provide(&self, server: &Endpoint, caller: Caller<'_>, content: &Content) -> Result<Answered, CallError> {
        self.now().provide(server, caller, content).await
    }

    async fn retrieve(&self, server: &Endpoint, caller: Caller<'_>, cid: &str) -> Result<Answered, CallError> {
        self.now().retrieve(server, caller, cid).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_cannot_be_read_are_named() {
        let config = CallingConfig { ca: Some("/nowhere/ca.pem".into()), ..CallingConfig::default() };
        assert_eq!(
            to_servers(&config).unwrap_err().to_string(),
            "authorities (--tls-ca, --server-tls-ca) /nowhere/ca.pem: No such file or directory (os error 2)"
        );
        assert!(to_servers(&CallingConfig::default()).unwrap().tls.is_none(), "without them it is plain HTTP");
    }
}
