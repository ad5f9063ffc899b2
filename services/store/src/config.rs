//! Which database, and how to reach it: as a value, or as a URL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::RwLock;
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::{Host, Url};

/// PostgreSQL's port, as IANA assigned it.
const DEFAULT_PORT: u16 = 5432;

/// Which database, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// A PostgreSQL server, the one of the original's programs perhaps.
    Postgres {
        /// Its name or address; a path (`/run/postgresql`) is the directory of its Unix socket. Several are separated by commas.
        host: String,
        /// Its port.
        port: u16,
        /// The database on it.
        name: String,
        /// Who we are to it.
        user: String,
        /// Proves it; empty for none.
        password: Password,
        /// Whether to encrypt, and whom to believe.
        ssl: SslMode,
        /// A PEM file with the certificates to believe, read when connecting; `None` stands for those of the system.
        root_cert: Option<PathBuf>,
    },
    /// One file, for one host.
    Sqlite {
        /// The file; it is made if it does not exist.
        path: PathBuf,
    },
}

/// A password, which is never printed. It may be replaced while a store uses it: clones are the same.
#[derive(Clone, Default)]
pub struct Password(Arc<RwLock<String>>);

impl Password {
    /// The password itself, for the one who connects.
    pub(crate) fn reveal(&self) -> String {
        self.0.read().clone()
    }

    /// Sessions that begin from now on use this one.
    pub fn replace(&self, password: String) {
        *self.0.write() = password;
    }
}

impl From<String> for Password {
    fn from(password: String) -> Self {
        Self(Arc::new(RwLock::new(password)))
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.read().is_empty() { "none" } else { "[redacted]" })
    }
}

/// Whether the connection is encrypted, and what the server has to prove: libpq's modes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted only if the server insists.
    Allow,
    /// Encrypted if the server can. libpq's default.
    #[default]
    Prefer,
    /// Encrypted or not at all, whoever the server is. With a root certificate it is `verify-ca`, as in libpq and in
    /// Go's driver.
    Require,
    /// Encrypted, and the server's certificate goes back to one that we believe.
    VerifyCa,
    /// `verify-ca`, and the certificate is for the host that we asked for.
    VerifyFull,
}

/// A name that is none of libpq's modes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown sslmode `{0}`; expected disable, allow, prefer, require, verify-ca or verify-full")]
pub struct UnknownSslMode(pub String);

impl SslMode {
    /// Every mode, from careless to careful.
    pub const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// libpq's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SslMode {
    type Err = UnknownSslMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or_else(|| UnknownSslMode(name.to_owned()))
    }
}

/// A database URL that cannot be used. No variant holds the password, or text that may contain it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseStoreUrlError {
    /// Neither of the two forms.
    #[error("database URL is neither postgres://user:password@host:5432/name nor sqlite:PATH")]
    UnknownForm,
    /// It begins as a PostgreSQL URL and goes on as none.
    #[error(
        "database URL cannot be read: {0} \
         (in a password write `/` as `%2F`, `?` as `%3F`, `@` as `%40` and `#` as `%23`)"
    )]
    Malformed(String),
    /// A part that cannot be guessed.
    #[error("database URL names no {0}; write postgres://user:password@host:5432/name")]
    Missing(&'static str),
    /// A parameter that would be ignored.
    #[error("database URL has the parameter `{0}`; only host, user, sslmode and sslrootcert are known")]
    UnknownParameter(String),
    /// See [`UnknownSslMode`].
    #[error("database URL: {0}")]
    SslMode(#[from] UnknownSslMode),
    /// Each connection would see a database of its own.
    #[error("database URL names no file that lasts; write sqlite:PATH")]
    NoFile,
}

impl FromStr for StoreConfig {
    type Err = ParseStoreUrlError;

    /// Reads `postgres://user:password@host:port/name?sslmode=…&sslrootcert=…` or `sqlite:PATH`.
    /// A socket is written `postgres:///name?user=…&host=DIRECTORY`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" | ":memory:" => Err(ParseStoreUrlError::NoFile),
                path => Ok(Self::Sqlite { path: path.into() }),
            };
        }
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(ParseStoreUrlError::UnknownForm);
        }
        let url = Url::parse(text).map_err(|error| ParseStoreUrlError::Malformed(error.to_string()))?;
        from_postgres_url(&url)
    }
}

fn from_postgres_url(url: &Url) -> Result<StoreConfig, ParseStoreUrlError> {
    // Each of these is how a password looks that was not encoded, and the rest of it must not get into a message.
    let name = url.path().trim_start_matches('/');
    let stray = [
        ("it has a `#`", url.fragment().is_some()),
        ("it has an `@` behind the `?`", url.query().is_some_and(|query| query.contains('@'))),
        ("its database has a `/` or an `@`", name.contains(['/', '@'])),
    ];
    if let Some((reason, _)) = stray.into_iter().find(|(_, found)| *found) {
        return Err(ParseStoreUrlError::Malformed(reason.to_owned()));
    }
    let mut host = match url.host() {
        None => "localhost".to_owned(),
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(host) => decoded("host", &host.to_string())?,
    };
    let mut user = decoded("user", url.username())?;
    let mut ssl = SslMode::default();
    let mut root_cert = None;
    for (key, value) in url.query_pairs() {
        match &*key {
            "host" => host = value.split(',').map(unbracketed).collect::<Vec<_>>().join(","),
            "user" => user = value.into_owned(),
            "sslmode" => ssl = value.parse()?,
            "sslrootcert" => root_cert = Some(PathBuf::from(value.into_owned())),
            _ => return Err(ParseStoreUrlError::UnknownParameter(key.into_owned())),
        }
    }
    let present = |part, text: String| if text.is_empty() { Err(ParseStoreUrlError::Missing(part)) } else { Ok(text) };
    Ok(StoreConfig::Postgres {
        host,
        port: url.port().unwrap_or(DEFAULT_PORT),
        name: present("database", decoded("database", name)?)?,
        user: present("user", user)?,
        password: decoded("password", url.password().unwrap_or_default())?.into(),
        ssl,
        root_cert,
    })
}

