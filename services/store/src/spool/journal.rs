//! The files of frames in one directory: appended to at one end, confirmed at the other.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::Clock;
use super::error::{Damage, SpoolError, failed};
use super::frame::{self, HEADER, Header, frames};
use super::note::{Note, Noted};
use super::oldest::{Confirmed, Mark};
use super::segment::{self, DAMAGED, Expected, Piece, Segment, scan};

/// From how many bytes on the next push begins a new file: small enough that what is done with is soon given back.
pub(super) const FILE_BYTES: u64 = 8 << 20;

/// A file of which nothing waits may be this long, then the next push begins a new one.
const IDLE_BYTES: u64 = 1 << 20;

/// How often a file may fail to be read before what the disk does not give is given up: a fault of the disk may pass.
const READ_TRIES: u32 = 3;

/// How much of what is damaged is kept for somebody to look at: a disk that rots must not fill the spool with it.
const MAX_ASIDE: u64 = 8 * FILE_BYTES;

/// A row as it stands in a file, and when it was pushed, in seconds since 1970.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) seconds: u64,
    pub(super) bytes: Vec<u8>,
}

/// What is read before it is confirmed.
#[derive(Debug)]
pub(super) struct Taken<T> {
    pub(super) rows: Vec<T>,
    pub(super) end: Mark,
    /// How many of the rows before the mark are lost.
    pub(super) lost: usize,
    /// What was found damaged while it was read.
    pub(super) damage: Vec<Damage>,
}

/// The frames of one slot.
#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    clock: Clock,
    /// In the order of their numbers. The last one is written to if `writer` is open.
    segments: VecDeque<Segment>,
    writer: Option<File>,
    /// The number of the next frame.
    next: u64,
    /// The first number that is not done with.
    done: u64,
    note: Note,
    rows: usize,
    /// Files that are done with and could not be removed yet.
    stubborn: Vec<Segment>,
    /// What files take that were set aside.
    aside: u64,
}

/// What is in a directory.
#[derive(Debug)]
pub(super) struct Survey {
    noted: Option<Noted>,
    pub(super) segments: VecDeque<Segment>,
    /// Bytes of a push that did not come to its end.
    pub(super) torn: u64,
    pub(super) damage: Vec<Damage>,
}

impl Journal {
    /// Takes up what is there.
    pub(super) fn open(directory: &Path, clock: Clock) -> Result<(Self, Survey), SpoolError> {
        let mut found = survey(directory, true)?;
        let mut segments = std::mem::take(&mut found.segments);
        let begins = segments.front().map_or(0, |segment| segment.first);
        let done = found.noted.map_or(begins, |noted| noted.done);
        let written = found.noted.and_then(|noted| noted.written).unwrap_or(0);
        // A file that nobody can read keeps its name until it is set aside.
        let after = segments.iter().map(|segment| segment.end().max(segment.first + u64::from(segment.damaged)));
        let next = after.max().unwrap_or(0).max(done).max(written);
        for piece in segments.iter_mut().flat_map(|segment| &mut segment.pieces) {
            piece.seconds = clock.clamped(piece.seconds);
        }
        let mut journal = Self {
            directory: directory.to_owned(),
            clock,
            rows: segments.iter().map(Segment::rows).sum(),
            segments,
            writer: None,
            next,
            done,
            note: Note::of(directory),
            stubborn: Vec::new(),
            aside: bytes_aside(directory)?,
        };
        if next > 0 {
            journal.note.write(done, next);
        }
        journal.drop_done();
        Ok((journal, found))
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The number of the next frame.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The first number that is not done with.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// What all files take.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().chain(&self.stubborn).map(|segment| segment.bytes).sum::<u64>() + self.aside
    }

    /// For how long the oldest rows have waited.
    pub(super) fn oldest_age(&self) -> Option<Duration> {
        self.pieces().find(|piece| piece.rows > 0).map(|piece| self.clock.age(piece.seconds))
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.segments.iter().flat_map(|segment| &segment.pieces)
    }

