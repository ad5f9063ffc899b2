//! Finds out where a record is: looks up the k peers closest to a key, then asks each of them for providers. Unlike a
//! search it does not end at the first provider: the result is the answer of each of them.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Answer, Lookup, LookupConfig, Reply, Request, Step, Strategy};
use crate::strategy::key::{Contact, Key};

/// The answer of one of the closest peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<P> {
    /// The peer.
    pub peer: P,
    /// The providers that it named; `None` if it did not answer.
    pub providers: Option<Vec<P>>,
}

/// See the module's documentation. The outcome is the closest peers, closest first, without this node.
#[derive(Debug)]
pub struct FindHolders<P> {
    lookup: Lookup<P>,
    /// The closest, once the lookup has ended.
    closest: Option<Vec<Asked<P>>>,
    /// How many of them have been asked.
    asked: usize,
    /// How many of those have answered or failed.
    ended: usize,
}

impl<P: Contact> FindHolders<P> {
    /// Checks the holders of `target`, starting at `seeds`.
    pub fn new(target: Key, local: P, seeds: Vec<P>, config: LookupConfig) -> Self {
        let lookup = Lookup::new(target, local, seeds, Request::FindNode, config);
        Self { lookup, closest: None, asked: 0, ended: 0 }
    }

    fn take_in(&mut self, Answer { peer, request, reply }: Answer<P>) {
        let Some(closest) = self.closest.as_mut().filter(|_| request == Request::GetProviders) else { return };
        let Some(asked) = closest.iter_mut().take(self.asked).find(|asked| asked.peer == peer) else { return };
        self.ended += 1;
        if let Reply::Answered { providers, .. } = reply {
            asked.providers = Some(providers);
        }
    }
}

impl<P: Contact> Strategy<P> for FindHolders<P> {
    type Outcome = Vec<Asked<P>>;

    fn advance(&mut self, answer: Option<Answer<P>>, now: Duration) -> Step<P, Self::Outcome> {
        match answer {
            Some(answer) if self.closest.is_some() => self.take_in(answer),
            _ if self.closest.is_some() => {}
            answer => match self.lookup.advance(answer, now).until_done() {
                ControlFlow::Continue(step) => return step,
                ControlFlow::Break(walked) => {
                    let closest = walked.closest.into_iter().map(|near| Asked { peer: near.peer, providers: None });
                    self.closest = Some(closest.collect());
                }
            },
        }
        let closest = self.closest.as_deref().unwrap_or_default();
        if let Some(next) = closest.get(self.asked) {
            self.asked += 1;
            return Step::Ask { peer: next.peer.clone(), request: Request::GetProviders };
        }
        if self.ended < self.asked { Step::Wait(None) } else { Step::Done(closest.to_vec()) }
    }
}
