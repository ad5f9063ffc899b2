//! Dials a peer at its addresses: in which order, which at the same time, which not at all, and with which result.
//!
//! libp2p starts the dials of all addresses of a peer together, at best with fixed delays between them. [`Dialler`] is a
//! transport around the real ones that lets each of these dials wait for its turn, as go-libp2p does (`p2p/net/swarm`):
//! in the order and with the head starts of [`rank`], and at once when all that are under way have failed. An address that
//! failed a moment ago is left out ([`backoff`]), and so are the addresses of a transport by which nothing ever arrives
//! ([`black_hole`]). The first to answer as the peer that was asked for wins.
//!
//! This works for every dial, whether it was requested by our own requests or by libp2p-kad's lookups.

mod backoff;
mod black_hole;
mod experience;
mod failure;
mod race;
mod rank;
mod route;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::{Multiaddr, PeerId, Transport};
use parking_lot::Mutex;

pub(crate) use self::experience::Experience;
pub(crate) use self::failure::Failure;
pub(crate) use self::route::check as check_route;

use self::race::{Place, Races};
use crate::wire::addresses;

type Peer = (PeerId, StreamMuxerBox);

/// See the module's documentation.
pub(crate) struct Dialler {
    /// Locked while a dial is begun and while listeners are polled, never across an await.
    inner: Arc<Mutex<Boxed<Peer>>>,
    races: Races,
    experience: Experience,
}

impl Dialler {
    pub(crate) fn new(inner: Boxed<Peer>, experience: Experience) -> Self {
        Self { inner: Arc::new(Mutex::new(inner)), races: Races::default(), experience }
    }
}

impl Transport for Dialler {
    type Output = Peer;
    type Error = Failure;
    type ListenerUpgrade = BoxFuture<'static, Result<Peer, Failure>>;
    type Dial = BoxFuture<'static, Result<Peer, Failure>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Failure>> {
        self.inner.lock().listen_on(id, address).map_err(|error| error.map(|error| Failure::of(&error)))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.lock().remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<Failure>> {
        let expected = addresses::split_peer(&address).map(|(peer, _)| peer);
        let attempt = Attempt { address, options, expected, inner: Arc::clone(&self.inner) };
        let experience = self.experience.clone();
        if let Err(failure) = attempt.is_worth_it(&experience) {
            return Err(TransportError::Other(failure));
        }
        let place = self.races.enter(expected, &attempt.address, &experience);
        Ok(attempt.run(place, experience).boxed())
    }

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, Failure>> {
        let event = Pin::new(&mut *self.inner.lock()).poll(context);
        event.map(|event| {
            let failed = |error: io::Error| Failure::of(&error);
            event.map_upgrade(|upgrade| upgrade.map(move |result| result.map_err(failed)).boxed()).map_err(failed)
        })
    }
}

/// One address of a peer that is being dialled.
struct Attempt {
    address: Multiaddr,
    options: DialOpts,
    expected: Option<PeerId>,
    inner: Arc<Mutex<Boxed<Peer>>>,
}

impl Attempt {
    /// An address that is known to fail does not take part in the race.
    fn is_worth_it(&self, experience: &Experience) -> Result<(), Failure> {
        if !addresses::is_dialable(&self.address) {
            return Err(Failure::NoTransport(addresses::transport_of(&self.address)));
        }
        if experience.0.lock().backoff.holds_back(&self.address) { Err(Failure::BackOff) } else { Ok(()) }
    }

    async fn run(self, mut place: Place, experience: Experience) -> Result<Peer, Failure> {
        place.wait_for_turn().await;
        let mut outcome = Outcome { address: &self.address, experience: &experience, reached: false };
        let result = self.dial().await;
        outcome.reached = result.is_ok();
        let mut learnt = experience.0.lock();
        match &result {
            Ok(_) => learnt.backoff.succeeded(&self.address),
            Err(failure) if failure.blames_address() => learnt.backoff.failed(&self.address),
            Err(_) => {}
        }
        drop(learnt);
        drop(outcome);
        result
    }

    async fn dial(&self) -> Result<Peer, Failure> {
        let begun = self.inner.lock().dial(self.address.clone(), self.options);
        let dial = begun.map_err(|error| match error {
            TransportError::MultiaddrNotSupported(address) => Failure::NoTransport(addresses::transport_of(&address)),
            TransportError::Other(error) => Failure::of(&error),
        })?;
        let (peer, connection) = dial.await.map_err(|error| Failure::of(&error))?;
        match self.expected {
            // Checked here and not later, so that the peer's other addresses still have their turn.
            Some(expected) if expected != peer => Err(Failure::WrongPeer(peer)),
            _ => Ok((peer, connection)),
        }
    }
}

/// Tells whether a transport carries us at all, when the dial has ended. One that another overtook counts as a failure, as
/// in Go: where a transport works it wins now and then.
struct Outcome<'a> {
    address: &'a Multiaddr,
    experience: &'a Experience,
    reached: bool,
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        self.experience.0.lock().black_holes.note(self.address, self.reached);
    }
}

#[cfg(test)]
mod tests;
