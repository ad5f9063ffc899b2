//! Drives a strategy over a model: the third driver, beside that of a node and that of the strategies' own tests.
//!
//! The clock jumps from one end of a request to the next. What a request runs into is decided when it is made: who is asked, whether a
//! connection stands or another request is dialling already, whether the peer was dialled in vain a moment ago. Limits, tries and the
//! order of things are those of `parsec_dht::operation`, and a test plays the same network both ways.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use parsec_dht::key::Key;
use parsec_dht::strategy::{Answer, MAX_REQUESTS, Reply, Request, Step, Strategy, Unfinished};
use parsec_measure::RequestEnd;

use super::log::{Entry, Log, Origin};
use super::population::Peer;

/// How long a dial may take, over all addresses of a peer; an answer; and what is left to the background (`parsec_dht`).
const DIAL_TIMEOUT: Duration = Duration::from_secs(60);
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const BACKGROUND_LIMIT: Duration = Duration::from_secs(90);

/// How many puts of a node may be left to the background at once (`parsec_dht`).
pub(super) const BACKGROUND_PUTS: usize = 60;

/// A peer that was dialled in vain is left alone for 5 s + 1 s · n², at most 5 min (go-libp2p's swarm: `BackoffBase`, `BackoffCoef`, `BackoffMax`).
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1));
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// How long a peer is left alone after so many dials in a row that were in vain.
pub(super) fn back_off(failures: u32) -> Duration {
    let earlier = failures.saturating_sub(1);
    (BACK_OFF.0 + BACK_OFF.1 * earlier.saturating_mul(earlier)).min(LONGEST_BACK_OFF)
}

/// What a driver needs to know of a network. `at` is when, since the operation began: a network changes while an operation runs.
pub(super) trait Ground {
    /// Whether a connection that was there before the operation began stands.
    fn is_connected(&self, peer: &Peer, at: Duration) -> bool;

    /// Whether it is too soon after dials in vain, before the operation began, to dial a peer again.
    fn is_left_alone(&self, _peer: &Peer, _at: Duration) -> bool {
        false
    }

    /// How many puts there is room for in the background.
    fn room(&self, _at: Duration) -> usize {
        BACKGROUND_PUTS
    }

    /// How long the `nth` dial of a peer takes that begins then, and whether it succeeds.
    fn dial(&self, peer: &Peer, nth: u32, at: Duration) -> (Duration, bool);

    /// How long a peer takes to answer what is written to it then, the way included; `None` if it never does.
    fn answer(&self, peer: &Peer, request: Request, nth: u32, at: Duration) -> Option<Duration>;

    /// Whom it names as closest to a key, when it is asked then.
    fn closer(&self, peer: &Peer, target: &Key, at: Duration) -> Vec<Peer>;

    /// Whom it names as providers, when it is asked then.
    fn providers(&self, peer: &Peer, at: Duration) -> Vec<Peer>;
}

/// How long requests, puts, and the operation may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) ask: Option<Duration>,
    pub(super) put: Option<Duration>,
    pub(super) operation: Duration,
}

/// What an operation came to.
#[derive(Debug)]
pub(super) struct Driven<O> {
    pub(super) outcome: Result<O, Unfinished>,
    pub(super) took: Duration,
    /// The requests as they stood when it returned.
    pub(super) returned: Log,
    /// The same when everything had ended.
    pub(super) whole: Log,
}

/// What is known of the way to a peer.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// When its dial has ended, or will.
    ends: Duration,
    succeeds: bool,
    dials: u32,
    /// How long the dial takes.
    took: Duration,
    /// How many tries had been made when it was dialled: what arrives in the same moment is taken in the order of its connections.
    order: u64,
}

/// A request with all its tries.
#[derive(Debug, Clone, Copy)]
struct Trying {
    deadline: Option<Duration>,
    nth: u32,
}

/// The end of a try: when, in which order among those of the same moment (that of the connections, then of the tries), and its place in
/// the log.
type Event = Reverse<(Duration, u64, u64, usize)>;

