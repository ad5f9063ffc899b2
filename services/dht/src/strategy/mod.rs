//! Strategies: how to publish and how to find, as pure state machines.
//!
//! A strategy never uses a socket, a clock or a source of randomness. The driver calls [`Strategy::advance`] until it
//! returns [`Step::Wait`] or [`Step::Done`], performs the steps, and passes each answer back. The driver of a real node
//! does so over the network; that of a test uses a map of which peers know which.

mod classic;
mod crawl;
mod full_table;
mod fullrt;
mod gamma;
mod holders;
pub mod key;
mod lookup;
mod optprov;
mod prefixes;
mod puts;
mod size;
mod sweep;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::time::Duration;

pub use classic::{FindProviders, Found, ProvideClassic};
pub use crawl::{Crawl, CrawlConfig, CrawlOutcome, CrawlStep, Visited};
pub use full_table::FullTable;
pub use fullrt::{FindFull, ProvideFull};
pub use holders::{Asked, FindHolders};
pub(crate) use lookup::MAX_HEARD;
pub use lookup::{Lookup, LookupConfig, Nearest, Walked};
pub use optprov::{ProvideOptimistic, Thresholds};
/// What to ask a peer for. The key is that of the operation, and known to the driver.
pub use parsec_measure::RequestKind as Request;
pub(crate) use prefixes::prepare_targets;
pub use prefixes::{PREFIX_TARGETS, prefix_targets, target_near};
pub use puts::{LookupEnd, Provided};
pub use size::{NotEnough, SizeEstimate, SizeEstimator};
pub use sweep::{Prefix, SIZING_LOOKUPS, Sweep, SweepConfig, SweepEvent, SweepStep, Swept, SweptRegion};

/// How many questions one operation asks, and how many records it sends, tries that fail included. In the field lookups
/// take some dozens. Without a bound, peers that keep naming others who do not exist would have us dial for as long as an
/// operation may take.
pub const MAX_REQUESTS: usize = 1_024;

/// Why an operation ended before its strategy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Its deadline came first.
    OutOfTime,
    /// It would have taken more than [`MAX_REQUESTS`].
    TooManyRequests,
}

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<P> {
    /// The peer answered.
    Answered {
        /// Peers that it named as closer to the key.
        closer: Vec<P>,
        /// Peers that it named as providers of the key.
        providers: Vec<P>,
    },
    /// ADD_PROVIDER was written to the peer. As in Go, no answer confirms it.
    Stored,
    /// There was no connection, no stream, no answer, or no valid one.
    Failed,
    /// The dial was given up because [`Step::CancelDials`] was asked for: the peer itself is not to blame.
    Cancelled,
}

/// The reply of one peer to a request that it was sent. A peer has at most one request of each kind under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<P> {
    /// The peer that was asked.
    pub peer: P,
    /// What it was asked for.
    pub request: Request,
    /// The result.
    pub reply: Reply<P>,
}

/// What a strategy wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<P, O> {
    /// Send this request to this peer.
    Ask {
        /// The peer to ask.
        peer: P,
        /// What to ask for.
        request: Request,
    },
    /// Give up every request, puts apart, whose peer is not connected yet; each of them is answered with
    /// [`Reply::Cancelled`].
    CancelDials,
    /// Wait for the next answer, or until this time on the clock of `advance`.
    Wait(Option<Duration>),
    /// The operation has its outcome, and its caller need not wait for the rest: requests under way go on in the
    /// background, and the machine is driven on to [`Step::Done`]. Returned at most once.
    Return(O),
    /// Everything has ended; requests still under way are dropped.
    Done(O),
}

impl<P, O> Step<P, O> {
    /// For a machine that drives this one and leaves nothing to the background: `Break` with its outcome, or the next
    /// step.
    fn until_done<T>(self) -> ControlFlow<O, Step<P, T>> {
        match self {
            Self::Ask { peer, request } => ControlFlow::Continue(Step::Ask { peer, request }),
            Self::CancelDials => ControlFlow::Continue(Step::CancelDials),
            Self::Wait(until) => ControlFlow::Continue(Step::Wait(until)),
            Self::Done(outcome) => ControlFlow::Break(outcome),
            Self::Return(_) => unreachable!("a lookup has nothing to leave to the background"),
        }
    }
}

/// A publication or a lookup as a state machine.
pub trait Strategy<P> {
    /// The outcome.
    type Outcome;

    /// Takes an answer, if there is a new one, and returns the next step.
    ///
    /// `now` is the time since the operation began. When called repeatedly without an answer, it returns one step after
    /// another, and comes to [`Step::Wait`] or [`Step::Done`] after finitely many.
    fn advance(&mut self, answer: Option<Answer<P>>, now: Duration) -> Step<P, Self::Outcome>;

    /// Another address has become known for a peer that could not be dialled: it may be worth asking again.
    fn reconsider(&mut self, _peer: &P) {}
}
