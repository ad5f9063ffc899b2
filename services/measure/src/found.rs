//! Whom a search found.
//!
//! Any peer can name any provider, for any key, and what it names is text of a stranger: here it is made short and harmless.

use serde::{Deserialize, Serialize};

/// How many providers of one search are told: as many as our servers read of one answer. Of a key that has just been made
/// up there is one; Go's peers name all that they know of.
pub const MAX_FOUND_PROVIDERS: usize = 64;

/// How many addresses of each: two transports over IPv4 and IPv6, and as many relays. What is beyond tells nobody more.
pub const MAX_FOUND_ADDRESSES: usize = 8;

/// The longest peer id that is kept: those of Ed25519 and RSA keys have 52 and 46 characters, as CIDs up to 65.
pub const MAX_PEER_CHARS: usize = 80;

/// The longest address that is kept. WebTransport with two certificate hashes and two peer ids takes about 250 characters.
pub const MAX_ADDRESS_CHARS: usize = 256;

/// A provider that was named to a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundProvider {
    /// Its peer id.
    pub peer: String,
    /// Where it can be dialled, as far as whoever searched can dial at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// The peer that named it. `None` where that is known from elsewhere (in a traced request it is whoever was asked), or
    /// by nobody (rust-libp2p's own lookups do not tell).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_by: Option<String>,
}

impl FoundProvider {
    /// With no more than is of use, and with no character that means something to a terminal. Doing it again changes nothing.
    #[must_use]
    pub fn bounded(self) -> Self {
        let is_short = |address: &String| address.chars().count() <= MAX_ADDRESS_CHARS;
        // One that was cut would lead nowhere, or elsewhere.
        let addresses = self.addresses.iter().filter(|address| is_short(address)).take(MAX_FOUND_ADDRESSES);
        Self {
            peer: graphic(MAX_PEER_CHARS, &self.peer),
            addresses: addresses.map(|address| graphic(MAX_ADDRESS_CHARS, address)).collect(),
            named_by: self.named_by.map(|peer| graphic(MAX_PEER_CHARS, &peer)),
        }
    }
}

/// Peer ids and addresses are made of these characters; whatever else stands in one is somebody's joke.
fn graphic(chars: usize, text: &str) -> String {
    text.chars().take(chars).map(|character| if character.is_ascii_graphic() { character } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_that_is_too_long_is_left_out_rather_than_cut() {
        let addresses = vec!["/".repeat(MAX_ADDRESS_CHARS + 1), "/ip4/1.2.3.4".to_owned()];
        let long = FoundProvider { peer: "Qm".to_owned(), addresses, named_by: None };
        assert_eq!(long.bounded().addresses, ["/ip4/1.2.3.4"]);
    }

    proptest! {
        #[test]
        fn whatever_a_stranger_names_is_short_and_fit_for_a_terminal(
            peer in "\\PC{0,60}|.{0,200}|[\x00-\x1f\u{7f}-\u{9f}]{0,9}",
            addresses in proptest::collection::vec(".{0,300}", 0..20),
            named_by in proptest::option::of(".{0,200}"),
        ) {
            let bounded = FoundProvider { peer, addresses, named_by }.bounded();
            prop_assert_eq!(bounded.clone().bounded(), bounded.clone());
            prop_assert!(bounded.addresses.len() <= MAX_FOUND_ADDRESSES);
            for peer in [&bounded.peer].into_iter().chain(&bounded.named_by) {
                prop_assert!(peer.len() <= MAX_PEER_CHARS && peer.chars().all(|c| c.is_ascii_graphic()), "{:?}", peer);
            }
            for address in &bounded.addresses {
                prop_assert!(address.len() <= MAX_ADDRESS_CHARS && address.chars().all(|c| c.is_ascii_graphic()));
            }
        }
    }
}
