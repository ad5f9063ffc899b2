//! A place in the deployment that one process after the other takes, and somebody who sees to it that one is there.

use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use parsec_test_support::process::Footprint;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::plan::Mishap;
use crate::process::Process;

/// How a process came to its end.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// What was done to it; `None` if it ended by itself.
    pub(crate) mishap: Option<Mishap>,
    /// As a shell shows it.
    pub(crate) code: i32,
    /// From the signal to the end.
    pub(crate) took: Duration,
    /// The last line on standard error.
    pub(crate) last_line: String,
}

/// How old a process is before it can be said to grow: until half of that, also on a busy machine, it has taken what it needs.
const OLD_ENOUGH: Duration = Duration::from_secs(60);

/// How often it is looked at.
const SAMPLING: Duration = Duration::from_secs(1);

/// The memory and files of one process: the most of the first half of its life, and what it has at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    /// How long it lived.
    pub(crate) over: Duration,
    pub(crate) early: Footprint,
    pub(crate) late: Footprint,
}

/// The place.
pub(crate) struct Slot {
    pub(crate) name: String,
    start: Box<dyn Fn() -> Process + Send + Sync>,
    state: Mutex<State>,
}

struct State {
    process: Option<Process>,
    since: Instant,
    /// What the process took, and when.
    samples: Vec<(Instant, Footprint)>,
    frozen: bool,
    ends: Vec<End>,
    /// What those said that have ended, and when each of them had.
    said: Vec<(Vec<Value>, SystemTime)>,
}

impl Slot {
    /// Starts the first process.
    pub(crate) fn new(name: String, start: impl Fn() -> Process + Send + Sync + 'static) -> Self {
        let process = Some(start());
        let (ends, said) = (Vec::new(), Vec::new());
        let state = State { process, since: Instant::now(), samples: Vec::new(), frozen: false, ends, said };
        Self { name, start: Box::new(start), state: Mutex::new(state) }
    }

    /// What `look` makes of the process, if there is one that runs.
    pub(crate) async fn look<T>(&self, look: impl AsyncFnOnce(&Process) -> T) -> Option<T> {
        let state = self.state.lock().await;
        match &state.process {
            Some(process) if !state.frozen => Some(look(process).await),
            _ => None,
        }
    }

    /// Something happens to the process. Returns whether there was one.
    pub(crate) async fn strike(&self, mishap: Mishap) -> bool {
        let mut state = self.state.lock().await;
        // One that has ended by itself meanwhile is the keeper's.
        let Some(process) = state.process.take_if(|process| !process.has_ended()) else { return false };
        let signal = match mishap {
            Mishap::Frozen => {
                process.signal(Signal::SIGSTOP);
                (state.process, state.frozen) = (Some(process), true);
                return true;
            }
            Mishap::Killed => Signal::SIGKILL,
            Mishap::Stopped => Signal::SIGTERM,
        };
        process.signal(signal);
        state.bury(process, Some(mishap)).await;
        true
    }

    /// What has happened is undone: a dead process has a successor.
    pub(crate) async fn heal(&self, mishap: Mishap) {
        let mut state = self.state.lock().await;
        match (mishap, &state.process) {
            (Mishap::Frozen, Some(process)) => {
                process.signal(Signal::SIGCONT);
                state.frozen = false;
            }
            (Mishap::Killed | Mishap::Stopped, None) => state.start(&self.start),
            _ => {}
        }
    }

    /// As systemd or an orchestrator does: a process that has ended by itself has a successor. And what one takes of the
    /// machine is noted.
    pub(crate) async fn keep(&self) {
        // Somebody is busy with it, and may wait for an end: the others must not wait for that.
        let Ok(mut state) = self.state.try_lock() else { return };
        if let Some(process) = state.process.take_if(|process| process.has_ended()) {
            state.bury(process, None).await;
            state.start(&self.start);
        }
        if state.samples.last().is_none_or(|(at, _)| at.elapsed() >= SAMPLING)
            && let Some(footprint) = state.process.as_ref().and_then(Process::footprint)
        {
            state.samples.push((Instant::now(), footprint));
        }
    }

    /// How the process that is there has grown; `None` if it is too young to say.
    pub(crate) async fn growth(&self) -> Option<Growth> {
        let state = self.state.lock().await;
        let over = state.since.elapsed();
        let half = state.since + over / 2;
        let early = || state.samples.iter().take_while(|(at, _)| *at <= half).map(|(_, footprint)| footprint);
        let memory_kb = early().map(|footprint| footprint.memory_kb).max().filter(|_| over >= OLD_ENOUGH)?;
        let early = Footprint { memory_kb, files: early().map(|footprint| footprint.files).max()? };
        Some(Growth { over, early, late: state.process.as_ref()?.footprint()? })
    }

    /// Ends the last process in good order. Returns how all of them ended, and what each of them said until when.
    pub(crate) async fn close(&self) -> (Vec<End>, Vec<(Vec<Value>, SystemTime)>) {
        self.strike(Mishap::Stopped).await;
        let mut state = self.state.lock().await;
        (std::mem::take(&mut state.ends), std::mem::take(&mut state.said))
    }
}

impl State {
    fn start(&mut self, start: &(dyn Fn() -> Process + Send + Sync)) {
        self.process = Some(start());
        (self.since, self.samples, self.frozen) = (Instant::now(), Vec::new(), false);
    }

    async fn bury(&mut self, process: Process, mishap: Option<Mishap>) {
        let clock = Instant::now();
        let ended = process.end().await;
        let last_line = ended.err.lines().last().unwrap_or_default().to_owned();
        self.ends.push(End { mishap, code: ended.code(), took: clock.elapsed(), last_line });
        self.said.push((ended.logged(), SystemTime::now()));
    }
}
