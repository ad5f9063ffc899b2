//! The four places where a setting can be made, merged, with the memory of where each value came from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use config::{Config, FileFormat, Value, ValueKind};
use parsec_measure::harmless;

use crate::error::{ConfigError, Origin};
use crate::key::{CONFIG, Key, Kind, SPOOL_DIR, Secrecy, Section, Used};
use crate::names::did_you_mean;
use crate::values::{self, Field, Reading};

/// A flag that was given: the name that it was given by, without the dashes, and its value.
pub(crate) type Given = (&'static str, String);

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

const NAMES_ARE_PATHS: &str = "the names in the table are paths of words and dots";

/// What is wrong with a variable of ours that is no text: a default in its place would be a value that nobody asked for.
const NOT_UTF8: &str = "it is not UTF-8";

/// Every setting that was made anywhere.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Every setting that there is.
    pub(crate) table: &'static [Used],
    /// The command that the settings are for; all of them if `None`.
    program: Option<&'static str>,
    /// What was given without a flag, and what the help calls it.
    argument: Option<(&'static str, String)>,
    merged: Config,
    origins: BTreeMap<&'static str, Origin>,
    /// Settings that were made with a variable that is no text.
    illegible: BTreeSet<&'static str>,
}

impl Sources {
    /// Merges flags, environment, the file that one of them names, and the defaults, for the settings of `table`.
    ///
    /// # Errors
    /// If there is no such file, if it cannot be understood, or if it holds a key that no setting has.
    pub(crate) fn load(
        table: &'static [Used],
        program: Option<&'static str>,
        argument: Option<(&'static str, String)>,
        flags: &Flags,
        variables: &Variables,
    ) -> Result<Self, ConfigError> {
        let mut origins = BTreeMap::new();
        let mut builder = Config::builder();
        let mut given: BTreeMap<&'static str, Cow<'_, str>> = BTreeMap::new();
        let mut illegible = BTreeSet::new();
        for key in keys(table) {
            let variable = key.variables().find_map(|name| Some((Origin::Variable(name), set(variables, name)?)));
            let flag = flags.get(key.name).and_then(|given| given.first());
            let made = flag.map(|(name, value)| (Origin::Flag(name), OsStr::new(value))).or(variable);
            illegible.extend(made.as_ref().filter(|(_, value)| value.to_str().is_none()).map(|_| key.name));
            given.extend(made.as_ref().map(|(_, value)| (key.name, value.to_string_lossy())));
            origins.insert(key.name, made.map_or(Origin::Default(key.name), |(origin, _)| origin));
            let default =
                if key.name == SPOOL_DIR { spool_directory(variables) } else { key.default.map(str::to_owned) };
            if let Some(default) = default {
                builder = builder.set_default(key.name, default).expect(NAMES_ARE_PATHS);
            }
        }
        if let Some(path) = given.get(CONFIG) {
            if illegible.contains(CONFIG) {
                return Err(unusable(&origins[CONFIG], path, NOT_UTF8.to_owned()));
            }
            let path = Path::new(&**path);
            let content = read_config(path, &origins[CONFIG])?;
            for name in known_keys(table, path, &content)? {
                let made = origins.get_mut(name).filter(|origin| origin.rank() == 0);
                made.into_iter().for_each(|origin| *origin = Origin::File(path.to_owned(), name));
            }
            builder = builder.add_source(content);
        }
        for (name, value) in given {
            builder = builder.set_override(name, value.into_owned()).expect(NAMES_ARE_PATHS);
        }
        let merged = builder.build().expect("every source is in memory, and its keys are rows of the table");
        Ok(Self { table, program, argument, merged, origins, illegible })
    }

    /// The settings of the command that they are for, each with its section.
    pub(crate) fn scope(&self) -> impl Iterator<Item = (&'static Section, &'static Key)> {
        let used = self.table.iter().filter(|used| self.program.is_none_or(|program| used.by.contains(&program)));
        used.flat_map(|used| used.section.keys.iter().map(|key| (used.section, key)))
    }

    /// The row of the setting `name`.
    pub(crate) fn key(&self, name: &str) -> &'static Key {
        let found = keys(self.table).find(|key| key.name == name);
        found.unwrap_or_else(|| panic!("`{name}` is no row of the table of settings"))
    }

    /// Where the value of a setting came from.
    pub(crate) fn origin(&self, name: &str) -> &Origin {
        &self.origins[name]
    }

    /// The setting that is heard instead of this one, if another one is.
    pub(crate) fn overruled(&self, key: &Key) -> Option<&'static str> {
        let rank = |name: &str| self.origin(name).rank();
        let asks = |key: &Key| match self.shown(key) {
            Some(text) => key.kind != Kind::Switch || values::switch(&text) == Ok(true),
            None => false,
        };
        // A secret stands in its file also where nobody gave one besides.
        let is_heard = key.secrecy == Secrecy::Secret || asks(key);
        let wins = |rival: &&str| is_heard && asks(self.key(rival)) && rank(rival) > rank(key.name);
        key.unless.filter(|other| rank(other) > 0).or_else(|| key.rivals.iter().copied().find(wins))
    }

    /// The value of a field of the settings of a command.
    pub(crate) fn field<F: Field>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Reading<F::Value>,
    ) -> Result<F, ConfigError> {
        F::of(self.optional(name, read)?).ok_or_else(|| ConfigError::Missing(self.key(name)))
    }

    /// What was given without a flag.
    pub(crate) fn argument<T>(&self, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let wrong = |name, text: &String, reason| ConfigError::Value(Origin::Argument(name), text.clone(), reason);
        self.argument.as_ref().map(|(name, text)| read(text).map_err(|reason| wrong(name, text, reason))).transpose()
    }

    /// What must be given without a flag.
    pub(crate) fn required_argument<T>(&self, read: impl Fn(&str) -> Reading<T>) -> Result<T, ConfigError> {
        Ok(self.argument(read)?.expect("clap asks for an argument that is required"))
    }

    /// The value of a setting, if it has one. What another setting overrules is not looked at.
    pub(crate) fn optional<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let (key, origin) = (self.key(name), self.origin(name));
        match (self.overruled(key), key.rivals) {
            (Some(file), [rival]) if key.secrecy == Secrecy::Secret && file == *rival => {
                return self.secret_in_file(file, read);
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
    pub(crate) fn shown(&self, key: &Key) -> Option<String> {
        let value = find(&self.merged.cache, key.name)?;
        Some(key.shown(&written(key, value).unwrap_or_else(|_| value.to_string())))
    }

    /// The secret in the file that a setting names.
    fn secret_in_file<T>(&self, name: &str, read: impl Fn(&str) -> Reading<T>) -> Result<Option<T>, ConfigError> {
        let Some(path) = self.optional(name, values::path)? else { return Ok(None) };
        let failed = |reason| ConfigError::File(self.origin(name).clone(), path.clone(), reason);
        secret_in_file(&path).and_then(|secret| read(&secret)).map(Some).map_err(failed)
    }
}

/// The secret in a file, without the line break that editors leave at its end. A pipe is waited for.
///
/// # Errors
/// What is wrong with the file; nothing of its content is repeated.
pub fn secret_in_file(path: &Path) -> Result<String, String> {
    let mut secret = read_bounded(path, MAX_SECRET_BYTES)?;
    secret.truncate(secret.trim_end_matches(['\r', '\n']).len());
    if secret.is_empty() { Err("it is empty; expected a secret in it".to_owned()) } else { Ok(secret) }
}

/// A value in this place that cannot be used, for this reason.
fn unusable(origin: &Origin, value: &str, reason: String) -> ConfigError {
    ConfigError::Value(origin.clone(), harmless(value, MAX_SHOWN_CHARS), reason)
}

fn keys(table: &'static [Used]) -> impl Iterator<Item = &'static Key> {
    table.iter().flat_map(|used| used.section.keys)
}

/// A variable, if it is set: an empty one is as good as none.
pub(crate) fn set<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsStr> {
    variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
}

/// Where the spool is if nobody says so: where the XDG Base Directory Specification has state that is to outlive the
/// process. As it demands, a path that is not absolute counts as none.
fn spool_directory(variables: &Variables) -> Option<String> {
    let absolute = |name| set(variables, name)?.to_str().filter(|path| path.starts_with('/'));
    let absolute = |name| absolute(name).map(|path| path.trim_end_matches('/'));
    let state = absolute("XDG_STATE_HOME").map(str::to_owned);
    let state = state.or_else(|| absolute("HOME").map(|home| format!("{home}/.local/state")));
    state.map(|state| format!("{state}/parsec/spool"))
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

fn read_config(path: &Path, origin: &Origin) -> Result<Config, ConfigError> {
    let failed = |reason| ConfigError::File(origin.clone(), path.to_owned(), reason);
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
fn known_keys(table: &'static [Used], path: &Path, content: &Config) -> Result<Vec<&'static str>, ConfigError> {
    let mut found = Vec::new();
    leaves("", &content.cache, &mut found);
    let names = || keys(table).map(|key| key.name).filter(|name| *name != CONFIG);
    let known = |name: String| {
        let unknown = || ConfigError::UnknownKey(PathBuf::from(path), name.clone(), did_you_mean(&name, names()));
        names().find(|known| *known == name).ok_or_else(unknown)
    };
    found.into_iter().map(known).collect()
}

fn leaves(path: &str, value: &Value, found: &mut Vec<String>) {
    let ValueKind::Table(table) = &value.kind else { return found.push(path.to_owned()) };
    for (name, value) in table {
        leaves(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, found);
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