/// An IPv6 address without the brackets that it has in URLs.
fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn decoded(part: &str, text: &str) -> Result<String, ParseStoreUrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| ParseStoreUrlError::Malformed(format!("its {part} is not UTF-8")))
}

impl fmt::Display for StoreConfig {
    /// For messages: without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres { host, port, name, user, ssl, .. } => {
                let shown =
                    host.split(',').map(|host| if host.contains(':') { format!("[{host}]") } else { host.to_owned() });
                let host = shown.collect::<Vec<_>>().join(",");
                write!(f, "postgres://{user}@{host}:{port}/{name}?sslmode={ssl}")
            }
            Self::Sqlite { path } => write!(f, "sqlite:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StoreConfig, ParseStoreUrlError> {
        text.parse()
    }

    #[test]
    fn every_part_of_a_url_is_read() {
        let config =
            parse("postgres://ann:p%40ss@db.example:5433/dht?sslmode=verify-full&sslrootcert=%2Fca.pem").unwrap();
        assert_eq!(
            config,
            StoreConfig::Postgres {
                host: "db.example".to_owned(),
                port: 5433,
                name: "dht".to_owned(),
                user: "ann".to_owned(),
                password: "p@ss".to_owned().into(),
                ssl: SslMode::VerifyFull,
                root_cert: Some("/ca.pem".into()),
            }
        );
    }

    #[test]
    fn what_is_left_out_has_libpqs_defaults() {
        for (url, shown) in [
            ("postgresql:///dht?user=ann", "postgres://ann@localhost:5432/dht?sslmode=prefer"),
            ("postgres://ann@[::1]/dht", "postgres://ann@[::1]:5432/dht?sslmode=prefer"),
            ("postgres:///dht?user=ann&host=/run/pg", "postgres://ann@/run/pg:5432/dht?sslmode=prefer"),
            ("postgres:///dht?user=ann&host=[::1]", "postgres://ann@[::1]:5432/dht?sslmode=prefer"),
            ("postgres://ann@a,b:1/dht", "postgres://ann@a,b:1/dht?sslmode=prefer"),
            ("postgres:///dht?user=ann&host=db,::1", "postgres://ann@db,[::1]:5432/dht?sslmode=prefer"),
            ("sqlite:data/parsec.db", "sqlite:data/parsec.db"),
            ("sqlite:///var/lib/parsec.db", "sqlite:/var/lib/parsec.db"),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = parse("postgres://ann:s3cret@db/dht").unwrap();
        let shown = format!("{config} {config:?}");
        assert!(!shown.contains("s3cret") && shown.contains("password: [redacted]"), "{shown}");
    }

    #[test]
    fn a_password_that_is_replaced_is_so_for_all_who_have_it() {
        let password = Password::from("old".to_owned());
        let (same, other) = (password.clone(), Password::from("old".to_owned()));
        assert_eq!(same, other);
        same.replace("new".to_owned());
        assert_eq!((password.reveal(), other.reveal()), ("new".to_owned(), "old".to_owned()));
        assert_ne!(password, other);
    }

    #[test]
    fn a_wrong_url_is_refused_with_what_is_wrong_and_without_its_password() {
        for (url, wrong) in [
            ("mysql://ann:s3cret@db/dht", "neither postgres://"),
            ("s3cret", "neither postgres://"),
            ("postgres://ann:s3cret@db:99999/dht", "invalid port number"),
            ("postgres://ann:s3cret@db/dht#1", "it has a `#`"),
            ("postgres://ann:1?s3cret=s3cret@db/dht", "it has an `@` behind the `?`"),
            ("postgres://ann:1/s3cret@db/dht", "its database has a `/`"),
            ("postgres://ann:s3cret@db", "no database"),
            ("postgres://:s3cret@db/dht", "no user"),
            ("postgres://ann:s3cret@db/dht?sslmode=on", "unknown sslmode `on`; expected disable, allow"),
            ("postgres://ann:s3cret@db/dht?sslcert=x", "parameter `sslcert`"),
            ("sqlite:", "no file"),
            ("sqlite::memory:", "no file"),
        ] {
            let message = parse(url).unwrap_err().to_string();
            assert!(message.contains(wrong) && !message.contains("s3cret"), "{url}: {message}");
        }
    }

    #[test]
    fn every_mode_is_read_back() {
        for mode in SslMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
    }
}
