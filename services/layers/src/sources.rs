//! The four places where a setting can be made, merged, with the memory of where each value came from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;

use config::{Config, FileFormat, Source as _, Value, ValueKind};
use parsec_measure::harmless;

use crate::app::{App, Words};
use crate::error::{ConfigError, Origin};
use crate::key::{CONFIG, Key, Kind, Secrecy, Section, Variables, set};
use crate::plain::{Reading, did_you_mean, path, switch};

/// The largest configuration file: a thousand times what a full one needs.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The largest file with a secret in it: more than any database takes for a password.
const MAX_SECRET_BYTES: u64 = 4 * 1024;

/// How much of a value that cannot be used is repeated, in characters.
const MAX_SHOWN_CHARS: usize = 200;

const NAMES_ARE_PATHS: &str = "the names in the table are paths of words and dots";

/// What is wrong with a variable of ours that is no text: a default in its place would be a value that nobody asked for.
const NOT_UTF8: &str = "it is not UTF-8";

/// Every setting that was made anywhere.
#[derive(Debug)]
pub struct Sources {
    /// What there is to be set.
    pub app: &'static App,
    /// What the command line says.
    pub words: Words,
    merged: Config,
    origins: BTreeMap<&'static str, Origin>,
    /// Settings that were made with a variable that is no text.
    illegible: BTreeSet<&'static str>,
}

impl Sources {
    /// Merges flags, environment, the file that one of them names, and the defaults.
    ///
    /// # Errors
    /// If there is no such file, if it cannot be understood, or if it holds a key that no setting has.
    pub fn load(app: &'static App, words: Words, variables: &Variables) -> Result<Self, ConfigError> {
        let mut origins = BTreeMap::new();
        let mut builder = Config::builder();
        let mut given: BTreeMap<&'static str, Cow<'_, str>> = BTreeMap::new();
        let mut illegible = BTreeSet::new();
        for key in app.keys() {
            let variable = key.variables().find_map(|name| Some((Origin::Variable(name), set(variables, name)?)));
            let flag = words.flags.get(key.name).and_then(|given| given.first());
            let made = flag.map(|(name, value)| (Origin::Flag(name), OsStr::new(value))).or(variable);
            illegible.extend(made.as_ref().filter(|(_, value)| value.to_str().is_none()).map(|_| key.name));
            given.extend(made.as_ref().map(|(_, value)| (key.name, value.to_string_lossy())));
            origins.insert(key.name, made.map_or(Origin::Default(key.name), |(origin, _)| origin));
            let found = key.found.and_then(|found| found(variables));
            if let Some(default) = found.as_deref().or(key.default) {
                builder = builder.set_default(key.name, default).expect(NAMES_ARE_PATHS);
            }
        }
        if let Some(path) = given.get(CONFIG) {
            if illegible.contains(CONFIG) {
                return Err(unusable(&origins[CONFIG], path, NOT_UTF8.to_owned()));
            }
            let path = Path::new(&**path);
            let content = read_config(app, path, &origins[CONFIG])?;
            for name in known_keys(app, path, &content)? {
                let made = origins.get_mut(name).filter(|origin| origin.rank() == 0);
                made.into_iter().for_each(|origin| *origin = Origin::File(path.to_owned(), name));
            }
            builder = builder.add_source(content);
        }
        for (name, value) in given {
            builder = builder.set_override(name, value.into_owned()).expect(NAMES_ARE_PATHS);
        }
        let merged = builder.build().expect("every source is in memory, and its keys are rows of the table");
        Ok(Self { app, words, merged, origins, illegible })
    }

    /// The settings of the command that they are for, each with its section; if it is none, those of all commands but of
    /// those that tell about others.
    pub fn scope(&self) -> impl Iterator<Item = (&'static Section, &'static Key)> {
        let used = self.app.table.iter().filter(|used| match self.words.meant {
            Some(command) => used.by.contains(&command.name),
            None => used.by.iter().any(|name| self.app.describers().all(|command| command.name != *name)),
        });
        used.flat_map(|used| used.section.keys.iter().map(|key| (used.section, key)))
    }

