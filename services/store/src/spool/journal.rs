//! The files of frames in one directory: appended to at one end, confirmed at the other.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::acknowledged::Acknowledged;
use super::clock::Clock;
use super::error::{Damage, SpoolError, failed};
use super::frame::{self, HEADER, Header, Payload};
use super::oldest::{Mark, Oldest};
use super::segment::{DAMAGED, Frame, Scan, Segment, payload, scan};

/// From how many bytes on the next push begins a new file: small enough that what is done with is soon given back.
pub(super) const FILE_BYTES: u64 = 8 << 20;

/// A file of which nothing waits may be this long, then the next push begins a new one.
const IDLE_BYTES: u64 = 1 << 20;

/// How often in a row a file may fail to be read before its rows are given up: a fault of the disk may pass.
const READ_TRIES: u32 = 3;

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
    note: Acknowledged,
    rows: usize,
    /// Files that are done with and could not be removed yet.
    stubborn: Vec<Segment>,
    /// What files take that were set aside.
    aside: u64,
}

/// What was found when a journal was opened.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) torn: u64,
    pub(super) damage: Vec<Damage>,
}

impl Journal {
    /// Reads what is there, cuts off what was not written to its end, and sets aside what has been damaged.
    pub(super) fn open(directory: &Path, clock: Clock) -> Result<(Self, Found), SpoolError> {
        let (done, damage) = Acknowledged::read(directory)?;
        let mut found = Found { torn: 0, damage: damage.into_iter().collect() };
        let mut journal = Self {
            directory: directory.to_owned(),
            clock,
            segments: VecDeque::new(),
            writer: None,
            next: done,
            done,
            note: Acknowledged::of(directory),
            rows: 0,
            stubborn: Vec::new(),
            aside: 0,
        };
        for scanned in scan_all(directory)? {
            journal.take(scanned, &mut found)?;
        }
        journal.aside = bytes_aside(directory)?;
        journal.rows = journal.segments.iter().map(Segment::rows).sum();
        journal.drop_done();
        Ok((journal, found))
    }

    fn take(&mut self, Scan { mut segment, damage, torn }: Scan, found: &mut Found) -> Result<(), SpoolError> {
        if torn > 0 && !segment.damaged {
            let whole = segment.bytes - torn;
            let cut = OpenOptions::new().write(true).open(&segment.path).and_then(|file| {
                file.set_len(whole)?;
                file.sync_all()
            });
            cut.map_err(failed("cut", &segment.path))?;
            segment.bytes = whole;
        }
        found.torn += torn;
        found.damage.extend(damage);
        // A file that nobody can read keeps its name until it is set aside.
        let after = segment.frames.back().map_or(segment.first + u64::from(segment.damaged), |frame| frame.number + 1);
        self.next = self.next.max(after);
        segment.frames.retain(|frame| frame.number >= self.done);
        for frame in &mut segment.frames {
            frame.seconds = self.clock.clamped(frame.seconds);
        }
        self.segments.push_back(segment);
        Ok(())
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What all files take.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().chain(&self.stubborn).map(|segment| segment.bytes).sum::<u64>() + self.aside
    }

    /// For how long the oldest rows have waited.
    pub(super) fn oldest_age(&self) -> Option<Duration> {
        self.frames().next().map(|frame| self.clock.age(frame.seconds))
    }

    fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.segments.iter().flat_map(|segment| &segment.frames)
    }

    /// Appends the payloads of one push, on disk when it returns. `room` is what all files together may take.
    pub(super) fn push(&mut self, payloads: &[Payload], room: u64) -> Result<(), SpoolError> {
        let mut bytes = Vec::with_capacity(payloads.iter().map(|payload| payload.bytes.len() + HEADER).sum());
        let mut frames = Vec::with_capacity(payloads.len());
        for (i, payload) in payloads.iter().enumerate() {
            let number = self.next + i as u64;
            let Payload { seconds, rows, .. } = *payload;
            let header = Header { number, seconds, rows, last: i + 1 == payloads.len() };
            let offset = bytes.len() as u64;
            frame::encode(&mut bytes, header, &payload.bytes);
            frames.push(Frame::new(header, offset, bytes.len() as u64 - offset));
        }
        self.make_room(bytes.len() as u64, room)?;
        let offset = self.append(&bytes)?;
        self.next += frames.len() as u64;
        let segment = self.segments.back_mut().expect("it has just been written to");
        for frame in frames {
            self.rows += frame.rows as usize;
            segment.frames.push_back(frame.moved(offset));
        }
        segment.bytes = offset + bytes.len() as u64;
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

    /// The oldest rows, whole frames at a time, until there are enough.
    pub(super) fn oldest(&mut self, enough: usize) -> Result<Oldest, SpoolError> {
        let (frames, end) = self.read(enough, |frame, payload| frame::unpack(&payload, frame.rows))?;
        Ok(Oldest { rows: frames.into_iter().flatten().collect(), end })
    }

    /// The same as they stand in the files.
    pub(super) fn oldest_payloads(&mut self, enough: usize) -> Result<(Vec<Payload>, Mark), SpoolError> {
        let as_it_is = |frame: &Frame, bytes| Ok(Payload { seconds: frame.seconds, rows: frame.rows, bytes });
        self.read(enough, as_it_is)
    }

    fn read<T>(
        &mut self,
        enough: usize,
        take: impl Fn(&Frame, Vec<u8>) -> Result<T, String>,
    ) -> Result<(Vec<T>, Mark), SpoolError> {
        let (mut taken, mut rows, mut end) = (Vec::new(), 0, Mark(self.done));
        for i in 0..self.segments.len() {
            let segment = &mut self.segments[i];
            let mut file = None;
            for frame in &segment.frames {
                if rows >= enough {
                    return Ok((taken, end));
                }
                let read = read_payload(&segment.path, &mut file, frame);
                match read.and_then(|payload| take(frame, payload).map_err(Fault::Content)) {
                    Ok(content) => taken.push(content),
                    // It is skipped as soon as those before it are done with.
                    Err(_) if !taken.is_empty() => return Ok((taken, end)),
                    Err(fault) => {
                        let number = frame.number;
                        return Err(self.skip(i, number, fault));
                    }
                }
                segment.failures = 0;
                rows += frame.rows as usize;
                end = Mark(frame.number + 1);
            }
        }
        Ok((taken, end))
    }

    /// Gives up what cannot be read: one frame that is not what it was, or the whole file if it can't be read at all.
    fn skip(&mut self, segment: usize, number: u64, fault: Fault) -> SpoolError {
        let segment = &mut self.segments[segment];
        let path = segment.path.clone();
        let offset = segment.frames.iter().find(|frame| frame.number == number).map_or(0, Frame::offset);
        let before = segment.rows();
        let what = match fault {
            Fault::Content(what) => {
                segment.frames.retain(|frame| frame.number != number);
                what
            }
            Fault::Disk(error) => {
                segment.failures += 1;
                if error.kind() != ErrorKind::NotFound && segment.failures < READ_TRIES {
                    return failed("read", &path)(error);
                }
                segment.frames.clear();
                error.to_string()
            }
        };
        segment.damaged = true;
        let lost = before - segment.rows();
        self.rows -= lost;
        // From now on under a second name: the next start sees nothing wrong with rows that it has not to read.
        let _ = fs::hard_link(&path, aside(&path));
        self.writer = None;
        SpoolError::Damaged(Damage { path, offset, what: format!("{what}; {lost} rows are lost") })
    }

    /// Everything before the mark is done with. Returns how many rows that is news for.
    ///
    /// Whether the note of it can be written makes no difference to the caller: without it rows are offered twice after
    /// a crash, and a disk that takes nothing is reported by the next push.
    pub(super) fn confirm(&mut self, end: Mark) -> usize {
        let end = end.0.min(self.next);
        let mut news = 0;
        for segment in &mut self.segments {
            while let Some(frame) = segment.frames.pop_front_if(|frame| frame.number < end) {
                news += frame.rows as usize;
            }
        }
        self.rows -= news;
        if end > self.done {
            self.done = end;
            let _ = self.note.write(end);
        }
        if self.rows == 0 && self.segments.back().is_some_and(|segment| segment.bytes > IDLE_BYTES) {
            self.writer = None;
        }
        self.drop_done();
        news
    }

    /// Drops what has waited for longer than `age`.
    pub(super) fn expire(&mut self, age: Duration) -> usize {
        let old = self.frames().take_while(|frame| self.clock.age(frame.seconds) > age).last();
        match old.map(|frame| frame.number + 1) {
            Some(end) => self.confirm(Mark(end)),
            None => 0,
        }
    }

    /// Removes the files of which nothing waits, except the one that is written to.
    fn drop_done(&mut self) {
        let written = self.writer.as_ref().and(self.segments.back()).map(|segment| segment.first);
        let is_done = |segment: &Segment| segment.frames.is_empty() && Some(segment.first) != written;
        if self.stubborn.is_empty() && !self.segments.iter().any(is_done) {
            return;
        }
        // A file whose removal is forgotten by the disk must not come back without the note that it is done with.
        let _ = self.note.sync();
        let (done, kept) = std::mem::take(&mut self.segments).into_iter().partition(is_done);
        self.segments = kept;
        for segment in std::mem::take(&mut self.stubborn).into_iter().chain::<VecDeque<_>>(done) {
            match remove(&segment) {
                Ok(true) => self.aside += segment.bytes,
                Ok(false) => {}
                Err(_) => self.stubborn.push(segment),
            }
        }
        let _ = sync_directory(&self.directory);
    }
}

