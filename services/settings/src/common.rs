//! The settings that more than one command has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::ConfigError;
use crate::hosts;
use crate::secrecy::Secret;
use crate::sources::Sources;
use crate::values::{self, HostPort, LogLevel, OutputFormat, SslMode};

/// What every command has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonConfig {
    /// The configuration file that was read, if any.
    pub file: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// How much.
    pub level: LogLevel,
    /// What is logged besides, in the syntax of tracing.
    pub filter: Option<String>,
    /// In which form.
    pub format: OutputFormat,
}

/// Where the metrics are offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Where `/metrics` listens.
    pub listen: HostPort,
}

/// Where the measurements go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// The database.
    pub target: DatabaseTarget,
    /// How long to wait at the start for a database that cannot be reached.
    pub wait: Duration,
}

/// How to find the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseTarget {
    /// `sqlite:PATH` or `postgres://…`, which may hold a password.
    Url(Secret),
    /// PostgreSQL, in the original's parts.
    Parts(DatabaseParts),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseParts {
    /// Host name, address without brackets, or the directory of a Unix socket; several, separated by commas.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of the database.
    pub name: String,
    /// User.
    pub user: String,
    /// Password, given directly or in a file.
    pub password: Secret,
    /// TLS.
    pub ssl_mode: SslMode,
    /// The authorities of its certificate; `None` are those of the system.
    pub ssl_root_cert: Option<PathBuf>,
}

impl CommonConfig {
    /// Reads what every command needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources) -> Result<Self, ConfigError> {
        let level = from.required("log.level", LogLevel::read)?;
        let debug = from.required("log.debug", values::switch)?;
        let level = if debug { level.max(LogLevel::Debug) } else { level };
        let format = from.required("log.format", OutputFormat::read)?;
        Ok(Self {
            file: from.file().map(Path::to_owned),
            log: LogConfig { level, filter: from.optional("log.filter", values::log_filter)?, format },
        })
    }
}

impl TelemetryConfig {
    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let host = from.required("telemetry.host", values::host)?;
        let port = from.required("telemetry.port", values::within(0..=u16::MAX))?;
        Ok(Self { listen: HostPort { host, port } })
    }
}

impl DatabaseConfig {
    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let target = match from.optional("database.url", values::database_url)? {
            Some(url) => DatabaseTarget::Url(url),
            None => DatabaseTarget::Parts(DatabaseParts::read(from)?),
        };
        Ok(Self { target, wait: from.required("database.wait", values::duration)? })
    }
}

impl DatabaseParts {
    fn read(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            host: from.required("database.host", hosts::database_hosts)?,
            port: from.required("database.port", values::within(1..=u16::MAX))?,
            name: from.required("database.name", hosts::name_in_database)?,
            user: from.required("database.user", hosts::name_in_database)?,
            password: from.secret("database.password", |text| Ok(Secret::new(text)))?.unwrap_or_default(),
            ssl_mode: from.required("database.sslmode", SslMode::read)?,
            ssl_root_cert: from.optional("database.sslrootcert", values::text)?.map(PathBuf::from),
        })
    }
}
