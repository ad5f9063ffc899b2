//! Servers that a scheduler of the same process asks without HTTP: a question to an endpoint goes to the DHT node behind it.
//!
//! A socket wakes when its peer has written, which a clock that jumps does not wait for: a simulated week cannot be played over HTTP.

use std::collections::HashMap;

use async_trait::async_trait;
use parsec_api::client::{Answered, CallError, Caller, ServerApi};
use parsec_dht::Readiness;
use parsec_measure::{Content, Endpoint, Measured};

use crate::serving::dht_node::{DhtHandle, GetReadiness, OperationError, Provide, Retrieve};
use crate::supervision::ask::AskError;

/// One server: how its DHT node is asked, and that one's peer id.
#[derive(Debug, Clone)]
struct Server {
    dht: DhtHandle,
    peer: String,
}

/// The servers of this process, by the endpoints under which their rows in the database have them.
#[derive(Debug, Default)]
pub struct SameProcess(HashMap<Endpoint, Server>);

impl SameProcess {
    /// Adds the server at an endpoint, whose node has this peer id.
    pub fn add(&mut self, at: Endpoint, dht: DhtHandle, peer: String) {
        self.0.insert(at, Server { dht, peer });
    }

    fn server(&self, at: &Endpoint) -> Result<&Server, CallError> {
        self.0.get(at).ok_or_else(|| CallError::Unreachable { reason: format!("nobody in this process is {at}") })
    }
}

impl Server {
    /// The answer, as the HTTP API would give it.
    fn answered(
        &self,
        cid: String,
        answer: Result<Result<Measured, OperationError>, AskError>,
    ) -> Result<Answered, CallError> {
        match answer {
            Ok(Ok(measured)) => Ok(Answered { cid, measured, peer: Some(self.peer.clone()) }),
            Ok(Err(error)) => Err(CallError::NotReady { reason: error.to_string() }),
            Err(error) => Err(unasked(&error)),
        }
    }
}

/// Why an actor gave no answer, as the HTTP API would tell it.
fn unasked(error: &AskError) -> CallError {
    match error {
        AskError::Unavailable(_) | AskError::Busy(_) => CallError::NotReady { reason: error.to_string() },
        AskError::TimedOut(_, after) => CallError::TimedOut { after: *after },
        AskError::Crashed(_) => CallError::Status { code: 500, text: error.to_string() },
    }
}

#[async_trait]
impl ServerApi for SameProcess {
    async fn readiness(&self, server: &Endpoint) -> Result<Option<String>, CallError> {
        let server = self.server(server)?;
        match server.dht.readiness.ask(GetReadiness).await {
            Ok(Ok(Readiness::Ready { .. })) => Ok(Some(server.peer.clone())),
            Ok(Ok(Readiness::NotReady(reason))) => Err(CallError::NotReady { reason }),
            Ok(Err(error)) => Err(CallError::NotReady { reason: error.to_string() }),
            Err(error) => Err(unasked(&error)),
        }
    }

    async fn provide(&self, server: &Endpoint, caller: Caller<'_>, content: &Content) -> Result<Answered, CallError> {
        let (server, cid) = (self.server(server)?, content.cid());
        let provide = Provide { cid: cid.clone(), attempt: Some(caller.attempt) };
        server.answered(cid.to_string(), server.dht.provide.ask(provide).await)
    }

    async fn retrieve(&self, server: &Endpoint, _: Caller<'_>, cid: &str) -> Result<Answered, CallError> {
        let server = self.server(server)?;
        let key = cid.parse().map_err(|_| CallError::Status { code: 400, text: format!("`{cid}` is no CID") })?;
        server.answered(cid.to_owned(), server.dht.retrieve.ask(Retrieve(key)).await)
    }
}
