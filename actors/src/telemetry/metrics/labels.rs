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
pub(super) struct Certificate {
    pub(super) certificate: &'static str,
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

fn fits(value: &str) -> bool {
    !value.is_empty() && value.chars().count() <= MAX_CHARS
}

impl Kept {
    fn has(&self, value: &str) -> bool {
        self.known.contains(value) || self.others.contains(value)
    }

    /// No value at all takes no place.
    fn label(&self, value: &str) -> String {
        if value.is_empty() || self.has(value) { value.to_owned() } else { OTHER.to_owned() }
    }
}

/// Values of a label that come from outside: those that are known beforehand and the first others are kept, all further
/// ones become [`OTHER`].
pub(super) struct Bounded {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    known: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Bounded {
    /// Keeps this many values that are known beforehand, and as many others.
    pub(super) fn to(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// These values are known. Once there are too many, further ones are not.
    pub(super) fn know(&self, values: impl IntoIterator<Item = String>) {
        let mut kept = self.kept.lock();
        for value in values {
            if kept.known.len() < self.limit && fits(&value) {
                kept.others.remove(&value);
                kept.known.insert(value);
            }
        }
    }

    /// Whether this value is known.
    pub(super) fn knows(&self, value: &str) -> bool {
        self.kept.lock().known.contains(value)
    }

    /// The value itself, or [`OTHER`].
    pub(super) fn label(&self, value: &str) -> String {
        let mut kept = self.kept.lock();
        if kept.others.len() < self.limit && fits(value) && !kept.has(value) {
            kept.others.insert(value.to_owned());
        }
        kept.label(value)
    }

    /// The same for a value that anybody can make up: it is not kept for its sake.
    pub(super) fn label_of_anybody(&self, value: &str) -> String {
        self.kept.lock().label(value)
    }
}
