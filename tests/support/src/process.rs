//! Programs, running: parsec as its operators start it, and those of other people.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::stage::Stage;
use crate::transcript::{Stream, Transcript};

/// What a process that we start inherits: where programs are, and where temporary files go.
const INHERITED: [&str; 2] = ["PATH", "TMPDIR"];

/// Where parsec keeps rows that wait for the database.
const SPOOL_DIR: &str = "PARSEC_SPOOL_DIR";

/// For [`Process::start_after`]: a write beyond a limit on files fails, and does not kill.
pub const IGNORE_FILE_LIMIT: &str = "trap '' XFSZ";

/// A process that we started; killed if it is dropped before it has ended.
#[derive(Debug)]
pub struct Process {
    stage: Stage,
    name: String,
    child: Child,
    /// Its standard input, if it has one.
    input: Mutex<Option<ChildStdin>>,
    said: Arc<Transcript>,
    /// Where its spool is; vanishes with it.
    spool: Option<TempDir>,
}

/// A terminal; it hangs up when it is dropped.
#[derive(Debug)]
pub struct Terminal {
    ours: PtyMaster,
    name: PathBuf,
}

impl Terminal {
    /// A new one.
    ///
    /// # Panics
    /// If the system grants none.
    pub fn open() -> Self {
        // No child of ours may have this end: the terminal would not hang up while it lives.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let ours = posix_openpt(flags).expect("the system has terminals");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a new terminal is ours");
        let name = ptsname_r(&ours).expect("a terminal has a name").into();
        Self { ours, name }
    }

    /// What is drawn on it.
    fn screen(&self) -> File {
        let ours = self.ours.as_fd().try_clone_to_owned();
        File::from(ours.expect("a process may have a few more files"))
    }
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    status: ExitStatus,
    /// The lines on standard output.
    pub out: Vec<String>,
    /// Standard error.
    pub err: String,
}

/// What a process takes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Resident memory (proc(5), `VmRSS`).
    pub memory_kb: u64,
    /// Open files, sockets among them.
    pub files: usize,
}

impl Process {
    /// Starts `parsec` with these arguments.
    pub fn start(stage: &Stage, args: &[&str]) -> Self {
        Self::start_with(stage, &[], args)
    }

    /// Starts `parsec` with these variables and arguments, and nothing else around it. Unless they say where its spool
    /// is, it has one of its own.
    ///
    /// # Panics
    /// If there can be no temporary directory.
    pub fn start_with(stage: &Stage, variables: &[(&str, &str)], args: &[&str]) -> Self {
        let mut command = Command::new(parsec());
        command.args(args);
        if variables.iter().any(|(name, _)| *name == SPOOL_DIR) {
            return Self::run(stage, variables, command);
        }
        let spool = tempfile::Builder::new().prefix("parsec-spool-").tempdir();
        let spool = spool.expect("tests can make a temporary directory");
        let path = spool.path().to_str().expect("temporary directories have plain names").to_owned();
        let mut started = Self::run(stage, &[variables, &[(SPOOL_DIR, &path)]].concat(), command);
        started.spool = Some(spool);
        started
    }

