//! The four places where a setting can be made, merged, with the memory of where each value came from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use config::{Config, FileFormat, Value, ValueKind};
use parsec_measure::harmless;

use crate::error::{ConfigError, Origin};
use crate::key::{CONFIG, Key, Kind, SECRETS, SPOOL_DIR, Section};
use crate::names::nearest;
use crate::values::{self, Reading};

/// A flag that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The name that it was given by, without the dashes.
    pub(crate) flag: &'static str,
    /// Its value.
    pub(crate) value: String,
}

/// The flags that were given, by the name of their setting. Of several names for one setting, the current one comes first.
pub(crate) type Flags = BTreeMap<&'static str, Vec<Given>>;

/// The environment. A value may be anything, also what is no text.
pub(crate) type Variables = BTreeMap<String, OsString>;

/// The largest configuration file: a thousand times what a full one needs.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The largest file with a secret in it: more than any database takes for a password.
const MAX_SECRET_BYTES: u64 = 4 * 1024;

/// How much of a value that cannot be used is repeated, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// Every setting that was made anywhere.
#[derive(Debug)]
pub struct Sources {
    table: &'static [Section],
    merged: Config,
    origins: BTreeMap<&'static str, Origin>,
    file: Option<PathBuf>,
    /// Settings that were made with a variable that is no text.
    illegible: BTreeSet<&'static str>,
}

impl Sources {
    /// Merges flags, environment, the file that one of them names, and the defaults, for the settings of `table`.
    ///
    /// # Errors
    /// If there is no such file, if it cannot be understood, or if it holds a key that no setting has.
    pub(crate) fn load(table: &'static [Section], flags: &Flags, variables: &Variables) -> Result<Self, ConfigError> {
        let keys = || keys(table);
        let mut origins: BTreeMap<_, _> = keys().map(|key| (key.name, Origin::Default(key.name))).collect();
        let mut given: BTreeMap<&'static str, Cow<'_, str>> = BTreeMap::new();
        let mut illegible = BTreeSet::new();
        for key in keys() {
            let mut names = key.variables();
            let variable = names.find_map(|name| Some((name, variables.get(name).filter(|value| !value.is_empty())?)));
            if let Some((name, value)) = variable {
                given.insert(key.name, value.to_string_lossy());
                origins.insert(key.name, Origin::Variable(name));
                if value.to_str().is_none() {
                    illegible.insert(key.name);
                }
            }
            if let Some(Given { flag, value }) = flags.get(key.name).and_then(|given| given.first()) {
                given.insert(key.name, value.into());
                origins.insert(key.name, Origin::Flag(flag));
                illegible.remove(key.name);
            }
        }
        if illegible.contains(CONFIG) {
            return Err(not_utf8(&origins[CONFIG], given[CONFIG].to_string()));
        }
        let file = given.get(CONFIG).map(|path| PathBuf::from(&**path));
        let mut builder = Config::builder();
        for (key, default) in keys().filter_map(|key| Some((key, key.default?))) {
            builder = builder.set_default(key.name, default).expect(NAMES_ARE_PATHS);
        }
        if let Some(directory) = default_spool_directory(variables) {
            builder = builder.set_default(SPOOL_DIR, directory).expect(NAMES_ARE_PATHS);
        }
        if let Some(path) = &file {
            let content = read_config(path, &origins[CONFIG])?;
            for name in known_keys(table, path, &content)? {
                origins.entry(name).and_modify(|origin| {
                    if origin.rank() == 0 {
                        *origin = Origin::File(path.clone(), name);
                    }
                });
            }
            builder = builder.add_source(content);
        }
        for (name, value) in given {
            builder = builder.set_override(name, value.into_owned()).expect(NAMES_ARE_PATHS);
        }
        let merged = builder.build().expect("every source is in memory, and its keys are rows of the table");
        Ok(Self { table, merged, origins, file, illegible })
    }

