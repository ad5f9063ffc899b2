//! A trace in an answer: optional, bounded on its way out and on its way in, and never worth a measurement.

use std::sync::Arc;

use parsec_measure::{FoundProvider, MAX_FOUND_PROVIDERS, MAX_PEER_CHARS, MAX_TRACED_REQUESTS, Trace, harmless};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// How much is kept of what a peer says it runs: `kubo/0.38.1/…` and the like have 20 to 60 characters.
const MAX_AGENT_CHARS: usize = 100;

/// How much is kept of why a request failed. There may be hundreds in one trace.
const MAX_ERROR_CHARS: usize = 200;

/// How much is kept of why a record was not confirmed: `reset` and the like.
const MAX_UNCONFIRMED_CHARS: usize = 60;

/// What stands in the member `Trace` of an answer: nothing, if it cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WireTrace(Option<Arc<Trace>>);

impl WireTrace {
    /// This trace, ready to be sent.
    pub(super) fn written(trace: Option<&Trace>) -> Self {
        Self(trace.cloned().map(|trace| Arc::new(bounded(trace))))
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn into_inner(self) -> Option<Arc<Trace>> {
        self.0
    }
}

impl Serialize for WireTrace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_deref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WireTrace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Whatever JSON it is, the rest of the answer is read.
        let trace = serde_json::from_value::<Trace>(Value::deserialize(deserializer)?).ok();
        Ok(Self(trace.map(|trace| Arc::new(bounded(trace)))))
    }
}

/// The trace with no more requests, providers and no longer texts than are of use, and with references that lead backwards.
fn bounded(mut trace: Trace) -> Trace {
    let beyond = trace.requests.len().saturating_sub(MAX_TRACED_REQUESTS);
    trace.requests.truncate(MAX_TRACED_REQUESTS);
    trace.left_out = trace.left_out.saturating_add(u32::try_from(beyond).unwrap_or(u32::MAX));
    let mut room = MAX_FOUND_PROVIDERS;
    for (index, request) in (0..).zip(&mut trace.requests) {
        request.named.truncate(room);
        room -= request.named.len();
        request.named = std::mem::take(&mut request.named).into_iter().map(FoundProvider::bounded).collect();
        let text = |chars, text: &str| harmless(text, chars);
        request.peer = text(MAX_PEER_CHARS, &request.peer);
        request.agent = request.agent.as_deref().map(|agent| text(MAX_AGENT_CHARS, agent));
        request.error = request.error.as_deref().map(|error| text(MAX_ERROR_CHARS, error));
        request.unconfirmed = request.unconfirmed.as_deref().map(|reason| text(MAX_UNCONFIRMED_CHARS, reason));
        request.named_by = request.named_by.filter(|earlier| *earlier < index);
    }
    trace
}

#[cfg(test)]
pub(super) mod tests;
