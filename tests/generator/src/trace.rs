//! What an operation did, request by request: at any time, somebody is being asked, as with a real server.

use std::time::Duration;

use parsec_measure::{
    FoundProvider, OperationKind, OutcomeClass, RequestEnd, RequestKind, StrategyKind, Trace, TracedRequest,
};

use crate::chance::Chance;
use crate::world::{Manner, World};

/// How many peers are asked for others at a time.
const AT_ONCE: usize = 3;

/// How many are asked in all, by a publication and by a lookup.
const ASKED: [usize; 2] = [25, 13];

/// How many peers are then given the record.
const PUTS: usize = 20;

/// How many peers are silent, one after the other, before an operation runs out of time.
const SILENT: usize = 15;

/// How many times as long as an answer takes each of them is waited for.
const SILENCE: f64 = 12.0;

/// Which share of requests find no connection.
const COLD: f64 = 0.6;

/// The share of their time that making one takes.
const DIALLING: f64 = 0.55;

/// The operation that a trace is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traced {
    pub(crate) kind: OperationKind,
    pub(crate) strategy: StrategyKind,
    pub(crate) class: OutcomeClass,
    pub(crate) returned: Duration,
}

/// A request whose time is not in seconds yet: how long all of them take is known at the end.
struct Step {
    kind: RequestKind,
    end: RequestEnd,
    named_by: Option<usize>,
    hop: u32,
    asked: f64,
    ended: f64,
}

/// A trace of this operation.
pub(crate) fn of(world: &World, chance: &mut Chance, operation: Traced) -> Trace {
    let Traced { kind, strategy, class, returned } = operation;
    let steps = steps(chance, kind, class);
    let whole = last_end(&steps);
    let at = |time: f64| returned.mul_f64((time / whole).clamp(0.0, 1.0));
    let found = (kind == OperationKind::Retrieve && class == OutcomeClass::Ok).then(|| steps.len() - 1);
    let requests = steps.iter().enumerate();
    let requests = requests.map(|(number, step)| request(world, chance, step, found == Some(number), &at)).collect();
    Trace { strategy, returned, requests, left_out: 0 }
}

fn steps(chance: &mut Chance, kind: OperationKind, class: OutcomeClass) -> Vec<Step> {
    let (asks, count) = match kind {
        OperationKind::Provide => (RequestKind::FindNode, ASKED[0]),
        OperationKind::Retrieve => (RequestKind::GetProviders, ASKED[1]),
    };
    let end_of = |chance: &mut Chance, number: usize| match class {
        OutcomeClass::DialFailed => RequestEnd::DialFailed,
        OutcomeClass::Protocol if number + 1 == count => RequestEnd::Protocol,
        // Whoever named nobody yet cannot be dead; and the last one is what the lookup waited for.
        _ if number >= AT_ONCE && number + 1 < count && chance.happens(0.15) => RequestEnd::DialFailed,
        _ => RequestEnd::Answered,
    };
    let mut steps: Vec<Step> = Vec::with_capacity(count + PUTS);
    // When there is room for the next request.
    let mut free = [0.0; AT_ONCE];
    for number in 0..count {
        free.sort_by(f64::total_cmp);
        let end = end_of(chance, number);
        let took = if end == RequestEnd::DialFailed { 0.7 } else { 1.0 } * took(chance);
        free[0] = ask(&mut steps, asks, end, free[0], took);
    }
    match class {
        OutcomeClass::Ok if kind == OperationKind::Provide => puts(chance, &mut steps),
        OutcomeClass::Timeout => silence(asks, &mut steps),
        _ => {}
    }
    steps
}

/// Asks the peer that was named last by then; returns when that ends.
fn ask(steps: &mut Vec<Step>, kind: RequestKind, end: RequestEnd, asked: f64, took: f64) -> f64 {
    let named_by = namer(steps, asked);
    let hop = named_by.map_or(0, |number| steps[number].hop + 1);
    steps.push(Step { kind, end, named_by, hop, asked, ended: asked + took });
    asked + took
}

