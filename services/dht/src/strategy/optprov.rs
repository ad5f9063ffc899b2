//! Optimistic provide, as in go-libp2p-kad-dht (`lookup_optim.go`): the `optprov` fleet.
//!
//! From the size of the network follows how close the k closest peers of a key must be. So when the lookup finds a peer
//! that is close enough, the record is sent to it at once. The lookup is stopped as soon as the peers that it knows are
//! close enough taken together. The publication returns when three quarters of the puts have ended, because the last
//! few mostly run into their time-outs. The other puts go on.
//!
//! Differences from Go: if fewer than k peers are known, the missing ones do not count as distance 0; with no peer to
//! ask the publication ends at once; and lookup requests that are under way when the lookup is stopped are not awaited.

use std::ops::ControlFlow;
use std::time::Duration;

use super::gamma::inverse_regularised;
use super::puts::Puts;
use super::{Answer, Lookup, LookupConfig, LookupEnd, Provided, Request, Step, Strategy};
use crate::strategy::key::{Contact, Key};

/// The required certainty that a peer is among the k closest (Go: `optProvIndividualThresholdCertainty`).
const CERTAINTY: f64 = 0.9;

/// How probable it may be that even the true k closest are not accepted as a set (Go: `optProvSetThresholdStrictness`).
const STRICTNESS: f64 = 0.1;

/// The share of k puts that must have ended before the publication returns: 3/4 (Go: `optProvReturnRatio`).
const RETURN_RATIO: (usize, usize) = (3, 4);

/// How close is close enough, as shares of the keyspace.
///
/// With N peers spread evenly over the keyspace, N times the distance of the k-th closest follows Gamma(k, 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// A single peer within this distance is among the k closest with a probability of 90 %: Γ⁻¹(k; 0.1)/N. For
    /// k = 20 that is 14.525/N, which the 20th closest peer undercuts in one network of ten.
    pub individual: f64,
    /// If the mean distance of k peers is below this, they pass for the k closest: Γ⁻¹(k/2 + 1; 0.9)/N. For k = 20 that
    /// is 15.407/N. The mean of the true ones, 10.5/N on average, is taken to lie where the peer of rank k/2 + 1 lies.
    pub set: f64,
}

impl Thresholds {
    /// The thresholds in a network of `network_size` peers. A network is taken to have at least k peers. If the size is
    /// no positive number, nothing passes for close: the lookup then runs to its end.
    pub fn new(k: usize, network_size: f64) -> Self {
        if !network_size.is_finite() || network_size <= 0.0 || k == 0 {
            return Self { individual: 0.0, set: 0.0 };
        }
        let k = k as f64;
        let size = network_size.max(k);
        Self {
            individual: same_everywhere(inverse_regularised(k, 1.0 - CERTAINTY)) / size,
            set: same_everywhere(inverse_regularised(k / 2.0 + 1.0, 1.0 - STRICTNESS)) / size,
        }
    }
}

/// How finely a quantile counts: to nine digits, far below what a share of the keyspace decides.
const GRAIN: f64 = (1_u64 << 30) as f64;

/// Logarithms and powers differ in their last bits between platforms, and one bit may decide who is close. So a network that is simulated from a
/// seed is the same everywhere only without those bits.
fn same_everywhere(quantile: f64) -> f64 {
    (quantile * GRAIN).round() / GRAIN
}

#[derive(Debug)]
enum Phase<P> {
    LookingUp(Box<Lookup<P>>),
    Putting(LookupEnd<P>),
}

/// Optimistic publication; see the module's documentation.
#[derive(Debug)]
pub struct ProvideOptimistic<P> {
    thresholds: Thresholds,
    k: usize,
    phase: Phase<P>,
    puts: Puts<P>,
    returned: bool,
}

impl<P: Contact> ProvideOptimistic<P> {
    /// A publication under `target`, starting at `seeds`, in a network of about `network_size` peers.
    pub fn new(target: Key, local: P, seeds: Vec<P>, config: LookupConfig, network_size: f64) -> Self {
        let lookup = Lookup::new(target, local, seeds, Request::FindNode, config);
        Self {
            thresholds: Thresholds::new(config.k, network_size),
            k: config.k,
            phase: Phase::LookingUp(Box::new(lookup)),
            puts: Puts::new(),
            returned: false,
        }
    }

