//! The denylists themselves, and which of them the key of a request stands on.
//!
//! They withhold nothing: a DHT server answers as it always does, and requests for denied content are only counted. A
//! provider request names a multihash, but a list names CIDs, which also say how the content is encoded. So a key is
//! looked up as a CIDv1 of each encoding ([`CODECS`]).
//!
//! Each denied CID is kept as its [`Anchor`], the form in which badbits lists write it: the SHA-256 of the CIDv1 in
//! base32 and a slash. All anchors have the same length, and one computation serves both lists.

use std::collections::HashMap;

use cid::Cid;
use multihash::Multihash;
use sha2::{Digest, Sha256};
use thiserror::Error;

use parsec_measure::harmless;

/// How many entries one list may have. The public badbits list has several 100,000; this many take 320 MB.
pub const MAX_ENTRIES: usize = 10_000_000;

/// How many different sources of denied CIDs are told apart. The entries of further ones are matched, without their source.
const MAX_SOURCES: usize = 65_536;

/// How many characters of a source's name are kept.
const MAX_SOURCE_CHARS: usize = 128;

/// How many characters of an unreadable line are repeated in the error.
const SHOWN_CHARS: usize = 80;

/// The encodings under which a key is looked for: raw, dag-pb, dag-cbor and dag-jose (multicodec table), as the original
/// does (its `pkg/server/host.go`).
const CODECS: [u64; 4] = [RAW, DAG_PB, 0x71, 0x85];
const RAW: u64 = 0x55;
const DAG_PB: u64 = 0x70;

/// SHA-256 of a CIDv1 in base32, followed by a slash.
type Anchor = [u8; 32];

fn anchor(cid: &Cid) -> Anchor {
    let mut hasher = Sha256::new();
    hasher.update(cid.to_string().as_bytes());
    hasher.update(b"/");
    hasher.finalize().into()
}

/// A list by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenylistName {
    /// Hashes of CIDs, one to a line, as badbits.dwebops.pub publishes them.
    Badbits,
    /// CIDs with where they came from, as CSV.
    DeniedCids,
}

impl DenylistName {
    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Badbits => "badbits",
            Self::DeniedCids => "denied_cids",
        }
    }
}

/// A line that does not belong in its list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot use `{text}`: {reason}")]
pub struct BadLine {
    /// The line, [made harmless](harmless) and cut to 80 characters.
    pub text: String,
    /// What would be right.
    pub reason: String,
}

impl BadLine {
    fn new(line: &str, reason: impl Into<String>) -> Self {
        Self { text: harmless(line, SHOWN_CHARS), reason: reason.into() }
    }

    fn too_many(line: &str) -> Self {
        Self::new(line, format!("expected at most {MAX_ENTRIES} entries"))
    }
}

/// The badbits list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Badbits {
    /// In order.
    anchors: Vec<Anchor>,
    skipped: u64,
}

impl Badbits {
    /// How many different entries there are.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// How many lines hold rules of other kinds, which are not used here: paths, names, exceptions, and hashes of
    /// multihashes.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// Reads a badbits list line by line: `//`, the hexadecimal SHA-256 of a CIDv1 and a slash, and perhaps hints behind
/// a blank (specs.ipfs.tech/compact-denylist-format, "legacy" double hash).
#[derive(Debug, Default)]
pub struct BadbitsReader {
    list: Badbits,
    header_ended: bool,
}

impl BadbitsReader {
    /// Takes the next line.
    ///
    /// # Errors
    /// If it begins like an entry but is not a valid one, or if there are too many entries.
    pub fn line(&mut self, line: &str) -> Result<(), BadLine> {
        let line = line.trim();
        if line == "---" && !self.header_ended {
            self.header_ended = true;
            if self.list.is_empty() {
                // Everything above was the header.
                self.list.skipped = 0;
            }
        } else if let Some(rule) = line.strip_prefix("//") {
            self.hash(line, rule.split_whitespace().next().unwrap_or_default())?;
        } else if !line.is_empty() && !line.starts_with('#') {
            self.list.skipped += 1;
        }
        Ok(())
    }

