//! Frames: how rows stand in a file so that what is not as it was written is recognised, and what stands behind it found.
//!
//! `[length u32][crc32 u32][number u64][seconds u64][rows u32][last u8][payload]`, numbers with their lowest byte first.
//! The checksum covers everything behind itself, and the length. The payload is a row as one line of JSON; earlier
//! versions wrote several rows into one frame. Frames are numbered without a gap: what is missing is known by its numbers.

use std::ops::Range;

/// How long a payload can be. A row has a few hundred bytes, with a trace up to 2 MB, which is how long an answer can be
/// that it came in; escaped, up to three times that.
pub(super) const MAX_PAYLOAD: usize = 8 << 20;

pub(super) const HEADER: usize = 29;

/// Where the part begins that the checksum covers.
const SUMMED: usize = 8;

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// One more than that of the frame before it in this slot.
    pub(super) number: u64,
    /// When it was pushed, in seconds since 1970.
    pub(super) seconds: u64,
    /// How many rows it has.
    pub(super) rows: u32,
    /// Whether a push ends with it.
    pub(super) last: bool,
}

/// A frame, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'b> {
    pub(super) at: usize,
    pub(super) header: Header,
    pub(super) payload: &'b [u8],
}

impl<'b> Frame<'b> {
    /// Where the next one begins.
    pub(super) fn end(&self) -> usize {
        self.at + HEADER + self.payload.len()
    }

    /// Its rows as they stand in it.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        self.payload.split(|byte| *byte == b'\n')
    }
}

/// Appends a frame to `out`.
pub(super) fn encode(out: &mut Vec<u8>, header: Header, payload: &[u8]) {
    let begin = out.len();
    let length = u32::try_from(payload.len()).expect("a payload is no longer than its bound");
    out.extend(length.to_le_bytes());
    out.extend([0; 4]);
    out.extend(header.number.to_le_bytes());
    out.extend(header.seconds.to_le_bytes());
    out.extend(header.rows.to_le_bytes());
    out.push(u8::from(header.last));
    out.extend(payload);
    let sum = sum(length, &out[begin + SUMMED..]);
    out[begin + 4..begin + SUMMED].copy_from_slice(&sum.to_le_bytes());
}

/// The length counts too: behind a wrong one the checksum of other bytes could fit by chance.
fn sum(length: u32, covered: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(covered);
    hasher.finalize()
}

/// The frames in these bytes that have these numbers, in ascending order. Whatever stands between them is passed over byte
/// by byte. Nothing in a payload can be taken for a frame: each header has zeros, and no line of JSON does.
pub(super) fn frames(bytes: &[u8], numbers: Range<u64>) -> impl Iterator<Item = Frame<'_>> {
    let (mut at, mut numbers) = (0, numbers);
    std::iter::from_fn(move || {
        while at < bytes.len() {
            match frame_at(bytes, at, &numbers) {
                Some(frame) => {
                    at = frame.end();
                    numbers.start = frame.header.number + 1;
                    return Some(frame);
                }
                None => at += 1,
            }
        }
        None
    })
}

fn frame_at<'b>(bytes: &'b [u8], at: usize, numbers: &Range<u64>) -> Option<Frame<'b>> {
    let (head, rest) = bytes[at..].split_first_chunk::<HEADER>()?;
    let u32_at = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let header = Header { number: u64_at(8), seconds: u64_at(16), rows: u32_at(24), last: head[28] == 1 };
    let length = u32_at(0);
    if length == 0 || length as usize > MAX_PAYLOAD || !numbers.contains(&header.number) {
        return None;
    }
    let payload = rest.get(..length as usize)?;
    let covered = &bytes[at + SUMMED..at + HEADER + payload.len()];
    (sum(length, covered) == u32_at(4)).then_some(Frame { at, header, payload })
}