    /// Appends the rows of one push, on disk when it returns. `room` is what all files together may take.
    pub(super) fn push(&mut self, lines: &[Line], room: u64) -> Result<(), SpoolError> {
        if lines.is_empty() {
            return Ok(());
        }
        let first = self.next;
        let header = |i: usize| {
            let (number, seconds) = (first + i as u64, lines[i].seconds);
            Header { number, seconds, rows: 1, last: i + 1 == lines.len() }
        };
        let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.bytes.len() + HEADER).sum());
        for (i, line) in lines.iter().enumerate() {
            frame::encode(&mut bytes, header(i), &line.bytes);
        }
        self.make_room(bytes.len() as u64, room)?;
        let mut offset = self.append(&bytes)?;
        let segment = self.segments.back_mut().expect("it has just been written to");
        segment.bytes = offset + bytes.len() as u64;
        for (i, line) in lines.iter().enumerate() {
            let length = (HEADER + line.bytes.len()) as u64;
            segment::add(&mut segment.pieces, header(i), offset, length);
            offset += length;
        }
        self.rows += lines.len();
        self.next += lines.len() as u64;
        self.note.write(self.done, self.next);
        Ok(())
    }

    fn make_room(&mut self, needed: u64, room: u64) -> Result<(), SpoolError> {
        if self.bytes() + needed > room && self.rows == 0 {
            self.writer = None;
            self.drop_done();
        }
        let bytes = self.bytes();
        if bytes + needed > room { Err(SpoolError::Full { bytes, max_bytes: room, needed }) } else { Ok(()) }
    }

    /// Writes at the end of the last file, or into a new one. After a failure nothing of it is left, or nobody will take
    /// it for something: the next push begins a new file, with the number that this one would have had.
    fn append(&mut self, bytes: &[u8]) -> Result<u64, SpoolError> {
        self.open_writer()?;
        let segment = self.segments.back().expect("the one that is written to");
        let (path, offset) = (segment.path.clone(), segment.bytes);
        let writer = self.writer.as_mut().expect("it has just been opened");
        let written = writer.write_all(bytes).and_then(|()| writer.sync_data());
        if let Err(error) = written {
            self.abandon_writer();
            return Err(failed("write", &path)(error));
        }
        Ok(offset)
    }

    fn open_writer(&mut self) -> Result<(), SpoolError> {
        if let (Some(_), Some(segment)) = (&self.writer, self.segments.back()) {
            // Somebody may have moved the directory away: what is appended to a file without a name is lost.
            let is_there = fs::metadata(&segment.path).is_ok_and(|metadata| metadata.len() == segment.bytes);
            if is_there && segment.bytes < FILE_BYTES {
                return Ok(());
            }
            self.writer = None;
            self.drop_done();
        }
        let path = Segment::path_of(&self.directory, self.next);
        let options = OpenOptions::new().create(true).write(true).truncate(true).open(&path);
        self.writer = Some(options.map_err(failed("create", &path))?);
        self.segments.push_back(Segment::new(path, self.next));
        if let Err(error) = sync_directory(&self.directory) {
            self.abandon_writer();
            return Err(error);
        }
        Ok(())
    }

    /// Takes back what the last push has written, as far as the disk lets it.
    fn abandon_writer(&mut self) {
        let (Some(writer), Some(segment)) = (self.writer.take(), self.segments.back_mut()) else { return };
        let _ = writer.set_len(segment.bytes).and_then(|()| writer.sync_all());
        segment.bytes = writer.metadata().map_or(segment.bytes, |metadata| metadata.len());
        if segment.first == self.next {
            let _ = fs::remove_file(&segment.path);
            self.segments.pop_back();
        }
    }

    /// The oldest rows as `take` makes them of their lines, whole pieces at a time, until there are enough. What cannot be
    /// read is passed over.
    ///
    /// # Errors
    /// If the disk does not give the oldest ones now, and may do so the next time.
    pub(super) fn oldest<T>(
        &mut self,
        enough: usize,
        take: impl Fn(Line) -> Result<T, String>,
    ) -> Result<Taken<T>, SpoolError> {
        let mut taken = Taken { rows: Vec::new(), end: Mark(self.done), lost: 0, damage: Vec::new() };
        for segment in &mut self.segments {
            let mut file = None;
            for piece in &mut segment.pieces {
                if taken.rows.len() >= enough {
                    return Ok(taken);
                }
                if piece.rows > 0 {
                    let patient = segment.failures < READ_TRIES;
                    let bytes = match read_piece(&segment.path, &mut file, piece, patient) {
                        Ok(bytes) => bytes,
                        Err(error) => {
                            segment.failures += 1;
                            let error = failed("read", &segment.path)(error);
                            return if taken.rows.is_empty() { Err(error) } else { Ok(taken) };
                        }
                    };
                    let (rows, reason) = rows_of(&bytes, piece.numbers.clone(), &take);
                    if rows.len() < piece.rows {
                        let lost = piece.rows - rows.len();
                        let what = format!("{} cannot be read: {reason}", segment::rows(lost));
                        let path = segment.path.clone();
                        taken.damage.push(Damage { path, offset: piece.offset, rows: lost, what });
                        piece.has_only(rows.len());
                        self.rows -= lost;
                        segment.damaged = true;
                        // Only a file that is not written to can be set aside.
                        self.writer = None;
                    }
                    taken.rows.extend(rows);
                }
                taken.lost += piece.lost;
                taken.end = Mark(piece.numbers.end);
            }
        }
        Ok(taken)
    }

    /// The numbers before this mark of which rows are lost, and that were not done with until now.
    pub(super) fn lost_before(&self, Mark(end): Mark) -> impl Iterator<Item = Range<u64>> {
        let pieces = self.pieces().take_while(move |piece| piece.numbers.end <= end);
        pieces.filter(|piece| piece.lost > 0).map(|piece| piece.numbers.clone())
    }

    /// Everything before the mark is done with. Returns for how many rows that is news.
    ///
    /// Whether the note of it can be written makes no difference to the caller: without it rows are offered twice after
    /// a crash, and a disk that takes nothing is reported by the next push.
    pub(super) fn confirm(&mut self, Mark(end): Mark) -> Confirmed {
        let end = end.min(self.next);
        let mut news = Confirmed::default();
        for segment in &mut self.segments {
            while let Some(piece) = segment.pieces.pop_front_if(|piece| piece.numbers.end <= end) {
                news.rows += piece.rows;
                news.lost += piece.lost;
            }
        }
        self.rows -= news.rows;
        if end > self.done {
            self.done = end;
            self.note.write(self.done, self.next);
        }
        if self.rows == 0 && self.segments.back().is_some_and(|segment| segment.bytes > IDLE_BYTES) {
            self.writer = None;
        }
        self.drop_done();
        news
    }

    /// The mark behind what has waited for longer than `age`; `None` if nothing has.
    pub(super) fn older_than(&self, age: Duration) -> Option<Mark> {
        let is_old = |piece: &&Piece| piece.rows == 0 || self.clock.age(piece.seconds) > age;
        let old = self.pieces().take_while(is_old).filter(|piece| piece.rows > 0).last();
        old.map(|piece| Mark(piece.numbers.end))
    }

    /// Removes the files of which nothing waits, except the one that is written to.
    fn drop_done(&mut self) {
        let written = self.writer.as_ref().and(self.segments.back()).map(|segment| segment.first);
        let is_done = |segment: &Segment| segment.pieces.is_empty() && Some(segment.first) != written;
        if self.stubborn.is_empty() && !self.segments.iter().any(is_done) {
            return;
        }
        self.note.settle();
        let (done, kept) = std::mem::take(&mut self.segments).into_iter().partition(is_done);
        self.segments = kept;
        for mut segment in std::mem::take(&mut self.stubborn).into_iter().chain::<VecDeque<_>>(done) {
            segment.damaged &= self.aside + segment.bytes <= MAX_ASIDE;
            match remove(&segment) {
                Ok(true) => self.aside += segment.bytes,
                Ok(false) => {}
                Err(_) => self.stubborn.push(segment),
            }
        }
        let _ = sync_directory(&self.directory);
    }
}

