//! What becomes of each peer while a scenario lasts. The fate of a peer at a moment is a function of the seed, the scenario and that
//! moment alone: nobody has to have looked before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::draw::Dice;
use super::moment::{Fate, Home, State};
use super::scenario::{Event, Scenario, What};
use super::world::World;

/// What a number is drawn for. Those of `population` come before.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Event = 16,
    Stay,
    Gone,
}

/// When a peer is there, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Life {
    pub(super) home: Home,
    pub(super) joined: Duration,
    /// When it leaves because its session ends, if it does so in time.
    pub(super) left: Option<Duration>,
    /// It comes in the place of one that has left. It can be dialled then.
    pub(super) is_newcomer: bool,
}

/// What happens to the peers of a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) dice: Dice,
    /// The share of those who leave that refuses to be dialled.
    refuse: f64,
    /// The number of a peer that nothing happens to: a network in which nobody answers has nothing to measure.
    keeper: u32,
}

impl<'a> Course<'a> {
    pub(super) fn new(world: &World, scenario: &'a Scenario, dice: Dice, keeper: u32) -> Self {
        Self { scenario, dice, refuse: world.fates.refuse(), keeper }
    }

    fn of(&self, purpose: Purpose, number: u32) -> Dice {
        self.dice.of(purpose as u64).of(u64::from(number))
    }

    /// The lives of all peers by number: those of the world, those of the networks that merge into it, and those who come in the place of
    /// others. `is_dialable` says of those of the first two kinds whether they are there at all.
    pub(super) fn lives(&self, peers: u32, is_dialable: impl Fn(u32) -> bool) -> Vec<Life> {
        let there = |home| Life { home, joined: Duration::ZERO, left: None, is_newcomer: false };
        let mut lives = vec![there(0); peers as usize];
        for (merge, count) in self.scenario.merges().enumerate() {
            let home = Home::try_from(merge + 1).unwrap_or(Home::MAX);
            lives.extend(vec![there(home); count as usize]);
        }
        let Some(half_life) = self.scenario.churn else { return lives };
        let until = self.scenario.ends();
        let whole = |place: usize| u32::try_from(place).expect("there are fewer than 2³² peers");
        let leaves = |number: u32, joined: Duration| {
            let left = joined + self.stay(number, half_life);
            (left < until).then_some(Reverse((left, number)))
        };
        let comes_and_goes = |number: &u32| *number != self.keeper && is_dialable(*number);
        let first = (0..whole(lives.len())).filter(comes_and_goes);
        // Newcomers are numbered as they come: who they are does not depend on how long the scenario goes on.
        let mut leaving: BinaryHeap<_> = first.filter_map(|number| leaves(number, Duration::ZERO)).collect();
        while let Some(Reverse((left, number))) = leaving.pop() {
            let (old, new) = (number as usize, lives.len());
            lives[old].left = Some(left);
            lives.push(Life { home: lives[old].home, joined: left, left: None, is_newcomer: true });
            leaving.extend(leaves(whole(new), left));
        }
        lives
    }

    /// How long a peer stays: half of all leave within the half-life, four in five within four times as long. Both are as published, where
    /// the half-life is two hours, and this is the simplest law that has both.
    fn stay(&self, number: u32, half_life: Duration) -> Duration {
        let share = self.of(Purpose::Stay, number).share();
        // A peer that stays longer than a year stays.
        half_life.mul_f64((share / (1.0 - share)).min(10_000.0))
    }

    /// What is to be said at a moment of a peer whose fate was drawn like this; nothing if it is not there yet. Who leaves is forgotten by tables
    /// that are filled afterwards: those who are dead from the beginning are as many of the living as the world says.
    pub(super) fn state(&self, number: u32, drawn: Fate, life: &Life, at: Duration) -> Option<State> {
        if at < life.joined {
            return None;
        }
        let left = State { fate: self.gone(number), is_known: false };
        if life.left.is_some_and(|left| left <= at) {
            return Some(left);
        }
        let first = State { fate: drawn, is_known: true };
        let happened = self.scenario.events.iter().enumerate().take_while(|(_, event)| event.at <= at);
        // What happened before it came, or its network merged in, does not touch it.
        let concerns = |(place, event): &(usize, &Event)| {
            event.at >= life.joined && number != self.keeper && self.scenario.merged_before(*place) >= life.home
        };
        Some(happened.filter(concerns).fold(first, |state, (place, event)| {
            let hit = |share: f64| self.of(Purpose::Event, number).of(place as u64).share() < share;
            match event.what {
                What::Silent(share) if state.fate.answers() && hit(share) => State { fate: Fate::Silent, ..state },
                What::Leave(share) if state.fate.is_dialable() && hit(share) => left,
                What::Leave(share) if hit(share) => State { is_known: false, ..state },
                What::Back(share) if state != first && hit(share) => first,
                _ => state,
            }
        }))
    }

    fn gone(&self, number: u32) -> Fate {
        if self.of(Purpose::Gone, number).share() < self.refuse { Fate::Refusing } else { Fate::BlackHole }
    }
}

#[cfg(test)]
mod tests;