    /// Starts `parsec` with these arguments in a shell that has run `preparation` first, for instance to set limits.
    pub fn start_after(stage: &Stage, preparation: &str, args: &[&str]) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{preparation}; exec \"$0\" \"$@\"")]).arg(parsec()).args(args);
        Self::run(stage, &[], command)
    }

    /// Starts `parsec` with these arguments on a terminal, which is its controlling one and its standard input.
    pub fn start_on(stage: &Stage, terminal: &Terminal, args: &[&str]) -> Self {
        let mut command = Command::new("/bin/sh");
        let script = format!("exec setsid -c \"$0\" \"$@\" <{}", terminal.name.display());
        command.args(["-c", &script]).arg(parsec()).args(args);
        Self::run(stage, &[], command)
    }

    /// Starts `parsec` with these arguments on a terminal of 80 columns, which is all of its streams. What it draws comes as its standard
    /// output.
    pub fn draw_on(stage: &Stage, terminal: &Terminal, args: &[&str]) -> Self {
        let mut command = Command::new("/bin/sh");
        let name = terminal.name.display();
        let script = format!("exec <{name} >{name} 2>&1; stty cols 80 rows 40; exec setsid -c \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(parsec()).args(args);
        Self::spawn(stage, &[("TERM", "xterm")], command, Stdio::null(), Some(terminal))
    }

    /// Starts any program with these variables, and nothing else around it.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn run(stage: &Stage, variables: &[(&str, &str)], command: Command) -> Self {
        Self::spawn(stage, variables, command, Stdio::null(), None)
    }

    /// Starts any program that takes orders on its standard input, which [`Self::say`] writes to.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn converse(stage: &Stage, variables: &[(&str, &str)], command: Command) -> Self {
        Self::spawn(stage, variables, command, Stdio::piped(), None)
    }

    #[expect(clippy::disallowed_methods, reason = "the child gets an environment of its own, and these parts of ours")]
    fn spawn(
        stage: &Stage,
        variables: &[(&str, &str)],
        mut command: Command,
        input: Stdio,
        screen: Option<&Terminal>,
    ) -> Self {
        let inherited = INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(inherited).envs(variables.iter().copied());
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut name = PathBuf::from(command.get_program()).file_name().unwrap_or_default().display().to_string();
        for arg in command.get_args() {
            name.push_str(&format!(" {}", arg.display()));
        }
        heed_hang_ups();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let out = child.stdout.take().expect("standard output was asked for");
        let out: Box<dyn Read + Send> = match screen {
            Some(terminal) => Box::new(terminal.screen()),
            None => Box::new(out),
        };
        let err = child.stderr.take().expect("standard error was asked for");
        let said = Transcript::of(format!("{name} (process {})", child.id()), out, err);
        stage.keep(Arc::clone(&said));
        let input = Mutex::new(child.stdin.take());
        Self { stage: stage.clone(), name, child, input, said, spool: None }
    }

    /// Writes a line to the standard input. Meant for lines that fit into a pipe: a process that does not read holds the
    /// writer up.
    ///
    /// # Panics
    /// If it has none, or has ended.
    pub fn say(&self, line: &str) {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let input = input.as_mut().unwrap_or_else(|| panic!("nobody can talk to {}", self.name));
        let said = input.write_all(format!("{line}\n").as_bytes());
        said.unwrap_or_else(|error| panic!("{} does not listen: {error}", self.name));
    }

    /// Waits for a line on standard output of which `pick` makes something.
    pub async fn out<T>(&self, what: &str, pick: impl FnMut(&str) -> Option<T>) -> T {
        self.line(Stream::Out, what, pick).await
    }

    /// Waits for a line on standard error that begins so, and returns its rest.
    pub async fn noted(&self, beginning: &str) -> String {
        self.line(Stream::Err, beginning, |line| line.strip_prefix(beginning).map(str::to_owned)).await
    }

    /// Waits for a JSON log line with this message.
    pub async fn log(&self, message: &str) -> Value {
        self.logged(message, 1).await
    }

    /// Waits for the `count`th JSON log line with this message.
    pub async fn logged(&self, message: &str, count: usize) -> Value {
        let mut seen = 0;
        let pick = |line: &str| {
            let fields: Value = serde_json::from_str(line).ok()?;
            seen += usize::from(fields["message"] == message);
            (seen == count).then_some(fields)
        };
        self.line(Stream::Err, &format!("log line {count} `{message}`"), pick).await
    }

    async fn line<T>(&self, stream: Stream, what: &str, pick: impl FnMut(&str) -> Option<T>) -> T {
        let what = format!("{what}, from {}", self.name);
        let found = self.stage.in_time(&what, self.said.find(stream, pick)).await;
        found.unwrap_or_else(|| panic!("it ended without this: {what}"))
    }

    /// Its JSON log lines so far.
    pub fn logged_so_far(&self) -> Vec<Value> {
        json_lines(&self.said.so_far(Stream::Err))
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it takes of the machine now; `None` if it has ended.
    pub fn footprint(&self) -> Option<Footprint> {
        let of_process = PathBuf::from(format!("/proc/{}", self.id()));
        let status = std::fs::read_to_string(of_process.join("status")).ok()?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let files = std::fs::read_dir(of_process.join("fd")).ok()?.count();
        Some(Footprint { memory_kb: memory?.trim().parse().ok()?, files })
    }

    /// Lets it write to files, or lets every write fail that makes one longer (prlimit(1), RLIMIT_FSIZE), as on a full disk.
    /// It has to [ignore](IGNORE_FILE_LIMIT) the signal that comes with it. Returns whether it could be told.
    pub fn writes_to_disk(&self, may: bool) -> bool {
        let limit = if may { "--fsize=unlimited:unlimited" } else { "--fsize=0:unlimited" };
        let told = Command::new("prlimit").args(["--pid", &self.id().to_string(), limit]).status();
        told.is_ok_and(|status| status.success())
    }

    /// Sends a signal. The process is still ours: it is reaped by [`Self::end`], which takes it away.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), signal).expect("a child that is not reaped can be signalled");
    }

    /// Ends the standard input, if there is one, and waits for the end.
    pub async fn end(mut self) -> Ended {
        drop(self.input.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        let what = format!("end of {}", self.name);
        let child = &mut self.child;
        let ask = async || child.try_wait().expect("a child can be waited for");
        let status = self.stage.eventually(&what, ask).await;
        let out = self.stage.in_time(&what, self.said.all(Stream::Out)).await;
        let err = self.said.all(Stream::Err).await.join("\n");
        Ended { status, out, err }
    }

    /// Asks the process to stop as an operator does, and waits for the end.
    pub async fn terminate(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error says that it has ended already. Even a stopped process cannot ignore this signal.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Its JSON log lines.
    pub fn logged(&self) -> Vec<Value> {
        json_lines(&self.err.lines().collect::<Vec<_>>())
    }

    /// The exit code, as a shell shows it.
    pub fn code(&self) -> i32 {
        let signalled = self.status.signal().map(|signal| 128 + signal);
        self.status.code().or(signalled).expect("a process ends by itself or by a signal")
    }
}

fn json_lines(lines: &[impl AsRef<str>]) -> Vec<Value> {
    lines.iter().filter_map(|line| serde_json::from_str(line.as_ref()).ok()).collect()
}

/// The binary that cargo built for the integration tests of its package: beside the folder of the running test.
pub fn parsec() -> PathBuf {
    profile().join("parsec")
}

/// Cargo's folder of the profile that the running test was built with.
pub(crate) fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(2).expect("cargo puts tests into a folder of the profile's").to_owned()
}

/// Who started the tests with `nohup` has them ignore SIGHUP, and whatever they start, too. A signal that we listen for is at its default
/// in a new process, so that a test finds the same in any case. Otherwise we do not listen: a hang-up is to end the tests.
fn heed_hang_ups() {
    if ignores_hang_ups() && tokio::runtime::Handle::try_current().is_ok() {
        // Without it, only the tests about hang-ups fail, under nohup.
        let _ = signal(SignalKind::hangup());
    }
}

/// Whether this process ignores SIGHUP (proc(5), `SigIgn`).
fn ignores_hang_ups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (Signal::SIGHUP as u32 - 1)) != 0)
}

/// Runs `parsec` with these arguments to its end.
pub async fn ask(stage: &Stage, args: &[&str]) -> Ended {
    Process::start(stage, args).end().await
}