fn read_piece(path: &Path, file: &mut Option<File>, piece: &Piece, patient: bool) -> std::io::Result<Vec<u8>> {
    let file = match file {
        Some(file) => file,
        None => match File::open(path) {
            Ok(opened) => file.insert(opened),
            // Gone is gone. Whatever else keeps it from being opened may pass.
            Err(error) if error.kind() == ErrorKind::NotFound || !patient => return Ok(Vec::new()),
            Err(error) => return Err(error),
        },
    };
    segment::read(file, piece, patient)
}

/// What `take` makes of the rows in these bytes, and the first reason why it is not more.
fn rows_of<T>(bytes: &[u8], numbers: Range<u64>, take: impl Fn(Line) -> Result<T, String>) -> (Vec<T>, String) {
    let lines = frames(bytes, numbers).flat_map(|frame| {
        let seconds = frame.header.seconds;
        frame.lines().map(move |line| Line { seconds, bytes: line.to_owned() })
    });
    let (mut rows, mut reason) = (Vec::new(), None);
    for row in lines.map(take) {
        match row {
            Ok(row) => rows.push(row),
            Err(error) => reason = reason.or(Some(error)),
        }
    }
    (rows, reason.unwrap_or_else(|| "the file does not hold what was written".to_owned()))
}

/// What is in all files of frames, in order. With `at_rest`, what should be there and is not is missing; while a process uses
/// the files, the note changes under whoever looks at them.
pub(super) fn survey(directory: &Path, at_rest: bool) -> Result<Survey, SpoolError> {
    let (noted, damage) = Note::read(directory)?;
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let path = entry.map_err(failed("list", directory))?.path();
        files.extend(Segment::number_of(&path).map(|number| (number, path)));
    }
    files.sort_unstable();
    let done = noted.map(|noted| noted.done);
    let written = noted.filter(|_| at_rest).and_then(|noted| noted.written);
    let mut found = Survey { noted, segments: VecDeque::new(), torn: 0, damage: damage.into_iter().collect() };
    // What the first file should begin with.
    let begins = files.first().map(|(first, _)| *first).or(written);
    if let (Some(done), Some(first)) = (done, begins)
        && done < first
        && at_rest
    {
        let mut vanished = Segment::new(Segment::path_of(directory, done), done);
        vanished.pieces.push_back(Piece::missing(done..first, 0));
        found.segments.push_back(vanished);
    }
    for (i, (first, path)) in files.iter().enumerate() {
        let next = files.get(i + 1).map(|(next, _)| *next);
        let expected = Expected { first: *first, done: done.unwrap_or(0), next, written };
        match scan(path, expected) {
            Ok((segment, torn)) => {
                found.torn += torn;
                found.segments.push_back(segment);
            }
            // Done with by the one who uses it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                found.damage.push(Damage { path: path.clone(), offset: 0, rows: 0, what: error.to_string() });
                found.segments.push_back(unreadable(path, expected));
            }
        }
    }
    found.damage.extend(found.segments.iter().flat_map(Segment::damage));
    Ok(found)
}

