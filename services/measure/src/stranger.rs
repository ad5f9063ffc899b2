//! Words of strangers: what other peers, other servers and files say, made fit to be shown, logged and stored.
//!
//! A stranger's text can be of any length, break lines in a log, steer a terminal with control characters, turn the order of
//! letters around or hide some of them. [`harmless`] is applied where such a text comes in. What leaves the process goes
//! through [`shown`] or [`escaped_json`] besides, so that one forgotten place does no harm.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// Whether a character changes how the text around it is shown, rather than being shown itself: control characters (C0, DEL,
/// C1), line breaks of any kind, and format characters, which are those of direction, of no width, and tags.
pub fn is_harmful(character: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    // Most of all text; the tables are for the rest.
    if matches!(character, ' '..='~') {
        return false;
    }
    matches!(character.general_category(), Control | Format | LineSeparator | ParagraphSeparator)
}

/// A stranger's text in one line of at most `max_chars` characters, in which nothing is [harmful](is_harmful): line breaks
/// and tabs become blanks, the rest U+FFFD; `…` stands for what was cut off. Text that was harmless and short is as it was.
pub fn harmless(text: &str, max_chars: usize) -> String {
    let mut left = text.chars();
    let mut line: String = left.by_ref().take(max_chars).map(in_its_place).collect();
    if left.next().is_some() {
        line.push('…');
    }
    line
}

fn in_its_place(character: char) -> char {
    match character {
        _ if !is_harmful(character) => character,
        _ if character.is_whitespace() => ' ',
        _ => REPLACEMENT,
    }
}

/// Lines as a terminal or a log may have them: whatever is harmful has given way, line breaks and tabs aside, which are layout
/// there; with `colours`, also those sequences stay that set a colour or a weight (`ESC [ … m`).
pub fn shown(text: &str, colours: bool) -> Cow<'_, str> {
    let is_layout = |character| matches!(character, '\n' | '\t');
    if !text.chars().any(|character| !is_layout(character) && is_harmful(character)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if colours { colour_sequence(rest) } else { 0 };
        if length > 0 {
            shown.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        shown.push(if is_layout(next) { next } else { in_its_place(next) });
        rest = &rest[next.len_utf8()..];
    }
    Cow::Owned(shown)
}

/// How many bytes at the beginning of `text` are a sequence that sets colours; 0 if there is none.
fn colour_sequence(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    match parameters.find(|c: char| !c.is_ascii_digit() && c != ';') {
        Some(end) if parameters[end..].starts_with('m') => "\u{1b}[".len() + end + "m".len(),
        _ => 0,
    }
}

/// JSON that says the same with everything [harmful](is_harmful) in its texts escaped. Encoders escape C0 alone; line breaks
/// outside of texts stay.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let raw = |character: char| !character.is_ascii_control() || character == '\u{7f}';
    if !json.chars().any(|character| raw(character) && is_harmful(character)) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if raw(character) && is_harmful(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Escape, backspace, DEL, C1's own introducer, right-to-left override, no width, a tag, line breaks.
    const HARMFUL: [char; 10] =
        ['\u{1b}', '\u{8}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{e0041}', '\u{2028}', '\n'];

    #[test]
    fn what_steers_a_terminal_or_hides_is_harmful_and_what_can_be_read_is_not() {
        assert!(HARMFUL.into_iter().all(is_harmful));
        assert_eq!("kubo/0.39.0 grüße 漢字 🚀 ❤\u{fe0f} e\u{301} שלום".chars().find(|c| is_harmful(*c)), None);
    }

    #[test]
    fn a_harmless_text_is_one_line_and_shows_that_something_was_there() {
        assert_eq!(
            harmless("\u{1b}]0;owned\u{7}red\u{9b}31m\r\nnext\tone", 80),
            "\u{fffd}]0;owned\u{fffd}red\u{fffd}31m  next one"
        );
        assert_eq!(harmless("user\u{202e}txt.exe\u{200b}", 80), "user\u{fffd}txt.exe\u{fffd}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(harmless(&"ü".repeat(80), 80), "ü".repeat(80));
        assert_eq!(harmless(&"ü".repeat(81), 80), "ü".repeat(80) + "…");
    }

    #[test]
    fn our_own_colours_stay_where_they_are_wanted_and_nothing_else_does() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\n\u{1b}[2Jgone\u{1b}[31";
        assert_eq!(shown(text, true), "\u{1b}[1;31mred\u{1b}[0m\n\u{fffd}[2Jgone\u{fffd}[31");
        assert_eq!(shown(text, false), "\u{fffd}[1;31mred\u{fffd}[0m\n\u{fffd}[2Jgone\u{fffd}[31");
        assert!(matches!(shown("two\nlines", false), Cow::Borrowed(_)));
        assert_eq!(shown("two\n\tlines\r", false), "two\n\tlines ");
    }

    #[test]
    fn json_keeps_what_it_says() {
        let text: String = HARMFUL.iter().collect();
        let json = serde_json::to_string_pretty(&[&text]).unwrap();
        let escaped = escaped_json(&json);
        assert!(escaped.chars().all(|c| c == '\n' || !is_harmful(c)), "{escaped}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [text]);
    }

    /// Any text, with more than its share of what is harmful.
    fn text() -> impl Strategy<Value = String> {
        let character =
            prop_oneof![any::<char>(), proptest::sample::select(&HARMFUL[..]), proptest::char::range(' ', '~')];
        proptest::collection::vec(character, 0..60).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn nothing_harmful_comes_through_and_it_is_no_longer_than_asked_for(text in text(), max in 0_usize..70) {
            let line = harmless(&text, max);
            prop_assert!(!line.chars().any(is_harmful), "{line:?}");
            prop_assert!(line.chars().count() <= max + 1);
            prop_assert_eq!(&harmless(&line, max), &line, "once is enough");
        }

        #[test]
        fn what_was_harmless_stays_as_it_was(text in text()) {
            let clean: String = text.chars().filter(|c| !is_harmful(*c)).collect();
            prop_assert_eq!(harmless(&clean, 60), clean.as_str());
            prop_assert_eq!(shown(&clean, true), clean.as_str());
            prop_assert_eq!(escaped_json(&clean), clean.as_str());
        }

        #[test]
        fn a_terminal_is_sent_layout_and_colours_alone(text in text(), colours: bool) {
            let shown = shown(&text, colours);
            let mut rest = &*shown;
            while let Some(at) = rest.find(is_harmful) {
                rest = &rest[at..];
                let sequence = if colours { colour_sequence(rest) } else { 0 };
                prop_assert!(rest.starts_with(['\n', '\t']) || sequence > 0, "{rest:?}");
                rest = &rest[sequence.max(1)..];
            }
        }

        #[test]
        fn any_text_survives_in_json(text in text()) {
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escaped_json(&json);
            prop_assert!(!escaped.chars().any(is_harmful));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
