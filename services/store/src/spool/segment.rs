//! One file of frames: finding what is in it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::Damage;
use super::frame::{self, Found, HEADER};

/// The ending of files of frames. Before it stands the number of their first frame.
const ENDING: &str = "entries";

/// The ending of files that are kept for somebody to look at.
pub(super) const DAMAGED: &str = "damaged";

/// Above all numbers that frames can come to: a thousand a second for a hundred million years.
const MAX_NUMBER: u64 = 1 << 62;

/// Where a frame stands, and what is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) number: u64,
    pub(super) seconds: u64,
    pub(super) rows: u32,
    pub(super) last: bool,
    offset: u64,
    length: u64,
}

impl Frame {
    /// A frame whose header and payload have these many bytes, at this place.
    pub(super) fn new(header: frame::Header, offset: u64, length: u64) -> Self {
        let frame::Header { number, seconds, rows, last } = header;
        Self { number, seconds, rows, last, offset, length }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the next one begins.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// One file of frames.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The number of its first frame.
    pub(super) first: u64,
    /// How long the file is.
    pub(super) bytes: u64,
    /// Those of its frames that are not done with.
    pub(super) frames: VecDeque<Frame>,
    /// Whether it is to be kept when it is done with.
    pub(super) damaged: bool,
    /// How often in a row it could not be read.
    pub(super) failures: u32,
}

impl Segment {
    pub(super) fn path_of(directory: &Path, first: u64) -> PathBuf {
        directory.join(format!("{first:020}.{ENDING}"))
    }

    /// The number that a file's name begins with, if it is one of frames.
    pub(super) fn number_of(path: &Path) -> Option<u64> {
        let number = path.file_name()?.to_str()?.strip_suffix(ENDING)?.strip_suffix('.')?;
        number.parse().ok().filter(|number| *number < MAX_NUMBER)
    }

    pub(super) fn new(path: PathBuf, first: u64) -> Self {
        Self { path, first, bytes: 0, frames: VecDeque::new(), damaged: false, failures: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.frames.iter().map(|frame| frame.rows as usize).sum()
    }
}

/// What is in a file.
#[derive(Debug)]
pub(super) struct Scan {
    /// The file with all of its frames; what is known to be wrong with it is in `damage`.
    pub(super) segment: Segment,
    pub(super) damage: Vec<Damage>,
    /// Bytes at its end that belong to a push which did not come to its end.
    pub(super) torn: u64,
}

/// Reads a file from its beginning to its end. `next` is the number that the file after it begins with, if there is one.
///
/// Frames are numbered without a gap: so a tail that cannot be read is a push that was never acknowledged if no number
/// is missing, and damage if one is.
///
/// # Errors
/// If it cannot be opened. What cannot be read further on is damage.
pub(super) fn scan(path: &Path, first: u64, next: Option<u64>) -> io::Result<Scan> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut segment = Segment::new(path.to_owned(), first);
    segment.bytes = length;
    let mut damage = Vec::new();
    let mut report = |offset, what| damage.push(Damage { path: path.to_owned(), offset, what });
    let trouble =
        read_frames(&mut BufReader::new(file), length, first, next.unwrap_or(MAX_NUMBER), &mut segment.frames);
    if next.is_none() {
        while segment.frames.back().is_some_and(|frame| !frame.last) {
            segment.frames.pop_back();
        }
    }
    let (mut number, mut offset) = (first, 0);
    for frame in &segment.frames {
        if frame.number != number {
            report(offset, missing(number, frame.number));
        }
        (number, offset) = (frame.number + 1, frame.end());
    }
    let mut torn = 0;
    match (trouble, next) {
        (Some(error), _) => report(offset, error.to_string()),
        (None, Some(next)) if number < next => report(offset, missing(number, next)),
        (None, _) => torn = length - offset,
    }
    segment.damaged = !damage.is_empty();
    Ok(Scan { segment, damage, torn })
}

fn missing(from: u64, to: u64) -> String {
    match to - from {
        1 => format!("entry {from} cannot be read"),
        count => format!("{count} entries from {from} on cannot be read"),
    }
}

/// Collects the frames that can be found. Returns what kept it from reading on.
fn read_frames(
    reader: &mut impl Read,
    length: u64,
    first: u64,
    end: u64,
    frames: &mut VecDeque<Frame>,
) -> Option<io::Error> {
    let (mut offset, mut least) = (0, first);
    while offset < length {
        match frame::read(reader, length - offset) {
            // One with a higher number was written again into the next file, after its push had failed.
            Ok(Found::Frame(header, payload)) if (least..end).contains(&header.number) => {
                let whole = HEADER as u64 + payload.len() as u64;
                frames.push_back(Frame::new(header, offset, whole));
                least = header.number + 1;
                offset += whole;
            }
            Ok(Found::Frame(_, payload)) => offset += HEADER as u64 + payload.len() as u64,
            Ok(Found::Garbled(whole)) => offset += whole,
            Ok(Found::Lost) => return None,
            // The file is shorter than it was a moment ago: cut by the one who writes it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
            Err(error) => return Some(error),
        }
    }
    None
}

/// Reads the payload of a frame that was there before. `Ok(None)`: it is not there any more.
pub(super) fn payload(file: &mut File, frame: &Frame) -> io::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(frame.offset))?;
    match frame::read(file, frame.length) {
        Ok(Found::Frame(header, payload)) if header.number == frame.number && header.rows == frame.rows => {
            Ok(Some(payload))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
