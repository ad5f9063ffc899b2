//! TLS of the HTTP API: reads and checks the files with certificates and keys.
//!
//! The crypto provider is named explicitly because the program contains two (libp2p brings another one), and rustls
//! does not choose between them.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, anyhow, bail};
use parking_lot::Mutex;
use parsec_api::client::Access;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tracing::{info, warn};

use parsec_settings::{CallingConfig, ServerUrl, TlsFiles};

/// The largest file that is read: the authorities of a whole system have 250 kB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// How often, at most, to check whether the certificate was renewed; a handshake may wait for that.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

const CIPHERS: &str = "ring has the ciphers of TLS 1.2 and 1.3";

/// The server's certificate and key. A renewed certificate is used from the next handshakes on; if it cannot be used,
/// that is logged and the previous one stays in use.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub(crate) fn server(files: &TlsFiles) -> anyhow::Result<ServerConfig> {
    let renewing = Renewing::read(files, LOOK_AGAIN)?;
    Ok(ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect(CIPHERS)
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(renewing)))
}

/// How to connect to the servers of a deployment: over TLS if authorities are configured.
///
/// # Errors
/// If the authorities cannot be read: names the file, and what is wrong with it.
pub(crate) fn to_servers(config: &CallingConfig) -> anyhow::Result<Access> {
    let tls = config.ca.as_deref().map(|ca| believer(roots_of(ca)?)).transpose()?;
    Ok(Access { token: config.token.clone(), tls, name: None })
}

/// How to connect to this one server, which has the address `ip`.
///
/// # Errors
/// If there are no authorities to trust: names the file, and what is wrong with it.
pub(crate) fn to_server(url: &ServerUrl, ip: IpAddr, config: &CallingConfig) -> anyhow::Result<Access> {
    let token = config.token.clone();
    if !url.secure {
        return Ok(Access { token, ..Access::default() });
    }
    let roots = match &config.ca {
        Some(ca) => roots_of(ca)?,
        None => roots_of_the_system()?,
    };
    let name = Some(url.place.host.clone()).filter(|host| host.parse::<IpAddr>().is_err());
    Ok(Access { token, tls: Some(believer(roots)?), name: name.map(|name| (name, ip)) })
}

fn believer(roots: RootCertStore) -> anyhow::Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context(CIPHERS)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn roots_of(path: &Path) -> anyhow::Result<RootCertStore> {
    let place = || format!("authorities (--tls-ca, --server-tls-ca) {}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&read(path).with_context(place)?).with_context(place)? {
        roots.add(certificate).with_context(place)?;
    }
    Ok(roots)
}

fn roots_of_the_system() -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        bail!("the system knows no authorities for certificates; name a file in --tls-ca");
    }
    Ok(roots)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    // Opening a pipe would block until somebody writes into it.
    if !path.metadata()?.is_file() {
        bail!("it is not a regular file");
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        bail!("it has more than {MAX_FILE_BYTES} bytes");
    }
    Ok(bytes)
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match found.map_err(|error| anyhow!("it is not PEM: {error}"))? {
        none if none.is_empty() => bail!("there is no certificate in it; expected PEM, BEGIN CERTIFICATE"),
        some => Ok(some),
    }
}

/// Errors about a key never quote it.
fn private_key(pem: &[u8]) -> anyhow::Result<PrivateKeyDer<'static>> {
    if String::from_utf8_lossy(pem).contains("ENCRYPTED") {
        bail!("the key is encrypted; expected a key without a password");
    }
    let key = PrivateKeyDer::from_pem_slice(pem).ok();
    key.context("there is no private key in it; expected PEM with PKCS#8, PKCS#1 (RSA) or SEC1 (EC)")
}

/// A certificate with its key, read again when the files have changed.
struct Renewing {
    files: TlsFiles,
    look_again: Duration,
    current: Mutex<Current>,
}

struct Current {
    certified: Arc<CertifiedKey>,
    written: Written,
    looked: Instant,
}

/// When the two files were written last.
type Written = [Option<SystemTime>; 2];

impl Renewing {
    fn read(files: &TlsFiles, look_again: Duration) -> anyhow::Result<Self> {
        // Read before the files: a change in between is then noticed at the next check.
        let written = written(files);
        let current = Current { certified: Arc::new(certified(files)?), written, looked: Instant::now() };
        Ok(Self { files: files.clone(), look_again, current: Mutex::new(current) })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let mut current = self.current.lock();
        if current.looked.elapsed() >= self.look_again {
            current.looked = Instant::now();
            let written = written(&self.files);
            if written != current.written {
                current.written = written;
                match certified(&self.files) {
                    Ok(certified) => {
                        info!(file = %self.files.certificate.display(), "the renewed certificate is used");
                        current.certified = Arc::new(certified);
                    }
                    Err(error) => {
                        warn!(error = format!("{error:#}"), "the certificate stays: the new one cannot be used");
                    }
                }
            }
        }
        Arc::clone(&current.certified)
    }
}

impl fmt::Debug for Renewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Renewing({})", self.files.certificate.display())
    }
}

impl ResolvesServerCert for Renewing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn written(files: &TlsFiles) -> Written {
    [&files.certificate, &files.key].map(|path| path.metadata().and_then(|metadata| metadata.modified()).ok())
}

