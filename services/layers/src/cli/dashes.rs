//! Flags with one dash: `-fleet x`, as Go's flag package reads them beside `--fleet x`.

use std::ffi::{OsStr, OsString};

use crate::app::App;
use crate::key::{Key, Kind};

/// The same command line with two dashes before each of our flags but those of one letter, and with a flag and its value as one word where the value
/// is a negative number: it is refused as what it is then, not as an unknown flag. Other values stay as they are, also those
/// that look like flags.
pub(super) fn doubled(app: &App, args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut value_follows = false;
    let mut over = false;
    for arg in args {
        if std::mem::take(&mut value_follows) && !over {
            match words.last_mut() {
                Some(flag) if is_negative(&arg) => {
                    flag.push("=");
                    flag.push(arg);
                }
                _ => words.push(arg),
            }
            continue;
        }
        over |= arg == "--";
        let ours = if over { None } else { flag(app, &arg) };
        value_follows = ours.as_ref().is_some_and(|(_, value_follows)| *value_follows);
        words.push(ours.map_or(arg, |(flag, _)| flag));
    }
    words
}

/// The flag with two dashes, or with one if it is short, and whether its value is the next word; `None` if it is none of ours.
fn flag(app: &App, arg: &OsStr) -> Option<(OsString, bool)> {
    let bare = arg.to_str()?.strip_prefix('-')?;
    let is_short = |key: &&Key| key.short.is_some_and(|letter| bare.chars().eq([letter]));
    let mut short = app.keys().filter(is_short).peekable();
    if short.peek().is_some() {
        return Some((arg.to_owned(), short.any(|key| key.kind != Kind::Switch)));
    }
    let bare = bare.strip_prefix('-').unwrap_or(bare);
    let (name, has_value) = bare.split_once('=').map_or((bare, false), |(name, _)| (name, true));
    let mut ours = app.meant_by(name).peekable();
    if ours.peek().is_none() && !["help", "version"].contains(&name) {
        return None;
    }
    Some((format!("--{bare}").into(), !has_value && ours.any(|key| key.kind != Kind::Switch)))
}

fn is_negative(arg: &OsStr) -> bool {
    let number = arg.to_str().and_then(|text| text.strip_prefix('-')).map(|text| text.trim_start_matches('.'));
    number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::app;

    fn doubled(line: &str) -> String {
        let words = super::doubled(app(), line.split(' ').map(OsString::from));
        words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn one_dash_is_as_good_as_two_for_flags_and_nothing_else() {
        for (line, expected) in [
            ("parsec -debug server -fleet x", "parsec --debug server --fleet x"),
            ("parsec server -fleet=x dht -fullrt=true", "parsec server --fleet=x dht --fullrt=true"),
            ("parsec server -dht-server", "parsec server --dht-server"),
            ("parsec -help", "parsec --help"),
            ("parsec server --fleet x", "parsec server --fleet x"),
            ("parsec -h", "parsec -h"),
            ("parsec -V", "parsec -V"),
            ("parsec server -fleat x", "parsec server -fleat x"),
            ("parsec -db-password -debug server", "parsec --db-password -debug server"),
            ("parsec --db-password -fleet server", "parsec --db-password -fleet server"),
            ("parsec -db-password=x -debug server", "parsec --db-password=x --debug server"),
            ("parsec provide -- -debug", "parsec provide -- -debug"),
            ("parsec provide -", "parsec provide -"),
            ("parsec demo --peers -5 -debug", "parsec demo --peers=-5 --debug"),
            ("parsec demo -rounds -.5", "parsec demo --rounds=-.5"),
            ("parsec demo --debug -5", "parsec demo --debug -5"),
            ("parsec demo -p -debug -debug", "parsec demo -p -debug --debug"),
            ("parsec demo -p -5", "parsec demo -p=-5"),
            ("parsec demo -p5 -debug", "parsec demo -p5 --debug"),
            ("parsec demo -peers 5", "parsec demo --peers 5"),
        ] {
            assert_eq!(doubled(line), expected);
        }
    }
}
