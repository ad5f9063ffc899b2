//! Memory: what the machine has, and what the limits of cgroups leave of it.

use std::fs;
use std::path::{Path, PathBuf};

const MEMINFO: &str = "/proc/meminfo";
const CGROUPS: &str = "/proc/self/cgroup";

/// How much memory this process may have in all, in bytes: that of the machine, or the lowest limit of its cgroups. `None`
/// where the system does not say.
pub fn total() -> Option<u64> {
    let machine = fs::read_to_string(MEMINFO).ok().and_then(|text| parse_meminfo(&text, "MemTotal:"));
    let cgroups = fs::read_to_string(CGROUPS).unwrap_or_default();
    let limits = folders(&cgroups).into_iter().filter_map(|folder| limit_in(&folder));
    machine.into_iter().chain(limits).min()
}

/// How much memory this process can still have without swapping, in bytes: what the machine has to give, and what the limits of its cgroups
/// leave. `None` where the system does not say.
pub fn available() -> Option<u64> {
    let machine = fs::read_to_string(MEMINFO).ok().and_then(|text| parse_meminfo(&text, "MemAvailable:"));
    let cgroups = fs::read_to_string(CGROUPS).unwrap_or_default();
    let limits = folders(&cgroups).into_iter().filter_map(|folder| left_in(&folder));
    machine.into_iter().chain(limits).min()
}

/// An amount of it, in bytes.
fn parse_meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The folders in which the limits of memory stand that count for a process with these cgroups: its own and all above.
fn folders(cgroups: &str) -> Vec<PathBuf> {
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            _ if controllers.split(',').any(|controller| controller == "memory") => Path::new("/sys/fs/cgroup/memory"),
            _ => return None,
        };
        let below = path.trim_matches('/');
        // Joined with nothing, a path would end with a slash.
        Some((root, if below.is_empty() { root.to_owned() } else { root.join(below) }))
    };
    let above = |(root, folder): (&Path, PathBuf)| -> Vec<PathBuf> {
        folder.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned).collect()
    };
    cgroups.lines().filter_map(group).flat_map(above).collect()
}

/// What a cgroup's limit leaves, if it has one. What it holds of files can be had back.
fn left_in(folder: &Path) -> Option<u64> {
    let limit = limit_in(folder)?;
    let used = number(folder, "memory.current").or_else(|| number(folder, "memory.usage_in_bytes"))?;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let of_files = ["inactive_file", "active_file"].map(|name| {
        let value = |line: &str| line.split_once(' ').filter(|(found, _)| *found == name)?.1.parse::<u64>().ok();
        stat.lines().find_map(value).unwrap_or(0)
    });
    Some(limit.saturating_sub(used.saturating_sub(of_files.iter().sum())))
}

/// A cgroup's limit, in version 2 or in version 1, where a number beyond all memory stands for none.
fn limit_in(folder: &Path) -> Option<u64> {
    number(folder, "memory.max").or_else(|| number(folder, "memory.limit_in_bytes"))
}

fn number(folder: &Path, name: &str) -> Option<u64> {
    fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_read_in_bytes() {
        let available = |text| parse_meminfo(text, "MemAvailable:");
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   24576000 kB\nMemFree: 1 kB\n"), Some(25_165_824_000));
        assert_eq!(available("MemTotal: 9 kB\n"), None, "an old kernel");
        assert_eq!(available("MemAvailable: much kB"), None);
    }

    #[test]
    fn the_limits_of_all_cgroups_above_count_in_both_versions() {
        let paths = |text| folders(text).into_iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(paths("0::/a/b"), ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"]);
        assert_eq!(folders("0::/"), [PathBuf::from("/sys/fs/cgroup")]);
        assert_eq!(
            paths("9:name=systemd:/x\n4:cpu,memory:/docker/y\n8:pids:/z"),
            ["/sys/fs/cgroup/memory/docker/y", "/sys/fs/cgroup/memory/docker", "/sys/fs/cgroup/memory"]
        );
        assert_eq!(paths("nonsense\n\n"), [""; 0]);
    }

    #[test]
    fn a_cgroup_leaves_its_limit_less_what_is_used_and_cannot_be_had_back() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(left_in(folder.path()), None, "no limit at all");
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        assert_eq!(left_in(folder.path()), None, "none set");
        assert_eq!(limit_in(folder.path()), None);
        write("memory.max", "1000\n");
        assert_eq!((limit_in(folder.path()), left_in(folder.path())), (Some(1000), Some(300)));
        write("memory.stat", "anon 5\ninactive_file 100\nactive_file 50\nworkingset 9\n");
        assert_eq!(left_in(folder.path()), Some(450));
        write("memory.current", "1700\n");
        assert_eq!(left_in(folder.path()), Some(0));
    }

    #[test]
    fn version_1_has_other_names_and_a_number_beyond_all_memory_for_no_limit() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        let machine = parse_meminfo(&fs::read_to_string(MEMINFO).unwrap(), "MemTotal:").unwrap();
        assert!(limit_in(folder.path()).unwrap() > machine, "the machine's is the lower one");
        fs::write(folder.path().join("memory.limit_in_bytes"), "536870912\n").unwrap();
        assert_eq!(limit_in(folder.path()), Some(512 << 20));
    }

    #[test]
    fn what_can_still_be_had_is_no_more_than_there_is() {
        assert!(available().unwrap() <= total().unwrap());
    }
}
