//! Connections within this process, on `/memory/N` addresses, with the delays of a local network on tokio's clock.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Transport};
use tokio::sync::mpsc;

use super::pipe::{self, Caller, End};
use super::roads::{Attachment, Roads};
use super::turns::Waits;

/// How many calls may wait to be taken, as the backlog of libp2p's TCP listeners.
const BACKLOG: usize = 1_024;

/// The transport of one peer.
pub(super) struct MemoryTransport {
    attachment: Attachment,
    listeners: Vec<Listener>,
    events: VecDeque<TransportEvent<Ready<io::Result<End>>, io::Error>>,
}

struct Listener {
    id: ListenerId,
    port: u64,
    callers: mpsc::Receiver<Caller>,
    roads: Arc<Roads>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.roads.hang_up(self.port);
    }
}

impl MemoryTransport {
    pub(super) fn new(attachment: Attachment) -> Self {
        Self { attachment, listeners: Vec::new(), events: VecDeque::new() }
    }
}

/// The port of `/memory/N` or `/memory/N/p2p/…`.
fn port_of(address: &Multiaddr) -> Option<u64> {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Memory(port)), None | Some(Protocol::P2p(_))) => Some(port),
        _ => None,
    }
}

impl Transport for MemoryTransport {
    type Output = End;
    type Error = io::Error;
    type ListenerUpgrade = Ready<io::Result<End>>;
    type Dial = BoxFuture<'static, io::Result<End>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        let port = port_of(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let roads = Arc::clone(&self.attachment.roads);
        let (sender, callers) = mpsc::channel(BACKLOG);
        roads.listen(port, sender).map_err(TransportError::Other)?;
        let listen_addr = Multiaddr::from(Protocol::Memory(port));
        self.attachment.enter(&listen_addr);
        self.listeners.push(Listener { id, port, callers, roads });
        self.events.push_back(TransportEvent::NewAddress { listener_id: id, listen_addr });
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let Some(index) = self.listeners.iter().position(|listener| listener.id == id) else { return false };
        self.listeners.remove(index);
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        true
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let route = self.attachment.route(&address);
        let port = port_of(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let roads = Arc::clone(&self.attachment.roads);
        let from = roads.free_port();
        let seat = move |waits| roads.turn(route.link, (from, waits));
        let (roads, [dialling, near, far]) =
            (Arc::clone(&self.attachment.roads), [Waits::Dial, Waits::Near, Waits::Far].map(seat));
        let dial = async move {
            // Both learn of the connection together. A listener that spoke first could be heard too soon, but in libp2p
            // the dialler has the first word.
            let travelled = route.travel(ready(Ok(()))).await;
            if let Some(turn) = dialling {
                turn.comes().await;
            }
            travelled?;
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let listener = roads.listener(port).ok_or_else(refused)?;
            let (near, connection) = pipe::pair_in_turns(route.link, [near, far]);
            listener.send(Caller { connection, port: from }).await.map_err(|_| refused())?;
            Ok(near)
        };
        Ok(dial.boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        for listener in &mut self.listeners {
            // The other side of the channel is on the map until the listener is dropped, so that it does not end.
            if let Poll::Ready(Some(caller)) = listener.callers.poll_recv(context) {
                return Poll::Ready(TransportEvent::Incoming {
                    listener_id: listener.id,
                    upgrade: ready(Ok(caller.connection)),
                    local_addr: Protocol::Memory(listener.port).into(),
                    send_back_addr: Protocol::Memory(caller.port).into(),
                });
            }
        }
        Poll::Pending
    }
}