    fn take_in(&mut self, answer: Answer<P>) {
        match &mut self.phase {
            _ if answer.request == Request::AddProvider => self.puts.take_in(answer),
            Phase::LookingUp(lookup) => lookup.take_in(answer),
            Phase::Putting(_) => {}
        }
    }

    /// As long as the lookup lasts, chooses peers for puts and passes its requests on. `None` once it is over.
    fn look_up(&mut self) -> Option<Step<P, Provided<P>>> {
        let Phase::LookingUp(lookup) = &mut self.phase else { return None };
        let nearest: Vec<(P, f64)> = lookup.nearest().map(|(peer, place)| (peer.clone(), place.fraction())).collect();
        for (peer, _) in nearest.iter().filter(|(_, distance)| *distance <= self.thresholds.individual) {
            self.puts.choose(peer.clone());
        }
        if let Some(end) = self.thresholds.stop(&nearest, self.puts.promising(), self.k) {
            let to_cancel = lookup.under_way() > 0;
            return self.end_lookup(nearest.into_iter().map(|(peer, _)| peer), end, to_cancel);
        }
        if let Some(peer) = self.puts.next() {
            return Some(Step::Ask { peer, request: Request::AddProvider });
        }
        match lookup.go_on().until_done() {
            ControlFlow::Continue(step) => Some(step),
            ControlFlow::Break(walked) => {
                let closest: Vec<P> = walked.closest.iter().map(|nearest| nearest.peer.clone()).collect();
                self.end_lookup(closest.into_iter(), LookupEnd::Completed(walked), false)
            }
        }
    }

    fn end_lookup(
        &mut self,
        closest: impl Iterator<Item = P>,
        end: LookupEnd<P>,
        to_cancel: bool,
    ) -> Option<Step<P, Provided<P>>> {
        closest.for_each(|peer| self.puts.choose(peer));
        self.phase = Phase::Putting(end);
        to_cancel.then_some(Step::CancelDials)
    }

    fn put(&mut self) -> Step<P, Provided<P>> {
        if let Some(peer) = self.puts.next() {
            return Step::Ask { peer, request: Request::AddProvider };
        }
        let Phase::Putting(end) = &self.phase else { unreachable!("called after the lookup only") };
        if self.puts.have_all_ended() {
            return Step::Done(self.puts.provided(end.clone()));
        }
        let enough = (self.k * RETURN_RATIO.0).div_ceil(RETURN_RATIO.1).min(self.puts.chosen());
        if !self.returned && self.puts.ended() >= enough {
            self.returned = true;
            return Step::Return(self.puts.provided(end.clone()));
        }
        Step::Wait(None)
    }
}

impl Thresholds {
    /// Whether the lookup may be stopped, given these nearest peers and this number of puts that have not failed so
    /// far.
    fn stop<P>(&self, nearest: &[(P, f64)], promising: usize, k: usize) -> Option<LookupEnd<P>> {
        if nearest.is_empty() {
            return None;
        }
        if promising >= k {
            return Some(LookupEnd::EnoughServed);
        }
        let mean = nearest.iter().map(|(_, distance)| distance).sum::<f64>() / nearest.len() as f64;
        (nearest.len() == k && mean < self.set).then_some(LookupEnd::CloseEnough)
    }
}

impl<P: Contact> Strategy<P> for ProvideOptimistic<P> {
    type Outcome = Provided<P>;

    fn advance(&mut self, answer: Option<Answer<P>>, _now: Duration) -> Step<P, Provided<P>> {
        if let Some(answer) = answer {
            self.take_in(answer);
        }
        match self.look_up() {
            Some(step) => step,
            None => self.put(),
        }
    }

    fn reconsider(&mut self, peer: &P) {
        if let Phase::LookingUp(lookup) = &mut self.phase {
            lookup.reconsider(peer);
        }
    }
}
