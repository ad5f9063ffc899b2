//! Runs that are kept in files.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use parsec_results::run::{Run, RunError};

/// The largest file that is read: two million operations, many times what a run has.
const MAX_BYTES: u64 = 1 << 30;

/// A place for a file that is written when everything is known, and tried before anything is measured: what took an hour is not lost
/// because a directory is not there. Until then, a file that stands there already stays as it is.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Where it is until it is whole. What is no file, such as `/dev/stdout`, has none: it is written to, and never replaced.
    draft: Option<PathBuf>,
    file: File,
}

impl Place {
    /// A place at `path`, which the flag `flag` named.
    ///
    /// # Errors
    /// If no file can be written there.
    pub fn at(path: &Path, flag: &str) -> anyhow::Result<Self> {
        let context = || format!("{flag} {}: cannot be written", path.display());
        if path.is_dir() {
            bail!("{flag} {}: it is a directory; expected the name of a file", path.display());
        }
        let is_special = path.metadata().is_ok_and(|found| !found.is_file());
        let draft = (!is_special).then(|| {
            let mut draft = path.as_os_str().to_owned();
            draft.push(format!(".{}.part", std::process::id()));
            PathBuf::from(draft)
        });
        let file = match &draft {
            Some(draft) => File::create(draft),
            None => File::options().write(true).open(path),
        };
        Ok(Self { path: path.to_owned(), draft, file: file.with_context(context)? })
    }

    /// Where the file will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file, at once or not at all.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn write(mut self, text: &str) -> anyhow::Result<()> {
        self.add(text)?;
        self.done()
    }

    /// Adds to what will stand in the file.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(crate) fn add(&mut self, text: &str) -> anyhow::Result<()> {
        self.file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Puts the file in its place, with all that was added.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(crate) fn done(self) -> anyhow::Result<()> {
        let Some(draft) = &self.draft else { return Ok(()) };
        let written = self.file.sync_all().and_then(|()| fs::rename(draft, &self.path));
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Gone already if it was written.
        let _ = self.draft.as_ref().map(fs::remove_file);
    }
}

/// Reads a run.
///
/// # Errors
/// If there is none that this version can read. The message names the file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Run> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{}: it has more than {MAX_BYTES} bytes, and no run has", path.display());
    }
    let run = String::from_utf8(bytes).map_err(|_| RunError::Foreign).and_then(|text| Run::read(&text));
    run.with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        let run = |seed| Run::new("bench", ("1", "x"), seed, BTreeMap::new());
        Place::at(&path, "--save").unwrap().write(&run(1).text()).unwrap();
        assert_eq!(read(&path).unwrap(), run(1));
        // A run that comes to nothing leaves the earlier one, and no draft.
        drop(Place::at(&path, "--save").unwrap());
        assert_eq!(read(&path).unwrap(), run(1));
        Place::at(&path, "--save").unwrap().write(&run(2).text()).unwrap();
        assert_eq!(read(&path).unwrap(), run(2));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_written_to_and_stays_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        Place::at(&path, "--output").unwrap().write("nothing").unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    #[test]
    fn what_comes_in_parts_is_there_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("traces.json");
        let mut place = Place::at(&path, "--output").unwrap();
        place.add("[1,").unwrap();
        place.add("2]").unwrap();
        assert!(!path.exists());
        place.done().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[1,2]");
    }

    #[test]
    fn a_place_where_nothing_can_be_written_is_said_before_anything_is_measured() {
        let directory = tempfile::tempdir().unwrap();
        let nowhere = Place::at(&directory.path().join("no/run.json"), "--save").unwrap_err();
        assert!(
            format!("{nowhere:#}").ends_with("run.json: cannot be written: No such file or directory (os error 2)")
        );
        assert!(
            Place::at(directory.path(), "--save").unwrap_err().to_string().ends_with("expected the name of a file")
        );
        fs::write(directory.path().join("odd"), [0xff, 0xfe]).unwrap();
        let odd = read(&directory.path().join("odd")).unwrap_err();
        assert!(format!("{odd:#}").contains("odd: it is no run that `parsec bench --save`"), "{odd:#}");
    }
}
