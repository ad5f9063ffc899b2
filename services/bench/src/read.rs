//! Files that somebody wrote for a comparison.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;

use crate::refused::Refused;

/// The text of a file that a flag names, of so many bytes at most.
///
/// # Errors
/// If it cannot be read, or is larger.
pub(crate) fn file(flag: &str, path: &Path, most: u64) -> anyhow::Result<String> {
    let (name, mut text) = (path.display(), String::new());
    let cannot = || format!("{flag} {name}: cannot be read");
    let file = File::open(path).with_context(cannot)?;
    file.take(most + 1).read_to_string(&mut text).with_context(cannot)?;
    if text.len() as u64 > most {
        let reason = format!("{flag} {name}: it has more than {most} bytes, which none has that is meant for this");
        return Err(Refused::Unusable(reason).into());
    }
    Ok(text)
}