    fn hash(&mut self, line: &str, hash: &str) -> Result<(), BadLine> {
        match from_hex(hash) {
            Some(_) if self.list.anchors.len() >= MAX_ENTRIES => return Err(BadLine::too_many(line)),
            Some(anchor) => self.list.anchors.push(anchor),
            None if is_multihash(hash) => self.list.skipped += 1,
            None => return Err(BadLine::new(line, EXPECTED_HASH)),
        }
        Ok(())
    }

    /// The list.
    ///
    /// # Errors
    /// If there were lines but no entry: then it is a file of another kind.
    pub fn finish(self) -> Result<Badbits, BadLine> {
        let mut list = self.list;
        if list.anchors.is_empty() && list.skipped > 0 {
            return Err(BadLine::new("the whole file", format!("no line of it is an entry; {EXPECTED_HASH}")));
        }
        list.anchors.sort_unstable();
        list.anchors.dedup();
        list.anchors.shrink_to_fit();
        Ok(list)
    }
}

const EXPECTED_HASH: &str = "expected `//` and 64 hexadecimal digits, the SHA-256 of a CIDv1 and a slash";

/// Whether this looks like the newer kind of hash, a multihash in base58, rather than like a mistake in the older kind.
fn is_multihash(text: &str) -> bool {
    let is_hex = text.bytes().all(|character| character.is_ascii_hexdigit());
    !is_hex && text.len() != 64 && text.bytes().all(|character| character.is_ascii_alphanumeric())
}

fn from_hex(text: &str) -> Option<Anchor> {
    let mut anchor = [0; 32];
    hex::decode_to_slice(text, &mut anchor).ok()?;
    Some(anchor)
}

/// The list of denied CIDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeniedCids {
    /// In the order of their anchors.
    entries: Vec<Entry>,
    sources: Vec<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    anchor: Anchor,
    /// Its index among the sources; past their end if there were too many.
    source: u32,
}

impl DeniedCids {
    /// How many different entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Reads a list of denied CIDs line by line: a CID, a comma, and where it came from, either of them perhaps in quotes. The
/// first line may be a header whose first word is `cid`.
#[derive(Debug, Default)]
pub struct DeniedCidsReader {
    list: DeniedCids,
    places: HashMap<Box<str>, u32>,
    begun: bool,
}

impl DeniedCidsReader {
    /// Takes the next line.
    ///
    /// # Errors
    /// If it is neither empty nor an entry, or if it is one too many.
    pub fn line(&mut self, line: &str) -> Result<(), BadLine> {
        let line = if self.begun { line } else { line.trim_start_matches('\u{feff}') }.trim();
        if line.is_empty() {
            return Ok(());
        }
        let first = !std::mem::replace(&mut self.begun, true);
        let wrong = |reason: &str| BadLine::new(line, format!("{reason}; expected CID,SOURCE"));
        let [text, source] = fields(line).map_err(wrong)?;
        let text = text.trim();
        if first && text.eq_ignore_ascii_case("cid") {
            return Ok(());
        }
        let cid: Cid = text.parse().map_err(|error| wrong(&format!("the first column is not a CID ({error})")))?;
        if self.list.entries.len() >= MAX_ENTRIES {
            return Err(BadLine::too_many(line));
        }
        // A request does not say which encoding it wants. An entry whose encoding is never tried cannot match, so any
        // place for it will do.
        let codec = if CODECS.contains(&cid.codec()) { cid.codec() } else { RAW };
        let anchor = anchor(&Cid::new_v1(codec, *cid.hash()));
        let source = self.source(source.trim());
        self.list.entries.push(Entry { anchor, source });
        Ok(())
    }

