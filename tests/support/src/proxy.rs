//! A wire between two programs that can be bent while they talk: a TCP proxy on loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::postgres::lasting_port;

/// How much is carried at a time.
const PIECE: usize = 64 * 1024;

/// What a client of PostgreSQL says to end a transaction (protocol 3, message Query, which ends with a zero).
const COMMIT: &[u8] = b"COMMIT\0";

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Nobody listens, and the connections that there were are reset.
    Refused,
    /// Connections are accepted, and nothing passes any more in either direction. Opened again, everything goes on.
    Hanging,
    /// Connections are accepted and reset; those that there were too.
    Reset,
    /// Each piece arrives so much later.
    Slow(Duration),
    /// Every commit meets with this.
    CutAtCommit(Cut),
}

/// What happens when a client of PostgreSQL says COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never hears of it, and the connection is reset: nothing is committed.
    BeforeIt,
    /// The server commits, and the connection is reset before the client hears of it.
    BeforeTheAnswer,
    /// The server commits, and the client hears nothing more: the connection is half open until the way changes.
    Silence,
}

/// A proxy, gone with this value, and its connections with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    way: watch::Sender<Way>,
    listening: watch::Receiver<bool>,
    cuts: watch::Receiver<u64>,
    task: AbortHandle,
}

