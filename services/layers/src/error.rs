//! What can be wrong with a configuration, in words that name the place, the value and the remedy.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::key::Key;

/// Where a value came from, later ones winning over earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub fn rank(&self) -> u8 {
        match self {
            Self::Default(_) => 0,
            Self::File(..) => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) | Self::Argument(_) => 3,
        }
    }

    /// The kind of the place, and the name in it as one would write it.
    pub fn place(&self) -> (&'static str, String) {
        match self {
            Self::Default(_) => ("default", String::new()),
            Self::File(path, _) => ("file", path.display().to_string()),
            Self::Variable(name) => ("variable", (*name).to_owned()),
            Self::Flag(name) => ("flag", format!("--{name}")),
            Self::Argument(name) => ("argument", (*name).to_owned()),
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
    /// A value (secrets blanked) that does not fit the setting in this place, and what would be right.
    #[error("{0}: cannot use `{1}`: {2}")]
    Value(Origin, String, String),
    /// A setting that has no default and was not given.
    #[error("no {} given: set --{}, {} or `{}` in the configuration file", .0.placeholder, .0.flag, .0.variable, .0.name)]
    Missing(&'static Key),
    /// Two settings that exclude each other, in the same place, or in places of which none may silently win.
    #[error("{0} and {1} are both set; set only one of them")]
    Both(Origin, Origin),
    /// A setting that was made, and one without which it means nothing.
    #[error("{0} is set, and --{flag} is not; set both or neither", flag = .1.flag)]
    Alone(Origin, &'static Key),
    /// A setting that was made, and one that it needs, which means something without it.
    #[error("{0} needs --{flag}, which is not set", flag = .1.flag)]
    Needs(Origin, &'static Key),
    /// A key of the configuration file that no setting has, and a guess what was meant.
    #[error("configuration file {path}: unknown key `{1}`{2}", path = .0.display())]
    UnknownKey(PathBuf, String, String),
    /// A file, named in this place, that cannot be read, or not understood; and why.
    #[error("{0}: cannot read {path}: {2}", path = .1.display())]
    File(Origin, PathBuf, String),
}
