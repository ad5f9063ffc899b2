//! TCP on loopback with the delays of a local network.
//!
//! The dialler's side of a connection is prolonged: what it reads and writes passes through a [`pipe`] with the delays
//! of both ways. The listener's side is plain TCP, so that its peer could be any.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, Ready};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, TryFutureExt};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::tcp::tokio::TcpStream;
use libp2p::{Multiaddr, Transport, tcp};

use super::pipe::{self, End};
use super::roads::Attachment;

/// The transport of one peer.
pub(super) struct TcpTransport {
    attachment: Attachment,
    inner: tcp::tokio::Transport,
}

impl TcpTransport {
    pub(super) fn new(attachment: Attachment) -> Self {
        Self { attachment, inner: tcp::tokio::Transport::new(tcp::Config::default()) }
    }
}

impl Transport for TcpTransport {
    type Output = Either<TcpStream, End>;
    type Error = io::Error;
    type ListenerUpgrade = BoxFuture<'static, io::Result<Self::Output>>;
    type Dial = BoxFuture<'static, io::Result<Self::Output>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let route = self.attachment.route(&address);
        let dial = self.inner.dial(address, options)?;
        let closed = self.attachment.roads.closed();
        let dial = async move {
            let stream = route.travel(dial).await?;
            if route.link.round_trip().is_zero() {
                return Ok(Either::Left(stream));
            }
            let (near, far) = pipe::pair(route.link);
            tokio::spawn(async move {
                tokio::select! {
                    () = carry(stream, far) => {}
                    () = closed => {}
                }
            });
            Ok(Either::Right(near))
        };
        Ok(dial.boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let event = Pin::new(&mut self.inner).poll(context);
        self.attachment.enter_if_new(&event);
        event.map(|event| event.map_upgrade(|upgrade: Ready<_>| upgrade.map_ok(Either::Left).boxed()))
    }
}

/// Carries bytes between a connection and the far end of its prolongation, until the near end has been dropped and all
/// that it wrote has been delivered, or until the connection has ended.
async fn carry(stream: TcpStream, far: End) {
    let abandoned = far.abandoned();
    let (incoming, mut outgoing) = stream.split();
    let (from_near, mut to_near) = far.split();
    let outward = async {
        // An end in one direction shows in the other as well: nobody needs to be told which error it was.
        let _ = futures::io::copy(from_near, &mut outgoing).await;
        let _ = outgoing.close().await;
        // Half closed: the other side may still have something to say, as long as somebody listens.
        abandoned.await;
    };
    let inward = async {
        let _ = futures::io::copy(incoming, &mut to_near).await;
        let _ = to_near.close().await;
    };
    // After the end of what comes in, what goes out is still delivered.
    tokio::select! {
        () = outward => {}
        () = async { inward.await; std::future::pending().await } => {}
    }
}
