//! Runs one publication or search, and says what became of it in the terms of `parsec_measure`.

use std::time::Duration;

use libp2p::PeerId;
use parsec_measure::{Effort, Measured, Measurement, OperationKind, OutcomeClass};
use tokio::time::Instant;

use crate::driver::{Gone, Start};
use crate::key::Key;
use crate::node::DhtError;
use crate::operation::{Driven, Log, Operation, Tools};
use crate::strategy::{FindProviders, Found, LookupConfig, ProvideClassic, Request};

/// What every operation of a node needs.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) tools: Tools,
    pub(crate) local: PeerId,
    pub(crate) config: LookupConfig,
    pub(crate) timeout: Duration,
}

/// Why an operation failed: the class, and the words for it.
type Failure = (OutcomeClass, String);

impl From<Gone> for DhtError {
    fn from(Gone: Gone) -> Self {
        Self::Stopped
    }
}

impl Context {
    /// Publishes `key`, a multihash.
    pub(crate) async fn provide(self, key: Vec<u8>) -> Result<Measured, DhtError> {
        let (operation, start) = self.begin(key.clone()).await?;
        self.tools.driver.add_local_record(key).await;
        let seeds = start.seeds.iter().map(|seed| seed.id).collect();
        let strategy = ProvideClassic::new(Key::of(&operation.key), self.local, seeds, self.config);
        let empty = start.seeds.is_empty();
        let driven = operation.drive(&self.tools, strategy, start.seeds).await;
        let stored = driven.log.answered(Request::AddProvider);
        let result = if empty {
            Err(nobody_to_ask())
        } else if driven.outcome.is_none() {
            Err((OutcomeClass::Timeout, self.ran_out(&format!("record stored at {stored} peers by then"))))
        } else if stored == 0 {
            Err(nobody_answered(&driven.log, "record stored at no peer"))
        } else {
            Ok(())
        };
        let effort = Effort { holders_stored: u32::try_from(stored).ok(), ..driven.log.effort() };
        Ok(measured(OperationKind::Provide, driven.took, start.table_size, result, effort))
    }

    /// Looks for a provider of `key`, a multihash.
    pub(crate) async fn retrieve(self, key: Vec<u8>) -> Result<Measured, DhtError> {
        let (operation, start) = self.begin(key).await?;
        if !start.local_providers.is_empty() {
            let took = operation.started.elapsed();
            // Nobody had to be asked: said as zeros, so that it can be told from a server that does not count.
            return Ok(measured(OperationKind::Retrieve, took, start.table_size, Ok(()), Log::default().effort()));
        }
        let seeds = start.seeds.iter().map(|seed| seed.id).collect();
        let strategy = FindProviders::new(Key::of(&operation.key), self.local, seeds, self.config);
        let empty = start.seeds.is_empty();
        let Driven { outcome, took, log } = operation.drive(&self.tools, strategy, start.seeds).await;
        let result = match outcome {
            _ if empty => Err(nobody_to_ask()),
            None => Err((OutcomeClass::Timeout, self.ran_out("no provider named by then"))),
            Some(Found::Providers { providers, .. }) => {
                // The provider answers from its own store: left connected, it would make the next search too easy.
                for provider in providers {
                    self.tools.driver.forget(provider).await;
                }
                Ok(())
            }
            Some(Found::Nobody { .. }) if log.answered(Request::GetProviders) == 0 => {
                Err(nobody_answered(&log, "no peer answered"))
            }
            Some(Found::Nobody { .. }) => Err((OutcomeClass::NotFound, "not found".to_owned())),
        };
        Ok(measured(OperationKind::Retrieve, took, start.table_size, result, log.effort()))
    }

    /// The clock starts here: what the routing table takes to answer is part of the operation, as in Go.
    async fn begin(&self, key: Vec<u8>) -> Result<(Operation, Start), DhtError> {
        let started = Instant::now();
        let start = self.tools.driver.start(key.clone(), self.config.k).await?;
        let local = start.local.clone();
        Ok((Operation { key, local, started, deadline: started + self.timeout }, start))
    }

    fn ran_out(&self, detail: &str) -> String {
        format!("context deadline exceeded: ended after {} s, {detail}", self.timeout.as_secs_f64())
    }
}

/// The words are Go's (`kbucket.ErrLookupFailure`): others look for them.
fn nobody_to_ask() -> Failure {
    (OutcomeClass::NoPeers, "failed to find any peer in table".to_owned())
}

fn nobody_answered(log: &Log, what: &str) -> Failure {
    let failures: Vec<_> = log.failures().collect();
    let reached = failures.iter().find(|error| !error.is_dial());
    let class = if reached.is_some() { OutcomeClass::Protocol } else { OutcomeClass::DialFailed };
    let example = reached.or(failures.last()).map_or_else(|| "no request was sent".to_owned(), |e| e.to_string());
    (class, format!("{what}, {} requests failed, for instance: {example}", failures.len()))
}

fn measured(
    kind: OperationKind,
    duration: Duration,
    table_size: usize,
    result: Result<(), Failure>,
    effort: Effort,
) -> Measured {
    let (class, error) = match result {
        Ok(()) => (OutcomeClass::Ok, None),
        Err((class, error)) => (class, Some(error)),
    };
    let step = Measurement { step: kind.wire_step().to_owned(), duration, error: error.clone() };
    let routing_table_size = u32::try_from(table_size).unwrap_or(u32::MAX);
    Measured { error, routing_table_size, steps: vec![step], effort, ..Measured::unmeasured(class, duration, "") }
}
