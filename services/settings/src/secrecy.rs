//! Secrets in a text, blanked.

/// What stands where a secret was.
pub(super) const BLANK: &str = "***";

/// `text` with the passwords blanked that it holds if it is a URL; `None` if it is no URL.
///
/// A password may hold any character, also ones that a URL should not: everything up to the last `@` is taken for it.
pub(super) fn mask_url(text: &str) -> Option<String> {
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

/// PostgreSQL takes a password as a parameter of the URL too.
fn mask_parameters(url: &str) -> String {
    let Some((address, query)) = url.split_once('?') else { return url.to_owned() };
    let masked = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}={BLANK}"),
        _ => parameter.to_owned(),
    });
    format!("{address}?{}", masked.collect::<Vec<_>>().join("&"))
}
