//! The map of a local network: who stands where, how long the way is, and where no way leads.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::core::transport::TransportEvent;
use libp2p::multiaddr::Protocol;
use parking_lot::{Mutex, RwLock};
use parsec_dht::parts::TCP_CONNECT_TIMEOUT;
use parsec_measure::Latency;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::config::{LocalConfig, LocalTransport};
use super::latency::{Link, round_trip};
use super::pipe::Caller;
use super::regions::Region;
use super::turns::{Seat, Turn, Turns};

/// The first of the memory ports that are given out; those below are for nodes, whose ports have 16 bits.
const FIRST_FREE_PORT: u64 = 1 << 16;

/// Longer than any process runs, and short enough for a clock to add.
pub(super) const UNLIMITED: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    In(Region),
    /// No delay to anybody.
    Everywhere,
}

/// What becomes of a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives, and somebody may be listening.
    Arrives,
    /// It is refused after a round trip.
    Refused,
    /// Nothing ever comes back.
    Lost,
}

/// An address, as dials and listeners have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Spot {
    Socket(SocketAddr),
    Memory(u64),
}

impl Spot {
    fn of(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let ip = match parts.next()? {
            Protocol::Memory(port) => return Some(Self::Memory(port)),
            Protocol::Ip4(ip) => IpAddr::from(ip),
            Protocol::Ip6(ip) => IpAddr::from(ip),
            _ => return None,
        };
        match parts.next()? {
            Protocol::Tcp(port) | Protocol::Udp(port) => Some(Self::Socket(SocketAddr::new(ip, port))),
            _ => None,
        }
    }
}

/// The map. Everybody in a local network has the same one.
pub(super) struct Roads {
    pub(super) transport: LocalTransport,
    latency: Latency,
    spots: RwLock<HashMap<Spot, (Place, Fate)>>,
    /// Who listens on which memory port.
    listeners: Mutex<HashMap<u64, mpsc::Sender<Caller>>>,
    free_port: AtomicU64,
    /// Who is first when several arrive at once; without, whoever's task happens to run.
    turns: Option<Turns>,
    /// Ends with the network.
    open: watch::Receiver<()>,
}

/// The way from one place to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) link: Link,
    pub(super) fate: Fate,
}

impl Roads {
    /// A map that is valid until the sender is dropped.
    pub(super) fn new(config: &LocalConfig, turns: Option<Turns>, open: watch::Receiver<()>) -> Self {
        let LocalConfig { transport, latency, .. } = *config;
        Self {
            transport,
            latency,
            spots: RwLock::default(),
            listeners: Mutex::default(),
            free_port: AtomicU64::new(FIRST_FREE_PORT),
            turns,
            open,
        }
    }

    /// Enters an address into the map.
    pub(super) fn enter(&self, address: &Multiaddr, place: Place, fate: Fate) {
        if let Some(spot) = Spot::of(address) {
            self.spots.write().insert(spot, (place, fate));
        }
    }

    /// The way to an address. To one that is not on the map it is that of the machine.
    pub(super) fn route(&self, from: Place, to: &Multiaddr) -> Route {
        let entry = Spot::of(to).and_then(|spot| self.spots.read().get(&spot).copied());
        let (place, fate) = entry.unwrap_or((Place::Everywhere, Fate::Arrives));
        let round_trip = match (from, place) {
            (Place::In(from), Place::In(to)) => round_trip(self.latency, from, to),
            _ => Duration::ZERO,
        };
        Route { link: Link::of(round_trip), fate }
    }

    /// A memory port that nobody has.
    pub(super) fn free_port(&self) -> u64 {
        self.free_port.fetch_add(1, Ordering::Relaxed)
    }

    /// A place to wait at for what arrives over a link; none is needed where nothing takes any time.
    pub(super) fn turn(&self, link: Link, seat: Seat) -> Option<Turn> {
        self.turns.as_ref().filter(|_| !link.round_trip().is_zero()).map(|turns| turns.seat(seat))
    }

    /// Takes calls to a memory port from now on.
    ///
    /// # Errors
    /// Somebody else does already.
    pub(super) fn listen(&self, port: u64, callers: mpsc::Sender<Caller>) -> io::Result<()> {
        let mut listeners = self.listeners.lock();
        if listeners.contains_key(&port) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        listeners.insert(port, callers);
        Ok(())
    }

    pub(super) fn hang_up(&self, port: u64) {
        self.listeners.lock().remove(&port);
    }

    pub(super) fn listener(&self, port: u64) -> Option<mpsc::Sender<Caller>> {
        self.listeners.lock().get(&port).cloned()
    }

    /// Returns when the network has been dropped.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut open = self.open.clone();
        // The sender never sends anything.
        async move { while open.changed().await.is_ok() {} }
    }
}

impl Route {
    /// Opens a connection as TCP does: the answer to the dial, good or bad, comes after a round trip, and no answer is
    /// waited for longer than TCP's time-out. Unlike libp2p's own this one runs on tokio's clock, which can be paused.
    pub(super) async fn travel<T>(self, dial: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let answer = async {
            let due = Instant::now() + self.link.round_trip();
            let result = match self.fate {
                Fate::Arrives => dial.await,
                // Also if somebody listens there.
                Fate::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
                Fate::Lost => std::future::pending().await,
            };
            if Instant::now() < due {
                sleep_until(due).await;
            }
            result
        };
        timeout(TCP_CONNECT_TIMEOUT, answer).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A place in a local network from which a node can take part in it.
#[derive(Clone)]
pub struct Attachment {
    pub(super) roads: Arc<Roads>,
    pub(super) place: Place,
}

impl Attachment {
    /// Where it stands; an observer stands nowhere.
    pub fn region(&self) -> Option<Region> {
        match self.place {
            Place::In(region) => Some(region),
            Place::Everywhere => None,
        }
    }

    /// What to listen on for a given port.
    pub(super) fn listen_address(&self, ip: IpAddr, port: u16) -> Multiaddr {
        match self.roads.transport {
            LocalTransport::Tcp => Multiaddr::from(ip).with(Protocol::Tcp(port)),
            LocalTransport::Quic => Multiaddr::from(ip).with(Protocol::Udp(port)).with(Protocol::QuicV1),
            LocalTransport::Memory => Protocol::Memory(port.into()).into(),
        }
    }

    /// The way from here to an address.
    pub(super) fn route(&self, to: &Multiaddr) -> Route {
        self.roads.route(self.place, to)
    }

    /// Notes that somebody at this place listens on an address.
    pub(super) fn enter(&self, address: &Multiaddr) {
        self.roads.enter(address, self.place, Fate::Arrives);
    }

    /// Notes the address that a transport of this place has begun to listen on, if that is what it tells.
    pub(super) fn enter_if_new<U, E>(&self, event: &Poll<TransportEvent<U, E>>) {
        if let Poll::Ready(TransportEvent::NewAddress { listen_addr, .. }) = event {
            self.enter(listen_addr);
        }
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Roads { transport, latency, .. } = &*self.roads;
        write!(f, "Attachment({:?}, {transport:?}, {latency})", self.place)
    }
}
