//! One file of frames: finding what is in it, and what is missing.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::Damage;
use super::frame::{Frame, HEADER, Header, MAX_PAYLOAD, frames};

/// The ending of files of frames. Before it stands the number of their first frame.
const ENDING: &str = "entries";

/// The ending of files that are kept for somebody to look at.
pub(super) const DAMAGED: &str = "damaged";

/// Above all numbers that frames can come to: a thousand a second for a hundred million years.
const MAX_NUMBER: u64 = 1 << 62;

/// From where on the next frame begins a piece of its own: what is read at once stays small.
const ENOUGH: u64 = 1 << 20;

/// The longest frame.
const MAX_FRAME: usize = HEADER + MAX_PAYLOAD;

/// How much of a file is looked at at once: no frame is longer than half of it.
const WINDOW: usize = 2 * MAX_FRAME;

/// What a disk reads at once: if it can't read a file, it can't read some of these.
const BLOCK: usize = 4_096;

/// Rows that were written together, or that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The numbers of its frames.
    pub(super) numbers: Range<u64>,
    /// How many of its rows can be read, as far as is known.
    pub(super) rows: usize,
    /// How many rows are lost.
    pub(super) lost: usize,
    /// When it was pushed, in seconds since 1970.
    pub(super) seconds: u64,
    /// Where it stands in its file.
    pub(super) offset: u64,
    length: u64,
    /// Whether a push ends with it.
    last: bool,
}

impl Piece {
    fn of(header: Header, offset: u64, length: u64) -> Self {
        let Header { number, seconds, rows, last } = header;
        Self { numbers: number..number + 1, rows: rows as usize, lost: 0, seconds, offset, length, last }
    }

    /// Frames that should be there and are not.
    pub(super) fn missing(numbers: Range<u64>, offset: u64) -> Self {
        let lost = usize::try_from(numbers.end - numbers.start).unwrap_or(usize::MAX);
        Self { numbers, rows: 0, lost, seconds: 0, offset, length: 0, last: true }
    }

    /// Some of its rows turn out to be lost.
    pub(super) fn has_only(&mut self, rows: usize) {
        self.lost += self.rows.saturating_sub(rows);
        self.rows = rows;
    }
}

/// Appends a frame, to the last piece if it belongs to that.
pub(super) fn add(pieces: &mut VecDeque<Piece>, header: Header, offset: u64, length: u64) {
    let belongs = |piece: &Piece| !piece.last && piece.numbers.end == header.number && piece.length + length <= ENOUGH;
    match pieces.back_mut() {
        Some(piece) if belongs(piece) => {
            piece.numbers.end = header.number + 1;
            piece.rows += header.rows as usize;
            piece.length += length;
            piece.last = header.last;
        }
        _ => pieces.push_back(Piece::of(header, offset, length)),
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
    /// What of it is not done with, in order.
    pub(super) pieces: VecDeque<Piece>,
    /// Whether it is to be kept when it is done with.
    pub(super) damaged: bool,
    /// How often it could not be read.
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
        Self { path, first, bytes: 0, pieces: VecDeque::new(), damaged: false, failures: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.pieces.iter().map(|piece| piece.rows).sum()
    }

    /// The number behind its last frame.
    pub(super) fn end(&self) -> u64 {
        self.pieces.back().map_or(self.first, |piece| piece.numbers.end)
    }

    /// What is missing in it.
    pub(super) fn damage(&self) -> impl Iterator<Item = Damage> {
        let missing = self.pieces.iter().filter(|piece| piece.lost > 0);
        missing.map(|piece| Damage {
            path: self.path.clone(),
            offset: piece.offset,
            rows: piece.lost,
            what: format!("{} cannot be read", rows(piece.lost)),
        })
    }
}

/// So many rows, for people.
pub(crate) fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// Which numbers a file should have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Its first, by its name.
    pub(super) first: u64,
    /// From which on they are not done with.
    pub(super) done: u64,
    /// The first of the file after it, if there is one.
    pub(super) next: Option<u64>,
    /// Up to where pushes came to their end, if that was noted.
    pub(super) written: Option<u64>,
}

/// Reads a file from its beginning to its end. Returns what is in it, and how many bytes at its end belong to a push that
/// did not come to its end.
///
/// A tail that cannot be read is damage if numbers are missing, and else a push that nobody was told was kept.
///
/// # Errors
/// If it cannot be opened. What cannot be read further on is damage.
pub(super) fn scan(path: &Path, expected: Expected) -> io::Result<(Segment, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let Expected { first, done, next, written } = expected;
    let mut segment = Segment { bytes: length, ..Segment::new(path.to_owned(), first) };
    let (mut number, mut offset) = (first.max(done), 0);
    each_frame(&file, length, first..next.unwrap_or(MAX_NUMBER), |begin, frame| {
        let end = begin + (frame.end() - frame.at) as u64;
        if frame.header.number >= done {
            if frame.header.number > number {
                segment.pieces.push_back(Piece::missing(number..frame.header.number, offset));
            }
            add(&mut segment.pieces, frame.header, begin, end - begin);
            number = frame.header.number + 1;
        }
        offset = end;
    })?;
    if next.is_none() {
        let unfinished = |piece: &mut Piece| !piece.last && piece.numbers.start >= written.unwrap_or(0);
        while let Some(piece) = segment.pieces.pop_back_if(unfinished) {
            (number, offset) = (piece.numbers.start, piece.offset);
        }
    }
    let torn = match next.or(written) {
        Some(end) if end > number => {
            segment.pieces.push_back(Piece::missing(number..end, offset));
            0
        }
        _ if next.is_none() => length - offset,
        _ => 0,
    };
    segment.damaged = segment.pieces.iter().any(|piece| piece.lost > 0);
    Ok((segment, torn))
}

/// Passes each frame of a file with the place where it begins.
fn each_frame(
    file: &File,
    length: u64,
    mut numbers: Range<u64>,
    mut pass: impl FnMut(u64, &Frame<'_>),
) -> io::Result<()> {
    let mut offset = 0;
    while offset < length {
        let bytes = read_around(file, offset, WINDOW.min(usize::try_from(length - offset).unwrap_or(WINDOW)))?;
        let mut passed = 0;
        for frame in frames(&bytes, numbers.clone()) {
            pass(offset + frame.at as u64, &frame);
            numbers.start = frame.header.number + 1;
            passed = frame.end();
        }
        if bytes.len() < WINDOW {
            return Ok(());
        }
        // What begins further on may go on behind what was read.
        offset += passed.max(bytes.len() - MAX_FRAME + 1) as u64;
    }
    Ok(())
}

/// Reads these bytes, fewer if the file ends before; blocks that the disk cannot read are zeros.
fn read_around(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let whole = read_at(file, offset, length);
    if whole.is_ok() {
        return whole;
    }
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let block = BLOCK.min(length - bytes.len());
        match read_at(file, offset + bytes.len() as u64, block) {
            Ok(read) if read.is_empty() => break,
            Ok(read) => bytes.extend(read),
            Err(_) => bytes.resize(bytes.len() + block, 0),
        }
    }
    Ok(bytes)
}

fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Reads a piece that was there before. With `patient`, a disk that cannot read all of it is an error; otherwise what it
/// can read is taken.
pub(super) fn read(file: &File, piece: &Piece, patient: bool) -> io::Result<Vec<u8>> {
    let length = usize::try_from(piece.length).unwrap_or(usize::MAX);
    if patient { read_at(file, piece.offset, length) } else { read_around(file, piece.offset, length) }
}