impl Proxy {
    /// A proxy to this address; everything passes.
    pub async fn to(target: SocketAddr) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, lasting_port()));
        let (target, leads_to) = watch::channel(target);
        let (way, followed) = watch::channel(Way::Open);
        let (is_listening, mut listening) = watch::channel(false);
        let (count, cuts) = watch::channel(0);
        let wire = Wire { target: leads_to, way: followed, cuts: Arc::new(count) };
        let task = tokio::spawn(serve(address, wire, is_listening)).abort_handle();
        let _ = listening.wait_for(|listening| *listening).await;
        Self { address, target, way, listening, cuts, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the way, also of the connections that there are. Whoever connects after this has returned meets the new one.
    pub async fn set(&self, way: Way) {
        self.way.send_replace(way);
        let mut listening = self.listening.clone();
        let _ = listening.wait_for(|listening| *listening == (way != Way::Refused)).await;
    }

    /// Leads to another address from now on. Connections that there are stay where they are.
    pub fn lead_to(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Waits until so many commits have been cut.
    pub async fn has_cut(&self, count: u64) {
        let _ = self.cuts.clone().wait_for(|cuts| *cuts >= count).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every connection has of its proxy.
#[derive(Debug, Clone)]
struct Wire {
    target: watch::Receiver<SocketAddr>,
    way: watch::Receiver<Way>,
    cuts: Arc<watch::Sender<u64>>,
}

/// The connection ends here and now, and both sides are to see that it was no proper end.
#[derive(Debug)]
struct Torn;

impl From<io::Error> for Torn {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// Listens for as long as the way is not to refuse.
async fn serve(address: SocketAddr, wire: Wire, is_listening: watch::Sender<bool>) {
    let mut way = wire.way.clone();
    let mut carried = JoinSet::new();
    while way.wait_for(|way| *way != Way::Refused).await.is_ok() {
        let listener = TcpListener::bind(address).await.expect("the port of a proxy is nobody else's");
        is_listening.send_replace(true);
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((client, _)) = accepted {
                        carried.spawn(carry(client, wire.clone()));
                    }
                }
                Some(_) = carried.join_next() => {}
                _ = way.wait_for(|way| *way == Way::Refused) => break,
            }
        }
        drop(listener);
        is_listening.send_replace(false);
    }
}

/// Carries one connection to its end.
async fn carry(mut client: TcpStream, wire: Wire) {
    let Ok(mut server) = reach(wire.clone()).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let committing = AtomicBool::new(false);
    let ended = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let up = Pump { wire: wire.clone(), committing: &committing, up: true }.run(from_client, to_server);
        let down = Pump { wire, committing: &committing, up: false }.run(from_server, to_client);
        tokio::try_join!(up, down)
    };
    if ended.is_err() {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

async fn reach(mut wire: Wire) -> Result<TcpStream, Torn> {
    passable(&mut wire.way).await?;
    let target = *wire.target.borrow();
    Ok(TcpStream::connect(target).await?)
}

/// Waits until something may pass. Returns by how much it is to be late.
async fn passable(way: &mut watch::Receiver<Way>) -> Result<Duration, Torn> {
    // A proxy that is gone carries nothing.
    let way = way.wait_for(|way| *way != Way::Hanging).await.map_err(|_| Torn)?;
    match *way {
        Way::Refused | Way::Reset => Err(Torn),
        Way::Slow(delay) => Ok(delay),
        Way::Open | Way::Hanging | Way::CutAtCommit(_) => Ok(Duration::ZERO),
    }
}

/// One direction of a connection.
struct Pump<'c> {
    wire: Wire,
    /// The client has said COMMIT, and the way is to cut there.
    committing: &'c AtomicBool,
    /// From the client to the server.
    up: bool,
}

impl Pump<'_> {
    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), Torn> {
        let mut piece = vec![0; PIECE];
        loop {
            passable(&mut self.wire.way).await?;
            let length = tokio::select! {
                read = from.read(&mut piece) => read?,
                changed = self.wire.way.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Err(Torn),
                },
            };
            // It may have changed while there was nothing to read.
            sleep(passable(&mut self.wire.way).await?).await;
            if length == 0 {
                return Ok(to.shutdown().await?);
            }
            self.cut(&piece[..length]).await?;
            to.write_all(&piece[..length]).await?;
        }
    }

    /// Whether this piece still passes, where commits are cut.
    async fn cut(&mut self, piece: &[u8]) -> Result<(), Torn> {
        let Way::CutAtCommit(cut) = *self.wire.way.borrow() else { return Ok(()) };
        if self.up && piece.windows(COMMIT.len()).any(|window| window == COMMIT) {
            if cut == Cut::BeforeIt {
                return self.tear();
            }
            self.committing.store(true, Ordering::Relaxed);
        } else if !self.up && self.committing.load(Ordering::Relaxed) {
            if cut == Cut::Silence {
                self.wire.cuts.send_modify(|cuts| *cuts += 1);
                let mut way = self.wire.way.clone();
                let _ = way.wait_for(|way| *way != Way::CutAtCommit(cut)).await;
                return Err(Torn);
            }
            return self.tear();
        }
        Ok(())
    }

    fn tear(&self) -> Result<(), Torn> {
        self.wire.cuts.send_modify(|cuts| *cuts += 1);
        Err(Torn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    /// Says back what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn ask(stream: &mut TcpStream, word: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(word).await?;
        let mut answer = vec![0; word.len()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn what_hangs_goes_on_and_what_is_refused_or_reset_is_gone() {
        let proxy = Proxy::to(echo().await).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut stream, b"one").await.unwrap(), b"one");

        proxy.set(Way::Hanging).await;
        let mut asking = Box::pin(ask(&mut stream, b"two"));
        assert!(timeout(Duration::from_millis(50), &mut asking).await.is_err());
        proxy.set(Way::Open).await;
        assert_eq!(asking.await.unwrap(), b"two");

        proxy.set(Way::Refused).await;
        assert_eq!(ask(&mut stream, b"three").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        proxy.set(Way::Open).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut stream, b"four").await.unwrap(), b"four");
        proxy.set(Way::Reset).await;
        assert!(ask(&mut stream, b"five").await.is_err());
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(ask(&mut stream, b"six").await.is_err());
    }

    #[tokio::test]
    async fn a_wire_that_leads_elsewhere_keeps_the_connections_that_there_are() {
        let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::to(echo().await).await;
        let mut kept = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut kept, b"one").await.unwrap(), b"one");
        proxy.lead_to(elsewhere.local_addr().unwrap());
        let _new = TcpStream::connect(proxy.address()).await.unwrap();
        elsewhere.accept().await.unwrap();
        assert_eq!(ask(&mut kept, b"two").await.unwrap(), b"two");
    }

    #[tokio::test]
    async fn a_commit_is_cut_before_it_or_before_its_answer() {
        for cut in [Cut::BeforeIt, Cut::BeforeTheAnswer] {
            let proxy = Proxy::to(echo().await).await;
            proxy.set(Way::CutAtCommit(cut)).await;
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            assert_eq!(ask(&mut stream, b"BEGIN\0").await.unwrap(), b"BEGIN\0");
            assert!(ask(&mut stream, b"COMMIT\0").await.is_err());
            proxy.has_cut(1).await;
        }
    }

    #[tokio::test]
    async fn a_commit_that_is_followed_by_silence_is_reset_once_the_way_is_open() {
        let proxy = Proxy::to(echo().await).await;
        proxy.set(Way::CutAtCommit(Cut::Silence)).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let mut asking = Box::pin(ask(&mut stream, COMMIT));
        tokio::select! { _ = &mut asking => panic!("there was an answer"), () = proxy.has_cut(1) => {} }
        proxy.set(Way::Open).await;
        assert!(asking.await.is_err());
    }
}
