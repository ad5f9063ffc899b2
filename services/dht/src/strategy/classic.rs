//! Publishing and finding as go-libp2p-kad-dht does by default: the `default` fleet.

use std::ops::ControlFlow;
use std::time::Duration;

use super::puts::Puts;
use super::{Answer, Lookup, LookupConfig, LookupEnd, Nearest, Provided, Reply, Request, Step, Strategy, Walked};
use crate::strategy::key::{Contact, Key};

/// Classic publication: looks up the k closest peers, sends the record to all of them at once, and ends when all of
/// these puts have ended, successfully or not.
#[derive(Debug)]
pub struct ProvideClassic<P> {
    lookup: Lookup<P>,
    walked: Option<Walked<P>>,
    puts: Puts<P>,
}

impl<P: Contact> ProvideClassic<P> {
    /// A publication under `target`, starting at `seeds`.
    pub fn new(target: Key, local: P, seeds: Vec<P>, config: LookupConfig) -> Self {
        let lookup = Lookup::new(target, local, seeds, Request::FindNode, config);
        Self { lookup, walked: None, puts: Puts::new() }
    }

    /// The second half of a publication: puts to these peers, which another kind of lookup has found.
    pub fn to(target: Key, local: P, closest: Vec<P>, config: LookupConfig) -> Self {
        let mut publication = Self::new(target, local, Vec::new(), config);
        closest.iter().for_each(|peer| publication.puts.choose(peer.clone()));
        let answered = |peer: &P| Nearest { peer: peer.clone(), answered: true };
        publication.walked = Some(Walked { closest: closest.iter().map(answered).collect(), named: closest });
        publication
    }
}

impl<P: Contact> Strategy<P> for ProvideClassic<P> {
    type Outcome = Provided<P>;

    fn advance(&mut self, answer: Option<Answer<P>>, now: Duration) -> Step<P, Provided<P>> {
        let walked = match &self.walked {
            Some(walked) => {
                if let Some(answer) = answer {
                    self.puts.take_in(answer);
                }
                walked
            }
            None => match self.lookup.advance(answer, now).until_done() {
                ControlFlow::Continue(step) => return step,
                ControlFlow::Break(walked) => {
                    walked.closest.iter().for_each(|nearest| self.puts.choose(nearest.peer.clone()));
                    self.walked.insert(walked)
                }
            },
        };
        match self.puts.next() {
            Some(peer) => Step::Ask { peer, request: Request::AddProvider },
            None if self.puts.have_all_ended() => Step::Done(self.puts.provided(LookupEnd::Completed(walked.clone()))),
            None => Step::Wait(None),
        }
    }

    fn reconsider(&mut self, peer: &P) {
        self.lookup.reconsider(peer);
    }
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<P> {
    /// A peer named providers.
    Providers {
        /// The peer that named them.
        by: P,
        /// The named providers, at least one.
        providers: Vec<P>,
    },
    /// All peers have been asked, and none named a provider.
    Nobody {
        /// The lookup, at its natural end; `None` if the closest peers were known beforehand.
        walked: Option<Walked<P>>,
    },
}

impl<P: Clone> Found<P> {
    /// The providers that an answer names, if any.
    pub(super) fn in_answer(answer: Option<&Answer<P>>) -> Option<Self> {
        match answer {
            Some(Answer { peer, reply: Reply::Answered { providers, .. }, .. }) if !providers.is_empty() => {
                Some(Self::Providers { by: peer.clone(), providers: providers.clone() })
            }
            _ => None,
        }
    }
}

/// Classic search: a lookup with GET_PROVIDERS that ends as soon as a peer names a provider.
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
        if let Some(found) = Found::in_answer(answer.as_ref()) {
            return Step::Done(found);
        }
        match self.lookup.advance(answer, now).until_done() {
            ControlFlow::Continue(step) => step,
            ControlFlow::Break(walked) => Step::Done(Found::Nobody { walked: Some(walked) }),
        }
    }

    fn reconsider(&mut self, peer: &P) {
        self.lookup.reconsider(peer);
    }
}
