//! The settings that more than one command has.

use std::path::PathBuf;
use std::time::Duration;

use parsec_api::place::HostPort;
use parsec_layers::{Secrecy, Secret, Variables, set};
use parsec_store::{ParseStoreUrlError, Password, SpoolLimits, SslMode, StoreConfig};
use thiserror::Error;

use crate::access::host;
use crate::declare::settings;
use crate::hosts::{database_hosts, name_in_database};
use crate::values::{self, LogLevel, OutputFormat, Reading, Value, within};

settings! {
    /// What every command has.
    CommonConfig(from) = "General" global;
    file: Option<PathBuf> = ("config", "config", "FILE"), "Configuration file, .toml or .yaml";
    debug: bool = ("log.debug", "debug", "BOOL").variable("PARSEC_DEBUG"), "Log at level 5 at least";
    level: LogLevel = ("log.level", "log-level", "LEVEL").default("4") by log_level,
        "How much to log, by name or by number: 0 to 2 errors only, 3 warnings, 4 info, 5 debug, 6 trace";
    filter: Option<String> = ("log.filter", "log-filter", "DIRECTIVES") by log_filter,
        "What to log besides, also of libraries: TARGET=LEVEL,… in tracing's syntax, such as libp2p_kad=debug";
    format: OutputFormat = ("log.format", "log-format", "FORMAT").default("text"), "How log lines are written";
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

impl CommonConfig {
    /// What is logged: the more talkative of both settings counts.
    pub fn log(&self) -> LogConfig {
        let level = if self.debug { self.level.max(LogLevel::Debug) } else { self.level };
        LogConfig { level, filter: self.filter.clone(), format: self.format }
    }
}

fn log_level(text: &str) -> Reading<LogLevel> {
    let expected = "expected error, warn, info, debug or trace, or a number from 0 (panic) over 2 (error) and 4 (info) to 6 (trace)";
    LogLevel::read(text).map_err(|_| expected.to_owned())
}

fn log_filter(text: &str) -> Reading<String> {
    let bad = |error| {
        format!("{error}; expected directives such as libp2p_kad=debug,libp2p_swarm=trace, separated by commas")
    };
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(bad)
}

settings! {
    /// Where the metrics are offered.
    TelemetryConfig(from) = "Telemetry" global;
    host: String = ("telemetry.host", "telemetry-host", "HOST").default("localhost") by host,
        "Address of /metrics, for Prometheus, and /status";
    port: u16 = ("telemetry.port", "telemetry-port", "PORT").default("6666"), "Port of /metrics and /status; 0 takes a free one";
    => listen: HostPort = HostPort { host: host.clone(), port }, "Where `/metrics` listens";
}

settings! {
    /// How a process that runs unattended ends.
    StopConfig(from) = "Stopping" global;
    timeout: Duration = ("stop.timeout", "stop-timeout", "DURATION").default("30s"),
        "How long a stop may take in all; the process then ends, and names what it could not finish";
}

settings! {
    /// Whether anything is stored.
    RecordingConfig(from) = "Recording" global;
    dry_run: bool = ("dry_run", "dry-run", "BOOL").variable("PARSEC_SCHEDULE_DRY_RUN"), "Measure, but store nothing";
}

settings! {
    /// Where the measurements go: to the database of a URL, or to PostgreSQL, in the original's parts.
    DatabaseConfig(from) = "Database" global;
    url: Option<Secret> = ("database.url", "database-url", "URL").secrecy(Secrecy::SecretInUrl) by database_url,
        "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME; used instead of the separate settings";
    host: String = ("database.host", "db-host", "HOST").default("localhost").unless("database.url") by database_hosts,
        "Host of the PostgreSQL server, or the directory of its socket; several, separated by commas: the first that can be written to is used";
    port: u16 = ("database.port", "db-port", "PORT").default("5432").unless("database.url") by within(1..=u16::MAX),
        "Port of the PostgreSQL server";
    name: String = ("database.name", "db-name", "NAME").default("parsec").unless("database.url") by name_in_database, "Name of the database";
    password: Secret = ("database.password", "db-password", "PASSWORD").default("password").unless("database.url")
        .secrecy(Secrecy::Secret).rivals(&["database.password_file"]), "Password for the database";
    password_file: Option<PathBuf> = ("database.password_file", "db-password-file", "FILE").unless("database.url")
        .rivals(&["database.password"]), "File that holds the password, instead of the password itself";
    user: String = ("database.user", "db-user", "USER").default("parsec").unless("database.url") by name_in_database, "User of the database";
    ssl_mode: SslMode = ("database.sslmode", "db-sslmode", "MODE").variable("PARSEC_DATABASE_SSL_MODE").default("disable")
        .unless("database.url"), "TLS to the database";
    ssl_root_cert: Option<PathBuf> = ("database.sslrootcert", "db-sslrootcert", "FILE").unless("database.url"),
        "Authorities, as PEM, that the certificate of the database has to come from; those of the system if it is `system` or not given";
    wait: Option<Duration> = ("database.wait", "database-wait", "DURATION") by values::duration,
        "How long to wait at the start for a database that cannot be reached; without it 1m for what runs on or writes, and not at all for a question";
}

/// A URL of a database that cannot be read.
#[derive(Debug, Error)]
#[error("database URL: {0}")]
pub struct WrongDatabaseUrl(ParseStoreUrlError);

/// How long what runs on waits for its database unless told otherwise: as long as one takes that is started at the same time.
const STARTING: Duration = Duration::from_secs(60);

impl DatabaseConfig {
    /// How long to wait at the start where something then runs on, or brings the database up to date.
    pub fn wait_to_run(&self) -> Duration {
        self.wait.unwrap_or(STARTING)
    }

    /// How long to wait where somebody asks, who would rather know at once.
    pub fn wait_to_ask(&self) -> Duration {
        self.wait.unwrap_or_default()
    }

    /// In the types of the store.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn target(&self) -> Result<StoreConfig, WrongDatabaseUrl> {
        match &self.url {
            Some(url) => url.expose().parse().map_err(WrongDatabaseUrl),
            None => Ok(StoreConfig::Postgres {
                host: self.host.clone(),
                port: self.port,
                name: self.name.clone(),
                user: self.user.clone(),
                password: Password::from(self.password.expose().to_owned()),
                ssl: self.ssl_mode,
                root_cert: self.ssl_root_cert.clone(),
            }),
        }
    }
}

