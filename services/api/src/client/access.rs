//! How servers are entered: over plain HTTP or TLS, with a token or without.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parsec_measure::Endpoint;
use reqwest::header::HeaderValue;
use reqwest::{ClientBuilder, redirect, retry};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::token::ApiToken;

/// How servers are entered. The default is plain HTTP without a token, as Go schedulers come.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// What is presented with every operation.
    pub token: Option<ApiToken>,
    /// Whom to believe that they are the server; `None` speaks plain HTTP.
    pub tls: Option<ClientConfig>,
    /// The name in the certificate of the one server that is called, and its address. Without it, a certificate has to be
    /// valid for the address that the server is called at: that is all the database knows of a server.
    pub name: Option<(String, IpAddr)>,
}

impl Access {
    pub(super) fn builder(&self) -> ClientBuilder {
        let builder = match &self.tls {
            Some(tls) => bare().tls_backend_preconfigured(tls.clone()),
            None => bare(),
        };
        match &self.name {
            // Port 0 stands for the port of the URL.
            Some((name, address)) => builder.resolve(name, SocketAddr::new(*address, 0)),
            None => builder,
        }
    }

    /// Scheme, host and port of a server.
    pub(super) fn origin(&self, server: &Endpoint) -> String {
        match (&self.tls, &self.name) {
            (None, _) => format!("http://{server}"),
            (Some(_), None) => format!("https://{server}"),
            (Some(_), Some((name, _))) => format!("https://{name}:{}", server.socket().port()),
        }
    }

    /// The header that presents the token. Marked, so that the HTTP library's own log leaves it out.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let token = self.token.as_ref()?;
        let mut value = HeaderValue::from_str(&token.authorization()).expect("a token is fit for a header");
        value.set_sensitive(true);
        Some(value)
    }
}

/// A client to be built for plain HTTP that does what it is told and no more: no proxy, no redirect, no second try.
/// It believes no certificate.
pub fn bare() -> ClientBuilder {
    // Unless it is given one, the HTTP library looks for a provider of cryptography of the whole process, and panics.
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .tls_backend_preconfigured(tls)
}
