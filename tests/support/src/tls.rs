//! An authority of the test's own: it vouches for servers, and clients can believe it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// An authority.
pub struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

/// Where the PEM files of a server are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

const GENERATED: &str = "ring can make keys and sign with them";

impl Authority {
    /// A new one that nobody else knows.
    #[expect(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect(GENERATED);
        let mut params = CertificateParams::new([]).expect(GENERATED);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).expect(GENERATED), key }
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Makes a key and vouches for it under these names and addresses; both as PEM, the certificate first.
    pub fn issue(&self, names: &[&str]) -> (String, String) {
        self.issue_with(names, |_| {})
    }

    fn issue_with(&self, names: &[&str], adapt: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().expect(GENERATED);
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("tests use proper names");
        adapt(&mut params);
        let certificate = params.signed_by(&key, &self.certificate, &self.key).expect(GENERATED);
        (certificate.pem(), key.serialize_pem())
    }

    /// The same in files of this directory, over those that are there.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn issue_into(&self, directory: &Path, names: &[&str]) -> Files {
        Self::write(directory, self.issue(names))
    }

    /// The same, valid from one day until another (year, month, day).
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn issue_until(&self, directory: &Path, names: &[&str], from: (i32, u8, u8), until: (i32, u8, u8)) -> Files {
        let day = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
        Self::write(
            directory,
            self.issue_with(names, |params| {
                (params.not_before, params.not_after) = (day(from), day(until));
            }),
        )
    }

    fn write(directory: &Path, (certificate, key): (String, String)) -> Files {
        let files = Files { certificate: directory.join("server.pem"), key: directory.join("server.key") };
        fs::write(&files.certificate, certificate).expect("a test's directory is writable");
        fs::write(&files.key, key).expect("a test's directory is writable");
        files
    }

    /// A server that it vouches for.
    ///
    /// # Panics
    /// If a name is not one.
    pub fn server(&self, names: &[&str]) -> ServerConfig {
        let (certificate, key) = self.issue(names);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("it was just made");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("it was just made");
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the ciphers of TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("the key is the certificate's")
    }

    /// A client that believes this authority alone.
    pub fn believer(&self) -> ClientConfig {
        believer([self.certificate.der().clone()])
    }
}

/// A client that believes these certificates alone.
pub(crate) fn believer(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> ClientConfig {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).expect("a test's authority is one");
    }
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3")
        .with_root_certificates(store)
        .with_no_client_auth()
}
