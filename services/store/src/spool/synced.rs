//! Which directories were put on disk, for tests: they cannot cut the power.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

thread_local! {
    static SYNCED: RefCell<Vec<Vec<String>>> = const { RefCell::new(Vec::new()) };
}

/// Notes what was in the directory when it was put on disk.
pub(crate) fn note(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    SYNCED.with_borrow_mut(|synced| synced.push(names));
}

/// What was put on disk on this thread since the last call.
pub(crate) fn take() -> Vec<Vec<String>> {
    SYNCED.take()
}
