//! What is declared of a setting.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::secrecy::{BLANK, mask_stray, mask_url};

/// An environment. A value may be anything, also what is no text.
pub type Variables = BTreeMap<String, OsString>;

/// A variable, if it is set: an empty one is as good as none.
pub fn set<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsStr> {
    variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
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

/// A value out of a few: its name, and what it means.
pub type Choice = (&'static str, &'static str);

/// The choice that stands for any file of one's own: help and documentation name it, and completions offer files in its place.
pub const OWN_FILE: &str = "FILE.toml";

/// How values of a type are written, what they can be, and what a text means for it.
pub type Form = (Kind, &'static [Choice], fn(&str) -> Result<String, String>);

/// One setting.
#[derive(Clone, Copy)]
pub struct Key {
    /// Its path in a configuration file.
    pub name: &'static str,
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// The letter that stands for the flag behind one dash. A secret has none: its value is blanked behind its whole name.
    pub short: Option<char>,
    /// Names that the flag had in earlier generations, still read.
    pub older_flags: &'static [&'static str],
    /// Its current environment variable.
    pub variable: &'static str,
    /// Names that the variable had in earlier generations, still read.
    pub older: &'static [&'static str],
    /// How it is written.
    pub kind: Kind,
    /// The values that it can have, if they are few.
    pub choices: &'static [Choice],
    /// What stands for the value in the help.
    pub placeholder: &'static str,
    /// What it means.
    pub help: &'static str,
    /// What it is when nobody sets it, as one would write it.
    pub default: Option<&'static str>,
    /// The same where it depends on the environment.
    pub found: Option<fn(&Variables) -> Option<String>>,
    /// How much of its value may be shown.
    pub secrecy: Secrecy,
    /// The setting that makes this one meaningless, wherever it was made; but both are refused if this one was made in the place that wins.
    pub unless: Option<&'static str>,
    /// The settings that say the same in another way: the one that was made in the place that wins is used.
    pub rivals: &'static [&'static str],
    /// Why it has no effect, if it is read for the sake of existing deployments alone.
    pub idle: Option<&'static str>,
    /// What a text means: a text that is the same for all that mean the same, or what would have been right.
    pub meaning: fn(&str) -> Result<String, String>,
}

/// The details of a setting that not every one has; each is a method that adds it to a declaration.
macro_rules! details {
    ($($name:ident: $type:ty = $value:expr;)*) => {
        impl Key {
            $(
                /// Adds this detail.
                #[must_use]
                pub const fn $name(self, $name: $type) -> Self {
                    Self { $name: $value, ..self }
                }
            )*
        }
    };
}

details! {
    variable: &'static str = variable;
    older: &'static [&'static str] = older;
    older_flags: &'static [&'static str] = older_flags;
    short: char = Some(short);
    default: &'static str = Some(default);
    found: fn(&Variables) -> Option<String> = Some(found);
    secrecy: Secrecy = secrecy;
    unless: &'static str = Some(unless);
    rivals: &'static [&'static str] = rivals;
    help: &'static str = help;
    idle: &'static str = Some(idle);
}

impl Key {
    /// A setting of which there is nothing else to say.
    pub const fn new(
        (kind, choices, meaning): Form,
        (name, flag, placeholder): (&'static str, &'static str, &'static str),
        variable: &'static str,
    ) -> Self {
        Self {
            name,
            flag,
            short: None,
            older_flags: &[],
            variable,
            older: &[],
            kind,
            choices,
            placeholder,
            help: "",
            default: if matches!(kind, Kind::Switch) { Some("false") } else { None },
            found: None,
            secrecy: Secrecy::Open,
            unless: None,
            rivals: &[],
            idle: None,
            meaning,
        }
    }

    /// Every environment variable that sets this, the current name first.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.variable).chain(self.older.iter().copied())
    }

    /// Every flag that sets this, without the dashes, the current name first.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.flag).chain(self.older_flags.iter().copied())
    }

    /// What it is for, and why it has no effect if it has none.
    pub fn described(&self) -> String {
        self.idle.map_or_else(|| self.help.to_owned(), |reason| format!("{}; no effect: {reason}", self.help))
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

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Settings that belong together.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading in the help and in the documentation.
    pub heading: &'static str,
    /// Whether the flags may also stand before the subcommand.
    pub global: bool,
    /// The settings.
    pub keys: &'static [Key],
}

/// The path of the configuration file, the one setting that cannot stand in it.
pub const CONFIG: &str = "config";
