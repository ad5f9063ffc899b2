//! The settings that a command would run with, and where each of them came from.

use std::borrow::Cow;
use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::common::CommonConfig;
use crate::declared::SECTIONS;
use crate::error::{ConfigError, Origin};
use crate::key::{CONFIG, Key, Kind, Program, SECRETS, Secrecy, Section};
use crate::schema::schema;
use crate::secrecy::BLANK;
use crate::sources::Sources;
use crate::values::{self, ShowFormat};

/// `parsec config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// What to show.
    pub shown: Shown,
}

/// What `parsec config` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The table of settings, for programs.
    Schema,
    /// The values.
    Values(Vec<Setting>, ShowFormat),
}

/// One setting with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    section: &'static str,
    key: &'static Key,
    /// As one would write it, secrets blanked; `None` if nobody set it.
    value: Option<String>,
    origin: Origin,
    /// Why the value has no effect, if it has none.
    idle: Option<Cow<'static, str>>,
}

impl ShowConfig {
    /// What `program` would run with; every setting of every program if there is none.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn values(from: &Sources, program: Option<Program>, format: &str) -> Result<Self, ConfigError> {
        let wrong = |reason| ConfigError::Value { origin: Origin::Flag("format"), value: format.to_owned(), reason };
        let format = ShowFormat::read(format).map_err(wrong)?;
        let used = |section: &&Section| program.is_none_or(|program| section.used_by.contains(&program));
        let settings =
            SECTIONS.iter().filter(used).flat_map(|section| section.keys.iter().map(move |key| (section, key)));
        let settings = settings.map(|(section, key)| Setting::read(from, section, key)).collect();
        Ok(Self { common: CommonConfig::read(from)?, shown: Shown::Values(settings, format) })
    }

    /// The table of settings, for programs.
    ///
    /// # Errors
    /// Names the first setting of those of every command that cannot be used.
    pub fn schema(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self { common: CommonConfig::read(from)?, shown: Shown::Schema })
    }

    /// What to print.
    pub fn text(&self) -> String {
        match &self.shown {
            Shown::Schema => format!("{:#}", schema()),
            Shown::Values(settings, ShowFormat::Text) => table(settings),
            Shown::Values(settings, ShowFormat::Json) => {
                format!("{:#}", settings.iter().map(Setting::json).collect::<Value>())
            }
            Shown::Values(settings, ShowFormat::Toml) => toml(settings),
        }
    }
}

impl Setting {
    fn read(from: &Sources, section: &Section, key: &'static Key) -> Self {
        let value = from.shown(key);
        let origin = from.origin(key.name).clone();
        let wins = |winner: &'static str| Cow::Owned(format!("{winner} wins"));
        let idle = key.idle.filter(|_| origin.rank() > 0).map(Cow::Borrowed);
        Self {
            section: section.heading,
            key,
            value,
            origin,
            idle: idle.or_else(|| overruled(from, key.name).map(wins)),
        }
    }

    /// Whether the value may stand where others read it.
    fn is_open(&self) -> bool {
        match self.key.secrecy {
            Secrecy::Open => true,
            Secrecy::Secret => false,
            // A URL without a password in it is shown as it is; it shows by what stands for the password.
            Secrecy::SecretInUrl => self.value.as_ref().is_none_or(|url| !url.contains(BLANK)),
        }
    }

    fn place(&self) -> (&'static str, String) {
        match &self.origin {
            Origin::Default(_) => ("default", String::new()),
            Origin::File(path, _) => ("file", path.display().to_string()),
            Origin::Variable(name) => ("variable", (*name).to_owned()),
            Origin::Flag(name) => ("flag", format!("--{name}")),
            Origin::Argument(name) => ("argument", (*name).to_owned()),
        }
    }

    /// Where it came from, in words.
    fn from(&self) -> String {
        let (kind, place) = self.place();
        let place = if place.is_empty() { kind.to_owned() } else { format!("{kind} {place}") };
        match &self.idle {
            Some(reason) => format!("{place} (no effect: {reason})"),
            None => place,
        }
    }

    /// The value as its kind; a text where it is not of its kind.
    fn typed(&self) -> Value {
        let Some(value) = &self.value else { return Value::Null };
        let typed = match self.key.kind {
            Kind::Text => None,
            Kind::Number => value.parse::<u64>().ok().map(Value::from),
            Kind::Decimal => value.parse::<f64>().ok().map(Value::from),
            Kind::Switch => values::switch(value).ok().map(Value::from),
            Kind::List => Some(value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
        };
        typed.unwrap_or_else(|| Value::from(value.as_str()))
    }

    fn json(&self) -> Value {
        let (kind, place) = self.place();
        json!({
            "section": self.section,
            "name": self.key.name,
            "value": self.typed(),
            "from": kind,
            "place": if place.is_empty() { Value::Null } else { place.into() },
            "secret": self.key.secrecy != Secrecy::Open,
            "no_effect": self.idle,
        })
    }

    /// The value as it stands in a file.
    fn toml(&self) -> Option<String> {
        let text = match self.typed() {
            Value::Null => return None,
            // TOML holds no larger whole number, and a text is read as well.
            Value::Number(number) if number.as_u64().is_some_and(|number| i64::try_from(number).is_err()) => {
                format!("\"{number}\"")
            }
            value => value.to_string(),
        };
        // What TOML wants escaped is what JSON wants escaped, and this.
        Some(text.replace('\u{7f}', "\\u007F"))
    }
}

/// The setting that is heard instead of `name`, if another one is.
fn overruled(from: &Sources, name: &str) -> Option<&'static str> {
    const PARTS: [&str; 8] = ["host", "port", "name", "password", "password_file", "user", "sslmode", "sslrootcert"];
    const STRATEGY: [&str; 3] = ["server.dht.strategy", "server.dht.fullrt", "server.dht.optprov"];
    let rank = |name: &str| from.origin(name).rank();
    let asks = |name: &str| match name {
        "server.dht.strategy" => rank(name) > 0,
        name => from.optional(name, values::switch) == Ok(Some(true)),
    };
    let part = name.strip_prefix("database.").filter(|part| PARTS.contains(part));
    let secret = SECRETS.into_iter().find(|(secret, file)| [*secret, *file].contains(&name));
    match (part, secret) {
        (Some(_), _) if rank("database.url") > 0 => Some("database.url"),
        (_, Some((secret, file))) if name == secret => (rank(file) > rank(name)).then_some(file),
        (_, Some((secret, _))) => (rank(name) > 0 && rank(secret) > rank(name)).then_some(secret),
        _ if STRATEGY.contains(&name) && asks(name) => {
            STRATEGY.into_iter().find(|other| asks(other) && rank(other) > rank(name))
        }
        _ => None,
    }
}

fn table(settings: &[Setting]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["setting", "value", "from"]);
    for setting in settings {
        let value = setting.value.as_deref().unwrap_or("–");
        table.add_row([setting.key.name, value, &setting.from()]);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A configuration file. What has no effect and what is secret stands there as a comment.
fn toml(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in settings.iter().filter(|setting| setting.key.name != CONFIG) {
        if section != setting.section {
            section = setting.section;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}# {section}");
        }
        let active = setting.idle.is_none() && setting.is_open();
        let (mark, value) = match setting.toml() {
            Some(value) if active => ("", value),
            Some(value) => ("# ", value),
            None => ("# ", String::new()),
        };
        let from: String = setting.from().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(text, "{mark}{} = {value} # {from}", setting.key.name);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
