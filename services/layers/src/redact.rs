//! Command lines without their secrets.

use std::ffi::OsString;

use crate::app::App;
use crate::key::Secrecy;
use crate::secrecy::{BLANK, mask_stray};

/// The command line as it may be stored and shown: the values of secret flags are blanked, and so is
/// every password in a URL or a login, wherever it stands.
pub fn redacted(app: &App, args: impl IntoIterator<Item = OsString>) -> String {
    let is_secret = |flag: &str| app.meant_by(flag).any(|key| key.secrecy == Secrecy::Secret);
    let mut secret_follows = false;
    let shown = args.into_iter().map(|arg| {
        let arg = arg.to_string_lossy();
        let (flag, value) = arg.split_once('=').map_or((&*arg, None), |(flag, value)| (flag, Some(value)));
        let bare = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-'));
        match (std::mem::take(&mut secret_follows), bare.is_some_and(is_secret), value) {
            (true, ..) => BLANK.to_owned(),
            (false, true, Some(_)) => format!("{flag}={BLANK}"),
            (false, true, None) => {
                secret_follows = true;
                arg.into_owned()
            }
            (false, false, _) => mask_stray(&arg),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}
