//! The connections of a gateway: limits their number from each address, and closes those that are held without use.
//!
//! The HTTP library limits the time until the first head of a request on a connection, and the time that a connection
//! is idle. A stranger can get around both, by sending the beginning of a second head or by not reading. So each
//! connection is watched from outside the library: unless one of its requests is being worked on, it is closed after
//! [`Limits::turn`].

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpStream as Socket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::limits::Limits;

/// How many connections each address holds.
#[derive(Debug, Default)]
struct Held(Mutex<HashMap<IpAddr, usize>>);

/// The connections of one gateway.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    limits: Limits,
    held: Arc<Held>,
}

/// The state of one connection; dropped when the connection ends.
#[derive(Clone)]
struct Connection {
    turn: Duration,
    /// When it will be closed; `None` while a request is worked on.
    closes: watch::Sender<Option<Instant>>,
    _place: Arc<Place>,
}

/// A place among the connections from an address.
struct Place {
    held: Arc<Held>,
    address: IpAddr,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, held: Arc::default() }
    }

    /// Registers a connection that has just been made, and watches it. If its address has too many already, it is
    /// closed.
    pub(super) fn made(&self, stream: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = plain(stream) else { return };
        // A connection that has ended already needs no watch.
        let (Ok(peer), Ok(socket)) = (stream.peer_addr(), stream.as_fd().try_clone_to_owned()) else { return };
        let socket = Socket::from(socket);
        let Some(place) = self.place(peer.ip()) else {
            debug!(%peer, "closed: too many connections from this address");
            close(&socket);
            return;
        };
        let (closes, watched) = watch::channel(Some(Instant::now() + self.limits.turn));
        extensions.insert(Connection { turn: self.limits.turn, closes, _place: Arc::new(place) });
        actix_web::rt::spawn(watch_over(socket, watched));
    }

    fn place(&self, peer: IpAddr) -> Option<Place> {
        let address = network(peer);
        let mut held = self.held.0.lock();
        let count = held.entry(address).or_default();
        if *count >= self.limits.connections_per_address {
            return None;
        }
        *count += 1;
        Some(Place { held: Arc::clone(&self.held), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.0.lock();
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

/// Stops the clock of the connection while this request is worked on, and restarts it with the answer.
pub(super) async fn take_turn<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let connection = request.conn_data::<Connection>().cloned();
    if let Some(connection) = &connection {
        connection.closes.send_replace(None);
    }
    let answered = next.call(request).await;
    if let Some(connection) = &connection {
        connection.closes.send_replace(Some(Instant::now() + connection.turn));
    }
    answered
}

/// Closes the connection when its time is over; ends when the connection does.
async fn watch_over(socket: Socket, mut closes: watch::Receiver<Option<Instant>>) {
    loop {
        let at = *closes.borrow_and_update();
        let over = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => {
                debug!(peer = ?socket.peer_addr().ok(), "closed: it was held without a request");
                return close(&socket);
            }
            changed = closes.changed() => if changed.is_err() { return },
        }
    }
}

/// Shuts down both directions, so that the HTTP library sees the end and drops its own handle.
fn close(socket: &Socket) {
    // An error means that it is closed already.
    let _ = socket.shutdown(Shutdown::Both);
}

/// The connection beneath any encryption.
fn plain(stream: &dyn Any) -> Option<&TcpStream> {
    let encrypted = || stream.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
    stream.downcast_ref::<TcpStream>().or_else(encrypted)
}

/// What counts as one address: an IPv4 address, or an IPv6 /64, the network that one subscriber is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let limits = Limits { connections_per_address: 2, ..Limits::default() };
        let connections = Connections::new(limits);
        let place = |address: &str| connections.place(address.parse().unwrap());
        let (first, second) = (place("192.0.2.1"), place("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && place("192.0.2.1").is_none());
        assert!(place("192.0.2.2").is_some(), "another address has places of its own");
        drop(first);
        assert!(place("192.0.2.1").is_some());
        drop(second);
        assert!(connections.held.0.lock().is_empty(), "nobody is remembered who is gone");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_closed_only_while_it_has_no_request() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Socket::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        let is_open = || client.peek(&mut [0]).is_err();
        let turn = Limits::default().turn;
        let (closes, watched) = watch::channel(Some(Instant::now() + turn));
        let watching = tokio::spawn(watch_over(socket, watched));
        tokio::time::sleep(turn - Duration::from_millis(10)).await;
        closes.send_replace(None);
        tokio::time::sleep(100 * turn).await;
        assert!(is_open(), "a request is worked on for as long as that takes");
        closes.send_replace(Some(Instant::now() + turn));
        watching.await.unwrap();
        assert!(!is_open());
    }
}
