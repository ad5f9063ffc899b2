//! Label sets, and the limit on label values that come from outside.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use parsec_dht::DenylistName;
use parsec_measure::{OperationKind, RequestKind, TracedRequest};
use prometheus_client::encoding::EncodeLabelSet;

use crate::supervision::supervise::CrashKind;

/// Replaces label values for which there is no room.
const OTHER: &str = "other";

/// The longest label value: enough for the longest list of fleets that makes sense.
const MAX_CHARS: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Http {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) scheduler: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Success {
    pub(super) success: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Operation {
    pub(super) operation: &'static str,
    pub(super) outcome: &'static str,
    pub(super) fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Attempt {
    pub(super) operation: &'static str,
    pub(super) outcome: &'static str,
    pub(super) fleet: String,
    pub(super) region: String,
}

/// Of puts and of rounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
    pub(super) fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Fallback {
    pub(super) operation: &'static str,
    pub(super) fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DhtRequest {
    pub(super) request: String,
    pub(super) end: &'static str,
    pub(super) fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Actor {
    pub(super) actor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Restart {
    pub(super) actor: String,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Fleet {
    pub(super) fleet: String,
}

impl Outcome {
    pub(super) fn new(outcome: &'static str, fleet: &str) -> Self {
        Self { outcome, fleet: fleet.to_owned() }
    }
}

impl DhtRequest {
    pub(super) fn new(fleet: &str, TracedRequest { kind, end, .. }: &TracedRequest) -> Self {
        let request = kind.as_str().to_ascii_lowercase();
        Self { request, end: end.as_str(), fleet: fleet.to_owned() }
    }
}

impl Fallback {
    pub(super) fn new(kind: OperationKind, fleet: &str) -> Self {
        Self { operation: kind.as_str(), fleet: fleet.to_owned() }
    }
}

impl Actor {
    pub(super) fn new(actor: &str) -> Self {
        Self { actor: actor.to_owned() }
    }
}

impl Restart {
    pub(super) fn new(actor: &str, kind: CrashKind) -> Self {
        Self { actor: actor.to_owned(), reason: kind.as_str() }
    }
}

impl Fleet {
    pub(super) fn new(fleet: &str) -> Self {
        Self { fleet: fleet.to_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Denied {
    pub(super) list: &'static str,
    pub(super) request: String,
}

impl Denied {
    pub(super) fn new(list: DenylistName, request: RequestKind) -> Self {
        Self { list: list.as_str(), request: request.as_str().to_ascii_lowercase() }
    }
}

/// Values of a label that come from outside: the first ones are kept, all others become [`OTHER`].
pub(super) struct Bounded {
    limit: usize,
    known: Mutex<BTreeSet<String>>,
}

impl Bounded {
    /// Keeps this many values.
    pub(super) fn to(limit: usize) -> Self {
        Self { limit, known: Mutex::default() }
    }

    /// The value itself, or [`OTHER`].
    pub(super) fn label(&self, value: &str) -> String {
        let mut known = self.known.lock();
        if !known.contains(value) {
            if known.len() >= self.limit || value.chars().count() > MAX_CHARS {
                return OTHER.to_owned();
            }
            known.insert(value.to_owned());
        }
        value.to_owned()
    }
}