    /// The configuration file, if one was named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The row of the setting `name`.
    pub(super) fn key(&self, name: &str) -> &'static Key {
        let found = keys(self.table).find(|key| key.name == name);
        found.unwrap_or_else(|| panic!("`{name}` is no row of the table of settings"))
    }

    /// Where the value of a setting came from.
    pub(super) fn origin(&self, name: &str) -> &Origin {
        &self.origins[self.key(name).name]
    }

    /// The value of a setting, if it has one.
    pub(super) fn optional<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let key = self.key(name);
        let Some(value) = find(&self.merged.cache, name) else { return Ok(None) };
        if self.illegible.contains(name) {
            return Err(not_utf8(self.origin(name), key.shown(&value.to_string())));
        }
        let wrong = |value: String, reason| {
            let value = harmless(&value, MAX_SHOWN_CHARS);
            ConfigError::Value { origin: self.origin(name).clone(), value, reason }
        };
        let text = written(key, value).map_err(|reason| wrong(key.shown(&value.to_string()), reason))?;
        read(&text).map(Some).map_err(|reason| wrong(key.shown(&text), with_remedy(self.origin(name), &text, reason)))
    }

    /// The value of a setting as it may be shown, whether it can be used or not.
    pub(super) fn shown(&self, key: &Key) -> Option<String> {
        let value = find(&self.merged.cache, key.name)?;
        Some(key.shown(&written(key, value).unwrap_or_else(|_| value.to_string())))
    }

    /// The value of a setting that must have one.
    pub(super) fn required<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<T, ConfigError> {
        self.optional(name, read)?.ok_or_else(|| ConfigError::Missing(self.key(name)))
    }

    /// The secret of the setting `name`, or the one in the file that its companion names: whichever was set in the place
    /// that wins.
    pub(super) fn secret<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let in_file = SECRETS.iter().find(|(secret, _)| *secret == name).expect("each secret has a file").1;
        let (direct, file) = (self.origin(name), self.origin(in_file));
        if file.rank() > direct.rank() {
            self.secret_in_file(in_file, read)
        } else if file.rank() > 0 && file.rank() == direct.rank() {
            Err(ConfigError::Both(direct.clone(), file.clone()))
        } else {
            self.optional(name, read)
        }
    }

    /// The secret in the file that a setting names, without the line break that editors leave at its end.
    fn secret_in_file<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let Some(path) = self.optional(name, values::text)?.map(PathBuf::from) else { return Ok(None) };
        let failed = |reason| ConfigError::File { origin: self.origin(name).clone(), path: path.clone(), reason };
        let secret = read_bounded(&path, MAX_SECRET_BYTES).map_err(failed)?;
        match secret.trim_end_matches(['\r', '\n']) {
            "" => Err(failed("it is empty; expected a secret in it".to_owned())),
            secret => read(secret).map(Some).map_err(failed),
        }
    }
}

/// A variable of ours that is no text: the default in its place would be a value that nobody asked for.
fn not_utf8(origin: &Origin, shown: String) -> ConfigError {
    let value = harmless(&shown, MAX_SHOWN_CHARS);
    ConfigError::Value { origin: origin.clone(), value, reason: "it is not UTF-8".to_owned() }
}

fn keys(table: &'static [Section]) -> impl Iterator<Item = &'static Key> {
    table.iter().flat_map(|section| section.keys)
}

/// Where the spool is if nobody says so: where the XDG Base Directory Specification has state that is to outlive the
/// process. As it demands, a path that is not absolute counts as none.
fn default_spool_directory(variables: &Variables) -> Option<String> {
    let absolute = |name: &str| variables.get(name)?.to_str().filter(|path| path.starts_with('/'));
    let state = absolute("XDG_STATE_HOME").map(str::to_owned);
    let state = state.or_else(|| Some(format!("{}/.local/state", absolute("HOME")?.trim_end_matches('/'))));
    state.map(|state| format!("{}/parsec/spool", state.trim_end_matches('/')))
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

const NAMES_ARE_PATHS: &str = "the names in the table are paths of words and dots";

fn read_config(path: &Path, origin: &Origin) -> Result<Config, ConfigError> {
    let failed = |reason| ConfigError::File { origin: origin.clone(), path: path.to_owned(), reason };
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => FileFormat::Toml,
        Some("yaml" | "yml") => FileFormat::Yaml,
        _ => return Err(failed("expected a name that ends in .toml, .yaml or .yml".to_owned())),
    };
    let text = read_bounded(path, MAX_FILE_BYTES).map_err(failed)?;
    let source = config::File::from_str(&text, format);
    Config::builder().add_source(source).build().map_err(|error| failed(error.to_string().trim().to_owned()))
}

fn read_bounded(path: &Path, max: u64) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(max + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > max { Err(format!("it has more than {max} bytes")) } else { Ok(text) }
}

/// The settings that a file makes.
fn known_keys(table: &'static [Section], path: &Path, content: &Config) -> Result<Vec<&'static str>, ConfigError> {
    let mut found = Vec::new();
    leaves("", &content.cache, &mut found);
    let in_file = || keys(table).filter(|key| key.name != CONFIG);
    found
        .into_iter()
        .map(|name| match in_file().find(|key| key.name == name) {
            Some(key) => Ok(key.name),
            None => Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                nearest: nearest(&name, in_file().map(|key| key.name)),
                key: name,
            }),
        })
        .collect()
}

