//! A measuring server that keeps the contract, or breaks it in the way it is told to, and can be told otherwise while it
//! runs. It stands on a real socket, so that whoever calls it meets what the network would bring.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use parsec_measure::Content;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::double::{self, Asked, Double};

/// What a server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Answers as the contract has it: ready, published, found.
    Honest,
    /// Says that it is not ready, with 503.
    NotReady,
    /// Says that it has enough to do, with 429.
    Busy,
    /// Answers 500, with a sentence.
    Fails,
    /// Accepts, reads, and never answers.
    Mute,
    /// Answers honestly, and after this time.
    Late(Duration),
    /// Closes the connection without an answer.
    HangsUp,
    /// Breaks the connection in the middle of the answer.
    Resets,
    /// Answers what is not HTTP.
    Garbage,
    /// Answers 200 with a page for people.
    WebPage,
    /// Sends whoever asks elsewhere, to itself.
    Redirects,
    /// Answers 200 with what it says is compressed.
    Compressed,
    /// Announces ten gigabytes, and sends them.
    TenGigabytes,
    /// Sends a body in chunks that has no end.
    EndlessBody,
    /// Sends headers without an end.
    EndlessHead,
    /// Says that the answer is about to come, again and again.
    EndlessPromises,
    /// Sends a chunk whose extension has no end.
    EndlessExtension,
    /// Sends an answer byte by byte, with this time between two of them, and comes to no end.
    Drips(Duration),
}

impl Mode {
    /// Every way to break the contract; those that take time have one that no caller waits for.
    pub const HOSTILE: [Self; 15] = [
        Self::Fails,
        Self::Mute,
        Self::Late(Duration::from_secs(3600)),
        Self::HangsUp,
        Self::Resets,
        Self::Garbage,
        Self::WebPage,
        Self::Redirects,
        Self::Compressed,
        Self::TenGigabytes,
        Self::EndlessBody,
        Self::EndlessHead,
        Self::EndlessPromises,
        Self::EndlessExtension,
        Self::Drips(Duration::from_secs(1)),
    ];
}

/// The server; it ends with this value.
#[derive(Debug)]
pub struct Hostile {
    double: Double,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// With readiness, and with operations.
    modes: Mutex<(Mode, Mode)>,
    operations: AtomicU64,
    questions: AtomicU64,
    sent: AtomicU64,
}

