//! A detour for the datagrams of one QUIC connection, which makes them as late as a local network wants them.
//!
//! A QUIC connection cannot be prolonged as a TCP connection can, because its socket belongs to the library. So the
//! dialler is sent to a socket of the relay, which passes each datagram on when its time has come.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::latency::Link;

/// How many datagrams may be under way in one direction; one too many is lost, as in a router. About 1.4 MB.
const MAX_UNDER_WAY: usize = 1_024;

/// The longest datagram there is.
const MAX_DATAGRAM: usize = 65_535;

/// How long a connection may be silent. QUIC connections of libp2p are kept alive every 5 s and given up after 10 s.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// How long the ends of a connection that is over may take to say so, beyond the way to the other side.
const FAREWELL: Duration = Duration::from_secs(1);

/// A relay that has not begun.
#[derive(Debug)]
pub(super) struct Relay {
    /// Towards the dialler.
    near: UdpSocket,
    /// Towards the listener.
    far: UdpSocket,
    target: SocketAddr,
    link: Link,
}

/// Keeps a relay going. Dropping it ends the relay once the last datagrams have been delivered.
#[derive(Debug)]
pub(super) struct Kept(#[allow(dead_code, reason = "dropped, never used")] oneshot::Sender<()>);

/// Datagrams under way in one direction, first due first.
#[derive(Debug, Default)]
struct UnderWay(VecDeque<(Instant, Vec<u8>)>);

impl UnderWay {
    fn push(&mut self, due: Instant, datagram: &[u8]) {
        if self.0.len() < MAX_UNDER_WAY {
            self.0.push_back((due, datagram.to_vec()));
        }
    }

    fn due(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        self.due().filter(|due| *due <= Instant::now())?;
        self.0.pop_front().map(|(_, datagram)| datagram)
    }
}

impl Relay {
    /// A relay to a listener's address. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// No socket is to be had.
    pub(super) fn to(target: SocketAddr, link: Link) -> io::Result<Self> {
        let (loopback, any): (IpAddr, IpAddr) = match target {
            SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into()),
            SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into()),
        };
        Ok(Self { near: bind(loopback)?, far: bind(any)?, target, link })
    }

    /// Where the dialler has to dial instead.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.near.local_addr()
    }

    /// Begins, in a task of its own, which ends by itself when the connection has fallen silent, and soon after what is
    /// returned has been dropped or the network has.
    pub(super) fn begin(self, closed: impl Future<Output = ()> + Send + 'static) -> Kept {
        let (kept, dropped) = oneshot::channel::<()>();
        tokio::spawn(self.run(async move {
            tokio::select! {
                _ = dropped => {}
                () = closed => {}
            }
        }));
        Kept(kept)
    }

    async fn run(self, over: impl Future<Output = ()>) {
        tokio::pin!(over);
        let (mut there, mut back) = (UnderWay::default(), UnderWay::default());
        let (mut from_near, mut from_far) = (vec![0; MAX_DATAGRAM], vec![0; MAX_DATAGRAM]);
        let mut dialler = None;
        let (mut until, mut farewell) = (Instant::now() + MAX_IDLE, None);
        loop {
            let ends = farewell.map_or(until, |farewell| until.min(farewell));
            let wake = [there.due(), back.due()].into_iter().flatten().min().map_or(ends, |due| due.min(ends));
            // Errors of a UDP socket tell of one datagram that did not arrive, which QUIC finds out by itself.
            tokio::select! {
                Ok((count, from)) = self.near.recv_from(&mut from_near) => {
                    if *dialler.get_or_insert(from) == from {
                        until = Instant::now() + MAX_IDLE;
                        there.push(Instant::now() + self.link.there, &from_near[..count]);
                    }
                }
                Ok((count, from)) = self.far.recv_from(&mut from_far) => {
                    if from == self.target {
                        until = Instant::now() + MAX_IDLE;
                        back.push(Instant::now() + self.link.back, &from_far[..count]);
                    }
                }
                () = &mut over, if farewell.is_none() => {
                    farewell = Some(Instant::now() + self.link.there + FAREWELL);
                }
                () = sleep_until(wake) => {
                    while let Some(datagram) = there.pop() {
                        let _ = self.far.try_send_to(&datagram, self.target);
                    }
                    while let (Some(dialler), Some(datagram)) = (dialler, back.pop()) {
                        let _ = self.near.try_send_to(&datagram, dialler);
                    }
                    if Instant::now() >= ends {
                        return;
                    }
                }
            }
        }
    }
}

fn bind(ip: IpAddr) -> io::Result<UdpSocket> {
    let socket = StdSocket::bind((ip, 0))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn socket() -> UdpSocket {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
    }

    #[tokio::test]
    async fn a_datagram_and_its_answer_are_as_late_as_the_link_is_long() {
        let link = Link::of(Duration::from_millis(51));
        let (dialler, listener) = (socket().await, socket().await);
        let relay = Relay::to(listener.local_addr().unwrap(), link).unwrap();
        let address = relay.address().unwrap();
        let _kept = relay.begin(std::future::pending());

        let started = Instant::now();
        dialler.send_to(b"ask", address).await.unwrap();
        let mut heard = [0; 16];
        let (count, from) = listener.recv_from(&mut heard).await.unwrap();
        assert_eq!(&heard[..count], b"ask");
        assert!(started.elapsed() >= link.there, "{:?}", started.elapsed());
        listener.send_to(b"say", from).await.unwrap();
        let (count, _) = dialler.recv_from(&mut heard).await.unwrap();
        assert_eq!(&heard[..count], b"say");
        assert!(started.elapsed() >= link.round_trip(), "{:?}", started.elapsed());
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let mut under_way = UnderWay::default();
        for _ in 0..2 * MAX_UNDER_WAY {
            under_way.push(Instant::now(), b"datagram");
        }
        assert_eq!(under_way.0.len(), MAX_UNDER_WAY);
    }

    async fn relays_end(baseline: usize) {
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > baseline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// On a paused clock the time-outs pass at once, and a relay that did not end would hang the test.
    #[tokio::test(start_paused = true)]
    async fn a_relay_ends_when_it_is_dropped_and_when_it_is_idle_and_with_the_network() {
        let listener = socket().await;
        let relay = || Relay::to(listener.local_addr().unwrap(), Link::of(Duration::from_millis(10))).unwrap();
        let started = Instant::now();
        drop(relay().begin(std::future::pending()));
        relays_end(0).await;
        assert!((FAREWELL..MAX_IDLE).contains(&started.elapsed()), "dropped: {:?}", started.elapsed());

        let (started, _kept) = (Instant::now(), relay().begin(std::future::pending()));
        relays_end(0).await;
        assert!(started.elapsed() >= MAX_IDLE, "idle: {:?}", started.elapsed());

        let (started, _kept) = (Instant::now(), relay().begin(std::future::ready(())));
        relays_end(0).await;
        assert!((FAREWELL..MAX_IDLE).contains(&started.elapsed()), "network gone: {:?}", started.elapsed());
    }
}
