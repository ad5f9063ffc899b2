//! Reads a TOML table strictly: what is missing, wrong or unknown is an error that names the line and what would be right.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use parsec_measure::read_duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::quantiles::{NoDistribution, Quantiles};

/// How many characters of a name are kept in files and tables.
const MAX_NAME_CHARS: usize = 40;

/// Where in a file something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) what: String,
}

/// A table, and what of it has been read.
pub(super) struct Table<'a> {
    text: &'a str,
    /// Its name and a dot; nothing for the whole file.
    path: String,
    /// Where it begins.
    at: usize,
    entries: &'a DeTable<'a>,
    read: BTreeSet<&'a str>,
}

/// Pairs of what a name says and its value, each with its line.
type Keyed<K, V> = Vec<(usize, (K, V))>;

/// A value with its name and place.
struct Entry<'a> {
    name: String,
    line: usize,
    value: &'a DeValue<'a>,
}

impl Entry<'_> {
    fn wrong(&self, expected: &str) -> Wrong {
        let Self { name, line, value } = self;
        Wrong { line: *line, what: format!("`{name}` is {}; expected {expected}", written(value)) }
    }

    fn number(&self) -> Option<f64> {
        match self.value {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(whole) if whole.radix() == 10 => whole.as_str().replace('_', "").parse().ok(),
            _ => None,
        }
    }

    fn number_within(&self, range: RangeInclusive<f64>, what: &str) -> Result<f64, Wrong> {
        let number = self.number().filter(|number| range.contains(number));
        number.ok_or_else(|| self.wrong(&format!("{what} from {} to {}", range.start(), range.end())))
    }

    fn seconds(&self) -> Result<f64, Wrong> {
        let DeValue::String(text) = self.value else { return Err(self.wrong("a time such as \"250ms\"")) };
        let time = read_duration(text).filter(|time| time.as_secs() < LONGEST_SECONDS);
        time.map(|time| time.as_secs_f64())
            .ok_or_else(|| self.wrong("a time such as \"250ms\", of less than ten minutes"))
    }
}

/// No request takes as long: each of its phases has a limit of a minute at most.
const LONGEST_SECONDS: u64 = 600;

impl<'a> Table<'a> {
    /// The table of a whole file.
    pub(super) fn whole(text: &'a str, entries: &'a DeTable<'a>) -> Self {
        Self { text, path: String::new(), at: 0, entries, read: BTreeSet::new() }
    }

    fn line(&self, at: usize) -> usize {
        line(self.text, at)
    }

    fn find(&mut self, name: &'a str) -> Option<Entry<'a>> {
        let (_, value) = self.entries.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
        self.read.insert(name);
        Some(self.entry(name, value))
    }

    fn entry(&self, name: &str, value: &'a Spanned<DeValue<'a>>) -> Entry<'a> {
        Entry { name: format!("{}{name}", self.path), line: self.line(value.span().start), value: value.get_ref() }
    }

    fn need(&mut self, name: &'a str, expected: &str) -> Result<Entry<'a>, Wrong> {
        self.find(name).ok_or_else(|| Wrong {
            line: self.line(self.at),
            what: format!("`{}{name}` is missing; expected {expected}", self.path),
        })
    }

    pub(super) fn share(&mut self, name: &'a str) -> Result<f64, Wrong> {
        self.need(name, "a share from 0 to 1")?.number_within(0.0..=1.0, "a share")
    }

    pub(super) fn number(&mut self, name: &'a str, range: RangeInclusive<f64>) -> Result<f64, Wrong> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.need(name, &expected)?.number_within(range, "a number")
    }

    pub(super) fn whole_number(&mut self, name: &'a str, range: RangeInclusive<u32>) -> Result<u32, Wrong> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let entry = self.need(name, &expected)?;
        let number = entry.number().filter(|number| number.fract() == 0.0);
        let within = |number: &f64| (f64::from(*range.start())..=f64::from(*range.end())).contains(number);
        number.filter(within).map(|number| number as u32).ok_or_else(|| entry.wrong(&expected))
    }

    /// Whether it has this; it may.
    pub(super) fn optional(&mut self, name: &'a str) -> bool {
        self.read.insert(name);
        self.has(name)
    }

    /// Whether it has this.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.get_ref().as_ref() == name)
    }

