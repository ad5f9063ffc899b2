//! Everything that a process writes, line by line, for those who wait for a line.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use tokio::sync::watch;

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// What a process has written so far.
#[derive(Debug)]
pub struct Transcript {
    title: String,
    said: watch::Sender<Said>,
}

#[derive(Debug)]
struct Said {
    lines: Vec<(Stream, String)>,
    /// How many of the two streams may still bring something.
    open: usize,
}

impl Transcript {
    /// Follows both streams to their ends.
    pub fn of(title: String, out: impl Read + Send + 'static, err: impl Read + Send + 'static) -> Arc<Self> {
        let transcript = Arc::new(Self { title, said: watch::channel(Said { lines: Vec::new(), open: 2 }).0 });
        transcript.follow(Stream::Out, out);
        transcript.follow(Stream::Err, err);
        transcript
    }

    /// In a thread, because pipes of the standard library block. It ends with the process that writes.
    fn follow(self: &Arc<Self>, stream: Stream, from: impl Read + Send + 'static) {
        let transcript = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                transcript.said.send_modify(|said| said.lines.push((stream, line)));
            }
            transcript.said.send_modify(|said| said.open -= 1);
        });
    }

    /// The first line, from the beginning on, of which `pick` makes something; `None` if the process ended without it.
    pub async fn find<T>(&self, from: Stream, mut pick: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let mut said = self.said.subscribe();
        let mut seen = 0;
        loop {
            {
                let said = said.borrow_and_update();
                let new = said.lines[seen..].iter().filter(|(stream, _)| *stream == from);
                if let Some(found) = new.into_iter().find_map(|(_, line)| pick(line)) {
                    return Some(found);
                }
                if said.open == 0 {
                    return None;
                }
                seen = said.lines.len();
            }
            said.changed().await.ok()?;
        }
    }

    /// Waits until nothing more can come, and returns the lines of one stream.
    pub async fn all(&self, of: Stream) -> Vec<String> {
        self.find(of, |_| None::<()>).await;
        self.so_far(of)
    }

    /// The lines of one stream that there are now.
    pub fn so_far(&self, of: Stream) -> Vec<String> {
        let said = self.said.borrow();
        said.lines.iter().filter(|(stream, _)| *stream == of).map(|(_, line)| line.clone()).collect()
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "--- {}", self.title)?;
        for (stream, line) in &self.said.borrow().lines {
            let mark = match stream {
                Stream::Out => "out",
                Stream::Err => "err",
            };
            writeln!(f, "{mark} {line}")?;
        }
        Ok(())
    }
}
