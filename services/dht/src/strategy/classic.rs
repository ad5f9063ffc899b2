//! Publishing and finding as go-libp2p-kad-dht does by default: the `default` fleet.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Answer, Lookup, LookupConfig, Reply, Request, Step, Strategy};
use crate::key::{Contact, Key};

/// How a publication ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided<P> {
    /// Peers that the record was written to.
    pub stored: Vec<P>,
    /// Peers among the closest that it could not be written to.
    pub failed: Vec<P>,
}

/// Classic publication: look up the k closest peers, send all of them the record at once, and end
/// when every one of these puts has ended, well or badly.
#[derive(Debug)]
pub struct ProvideClassic<P> {
    lookup: Option<Lookup<P>>,
    to_put: VecDeque<P>,
    under_way: usize,
    provided: Provided<P>,
}

impl<P: Contact> ProvideClassic<P> {
    /// A publication under `target`, starting at `seeds`.
    pub fn new(target: Key, local: P, seeds: Vec<P>, config: LookupConfig) -> Self {
        Self {
            lookup: Some(Lookup::new(target, local, seeds, Request::FindNode, config)),
            to_put: VecDeque::new(),
            under_way: 0,
            provided: Provided { stored: Vec::new(), failed: Vec::new() },
        }
    }

    fn take_in(&mut self, Answer { peer, reply, .. }: Answer<P>) {
        self.under_way -= 1;
        match reply {
            // One specification has the record echoed: an answer proves as much as a written request.
            Reply::Stored | Reply::Answered { .. } => self.provided.stored.push(peer),
            Reply::Failed | Reply::Cancelled => self.provided.failed.push(peer),
        }
    }

    fn put(&mut self) -> Step<P, Provided<P>> {
        if let Some(peer) = self.to_put.pop_front() {
            self.under_way += 1;
            return Step::Ask { peer, request: Request::AddProvider };
        }
        if self.under_way > 0 {
            return Step::Wait(None);
        }
        Step::Done(self.provided.clone())
    }
}

impl<P: Contact> Strategy<P> for ProvideClassic<P> {
    type Outcome = Provided<P>;

    fn advance(&mut self, answer: Option<Answer<P>>, now: Duration) -> Step<P, Provided<P>> {
        if let Some(lookup) = &mut self.lookup {
            match lookup.advance(answer, now) {
                Step::Done(walked) => {
                    self.to_put = walked.closest.into_iter().map(|nearest| nearest.peer).collect();
                    self.lookup = None;
                }
                Step::Ask { peer, request } => return Step::Ask { peer, request },
                Step::CancelDials => return Step::CancelDials,
                Step::Wait(until) => return Step::Wait(until),
                Step::Return(_) => unreachable!("a lookup has nothing to leave to the background"),
            }
        } else if let Some(answer) = answer {
            self.take_in(answer);
        }
        self.put()
    }
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<P> {
    /// A peer named providers.
    Providers {
        /// Who named them.
        by: P,
        /// Whom it named, at least one.
        providers: Vec<P>,
    },
    /// Lookup and follow-up are over, and nobody named a provider.
    Nobody,
}

/// Classic search: the lookup with GET_PROVIDERS, which ends the moment that a peer names a provider.
#[derive(Debug)]
pub struct FindProviders<P> {
    lookup: Lookup<P>,
}

impl<P: Contact> FindProviders<P> {
    /// A search for the providers of `target`, starting at `seeds`.
    pub fn new(target: Key, local: P, seeds: Vec<P>, config: LookupConfig) -> Self {
        Self { lookup: Lookup::new(target, local, seeds, Request::GetProviders, config) }
    }
}

impl<P: Contact> Strategy<P> for FindProviders<P> {
    type Outcome = Found<P>;

    fn advance(&mut self, answer: Option<Answer<P>>, now: Duration) -> Step<P, Found<P>> {
        if let Some(Answer { peer, reply: Reply::Answered { providers, .. }, .. }) = &answer
            && !providers.is_empty()
        {
            return Step::Done(Found::Providers { by: peer.clone(), providers: providers.clone() });
        }
        match self.lookup.advance(answer, now) {
            Step::Done(_) => Step::Done(Found::Nobody),
            Step::Ask { peer, request } => Step::Ask { peer, request },
            Step::CancelDials => Step::CancelDials,
            Step::Wait(until) => Step::Wait(until),
            Step::Return(_) => unreachable!("a lookup has nothing to leave to the background"),
        }
    }
}
