//! A fake network on a clock that stands still while anybody is busy: which address is dialled when, and what is made of it.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::select_all;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use tokio::time::{Instant, sleep};

use super::*;

const TCP: &str = "/ip4/1.2.3.4/tcp/1";
const OTHER_TCP: &str = "/ip4/1.2.3.5/tcp/1";
const QUIC: &str = "/ip4/1.2.3.4/udp/1/quic-v1";
const TCP6: &str = "/ip6/2a00::1/tcp/1";
const QUIC6: &str = "/ip6/2a00::1/udp/1/quic-v1";

/// What becomes of a dial after how many milliseconds.
#[derive(Debug, Clone, Copy)]
enum Way {
    Answers(u64),
    Refuses(u64),
    SomebodyElse(u64),
}

/// A transport that connects to nobody, and notes which address was dialled when.
#[derive(Clone)]
struct Fake {
    ways: Arc<HashMap<Multiaddr, Way>>,
    expected: PeerId,
    dialled: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl Transport for Fake {
    type Output = Peer;
    type Error = io::Error;
    type ListenerUpgrade = BoxFuture<'static, io::Result<Peer>>;
    type Dial = BoxFuture<'static, io::Result<Peer>>;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let (_, address) = addresses::split_peer(&address).unwrap();
        self.dialled.lock().push((address.to_string(), Instant::now()));
        let (way, expected) = (self.ways[&address], self.expected);
        let muxer = || StreamMuxerBox::new(Nothing);
        Ok(async move {
            let (Way::Answers(millis) | Way::Refuses(millis) | Way::SomebodyElse(millis)) = way;
            sleep(Duration::from_millis(millis)).await;
            match way {
                Way::Answers(_) => Ok((expected, muxer())),
                Way::SomebodyElse(_) => Ok((PeerId::random(), muxer())),
                Way::Refuses(_) => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        }
        .boxed())
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Poll::Pending
    }
}

/// A connection on which nothing ever happens.
struct Nothing;

impl libp2p::core::StreamMuxer for Nothing {
    type Substream = futures::io::Cursor<Vec<u8>>;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<libp2p::core::muxing::StreamMuxerEvent>> {
        Poll::Pending
    }
}

/// Somebody who dials one peer at addresses with these ways.
struct Dialling {
    dialler: Dialler,
    fake: Fake,
    addresses: Vec<&'static str>,
}

/// How a dial of all addresses ended, after how long, and which were begun when.
type Ended = (Result<(), Vec<Failure>>, u128, Vec<(String, u128)>);

impl Dialling {
    fn of(ways: &[(&'static str, Way)]) -> Self {
        let by_address = ways.iter().map(|(address, way)| (address.parse().unwrap(), *way)).collect();
        let fake = Fake { ways: Arc::new(by_address), expected: PeerId::random(), dialled: Arc::default() };
        let dialler = Dialler::new(fake.clone().boxed(), Experience::default());
        Self { dialler, fake, addresses: ways.iter().map(|(address, _)| *address).collect() }
    }

    /// As the swarm does it: all are asked for, then waited for until one of them succeeds.
    async fn dial(&mut self) -> Ended {
        let addresses = self.addresses.clone();
        self.dial_at(&addresses).await
    }

    async fn dial_at(&mut self, addresses: &[&str]) -> Ended {
        let (started, options) = (Instant::now(), DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse });
        self.fake.dialled.lock().clear();
        let mut failures = Vec::new();
        let mut dials = Vec::new();
        for address in addresses {
            let address = address.parse::<Multiaddr>().unwrap().with_p2p(self.fake.expected).unwrap();
            match self.dialler.dial(address, options) {
                Ok(dial) => dials.push(dial),
                Err(TransportError::Other(failure)) => failures.push(failure),
                Err(TransportError::MultiaddrNotSupported(address)) => panic!("{address}"),
            }
        }
        let mut result = Err(vec![]);
        while !dials.is_empty() && result.is_err() {
            let (ended, _, others) = select_all(dials).await;
            dials = others;
            match ended {
                Ok((peer, _)) => {
                    assert_eq!(peer, self.fake.expected);
                    result = Ok(());
                }
                Err(failure) => failures.push(failure),
            }
        }
        let took = started.elapsed().as_millis();
        let begun =
            self.fake.dialled.lock().drain(..).map(|(address, at)| (address, (at - started).as_millis())).collect();
        (result.map_err(|_: Vec<Failure>| failures), took, begun)
    }
}

fn begun(expected: &[(&str, u128)]) -> Vec<(String, u128)> {
    expected.iter().map(|(address, millis)| ((*address).to_owned(), *millis)).collect()
}

#[tokio::test(start_paused = true)]
async fn who_answers_within_his_head_start_is_the_only_one_to_be_dialled() {
    let mut dialling = Dialling::of(&[(TCP, Way::Answers(10)), (QUIC, Way::Answers(200))]);
    assert_eq!(dialling.dial().await, (Ok(()), 200, begun(&[(QUIC, 0)])));
}

#[tokio::test(start_paused = true)]
async fn the_next_address_has_its_turn_when_all_under_way_have_failed_and_not_only_then() {
    let mut dialling = Dialling::of(&[(TCP, Way::Answers(10)), (QUIC, Way::Refuses(5))]);
    assert_eq!(dialling.dial().await, (Ok(()), 15, begun(&[(QUIC, 0), (TCP, 5)])));
    let mut dialling = Dialling::of(&[(TCP, Way::Answers(10)), (QUIC, Way::Refuses(5_000))]);
    assert_eq!(dialling.dial().await, (Ok(()), 260, begun(&[(QUIC, 0), (TCP, 250)])));
}

#[tokio::test(start_paused = true)]
async fn where_ipv6_has_no_route_it_costs_nothing() {
    let ways = [(TCP6, Way::Refuses(0)), (QUIC6, Way::Refuses(0)), (TCP, Way::Answers(7)), (QUIC, Way::Answers(7))];
    let mut dialling = Dialling::of(&ways);
    assert_eq!(dialling.dial().await, (Ok(()), 7, begun(&[(QUIC6, 0), (QUIC, 0)])));
}

#[tokio::test(start_paused = true)]
async fn somebody_else_at_one_address_does_not_hide_the_peer_at_another() {
    let mut dialling = Dialling::of(&[(TCP, Way::SomebodyElse(20)), (OTHER_TCP, Way::Answers(20))]);
    assert_eq!(dialling.dial().await, (Ok(()), 40, begun(&[(TCP, 0), (OTHER_TCP, 20)])));
    let mut dialling = Dialling::of(&[(TCP, Way::SomebodyElse(20))]);
    let (result, ..) = dialling.dial().await;
    assert!(matches!(&result.unwrap_err()[..], [Failure::WrongPeer(_)]));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_failed_is_left_alone_and_another_of_the_same_peer_is_not() {
    let mut dialling = Dialling::of(&[(TCP, Way::Refuses(5)), (OTHER_TCP, Way::Answers(5))]);
    assert!(dialling.dial_at(&[TCP]).await.0.is_err());
    assert_eq!(dialling.dial_at(&[TCP]).await, (Err(vec![Failure::BackOff]), 0, vec![]));
    assert_eq!(dialling.dial_at(&[TCP, OTHER_TCP]).await, (Ok(()), 5, begun(&[(OTHER_TCP, 0)])));
    dialling.dialler.experience.forget();
    assert_eq!(dialling.dial_at(&[TCP]).await.2, begun(&[(TCP, 0)]));
}

#[tokio::test(start_paused = true)]
async fn what_we_have_no_transport_for_is_said_at_once_and_holds_up_nobody() {
    const WEB: &str = "/ip4/1.2.3.4/udp/1/quic-v1/webtransport";
    const CIRCUIT: &str = "/ip4/1.2.3.4/tcp/1/p2p-circuit";
    let mut dialling = Dialling::of(&[(TCP, Way::Answers(5))]);
    assert_eq!(dialling.dial_at(&[WEB, CIRCUIT, TCP]).await, (Ok(()), 5, begun(&[(TCP, 0)])));
    let none = |name: &str| Failure::NoTransport(name.to_owned());
    assert_eq!(
        dialling.dial_at(&[WEB, CIRCUIT]).await,
        (Err(vec![none("webtransport"), none("p2p-circuit")]), 0, vec![])
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_udp_is_blocked_notices_and_leaves_quic_out() {
    let mut dialling = Dialling::of(&[(TCP, Way::Answers(10)), (QUIC, Way::Refuses(5_000))]);
    let mut took = Vec::new();
    for _ in 0..60 {
        took.push(dialling.dial().await.1);
        // Cancelled dials are no reason for a back-off; what counts here is the way, not the address.
    }
    assert_eq!(took[..20], [260; 20]);
    // One in twenty looks whether it works again.
    let late = took[20..].iter().filter(|millis| **millis == 260).count();
    assert_eq!((late, took[20..].iter().filter(|millis| **millis == 10).count()), (2, 38), "{took:?}");
    // Where there is nothing else, it is tried.
    assert_eq!(dialling.dial_at(&[QUIC]).await.2, begun(&[(QUIC, 0)]));
}
