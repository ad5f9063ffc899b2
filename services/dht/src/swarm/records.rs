//! The provider records that a server holds for others, and those of its own.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::iter;
use std::time::Instant;

use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};
use parsec_measure::RequestKind;

use crate::denylist::watch::RequestFeed;
use crate::swarm::doors::Origin;
use crate::swarm::shares::{Place, Shares};
use crate::wire::addresses;
use crate::wire::reach::Reach;

/// How many keys are held before the oldest is dropped. libp2p's own store silently drops new records from 1,024 keys
/// on, so a busy server would only seem to be a holder.
const MAX_KEYS: usize = 65_536;

/// How many bytes the records of others may take before the oldest keys give way, counted as [`weight`] does. That is room
/// for [`MAX_KEYS`] keys with one provider of six addresses of 40 bytes. The largest records that are taken, 16 addresses
/// of 256 bytes, weigh 6 kB: of those it holds 15,000, and of keys with 20 such providers each, 800.
const MAX_BYTES: usize = 90_000_000;

/// What a key takes besides its records: its places in the map (56 bytes and a control byte, at worst in a table that has
/// just doubled) and in the order (32 bytes, the same), up to 80 bytes of its own with what counts its owners, and the
/// allocator's share.
const KEY_BYTES: usize = 400;

/// What an allocation takes besides its content: the allocator's header and rounding, and what counts the owners of bytes
/// that are shared.
const ALLOCATION_BYTES: usize = 64;

/// The longest key that is held.
pub(crate) const MAX_KEY_BYTES: usize = parsec_measure::MAX_KEY_BYTES;

/// How many providers of one key are held: as many as an answer has room for.
pub(crate) const MAX_PROVIDERS: usize = 20;

/// How many keys of our own are answered for. Others ask about a key within minutes of its publication, if at all; at one
/// publication a minute these are the last four hours.
const MAX_OWN_KEYS: usize = 256;

/// Provider records in memory: the newest [`MAX_KEYS`] keys of others, and the newest [`MAX_OWN_KEYS`] of ours, each of
/// the two in at most [`MAX_BYTES`].
///
/// When there is no room, the oldest key gives way, but not to an address that has its share of all ([`Shares`]): otherwise
/// one machine could push out within seconds what all others have left here for two days.
///
/// Value records are refused: parsec measures provider records only. Nothing is listed as "provided",
/// so that libp2p-kad never republishes a measured key on its own.
#[derive(Debug)]
pub struct ProviderStore {
    local: PeerId,
    reach: Reach,
    own: Shelf,
    others: Shelf,
    /// Whose request is being served, if any.
    serving: Option<Guest>,
    /// Is told of such requests.
    feed: Option<RequestFeed>,
}

/// Somebody who asks or announces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest {
    pub(crate) peer: PeerId,
    /// Where it comes from; `None` where no address is to be limited.
    pub(crate) origin: Option<Origin>,
}

impl ProviderStore {
    pub(crate) fn new(local: PeerId, reach: Reach) -> Self {
        let (own, others) = (Shelf::new(MAX_OWN_KEYS), Shelf::new(MAX_KEYS));
        Self { local, reach, own, others, serving: None, feed: None }
    }

    /// From now on, requests of others are handed on to be looked up in denylists.
    pub(crate) fn watch(&mut self, feed: RequestFeed) {
        self.feed = Some(feed);
    }

    /// Says for whom the next calls are made: libp2p-kad makes the same calls for our own lookups.
    pub(crate) fn serve(&mut self, guest: Option<Guest>) {
        self.serving = guest;
    }

    fn note(&self, key: &RecordKey, kind: RequestKind) {
        if let (Some(feed), Some(Guest { peer, .. })) = (&self.feed, self.serving) {
            feed.note(key.as_ref(), kind, peer);
        }
    }

    fn shelf(&mut self, provider: &PeerId) -> &mut Shelf {
        if *provider == self.local { &mut self.own } else { &mut self.others }
    }
}

/// A record, and where it came from.
#[derive(Debug)]
struct Held {
    record: ProviderRecord,
    place: Option<Place>,
}

/// Records by key, the oldest key first to go.
#[derive(Debug)]
struct Shelf {
    records: HashMap<RecordKey, Vec<Held>>,
    /// Keys in the order of their first record.
    order: VecDeque<RecordKey>,
    /// What all records weigh, without their keys.
    bytes: usize,
    capacity: usize,
    shares: Shares,
}