fn certified(files: &TlsFiles) -> anyhow::Result<CertifiedKey> {
    let in_certificate = || format!("certificate (--server-tls-cert) {}", files.certificate.display());
    let in_key = || format!("private key (--server-tls-key) {}", files.key.display());
    let chain = certificates(&read(&files.certificate).with_context(in_certificate)?).with_context(in_certificate)?;
    let key = private_key(&read(&files.key).with_context(in_key)?).with_context(in_key)?;
    let signing = ring::sign::any_supported_type(&key)
        .map_err(|_| anyhow!("unknown kind of key; expected RSA, ECDSA on P-256 or P-384, or Ed25519"))
        .with_context(in_key)?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(anyhow!("it does not belong to the certificate {}", files.certificate.display())).with_context(in_key)
        }
        Err(error) => Err(error).with_context(in_certificate),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use parsec_test_support::tls::Authority;
    use tempfile::TempDir;

    use super::*;

    fn issued(names: &[&str]) -> (TempDir, TlsFiles) {
        let directory = tempfile::tempdir().unwrap();
        let files = Authority::new().issue_into(directory.path(), names);
        (directory, TlsFiles { certificate: files.certificate, key: files.key })
    }

    /// The message with the files' names left out.
    fn refusal(files: &TlsFiles) -> String {
        let error = format!("{:#}", server(files).unwrap_err());
        error.replace(&files.certificate.display().to_string(), "CERT").replace(&files.key.display().to_string(), "KEY")
    }

    #[test]
    fn a_certificate_and_its_key_are_taken() {
        let (_directory, files) = issued(&["127.0.0.1"]);
        assert!(server(&files).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_with_its_file() {
        let place = "certificate (--server-tls-cert) CERT";
        for (content, reason) in [
            ("", "there is no certificate in it; expected PEM, BEGIN CERTIFICATE"),
            ("no PEM", "there is no certificate in it; expected PEM, BEGIN CERTIFICATE"),
            ("-----BEGIN CERTIFICATE-----\n§\n-----END CERTIFICATE-----\n", "it is not PEM"),
            (&"x".repeat(1 << 21), "it has more than 1048576 bytes"),
        ] {
            let (_directory, files) = issued(&["127.0.0.1"]);
            fs::write(&files.certificate, content).unwrap();
            let message = refusal(&files);
            assert!(message.starts_with(&format!("{place}: {reason}")), "{message}");
        }
        let (directory, mut files) = issued(&["127.0.0.1"]);
        fs::remove_file(&files.certificate).unwrap();
        assert_eq!(refusal(&files), format!("{place}: No such file or directory (os error 2)"));
        files.certificate = directory.path().to_owned();
        assert!(refusal(&files).ends_with("it is not a regular file"));
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said_with_its_file_and_without_the_key() {
        let (_directory, other) = issued(&["127.0.0.1"]);
        let others = fs::read_to_string(&other.key).unwrap();
        let secret = others.lines().nth(1).unwrap().to_owned();
        for (content, reason) in [
            (String::new(), "there is no private key in it; expected PEM with PKCS#8, PKCS#1 (RSA) or SEC1 (EC)"),
            (others.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "the key is encrypted"),
            (others.replace("MIG", "AAA"), "unknown kind of key"),
            (others, "it does not belong to the certificate CERT"),
        ] {
            let (_directory, files) = issued(&["127.0.0.1"]);
            fs::write(&files.key, content).unwrap();
            let message = refusal(&files);
            let place = "private key (--server-tls-key) KEY";
            assert!(message.starts_with(&format!("{place}: {reason}")), "{message}");
            assert!(!message.contains(&secret), "{message}");
        }
    }

    #[test]
    fn authorities_that_cannot_be_read_are_named() {
        let config = CallingConfig { ca: Some("/nowhere/ca.pem".into()), ..CallingConfig::default() };
        let message = format!("{:#}", to_servers(&config).unwrap_err());
        assert_eq!(
            message,
            "authorities (--tls-ca, --server-tls-ca) /nowhere/ca.pem: No such file or directory (os error 2)"
        );
        assert!(to_servers(&CallingConfig::default()).unwrap().tls.is_none(), "without them it is plain HTTP");
    }

    #[test]
    fn a_renewed_certificate_is_used_and_one_that_cannot_be_is_not() {
        let (directory, files) = issued(&["127.0.0.1"]);
        let renewing = Renewing::read(&files, Duration::ZERO).unwrap();
        let first = renewing.current();
        assert!(Arc::ptr_eq(&first, &renewing.current()), "nothing has changed");

        // Each write gets a distinct time, whatever the resolution of the file system's clock.
        let at = |path: &Path, seconds| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        };
        let (certificate, key) = Authority::new().issue(&["127.0.0.1"]);
        fs::write(&files.certificate, certificate).unwrap();
        at(&files.certificate, 1);
        assert!(Arc::ptr_eq(&first, &renewing.current()), "its key is still the old one");
        fs::write(&files.key, key).unwrap();
        at(&files.key, 2);
        let second = renewing.current();
        assert!(!Arc::ptr_eq(&first, &second));
        drop(directory);
        assert!(Arc::ptr_eq(&second, &renewing.current()), "files that are gone change nothing");
    }

    #[test]
    fn a_server_that_was_just_asked_does_not_look_again() {
        let (_directory, files) = issued(&["127.0.0.1"]);
        let renewing = Renewing::read(&files, LOOK_AGAIN).unwrap();
        let first = renewing.current();
        Authority::new().issue_into(files.key.parent().unwrap(), &["127.0.0.1"]);
        assert!(Arc::ptr_eq(&first, &renewing.current()));
    }
}
