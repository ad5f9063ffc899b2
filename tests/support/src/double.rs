//! Servers for a client to call, which do with each request what a test tells them. They stand on real sockets, so that
//! whoever calls meets what the network would bring.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What is read of a request at most; schedulers send a few kilobytes.
const MAX_REQUEST_BYTES: usize = 4 << 20;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which one this was, from 0 on, in the order in which connections were made.
    pub turn: usize,
    /// When the connection was there.
    pub arrived: Instant,
    /// `GET /path HTTP/1.1`.
    pub line: String,
    /// The line and all headers, each ended by CR LF.
    pub head: String,
    /// As many bytes as the head announces.
    pub body: Vec<u8>,
}

impl Asked {
    /// Whether it begins with these.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.line.starts_with(&format!("{method} {path}"))
    }

    /// What is asked for, without the method.
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// All of it; the body has to be text.
    ///
    /// # Panics
    /// If it is not.
    pub fn text(&self) -> String {
        format!("{}\r\n{}", self.head, std::str::from_utf8(&self.body).expect("the body is text"))
    }
}

/// Reads one request to its end; nothing if the caller hangs up before.
pub async fn read(stream: &mut TcpStream, turn: usize) -> Option<Asked> {
    let (arrived, mut bytes) = (Instant::now(), Vec::new());
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        if bytes.len() > MAX_REQUEST_BYTES {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&bytes[..end + 2]).ok()?;
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            let line = head.lines().next()?.to_owned();
            return Some(Asked { turn, arrived, line, head: head.to_owned(), body: bytes[end + 4..].to_vec() });
        }
    }
}

/// An answer after which the connection ends; `headers` end with CR LF each.
pub fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// The server; it ends with this value.
#[derive(Debug)]
pub struct Double {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Double {
    /// Starts one on loopback that reads a request from each connection, and leaves both to `act`.
    ///
    /// # Panics
    /// If loopback has no port left.
    pub async fn start<F: Future<Output = ()> + Send + 'static>(
        act: impl Fn(Asked, TcpStream) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let (act, counter) = (Arc::new(act), Arc::clone(&asked));
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((mut stream, _)) = accepted {
                        let (act, turn) = (Arc::clone(&act), counter.fetch_add(1, Ordering::Relaxed));
                        connections.spawn(async move {
                            if let Some(asked) = read(&mut stream, turn).await {
                                act(asked, stream).await;
                            }
                        });
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, asked, serving }
    }

    /// Starts one that says what `answer` has for a request, and hangs up.
    ///
    /// # Panics
    /// If loopback has no port left.
    pub async fn answering(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::start(move |asked, mut stream| {
            let answer = Arc::clone(&answer);
            async move {
                // The caller may hang up in the middle of what it does not want to hear.
                let _ = stream.write_all(answer(&asked).as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
