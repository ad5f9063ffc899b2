//! The connections of a gateway: each holds a [`Place`], and is closed if it is held without use.
//!
//! The HTTP library limits the time until the first head of a request on a connection, and the time that a connection
//! is idle. A stranger can get around both, by sending the beginning of a second head or by not reading. So each
//! connection is watched from outside the library: unless one of its requests is being worked on, it is closed after
//! [`Limits::turn`].

use std::net::TcpStream as Socket;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::held::Held;
use super::limits::Limits;
use super::places::{Place, Places, close};

/// The connections of one gateway.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    limits: Limits,
    places: Places,
}

/// The state of one connection; dropped when the connection ends.
#[derive(Debug)]
pub(super) struct Connection {
    turn: Duration,
    /// When it will be closed; `None` while a request is worked on.
    closes: watch::Sender<Option<Instant>>,
    place: Place,
}

/// While it is there, the connection of a request is not closed for the sake of another one.
#[derive(Debug)]
pub(super) struct AtWork(Option<Arc<Connection>>);

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, places: Places::new(limits) }
    }

    /// Finds a place for a connection that has just been made, and watches it; `None` if there is none.
    pub(super) fn made(&self, stream: TcpStream) -> Option<Held<Connection>> {
        // A connection that has ended already needs no place.
        let peer = stream.peer_addr().ok()?;
        let handle = match stream.as_fd().try_clone_to_owned() {
            Ok(handle) => Arc::new(Socket::from(handle)),
            Err(error) => {
                debug!(%peer, %error, "closed: it cannot be watched");
                return None;
            }
        };
        let Some(place) = self.places.take(peer.ip(), Arc::clone(&handle)) else {
            debug!(%peer, "closed: too many connections from this address, or at all");
            return None;
        };
        let (closes, times) = watch::channel(Some(Instant::now() + self.limits.turn));
        actix_web::rt::spawn(watch_over(handle, times));
        Some(Held { stream, connection: Arc::new(Connection { turn: self.limits.turn, closes, place }) })
    }
}

fn of(request: &HttpRequest) -> Option<Arc<Connection>> {
    request.conn_data::<Arc<Connection>>().cloned()
}

/// An operation begins for this request.
pub(super) fn at_work(request: &HttpRequest) -> AtWork {
    let connection = of(request);
    connection.iter().for_each(|connection| connection.place.works(true));
    AtWork(connection)
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.iter().for_each(|connection| connection.place.works(false));
    }
}

/// A connection on which an answer goes on for as long as somebody reads it.
#[derive(Debug)]
pub(super) struct StaysOpen(Option<Arc<Connection>>);

/// The answer to this request goes on.
pub(super) fn stays_open(request: &HttpRequest) -> StaysOpen {
    StaysOpen(of(request))
}

impl StaysOpen {
    /// More of the answer was read just now: the connection has a turn from now on.
    pub(super) fn is_used(&self) {
        if let Some(connection) = &self.0 {
            connection.closes.send_replace(Some(Instant::now() + connection.turn));
        }
    }
}

/// This request is a scheduler's: its address has places of its own from now on.
pub(super) fn is_a_schedulers(request: &HttpRequest) {
    of(request).iter().for_each(|connection| connection.place.is_a_schedulers());
}

/// Stops the clock of the connection while this request is worked on, and restarts it with the answer.
pub(super) async fn take_turn<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let connection = request.conn_data::<Arc<Connection>>().cloned();
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
async fn watch_over(socket: Arc<Socket>, mut closes: watch::Receiver<Option<Instant>>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_closed_only_while_it_has_no_request() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Socket::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        let is_open = || client.peek(&mut [0]).is_err();
        let turn = Limits::default().turn;
        let (closes, watched) = watch::channel(Some(Instant::now() + turn));
        let watching = tokio::spawn(watch_over(Arc::new(socket), watched));
        tokio::time::sleep(turn - Duration::from_millis(10)).await;
        closes.send_replace(None);
        tokio::time::sleep(100 * turn).await;
        assert!(is_open(), "a request is worked on for as long as that takes");
        closes.send_replace(Some(Instant::now() + turn));
        watching.await.unwrap();
        assert!(!is_open());
    }
}