    fn source(&mut self, name: &str) -> u32 {
        let name: Box<str> = harmless(name, MAX_SOURCE_CHARS).into();
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        let place = self.list.sources.len();
        if place < MAX_SOURCES {
            self.list.sources.push(name.clone());
            self.places.insert(name, place as u32);
        }
        place as u32
    }

    /// The list. Of two entries for one CID the later one counts.
    pub fn finish(self) -> DeniedCids {
        let mut list = self.list;
        list.entries.sort_by_key(|entry| entry.anchor);
        list.entries.dedup_by(|later, earlier| {
            let same = later.anchor == earlier.anchor;
            if same {
                earlier.source = later.source;
            }
            same
        });
        list.entries.shrink_to_fit();
        list
    }
}

/// The two fields of a line of CSV (RFC 4180, without line breaks in quotes).
fn fields(line: &str) -> Result<[String; 2], &'static str> {
    let (first, rest) = field(line)?;
    let (second, rest) = field(rest.ok_or("there is one column only")?)?;
    if rest.is_some() { Err("there are more than two columns") } else { Ok([first, second]) }
}

/// The first field, and what follows its comma.
fn field(text: &str) -> Result<(String, Option<&str>), &'static str> {
    let Some(mut rest) = text.strip_prefix('"') else {
        return Ok(text
            .split_once(',')
            .map_or((text.to_owned(), None), |(field, rest)| (field.to_owned(), Some(rest))));
    };
    let mut field = String::new();
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quote is not closed on its line")?;
        field.push_str(part);
        match (after.strip_prefix('"'), after.strip_prefix(',')) {
            (Some(after), _) => {
                field.push('"');
                rest = after;
            }
            (None, Some(after)) => return Ok((field, Some(after))),
            (None, None) if after.trim().is_empty() => return Ok((field, None)),
            (None, None) => return Err("a quote is followed by neither a comma nor the end"),
        }
    }
}

/// The lists that a node uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denylists {
    /// If there is one.
    pub badbits: Option<Badbits>,
    /// If there is one.
    pub denied_cids: Option<DeniedCids>,
}

/// The entry that a key was found under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied<'a> {
    /// On this list.
    pub list: DenylistName,
    /// As this CID.
    pub cid: String,
    /// For this reason, as far as the list says.
    pub source: Option<&'a str>,
}

impl Denylists {
    /// The lists that are there.
    pub fn names(&self) -> Vec<DenylistName> {
        let badbits = self.badbits.as_ref().map(|_| DenylistName::Badbits);
        badbits.into_iter().chain(self.denied_cids.as_ref().map(|_| DenylistName::DeniedCids)).collect()
    }

    /// The entries for the key of a provider request: at most one in each list. A key that is not a multihash has none.
    pub fn find(&self, key: &[u8]) -> Vec<Denied<'_>> {
        let Ok(multihash) = Multihash::<64>::from_bytes(key) else { return Vec::new() };
        let mut found: Vec<Denied<'_>> = Vec::new();
        for codec in CODECS {
            let cid = Cid::new_v1(codec, multihash);
            let anchor = anchor(&cid);
            for (list, source) in [self.on_badbits(&anchor), self.on_denied(&anchor)].into_iter().flatten() {
                if found.iter().all(|known| known.list != list) {
                    found.push(Denied { list, cid: cid.to_string(), source });
                }
            }
        }
        found
    }

    fn on_badbits(&self, anchor: &Anchor) -> Option<(DenylistName, Option<&str>)> {
        self.badbits.as_ref()?.anchors.binary_search(anchor).ok()?;
        Some((DenylistName::Badbits, None))
    }

    fn on_denied(&self, anchor: &Anchor) -> Option<(DenylistName, Option<&str>)> {
        let list = self.denied_cids.as_ref()?;
        let place = list.entries.binary_search_by_key(anchor, |entry| entry.anchor).ok()?;
        let source = list.sources.get(list.entries[place].source as usize).map(AsRef::as_ref);
        Some((DenylistName::DeniedCids, source))
    }
}

#[cfg(test)]
mod tests;
