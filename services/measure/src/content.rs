//! The random content that a round publishes, and the identifier under which it is found.

use std::fmt;
use std::str::FromStr;

use cid::CidGeneric;
use cid::multibase::{self, Base};
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

/// How much of what is no CID a message repeats.
const MAX_SHOWN_CHARS: usize = 128;

/// The longest key under which a provider record is kept, in bytes: Go's `ProviderManager` takes 1 to 80. A hash stays below;
/// an identity multihash, which is the content itself, may not.
pub const MAX_KEY_BYTES: usize = 80;

/// The longest digest: a key has at least a byte each for the function and the length.
const MAX_DIGEST_BYTES: usize = MAX_KEY_BYTES - 2;

/// How long every CIDv0 is: a sha2-256 multihash in base 58.
const V0_CHARS: usize = 46;

/// How every CIDv0 begins as bytes: sha2-256, 32 bytes.
const V0_PREFIX: [u8; 2] = [0x12, 0x20];

/// The prefixes of the multibases whose alphabet has the slash: base64, with and without padding.
const BASE64: [char; 2] = ['m', 'M'];

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
        let multihash = Multihash::wrap(SHA2_256, &digest).expect("a sha2-256 digest has 32 of at most 78 bytes");
        Cid(CidGeneric::new_v0(multihash).expect("CIDv0 takes every sha2-256 multihash"))
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

/// A content identifier, version 0 or 1, with any multihash under which the DHT keeps records.
///
/// Printing gives back the canonical form of what was parsed: `Qm…` for version 0, base32 for version 1.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cid(CidGeneric<MAX_DIGEST_BYTES>);

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
        Self(CidGeneric::new_v1(RAW, *self.0.hash()))
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
        let refused = |reason| ParseCidError { text: harmless(text, MAX_SHOWN_CHARS), reason };
        decode(text).and_then(|bytes| read(&bytes)).map(Self).map_err(refused)
    }
}

/// The bytes of a CID as text, whatever they are. The library's own reader would skip all that stands before `/ipfs/`, and
/// may find that within base64.
fn decode(text: &str) -> Result<Vec<u8>, String> {
    match text.len() {
        0 => return Err("it is empty".to_owned()),
        length if length > MAX_CID_CHARS => {
            return Err(format!("it has {length} bytes, at most {MAX_CID_CHARS} are read"));
        }
        _ => {}
    }
    // One of the multibases is the bytes as they are, behind the character NUL: not for a line of text.
    if text.contains(char::is_control) {
        return Err("it has a control character".to_owned());
    }
    if text.starts_with("Qm") {
        let bytes = Base::Base58Btc.decode(text).map_err(|error| format!("it is not base58: {error}"))?;
        return match text.chars().count() {
            V0_CHARS if bytes.starts_with(&V0_PREFIX) => Ok(bytes),
            V0_CHARS => Err("it is not a sha2-256 multihash".to_owned()),
            chars => Err(format!("a CIDv0 has {V0_CHARS} characters, this has {chars}")),
        };
    }
    if text.contains('/') && !text.starts_with(BASE64) {
        return Err("it is a path".to_owned());
    }
    multibase::decode(text).map(|(_, bytes)| bytes).map_err(|error| error.to_string())
}

/// The library's own reader does not look at what follows the multihash, nor does it say how long that is.
fn read(bytes: &[u8]) -> Result<CidGeneric<MAX_DIGEST_BYTES>, String> {
    let (codec, multihash) = if bytes.starts_with(&V0_PREFIX) {
        (None, bytes)
    } else {
        let (version, rest) = number(bytes, "version")?;
        if version != 1 {
            return Err(format!("its version is {version}, and there are 0 and 1"));
        }
        let (codec, rest) = number(rest, "codec")?;
        (Some(codec), rest)
    };
    let (function, rest) = number(multihash, "hash function")?;
    let (length, rest) = number(rest, "length of a digest")?;
    let has = rest.len();
    let digest = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let digest = digest.ok_or_else(|| format!("its digest should have {length} bytes, and has {has}"))?;
    match has - digest.len() {
        0 => {}
        1 => return Err("a byte follows its multihash".to_owned()),
        more => return Err(format!("{more} bytes follow its multihash")),
    }
    if multihash.len() > MAX_KEY_BYTES {
        let long = multihash.len();
        return Err(format!("its multihash has {long} bytes, and no DHT keeps records of one over {MAX_KEY_BYTES}"));
    }
    let multihash = Multihash::wrap(function, digest).map_err(|error| error.to_string())?;
    match codec {
        Some(codec) => Ok(CidGeneric::new_v1(codec, multihash)),
        None => CidGeneric::new_v0(multihash).map_err(|error| error.to_string()),
    }
}

/// The number that stands first (an unsigned varint), and what follows it.
fn number<'a>(bytes: &'a [u8], what: &str) -> Result<(u64, &'a [u8]), String> {
    unsigned_varint::decode::u64(bytes).map_err(|_| format!("it has no {what} where one should be"))
}

#[cfg(test)]
mod tests;
