//! Who is who: whether two texts name the same peer, and what a search found in the eyes of somebody who knows who published.

use cid::multibase::Base;
use multihash::Multihash;

use crate::{Cid, FoundProvider, MAX_PEER_CHARS, Measured, Node, OutcomeClass};

/// How many strangers an error names.
const MAX_NAMED: usize = 3;

/// Whether the publisher is among the providers. `None` if that cannot be said: nobody is named, or the publisher's id is
/// none that we can read.
pub fn found_publisher(providers: &[FoundProvider], publisher: &str) -> Option<bool> {
    let known = multihash_of(publisher);
    let is_publisher = |provider: &FoundProvider| {
        provider.peer == publisher || (known.is_some() && multihash_of(&provider.peer) == known)
    };
    if providers.iter().any(is_publisher) {
        return Some(true);
    }
    (!providers.is_empty() && known.is_some()).then_some(false)
}

/// What a peer id stands for, in both of its forms (libp2p specs, peer-ids): a multihash in base58, or a CID of it.
fn multihash_of(peer: &str) -> Option<Vec<u8>> {
    if peer.len() > MAX_PEER_CHARS {
        return None;
    }
    if peer.starts_with("Qm") || peer.starts_with('1') {
        let bytes = Base::Base58Btc.decode(peer).ok()?;
        return Multihash::<64>::from_bytes(&bytes).ok().map(|multihash| multihash.to_bytes());
    }
    peer.parse::<Cid>().ok().map(|cid| cid.multihash())
}

/// Whether two texts name the same peer. `None` if that cannot be said, because one of them is no peer id that we can read.
fn is_same_peer(one: &str, other: &str) -> Option<bool> {
    if one == other {
        return Some(true);
    }
    Some(multihash_of(one)? == multihash_of(other)?)
}

impl Node {
    /// Whether an answer can be credited to this node. Servers of other makes do not say who answers, and are believed.
    ///
    /// # Errors
    /// In words, who answered instead.
    pub fn is_answered_by(&self, peer: Option<&str>) -> Result<(), String> {
        match peer {
            Some(peer) if is_same_peer(peer, &self.peer_id) == Some(false) => {
                Err(format!("node {peer} answers at {}, and not {}, which was asked", self.endpoint, self.peer_id))
            }
            _ => Ok(()),
        }
    }
}

impl Measured {
    /// This result of a search, in the eyes of somebody who knows who published: a stranger alone is
    /// [`OutcomeClass::WrongProvider`].
    ///
    /// The list of providers has served its purpose then, and is let go: what is kept of it stands in the trace.
    #[must_use]
    pub fn compared_with(mut self, publisher: &str) -> Self {
        let providers = std::mem::take(&mut self.providers);
        if self.class != OutcomeClass::Ok {
            return self;
        }
        self.found_publisher = found_publisher(&providers, publisher);
        if self.found_publisher == Some(false) {
            self.class = OutcomeClass::WrongProvider;
            self.error = Some(format!("{}, and not by the publisher {publisher}", provided_by(&providers)));
        }
        self
    }
}

