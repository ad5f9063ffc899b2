//! What becomes of memory that is freed.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// From how many bytes on glibc takes a piece from the system, and gives it back when it is freed: glibc's own default, which it keeps to
/// only if it is said, and otherwise raises up to 32 MiB with what is freed (mallopt(3), `M_MMAP_THRESHOLD`). What lies below the
/// threshold stays with the arena of the thread that took it.
const THRESHOLD: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "131072");

/// Has large pieces that are freed given back to the system. glibc reads this when a process begins, from the environment alone unless
/// code is unsafe, so the program begins once more, as the same process: call it first of all, and only if no variable says what glibc's
/// allocator has to do, which one does from then on. With another library than glibc nothing is done.
///
/// # Errors
/// If the program cannot begin once more. It works without, and takes more memory.
pub fn give_back() -> io::Result<()> {
    if !cfg!(target_env = "gnu") {
        return Ok(());
    }
    let (name, value) = THRESHOLD;
    let mut words = env::args_os();
    let mut again = Command::new(env::current_exe()?);
    if let Some(own_name) = words.next() {
        again.arg0(own_name);
    }
    // It comes back only if it failed.
    Err(again.args(words).env(name, value).exec())
}
