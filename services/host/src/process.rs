//! What this process takes of its machine (Linux: proc(5)).

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{SysconfVar, sysconf};

/// What a process takes, in the units of Prometheus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Time on processors, of the process itself and in the kernel.
    pub cpu: Duration,
    /// Memory that is in use, in bytes.
    pub resident_bytes: u64,
    /// Memory that has addresses, in bytes.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files, sockets among them.
    pub open_files: u64,
    /// How many there may be.
    pub max_files: u64,
    /// When it was started, since 1970.
    pub started: Duration,
}

/// The figures of this process; `None` where the system does not say.
pub fn figures() -> Option<Figures> {
    let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let setting = |name| sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok());
    let (ticks, page) = (setting(SysconfVar::CLK_TCK)?.max(1), setting(SysconfVar::PAGE_SIZE)?);
    let seconds = |of_clock: u64| Duration::from_secs_f64(of_clock as f64 / ticks as f64);
    Some(Figures {
        cpu: seconds(stat.cpu_ticks),
        resident_bytes: stat.resident_pages * page,
        virtual_bytes: stat.virtual_bytes,
        threads: stat.threads,
        // The folder that is read is open itself.
        open_files: (fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1),
        max_files: getrlimit(Resource::RLIMIT_NOFILE).ok()?.0,
        started: Duration::from_secs(boot_time(&fs::read_to_string("/proc/stat").ok()?)?) + seconds(stat.start_ticks),
    })
}

/// What counts of /proc/self/stat.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may have any characters in it.
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        // As proc(5) numbers them; the first one here is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine was started, in seconds since 1970.
fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn fields_are_counted_behind_a_name_that_may_have_anything_in_it() {
        let text =
            "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 123456 1048576 300 18446744073709551615 1";
        let stat =
            Stat { cpu_ticks: 300, threads: 9, start_ticks: 123_456, virtual_bytes: 1_048_576, resident_pages: 300 };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("7 (a"), None);
        assert_eq!(Stat::parse("7 (a) S 1"), None);
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
    }

    #[test]
    fn this_process_has_been_started_and_takes_something() {
        let figures = figures().unwrap();
        assert!(figures.resident_bytes > 100_000 && figures.virtual_bytes >= figures.resident_bytes, "{figures:?}");
        assert!(
            figures.threads >= 1 && figures.open_files >= 3 && figures.max_files >= figures.open_files,
            "{figures:?}"
        );
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let age = now.abs_diff(figures.started);
        assert!(age < Duration::from_secs(24 * 3600), "{age:?}");
    }

    #[test]
    fn an_open_file_counts() {
        let before = figures().unwrap().open_files;
        let held: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        // Other tests open files as well, but not so many.
        assert!(figures().unwrap().open_files >= before + 30);
        drop(held);
    }
}
