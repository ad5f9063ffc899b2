//! Which peers the time of many operations went to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use parsec_measure::{MAX_FOUND_ADDRESSES, RequestEnd, SampledOperation, Trace, multiaddresses_in};

use crate::groups::round_number;
use crate::path::stretches;
use crate::sampling::Sampling;
use crate::spending::Estimate;
use crate::statistics::{MIN_ROUNDS, Z};

/// Of how many peers the costs are remembered: several times the public network, in some fifty megabytes. When there are more, the half
/// that cost least is forgotten, and counted.
pub const MAX_PEERS: usize = 100_000;

/// How many rounds of different loops may go on at once and still be told apart: more than there are loops, in practice.
const ROUNDS_AT_ONCE: usize = 8;

/// What a peer cost.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerCost {
    /// Its id.
    pub peer: String,
    /// The software that it said it runs, when it was last asked.
    pub agent: Option<String>,
    /// Where it was dialled or said to be, as far as traces tell.
    pub addresses: BTreeSet<String>,
    /// Seconds that all operations together spent on it: on their critical paths.
    pub seconds: Estimate,
    /// The share of all time that was spent.
    pub share: f64,
    /// How many requests were sent to it in all operations together.
    pub requests: f64,
    /// How many of them failed, by how.
    pub failed: Vec<(RequestEnd, f64)>,
    /// How many traces it is in.
    pub traces: u64,
}

/// The peers that cost most.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerCosts {
    /// The most expensive first.
    pub worst: Vec<PeerCost>,
    /// How many peers there are in all; one that was forgotten and met again counts twice.
    pub peers: u64,
    /// How many of these were forgotten because there were too many: each had cost no more than half of those that were remembered then.
    pub forgotten: u64,
    /// Seconds that all operations together took.
    pub seconds: f64,
}

/// Adds up what peers cost.
#[derive(Debug)]
pub struct Costs<'a> {
    sampling: &'a Sampling,
    peers: HashMap<String, Cost>,
    /// [`MAX_PEERS`].
    max: usize,
    forgotten: u64,
    seconds: f64,
}

/// What is known of a peer so far.
#[derive(Debug, Default)]
struct Cost {
    agent: Option<String>,
    addresses: BTreeSet<String>,
    seconds: f64,
    /// The seconds that were seen, without weight: no interval goes below them.
    seen: f64,
    /// Squares of what it cost in each round that is over, and how many rounds these are.
    squares: f64,
    rounds: usize,
    /// What it cost in the rounds that may go on.
    open: BTreeMap<u64, f64>,
    requests: f64,
    failed: [f64; RequestEnd::ALL.len()],
    traces: u64,
}

impl Cost {
    fn spend(&mut self, round: u64, seconds: f64, weight: f64) {
        self.seconds += weight * seconds;
        self.seen += seconds;
        *self.open.entry(round).or_default() += weight * seconds;
        while self.open.len() > ROUNDS_AT_ONCE {
            self.close_one();
        }
    }

    fn close_one(&mut self) {
        if let Some((_, cost)) = self.open.pop_first() {
            self.squares += cost * cost;
            self.rounds += usize::from(cost > 0.0);
        }
    }

    /// The interval is that of a sum over independent rounds, each of which might not have met the peer.
    fn estimate(&mut self) -> Estimate {
        while !self.open.is_empty() {
            self.close_one();
        }
        let reach = Z * self.squares.sqrt();
        let ends = ((self.seconds - reach).max(self.seen), self.seconds + reach);
        Estimate { value: self.seconds, ends: (self.rounds >= MIN_ROUNDS).then_some(ends) }
    }

    fn note_addresses<'s>(&mut self, addresses: impl Iterator<Item = &'s str>) {
        for address in addresses {
            if self.addresses.len() < MAX_FOUND_ADDRESSES && !self.addresses.contains(address) {
                self.addresses.insert(address.to_owned());
            }
        }
    }
}

impl<'a> Costs<'a> {
    /// Nothing yet, to be weighed by what is known of all operations.
    pub fn new(sampling: &'a Sampling) -> Self {
        Self { sampling, peers: HashMap::new(), max: MAX_PEERS, forgotten: 0, seconds: 0.0 }
    }

    /// Adds the trace of an operation.
    pub fn add(&mut self, sampled: &SampledOperation, trace: &Trace) {
        let Some(weight) = self.sampling.weight(sampled) else { return };
        self.seconds += weight * trace.returned.as_secs_f64();
        let round = round_number(sampled.operation.round);
        let mut met: BTreeSet<&str> = BTreeSet::new();
        for request in &trace.requests {
            let cost = self.peers.entry(request.peer.clone()).or_default();
            cost.requests += weight;
            if request.end.is_failure() {
                cost.failed[request.end as usize] += weight;
            }
            if request.agent.is_some() {
                cost.agent.clone_from(&request.agent);
            }
            cost.note_addresses(request.error.iter().flat_map(|error| multiaddresses_in(error)));
            cost.traces += u64::from(met.insert(&request.peer));
        }
        for stretch in stretches(trace) {
            let each = stretch.span.length().as_secs_f64() / stretch.requests.len().max(1) as f64;
            for index in &stretch.requests {
                if let Some(cost) = self.peers.get_mut(&trace.requests[*index].peer) {
                    cost.spend(round, each, weight);
                }
            }
        }
        for provider in trace.requests.iter().flat_map(|request| &request.named) {
            if let Some(cost) = self.peers.get_mut(&provider.peer) {
                cost.note_addresses(provider.addresses.iter().map(String::as_str));
            }
        }
        if self.peers.len() > self.max {
            self.forget();
        }
    }

    /// Counts the time of an operation whose trace was kept and cannot be read: nobody knows which peers it went to.
    pub fn missed(&mut self, sampled: &SampledOperation) {
        if let Some(weight) = self.sampling.weight(sampled) {
            self.seconds += weight * sampled.operation.duration.as_secs_f64();
        }
    }

    /// Forgets the half that cost least.
    fn forget(&mut self) {
        let mut costs: Vec<f64> = self.peers.values().map(|cost| cost.seconds).collect();
        let middle = costs.len() / 2;
        let (_, limit, _) = costs.select_nth_unstable_by(middle, f64::total_cmp);
        let (limit, before) = (*limit, self.peers.len());
        self.peers.retain(|_, cost| cost.seconds > limit);
        self.forgotten += (before - self.peers.len()) as u64;
    }

    /// The `worst` that cost most.
    pub fn finish(self, worst: usize) -> PeerCosts {
        let (peers, forgotten, seconds) = (self.peers.len() as u64 + self.forgotten, self.forgotten, self.seconds);
        let mut all: Vec<_> = self.peers.into_iter().collect();
        all.sort_by(|(a, one), (b, other)| other.seconds.total_cmp(&one.seconds).then_with(|| a.cmp(b)));
        all.truncate(worst);
        let told = |(peer, mut cost): (String, Cost)| {
            let estimate = cost.estimate();
            let mut failed: Vec<_> =
                RequestEnd::ALL.into_iter().zip(cost.failed).filter(|(_, times)| *times > 0.0).collect();
            failed.sort_by(|(_, one), (_, other)| other.total_cmp(one));
            let share = if seconds > 0.0 { cost.seconds / seconds } else { 0.0 };
            let Cost { agent, addresses, requests, traces, .. } = cost;
            PeerCost { peer, agent, addresses, seconds: estimate, share, requests, failed, traces }
        };
        PeerCosts { worst: all.into_iter().map(told).collect(), peers, forgotten, seconds }
    }
}

#[cfg(test)]
mod tests;
