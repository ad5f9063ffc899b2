//! Secrets, which are never shown, and secrets in a text, blanked.

use std::fmt;

/// What stands where a secret was.
pub(crate) const BLANK: &str = "***";

/// Text that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for those who need it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BLANK)
    }
}

/// `text` with the passwords blanked that it holds if it is a URL; `None` if it is no URL.
///
/// A password may hold any character, also ones that a URL should not: everything up to the last `@` is taken for it.
pub(crate) fn mask_url(text: &str) -> Option<String> {
    if text.starts_with("sqlite:") {
        return Some(text.to_owned());
    }
    let (scheme, rest) = text.split_once("://")?;
    let rest = match rest.rsplit_once('@').map(|(login, host)| (login.split_once(':'), host)) {
        Some((Some((user, _)), host)) => format!("{user}:{BLANK}@{host}"),
        _ => rest.to_owned(),
    };
    Some(format!("{scheme}://{}", mask_parameters(&rest)))
}

/// `text` with the passwords blanked that somebody wrote where none belongs: in a URL, in `user:password@host`, or behind
/// `password=`, as in the connection strings of PostgreSQL's own clients.
pub(crate) fn mask_stray(text: &str) -> String {
    if let Some(url) = mask_url(text) {
        return url;
    }
    if let Some((login, host)) = text.rsplit_once('@')
        && let Some((user, _)) = login.split_once(':')
    {
        return format!("{user}:{BLANK}@{host}");
    }
    match text.to_ascii_lowercase().find(PASSWORD_FOLLOWS) {
        Some(at) => format!("{}{BLANK}", &text[..at + PASSWORD_FOLLOWS.len()]),
        None => text.to_owned(),
    }
}

const PASSWORD_FOLLOWS: &str = "password=";

/// PostgreSQL takes a password as a parameter of the URL too.
fn mask_parameters(url: &str) -> String {
    let Some((address, query)) = url.split_once('?') else { return url.to_owned() };
    let masked = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}={BLANK}"),
        _ => parameter.to_owned(),
    });
    format!("{address}?{}", masked.collect::<Vec<_>>().join("&"))
}
