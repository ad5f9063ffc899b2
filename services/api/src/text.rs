//! Text that a stranger sent: kept, but never longer than it is useful.

use parsec_measure::harmless;

/// How much of a stranger's text is repeated in an error: a sentence or two, and never a whole error page.
pub(crate) const MAX_TEXT_CHARS: usize = 300;

/// What is repeated of `text` in an error: [`MAX_TEXT_CHARS`] characters, and none that does harm.
pub(crate) fn cut(text: &str) -> String {
    harmless(text, MAX_TEXT_CHARS)
}