fn leaves(path: &str, value: &Value, found: &mut Vec<String>) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&path, value, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| match &value.kind {
        ValueKind::Table(table) => table.get(name),
        _ => None,
    })
}

/// A value as one would write it on the command line, or what should have stood in the file.
fn written(key: &Key, value: &Value) -> Reading<String> {
    match (key.kind, &value.kind) {
        (_, ValueKind::String(text)) => Ok(text.clone()),
        (Kind::Switch, ValueKind::Boolean(_)) => Ok(value.to_string()),
        (Kind::Number, ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::I128(_) | ValueKind::U128(_)) => {
            Ok(value.to_string())
        }
        (Kind::Decimal, ValueKind::Float(_) | ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::I128(_)) => {
            Ok(value.to_string())
        }
        (Kind::List, ValueKind::Array(items)) => {
            let texts = items.iter().map(|item| match &item.kind {
                ValueKind::String(text) => Ok(text.as_str()),
                _ => Err("expected an array of texts, each in quotes".to_owned()),
            });
            Ok(texts.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        (Kind::Text, _) => Err("expected a text in quotes".to_owned()),
        (Kind::Number, _) => Err("expected a whole number".to_owned()),
        (Kind::Decimal, _) => Err("expected a number such as 0.15".to_owned()),
        (Kind::Switch, _) => Err("expected true or false".to_owned()),
        (Kind::List, _) => Err("expected an array of texts, each in quotes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use crate::tests::BINARY;

    fn run(line: &str, variable: &str) -> Result<(), String> {
        let latin1 = OsString::from_vec(b"geheim \xfc".to_vec());
        let environment = BTreeMap::from([(variable.to_owned(), latin1)]);
        let words = line.split_whitespace().map(OsString::from);
        crate::cli::parse(words, &environment, &BINARY).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_variable_that_is_not_utf8_is_named_and_no_default_stands_in_for_it() {
        for (variable, shown) in [
            ("PARSEC_DATABASE_PASSWORD", "***"),
            ("PARSEC_SERVER_FLEET", "geheim \u{fffd}"),
            ("PARSEC_CONFIG", "geheim"),
        ] {
            let message = run("parsec server", variable).unwrap_err();
            let beginning = format!("error: environment variable {variable}: cannot use `{shown}");
            assert!(message.starts_with(&beginning) && message.contains("it is not UTF-8"), "{message}");
        }
    }

    #[test]
    fn a_variable_that_is_not_utf8_harms_nobody_who_does_not_read_it() {
        assert_eq!(run("parsec server --db-password x", "PARSEC_DATABASE_PASSWORD"), Ok(()));
        assert_eq!(run("parsec health localhost:1", "PARSEC_DATABASE_PASSWORD"), Ok(()));
        assert_eq!(run("parsec server", "HOME"), Ok(()));
    }

    #[test]
    fn an_argument_that_is_not_utf8_is_refused() {
        let words = [b"parsec".to_vec(), b"server".to_vec(), b"--fleet".to_vec(), b"\xfc".to_vec()];
        let refused = crate::cli::parse(words.map(OsString::from_vec), &BTreeMap::new(), &BINARY).unwrap_err();
        assert!(refused.to_string().contains("UTF-8"), "{refused}");
    }
}
