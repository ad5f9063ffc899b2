//! What a node remembers of the ways to peers from one operation to the next: since when connections have stood, and whom it has dialled in vain.

use std::collections::HashMap;
use std::time::Duration;

use parsec_measure::RequestEnd;

use super::drive::back_off;
use super::log::Log;

/// The way to a peer.
#[derive(Debug, Clone, Copy, Default)]
struct Link {
    opened: Option<Duration>,
    /// When the last of so many dials in a row was given up.
    failed: Duration,
    failures: u32,
}

/// See the module's documentation. Times are on the clock of the network.
#[derive(Debug, Clone, Default)]
pub(super) struct Links(HashMap<u32, Link>);

impl Links {
    /// Since when a peer has been connected by then.
    pub(super) fn since(&self, peer: u32, at: Duration) -> Option<Duration> {
        self.0.get(&peer)?.opened.filter(|opened| *opened <= at)
    }

    /// Everybody who is connected by then, and since when.
    pub(super) fn standing(&self, at: Duration) -> impl Iterator<Item = (u32, Duration)> {
        self.0.iter().filter_map(move |(peer, link)| Some((*peer, link.opened.filter(|opened| *opened <= at)?)))
    }

    /// Whether a peer is not dialled for now.
    pub(super) fn is_left_alone(&self, peer: u32, at: Duration) -> bool {
        self.0.get(&peer).is_some_and(|link| link.failures > 0 && at < link.failed + back_off(link.failures))
    }

    /// A connection has been made, or will be.
    pub(super) fn open(&mut self, peer: u32, at: Duration) {
        self.0.insert(peer, Link { opened: Some(at), ..Link::default() });
    }

    /// The connection has been closed.
    pub(super) fn close(&mut self, peer: u32) {
        self.0.remove(&peer);
    }

    /// A dial has failed. One that began while another was failing is no failure more.
    pub(super) fn fail(&mut self, peer: u32, ended: Duration) {
        if self.is_left_alone(peer, ended) {
            return;
        }
        let link = self.0.entry(peer).or_default();
        *link = Link { opened: None, failed: ended, failures: link.failures + 1 };
    }

    /// Notes what came of the dials of an operation that began then, and counts them.
    pub(super) fn take_in(&mut self, log: &Log, began: Duration) -> u64 {
        let mut dials = 0;
        for entry in log.0.iter().filter(|entry| entry.dialled.is_some() && !entry.joined) {
            dials += 1;
            match (entry.connected, entry.ended) {
                (Some(connected), _) => self.open(entry.peer.index, began + connected),
                // A dial that was given up because nobody needed it any more says nothing of the peer.
                (None, Some(ended)) if entry.end != RequestEnd::Cancelled => self.fail(entry.peer.index, began + ended),
                _ => {}
            }
        }
        dials
    }
}
