//! The books of a publication of many keys: what each key has, and what all of them took.

use std::time::Duration;

use parsec_measure::{Cid, OutcomeClass, ProvidedKey, ProvidedMany};
use tokio::time::Instant;

use crate::operation::failures;
use crate::operation::log::{Confirmation, End, Entry, Snapshot};
use crate::strategy::Request;
use crate::swarm::rpc::RpcError;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Books {
    began: Instant,
    keys: Vec<Account>,
    lookups: u64,
    questions: u64,
    records: u64,
    dials: u64,
    chosen: u64,
    reached: u64,
    /// What was written in each second.
    seconds: Vec<u64>,
}

/// What is known of a key.
#[derive(Debug, Default)]
struct Account {
    /// When its record was written to each peer, and whether that has taken it in.
    written: Vec<(Instant, Confirmation)>,
    failed: u32,
    /// A put that failed.
    example: Option<RpcError>,
    /// Why it was published nowhere, if that is known.
    failure: Option<(OutcomeClass, String)>,
}

impl Books {
    pub(super) fn new(began: Instant, keys: usize) -> Self {
        Self {
            began,
            keys: (0..keys).map(|_| Account::default()).collect(),
            lookups: 0,
            questions: 0,
            records: 0,
            dials: 0,
            chosen: 0,
            reached: 0,
            seconds: Vec::new(),
        }
    }

    /// A lookup begins.
    pub(super) fn looks_up(&mut self) {
        self.lookups += 1;
    }

    /// Counts a peer that was to be sent records.
    pub(super) fn chose(&mut self, is_reached: bool) {
        self.chosen += 1;
        self.reached += u64::from(is_reached);
    }

    /// Counts what was done, whatever for.
    pub(super) fn take_in(&mut self, log: &Snapshot) {
        for (entry, phases) in log.entries() {
            self.dials += u64::from(phases.is_dialler());
            let Some(written) = phases.written else { continue };
            let count = if is_put(entry) { &mut self.records } else { &mut self.questions };
            *count += 1;
            let second = written.saturating_duration_since(self.began).as_secs() as usize;
            if self.seconds.len() <= second {
                self.seconds.resize(second + 1, 0);
            }
            self.seconds[second] += 1;
        }
    }

    /// The same, and the records are those of this key.
    pub(super) fn take_in_puts(&mut self, key: usize, log: &Snapshot) {
        self.take_in(log);
        let account = &mut self.keys[key];
        account.failed += log.puts().failed;
        for (entry, phases) in log.entries().filter(|(entry, _)| is_put(entry)) {
            match (&entry.end, phases.written) {
                (Some(End::Answered { .. }), Some(at)) => account.written.push((at, entry.confirmation.clone())),
                (Some(End::Failed(error)), _) => account.example = Some(error.clone()),
                _ => {}
            }
        }
    }

    /// A peer has been sent records of these keys. Returns those that were written.
    pub(super) fn take_in_sent(&mut self, sent: &[(usize, Snapshot)]) -> Vec<usize> {
        sent.iter().for_each(|(key, log)| self.take_in_puts(*key, log));
        let is_stored = |(_, log): &&(usize, Snapshot)| log.answered(Request::AddProvider) > 0;
        let stored: Vec<usize> = sent.iter().filter(is_stored).map(|(key, _)| *key).collect();
        self.chose(!stored.is_empty());
        stored
    }

    /// This key was published nowhere, and why.
    pub(super) fn failed(&mut self, key: usize, class: OutcomeClass, reason: String) {
        self.keys[key].failure = Some((class, reason));
    }

    /// Waits until it is known of every record that was written whether the peer has taken it in.
    pub(super) async fn confirmed(&self) {
        for (_, confirmation) in self.keys.iter().flat_map(|account| &account.written) {
            confirmation.known().await;
        }
    }

    /// What it came to: `nothing` with all figures and keys.
    pub(super) fn close(self, cids: Vec<Cid>, nothing: ProvidedMany, limit: Duration) -> ProvidedMany {
        let is_over = nothing.duration >= limit;
        let began = self.began;
        let keys = cids.into_iter().zip(self.keys).map(|(cid, account)| account.close(cid, began, is_over, limit));
        ProvidedMany {
            lookups: self.lookups,
            questions: self.questions,
            records: self.records,
            dials: self.dials,
            chosen: self.chosen,
            reached: self.reached,
            busiest_second: self.seconds.into_iter().max().unwrap_or(0),
            keys: keys.collect(),
            ..nothing
        }
    }
}

impl Account {
    fn close(self, cid: Cid, began: Instant, is_over: bool, limit: Duration) -> ProvidedKey {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (class, error) = match self.failure(is_over, limit) {
            None => (OutcomeClass::Ok, None),
            Some((class, reason)) => (class, Some(reason)),
        };
        let taken = self.written.iter().filter(|(_, confirmation)| matches!(confirmation.read(), Some(Ok(_))));
        let taken: Vec<Duration> = taken.map(|(at, _)| at.saturating_duration_since(began)).collect();
        ProvidedKey {
            cid,
            class,
            error,
            stored: count(self.written.len()),
            confirmed: count(taken.len()),
            failed: self.failed,
            first: taken.iter().min().copied(),
            last: taken.iter().max().copied(),
        }
    }

    /// Why its record was written nowhere; `None` if it was.
    fn failure(&self, is_over: bool, limit: Duration) -> Option<(OutcomeClass, String)> {
        if !self.written.is_empty() {
            return None;
        }
        if self.failure.is_some() {
            return self.failure.clone();
        }
        if let Some(error) = &self.example {
            let words = failures::STORED_NOWHERE;
            let reason = format!("{words}, {} puts failed, for instance: {}", self.failed, error.in_words());
            return Some((class(error), reason));
        }
        if is_over {
            let reason = format!("context deadline exceeded: all keys together may take {} s", limit.as_secs());
            return Some((OutcomeClass::Timeout, reason));
        }
        let reason = format!("{}: no lookup near this key has found one", failures::NOBODY_TO_ASK);
        Some((OutcomeClass::NoPeers, reason))
    }
}

fn is_put(entry: &Entry) -> bool {
    entry.request == Request::AddProvider
}

fn class(error: &RpcError) -> OutcomeClass {
    match error {
        RpcError::LocalLimit(_) => OutcomeClass::LocalLimit,
        RpcError::NoTransport(_) => OutcomeClass::NoTransport,
        RpcError::Stopping => OutcomeClass::Cancelled,
        error if error.is_dial() => OutcomeClass::DialFailed,
        _ => OutcomeClass::Protocol,
    }
}
