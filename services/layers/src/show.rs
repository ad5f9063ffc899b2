//! The settings that a command would run with, and where each of them came from.

use std::borrow::Cow;
use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::app::Used;
use crate::error::Origin;
use crate::key::{CONFIG, Key, Kind, Secrecy, Section};
use crate::plain::switch;
use crate::secrecy::BLANK;
use crate::sources::Sources;

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

impl Setting {
    /// Those of the command that is asked for; if none is, of all commands.
    pub fn all(from: &Sources) -> Vec<Self> {
        from.scope().map(|(section, key)| Self::read(from, section, key)).collect()
    }

    fn read(from: &Sources, section: &Section, key: &'static Key) -> Self {
        let origin = from.origin(key.name).clone();
        let idle = key.idle.filter(|_| origin.rank() > 0).map(Cow::Borrowed);
        let idle = idle.or_else(|| from.overruled(key).map(|winner| Cow::Owned(format!("{winner} wins"))));
        Self { section: section.heading, key, value: from.shown(key), origin, idle }
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

    /// Where it came from, in words.
    fn from(&self) -> String {
        let (kind, place) = self.origin.place();
        let idle = self.idle.as_ref().map(|reason| format!(" (no effect: {reason})")).unwrap_or_default();
        format!("{kind} {place}").trim_end().to_owned() + &idle
    }

    /// The value as its kind; a text where it is not of its kind.
    fn typed(&self) -> Value {
        let Some(value) = &self.value else { return Value::Null };
        let typed = match self.key.kind {
            Kind::Text => None,
            Kind::Number => value.parse::<u64>().ok().map(Value::from),
            Kind::Decimal => value.parse::<f64>().ok().map(Value::from),
            Kind::Switch => switch(value).ok().map(Value::from),
            Kind::List => Some(value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
        };
        typed.unwrap_or_else(|| Value::from(value.as_str()))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let (kind, place) = self.origin.place();
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
    fn toml(&self) -> String {
        let text = match self.typed() {
            Value::Null => String::new(),
            // TOML holds no larger whole number, and a text is read as well.
            Value::Number(number) if number.as_u64().is_some_and(|number| i64::try_from(number).is_err()) => {
                format!("\"{number}\"")
            }
            value => value.to_string(),
        };
        // What TOML wants escaped is what JSON wants escaped, and this.
        text.replace('\u{7f}', "\\u007F")
    }
}

/// For people, a line for each.
pub fn table(settings: &[Setting]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["setting", "value", "from"]);
    for setting in settings {
        table.add_row([setting.key.name, setting.value.as_deref().unwrap_or("–"), &setting.from()]);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A configuration file. What has no effect and what is secret stands there as a comment.
pub fn toml(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in settings.iter().filter(|setting| setting.key.name != CONFIG) {
        if section != setting.section {
            section = setting.section;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}# {section}");
        }
        let is_active = setting.value.is_some() && setting.idle.is_none() && setting.is_open();
        let mark = if is_active { "" } else { "# " };
        let from = setting.from().replace(char::is_control, " ");
        let _ = writeln!(text, "{mark}{} = {} # {from}", setting.key.name, setting.toml());
    }
    text.trim_end().to_owned()
}

/// The table of settings for programs: what deployment files name is checked against it. One object for each setting.
pub fn schema(table: &[Used]) -> Value {
    let rows = table.iter().flat_map(|Used { section, by }| section.keys.iter().map(move |key| (section, by, key)));
    rows.map(|(section, programs, key)| {
        json!({
            "section": section.heading,
            "programs": programs,
            "name": key.name,
            "flag": key.flag,
            "short": key.short,
            "older_flags": key.older_flags,
            "variable": key.variable,
            "older_variables": key.older,
            "kind": format!("{:?}", key.kind).to_lowercase(),
            "values": key.choices.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            "default": key.default,
            "secret": key.secrecy != Secrecy::Open,
            "no_effect": key.idle,
        })
    })
    .collect()
}
