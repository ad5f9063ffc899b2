//! Frames: how rows stand in a file so that what was not written whole is recognised.
//!
//! `[length u32][crc32 u32][number u64][seconds u64][rows u32][last u8][payload]`, numbers with their lowest byte first.
//! The checksum covers everything behind itself; `length` is that of the payload, one line of JSON for each row.

use std::io::{self, Read};

use crate::Row;

use super::error::SpoolError;
use super::shape;

/// How long a payload can be. A row has a few hundred bytes, with a trace up to 2 MB, which is how long an answer can be
/// that it came in; escaped, up to three times that.
pub(super) const MAX_PAYLOAD: usize = 8 << 20;

/// From where on the next row begins a frame of its own: what is read at once stays small.
const ENOUGH_PAYLOAD: usize = 1 << 20;

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

/// Rows that are written as one frame. A push has one or several of them.
pub(super) struct Payload {
    pub(super) seconds: u64,
    pub(super) rows: u32,
    pub(super) bytes: Vec<u8>,
}

/// Packs rows that are pushed now into payloads.
///
/// # Errors
/// [`SpoolError::TooLong`] for a row that fits into none.
pub(super) fn pack(rows: &[Row], seconds: u64) -> Result<Vec<Payload>, SpoolError> {
    let mut payloads: Vec<Payload> = Vec::new();
    for row in rows {
        let line = shape::line(row);
        if line.len() > MAX_PAYLOAD {
            return Err(SpoolError::TooLong { bytes: line.len(), max_bytes: MAX_PAYLOAD });
        }
        match payloads.last_mut().filter(|payload| payload.bytes.len() + line.len() < ENOUGH_PAYLOAD) {
            Some(payload) => {
                payload.bytes.push(b'\n');
                payload.bytes.extend(line);
                payload.rows += 1;
            }
            None => payloads.push(Payload { seconds, rows: 1, bytes: line }),
        }
    }
    Ok(payloads)
}

/// Rows as one payload, however long that is.
pub(super) fn lines(rows: &[Row]) -> Vec<u8> {
    rows.iter().map(shape::line).collect::<Vec<_>>().join(&b'\n')
}

/// The rows of a payload.
///
/// # Errors
/// In words, which of them cannot be read and why.
pub(super) fn unpack(payload: &[u8], rows: u32) -> Result<Vec<Row>, String> {
    let lines = payload.split(|byte| *byte == b'\n').enumerate();
    let read: Vec<_> = lines
        .map(|(i, line)| shape::row(line).map_err(|error| format!("row {} of {rows}: {error}", i + 1)))
        .collect::<Result<_, _>>()?;
    if u32::try_from(read.len()) == Ok(rows) { Ok(read) } else { Err(format!("{} rows instead of {rows}", read.len())) }
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

/// What stands at one place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A frame, and its payload.
    Frame(Header, Vec<u8>),
    /// As many bytes as a frame would have, and something is wrong in them. What comes next may be one again.
    Garbled(u64),
    /// Nothing that could be a frame: from here on nobody knows where another begins.
    Lost,
}

/// Reads what stands at the reader's place, of which `left` bytes are in the file.
pub(super) fn read(reader: &mut impl Read, left: u64) -> io::Result<Found> {
    if left < HEADER as u64 {
        return Ok(Found::Lost);
    }
    let mut head = [0; HEADER];
    reader.read_exact(&mut head)?;
    let u32_at = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let length = u32_at(0);
    let whole = HEADER as u64 + u64::from(length);
    if length == 0 || length as usize > MAX_PAYLOAD || whole > left {
        return Ok(Found::Lost);
    }
    let mut covered = Vec::with_capacity(HEADER - SUMMED + length as usize);
    covered.extend_from_slice(&head[SUMMED..]);
    covered.resize(HEADER - SUMMED + length as usize, 0);
    reader.read_exact(&mut covered[HEADER - SUMMED..])?;
    if sum(length, &covered) != u32_at(4) {
        return Ok(Found::Garbled(whole));
    }
    let header = Header { number: u64_at(8), seconds: u64_at(16), rows: u32_at(24), last: head[28] == 1 };
    covered.drain(..HEADER - SUMMED);
    Ok(Found::Frame(header, covered))
}