impl Shelf {
    fn new(capacity: usize) -> Self {
        let shares = Shares::of(capacity, MAX_BYTES);
        Self { records: HashMap::new(), order: VecDeque::new(), bytes: 0, capacity, shares }
    }

    fn add(&mut self, record: ProviderRecord, origin: Option<&Origin>) -> Result<()> {
        let place = origin.map(|origin| self.shares.place(origin));
        let mut held = Held { record: compact(record)?, place };
        self.make_room(&held)?;
        if let Some((key, _)) = self.records.get_key_value(&held.record.key) {
            held.record.key = key.clone();
        } else {
            self.order.push_back(held.record.key.clone());
        }
        self.change(held.record.key.clone(), |providers| insert(providers, held))
    }

    /// Lets the oldest keys give way until there is room for a record, as if it were one of a key that has it not yet.
    fn make_room(&mut self, coming: &Held) -> Result<()> {
        loop {
            let key = usize::from(!self.records.contains_key(&coming.record.key));
            let bytes = (self.order.len() + key) * KEY_BYTES + self.bytes + weight(&coming.record);
            if self.order.len() + key <= self.capacity && bytes <= MAX_BYTES {
                return Ok(());
            }
            if coming.place.is_some_and(|place| self.shares.is_spent(place) && !self.oldest_is_of(place)) {
                return Err(Error::MaxProvidedKeys);
            }
            self.drop_oldest();
        }
    }

    /// Whether all that the oldest key has is of this place, or over.
    fn oldest_is_of(&self, place: Place) -> bool {
        let now = Instant::now();
        let of_others = |held: &Held| held.place != Some(place) && !held.record.is_expired(now);
        let oldest = self.order.front().and_then(|key| self.records.get(key));
        !oldest.into_iter().flatten().any(of_others)
    }

    /// Changes the records of a key, and keeps count of their weight.
    fn change<T>(&mut self, key: RecordKey, change: impl FnOnce(&mut Vec<Held>) -> T) -> T {
        let mut providers = self.records.remove(&key).unwrap_or_default();
        providers.iter().for_each(|held| self.goes(held));
        let changed = change(&mut providers);
        providers.shrink_to_fit();
        for Held { record, place } in &providers {
            let bytes = weight(record);
            self.bytes += bytes;
            if let Some(place) = place {
                self.shares.comes(*place, bytes);
            }
        }
        self.records.insert(key, providers);
        changed
    }

    fn goes(&mut self, Held { record, place }: &Held) {
        let bytes = weight(record);
        self.bytes -= bytes;
        if let Some(place) = place {
            self.shares.goes(*place, bytes);
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.order.pop_front().and_then(|key| self.records.remove(&key));
        oldest.iter().flatten().for_each(|held| self.goes(held));
    }
}

/// How many bytes of memory a record takes, its key apart.
fn weight(record: &ProviderRecord) -> usize {
    let address = |address: &Multiaddr| size_of::<Multiaddr>() + address.len() + ALLOCATION_BYTES;
    size_of::<Held>() + ALLOCATION_BYTES + record.addresses.iter().map(address).sum::<usize>()
}

/// What is kept of a record that comes as a stranger wrote it, as long as a request may be. All of it is copied: what it came in may
/// have room for far more than is in use.
fn compact(record: ProviderRecord) -> Result<ProviderRecord> {
    let key: &[u8] = record.key.as_ref();
    if key.len() > MAX_KEY_BYTES {
        return Err(Error::ValueTooLarge);
    }
    let short = record.addresses.iter().filter(|address| address.len() <= addresses::MAX_ADDRESS_BYTES);
    let copied = short.filter_map(|address| Multiaddr::try_from(address.to_vec()).ok());
    let mut addresses: Vec<_> = copied.take(addresses::MAX_PER_PEER).collect();
    addresses.shrink_to_fit();
    Ok(ProviderRecord { key: RecordKey::new(&key), addresses, ..record })
}

fn insert(providers: &mut Vec<Held>, held: Held) -> Result<()> {
    let now = Instant::now();
    providers.retain(|known| !known.record.is_expired(now));
    if let Some(known) = providers.iter_mut().find(|known| known.record.provider == held.record.provider) {
        *known = held;
    } else if providers.len() < MAX_PROVIDERS {
        providers.reserve_exact(1);
        providers.push(held);
    } else {
        return Err(Error::MaxProvidedKeys);
    }
    Ok(())
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

    /// As in Go (`handlers.go`), a provider without an address that may be dialled is held all the same. libp2p-kad names it with
    /// the addresses that the routing table has for it, and leaves it out of the answer if there are none.
    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        record.addresses.retain(|address| self.reach.permits(address));
        self.note(&record.key, RequestKind::AddProvider);
        let origin = self.serving.and_then(|guest| guest.origin);
        self.shelf(&record.provider).add(record, origin.as_ref())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.note(key, RequestKind::GetProviders);
        let now = Instant::now();
        let held = [&self.own, &self.others].into_iter().filter_map(|shelf| shelf.records.get(key)).flatten();
        held.map(|held| &held.record).filter(|record| !record.is_expired(now)).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        iter::empty()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        // The key keeps its place in the order: an empty entry is as good as none and leaves by itself.
        let shelf = self.shelf(provider);
        if shelf.records.contains_key(key) {
            shelf.change(key.clone(), |providers| providers.retain(|held| &held.record.provider != provider));
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
            shelf.add(record(key, peer), None).unwrap();
        }
        let kept: Vec<_> =
            [1u32, 2, 3].map(|key| shelf.records.contains_key(&RecordKey::new(&key.to_be_bytes()))).into();
        assert_eq!(kept, [false, true, true]);
        assert_eq!((shelf.records.len(), shelf.order.len()), (2, 2));
    }

