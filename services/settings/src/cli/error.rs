//! Why a command line leads to nothing that can be run.

use thiserror::Error;

use crate::error::ConfigError;

/// Why there is nothing to run: help was asked for, or something is wrong. Its text is what to print, the last line ended.
#[derive(Debug, Error)]
pub enum CliError {
    /// Help, version, or words that make no command line.
    #[error("{}", .0.render())]
    Usage(#[from] clap::Error),
    /// A setting that cannot be used.
    #[error("error: {0}\n")]
    Config(#[from] ConfigError),
    /// The original measures IPNI indexers too.
    #[error("error: this build measures DHTs only: run `parsec server dht`, or the original's `parsec server ipni`\n")]
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
