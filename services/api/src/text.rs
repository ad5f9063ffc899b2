//! Text that a stranger sent: kept, but never longer than it is useful.

/// How much of a stranger's text is repeated in an error: a sentence or two, and never a whole error page.
pub(crate) const MAX_TEXT_CHARS: usize = 300;

/// At most [`MAX_TEXT_CHARS`] characters of `text`; what was cut off shows as `…`.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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
