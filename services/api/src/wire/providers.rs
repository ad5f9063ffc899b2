//! Whom a search found, in an answer: optional, bounded on its way out and on its way in, and never worth a measurement.

use parsec_measure::{FoundProvider, MAX_FOUND_PROVIDERS};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What stands in the member `Providers` of an answer: nobody, if it cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct WireProviders(Vec<Provider>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Provider(#[serde(with = "Spelled")] FoundProvider);

/// The names of its members in an answer.
#[derive(Serialize, Deserialize)]
#[serde(remote = "FoundProvider", rename_all = "PascalCase")]
struct Spelled {
    peer: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named_by: Option<String>,
}

impl WireProviders {
    /// These providers, ready to be sent.
    pub(super) fn written(providers: &[FoundProvider]) -> Self {
        let bounded = providers.iter().take(MAX_FOUND_PROVIDERS).cloned().map(FoundProvider::bounded);
        Self(bounded.map(Provider).collect())
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_inner(self) -> Vec<FoundProvider> {
        self.0.into_iter().map(|provider| provider.0.bounded()).collect()
    }
}

impl<'de> Deserialize<'de> for WireProviders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Whatever JSON it is, the rest of the answer is read.
        let providers = serde_json::from_value::<Vec<Provider>>(Value::deserialize(deserializer)?).unwrap_or_default();
        // Of half a list nobody could say that the publisher is not on it.
        let is_whole =
            providers.len() <= MAX_FOUND_PROVIDERS && providers.iter().all(|one| !one.0.peer.trim().is_empty());
        Ok(if is_whole { Self(providers) } else { Self::default() })
    }
}

#[cfg(test)]
pub(super) mod tests;
