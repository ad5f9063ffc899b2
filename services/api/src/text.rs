//! Text that a stranger sent: kept, but never longer than it is useful.

/// How much of a stranger's text is repeated in an error: a sentence or two, and never a whole error page.
pub(crate) const MAX_TEXT_CHARS: usize = 300;

/// At most [`MAX_TEXT_CHARS`] characters of `text`; what was cut off shows as `…`.
pub(crate) fn cut(text: &str) -> String {
    cut_to(MAX_TEXT_CHARS, text)
}

/// At most `chars` characters of `text`; what was cut off shows as `…`.
pub(crate) fn cut_to(chars: usize, text: &str) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text that every database takes: PostgreSQL refuses the character NUL in a text.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ü".repeat(MAX_TEXT_CHARS)), "ü".repeat(MAX_TEXT_CHARS));
        assert_eq!(cut(&"ü".repeat(MAX_TEXT_CHARS + 1)), "ü".repeat(MAX_TEXT_CHARS) + "…");
    }
}