    #[test]
    fn who_has_its_share_pushes_out_nobody_but_itself_and_what_has_expired() {
        let (mut shelf, peer) = (Shelf::new(80), PeerId::random());
        let [one, other] = [1, 2].map(|host| std::net::Ipv4Addr::from_bits(host).into());
        let has = |shelf: &Shelf, key: u32| shelf.records.contains_key(&RecordKey::new(&key.to_be_bytes()));
        (0..30).for_each(|key| shelf.add(record(key, peer), Some(&one)).unwrap());
        let taken = (30..1_000).filter(|key| shelf.add(record(*key, peer), Some(&other)).is_ok()).count();
        assert_eq!(taken, 50, "as long as there is room, anybody may have it");
        assert!((0..30).all(|key| has(&shelf, key)));
        // The others go on as before.
        (2_000..2_030).for_each(|key| shelf.add(record(key, peer), None).unwrap());
        assert!((0..30).all(|key| !has(&shelf, key)) && (2_000..2_030).all(|key| has(&shelf, key)));
        // Now the oldest are its own.
        shelf.add(record(3_000, peer), Some(&other)).unwrap();
        assert!(has(&shelf, 3_000) && !has(&shelf, 30));
        assert_eq!(shelf.order.len(), 80);
    }

    #[test]
    fn our_own_keys_take_no_room_from_those_of_others_and_are_bounded() {
        let (local, other) = (PeerId::random(), PeerId::random());
        let mut store = ProviderStore::new(local, Reach::anywhere());
        store.add_provider(record(0, other)).unwrap();
        for key in 0..=MAX_OWN_KEYS as u32 {
            store.add_provider(record(key, local)).unwrap();
        }
        assert_eq!((held(&store, 0), held(&store, 1)), (1, 1), "the oldest of ours is gone, the other's is not");
        assert_eq!(store.own.records.len(), MAX_OWN_KEYS);
    }

    #[test]
    fn a_provider_counts_once_and_expires() {
        let (mut store, peer) = (ProviderStore::new(PeerId::random(), Reach::anywhere()), PeerId::random());
        store.add_provider(record(1, peer)).unwrap();
        store.add_provider(record(1, peer)).unwrap();
        assert_eq!(held(&store, 1), 1);
        store.add_provider(ProviderRecord { expires: Some(Instant::now()), ..record(1, peer) }).unwrap();
        assert_eq!(held(&store, 1), 0);
    }

    #[test]
    fn what_a_stranger_sends_is_bounded() {
        let (mut store, peer) = (ProviderStore::new(PeerId::random(), Reach::anywhere()), PeerId::random());
        let long = ProviderRecord { key: RecordKey::new(&[7; MAX_KEY_BYTES + 1]), ..record(1, peer) };
        assert!(store.add_provider(long).is_err());
        let address: Multiaddr = "/ip4/10.0.0.1/tcp/4001".parse().unwrap();
        let endless: Multiaddr = format!("/dns4/{}/tcp/4001", "a".repeat(1 << 20)).parse().unwrap();
        let mut addresses = vec![address.clone(); 400_000];
        addresses[0] = endless.clone();
        store.add_provider(ProviderRecord { addresses, ..record(1, peer) }).unwrap();
        let kept = &store.others.records[&RecordKey::new(&1u32.to_be_bytes())];
        let addresses = &kept[0].record.addresses;
        assert_eq!(*addresses, vec![address; addresses::MAX_PER_PEER]);
        assert_eq!((kept.capacity(), addresses.capacity()), (1, addresses::MAX_PER_PEER));
        store.add_provider(ProviderRecord { addresses: vec![endless], ..record(1, peer) }).unwrap();
        assert_eq!(store.others.records[&RecordKey::new(&1u32.to_be_bytes())][0].record.addresses.capacity(), 0);
    }

