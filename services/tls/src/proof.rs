//! What a server proves with who it is: a certificate and its key, renewed while the server runs.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::Utc;
use parking_lot::Mutex;
use parsec_settings::TlsFiles;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::{error, info, warn};

use crate::files::{TlsError, certificates, private_key, read};
use crate::validity::{Age, Validity};

/// How often, at most, to check whether the certificate was renewed; a handshake may wait for that.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

pub(crate) const CIPHERS: &str = "ring has the ciphers of TLS 1.2 and 1.3";

/// Is told when the certificate expires, in seconds since 1970.
pub type Expires = Arc<dyn Fn(i64) + Send + Sync>;

/// What a server proves with who it is. A renewed certificate is used from the next handshakes on; if it cannot be used,
/// that is logged and the previous one stays in use.
#[derive(Debug, Clone)]
pub struct Proof {
    config: ServerConfig,
    certificate: Arc<Renewing>,
}

impl Proof {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn read(files: &TlsFiles, expires: Expires) -> Result<Self, TlsError> {
        let certificate = Arc::new(Renewing::read(files, LOOK_AGAIN, expires)?);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect(CIPHERS)
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        Ok(Self { config, certificate })
    }

    /// How a server is set up with it.
    pub fn config(&self) -> ServerConfig {
        self.config.clone()
    }

    /// Reads the files again, whether they seem to have changed or not.
    pub fn reload(&self) {
        self.certificate.reload();
    }
}

/// A certificate with its key, read again when the files have changed.
struct Renewing {
    files: TlsFiles,
    look_again: Duration,
    expires: Expires,
    current: Mutex<Current>,
}

struct Current {
    certified: Arc<CertifiedKey>,
    validity: Validity,
    /// What was last logged about it.
    said: Age,
    written: Written,
    looked: Instant,
}

/// What the files hold.
type Certified = (Arc<CertifiedKey>, Validity);

/// When the two files were written last.
type Written = [Option<SystemTime>; 2];

impl Renewing {
    fn read(files: &TlsFiles, look_again: Duration, expires: Expires) -> Result<Self, TlsError> {
        // Read before the files: a change in between is then noticed at the next check.
        let written = written(files);
        let (certified, validity) = certified(files)?;
        let mut current = Current { certified, validity, said: Age::Good, written, looked: Instant::now() };
        current.tell_age(files, &expires);
        Ok(Self { files: files.clone(), look_again, expires, current: Mutex::new(current) })
    }

    fn reload(&self) {
        self.renew(certified);
    }

    /// Reads the files, and only then keeps handshakes waiting.
    fn renew(&self, read: impl FnOnce(&TlsFiles) -> Result<Certified, TlsError>) {
        // As at the start: a change while they are read is noticed at the next check.
        let (written, read) = (written(&self.files), read(&self.files));
        let mut current = self.current.lock();
        (current.looked, current.written) = (Instant::now(), written);
        match read {
            Ok((certified, validity)) => {
                let file = self.files.certificate.display();
                info!(%file, valid_until = %validity.until(), "the renewed certificate is used");
                (current.certified, current.validity, current.said) = (certified, validity, Age::Good);
            }
            Err(error) => warn!(%error, "the certificate stays: the new one cannot be used"),
        }
        current.tell_age(&self.files, &self.expires);
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let known = {
            let mut current = self.current.lock();
            if current.looked.elapsed() < self.look_again {
                return Arc::clone(&current.certified);
            }
            // The handshakes meanwhile go on with what there is.
            current.looked = Instant::now();
            current.written
        };
        if written(&self.files) != known {
            self.renew(certified);
        } else {
            self.current.lock().tell_age(&self.files, &self.expires);
        }
        Arc::clone(&self.current.lock().certified)
    }
}

