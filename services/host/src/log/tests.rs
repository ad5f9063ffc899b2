use std::sync::mpsc;

use proptest::prelude::*;

use super::*;

/// Nothing that a test waits for takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

fn notice() -> Box<Notice> {
    Box::new(|lines, reason| format!("{lines} lost: {reason}\n").into_bytes())
}

/// How a stream takes the next bytes.
#[derive(Debug, Clone)]
enum Takes {
    /// All of them.
    All,
    /// So many, and no more in the same call.
    Some(usize),
    Fails(ErrorKind),
}

/// A stream that does one thing after the other, and takes everything in the end.
#[derive(Debug, Clone, Default)]
struct Moody {
    moods: Arc<Mutex<VecDeque<Takes>>>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Moody {
    fn of(moods: impl IntoIterator<Item = Takes>) -> Self {
        Self { moods: Arc::new(Mutex::new(moods.into_iter().collect())), ..Self::default() }
    }

    fn text(&self) -> String {
        String::from_utf8(self.taken.lock().clone()).unwrap()
    }
}

impl Write for Moody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = match self.moods.lock().pop_front().unwrap_or(Takes::All) {
            Takes::All => bytes.len(),
            Takes::Some(length) => length.min(bytes.len()),
            Takes::Fails(kind) => return Err(kind.into()),
        };
        self.taken.lock().extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(log: &Log, lines: &[&str]) {
    lines.iter().for_each(|line| log.write(format!("{line}\n").into_bytes()));
    assert!(log.flush(PATIENCE));
}

#[test]
fn lines_are_written_in_their_order_whatever_the_stream_takes_at_once() {
    let out = Moody::of([Takes::Some(1), Takes::Some(2), Takes::Fails(ErrorKind::Interrupted)]);
    let log = Log::start(out.clone(), notice()).unwrap();
    write_all(&log, &["one", "two", "three"]);
    assert_eq!((out.text().as_str(), log.lost()), ("one\ntwo\nthree\n", 0));
}

#[test]
fn what_a_full_disk_does_not_take_is_counted_and_said_once_it_takes_something_again() {
    let full = Takes::Fails(ErrorKind::StorageFull);
    let out = Moody::of([Takes::All, full.clone(), full]);
    let log = Log::start(out.clone(), notice()).unwrap();
    write_all(&log, &["one"]);
    write_all(&log, &["two"]);
    assert_eq!(log.lost(), 1);
    // The next line finds the disk full too: it cannot be said yet.
    write_all(&log, &["three"]);
    assert_eq!(log.lost(), 2);
    write_all(&log, &["four", "five"]);
    assert_eq!((out.text().as_str(), log.lost()), ("one\n2 lost: no storage space\nfour\nfive\n", 2));
}

#[test]
fn a_line_that_is_torn_does_not_swallow_the_next() {
    let out = Moody::of([Takes::Some(2), Takes::Fails(ErrorKind::StorageFull)]);
    let log = Log::start(out.clone(), notice()).unwrap();
    write_all(&log, &["one", "two"]);
    assert_eq!(out.text(), "on\n1 lost: no storage space\ntwo\n");
}

#[test]
fn a_closed_pipe_takes_nothing_and_stops_nobody() {
    let (from, to) = io::pipe().unwrap();
    let log = Log::start(to, notice()).unwrap();
    drop(from);
    write_all(&log, &["one", "two"]);
    assert_eq!(log.lost(), 2);
}

#[test]
fn a_stream_that_somebody_made_non_blocking_is_waited_for_a_while() {
    let out = Moody::of([Takes::Fails(ErrorKind::WouldBlock), Takes::Fails(ErrorKind::WouldBlock)]);
    let log = Log::start(out.clone(), notice()).unwrap();
    write_all(&log, &["one"]);
    assert_eq!((out.text().as_str(), log.lost()), ("one\n", 0));
}

/// A stream that takes nothing before it is told to.
struct Stuck(mpsc::Receiver<()>, Moody);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The sender's end is the sign.
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up_and_costs_the_lines_that_there_is_no_room_for() {
    let (go_on, waits) = mpsc::channel();
    let out = Moody::default();
    let log = Log::start(Stuck(waits, out.clone()), notice()).unwrap();
    let line = "x".repeat(1_000 - LINE_OVERHEAD - 1);
    let (sent, room) = (3 * MAX_WAITING_BYTES / 1_000, MAX_WAITING_BYTES / 1_000);
    for _ in 0..sent {
        log.write(format!("{line}\n").into_bytes());
    }
    assert!(!log.flush(Duration::from_millis(1)), "it is stuck");
    let lost = log.lost();
    assert_eq!(lost, (sent - room) as u64);
    drop(go_on);
    assert!(log.flush(PATIENCE));
    let text = out.text();
    assert_eq!(text.lines().filter(|found| **found == line).count(), room);
    assert!(text.contains(&format!("{lost} lost: lines come faster than they are read\n")), "{text}");
}

proptest! {
    /// Each line is written whole or counted, and what was said adds up to what was lost until then.
    #[test]
    fn nothing_is_lost_in_silence(moods in proptest::collection::vec(
        prop_oneof![Just(Takes::All), (1..6_usize).prop_map(Takes::Some), Just(Takes::Fails(ErrorKind::StorageFull))],
        0..40,
    )) {
        let mut sink = Sink::new(Moody::of(moods), notice());
        let (out, start, mut lost) = (sink.out.clone(), Instant::now(), 0);
        for number in 0..60_u32 {
            let now = start + NOTICE_PAUSE * number;
            lost += u64::from(!sink.put(format!("line {number}\n").as_bytes(), lost, now));
        }
        let text = out.text();
        let whole = (0..60).filter(|number| text.lines().any(|line| line == format!("line {number}"))).count() as u64;
        // A line whose break alone is missing looks whole, and was counted as lost.
        prop_assert!(whole >= 60 - lost, "{text}");
        let said: u64 = text.lines().filter_map(|line| line.split_once(" lost: ")?.0.parse::<u64>().ok()).sum();
        prop_assert!(said >= lost, "{said} of {lost}: {text}");
    }
}