    #[test]
    fn on_a_public_network_private_addresses_are_not_passed_on_and_their_provider_is() {
        let reach = Reach::of(crate::PrivatePeers::Ignore, &[], std::net::Ipv4Addr::UNSPECIFIED.into());
        let (mut store, peer) = (ProviderStore::new(PeerId::random(), reach), PeerId::random());
        let [private, public] =
            ["/ip4/10.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/1"].map(|text| text.parse::<Multiaddr>().unwrap());
        let mut told = |addresses: Vec<Multiaddr>| {
            store.add_provider(ProviderRecord { addresses, ..record(1, peer) }).unwrap();
            store.providers(&record(1, peer).key).remove(0).addresses
        };
        assert_eq!(told(vec![private.clone(), public.clone()]), [public]);
        assert_eq!(told(vec![private]), []);
    }

    #[test]
    fn values_are_not_held() {
        let mut store = ProviderStore::new(PeerId::random(), Reach::anywhere());
        let value = Record::new(vec![1], vec![2]);
        assert!(store.put(value.clone()).is_err());
        assert!(store.get(&value.key).is_none());
    }

    #[test]
    fn a_key_has_so_many_providers() {
        let mut store = ProviderStore::new(PeerId::random(), Reach::anywhere());
        let taken = (0..1_000).filter(|_| store.add_provider(record(1, PeerId::random())).is_ok()).count();
        assert_eq!((taken, held(&store, 1)), (MAX_PROVIDERS, MAX_PROVIDERS));
    }

    fn maximal(key: u32, provider: PeerId) -> ProviderRecord {
        let name = "a".repeat(addresses::MAX_ADDRESS_BYTES - 3);
        let address: Multiaddr = format!("/dns4/{name}").parse().unwrap();
        assert_eq!(address.len(), addresses::MAX_ADDRESS_BYTES);
        ProviderRecord { addresses: vec![address; addresses::MAX_PER_PEER], ..record(key, provider) }
    }

    #[test]
    fn the_largest_records_take_no_more_memory_than_there_is_for_them() {
        let (mut shelf, peers) = (Shelf::new(MAX_KEYS), [(); MAX_PROVIDERS].map(|()| PeerId::random()));
        for key in 0..1_000 {
            for peer in peers {
                shelf.add(maximal(key, peer), None).unwrap();
            }
        }
        let weights: usize = shelf.records.values().flatten().map(|held| weight(&held.record)).sum();
        assert_eq!(shelf.bytes, weights);
        assert!(weights + shelf.order.len() * KEY_BYTES <= MAX_BYTES);
        assert!((700..900).contains(&shelf.order.len()), "{} keys", shelf.order.len());
        assert_eq!(shelf.order.len(), shelf.records.len());
        assert!(shelf.records.contains_key(&RecordKey::new(&999u32.to_be_bytes())), "the newest are held");
    }

    #[test]
    fn what_is_taken_away_weighs_nothing() {
        let (mut store, peer) = (ProviderStore::new(PeerId::random(), Reach::anywhere()), PeerId::random());
        store.add_provider(maximal(1, peer)).unwrap();
        store.add_provider(record(1, peer)).unwrap();
        assert_eq!(store.others.bytes, weight(&record(1, peer)));
        store.remove_provider(&record(1, peer).key, &peer);
        assert_eq!(store.others.bytes, 0);
    }

    #[test]
    fn there_is_room_for_as_many_keys_as_are_promised_if_their_records_are_as_in_the_field() {
        let address: Multiaddr = "/ip6/2001:db8::1/udp/4001/quic-v1".parse().unwrap();
        let field = ProviderRecord { addresses: vec![address; 6], ..record(0, PeerId::random()) };
        assert!(MAX_KEYS * (KEY_BYTES + weight(&field)) <= MAX_BYTES);
    }

    #[test]
    fn nothing_is_ever_republished() {
        let local = PeerId::random();
        let mut store = ProviderStore::new(local, Reach::anywhere());
        store.add_provider(record(1, local)).unwrap();
        assert_eq!(store.provided().count(), 0);
    }
}