    pub(super) fn yes_or_no(&mut self, name: &'a str) -> Result<bool, Wrong> {
        let expected = "true or false";
        let entry = self.need(name, expected)?;
        if let DeValue::Boolean(value) = entry.value { Ok(*value) } else { Err(entry.wrong(expected)) }
    }

    pub(super) fn duration(&mut self, name: &'a str, range: RangeInclusive<Duration>) -> Result<Duration, Wrong> {
        let words = |time: &Duration| format!("{}s", time.as_secs());
        let expected = format!("a time such as \"10m\", from {} to {}", words(range.start()), words(range.end()));
        let entry = self.need(name, &expected)?;
        let DeValue::String(text) = entry.value else { return Err(entry.wrong(&expected)) };
        read_duration(text).filter(|time| range.contains(time)).ok_or_else(|| entry.wrong(&expected))
    }

    /// The tables of a list, at most so many.
    pub(super) fn tables(&mut self, name: &'a str, most: usize) -> Result<Vec<Self>, Wrong> {
        let expected = format!("a list of at most {most} tables, each as [[{}{name}]]", self.path);
        let entry = self.need(name, &expected)?;
        let DeValue::Array(items) = entry.value else { return Err(entry.wrong(&expected)) };
        if items.len() > most {
            return Err(entry.wrong(&expected));
        }
        let table = |item: &'a Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::Table(entries) => Ok(Self {
                text: self.text,
                path: format!("{}{name}.", self.path),
                at: item.span().start,
                entries,
                read: BTreeSet::new(),
            }),
            _ => Err(entry.wrong(&expected)),
        };
        items.iter().map(table).collect()
    }

    /// A name that can stand in files and tables.
    pub(super) fn name(&mut self) -> Result<String, Wrong> {
        let name = self.words("name")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.chars().count() > MAX_NAME_CHARS || !name.chars().all(is_name) {
            let what = "expected at most 40 letters, digits, hyphens, underscores and dots";
            return Err(self.wrong_at("name", format!("`name` is \"{}\"; {what}", name.escape_default())));
        }
        Ok(name)
    }

    pub(super) fn words(&mut self, name: &'a str) -> Result<String, Wrong> {
        let entry = self.need(name, "a text")?;
        match entry.value {
            DeValue::String(text) if !text.trim().is_empty() => Ok(text.to_string()),
            _ => Err(entry.wrong("a text")),
        }
    }

    /// A list of texts, each read by `read`.
    pub(super) fn list<T>(
        &mut self,
        name: &'a str,
        expected: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Wrong> {
        let entry = self.need(name, expected)?;
        let DeValue::Array(items) = entry.value else { return Err(entry.wrong(expected)) };
        let item = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::String(text) => read(text).map_err(|reason| Wrong {
                line: self.line(item.span().start),
                what: format!("`{}`: {reason}", entry.name),
            }),
            _ => Err(entry.wrong(expected)),
        };
        let items: Vec<T> = items.iter().map(item).collect::<Result<_, _>>()?;
        if items.is_empty() {
            let what = format!("`{}` is an empty list; expected {expected}", entry.name);
            return Err(self.wrong_at(name, what));
        }
        Ok(items)
    }

    /// A table in this one.
    pub(super) fn table(&mut self, name: &'a str) -> Result<Self, Wrong> {
        let path = format!("{}{name}.", self.path);
        let expected = format!("a table [{}{name}]", self.path);
        let entry = self.need(name, &expected)?;
        let DeValue::Table(entries) = entry.value else { return Err(entry.wrong(&expected)) };
        let value = self.entries.iter().find(|(key, _)| key.get_ref().as_ref() == name);
        let at = value.map_or(self.at, |(key, _)| key.span().start);
        Ok(Self { text: self.text, path, at, entries, read: BTreeSet::new() })
    }

    /// All entries of this table, whose names say where each share belongs.
    pub(super) fn shares<K: Copy + Into<f64>>(
        self,
        what: &str,
        key: impl Fn(&str) -> Option<K>,
    ) -> Result<Vec<(K, f64)>, Wrong> {
        let mut shares = self.keyed(what, key, |entry| entry.number_within(0.0..=1.0, "a share"))?;
        shares.sort_by(|one, other| one.1.0.into().total_cmp(&other.1.0.into()));
        Ok(shares.into_iter().map(|(_, pair)| pair).collect())
    }

    /// A distribution: times at quantiles, `p0` and `p100` among them.
    pub(super) fn quantiles(&mut self, name: &'a str) -> Result<Quantiles, Wrong> {
        let table = self.table(name)?;
        let (path, at) = (table.path.trim_end_matches('.').to_owned(), table.line(table.at));
        let quantile = |key: &str| {
            let percent: f64 = key.strip_prefix('p')?.parse().ok()?;
            (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
        };
        let mut times = table.keyed("quantile such as p50 or \"p99.5\"", quantile, Entry::seconds)?;
        times.sort_by(|one, other| one.1.0.total_cmp(&other.1.0));
        let lines: Vec<usize> = times.iter().map(|(line, _)| *line).collect();
        let pairs: Vec<(f64, f64)> = times.into_iter().map(|(_, pair)| pair).collect();
        Quantiles::new(pairs.clone()).map_err(|error| match error {
            NoDistribution::Open => {
                Wrong { line: at, what: format!("`{path}` has no p0 or no p100; expected both, and others in between") }
            }
            NoDistribution::Falls(index) => {
                let ((low, before), (high, after)) = (pairs[index - 1], pairs[index]);
                let what = format!(
                    "`{path}` goes down, from {before} s at p{} to {after} s at p{}; expected times that ascend with the quantiles",
                    low * 100.0,
                    high * 100.0
                );
                Wrong { line: lines[index], what }
            }
        })
    }

    /// All entries, with their lines.
    fn keyed<K, V>(
        self,
        what: &str,
        key: impl Fn(&str) -> Option<K>,
        value: impl Fn(&Entry<'a>) -> Result<V, Wrong>,
    ) -> Result<Keyed<K, V>, Wrong> {
        let each = self.entries.iter().map(|(name, item)| {
            let entry = self.entry(name.get_ref(), item);
            let unknown = || Wrong { line: entry.line, what: format!("`{}` is no {what}", entry.name) };
            Ok((entry.line, (key(name.get_ref()).ok_or_else(unknown)?, value(&entry)?)))
        });
        each.collect()
    }

    /// Everything has been read: what is left is unknown.
    pub(super) fn finish(self) -> Result<(), Wrong> {
        let Some((key, _)) = self.entries.iter().find(|(key, _)| !self.read.contains(key.get_ref().as_ref())) else {
            return Ok(());
        };
        let known: Vec<_> = self.read.iter().copied().collect();
        let (path, name) = (&self.path, key.get_ref());
        let what = format!("`{path}{name}` is unknown; expected one of {}", known.join(", "));
        Err(Wrong { line: self.line(key.span().start), what })
    }

    /// An error about one of its entries.
    pub(super) fn wrong_at(&self, name: &str, what: String) -> Wrong {
        let at = self.entries.iter().find(|(key, _)| key.get_ref().as_ref() == name).map(|(key, _)| key.span().start);
        Wrong { line: self.line(at.unwrap_or(self.at)), what }
    }

    /// An error about this table as a whole.
    pub(super) fn wrong(&self, what: String) -> Wrong {
        Wrong { line: self.line(self.at), what }
    }
}

/// The number of the line in which a byte stands, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
