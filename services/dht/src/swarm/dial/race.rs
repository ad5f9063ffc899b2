//! Decides when each address of a peer is dialled.
//!
//! The swarm requests the dials of all addresses of a peer one after the other, and only then begins to wait for them:
//! all requested until then form one race. Each dial waits until its delay is over, or until all that began before it
//! have failed and none is ahead of it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Experience, rank};

/// Races that have not begun, by peer. Those whose dials have been dropped are removed when another begins.
#[derive(Default)]
pub(super) struct Races {
    gathering: HashMap<PeerId, Weak<Race>>,
}

impl Races {
    /// Adds an address to the race for its peer. An address without a peer runs alone.
    pub(super) fn enter(&mut self, peer: Option<PeerId>, address: &Multiaddr, experience: &Experience) -> Place {
        let known = peer.and_then(|peer| self.gathering.get(&peer)?.upgrade());
        if let Some(place) = known.and_then(|race| race.enter(address)) {
            return place;
        }
        let race = Arc::new(Race::new(experience.clone()));
        if let Some(peer) = peer {
            self.gathering.retain(|_, race| race.upgrade().is_some_and(|race| race.is_gathering()));
            self.gathering.insert(peer, Arc::downgrade(&race));
        }
        race.enter(address).expect("a new race has not begun")
    }
}

struct Race {
    state: Mutex<State>,
    /// Counts the changes after which another address may start.
    changed: watch::Sender<u64>,
    experience: Experience,
}

#[derive(Default)]
struct State {
    runners: Vec<Runner>,
    began: Option<Instant>,
}

struct Runner {
    address: Multiaddr,
    delay: Duration,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Dialling,
    Over,
}

impl Race {
    fn new(experience: Experience) -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(0), experience }
    }

    fn is_gathering(&self) -> bool {
        self.state.lock().began.is_none()
    }

    /// `None` if the race has begun.
    fn enter(self: &Arc<Self>, address: &Multiaddr) -> Option<Place> {
        let mut state = self.state.lock();
        if state.began.is_some() {
            return None;
        }
        state.runners.push(Runner { address: address.clone(), delay: Duration::ZERO, stage: Stage::Waiting });
        let runner = state.runners.len() - 1;
        drop(state);
        Some(Place { race: Arc::clone(self), runner })
    }

    /// The first that waits begins the race: by then all have been added.
    fn begin(&self) {
        let mut state = self.state.lock();
        if state.began.is_some() {
            return;
        }
        state.began = Some(Instant::now());
        let addresses: Vec<&Multiaddr> = state.runners.iter().map(|runner| &runner.address).collect();
        let mut delays = rank::delays(&addresses);
        self.put_back(&addresses, &mut delays);
        for (runner, delay) in state.runners.iter_mut().zip(delays) {
            runner.delay = delay;
        }
    }

    /// Addresses of a kind by which nothing ever arrives come after all others, and the others move up. Now and then
    /// one keeps its place, to find out whether that has changed.
    fn put_back(&self, addresses: &[&Multiaddr], delays: &mut [Duration]) {
        let black_holes = &mut self.experience.0.lock().black_holes;
        let swallowed: Vec<bool> = addresses.iter().map(|address| black_holes.swallow(address)).collect();
        let Some(first) = swallowed.iter().position(|swallowed| *swallowed) else { return };
        let open: Vec<usize> = (0..addresses.len()).filter(|index| !swallowed[*index]).collect();
        if open.is_empty() || black_holes.left_out(addresses[first]) {
            return;
        }
        let others: Vec<&Multiaddr> = open.iter().map(|index| addresses[*index]).collect();
        for (index, delay) in open.into_iter().zip(rank::delays(&others)) {
            delays[index] = delay;
        }
        delays.iter_mut().zip(swallowed).filter(|(_, swallowed)| *swallowed).for_each(|(delay, _)| *delay = LAST);
    }

    /// When this runner may start: `None` if not yet known.
    fn due(&self, runner: usize) -> Option<Instant> {
        let mut state = self.state.lock();
        let (now, began) = (Instant::now(), state.began?);
        let me = (state.runners[runner].delay, runner);
        let due = began + me.0;
        let stage = |stage: Stage| state.runners.iter().enumerate().filter(move |(_, other)| other.stage == stage);
        let all_failed = stage(Stage::Dialling).next().is_none();
        let is_next = stage(Stage::Waiting).all(|(index, other)| me <= (other.delay, index));
        if due > now && !(all_failed && is_next) {
            return Some(due);
        }
        state.runners[runner].stage = Stage::Dialling;
        None
    }
}

/// The delay of an address that starts only if all others have failed; longer than any dial may take.
const LAST: Duration = Duration::from_secs(120);

/// The place of one address in a race. Dropping it means that its dial has ended or is no longer needed.
pub(super) struct Place {
    race: Arc<Race>,
    runner: usize,
}

impl Place {
    /// Returns when this address is to be dialled.
    pub(super) async fn wait_for_turn(&mut self) {
        self.race.begin();
        let mut changed = self.race.changed.subscribe();
        while let Some(due) = self.race.due(self.runner) {
            tokio::select! {
                biased;
                () = sleep_until(due) => {}
                // The sender lives as long as the race.
                _ = changed.changed() => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.race.state.lock().runners[self.runner].stage = Stage::Over;
        self.race.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}
