//! Our servers among others: real processes, asked over HTTP as their schedulers ask them.

use std::net::SocketAddr;

use crate::http::{self, post, post_with};
use crate::process::Process;
use crate::stage::Stage;
use parsec_measure::Content;
use serde_json::{Value, json};

use crate::deployment::SERVER;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    stage: Stage,
    process: Process,
    /// Its HTTP API.
    pub api: SocketAddr,
    /// Its name in the DHT.
    pub peer_id: String,
    /// The port that it listens on, TCP and UDP.
    peer_port: u64,
}

impl Server {
    /// Starts a server that joins the DHT `protocol` through these peers, and waits until it can measure.
    pub async fn join(stage: &Stage, strategy: &str, protocol: &str, through: &[String], added: &[&str]) -> Self {
        let through = through.join(",");
        let joining = ["--dry-run", "--strategy", strategy, "--protocol-id", protocol, "--bootstrap-peers", &through];
        let process = Process::start(stage, &[SERVER, &joining, added].concat());
        let fields = process.log("server started").await;
        let number = |name: &str| fields[name].as_u64().unwrap_or_else(|| panic!("no {name} in {fields}"));
        let port = u16::try_from(number("http_port")).expect("ports have 16 bits");
        let server = Self {
            stage: stage.clone(),
            api: ([127, 0, 0, 1], port).into(),
            peer_id: fields["peer_id"].as_str().expect("a server says its peer id").to_owned(),
            peer_port: number("peer_port"),
            process,
        };
        let is_ready = async || (http::get(stage, server.api, "/readiness").await.status == 200).then_some(());
        stage.eventually(&format!("{strategy} server ready to measure"), is_ready).await;
        server
    }

    /// Every address that it can be dialled at.
    pub fn addresses(&self) -> [String; 2] {
        let port = self.peer_port;
        [format!("/ip4/127.0.0.1/tcp/{port}"), format!("/ip4/127.0.0.1/udp/{port}/quic-v1")]
    }

    /// How many of the truly closest peers had this record when it was looked for right after its publication; `None` before
    /// that. For a server with `--verify-records 1`.
    pub fn verified(&self, cid: &str) -> Option<u64> {
        self.process.logged_so_far().iter().filter(|line| line["cid"] == cid).find_map(|line| {
            match line["message"].as_str()? {
                "checked a record" => line["having"].as_u64(),
                "no peer could be asked for the record; trying again" => Some(0),
                _ => None,
            }
        })
    }

    /// Publishes, and says what the answer is.
    pub async fn provide(&self, content: &Content) -> Value {
        let body = json!({ "Content": content.bytes() }).to_string();
        post(&self.stage, self.api, "/provide", body).await.json()
    }

    /// Publishes all of these keys by a sweep, and says what the answer is.
    pub async fn sweep(&self, cids: &[String]) -> Value {
        let body = json!({ "CIDs": cids, "Strategy": "sweep" }).to_string();
        post(&self.stage, self.api, "/provide", body).await.json()
    }

    /// Looks up, and says what the answer is, with its trace.
    pub async fn retrieve(&self, cid: &str) -> Value {
        post_with(&self.stage, self.api, &format!("/retrieve/{cid}"), ("x-parsec-trace", "1")).await.json()
    }
}

/// What an operation took, in seconds; else why it failed.
pub fn seconds(answer: &Value) -> Result<f64, String> {
    match (answer["Error"].as_str(), answer["Duration"].as_u64()) {
        (Some(""), Some(nanoseconds)) => Ok(nanoseconds as f64 / 1e9),
        _ => Err(answer.to_string()),
    }
}