impl Hostile {
    /// Starts one on loopback that is ready at all times, and does this with operations.
    ///
    /// # Panics
    /// If loopback has no port left.
    pub async fn start(operations: Mode) -> Self {
        let shared = Arc::new(Shared {
            modes: Mutex::new((Mode::Honest, operations)),
            operations: AtomicU64::new(0),
            questions: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let talk = {
            let shared = Arc::clone(&shared);
            move |asked, stream| {
                let talk = Talk { stream, shared: Arc::clone(&shared) };
                async move {
                    // An error says that the caller has had enough.
                    let _ = talk.run(&asked).await;
                }
            }
        };
        Self { double: Double::start(talk).await, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.double.address()
    }

    /// From the next request on, does this with operations.
    pub fn measures(&self, mode: Mode) {
        self.shared.modes.lock().unwrap_or_else(PoisonError::into_inner).1 = mode;
    }

    /// From the next request on, does this with the question whether it is ready.
    pub fn is_ready(&self, mode: Mode) {
        self.shared.modes.lock().unwrap_or_else(PoisonError::into_inner).0 = mode;
    }

    /// How many operations it was asked for.
    pub fn operations(&self) -> u64 {
        self.shared.operations.load(Ordering::Relaxed)
    }

    /// How often it was asked whether it is ready.
    pub fn questions(&self) -> u64 {
        self.shared.questions.load(Ordering::Relaxed)
    }

    /// How many bytes its callers, or the buffers on the way to them, have taken.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

/// What an honest server says.
fn honest(asked: &Asked) -> String {
    if asked.path() == "/readiness" {
        return response("200 OK", "text/plain", "ready");
    }
    match subject(asked) {
        Some((cid, step)) => {
            let measurement = json!({ "Step": step, "Duration": 1_000_000, "Error": "" });
            let answer = json!({
                "CID": cid, "RoutingTableSize": 20, "Measurements": [measurement], "Duration": 1_000_000, "Error": "",
            });
            response("200 OK", "application/json", &answer.to_string())
        }
        None => response("400 Bad Request", "text/plain", "no request"),
    }
}

/// What an operation is about, and the step that is measured.
fn subject(asked: &Asked) -> Option<(String, &'static str)> {
    if let Some(cid) = asked.path().strip_prefix("/retrieve/") {
        return Some((cid.to_owned(), "retrieval"));
    }
    let body: Value = serde_json::from_slice(&asked.body).ok()?;
    let content = BASE64_STANDARD.decode(body["Content"].as_str()?).ok()?;
    Some((Content::from(content).cid().to_string(), "provide"))
}

fn response(status: &str, media: &str, body: &str) -> String {
    double::response(status, &format!("content-type: {media}\r\n"), body)
}

/// One connection.
struct Talk {
    stream: TcpStream,
    shared: Arc<Shared>,
}

impl Talk {
    async fn run(mut self, asked: &Asked) -> std::io::Result<()> {
        let modes = *self.shared.modes.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, mode) = match asked.path() == "/readiness" {
            true => (&self.shared.questions, modes.0),
            false => (&self.shared.operations, modes.1),
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.act(mode, asked).await?;
        self.stream.shutdown().await
    }

    async fn act(&mut self, mode: Mode, asked: &Asked) -> std::io::Result<()> {
        const CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let blanks = " ".repeat(0x1_0000);
        match mode {
            Mode::Honest => self.say(&honest(asked)).await,
            Mode::NotReady => self.say(&response("503 Service Unavailable", "text/plain", "not yet")).await,
            Mode::Busy => self.say(&response("429 Too Many Requests", "text/plain", "enough to do")).await,
            Mode::Fails => self.say(&response("500 Internal Server Error", "text/plain", "out of order")).await,
            Mode::Mute => std::future::pending().await,
            Mode::Late(after) => {
                sleep(after).await;
                self.say(&honest(asked)).await
            }
            Mode::HangsUp => Ok(()),
            Mode::Resets => {
                let answer = honest(asked);
                self.say(&answer[..answer.len() - 3]).await?;
                // Closing without the usual farewell sends a reset.
                self.stream.set_zero_linger()
            }
            Mode::Garbage => self.say("SSH-2.0-OpenSSH_9.9\r\n\u{1}\u{2}\u{3}").await,
            Mode::WebPage => self.say(&response("200 OK", "text/html", "<html>Welcome</html>")).await,
            Mode::Redirects => {
                let to = self.stream.local_addr()?;
                let head =
                    format!("HTTP/1.1 302 Found\r\nlocation: http://{to}/elsewhere\r\ncontent-length: 0\r\n\r\n");
                self.say(&head).await
            }
            Mode::Compressed => {
                let answer = response("200 OK", "application/json", "\u{1f}\u{8}\u{8}\u{0}");
                self.say(&answer.replace("content-length", "content-encoding: gzip\r\ncontent-length")).await
            }
            Mode::TenGigabytes => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 10_u64 << 30);
                self.for_ever(&head, &blanks).await
            }
            Mode::EndlessBody => self.for_ever(CHUNKED, &format!("10000\r\n{blanks}\r\n")).await,
            Mode::EndlessHead => self.for_ever("HTTP/1.1 200 OK\r\n", &"x-more: and more\r\n".repeat(1_000)).await,
            Mode::EndlessPromises => self.for_ever("", &"HTTP/1.1 102 Processing\r\n\r\n".repeat(100)).await,
            Mode::EndlessExtension => self.for_ever(&format!("{CHUNKED}1;"), &"x".repeat(0x1_0000)).await,
            Mode::Drips(pause) => {
                self.say("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{").await?;
                loop {
                    sleep(pause).await;
                    self.say(" ").await?;
                }
            }
        }
    }

    async fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.shared.sent.fetch_add(text.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn for_ever(&mut self, first: &str, then: &str) -> std::io::Result<()> {
        self.say(first).await?;
        loop {
            self.say(then).await?;
        }
    }
}
