//! Who may hold how many connections, and who has to go if there are too many.
//!
//! If every place is taken, a new connection takes that of the address which holds most, its oldest one without an
//! operation. So a few addresses with many connections take places from each other, and from nobody else. Addresses that
//! have proved to be a scheduler's have places of their own besides.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Shutdown, TcpStream as Socket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use parsec_measure::subscriber;

use super::limits::Limits;

/// How many addresses are remembered as those of schedulers: as many as the largest deployments have, several times.
const MAX_KNOWN: usize = 64;

/// The places of one gateway.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    limits: Limits,
    next: u64,
    /// In the order in which they were taken.
    held: BTreeMap<u64, Holder>,
    /// How many of them each address holds; none of them is zero. A flood of connections must not have them all counted for
    /// each that is accepted.
    counts: HashMap<IpAddr, usize>,
    /// The newest last.
    known: VecDeque<IpAddr>,
}

#[derive(Debug)]
struct Holder {
    address: IpAddr,
    socket: Arc<Socket>,
    /// An operation is under way for it.
    works: Arc<AtomicBool>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    number: u64,
    address: IpAddr,
    works: Arc<AtomicBool>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Table { limits, ..Table::default() })))
    }

    /// A place for a connection from `peer`, whose other handle `socket` is; `None` if there is none. Another connection
    /// may be closed for it.
    pub(super) fn take(&self, peer: IpAddr, socket: Arc<Socket>) -> Option<Place> {
        let address = subscriber(peer);
        let mut table = self.0.lock();
        if table.count_of(address) >= table.limits.connections_per_address {
            return None;
        }
        if table.is_full_for(address) {
            let number = table.victim(address)?;
            close(&table.free(number)?.socket);
        }
        let (number, works) = (table.next, Arc::<AtomicBool>::default());
        table.next += 1;
        table.held.insert(number, Holder { address, socket, works: Arc::clone(&works) });
        *table.counts.entry(address).or_default() += 1;
        drop(table);
        Some(Place { places: self.clone(), number, address, works })
    }
}

impl Table {
    fn count_of(&self, address: IpAddr) -> usize {
        self.counts.get(&address).copied().unwrap_or_default()
    }

    fn free(&mut self, number: u64) -> Option<Holder> {
        let holder = self.held.remove(&number)?;
        if let Entry::Occupied(mut count) = self.counts.entry(holder.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        Some(holder)
    }

    fn is_full_for(&self, address: IpAddr) -> bool {
        if self.known.contains(&address) {
            self.held.len() >= self.limits.connections + self.limits.reserved
        } else {
            let known: usize = self.known.iter().map(|known| self.count_of(*known)).sum();
            self.held.len() - known >= self.limits.connections
        }
    }

    /// Whose place the connection from `newcomer` takes. A stranger's never takes that of a known address.
    fn victim(&self, newcomer: IpAddr) -> Option<u64> {
        // With the newcomer, its address would hold one more.
        let count = |address| self.count_of(address) + usize::from(address == newcomer);
        let newcomer_is_known = self.known.contains(&newcomer);
        let may_go = |holder: &Holder| {
            let is_known = self.known.contains(&holder.address);
            !holder.works.load(Ordering::Relaxed) && (newcomer_is_known || !is_known)
        };
        let candidates = self.held.iter().filter(|(_, holder)| may_go(holder));
        let rank = |(number, holder): &(&u64, &Holder)| {
            let is_stranger = !self.known.contains(&holder.address);
            (is_stranger, count(holder.address), std::cmp::Reverse(**number))
        };
        candidates.max_by_key(rank).map(|(number, _)| *number)
    }
}

impl Place {
    /// While an operation is under way for it, its connection is not closed for another one's sake.
    pub(super) fn works(&self, does: bool) {
        self.works.store(does, Ordering::Relaxed);
    }

