//! What is declared of a setting, and which commands there are.

use crate::secrecy::{BLANK, mask_stray, mask_url};
use crate::values::{self, Reading};

/// A subcommand of the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `parsec server`.
    Server,
    /// `parsec scheduler`.
    Scheduler,
    /// `parsec health`.
    Health,
    /// `parsec provide`.
    Provide,
    /// `parsec retrieve`.
    Retrieve,
    /// `parsec trace`.
    Trace,
    /// `parsec migrate`.
    Migrate,
    /// `parsec spool`.
    Spool,
    /// `parsec conformance`.
    Conformance,
    /// `parsec bench`.
    Bench,
    /// `parsec demo`.
    Demo,
    /// `parsec network`.
    Network,
    /// `parsec config`.
    Config,
    /// `parsec completions`.
    Completions,
}

impl Program {
    /// Every subcommand, in the order of the help.
    pub const ALL: [Self; 14] = [
        Self::Demo,
        Self::Server,
        Self::Scheduler,
        Self::Health,
        Self::Provide,
        Self::Retrieve,
        Self::Trace,
        Self::Migrate,
        Self::Spool,
        Self::Conformance,
        Self::Bench,
        Self::Network,
        Self::Config,
        Self::Completions,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Scheduler => "scheduler",
            Self::Health => "health",
            Self::Provide => "provide",
            Self::Retrieve => "retrieve",
            Self::Trace => "trace",
            Self::Migrate => "migrate",
            Self::Spool => "spool",
            Self::Conformance => "conformance",
            Self::Bench => "bench",
            Self::Demo => "demo",
            Self::Network => "network",
            Self::Config => "config",
            Self::Completions => "completions",
        }
    }
}

/// How a value is written on the command line and in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; in a file it stands in quotes, so that `0123` keeps its zero and `no` stays a word.
    Text,
    /// A whole number.
    Number,
    /// A number with a decimal point.
    Decimal,
    /// True or false; as a flag it needs no value.
    Switch,
    /// Several texts: separated by commas, as a flag also by repeating it, in a file also as an array.
    List,
}

impl Kind {
    /// Its name in the machine-readable table.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Decimal => "decimal",
            Self::Switch => "switch",
            Self::List => "list",
        }
    }
}

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// All of it, but a password that somebody wrote into it.
    Open,
    /// Nothing.
    Secret,
    /// A URL, all but the password in it.
    SecretInUrl,
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its path in a configuration file.
    pub name: &'static str,
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// Names that the flag had in earlier generations, still read.
    pub older_flags: &'static [&'static str],
    /// Its current environment variable.
    pub variable: &'static str,
    /// Names that the variable had in earlier generations, still read.
    pub older_variables: &'static [&'static str],
    /// How it is written.
    pub kind: Kind,
    /// What stands for the value in the help.
    pub placeholder: &'static str,
    /// What it means.
    pub help: &'static str,
    /// What it is when nobody sets it, as one would write it.
    pub default: Option<&'static str>,
    /// How much of its value may be shown.
    pub secrecy: Secrecy,
    /// Why it has no effect, if it is read for the sake of existing deployments alone.
    pub idle: Option<&'static str>,
    /// How its value is read then: a text that is the same for values that mean the same, or what would have been right.
    pub(super) idle_reader: fn(&str) -> Reading<String>,
}

/// Settings that belong together, with the programs that use them.
#[derive(Debug)]
pub(crate) struct Section {
    /// The heading in the help and in `docs/configuration.md`.
    pub heading: &'static str,
    /// Whether the flags may also stand before the subcommand.
    pub global: bool,
    /// Who has a use for these settings.
    pub used_by: &'static [Program],
    /// The settings.
    pub keys: &'static [Key],
}

impl Key {
    const fn new(
        kind: Kind,
        name: &'static str,
        flag: &'static str,
        variable: &'static str,
        placeholder: &'static str,
    ) -> Self {
        Self {
            name,
            flag,
            older_flags: &[],
            variable,
            older_variables: &[],
            kind,
            placeholder,
            help: "",
            default: None,
            secrecy: Secrecy::Open,
            idle: None,
            idle_reader: values::any_text,
        }
    }

    pub(super) const fn text(
        name: &'static str,
        flag: &'static str,
        variable: &'static str,
        placeholder: &'static str,
    ) -> Self {
        Self::new(Kind::Text, name, flag, variable, placeholder)
    }

    pub(super) const fn number(
        name: &'static str,
        flag: &'static str,
        variable: &'static str,
        placeholder: &'static str,
    ) -> Self {
        Self::new(Kind::Number, name, flag, variable, placeholder)
    }

    pub(super) const fn decimal(
        name: &'static str,
        flag: &'static str,
        variable: &'static str,
        placeholder: &'static str,
    ) -> Self {
        Self::new(Kind::Decimal, name, flag, variable, placeholder)
    }

    pub(super) const fn list(
        name: &'static str,
        flag: &'static str,
        variable: &'static str,
        placeholder: &'static str,
    ) -> Self {
        Self::new(Kind::List, name, flag, variable, placeholder)
    }

    pub(super) const fn switch(
        name: &'static str,
        flag: &'static str,
        variable: &'static str,
        placeholder: &'static str,
    ) -> Self {
        Self::new(Kind::Switch, name, flag, variable, placeholder).default("false")
    }

    /// Sets the environment variable to one that the rule does not make.
    pub(super) const fn variable(self, variable: &'static str) -> Self {
        Self { variable, ..self }
    }

    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    pub(super) const fn older(self, older_variables: &'static [&'static str]) -> Self {
        Self { older_variables, ..self }
    }

    pub(super) const fn older_flags(self, older_flags: &'static [&'static str]) -> Self {
        Self { older_flags, ..self }
    }

    pub(super) const fn idle(self, reason: &'static str, idle_reader: fn(&str) -> Reading<String>) -> Self {
        Self { idle: Some(reason), idle_reader, ..self }
    }

    pub(super) const fn secrecy(self, secrecy: Secrecy) -> Self {
        Self { secrecy, ..self }
    }

    pub(super) const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// Every environment variable that sets this, the current name first.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.variable).chain(self.older_variables.iter().copied())
    }

    /// Every flag that sets this, without the dashes, the current name first.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.flag).chain(self.older_flags.iter().copied())
    }

    /// What it means, and why it has no effect if it has none.
    pub fn meaning(&self) -> String {
        match self.idle {
            Some(reason) => format!("{}; no effect: {reason}", self.help),
            None => self.help.to_owned(),
        }
    }

    /// `value` as it may be shown.
    pub fn shown(&self, value: &str) -> String {
        match self.secrecy {
            Secrecy::Open => mask_stray(value),
            Secrecy::Secret => BLANK.to_owned(),
            Secrecy::SecretInUrl => mask_url(value).unwrap_or_else(|| BLANK.to_owned()),
        }
    }
}

// `Key` is a row of a constant table: two are the same row exactly if they have the same name.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}

/// The path of the configuration file, the one setting that cannot stand in it.
pub(super) const CONFIG: &str = "config";

/// The directory of the spool, the one setting whose default depends on the environment.
pub(super) const SPOOL_DIR: &str = "spool.dir";

/// Each setting with a secret, and the one with a file that holds it.
pub(super) const SECRETS: [(&str, &str); 4] = [
    ("database.password", "database.password_file"),
    ("server.api_token", "server.api_token_file"),
    ("scheduler.api_token", "scheduler.api_token_file"),
    ("client.api_token", "client.api_token_file"),
];

/// Why the settings of `server ipni` have no effect.
pub(crate) const DHT_ONLY: &str = "this build measures DHTs only";
