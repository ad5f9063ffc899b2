//! Flags with one dash: `-fleet x`, as Go's flag package reads them beside `--fleet x`.

use std::ffi::OsString;

use crate::declared::keys;
use crate::key::Kind;

/// The same command line with two dashes before each of our flags. Values stay as they are, also those that look like flags.
pub(super) fn doubled(args: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut value_follows = false;
    let mut over = false;
    args.into_iter().map(move |arg| {
        if over || std::mem::take(&mut value_follows) {
            return arg;
        }
        over = arg == "--";
        let Some(bare) = arg.to_str().and_then(|text| text.strip_prefix('-')) else { return arg };
        let bare = bare.strip_prefix('-').unwrap_or(bare);
        let (name, has_value) = bare.split_once('=').map_or((bare, false), |(name, _)| (name, true));
        let mut ours = keys().filter(|key| key.flags().any(|flag| flag == name)).peekable();
        if ours.peek().is_none() && !["help", "version"].contains(&name) {
            return arg;
        }
        value_follows = !has_value && ours.any(|key| key.kind != Kind::Switch);
        OsString::from(format!("--{bare}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled(line: &str) -> String {
        let words = super::doubled(line.split(' ').map(OsString::from));
        words.map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
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
        ] {
            assert_eq!(doubled(line), expected);
        }
    }
}
