//! The provider records that a server holds for others, and those of its own.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::iter;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

use crate::addresses;

/// How many keys are held before the oldest gives way. A record takes about 300 bytes, 20 MB when full. libp2p's own store
/// drops new records silently at 1,024 keys, which would make a busy server a holder in name only.
const MAX_KEYS: usize = 65_536;

/// The longest key that is held (Go: `ProviderManager` takes 1 to 80 bytes).
const MAX_KEY_BYTES: usize = 80;

/// How many providers of one key are held: as many as an answer has room for.
const MAX_PROVIDERS: usize = 20;

/// How many keys of our own are answered for. Others ask about a key within minutes of its publication, if at all; at one
/// publication a minute these are the last four hours.
const MAX_OWN_KEYS: usize = 256;

/// Provider records in memory: the newest [`MAX_KEYS`] keys of others, and the newest [`MAX_OWN_KEYS`] of ours.
///
/// Value records are refused: parsec measures provider records only. Nothing is listed as "provided",
/// so that libp2p-kad never republishes a measured key on its own.
#[derive(Debug)]
pub(crate) struct ProviderStore {
    local: PeerId,
    own: Shelf,
    others: Shelf,
}

impl ProviderStore {
    pub(crate) fn new(local: PeerId) -> Self {
        Self { local, own: Shelf::new(MAX_OWN_KEYS), others: Shelf::new(MAX_KEYS) }
    }

    fn shelf(&mut self, provider: &PeerId) -> &mut Shelf {
        if *provider == self.local { &mut self.own } else { &mut self.others }
    }
}

/// Records by key, the oldest key first to go.
#[derive(Debug)]
struct Shelf {
    records: HashMap<RecordKey, Vec<ProviderRecord>>,
    /// Keys in the order of their first record.
    order: VecDeque<RecordKey>,
    capacity: usize,
}

impl Shelf {
    fn new(capacity: usize) -> Self {
        Self { records: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// A record comes as a stranger wrote it, up to 4 MiB long: what is kept of it is bounded.
    fn add(&mut self, mut record: ProviderRecord) -> Result<()> {
        if record.key.to_vec().len() > MAX_KEY_BYTES {
            return Err(Error::ValueTooLarge);
        }
        record.addresses.truncate(addresses::MAX_PER_PEER);
        if !self.records.contains_key(&record.key) {
            if self.order.len() >= self.capacity
                && let Some(oldest) = self.order.pop_front()
            {
                self.records.remove(&oldest);
            }
            self.order.push_back(record.key.clone());
        }
        let providers = self.records.entry(record.key.clone()).or_default();
        let now = Instant::now();
        providers.retain(|known| !known.is_expired(now));
        if let Some(known) = providers.iter_mut().find(|known| known.provider == record.provider) {
            *known = record;
        } else if providers.len() < MAX_PROVIDERS {
            providers.push(record);
        } else {
            return Err(Error::MaxProvidedKeys);
        }
        Ok(())
    }
}

impl RecordStore for ProviderStore {
    type RecordsIter<'a> = iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = iter::Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        iter::empty()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        self.shelf(&record.provider).add(record)
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let now = Instant::now();
        let held = [&self.own, &self.others].into_iter().filter_map(|shelf| shelf.records.get(key)).flatten();
        held.filter(|record| !record.is_expired(now)).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        iter::empty()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        // The key keeps its place in the order: an empty entry is as good as none and leaves by itself.
        if let Some(providers) = self.shelf(provider).records.get_mut(key) {
            providers.retain(|record| &record.provider != provider);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u32, provider: PeerId) -> ProviderRecord {
        ProviderRecord { key: RecordKey::new(&key.to_be_bytes()), provider, expires: None, addresses: vec![] }
    }

    fn held(store: &ProviderStore, key: u32) -> usize {
        store.providers(&RecordKey::new(&key.to_be_bytes())).len()
    }

    #[test]
    fn the_oldest_key_gives_way() {
        let (mut shelf, peer) = (Shelf::new(2), PeerId::random());
        for key in [1, 2, 1, 3] {
            shelf.add(record(key, peer)).unwrap();
        }
        let kept: Vec<_> =
            [1u32, 2, 3].map(|key| shelf.records.contains_key(&RecordKey::new(&key.to_be_bytes()))).into();
        assert_eq!(kept, [false, true, true]);
        assert_eq!((shelf.records.len(), shelf.order.len()), (2, 2));
    }

    #[test]
    fn our_own_keys_take_no_room_from_those_of_others_and_are_bounded() {
        let (local, other) = (PeerId::random(), PeerId::random());
        let mut store = ProviderStore::new(local);
        store.add_provider(record(0, other)).unwrap();
        for key in 0..=MAX_OWN_KEYS as u32 {
            store.add_provider(record(key, local)).unwrap();
        }
        assert_eq!((held(&store, 0), held(&store, 1)), (1, 1), "the oldest of ours is gone, the other's is not");
        assert_eq!(store.own.records.len(), MAX_OWN_KEYS);
    }

    #[test]
    fn a_provider_counts_once_and_expires() {
        let (mut store, peer) = (ProviderStore::new(PeerId::random()), PeerId::random());
        store.add_provider(record(1, peer)).unwrap();
        store.add_provider(record(1, peer)).unwrap();
        assert_eq!(held(&store, 1), 1);
        store.add_provider(ProviderRecord { expires: Some(Instant::now()), ..record(1, peer) }).unwrap();
        assert_eq!(held(&store, 1), 0);
    }

    #[test]
    fn what_a_stranger_sends_is_bounded() {
        let (mut store, peer) = (ProviderStore::new(PeerId::random()), PeerId::random());
        let long = ProviderRecord { key: RecordKey::new(&[7; MAX_KEY_BYTES + 1]), ..record(1, peer) };
        assert!(store.add_provider(long).is_err());
        let address: libp2p::Multiaddr = "/ip4/10.0.0.1/tcp/4001".parse().unwrap();
        store.add_provider(ProviderRecord { addresses: vec![address; 1_000], ..record(1, peer) }).unwrap();
        let kept = store.providers(&RecordKey::new(&1u32.to_be_bytes()));
        assert_eq!(kept[0].addresses.len(), addresses::MAX_PER_PEER);
    }

    #[test]
    fn nothing_is_ever_republished() {
        let local = PeerId::random();
        let mut store = ProviderStore::new(local);
        store.add_provider(record(1, local)).unwrap();
        assert_eq!(store.provided().count(), 0);
    }
}
