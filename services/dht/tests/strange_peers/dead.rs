//! Addresses at which nobody answers, each in a way of its own.

use std::time::Duration;

use parsec_dht::Identity;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a connection on loopback may take before the port counts as a black hole.
const CONNECTED_WITHIN: Duration = Duration::from_millis(200);

/// More calls than a listener without a backlog takes.
const CALLS: usize = 16;

/// A dead peer. Its sockets live as long as this.
pub(crate) struct Dead {
    pub(crate) what: &'static str,
    /// Where it does not answer.
    pub(crate) address: String,
    _sockets: Vec<Box<dyn Send + Sync>>,
}

impl Dead {
    fn new(what: &'static str, place: String, sockets: Vec<Box<dyn Send + Sync>>) -> Self {
        let address = format!("/ip4/127.0.0.1/{place}/p2p/{}", Identity::generate().peer_id());
        Self { what, address, _sockets: sockets }
    }

    /// Nobody listens at its port.
    pub(crate) fn refused() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self::new("refused", format!("tcp/{port}"), vec![Box::new(socket)])
    }

    /// Calls to it are lost: its backlog is full, and Linux drops what does not fit into one.
    pub(crate) async fn black_hole() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut sockets: Vec<Box<dyn Send + Sync>> = vec![Box::new(listener)];
        for _ in 0..CALLS {
            match timeout(CONNECTED_WITHIN, TcpStream::connect(address)).await {
                Ok(call) => sockets.push(Box::new(call.unwrap())),
                Err(_) => return Self::new("black hole", format!("tcp/{}", address.port()), sockets),
            }
        }
        panic!("a listener without a backlog took {CALLS} calls");
    }

    /// What is sent to it over QUIC is never read.
    pub(crate) async fn quic() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        Self::new("dead QUIC", format!("udp/{port}/quic-v1"), vec![Box::new(socket)])
    }

    /// It takes calls and never says a word.
    pub(crate) async fn mute() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut holding = JoinSet::new();
        holding.spawn(async move {
            let mut calls = Vec::new();
            while let Ok((call, _)) = listener.accept().await {
                calls.push(call);
            }
        });
        Self::new("mute", format!("tcp/{port}"), vec![Box::new(holding)])
    }

    /// One of each kind.
    pub(crate) async fn of_each_kind() -> Vec<Self> {
        vec![Self::refused(), Self::black_hole().await, Self::quic().await, Self::mute().await]
    }
}