    /// The row of the setting `name`.
    pub fn key(&self, name: &str) -> &'static Key {
        let found = self.app.keys().find(|key| key.name == name);
        found.unwrap_or_else(|| panic!("`{name}` is no row of the table of settings"))
    }

    /// Where the value of a setting came from.
    pub fn origin(&self, name: &str) -> &Origin {
        &self.origins[name]
    }

    /// The setting that is heard instead of this one, if another one is.
    pub fn overruled(&self, key: &Key) -> Option<&'static str> {
        let rank = |name: &str| self.origin(name).rank();
        let asks = |key: &Key| match self.shown(key) {
            Some(text) => key.kind != Kind::Switch || switch(&text) == Ok(true),
            None => false,
        };
        // A secret stands in its file also where nobody gave one besides.
        let is_heard = key.secrecy == Secrecy::Secret || asks(key);
        let wins = |rival: &&str| is_heard && asks(self.key(rival)) && rank(rival) > rank(key.name);
        key.unless.filter(|other| rank(other) > 0).or_else(|| key.rivals.iter().copied().find(wins))
    }

    /// What was given without a flag.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn argument<T>(&self, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let wrong = |name, text: &String, reason| ConfigError::Value(Origin::Argument(name), text.clone(), reason);
        let given = self.words.argument.as_ref();
        given.map(|(name, text)| read(text).map_err(|reason| wrong(name, text, reason))).transpose()
    }

    /// What must be given without a flag.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn required_argument<T>(&self, read: impl Fn(&str) -> Reading<T>) -> Result<T, ConfigError> {
        Ok(self.argument(read)?.expect("clap asks for an argument that is required"))
    }

    /// The value of a setting, if it has one. What another setting overrules is not looked at.
    ///
    /// # Errors
    /// If it cannot be used, or if one was made beside it that says the same.
    pub fn optional<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let (key, origin) = (self.key(name), self.origin(name));
        match (self.overruled(key), key.rivals) {
            (Some(file), [rival]) if key.secrecy == Secrecy::Secret && file == *rival => {
                return self.secret_in_file(file, read);
            }
            // Who sets it in the place that wins means it, and would find out late that what was set before is what counts.
            (Some(other), _) if key.unless == Some(other) && origin.rank() > self.origin(other).rank() => {
                return Err(ConfigError::Both(origin.clone(), self.origin(other).clone()));
            }
            (Some(_), _) => return Ok(key.default.and_then(|default| read(default).ok())),
            (None, [file]) if origin.rank() > 0 && origin.rank() == self.origin(file).rank() => {
                return Err(ConfigError::Both(origin.clone(), self.origin(file).clone()));
            }
            (None, _) => {}
        }
        let Some(value) = find(&self.merged.cache, name) else { return Ok(None) };
        let wrong = |value: String, reason| unusable(origin, &value, reason);
        if self.illegible.contains(name) {
            return Err(wrong(key.shown(&value.to_string()), NOT_UTF8.to_owned()));
        }
        let text = written(key, value).map_err(|reason| wrong(key.shown(&value.to_string()), reason))?;
        read(&text).map(Some).map_err(|reason| wrong(key.shown(&text), with_remedy(origin, &text, reason)))
    }

    /// The value of a setting as it may be shown, whether it can be used or not.
    pub fn shown(&self, key: &Key) -> Option<String> {
        let value = find(&self.merged.cache, key.name)?;
        Some(key.shown(&written(key, value).unwrap_or_else(|_| value.to_string())))
    }

    /// The secret in the file that a setting names.
    fn secret_in_file<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let Some(path) = self.optional(name, path)? else { return Ok(None) };
        let failed = |reason| ConfigError::File(self.origin(name).clone(), path.clone(), reason);
        secret_in_file(&path).and_then(|secret| read(&secret)).map(Some).map_err(failed)
    }
}

/// The secret in a file, without the line break that editors leave at its end. A pipe is waited for.
///
/// # Errors
/// What is wrong with the file; nothing of its content is repeated.
fn secret_in_file(path: &Path) -> Result<String, String> {
    let mut secret = read_bounded(path, MAX_SECRET_BYTES)?;
    secret.truncate(secret.trim_end_matches(['\r', '\n']).len());
    if secret.is_empty() { Err("it is empty; expected a secret in it".to_owned()) } else { Ok(secret) }
}

/// The secret in a file that is read once more while the program runs. A pipe from which it came then has nothing more.
///
/// # Errors
/// What is wrong with the file; nothing of its content is repeated.
pub fn secret_again(path: &Path) -> Result<String, String> {
    not_a_pipe(path).and_then(|()| secret_in_file(path))
}

/// Opening a pipe would block until somebody writes into it.
///
/// # Errors
/// That it is no regular file.
pub fn not_a_pipe(path: &Path) -> Result<(), String> {
    let is_file = path.metadata().map_err(|error| error.to_string())?.is_file();
    if is_file { Ok(()) } else { Err("it is not a regular file".to_owned()) }
}

