//! HTTP as a stranger speaks it: no code of parsec's own client.

use std::net::SocketAddr;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::Stage;
use crate::tls::{self, Authority};

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Of HTTP.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Reply {
    /// The body, which has to be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks for something.
pub async fn get(stage: &Stage, server: SocketAddr, path: &str) -> Reply {
    send(stage, client().get(format!("http://{server}{path}"))).await
}

/// Asks for something that there may be no answer to.
pub async fn try_get(server: SocketAddr, path: &str, limit: Duration) -> Option<Reply> {
    let asking = async {
        let response = client().get(format!("http://{server}{path}")).send().await.ok()?;
        Some(Reply { status: response.status().as_u16(), text: response.text().await.ok()? })
    };
    timeout(limit, asking).await.ok()?
}

/// Posts a body.
pub async fn post(stage: &Stage, server: SocketAddr, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    send(stage, client().post(format!("http://{server}{path}")).body(body.into())).await
}

/// The same of a server that may end before it answers.
///
/// # Errors
/// What the network said.
pub async fn try_post(
    stage: &Stage,
    server: SocketAddr,
    path: &str,
    body: impl Into<Vec<u8>>,
) -> Result<Reply, reqwest::Error> {
    try_send(stage, client().post(format!("http://{server}{path}")).body(body.into())).await
}

/// Posts an empty object with a header.
pub async fn post_with(stage: &Stage, server: SocketAddr, path: &str, header: (&str, &str)) -> Reply {
    send(stage, client().post(format!("http://{server}{path}")).header(header.0, header.1).body("{}")).await
}

/// Posts a body, and asks for the trace of what it leads to.
pub async fn post_traced(stage: &Stage, server: SocketAddr, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    let post = client().post(format!("http://{server}{path}")).header("x-parsec-trace", "1");
    send(stage, post.body(body.into())).await
}

/// Posts a body of `length` blanks to a server that may answer, and hang up, before it has read all of it.
pub async fn post_blanks(stage: &Stage, server: SocketAddr, path: &str, length: usize) -> String {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let request = [head.into_bytes(), vec![b' '; length]].concat();
    let talking = async {
        let stream = TcpStream::connect(server).await.expect("the server listens");
        let (mut from, mut to) = stream.into_split();
        let mut answer = Vec::new();
        // What the server does not want to read or say any more is not our subject: what it has said is.
        let _ = tokio::join!(to.write_all(&request), from.read_to_end(&mut answer));
        String::from_utf8(answer).expect("the answer is text")
    };
    stage.in_time("answer to a body that is too long", talking).await
}

/// An answer as it came over a connection.
#[derive(Debug)]
pub struct Raw {
    /// Of HTTP.
    pub status: u16,
    /// From the first line to the last header, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Sends these bytes over a connection of their own, and reads one answer. The server may give it before it has read all of
/// them; those that it does not want stay unsent.
pub async fn raw(stage: &Stage, server: SocketAddr, request: &[u8]) -> Raw {
    let talking = async {
        let stream = TcpStream::connect(server).await.expect("the server listens");
        let (mut from, mut to) = stream.into_split();
        let writing = async {
            let _ = to.write_all(request).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = read_answer(&mut from, request.starts_with(b"HEAD ")) => answer,
            () = writing => unreachable!("it is pending"),
        }
    };
    stage.in_time("answer to raw bytes", talking).await
}

async fn read_answer(from: &mut (impl AsyncRead + Unpin), to_head: bool) -> Raw {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let byte = from.read_u8().await;
        bytes.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&bytes))));
    }
    let head = String::from_utf8(bytes).expect("a head is text").to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status in {head}"));
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.filter(|_| !to_head).unwrap_or(0)];
    from.read_exact(&mut body).await.unwrap_or_else(|error| panic!("{error} in the body after {head}"));
    Raw { status, head, body: String::from_utf8(body).expect("the answer is text") }
}

/// Asks for something over TLS, of a server that this authority vouches for.
///
/// # Errors
/// What the network said.
pub async fn get_secure(
    stage: &Stage,
    authority: &Authority,
    server: SocketAddr,
    path: &str,
) -> Result<Reply, reqwest::Error> {
    try_send(stage, client_with(authority.believer()).get(format!("https://{server}{path}"))).await
}

/// Each call has a client, and so a connection, of its own.
///
/// # Panics
/// If there can be none.
pub fn client() -> reqwest::Client {
    client_with(tls::believer([]))
}

fn client_with(tls: ClientConfig) -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls);
    client.build().expect("a plain client can be built")
}

async fn send(stage: &Stage, request: reqwest::RequestBuilder) -> Reply {
    try_send(stage, request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
}

async fn try_send(stage: &Stage, request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
    let asking = async {
        let response = request.send().await?;
        Ok::<_, reqwest::Error>(Reply { status: response.status().as_u16(), text: response.text().await? })
    };
    stage.in_time("answer over HTTP", asking).await
}