/// A file that cannot be opened: all that should be in it is missing.
fn unreadable(path: &Path, Expected { first, done, next, written }: Expected) -> Segment {
    let mut segment = Segment { damaged: true, ..Segment::new(path.to_owned(), first) };
    let (from, to) = (first.max(done), next.or(written).unwrap_or(first));
    if from < to {
        segment.pieces.push_back(Piece::missing(from..to, 0));
    }
    segment
}

fn bytes_aside(directory: &Path) -> Result<u64, SpoolError> {
    let entries = fs::read_dir(directory).map_err(failed("list", directory))?.flatten();
    let aside = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == DAMAGED));
    Ok(aside.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum())
}

/// Removes a file that is done with, or sets it aside: then `true`.
fn remove(Segment { path, damaged, .. }: &Segment) -> std::io::Result<bool> {
    let removed = if *damaged { fs::rename(path, path.with_added_extension(DAMAGED)) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => Ok(*damaged),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts on disk which files a directory has.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), SpoolError> {
    #[cfg(test)]
    super::synced::note(directory);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("sync", directory))
}

#[cfg(test)]
impl Journal {
    /// Has the next push written to something else than the file that it belongs into.
    pub(super) fn replace_writer(&mut self, writer: File) {
        self.writer = Some(writer);
    }
}
