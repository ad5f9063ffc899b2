//! The terminal that a process was started from, if it was.

use std::fs::{self, File};

/// Whether this process has a controlling terminal, which is there. One that has hung up is not.
pub fn is_there() -> bool {
    File::options().read(true).write(true).open("/dev/tty").is_ok()
}

/// Whether whoever started this process wants it to outlive a hang-up (nohup(1)). Ask before anybody listens for the
/// signal.
pub fn hangup_is_ignored() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// SIGHUP is the first signal, and so the lowest bit of the mask of ignored ones.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_of_the_mask_is_the_hang_up() {
        assert!(ignores_hangup("Name:\tparsec\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup("SigCgt:\t0000000000000001\n") && !ignores_hangup("SigIgn: much"));
    }
}