impl Current {
    /// Logs what is wrong with the age of the certificate, once, and shows when it expires.
    fn tell_age(&mut self, files: &TlsFiles, expires: &Expires) {
        expires(self.validity.not_after);
        let age = self.validity.age(Utc::now().timestamp());
        if age == self.said {
            return;
        }
        self.said = age;
        let (file, until) = (files.certificate.display(), self.validity.until());
        match age {
            Age::Good => {}
            Age::NotYet => {
                let from = self.validity.from();
                warn!(%file, valid_from = %from, "the certificate is not valid yet: whoever checks it refuses this server");
            }
            Age::Soon => warn!(%file, valid_until = %until, "the certificate expires within a week"),
            Age::Expired => error!(
                %file, valid_until = %until, "the certificate has expired: whoever checks it refuses this server"
            ),
        }
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

fn certified(files: &TlsFiles) -> Result<Certified, TlsError> {
    let in_certificate = TlsError::of("certificate (--server-tls-cert)", &files.certificate);
    let in_key = TlsError::of("private key (--server-tls-key)", &files.key);
    let chain = read(&files.certificate).and_then(|pem| certificates(&pem)).map_err(&in_certificate)?;
    let key = read(&files.key).and_then(|pem| private_key(&pem)).map_err(&in_key)?;
    let signing = ring::sign::any_supported_type(&key)
        .map_err(|_| in_key("unknown kind of key; expected RSA, ECDSA on P-256 or P-384, or Ed25519".to_owned()))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            let reason = format!("it does not belong to the certificate {}", files.certificate.display());
            return Err(in_key(reason));
        }
        Err(error) => return Err(in_certificate(error.to_string())),
    }
    let validity = Validity::of(&certified.cert).map_err(in_certificate)?;
    Ok((Arc::new(certified), validity))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;

    use parsec_test_support::tls::Authority;
    use tempfile::TempDir;

    use super::*;

    fn untold() -> Expires {
        Arc::new(|_| {})
    }

    fn issued(names: &[&str]) -> (TempDir, TlsFiles) {
        let directory = tempfile::tempdir().unwrap();
        let files = Authority::new().issue_into(directory.path(), names);
        (directory, TlsFiles { certificate: files.certificate, key: files.key })
    }

    /// The message with the files' names left out.
    fn refusal(files: &TlsFiles) -> String {
        let error = Proof::read(files, untold()).unwrap_err().to_string();
        error.replace(&files.certificate.display().to_string(), "CERT").replace(&files.key.display().to_string(), "KEY")
    }

    #[test]
    fn a_certificate_and_its_key_are_taken() {
        let (_directory, files) = issued(&["127.0.0.1"]);
        assert!(Proof::read(&files, untold()).is_ok());
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
    fn a_renewed_certificate_is_used_and_one_that_cannot_be_is_not() {
        let (directory, files) = issued(&["127.0.0.1"]);
        let renewing = Renewing::read(&files, Duration::ZERO, untold()).unwrap();
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
        let renewing = Renewing::read(&files, LOOK_AGAIN, untold()).unwrap();
        let first = renewing.current();
        Authority::new().issue_into(files.key.parent().unwrap(), &["127.0.0.1"]);
        assert!(Arc::ptr_eq(&first, &renewing.current()));
        renewing.reload();
        assert!(!Arc::ptr_eq(&first, &renewing.current()), "unless it is told to");
    }

    #[test]
    fn no_handshake_waits_while_files_are_read() {
        let (_directory, files) = issued(&["127.0.0.1"]);
        let renewing = Renewing::read(&files, LOOK_AGAIN, untold()).unwrap();
        let first = renewing.current();
        renewing.renew(|files| {
            let during = renewing.current.try_lock().map(|current| Arc::clone(&current.certified));
            assert!(during.is_some_and(|during| Arc::ptr_eq(&first, &during)));
            certified(files)
        });
        assert!(!Arc::ptr_eq(&first, &renewing.current()));
    }

    #[test]
    fn when_a_certificate_expires_is_told_also_of_one_that_has() {
        let directory = tempfile::tempdir().unwrap();
        for (until, seconds) in [((2001, 9, 9), 999_993_600), ((2100, 1, 1), 4_102_444_800_i64)] {
            let files = Authority::new().issue_until(directory.path(), &["127.0.0.1"], (2000, 1, 1), until);
            let told = Arc::new(Mutex::new(None));
            let tell = Arc::clone(&told);
            let expires: Expires = Arc::new(move |at| *tell.lock() = Some(at));
            Proof::read(&TlsFiles { certificate: files.certificate, key: files.key }, expires).unwrap();
            assert_eq!(*told.lock(), Some(seconds));
        }
    }
}
