//! The random content that a round publishes, and the identifier under which it is found.

use std::fmt;
use std::str::FromStr;

use multihash::Multihash;
use rand::Rng;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::harmless;

/// How many random bytes one round publishes. The original's schedulers send as many (its `util.NewRandomContent`).
pub const CONTENT_BYTES: usize = 1024;

/// The longest text that is read as a CID. The longest with a multihash of 64 bytes, written in base 2, has about 700
/// characters; decoding base 58 takes time that grows with the square of the length.
pub const MAX_CID_CHARS: usize = 1024;

/// The multicodec code of sha2-256 (multicodec table).
const SHA2_256: u64 = 0x12;

/// The multicodec code of bytes without a structure (multicodec table).
const RAW: u64 = 0x55;

/// Content to publish. Only its identifier ever reaches the DHT; the bytes stay with the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Vec<u8>);

impl Content {
    /// [`CONTENT_BYTES`] fresh random bytes: a key that nobody has looked up before, so that no cache can help.
    pub fn random(rng: &mut impl Rng) -> Self {
        let mut bytes = vec![0; CONTENT_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The identifier under which Go servers publish these bytes: sha2-256, CIDv0.
    pub fn cid(&self) -> Cid {
        let digest = Sha256::digest(&self.0);
        let multihash = Multihash::<64>::wrap(SHA2_256, &digest).expect("a sha2-256 digest has 32 of at most 64 bytes");
        Cid(cid::Cid::new_v0(multihash).expect("CIDv0 takes every sha2-256 multihash"))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

/// A content identifier, version 0 or 1, with any multihash.
///
/// Printing gives back the canonical form of what was parsed: `Qm…` for version 0, base32 for version 1.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cid(cid::Cid);

/// Text that is not a content identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a CID: {reason} (expected `Qm…` or a multibase CIDv1)")]
pub struct ParseCidError {
    /// What was given, [made harmless](harmless) and cut to 128 characters.
    pub text: String,
    /// What the decoder objected to.
    pub reason: String,
}

impl Cid {
    /// The multihash as bytes: the key of provider messages on the wire (the DHT spec; never the CID itself).
    pub fn multihash(&self) -> Vec<u8> {
        self.0.hash().to_bytes()
    }

    /// The same multihash as a CIDv1 of raw bytes: how JavaScript servers name what they published.
    #[must_use]
    pub fn raw_v1(&self) -> Self {
        Self(cid::Cid::new_v1(RAW, *self.0.hash()))
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = ParseCidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason| ParseCidError { text: harmless(text, 128), reason };
        if text.len() > MAX_CID_CHARS {
            return Err(refused(format!("it has {} bytes, at most {MAX_CID_CHARS} are read", text.len())));
        }
        // The decoder would skip whatever stands before `/ipfs/`.
        if text.contains('/') {
            return Err(refused("it is a path".to_owned()));
        }
        text.parse().map(Self).map_err(|error: cid::Error| refused(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn a_known_content_has_the_cid_that_go_computes() {
        // `echo -n "hello world" | ipfs add --raw-leaves=false` hashes a wrapped block; this is the bare sha2-256 of the bytes,
        // which is what `kad-dht` servers of the original return.
        let cid = Content::from(b"hello world".to_vec()).cid();
        assert_eq!(cid.to_string(), "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4");
    }

    #[test]
    fn the_same_seed_gives_the_same_content() {
        let content = |seed| Content::random(&mut StdRng::seed_from_u64(seed));
        assert_eq!(content(7), content(7));
        assert_ne!(content(7), content(8));
        assert_eq!(content(7).bytes().len(), CONTENT_BYTES);
    }

    #[test]
    fn version_1_is_read_and_names_the_same_multihash() {
        let v0: Cid = "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4".parse().unwrap();
        let v1: Cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e".parse().unwrap();
        assert_eq!((v1.multihash(), &v1), (v0.multihash(), &v0.raw_v1()));
        assert_eq!(v0.multihash()[..2], [0x12, 0x20]);
    }

    #[test]
    fn what_is_no_cid_is_named_in_the_message() {
        let message = "Qmnonsense".parse::<Cid>().unwrap_err().to_string();
        assert!(message.contains("`Qmnonsense` is not a CID"), "{message}");
    }

    #[test]
    fn a_path_with_a_cid_in_it_is_no_cid() {
        for text in [
            "/ipfs/QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
            "x/ipfs/QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
        ] {
            let message = text.parse::<Cid>().unwrap_err().to_string();
            assert!(message.contains("it is a path"), "{message}");
        }
    }

    #[test]
    fn the_longest_cid_is_read_and_a_longer_text_is_not_even_tried() {
        let multihash = cid::multihash::Multihash::<64>::wrap(u64::MAX >> 1, &[0xff; 64]).unwrap();
        let longest = cid::Cid::new_v1(u64::MAX >> 1, multihash);
        let longest = longest.to_string_of_base(cid::multibase::Base::Base2).unwrap();
        assert!(longest.len() < MAX_CID_CHARS && longest.parse::<Cid>().is_ok(), "{} characters", longest.len());
        let message = format!("z{}", "9".repeat(MAX_CID_CHARS)).parse::<Cid>().unwrap_err().to_string();
        assert!(message.contains("it has 1025 bytes, at most 1024 are read"), "{message}");
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let cid = Content::from(bytes).cid();
            prop_assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}") {
            let _ = text.parse::<Cid>();
        }
    }
}