/// The last one to have answered by then, if any.
fn namer(steps: &[Step], by: f64) -> Option<usize> {
    let answered = steps.iter().enumerate().filter(|(_, step)| step.end == RequestEnd::Answered && step.ended <= by);
    answered.max_by(|(_, one), (_, two)| one.ended.total_cmp(&two.ended)).map(|(number, _)| number)
}

fn took(chance: &mut Chance) -> f64 {
    (0.5 * chance.normal()).exp()
}

/// The record goes to all at once, when the lookup has come to its end.
fn puts(chance: &mut Chance, steps: &mut Vec<Step>) {
    let asked = last_end(steps);
    for _ in 0..PUTS {
        let end = if chance.happens(0.1) { RequestEnd::DialFailed } else { RequestEnd::Answered };
        ask(steps, RequestKind::AddProvider, end, asked, took(chance));
    }
}

/// Peers that can be connected to and do not answer, until the time is up.
fn silence(asks: RequestKind, steps: &mut Vec<Step>) {
    let mut asked = last_end(steps);
    for _ in 0..SILENT {
        asked = ask(steps, asks, RequestEnd::Timeout, asked, SILENCE);
    }
}

fn last_end(steps: &[Step]) -> f64 {
    steps.iter().map(|step| step.ended).fold(0.0, f64::max)
}

fn request(
    world: &World,
    chance: &mut Chance,
    step: &Step,
    finds: bool,
    at: &impl Fn(f64) -> Duration,
) -> TracedRequest {
    let manner = match step.end {
        RequestEnd::DialFailed => Manner::Dead,
        RequestEnd::Timeout => Manner::Silent,
        _ => Manner::Answers,
    };
    let (peer, is_dead) = (world.peer(chance, manner), manner == Manner::Dead);
    let is_put = step.kind == RequestKind::AddProvider;
    let answered = step.end == RequestEnd::Answered;
    let part = |share: f64| at(step.asked + share * (step.ended - step.asked));
    let is_cold = is_dead || chance.happens(COLD);
    let connected = (!is_dead).then(|| part(if is_cold { DIALLING } else { 0.0 }));
    let ended = at(step.ended);
    let named =
        finds.then(|| FoundProvider { peer: peer.id.clone(), addresses: vec![peer.address.clone()], named_by: None });
    let error = match step.end {
        RequestEnd::DialFailed => Some(format!("{}: connection refused", peer.address)),
        RequestEnd::Timeout => Some("no answer in time".to_owned()),
        RequestEnd::Protocol => Some("stream reset".to_owned()),
        _ => None,
    };
    TracedRequest {
        peer: peer.id.clone(),
        agent: peer.agent.clone(),
        kind: step.kind,
        named_by: step.named_by.and_then(|number| u32::try_from(number).ok()),
        hop: step.hop,
        common_prefix: 4 + step.hop.min(12),
        asked: at(step.asked),
        dialled: is_cold.then(|| at(step.asked)),
        connected,
        opened: connected,
        written: connected,
        ended: Some(ended),
        end: step.end,
        error,
        closer: if answered && !is_put { 20 } else { 0 },
        providers: u32::from(finds),
        named: named.into_iter().collect(),
        confirmed: (is_put && answered).then_some(ended),
        unconfirmed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_any_time_somebody_is_being_asked() {
        for (seed, kind) in OperationKind::ALL.into_iter().flat_map(|kind| (0..50).map(move |seed| (seed, kind))) {
            for class in [OutcomeClass::Ok, OutcomeClass::Timeout, OutcomeClass::DialFailed, OutcomeClass::NotFound] {
                let mut steps = steps(&mut Chance::of(seed, 0), kind, class);
                steps.sort_by(|one, other| one.asked.total_cmp(&other.asked));
                let mut until = 0.0_f64;
                for step in &steps {
                    assert!(step.asked <= until, "{kind} {class}, seed {seed}: nobody from {until} to {}", step.asked);
                    until = until.max(step.ended);
                }
            }
        }
    }
}