impl Frame {
    fn moved(self, by: u64) -> Self {
        let header = Header { number: self.number, seconds: self.seconds, rows: self.rows, last: self.last };
        Self::new(header, self.offset() + by, self.end() - self.offset())
    }
}

/// Why a frame gives no rows.
enum Fault {
    Content(String),
    Disk(std::io::Error),
}

fn read_payload(path: &Path, file: &mut Option<File>, frame: &Frame) -> Result<Vec<u8>, Fault> {
    let file = match file {
        Some(file) => file,
        None => file.insert(File::open(path).map_err(Fault::Disk)?),
    };
    let payload = payload(file, frame).map_err(Fault::Disk)?;
    payload.ok_or_else(|| Fault::Content("its checksum is not what it was".to_owned()))
}

/// What is in all files of frames, in order. One that cannot be opened is damaged.
pub(super) fn scan_all(directory: &Path) -> Result<Vec<Scan>, SpoolError> {
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let path = entry.map_err(failed("list", directory))?.path();
        files.extend(Segment::number_of(&path).map(|number| (number, path)));
    }
    files.sort_unstable();
    let mut scans = Vec::with_capacity(files.len());
    for (i, (first, path)) in files.iter().enumerate() {
        match scan(path, *first, files.get(i + 1).map(|(next, _)| *next)) {
            Ok(scan) => scans.push(scan),
            // Done with by the one who uses it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                let segment = Segment { damaged: true, ..Segment::new(path.clone(), *first) };
                let damage = vec![Damage { path: path.clone(), offset: 0, what: error.to_string() }];
                scans.push(Scan { segment, damage, torn: 0 });
            }
        }
    }
    Ok(scans)
}

fn bytes_aside(directory: &Path) -> Result<u64, SpoolError> {
    let entries = fs::read_dir(directory).map_err(failed("list", directory))?.flatten();
    let aside = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == DAMAGED));
    Ok(aside.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum())
}

/// The name under which a file is kept for somebody to look at.
fn aside(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".");
    aside.push(DAMAGED);
    aside.into()
}

/// Removes a file that is done with, or sets it aside: then `true`.
fn remove(Segment { path, damaged, .. }: &Segment) -> std::io::Result<bool> {
    let renamed = if *damaged { fs::rename(path, aside(path)) } else { Ok(()) };
    // If both names stand for the same file already, renaming does nothing.
    match renamed.and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(*damaged && aside(path).exists()),
    }
}

/// Puts on disk which files a directory has.
pub(super) fn sync_directory(directory: &Path) -> Result<(), SpoolError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("sync", directory))
}

#[cfg(test)]
impl Journal {
    /// Has the next push written to something else than the file that it belongs into.
    pub(super) fn replace_writer(&mut self, writer: File) {
        self.writer = Some(writer);
    }
}
