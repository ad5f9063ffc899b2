//! Readers of plain values.
//!
//! A reader gives back what would have been right; the caller knows the place and the value.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use crate::key::Choice;

/// How many slips (a letter too many, too few, wrong, or two swapped) a name may be away from a known one to be taken
/// for it: enough for mistyping, too few to turn one real name of the table into a guess for something else.
const MAX_SLIPS: usize = 3;

/// What a reader makes of a text: the value, or what would have been right.
pub type Reading<T> = Result<T, String>;

/// Text that says something.
pub fn text(text: &str) -> Reading<String> {
    if text.trim().is_empty() { Err("expected a text that is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A file or a directory.
pub fn path(path: &str) -> Reading<PathBuf> {
    text(path).map(PathBuf::from)
}

/// The forms that Go's `strconv.ParseBool` takes.
pub fn switch(text: &str) -> Reading<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err("expected true or false (or 1 or 0)".to_owned()),
    }
}

/// A whole number in this range.
pub fn within<T: FromStr + PartialOrd + fmt::Display>(range: RangeInclusive<T>) -> impl Fn(&str) -> Reading<T> {
    move |text| {
        let (first, last) = (range.start(), range.end());
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("expected a whole number from {first} to {last}"))
    }
}

/// Reads what `item` reads, separated by commas; nothing at all is an empty list.
pub fn list<T>(item: impl Fn(&str) -> Reading<T>) -> impl Fn(&str) -> Reading<Vec<T>> {
    move |text| text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(&item).collect()
}

/// A list of at least one item, none of them twice.
pub fn distinct<T: PartialEq + fmt::Display>(item: impl Fn(&str) -> Reading<T>) -> impl Fn(&str) -> Reading<Vec<T>> {
    let read = list(item);
    move |text| {
        let items = read(text)?;
        let twice = (1..items.len()).find(|index| items[..*index].contains(&items[*index]));
        match twice {
            Some(index) => Err(format!("`{}` stands there twice", items[index])),
            None if items.is_empty() => Err("expected at least one name".to_owned()),
            None => Ok(items),
        }
    }
}

/// What its type reads.
pub fn parsed<T: FromStr<Err: fmt::Display>>(text: &str) -> Reading<T> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// What to say of a text that is none of a few names. A noun is used where the name alone would not say what is unknown.
pub fn no_choice(noun: &str, text: &str, choices: &[Choice]) -> String {
    let names = choices.iter().map(|(name, _)| *name);
    let known = names.clone().collect::<Vec<_>>().join(", ");
    let unknown = if noun.is_empty() { String::new() } else { format!("unknown {noun} `{text}`; ") };
    format!("{unknown}expected one of: {known}{}", did_you_mean(text, names))
}

/// The end of a message about an unknown name: the known one that looks most like it, if one does. In a short name, one slip
/// for every three letters.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let most = MAX_SLIPS.min(name.chars().count() / 3);
    let near = known.map(|known| (strsim::damerau_levenshtein(name, known), known)).filter(|(slips, _)| *slips <= most);
    near.min().map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default()
}
