//! Why a command line leads to nothing that can be run.

use std::fmt;

use crate::error::ConfigError;

/// Why there is nothing to run: help was asked for, or something is wrong.
#[derive(Debug)]
pub enum CliError {
    /// Help, version, or words that make no command line.
    Usage(clap::Error),
    /// A setting that cannot be used.
    Config(ConfigError),
    /// The original measures IPNI indexers too.
    DhtOnly,
}

impl CliError {
    /// The status to exit with: 0 if help or version were asked for, else 2.
    pub fn exit_code(&self) -> u8 {
        if self.is_failure() { 2 } else { 0 }
    }

    /// Whether something is wrong, so that the text belongs on standard error.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Usage(error) => error.use_stderr(),
            Self::Config(_) | Self::DhtOnly => true,
        }
    }
}

impl fmt::Display for CliError {
    /// The text to print, in lines, the last one ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.render().fmt(f),
            Self::Config(error) => writeln!(f, "error: {error}"),
            Self::DhtOnly => writeln!(
                f,
                "error: this build measures DHTs only: run `parsec server dht`, or the original's `parsec server ipni`"
            ),
        }
    }
}

impl std::error::Error for CliError {}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