pub(crate) fn database_url(text: &str) -> Reading<Secret> {
    let rest = ["sqlite:", "postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(Secret::new(text)),
        _ => Err("expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned()),
    }
}

settings! {
    /// Where rows wait while the database is away.
    SpoolConfig(from) = "Spool" global;
    given: Option<PathBuf> = ("spool.dir", "spool-dir", "DIR").found(spool_directory),
        "Where rows wait on disk while the database is away; none keeps them in memory only; \
         $XDG_STATE_HOME/parsec/spool or ~/.local/state/parsec/spool if not given";
    => directory: Option<PathBuf> = given.clone().filter(|given| *given != *"none"), "The spool directory; `None` keeps them in memory only";
}

/// Where the spool is if nobody says so: where the XDG Base Directory Specification has state that is to outlive the
/// process. As it demands, a path that is not absolute counts as none.
fn spool_directory(variables: &Variables) -> Option<String> {
    let absolute = |name| set(variables, name)?.to_str().filter(|path| path.starts_with('/'));
    let absolute = |name| absolute(name).map(|path| path.trim_end_matches('/'));
    let state = absolute("XDG_STATE_HOME").map(str::to_owned);
    let state = state.or_else(|| absolute("HOME").map(|home| format!("{home}/.local/state")));
    state.map(|state| format!("{state}/parsec/spool"))
}

settings! {
    /// How much may wait, and for how long.
    SpoolLimitsConfig(from) = "Spool limits" global;
    size: Bytes = ("spool.size", "spool-size", "SIZE").default("1GiB"),
        "How much disk space waiting rows may take, such as 512MiB; at least 16MiB";
    age: Duration = ("spool.age", "spool-age", "DURATION").default("720h") by age,
        "How long a row may wait; older rows are dropped and counted";
    durable: bool = ("spool.durable", "spool-durable", "BOOL").default("true"),
        "Whether the spool directory outlives the process; with false (an emptyDir, the storage of an ECS task) a stop \
         writes rows until --stop-timeout, and exits with 75 if some are left";
    => limits: SpoolLimits = SpoolLimits { bytes: size.0, age }, "Size and age";
}

/// The least that a spool may take: two of the files that it consists of.
const LEAST_BYTES: u64 = 16 << 20;

/// What sizes are written with, each with its bytes.
const UNITS: [(&str, u64); 5] = [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// An amount of disk space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Value for Bytes {
    fn read(text: &str) -> Reading<Self> {
        size(text).map(Self)
    }
}

fn size(text: &str) -> Reading<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = UNITS.into_iter().find(|(name, _)| *name == unit);
    let bytes = number.parse::<u64>().ok().zip(unit).and_then(|(number, (_, bytes))| number.checked_mul(bytes));
    let bytes = bytes.filter(|bytes| *bytes >= LEAST_BYTES);
    bytes.ok_or_else(|| "expected a size such as 512MiB or 1GiB, at least 16MiB".to_owned())
}

