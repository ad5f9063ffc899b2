//! What an operation did, request by request.

use std::time::Duration;

use parsec_measure::{FoundProvider, OperationKind, RequestEnd, RequestKind, StrategyKind, Trace, TracedRequest};

use crate::chance::Chance;
use crate::world::World;

/// How many requests a publication and a lookup have.
const REQUESTS: [usize; 2] = [45, 13];

/// A trace of an operation that took so long.
pub(crate) fn of(
    world: &World,
    chance: &mut Chance,
    kind: OperationKind,
    strategy: StrategyKind,
    returned: Duration,
) -> Trace {
    let count = REQUESTS[usize::from(kind == OperationKind::Retrieve)];
    let mut requests: Vec<TracedRequest> = Vec::with_capacity(count);
    for number in 0..count {
        let request = request(world, chance, kind, (number, count), returned);
        requests.push(request);
    }
    Trace { strategy, returned, requests, left_out: 0 }
}

fn request(
    world: &World,
    chance: &mut Chance,
    kind: OperationKind,
    (number, count): (usize, usize),
    returned: Duration,
) -> TracedRequest {
    let peer = &world.peers[chance.below(world.peers.len())];
    let puts = kind == OperationKind::Provide && number >= count / 2;
    let kind = match kind {
        OperationKind::Provide if puts => RequestKind::AddProvider,
        OperationKind::Provide => RequestKind::FindNode,
        OperationKind::Retrieve => RequestKind::GetProviders,
    };
    let at = |share: f64| Duration::from_micros((returned.as_micros() as f64 * share) as u64);
    let begin = number as f64 / count as f64;
    let part = chance.share() / count as f64;
    let (asked, dialled, connected, ended) =
        (at(begin), at(begin + 0.1 * part), at(begin + 0.5 * part), at(begin + part));
    let last = !puts && number + 1 == count;
    let named = (kind == RequestKind::GetProviders && last).then(|| FoundProvider {
        peer: peer.id.clone(),
        addresses: vec![peer.address.clone()],
        named_by: None,
    });
    TracedRequest {
        peer: peer.id.clone(),
        agent: peer.agent.clone(),
        kind,
        named_by: (number >= 3).then_some(number as u32 % 3),
        hop: (number / 3).min(4) as u32,
        common_prefix: 4 + (number / 3).min(12) as u32,
        asked,
        dialled: Some(dialled),
        connected: (!peer.is_dead).then_some(connected),
        opened: (!peer.is_dead).then_some(connected),
        written: (!peer.is_dead).then_some(connected),
        ended: Some(ended),
        end: if peer.is_dead { RequestEnd::DialFailed } else { RequestEnd::Answered },
        error: peer.is_dead.then(|| format!("{}: connection refused", peer.address)),
        closer: if peer.is_dead || puts { 0 } else { 20 },
        providers: u32::from(named.is_some()),
        named: named.into_iter().collect(),
        confirmed: (puts && !peer.is_dead).then_some(ended),
        unconfirmed: None,
    }
}
