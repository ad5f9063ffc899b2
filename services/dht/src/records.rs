//! The provider records that a server holds for others, and those of its own.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::iter;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

/// How many keys are held before the oldest gives way. About 300 bytes each: 20 MB when full. libp2p's own store
/// drops new records silently at 1,024 keys, which would make a busy server a holder in name only.
pub(crate) const MAX_KEYS: usize = 65_536;

/// How many providers of one key are held: as many as an answer has room for.
const MAX_PROVIDERS: usize = 20;

/// Provider records in memory, the newest [`MAX_KEYS`] of them.
///
/// Value records are refused: parsec measures provider records only. Nothing is listed as "provided",
/// so that libp2p-kad never republishes a measured key on its own.
#[derive(Debug, Default)]
pub(crate) struct ProviderStore {
    records: HashMap<RecordKey, Vec<ProviderRecord>>,
    /// Keys in the order of their first record.
    order: VecDeque<RecordKey>,
    capacity: usize,
}

impl ProviderStore {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
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
        if !self.records.contains_key(&record.key) {
            if self.order.len() >= self.capacity
                && let Some(oldest) = self.order.pop_front()
            {
                self.records.remove(&oldest);
            }
            self.order.push_back(record.key.clone());
        }
        let providers = self.records.entry(record.key.clone()).or_default();
        if let Some(known) = providers.iter_mut().find(|known| known.provider == record.provider) {
            *known = record;
        } else if providers.len() < MAX_PROVIDERS {
            providers.push(record);
        } else {
            return Err(Error::MaxProvidedKeys);
        }
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let now = Instant::now();
        self.records.get(key).into_iter().flatten().filter(|record| !record.is_expired(now)).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        iter::empty()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        // The key keeps its place in the order: an empty entry is as good as none and leaves by itself.
        if let Some(providers) = self.records.get_mut(key) {
            providers.retain(|record| &record.provider != provider);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u8, provider: PeerId) -> ProviderRecord {
        ProviderRecord { key: RecordKey::new(&[key]), provider, expires: None, addresses: vec![] }
    }

    #[test]
    fn the_oldest_key_gives_way() {
        let (mut store, peer) = (ProviderStore::with_capacity(2), PeerId::random());
        for key in [1, 2, 1, 3] {
            store.add_provider(record(key, peer)).unwrap();
        }
        let held: Vec<_> = [1, 2, 3].map(|key| store.providers(&RecordKey::new(&[key])).len()).into();
        assert_eq!(held, [0, 1, 1]);
        assert_eq!((store.records.len(), store.order.len()), (2, 2));
    }

    #[test]
    fn a_provider_counts_once_and_expires() {
        let (mut store, peer) = (ProviderStore::with_capacity(2), PeerId::random());
        store.add_provider(record(1, peer)).unwrap();
        store.add_provider(ProviderRecord { expires: Some(Instant::now()), ..record(1, peer) }).unwrap();
        assert_eq!(store.records[&RecordKey::new(&[1])].len(), 1);
        assert_eq!(store.providers(&RecordKey::new(&[1])), vec![]);
    }

    #[test]
    fn nothing_is_ever_republished() {
        let mut store = ProviderStore::with_capacity(2);
        store.add_provider(record(1, PeerId::random())).unwrap();
        assert_eq!(store.provided().count(), 0);
    }
}