/// `provided by A (so says B), C and 2 more`.
fn provided_by(providers: &[FoundProvider]) -> String {
    let name = |FoundProvider { peer, named_by, .. }: &FoundProvider| match named_by {
        Some(by) => format!("{peer} (so says {by})"),
        None => peer.clone(),
    };
    let named: Vec<_> = providers.iter().take(MAX_NAMED).map(name).collect();
    let more = providers.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("provided by {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// An Ed25519 key's id in base58, and the same as a CIDv1 with the codec libp2p-key (libp2p specs, peer-ids).
    const ED25519: [&str; 2] = [
        "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
        "bafzaajaiaejcal72gwuz2or47oyxxn6b3rkwdmmkrxgkjxzy3rqt5kczyn7lcm3l",
    ];

    /// The same of an RSA key.
    const RSA: [&str; 2] = [
        "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
    ];

    fn provider(peer: &str) -> FoundProvider {
        FoundProvider { peer: peer.to_owned(), addresses: vec![], named_by: None }
    }

    fn found(peers: &[&str]) -> Measured {
        let providers = peers.iter().map(|peer| provider(peer)).collect();
        let result = Measured::unmeasured(OutcomeClass::Ok, Duration::from_millis(5), "");
        Measured { error: None, providers, ..result }
    }

    #[test]
    fn an_answer_of_another_peer_is_told_from_one_in_another_form_and_from_one_that_does_not_say() {
        let node = Node {
            id: crate::NodeId(1),
            peer_id: ED25519[0].to_owned(),
            region: "r".to_owned(),
            fleet: "default".parse().unwrap(),
            endpoint: crate::Endpoint::new([127, 0, 0, 1].into(), 7070),
        };
        for own in [None, Some(ED25519[0]), Some(ED25519[1]), Some("no peer id at all")] {
            assert_eq!(node.is_answered_by(own), Ok(()), "{own:?}");
        }
        let other = format!("node {} answers at 127.0.0.1:7070, and not {}, which was asked", RSA[0], ED25519[0]);
        assert_eq!(node.is_answered_by(Some(RSA[0])), Err(other));
    }

    #[test]
    fn a_peer_is_the_same_in_every_form_of_its_id() {
        for forms in [ED25519, RSA] {
            for (one, other) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                assert_eq!(found_publisher(&[provider(forms[one])], forms[other]), Some(true), "{one} {other}");
            }
        }
        assert_eq!(found_publisher(&[provider(RSA[0])], ED25519[0]), Some(false));
    }

    #[test]
    fn the_publisher_may_have_brothers() {
        assert_eq!(found_publisher(&[provider(RSA[0]), provider(ED25519[0])], ED25519[1]), Some(true));
        let result = found(&[RSA[0], ED25519[0]]).compared_with(ED25519[0]);
        assert_eq!((result.class, result.error, result.found_publisher), (OutcomeClass::Ok, None, Some(true)));
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        assert_eq!(found_publisher(&[], ED25519[0]), None);
        assert_eq!(found_publisher(&[provider(RSA[0])], "node-7"), None);
        assert_eq!(found_publisher(&[provider("node-7")], "node-7"), Some(true));
        assert_eq!(found_publisher(&[provider("node-7")], RSA[0]), Some(false));
        let silent = found(&[]).compared_with(ED25519[0]);
        assert_eq!((silent.class, silent.found_publisher), (OutcomeClass::Ok, None));
    }

    #[test]
    fn a_stranger_alone_is_the_wrong_provider_and_keeps_the_time_it_took() {
        let mut result = found(&[RSA[0]]);
        result.providers[0].named_by = Some("12D3KooWLiar".to_owned());
        let result = result.compared_with(ED25519[0]);
        assert_eq!((result.class, result.found_publisher), (OutcomeClass::WrongProvider, Some(false)));
        assert_eq!((result.duration, result.providers), (Duration::from_millis(5), vec![]));
        let error = result.error.unwrap();
        let expected =
            format!("provided by {} (so says 12D3KooWLiar), and not by the publisher {}", RSA[0], ED25519[0]);
        assert_eq!(error, expected);
        let error = found(&[RSA[0]; 5]).compared_with(ED25519[0]).error.unwrap();
        assert!(error.contains(&format!("{}, {} and 2 more, and not by", RSA[0], RSA[0])), "{error}");
    }

    #[test]
    fn a_search_that_failed_has_found_nobody() {
        let failed = Measured { class: OutcomeClass::Timeout, error: Some("late".to_owned()), ..found(&[RSA[0]]) };
        let result = failed.compared_with(ED25519[0]);
        assert_eq!((result.class, result.found_publisher), (OutcomeClass::Timeout, None));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_comparison_panic(one in ".{0,90}", other in "(Qm|1|b|z|m|k)?[0-9A-Za-z/+]{0,90}") {
            let _ = found_publisher(&[provider(&one)], &other);
            prop_assert_eq!(found_publisher(&[provider(&other)], &other), Some(true));
        }
    }
}
