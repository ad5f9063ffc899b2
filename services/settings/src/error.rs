//! What can be wrong with a configuration, in words that name the place, the value and the remedy.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::key::Key;
use crate::names::did_you_mean;

/// Where a value came from, later ones winning over earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody set it: the default of the setting with this file key.
    Default(&'static str),
    /// The configuration file and the key in it.
    File(PathBuf, &'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A flag.
    Flag(&'static str),
    /// An argument without a flag.
    Argument(&'static str),
}

impl Origin {
    /// The rank of the place: a value of a higher one wins.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default(_) => 0,
            Self::File(..) => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) | Self::Argument(_) => 3,
        }
    }

    /// The name alone, as one would write it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Default(name) | Self::File(_, name) | Self::Variable(name) | Self::Argument(name) => {
                (*name).to_owned()
            }
            Self::Flag(name) => format!("--{name}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(name) => write!(f, "default of `{name}`"),
            Self::File(path, name) => write!(f, "configuration file {}, key `{name}`", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Argument(name) => write!(f, "argument {name}"),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A value that does not fit its setting.
    #[error("{origin}: cannot use `{value}`: {reason}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The value, secrets blanked.
        value: String,
        /// What would be right.
        reason: String,
    },
    /// A setting that has no default and was not given.
    #[error("no {} given: set --{}, {} or `{}` in the configuration file", .0.placeholder, .0.flag, .0.variable, .0.name)]
    Missing(&'static Key),
    /// Two settings that exclude each other, in the same place.
    #[error("{0} and {1} are both set; set only one of them")]
    Both(Origin, Origin),
    /// One of two settings that mean nothing without each other.
    #[error("{set} is set, and --{} is not; set both or neither", missing.flag)]
    Alone {
        /// The one that was made.
        set: Origin,
        /// The one that was not.
        missing: &'static Key,
    },
    /// A key in the configuration file that no setting has.
    #[error("configuration file {}: unknown key `{key}`{}", path.display(), did_you_mean(*nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as found.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A file that cannot be read, or not understood.
    #[error("{origin}: cannot read {}: {reason}", path.display())]
    File {
        /// Where the path was given.
        origin: Origin,
        /// The path.
        path: PathBuf,
        /// What stood in the way.
        reason: String,
    },
}
