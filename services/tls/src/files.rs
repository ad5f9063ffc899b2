//! The files with certificates and keys.

use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use parsec_api::token::ApiToken;
use parsec_settings::{not_a_pipe, secret_again};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// The largest file that is read: the authorities of a whole system have 250 kB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// That a file with certificates, keys or a token cannot be used, or the machine's authorities.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file: which, and what is wrong with it.
    #[error("{file}: {reason}")]
    File {
        /// What it is for, and where it is.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nobody to believe.
    #[error("the system knows no authorities for certificates; name a file in --tls-ca")]
    NoAuthorities,
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

impl TlsError {
    /// What is wrong with the file at this path.
    pub(crate) fn of(what: &str, path: &Path) -> impl Fn(String) -> Self {
        let file = format!("{what} {}", path.display());
        move |reason| Self::File { file: file.clone(), reason }
    }
}

/// The whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| error.to_string();
    not_a_pipe(path)?;
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it has more than {MAX_FILE_BYTES} bytes"));
    }
    Ok(bytes)
}

/// Reads a token again from its file, as it was read at the start. A pipe from which it came then has nothing more.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub fn token_in(file: &Path) -> Result<ApiToken, TlsError> {
    let wrong = TlsError::of("token (--api-token-file)", file);
    let text = secret_again(file).map_err(&wrong)?;
    ApiToken::new(&text).map_err(|error| wrong(error.to_string()))
}

/// The certificates in it, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match found.map_err(no_pem)? {
        none if none.is_empty() => Err("there is no certificate in it; expected PEM, BEGIN CERTIFICATE".to_owned()),
        some => Ok(some),
    }
}

fn no_pem(error: impl Display) -> String {
    format!("it is not PEM: {error}")
}

/// The key in it. Errors about a key never quote it.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if String::from_utf8_lossy(pem).contains("ENCRYPTED") {
        return Err("the key is encrypted; expected a key without a password".to_owned());
    }
    let none = "there is no private key in it; expected PEM with PKCS#8, PKCS#1 (RSA) or SEC1 (EC)";
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| none.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_again_by_the_rules_of_the_start() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let good = "0123456789abcdef0123456789abcdef";
        let place = format!("token (--api-token-file) {}: ", file.path().display());
        for (content, reason) in [
            (format!("{good}\r\n"), None),
            ("\n".to_owned(), Some("it is empty; expected a secret in it")),
            ("x".repeat(4_097), Some("it has more than 4096 bytes")),
            ("x".to_owned(), Some("it has 1 characters; expected at least 22, such as `openssl rand -hex 32` prints")),
        ] {
            std::fs::write(file.path(), content).unwrap();
            let refused = token_in(file.path()).err().map(|error| error.to_string());
            assert_eq!(refused, reason.map(|reason| format!("{place}{reason}")));
        }
        assert!(token_in(Path::new("/dev")).unwrap_err().to_string().ends_with("it is not a regular file"));
    }
}
