//! Many keys that one node publishes at once, and what came of each.

use std::time::Duration;

use crate::{Cid, Measured, OutcomeClass, UnknownName};

/// The most keys of one request to publish many: what is answered, a row for each, stays below 2 MB even if all fail, and what is
/// remembered of each until all have ended takes some kilobytes.
pub const MAX_KEYS_AT_ONCE: usize = 5_000;

/// How a node publishes many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// As the strategy of the node does it: each key by itself, as it publishes a single one, some of them at a time; with a full
    /// routing table, peer by peer, each of which is sent all keys that it has to hold.
    Each,
    /// Zone by zone of the keyspace: the peers of a zone are looked up once, and each is sent all keys that it has to hold.
    Sweep,
}

impl Manner {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Each, Self::Sweep];

    /// Its name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Sweep => "sweep",
        }
    }
}

impl std::fmt::Display for Manner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Manner {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|manner| manner.as_str() == name);
        found.ok_or_else(|| UnknownName { what: "manner", name: name.to_owned() })
    }
}

/// What publishing many keys came to. Times are since it began, on the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvidedMany {
    /// How it was done.
    pub manner: Manner,
    /// Until the last record was written or given up. How long peers take to confirm records is not part of it.
    pub duration: Duration,
    /// Peers in the routing table when it began; with a full one, peers of the network.
    pub routing_table_size: u32,
    /// How many lookups it took.
    pub lookups: u64,
    /// How many questions were written to peers.
    pub questions: u64,
    /// How many records were written to peers.
    pub records: u64,
    /// How many connections were dialled, successfully or not.
    pub dials: u64,
    /// To how many peers records were to be sent, each counted for every key or, in a sweep, for every region, and with a full
    /// routing table for every group of keys that lie side by side.
    pub chosen: u64,
    /// To how many of them at least one could be written.
    pub reached: u64,
    /// How many questions and records were written in the busiest second.
    pub busiest_second: u64,
    /// What came of each key, in the order in which they were given.
    pub keys: Vec<ProvidedKey>,
}

/// What came of one key of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvidedKey {
    /// The key.
    pub cid: Cid,
    /// `Ok` if its record was written to at least one peer.
    pub class: OutcomeClass,
    /// Why it was not; `None` is success.
    pub error: Option<String>,
    /// To how many peers its record was written.
    pub stored: u32,
    /// How many of them have confirmed that they took it in.
    pub confirmed: u32,
    /// To how many peers it could not be written.
    pub failed: u32,
    /// When it was written to the first peer that confirmed it: from half a round trip later on it can be found.
    pub first: Option<Duration>,
    /// When it was written to the last peer that confirmed it.
    pub last: Option<Duration>,
}

impl ProvidedMany {
    /// Nothing was done yet.
    pub fn nothing(manner: Manner) -> Self {
        Self {
            manner,
            duration: Duration::ZERO,
            routing_table_size: 0,
            lookups: 0,
            questions: 0,
            records: 0,
            dials: 0,
            chosen: 0,
            reached: 0,
            busiest_second: 0,
            keys: Vec::new(),
        }
    }

    /// Adds a key that was published by itself. When its record was written is not known then.
    pub fn add(&mut self, cid: Cid, measured: &Measured) {
        let effort = measured.effort;
        let count = |counted: Option<u32>| u64::from(counted.unwrap_or(0));
        let (stored, failed) = (effort.holders_stored.unwrap_or(0), effort.holders_failed.unwrap_or(0));
        self.routing_table_size = measured.routing_table_size;
        self.lookups += 1;
        self.records += u64::from(stored);
        self.questions += count(effort.rpcs).saturating_sub(u64::from(stored));
        self.dials += count(effort.dials);
        self.chosen += u64::from(stored) + u64::from(failed);
        self.reached += u64::from(stored);
        self.keys.push(ProvidedKey {
            cid,
            class: measured.class,
            error: measured.error.clone(),
            stored,
            confirmed: effort.holders_confirmed.unwrap_or(0),
            failed,
            first: None,
            last: None,
        });
    }

    /// All keys: those first that were written to no peer, and otherwise in the order in which they were given.
    pub fn failures_first(&self) -> Vec<&ProvidedKey> {
        let (mut failed, stored): (Vec<_>, Vec<_>) = self.keys.iter().partition(|key| key.class != OutcomeClass::Ok);
        failed.extend(stored);
        failed
    }

    /// How many keys were written to no peer.
    pub fn lost(&self) -> usize {
        self.keys.iter().filter(|key| key.class != OutcomeClass::Ok).count()
    }
}