    /// Its address is that of a scheduler. It is remembered until so many others are that it is the oldest.
    pub(super) fn is_a_schedulers(&self) {
        let mut table = self.places.0.lock();
        if table.known.back() == Some(&self.address) {
            return;
        }
        table.known.retain(|known| *known != self.address);
        table.known.push_back(self.address);
        if table.known.len() > MAX_KNOWN {
            table.known.pop_front();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It may have been given to somebody else already.
        self.places.0.lock().free(self.number);
    }
}

/// Shuts down both directions, so that the HTTP library sees the end and drops its own handle.
pub(super) fn close(socket: &Socket) {
    // An error means that it is closed already.
    let _ = socket.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: (usize, usize, usize) = (4, 2, 3);

    fn places() -> Places {
        let (connections, reserved, connections_per_address) = LIMITS;
        Places::new(Limits { connections, reserved, connections_per_address, ..Limits::default() })
    }

    /// A connection and its other end.
    fn connection() -> (Socket, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Socket::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        (listener.accept().unwrap().0, client)
    }

    fn take(places: &Places, address: &str) -> Option<(Place, Socket)> {
        let (socket, client) = connection();
        Some((places.take(address.parse().unwrap(), Arc::new(socket))?, client))
    }

    fn is_closed(client: &mut Socket) -> bool {
        matches!(client.read(&mut [0]), Ok(0))
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let places = places();
        let (first, second) = (take(&places, "192.0.2.1"), take(&places, "::ffff:192.0.2.1"));
        let third = take(&places, "192.0.2.1");
        assert!(first.is_some() && second.is_some() && third.is_some() && take(&places, "192.0.2.1").is_none());
        assert!(take(&places, "192.0.2.2").is_some(), "another address has places of its own");
        drop(first);
        assert!(take(&places, "192.0.2.1").is_some());
        drop((second, third));
        let table = places.0.lock();
        assert!(table.held.is_empty() && table.counts.is_empty(), "nobody is remembered who is gone");
    }

    #[test]
    fn whoever_comes_last_takes_the_oldest_place_of_the_address_that_holds_most() {
        let places = places();
        let mut greedy: Vec<_> = (0..3).map(|_| take(&places, "192.0.2.1").unwrap()).collect();
        let mut modest = take(&places, "192.0.2.2").unwrap();
        let third = take(&places, "192.0.2.3");
        assert!(third.is_some() && is_closed(&mut greedy[0].1));
        assert!(!is_closed(&mut greedy[1].1) && !is_closed(&mut modest.1));
        // The greedy one comes back: of those that hold as much as it would then, it is the oldest itself.
        assert!(take(&places, "192.0.2.1").is_some() && is_closed(&mut greedy[1].1) && !is_closed(&mut modest.1));
    }

    #[test]
    fn an_operation_that_is_under_way_is_not_broken_off_for_a_newcomer() {
        let places = places();
        let mut held: Vec<_> = (0..2).flat_map(|_| [take(&places, "192.0.2.1"), take(&places, "192.0.2.2")]).collect();
        held.iter().flatten().for_each(|(place, _)| place.works(true));
        assert!(take(&places, "192.0.2.3").is_none(), "nobody has to go");
        held[2].as_ref().unwrap().0.works(false);
        assert!(take(&places, "192.0.2.3").is_some());
        assert!(is_closed(&mut held[2].as_mut().unwrap().1) && !is_closed(&mut held[0].as_mut().unwrap().1));
    }

    #[test]
    fn strangers_take_no_place_from_a_scheduler_and_it_has_some_of_its_own() {
        let places = places();
        let mut scheduler = take(&places, "192.0.2.9").unwrap();
        scheduler.0.is_a_schedulers();
        let strangers: Vec<_> = (1..8).map(|last| take(&places, &format!("192.0.2.{last}"))).collect();
        assert!(strangers.iter().all(Option::is_some) && !is_closed(&mut scheduler.1));
        strangers.iter().flatten().for_each(|(place, _)| place.works(true));
        assert!(take(&places, "192.0.2.8").is_none());
        let more = take(&places, "192.0.2.9");
        assert!(more.is_some(), "4 for all, and 2 for schedulers");
    }

    #[test]
    fn only_so_many_addresses_are_remembered_and_the_newest_are() {
        let places = places();
        for last in 0..=MAX_KNOWN {
            take(&places, &format!("198.51.100.{last}")).unwrap().0.is_a_schedulers();
        }
        let known = &places.0.lock().known;
        assert_eq!(known.len(), MAX_KNOWN);
        assert_eq!(known.front(), Some(&"198.51.100.1".parse().unwrap()));
    }

    proptest! {
        /// Whoever comes and goes, each address is counted for what it holds.
        #[test]
        fn what_each_address_holds_is_counted(moves in proptest::collection::vec((1..6_u8, any::<bool>()), 0..60)) {
            let places = places();
            let mut held = Vec::new();
            for (address, comes) in moves {
                match comes {
                    true => held.extend(take(&places, &format!("192.0.2.{address}"))),
                    false => held.truncate(usize::from(address) - 1),
                }
                let table = places.0.lock();
                let mut counts = HashMap::new();
                table.held.values().for_each(|holder| *counts.entry(holder.address).or_default() += 1_usize);
                prop_assert_eq!(&table.counts, &counts);
            }
        }

        /// Whatever others do: who holds fewer connections than somebody else gets in, unless all are at work.
        #[test]
        fn a_newcomer_gets_in_while_others_are_idle(addresses in proptest::collection::vec(1..6_u8, 0..40)) {
            let places = places();
            let mut held = Vec::new();
            for address in addresses {
                held.extend(take(&places, &format!("192.0.2.{address}")));
                let table = places.0.lock();
                prop_assert!(table.held.len() <= LIMITS.0);
                prop_assert!(table.held.values().all(|holder| table.count_of(holder.address) <= LIMITS.2));
            }
            prop_assert!(take(&places, "192.0.2.100").is_some());
        }
    }
}
