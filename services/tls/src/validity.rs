//! From when until when a certificate is valid.

use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

/// How long before its end a certificate is about to expire, in seconds: long enough for somebody to see to it.
const SOON: i64 = 7 * 24 * 3600;

/// In seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// What a certificate is at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    NotYet,
    Good,
    Soon,
    Expired,
}

impl Validity {
    /// That of the first certificate of a chain, which is the server's own.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Result<Self, String> {
        let own = chain.first().ok_or("there is no certificate")?;
        let (_, parsed) = parse_x509_certificate(own).map_err(|error| format!("it cannot be read: {error}"))?;
        let validity = parsed.validity();
        Ok(Self { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
    }

    pub(crate) fn age(self, now: i64) -> Age {
        if now < self.not_before {
            Age::NotYet
        } else if now > self.not_after {
            Age::Expired
        } else if self.not_after - now < SOON {
            Age::Soon
        } else {
            Age::Good
        }
    }

    pub(crate) fn from(self) -> String {
        shown(self.not_before)
    }

    pub(crate) fn until(self) -> String {
        shown(self.not_after)
    }
}

fn shown(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).map_or_else(|| format!("{seconds} s after 1970"), |at| at.to_rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_test_support::tls::Authority;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn a_certificate_is_valid_up_to_its_last_second_and_about_to_expire_in_its_last_week() {
        let validity = Validity { not_before: 1_000, not_after: 1_000 + 2 * SOON };
        for (now, age) in [
            (999, Age::NotYet),
            (1_000, Age::Good),
            (1_000 + SOON, Age::Good),
            (1_001 + SOON, Age::Soon),
            (1_000 + 2 * SOON, Age::Soon),
            (1_001 + 2 * SOON, Age::Expired),
        ] {
            assert_eq!(validity.age(now), age, "{now}");
        }
        let short = Validity { not_before: 0, not_after: SOON / 2 };
        assert_eq!(short.age(1), Age::Soon, "one that is renewed every other day");
    }

    #[test]
    fn it_is_read_off_the_first_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let files = Authority::new().issue_until(directory.path(), &["127.0.0.1"], (2000, 1, 1), (2001, 9, 9));
        let own = CertificateDer::from_pem_slice(&std::fs::read(files.certificate).unwrap()).unwrap();
        let validity = Validity::of(&[own, CertificateDer::from(vec![0])]).unwrap();
        assert_eq!((validity.not_before, validity.not_after), (946_684_800, 999_993_600));
        assert_eq!(validity.until(), "2001-09-09T00:00:00+00:00");
        assert!(Validity::of(&[CertificateDer::from(vec![0])]).is_err() && Validity::of(&[]).is_err());
    }
}
