//! Publishing and finding with all peers of the network in memory, like the "accelerated DHT client" of
//! go-libp2p-kad-dht (`fullrt/dht.go`): the `fullrt` fleet. There is no lookup; the closest peers come from a
//! [`FullTable`](super::FullTable).

use std::time::Duration;

use super::puts::Puts;
use super::{Answer, Found, LookupEnd, Provided, Request, Step, Strategy};
use crate::strategy::key::Contact;

/// The share of puts that must have succeeded before the remaining ones get a last chance: 3/10 (Go: `waitFrac`).
const WAIT_RATIO: (usize, usize) = (3, 10);

/// The remaining puts are waited for as long as each interval of this length brings a success (Go: the ticker in
/// `execOnMany`).
const TICK: Duration = Duration::from_millis(500);

/// Publication to peers that are known to be the closest: the record is sent to all of them at once.
///
/// Ticks of 500 ms start when 3 of 10 puts have succeeded, and the publication returns at the first tick without a new
/// success. It returns earlier if, at a success, twice the successes plus the failures reach the number of peers. Puts
/// that are under way then continue to their end. (Go cancels them, so that fewer peers hold the record than it seems.)
#[derive(Debug)]
pub struct ProvideFull<P> {
    puts: Puts<P>,
    tick: Option<Tick>,
    returned: bool,
}

#[derive(Debug)]
struct Tick {
    due: Duration,
    stored_before: usize,
}

impl<P: Contact> ProvideFull<P> {
    /// A publication to `closest`, the k closest peers of the network.
    pub fn new(closest: Vec<P>) -> Self {
        let mut puts = Puts::new();
        closest.into_iter().for_each(|peer| puts.choose(peer));
        Self { puts, tick: None, returned: false }
    }

    /// Notes an answer, and returns whether it is a success after which the publication returns.
    fn take_in(&mut self, answer: Answer<P>, now: Duration) -> bool {
        let stored_before = self.puts.stored();
        self.puts.take_in(answer);
        let stored = self.puts.stored();
        if stored == stored_before {
            return false;
        }
        if self.tick.is_none() && stored >= self.puts.chosen() * WAIT_RATIO.0 / WAIT_RATIO.1 {
            self.tick = Some(Tick { due: now + TICK, stored_before: stored });
        }
        stored + self.puts.ended() >= self.puts.chosen()
    }

    /// Whether a tick has come without a success since the previous tick.
    fn has_ticked_in_vain(&mut self, now: Duration) -> bool {
        let stored = self.puts.stored();
        let Some(tick) = self.tick.as_mut().filter(|tick| tick.due <= now) else { return false };
        let in_vain = stored == tick.stored_before;
        while tick.due <= now {
            tick.due += TICK;
        }
        tick.stored_before = stored;
        in_vain
    }
}

impl<P: Contact> Strategy<P> for ProvideFull<P> {
    type Outcome = Provided<P>;

    fn advance(&mut self, answer: Option<Answer<P>>, now: Duration) -> Step<P, Provided<P>> {
        // A tick that is due is handled before an answer that came after it.
        let in_vain = self.has_ticked_in_vain(now);
        let enough = answer.is_some_and(|answer| self.take_in(answer, now));
        if let Some(peer) = self.puts.next() {
            return Step::Ask { peer, request: Request::AddProvider };
        }
        if self.puts.have_all_ended() {
            return Step::Done(self.puts.provided(LookupEnd::NotNeeded));
        }
        if !self.returned && (in_vain || enough) {
            self.returned = true;
            return Step::Return(self.puts.provided(LookupEnd::NotNeeded));
        }
        Step::Wait(self.tick.as_ref().filter(|_| !self.returned).map(|tick| tick.due))
    }
}

/// Search at peers that are known to be the closest: all of them are asked at once, and no others. It ends when a peer
/// names a provider, or when all have answered or failed. (Go gives up earlier on slow peers, and may miss a record
/// that they hold.)
#[derive(Debug)]
pub struct FindFull<P> {
    to_ask: Vec<P>,
    asked: Vec<P>,
}

impl<P: Contact> FindFull<P> {
    /// A search at `closest`, the k closest peers of the network.
    pub fn new(closest: Vec<P>) -> Self {
        let mut to_ask: Vec<P> = Vec::with_capacity(closest.len());
        for peer in closest.into_iter().rev() {
            if !to_ask.contains(&peer) {
                to_ask.push(peer);
            }
        }
        Self { to_ask, asked: Vec::new() }
    }
}

impl<P: Contact> Strategy<P> for FindFull<P> {
    type Outcome = Found<P>;

    fn advance(&mut self, answer: Option<Answer<P>>, _now: Duration) -> Step<P, Found<P>> {
        if let Some(found) = Found::in_answer(answer.as_ref()) {
            return Step::Done(found);
        }
        if let Some(answer) = answer {
            self.asked.retain(|peer| *peer != answer.peer);
        }
        if let Some(peer) = self.to_ask.pop() {
            self.asked.push(peer.clone());
            return Step::Ask { peer, request: Request::GetProviders };
        }
        if self.asked.is_empty() { Step::Done(Found::Nobody { walked: None }) } else { Step::Wait(None) }
    }
}
