//! TLS to PostgreSQL: libpq's modes for rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::{SslMode, StoreError};

/// How the server's certificate is looked at in a mode.
///
/// The provider of cryptography is named because two are in the program (libp2p brings another one), and rustls does
/// not choose between them.
///
/// # Errors
/// [`StoreError::Refused`] if certificates are to be verified and there are none to believe.
pub(super) fn client_config(ssl: SslMode, root_cert: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let chain = match ssl {
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => None,
        SslMode::Require if root_cert.is_none() => None,
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
            let roots = roots(root_cert)?;
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
            Some(verifier.map_err(|error| StoreError::Refused(format!("root certificates: {error}")))?)
        }
    };
    let verifier = Verifier { chain, name_matters: ssl == SslMode::VerifyFull, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3");
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// libpq's name for the authorities of the system.
const SYSTEM: &str = "system";

/// The certificates of the file, or of the system.
fn roots(file: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file.filter(|file| *file != Path::new(SYSTEM)) else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(StoreError::Refused(
                "the system has no root certificates; name a file in sslrootcert".to_owned(),
            ));
        }
        return Ok(roots);
    };
    let refused = |reason: String| StoreError::Refused(format!("sslrootcert {}: {reason}", file.display()));
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))? {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() { Err(refused("holds no certificate in PEM form".to_owned())) } else { Ok(roots) }
}

/// What is wrong with the certificate of a server, and what to do, where rustls says it in words of its own. PostgreSQL's
/// documentation makes such certificates, and its own clients take them.
pub(super) fn advice(error: &Error) -> Option<&'static str> {
    let Error::InvalidCertificate(error) = error else { return None };
    Some(match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate comes from no authority in sslrootcert; name the file with the one that signed it"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate does not name this host in its subjectAltName, and the common name does not count; issue it \
             with subjectAltName=DNS:HOST, or use sslmode=verify-ca"
        }
        CertificateError::Other(OtherError(other)) => match other.to_string().as_str() {
            "CaUsedAsEndEntity" => {
                "the server's certificate is itself an authority (CA:TRUE), as `openssl req -x509` makes them; issue one for the \
                 server that is none, or use sslmode=require, which encrypts and does not verify"
            }
            "UnsupportedCertVersion" => {
                "the server's certificate is X.509 version 1, as `openssl x509 -req` without -extfile makes them; issue one of \
                 version 3 with subjectAltName=DNS:HOST, or use sslmode=require, which encrypts and does not verify"
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// Looks at a certificate as much as the mode asks for.
#[derive(Debug)]
struct Verifier {
    /// `None` believes everybody: the connection is encrypted, and that is all. Whether a certificate that proves nothing was
    /// signed with is not looked at either: for that rustls would have to read it, and it does not read all that libpq takes.
    chain: Option<Arc<WebPkiServerVerifier>>,
    name_matters: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: everything before it was in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name_matters => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.chain.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.chain.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_certificate_that_cannot_be_used_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (path, reason) in [(Path::new("/no/such.pem"), "No such file"), (file.path(), "no certificate in PEM form")]
        {
            let message = client_config(SslMode::VerifyFull, Some(path)).unwrap_err().to_string();
            assert!(message.contains(&path.display().to_string()) && message.contains(reason), "{message}");
        }
    }

    #[test]
    fn the_authorities_of_the_system_have_libpqs_name() {
        let message =
            |file| client_config(SslMode::VerifyFull, Some(Path::new(file))).map(drop).unwrap_err().to_string();
        assert!(message("./system").contains("./system"), "a file of that name has a path");
        // Whether there are any depends on the machine.
        if let Err(error) = client_config(SslMode::VerifyFull, Some(Path::new(SYSTEM))) {
            assert!(error.to_string().contains("the system has no root certificates"), "{error}");
        }
    }

    #[test]
    fn a_mode_that_verifies_nothing_reads_no_file() {
        assert!(client_config(SslMode::Prefer, Some(Path::new("/no/such.pem"))).is_ok());
    }
}
