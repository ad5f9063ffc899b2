//! A log that nobody waits for. Lines go through a queue to a thread of their own, which alone writes to the stream: a
//! full disk, a closed pipe and a reader that does not read cost lines, and nothing else. Lost lines are counted, and the
//! log says how many were lost as soon as it can be written again.
//!
//! (`tracing-appender` has such a thread too. It cannot be flushed before the process exits elsewhere than at the end of
//! `main`, forgets why a line could not be written, and prints to stdout, which panics if that is closed.)

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How many bytes of lines may wait: some ten thousand lines, which is minutes of a busy server.
pub const MAX_WAITING_BYTES: usize = 4 << 20;

/// What a line takes in the queue besides its bytes.
const LINE_OVERHEAD: usize = 32;

/// How long to try to write to a stream that another process has set to non-blocking, and that is full.
const FULL_LIMIT: Duration = Duration::from_secs(1);

/// How often to try within that time.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// How often at most the log says that lines were lost: a reader that is always too slow would otherwise read of little
/// else.
const NOTICE_PAUSE: Duration = Duration::from_secs(1);

/// Makes the line that says how many lines were lost, and why.
pub type Notice = dyn Fn(u64, &str) -> Vec<u8> + Send;

/// A log. Clones write to the same stream.
#[derive(Debug, Clone)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something was added to the queue.
    filled: Condvar,
    /// Something was taken from the queue and is dealt with.
    done: Condvar,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    /// Of all lines that are not dealt with.
    bytes: usize,
    /// How many lines were ever added, and how many of them are dealt with.
    added: u64,
    done: u64,
}

impl Log {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// If the system grants no thread.
    pub fn start(out: impl Write + Send + 'static, notice: Box<Notice>) -> io::Result<Self> {
        let shared =
            Shared { queue: Mutex::default(), filled: Condvar::new(), done: Condvar::new(), lost: AtomicU64::new(0) };
        let log = Self(Arc::new(shared));
        let (shared, mut sink) = (Arc::clone(&log.0), Sink::new(out, notice));
        // It ends with the process: it has nothing to give back.
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                let line = shared.next();
                let lost = shared.lost.load(Ordering::Relaxed);
                let written = sink.put(&line, lost, Instant::now());
                shared.dealt_with(&line, written);
            }
        })?;
        Ok(log)
    }

    /// Adds a line, with its line break. Never waits: if too much waits already, the line is lost.
    pub fn write(&self, line: Vec<u8>) {
        let mut queue = self.0.queue.lock();
        let size = line.len() + LINE_OVERHEAD;
        if queue.bytes + size > MAX_WAITING_BYTES {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += size;
        queue.added += 1;
        queue.lines.push_back(line);
        drop(queue);
        self.0.filled.notify_one();
    }

    /// Waits until everything that was added before is written or lost, or until the time is over. Returns whether
    /// nothing is left.
    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut queue = self.0.queue.lock();
        let added = queue.added;
        while queue.done < added {
            if self.0.done.wait_until(&mut queue, deadline).timed_out() {
                return queue.done >= added;
            }
        }
        true
    }

    /// How many lines were lost so far.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn next(&self) -> Vec<u8> {
        let mut queue = self.queue.lock();
        loop {
            match queue.lines.pop_front() {
                Some(line) => return line,
                None => self.filled.wait(&mut queue),
            }
        }
    }

    fn dealt_with(&self, line: &[u8], written: bool) {
        if !written {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        let mut queue = self.queue.lock();
        queue.bytes -= line.len() + LINE_OVERHEAD;
        queue.done += 1;
        drop(queue);
        self.done.notify_all();
    }
}

/// The end of the queue: the stream, and what is still to be said about it.
struct Sink<W> {
    out: W,
    notice: Box<Notice>,
    /// Why the last line could not be written.
    reason: Option<String>,
    /// Part of a line was written, and no line break.
    torn: bool,
    /// How many lost lines the log has mentioned, and when it did so last.
    said: u64,
    said_at: Option<Instant>,
}

impl<W: Write> Sink<W> {
    fn new(out: W, notice: Box<Notice>) -> Self {
        Self { out, notice, reason: None, torn: false, said: 0, said_at: None }
    }

    /// Writes a line, and before it how many were lost if there is anything new. Returns whether the line was written.
    fn put(&mut self, line: &[u8], lost: u64, now: Instant) -> bool {
        let is_quiet = self.said_at.is_none_or(|at| now.duration_since(at) >= NOTICE_PAUSE);
        if lost > self.said && is_quiet {
            let reason = self.reason.as_deref().unwrap_or("lines come faster than they are read");
            let notice = (self.notice)(lost - self.said, reason);
            if !self.write_line(&notice) {
                return false;
            }
            (self.said, self.said_at, self.reason) = (lost, Some(now), None);
        }
        self.write_line(line)
    }

    fn write_line(&mut self, line: &[u8]) -> bool {
        // What is left of a torn line ends here.
        let ended = !self.torn || self.write_all(b"\n");
        let written = ended && self.write_all(line);
        if written {
            self.torn = false;
        }
        written
    }

    fn write_all(&mut self, mut rest: &[u8]) -> bool {
        let mut full_since = None;
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return self.failed("nothing more can be written"),
                Ok(length) => {
                    self.torn = true;
                    full_since = None;
                    rest = &rest[length..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if full_since.get_or_insert_with(Instant::now).elapsed() >= FULL_LIMIT {
                        return self.failed(&error.to_string());
                    }
                    thread::sleep(FULL_PAUSE);
                }
                Err(error) => return self.failed(&error.to_string()),
            }
        }
        match self.out.flush() {
            Ok(()) => true,
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn failed(&mut self, reason: &str) -> bool {
        self.reason = Some(reason.to_owned());
        false
    }
}

/// The log of this process.
static OF_PROCESS: OnceLock<Log> = OnceLock::new();

/// Makes this the log of the process. Only the first one is.
pub fn install(log: Log) {
    let _ = OF_PROCESS.set(log);
}

/// The log of the process, once there is one.
pub fn of_process() -> Option<&'static Log> {
    OF_PROCESS.get()
}

#[cfg(test)]
mod tests;