/// Ages are kept in seconds.
fn age(text: &str) -> Reading<Duration> {
    let age = values::duration(text)?;
    let least = "expected a duration of at least 1s, such as 720h";
    if age < Duration::from_secs(1) { Err(least.to_owned()) } else { Ok(age) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{run, server};

    #[test]
    fn the_spool_is_where_state_is_kept_unless_one_says_otherwise() {
        let directory = |line: &str, environment: &[(&str, &str)]| server(line, environment).spool.directory;
        let home = ("HOME", "/home/ann");
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(directory("", &[]), None);
        assert_eq!(directory("", &[home]), path("/home/ann/.local/state/parsec/spool"));
        assert_eq!(directory("", &[("HOME", "/")]), path("/.local/state/parsec/spool"));
        assert_eq!(directory("", &[home, ("XDG_STATE_HOME", "/state/")]), path("/state/parsec/spool"));
        assert_eq!(directory("", &[home, ("XDG_STATE_HOME", "state")]), path("/home/ann/.local/state/parsec/spool"));
        assert_eq!(directory("", &[home, ("PARSEC_SPOOL_DIR", "/spool")]), path("/spool"));
        assert_eq!(directory("--spool-dir none", &[home, ("PARSEC_SPOOL_DIR", "/spool")]), None);
    }

    #[test]
    fn what_waits_is_bounded_by_size_and_age() {
        assert_eq!(
            server("", &[]).spool_limits.limits,
            SpoolLimits { bytes: 1 << 30, age: Duration::from_secs(30 * 86_400) }
        );
        let limits = server("--spool-size 16MiB --spool-age 1m", &[]).spool_limits.limits;
        assert_eq!(limits, SpoolLimits { bytes: 16 << 20, age: Duration::from_secs(60) });
        assert_eq!(size("2TiB"), Ok(2 << 40));
        assert_eq!(size("20000000"), Ok(20_000_000));
        for text in ["", "MiB", "1GB", "1 GiB", "-1GiB", "15MiB", "1.5GiB", "99999999999999999999", "99999999TiB"] {
            let message = run("server", &[("PARSEC_SPOOL_SIZE", text)]);
            if text.is_empty() {
                assert!(message.is_ok(), "an empty variable is none");
                continue;
            }
            let expected = format!(
                "error: environment variable PARSEC_SPOOL_SIZE: cannot use `{text}`: expected a size such as 512MiB or 1GiB, at least 16MiB"
            );
            assert_eq!(message.unwrap_err(), expected);
        }
        let message = run("server --spool-age 10ms", &[]).unwrap_err();
        assert_eq!(
            message,
            "error: flag --spool-age: cannot use `10ms`: expected a duration of at least 1s, such as 720h"
        );
    }

    #[test]
    fn a_spool_outlives_the_process_unless_one_says_otherwise() {
        assert!(server("", &[]).spool_limits.durable);
        assert!(!server("--spool-durable=false", &[]).spool_limits.durable);
        assert!(!server("", &[("PARSEC_SPOOL_DURABLE", "false")]).spool_limits.durable);
    }

    #[test]
    fn the_spool_is_looked_after_by_three_subcommands() {
        let message = run("spool burn", &[]).unwrap_err();
        assert!(message.contains("unrecognized subcommand 'burn'"), "{message}");
        let message = run("spool", &[]).unwrap_err();
        assert!(["list", "verify", "replay"].iter().all(|action| message.contains(action)), "{message}");
        for action in ["list", "verify", "replay"] {
            let Ok((crate::programs::Command::Spool(config), _)) =
                run(&format!("spool {action} --spool-dir /spool"), &[])
            else {
                panic!("{action} is understood")
            };
            assert_eq!((config.action.as_str(), config.spool.directory), (action, Some(PathBuf::from("/spool"))));
        }
    }
}