struct Running<'a, G> {
    ground: &'a G,
    target: Key,
    limits: Limits,
    now: Duration,
    log: Log,
    tries: Vec<Trying>,
    events: BinaryHeap<Event>,
    made: u64,
    links: HashMap<u32, Link>,
    origins: HashMap<u32, Origin>,
    answers: VecDeque<Answer<Peer>>,
    /// How many tries have begun: questions, and puts.
    begun: [usize; 2],
}

/// Drives a strategy to its end.
pub(super) fn drive<S: Strategy<Peer>>(
    ground: &impl Ground,
    mut strategy: S,
    target: Key,
    limits: Limits,
) -> Driven<S::Outcome> {
    let mut running = Running {
        ground,
        target,
        limits,
        now: Duration::ZERO,
        log: Log::default(),
        tries: Vec::new(),
        events: BinaryHeap::new(),
        made: 0,
        links: HashMap::new(),
        origins: HashMap::new(),
        answers: VecDeque::new(),
        begun: [0; 2],
    };
    let mut returned = None;
    let mut deadline = limits.operation;
    let last = loop {
        match strategy.advance(running.answers.pop_front(), running.now) {
            Step::Ask { request, .. } if running.is_spent(request) => break Err(Unfinished::TooManyRequests),
            Step::Ask { peer, request } => running.ask(peer, request),
            Step::CancelDials => running.cancel(|entry, now| entry.connected.is_none_or(|connected| connected > now)),
            Step::Wait(_) if !running.answers.is_empty() => {}
            Step::Wait(until) => {
                let until = until.map_or(deadline, |until| until.min(deadline));
                if !running.wait(until) && until == deadline {
                    break Err(Unfinished::OutOfTime);
                }
            }
            Step::Return(outcome) => {
                // What is still being looked for cannot change the outcome any more.
                running.cancel(|_, _| true);
                if !running.find_room(deadline) {
                    break Ok(outcome);
                }
                returned = Some((outcome, running.now, running.snapshot()));
                deadline = running.now + BACKGROUND_LIMIT;
            }
            Step::Done(outcome) => break Ok(outcome),
        }
    };
    let whole = running.close();
    match returned {
        Some((outcome, took, returned)) => Driven { outcome: Ok(outcome), took, returned, whole },
        None => Driven { outcome: last, took: running.now, returned: whole.confirmed_by(running.now), whole },
    }
}

