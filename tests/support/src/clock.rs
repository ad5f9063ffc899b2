//! Another time for a program: Debian's `faketime`, without its wrapper, which would be what is signalled.

use std::path::PathBuf;

/// Where distributions keep libraries, some of them in a folder for each architecture.
const FOLDERS: [&str; 3] = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// What gives another time to a program with threads that is started with it.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Where the library is, for `LD_PRELOAD`.
///
/// # Panics
/// If it is not there, although `faketime` is.
pub fn faketime() -> String {
    let of_architectures = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = FOLDERS.into_iter().flat_map(|folder| {
        let inside = of_architectures(folder).map(|entry| entry.path());
        [PathBuf::from(folder)].into_iter().chain(inside)
    });
    let found = folders.map(|folder| folder.join(LIBRARY)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no {LIBRARY} in or below {FOLDERS:?}")).display().to_string()
}
