//! Damage to the files in which rows wait, while a process uses them.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How many bytes of each file change.
const PLACES: usize = 8;

/// So far from its end: it is the last rows that wait.
const TAIL: u64 = 128 << 10;

/// Changes some bytes of each file of rows in each slot of a spool. Returns how many.
pub(crate) fn flip_some(spool: &Path) -> usize {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries(spool).flat_map(|slot| entries(&slot).collect::<Vec<PathBuf>>());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "entries")).map(|file| flip(&file)).sum()
}

/// Its writer appends to it meanwhile, or cuts or removes it: what cannot be changed is not.
fn flip(path: &Path) -> usize {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return 0 };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let changes = (0..PLACES).filter(|_| {
        let at = rand::random_range(length.saturating_sub(TAIL)..length.max(1));
        let mut byte = [0];
        let read = file.read_at(&mut byte, at).unwrap_or(0);
        byte[0] ^= rand::random_range(1..=u8::MAX);
        read == 1 && file.write_at(&byte, at).is_ok()
    });
    changes.count()
}