/// A value in this place that cannot be used, for this reason.
fn unusable(origin: &Origin, value: &str, reason: String) -> ConfigError {
    ConfigError::Value(origin.clone(), harmless(value, MAX_SHOWN_CHARS), reason)
}

/// Kubernetes sets variables for each service, and for one called `parsec-database` they have names of ours.
fn with_remedy(origin: &Origin, text: &str, reason: String) -> String {
    match origin {
        Origin::Variable(_) if text.starts_with("tcp://") => {
            format!("{reason}; Kubernetes may have set it for a service of that name (enableServiceLinks: false)")
        }
        _ => reason,
    }
}

fn read_config(app: &App, path: &Path, origin: &Origin) -> Result<Config, ConfigError> {
    let failed = |reason| ConfigError::File(origin.clone(), path.to_owned(), reason);
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => FileFormat::Toml,
        Some("yaml" | "yml") => FileFormat::Yaml,
        _ => return Err(failed("expected a name that ends in .toml, .yaml or .yml".to_owned())),
    };
    let text = read_bounded(path, MAX_FILE_BYTES).map_err(failed)?;
    let source = config::File::from_str(&text, format);
    let unread = |error: config::ConfigError| failed(error.to_string().trim().to_owned());
    // `config` would take `x[9]` for the tenth item of a list, and make room for as many: a file could ask for all memory.
    if let Some(name) = source.collect().map_err(unread)?.into_keys().find(|name| name.contains('[')) {
        return Err(unknown_key(app, path, as_in_a_file(&name)));
    }
    Config::builder().add_source(source).build().map_err(unread)
}

fn read_bounded(path: &Path, max: u64) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(max + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > max { Err(format!("it has more than {max} bytes")) } else { Ok(text) }
}

/// The settings that a file makes: those that are found in it, and nothing else may be there.
fn known_keys(app: &App, path: &Path, content: &Config) -> Result<Vec<&'static str>, ConfigError> {
    let made: Vec<_> = file_keys(app).filter(|name| find(&content.cache, name).is_some()).collect();
    let mut written = Vec::new();
    leaves(None, &content.cache, &mut written);
    match written.into_iter().find(|name| !made.contains(&name.as_str())) {
        Some(name) => Err(unknown_key(app, path, name)),
        None => Ok(made),
    }
}

/// The keys that a file may hold.
fn file_keys(app: &App) -> impl Iterator<Item = &'static str> + use<'_> {
    app.keys().map(|key| key.name).filter(|name| *name != CONFIG)
}

fn unknown_key(app: &App, path: &Path, name: String) -> ConfigError {
    let guess = did_you_mean(&name, file_keys(app));
    ConfigError::UnknownKey(path.to_owned(), name, guess)
}

/// The keys of a file as TOML writes them: a name with a dot in it is one name, and stands in quotes.
fn leaves(path: Option<&str>, value: &Value, found: &mut Vec<String>) {
    let ValueKind::Table(table) = &value.kind else { return found.extend(path.map(str::to_owned)) };
    for (name, value) in table {
        let name = as_in_a_file(name);
        leaves(Some(&path.map_or(name.clone(), |path| format!("{path}.{name}"))), value, found);
    }
}

fn as_in_a_file(name: &str) -> String {
    let is_bare = !name.is_empty() && !name.contains(['.', '[']);
    if is_bare { name.to_owned() } else { format!("{name:?}") }
}

fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| match &value.kind {
        ValueKind::Table(table) => table.get(name),
        _ => None,
    })
}

/// A value as one would write it on the command line, or what should have stood in the file.
fn written(key: &Key, value: &Value) -> Reading<String> {
    use ValueKind::{Array, Boolean, Float, I64, I128, String, U64, U128};
    match (key.kind, &value.kind) {
        (_, String(text)) => Ok(text.clone()),
        (Kind::Switch, Boolean(_))
        | (Kind::Number | Kind::Decimal, I64(_) | U64(_) | I128(_) | U128(_))
        | (Kind::Decimal, Float(_)) => Ok(value.to_string()),
        (Kind::List, Array(items)) if items.iter().all(|item| matches!(item.kind, String(_))) => {
            Ok(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        }
        (kind, _) => Err(match kind {
            Kind::Text => "expected a text in quotes",
            Kind::Number => "expected a whole number",
            Kind::Decimal => "expected a number such as 0.15",
            Kind::Switch => "expected true or false",
            Kind::List => "expected an array of texts, each in quotes",
        }
        .to_owned()),
    }
}
