//! HTTP as a stranger speaks it: no code of parsec's own client.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::Stage;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Reply {
    /// The body, which has to be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks for something.
pub(crate) async fn get(stage: &Stage, server: SocketAddr, path: &str) -> Reply {
    send(stage, client().get(format!("http://{server}{path}"))).await
}

/// Posts a body.
pub(crate) async fn post(stage: &Stage, server: SocketAddr, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    send(stage, client().post(format!("http://{server}{path}")).body(body.into())).await
}

/// Sends the head of a request that announces a body of `length` bytes, and returns what the server says to that
/// alone: one that wants to refuse the body does not wait for it.
pub(crate) async fn announce(stage: &Stage, server: SocketAddr, path: &str, length: usize) -> String {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let talking = async {
        let mut stream = TcpStream::connect(server).await.expect("the server listens");
        stream.write_all(head.as_bytes()).await.expect("the server reads the head of a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the server answers, and closes");
        String::from_utf8(answer).expect("the answer is text")
    };
    stage.in_time("answer to a request's head", talking).await
}

/// Each call has a client, and so a connection, of its own.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a plain client can be built")
}

async fn send(stage: &Stage, request: reqwest::RequestBuilder) -> Reply {
    let asking = async {
        let response = request.send().await?;
        Ok::<_, reqwest::Error>(Reply { status: response.status().as_u16(), text: response.text().await? })
    };
    stage.in_time("answer over HTTP", asking).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
}
