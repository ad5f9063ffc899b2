//! What a network is like at a moment: who is in it, and what becomes of whoever calls them.

use std::time::Duration;

/// What a peer does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Live,
    /// Answers late.
    Slow,
    /// Can be dialled, and never answers.
    Silent,
    /// Refuses to be dialled.
    Refusing,
    /// Is not there: a dial runs into its time-out.
    BlackHole,
}

impl Fate {
    pub(super) fn is_dialable(self) -> bool {
        matches!(self, Self::Live | Self::Slow | Self::Silent)
    }

    pub(super) fn answers(self) -> bool {
        matches!(self, Self::Live | Self::Slow)
    }
}

/// Which network a peer belongs to: the one that is measured, or one of those that merge into it, numbered from 1 in the order in which
/// they do.
pub(super) type Home = u8;

/// Those of a network who can be dialled, and those who cannot: places among all peers, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Members {
    pub(super) dialable: Vec<u32>,
    pub(super) dead: Vec<u32>,
}

/// What is to be said of a peer at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) fate: Fate,
    /// Whether tables that are filled then may have it: who has left is forgotten.
    pub(super) is_known: bool,
}

/// See the module's documentation. Five bytes for each peer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// Since when it has been so.
    pub(super) from: Duration,
    /// By the places of all peers. Of those who are not there yet, it says nothing.
    fates: Vec<Fate>,
    /// How many other networks have merged into this one.
    merged: Home,
    /// This network; then those that have not merged yet.
    networks: Vec<Members>,
}

impl Moment {
    /// `states` has nothing for a peer that is not there yet; `home` says where each belongs; there are so many networks besides the one that is
    /// measured, of which so many have merged into it.
    pub(super) fn new(
        from: Duration,
        states: &[Option<State>],
        home: impl Fn(usize) -> Home,
        (others, merged): (Home, Home),
    ) -> Self {
        let mut networks = vec![Members::default(); usize::from(others - merged) + 1];
        for (place, state) in states.iter().enumerate() {
            let Some(State { fate, is_known: true }) = state else { continue };
            let network = &mut networks[usize::from(home(place).saturating_sub(merged))];
            let members = if fate.is_dialable() { &mut network.dialable } else { &mut network.dead };
            members.push(u32::try_from(place).expect("a world has fewer than 2³² peers"));
        }
        let fates = states.iter().map(|state| state.map_or(Fate::BlackHole, |state| state.fate)).collect();
        Self { from, fates, merged, networks }
    }

    pub(super) fn fate(&self, index: u32) -> Fate {
        self.fates[index as usize]
    }

    /// The network in which those of a home stand by now.
    pub(super) fn network(&self, home: Home) -> &Members {
        &self.networks[usize::from(home.saturating_sub(self.merged))]
    }

    /// The network that is measured.
    pub(super) fn members(&self) -> &Members {
        &self.networks[0]
    }
}
