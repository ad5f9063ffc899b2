//! Servers with the certificates that PostgreSQL's documentation makes (19.9.5, "Creating Certificates").

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use parsec_store::{StoreError, connect};
use parsec_test_support::postgres::Postgres;

use crate::works;

/// The commands of the documentation, and beside them those that make what all modes take.
const MAKE: &str = r#"
set -e
openssl req -new -x509 -days 365 -nodes -text -out self.crt -keyout self.key -subj /CN=localhost
openssl req -new -nodes -text -out root.csr -keyout root.key -subj /CN=root.example
printf '[v3_ca]\nbasicConstraints = critical, CA:TRUE\n' >ca.cnf
openssl x509 -req -in root.csr -text -days 3650 -extfile ca.cnf -extensions v3_ca -signkey root.key -out root.crt
openssl req -new -nodes -text -out v1.csr -keyout v1.key -subj /CN=localhost
openssl x509 -req -in v1.csr -text -days 365 -CA root.crt -CAkey root.key -CAcreateserial -out v1.crt
openssl req -new -nodes -out good.csr -keyout good.key -subj /CN=localhost
printf 'subjectAltName = DNS:localhost\n' >good.cnf
openssl x509 -req -in good.csr -days 365 -CA root.crt -CAkey root.key -CAcreateserial -extfile good.cnf -out good.crt
openssl req -new -nodes -out unnamed.csr -keyout unnamed.key -subj /CN=localhost
printf 'keyUsage = digitalSignature\n' >unnamed.cnf
openssl x509 -req -in unnamed.csr -days 365 -CA root.crt -CAkey root.key -CAcreateserial -extfile unnamed.cnf -out unnamed.crt
"#;

struct Encrypted {
    server: Postgres,
    files: tempfile::TempDir,
}

impl Encrypted {
    async fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let made = Command::new("sh").args(["-c", MAKE]).current_dir(files.path()).output().unwrap();
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        let server = Postgres::start().await;
        Self { server, files }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    async fn presents(&self, name: &str) {
        self.server.encrypt(&self.file(&format!("{name}.crt")), &self.file(&format!("{name}.key"))).await;
    }

    fn url(&self, mode: &str, root: Option<&Path>) -> String {
        let port = self.server.address().port();
        let root = root.map(|file| format!("&sslrootcert={}", file.display())).unwrap_or_default();
        format!("postgres://parsec@localhost:{port}/postgres?sslmode={mode}{root}")
    }

    async fn refusal(&self, mode: &str, root: Option<&Path>) -> String {
        match connect(&self.url(mode, root).parse().unwrap()).await.err() {
            Some(StoreError::Refused(reason)) => reason,
            other => panic!("{mode}: {other:?}"),
        }
    }

    async fn is_encrypted(&self) -> bool {
        let count = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND application_name = 'parsec'";
        let client = self.server.client().await.unwrap();
        client.query_one(count, &[]).await.unwrap().get::<_, i64>(0) > 0
    }
}

/// As libpq does. What they verify nothing of, they need not understand.
#[tokio::test(flavor = "multi_thread")]
async fn modes_that_verify_nothing_take_every_certificate() {
    let encrypted = Encrypted::start().await;
    for certificate in ["self", "v1", "good"] {
        encrypted.presents(certificate).await;
        for mode in ["prefer", "require"] {
            let url = encrypted.url(mode, None);
            works(&url).await;
            let store = connect(&url.parse().unwrap()).await.unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            while !encrypted.is_encrypted().await {
                assert!(Instant::now() < deadline, "{certificate} {mode}: not encrypted");
                store.roster(&[]).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_that_verify_say_what_is_wrong_with_a_certificate_and_what_to_do() {
    let encrypted = Encrypted::start().await;
    let (root, own) = (encrypted.file("root.crt"), encrypted.file("self.crt"));
    for (certificate, believed, mode, words) in [
        ("self", &own, "verify-ca", ["itself an authority (CA:TRUE)", "issue one for the server"]),
        ("v1", &root, "verify-ca", ["X.509 version 1", "version 3 with subjectAltName"]),
        ("v1", &root, "verify-full", ["X.509 version 1", "sslmode=require"]),
        ("unnamed", &root, "verify-full", ["does not name this host", "sslmode=verify-ca"]),
        ("good", &own, "verify-full", ["comes from no authority in sslrootcert", "name the file"]),
        ("self", &own, "require", ["itself an authority (CA:TRUE)", "issue one for the server"]),
    ] {
        encrypted.presents(certificate).await;
        let reason = encrypted.refusal(mode, Some(believed)).await;
        assert!(words.iter().all(|word| reason.contains(word)), "{certificate} {mode}: {reason}");
    }
    encrypted.presents("unnamed").await;
    works(&encrypted.url("verify-ca", Some(&root))).await;
    encrypted.presents("good").await;
    works(&encrypted.url("verify-full", Some(&root))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_the_authorities_is_named_if_it_is_missing_and_system_is_no_file() {
    let encrypted = Encrypted::start().await;
    encrypted.presents("good").await;
    let reason = encrypted.refusal("verify-full", Some(Path::new("/no/such.crt"))).await;
    assert!(reason.contains("sslrootcert /no/such.crt: ") && reason.contains("No such file"), "{reason}");
    // Whether the system has any authorities: this server comes from none of them.
    let reason = encrypted.refusal("verify-full", Some(Path::new("system"))).await;
    assert!(reason.contains("no authority") || reason.contains("the system has no root certificates"), "{reason}");
}