impl<G: Ground> Running<'_, G> {
    fn is_spent(&self, request: Request) -> bool {
        self.begun[usize::from(request == Request::AddProvider)] >= MAX_REQUESTS
    }

    fn ask(&mut self, peer: Peer, request: Request) {
        let limit = if request == Request::AddProvider { self.limits.put } else { self.limits.ask };
        self.begin(peer, request, Trying { deadline: limit.map(|limit| self.now + limit), nth: 0 });
    }

    /// Begins a try: what it will run into is decided here.
    fn begin(&mut self, peer: Peer, kind: Request, trying: Trying) {
        self.begun[usize::from(kind == Request::AddProvider)] += 1;
        let origin = self.origins.get(&peer.index).copied().unwrap_or_default();
        let mut entry = Entry {
            peer,
            kind,
            origin,
            asked: self.now,
            dialled: None,
            joined: false,
            connected: None,
            written: None,
            ended: None,
            end: RequestEnd::Pending,
            confirmed: None,
            closer: 0,
            providers: 0,
        };
        let (mut ends, mut end) = match self.link(&mut entry) {
            Err((ends, end)) => (ends, end),
            Ok(connected) => {
                (entry.connected, entry.written) = (Some(connected), Some(connected));
                self.on_connection(&entry, connected, trying)
            }
        };
        if let Some(deadline) = trying.deadline.filter(|deadline| *deadline < ends) {
            let is_connected = entry.connected.is_some_and(|connected| connected <= deadline);
            (ends, end) = (deadline, if is_connected { RequestEnd::Timeout } else { RequestEnd::DialTimeout });
            entry.connected = entry.connected.filter(|_| is_connected);
            entry.written = entry.written.filter(|_| is_connected);
        }
        (entry.ended, entry.end) = (Some(ends), end);
        if kind == Request::AddProvider && end == RequestEnd::Answered {
            entry.confirmed = self.answered(&entry, trying, ends);
        }
        self.made += 1;
        let order = self.links.get(&peer.index).map_or(self.made, |link| link.order);
        self.events.push(Reverse((ends, order, self.made, self.log.0.len())));
        self.log.0.push(entry);
        self.tries.push(trying);
    }

    /// When the connection will stand, or when and how it will turn out that there is none.
    fn link(&mut self, entry: &mut Entry) -> Result<Duration, (Duration, RequestEnd)> {
        let (peer, now) = (entry.peer, self.now);
        let known = self.links.get(&peer.index).copied();
        let dials = known.map_or(0, |link| link.dials);
        let link = match known {
            None if self.ground.is_connected(&peer, now) => {
                self.links
                    .insert(peer.index, Link { ends: now, succeeds: true, dials: 0, took: Duration::ZERO, order: 0 });
                return Ok(now);
            }
            Some(Link { ends, succeeds: true, .. }) if ends <= now => return Ok(now),
            Some(link) if link.ends > now => {
                (entry.dialled, entry.joined) = (Some(now), true);
                link
            }
            Some(Link { ends, dials, .. }) if ends + back_off(dials) > now => return Err((now, RequestEnd::BackOff)),
            None if self.ground.is_left_alone(&peer, now) => return Err((now, RequestEnd::BackOff)),
            _ => {
                entry.dialled = Some(now);
                let (took, succeeds) = self.ground.dial(&peer, dials, now);
                let in_time = took <= DIAL_TIMEOUT;
                let (took, succeeds) = (took.min(DIAL_TIMEOUT), succeeds && in_time);
                let link = Link { ends: now + took, succeeds, dials: dials + 1, took, order: self.made + 1 };
                self.links.insert(peer.index, link);
                link
            }
        };
        if link.succeeds { Ok(link.ends) } else { Err((link.ends, dial_end(link.took))) }
    }

    /// When and how a try ends that has a connection. A stream costs no round trip: what it is for is proposed together with the request.
    fn on_connection(&self, entry: &Entry, connected: Duration, trying: Trying) -> (Duration, RequestEnd) {
        // As in Go, nobody answers a put.
        if entry.kind == Request::AddProvider {
            return (connected, RequestEnd::Answered);
        }
        match self.answered(entry, trying, connected) {
            Some(answered) => (answered, RequestEnd::Answered),
            None => (connected + ANSWER_TIMEOUT, RequestEnd::Timeout),
        }
    }

    /// When what is written then is answered, if anybody still waits. Who is sent a record ends the stream, and nothing else.
    fn answered(&self, entry: &Entry, trying: Trying, written: Duration) -> Option<Duration> {
        let took = self.ground.answer(&entry.peer, entry.kind, trying.nth, written)?;
        (took <= ANSWER_TIMEOUT).then(|| written + took)
    }

    /// Waits until its puts have ended, or there is room for them in the background; false if that is not the case by then.
    fn find_room(&mut self, until: Duration) -> bool {
        while self.under_way().len() > self.ground.room(self.now) {
            if !self.wait(until) {
                return false;
            }
        }
        true
    }

    /// Waits for the next end; false if none comes by `until`.
    fn wait(&mut self, until: Duration) -> bool {
        while let Some(Reverse((at, _, _, place))) = self.events.peek().copied() {
            if self.log.0[place].end == RequestEnd::Cancelled {
                self.events.pop();
                continue;
            }
            if at > until {
                break;
            }
            self.events.pop();
            self.now = self.now.max(at);
            self.take_in(place);
            return true;
        }
        self.now = self.now.max(until);
        false
    }

    fn take_in(&mut self, place: usize) {
        let Entry { peer, kind, end, connected, .. } = self.log.0[place];
        let reply = match end {
            RequestEnd::Answered if kind == Request::AddProvider => Reply::Stored,
            RequestEnd::Answered => self.hear(place, connected.unwrap_or(self.now)),
            RequestEnd::Timeout if self.may_try_again(place) => {
                let trying = self.tries[place];
                return self.begin(peer, kind, Trying { nth: trying.nth + 1, ..trying });
            }
            _ => Reply::Failed,
        };
        self.answers.push_back(Answer { peer, request: kind, reply });
    }

    /// What was written in vain is tried once more.
    fn may_try_again(&self, place: usize) -> bool {
        let Trying { deadline, nth } = self.tries[place];
        nth == 0 && deadline.is_none_or(|deadline| deadline > self.now) && !self.is_spent(self.log.0[place].kind)
    }

    fn hear(&mut self, place: usize, asked: Duration) -> Reply<Peer> {
        let Entry { peer, kind, origin, .. } = self.log.0[place];
        let closer = self.ground.closer(&peer, &self.target, asked);
        let asks_for_providers = kind == Request::GetProviders;
        let providers = if asks_for_providers { self.ground.providers(&peer, asked) } else { Vec::new() };
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let named = Origin { named_by: Some(number(place)), hop: origin.hop + 1 };
        for other in &closer {
            self.origins.entry(other.index).or_insert(named);
        }
        (self.log.0[place].closer, self.log.0[place].providers) = (number(closer.len()), number(providers.len()));
        Reply::Answered { closer, providers }
    }

    /// Gives up requests, puts apart.
    fn cancel(&mut self, wanted: impl Fn(&Entry, Duration) -> bool) {
        let now = self.now;
        for place in self.under_way() {
            let entry = &mut self.log.0[place];
            if entry.kind != Request::AddProvider && wanted(entry, now) {
                entry.cut(now, RequestEnd::Cancelled);
                entry.ended = Some(now);
                let Entry { peer, kind, .. } = *entry;
                self.answers.push_back(Answer { peer, request: kind, reply: Reply::Cancelled });
            }
        }
    }

    /// Where in the log those stand that have not ended: not before now, or now, and nobody has taken notice yet.
    fn under_way(&self) -> Vec<usize> {
        let places = self.events.iter().map(|Reverse((.., place))| *place);
        let mut places: Vec<_> = places.filter(|place| self.log.0[*place].end != RequestEnd::Cancelled).collect();
        places.sort_unstable();
        places
    }

    /// The log as it stands: what has not happened yet is not told.
    fn snapshot(&self) -> Log {
        let mut log = self.log.confirmed_by(self.now);
        self.under_way().into_iter().for_each(|place| log.0[place].cut(self.now, RequestEnd::Pending));
        log
    }

    /// The log at the end: what is still under way is dropped.
    fn close(&mut self) -> Log {
        for place in self.under_way() {
            let entry = &mut self.log.0[place];
            entry.cut(self.now, RequestEnd::Cancelled);
            entry.ended = Some(self.now);
        }
        std::mem::take(&mut self.log)
    }
}

impl Entry {
    /// Takes back what comes after `now`.
    fn cut(&mut self, now: Duration, end: RequestEnd) {
        let by_now = |time: Option<Duration>| time.filter(|time| *time <= now);
        (self.connected, self.written) = (by_now(self.connected), by_now(self.written));
        // A put has ended when it is written.
        self.written = self.written.filter(|_| self.kind != Request::AddProvider);
        (self.ended, self.end, self.confirmed) = (None, end, None);
        (self.closer, self.providers) = (0, 0);
    }
}

/// A dial that has failed at once was refused; one that took as long as a time-out was not answered.
fn dial_end(took: Duration) -> RequestEnd {
    if took >= BACK_OFF.0 { RequestEnd::DialTimeout } else { RequestEnd::DialFailed }
}
