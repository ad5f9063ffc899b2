//! The last check of an address before it is dialled, after DNS: whatever requested the dial, and whatever name was
//! resolved. May it be dialled, and is there a route to it?

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::core::transport::{Boxed, DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::{Multiaddr, Transport};
use thiserror::Error;

use crate::swarm::dial::check_route;
use crate::wire::reach::Reach;

/// A stranger's address that leads into our own network.
#[derive(Debug, Error)]
#[error("{0} is not a public address, but the network is public")]
struct NotPublic(Multiaddr);

/// A transport that dials what [`Reach`] permits.
pub(crate) struct Gate<O> {
    inner: Boxed<O>,
    reach: Reach,
}

impl<O> Gate<O> {
    pub(crate) fn new(inner: Boxed<O>, reach: Reach) -> Self {
        Self { inner, reach }
    }
}

impl<O> Transport for Gate<O> {
    type Output = O;
    type Error = io::Error;
    type ListenerUpgrade = <Boxed<O> as Transport>::ListenerUpgrade;
    type Dial = <Boxed<O> as Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        if !self.reach.permits_resolved(&address) {
            let refused = io::Error::new(io::ErrorKind::PermissionDenied, NotPublic(address));
            return Err(TransportError::Other(refused));
        }
        check_route(&address).map_err(TransportError::Other)?;
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use libp2p::PeerId;
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;
    use libp2p::core::transport::dummy::DummyTransport;

    use super::*;
    use crate::wire::reach::PrivatePeers;

    /// Why a dial was not even tried.
    fn refusal(gate: &mut Gate<()>, address: &str) -> String {
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
        let address: Multiaddr = address.parse().unwrap();
        match gate.dial(address.with_p2p(PeerId::random()).unwrap(), options) {
            // What stands behind the gate dials nothing, and says so in other words.
            Err(TransportError::MultiaddrNotSupported(_)) => "passed".to_owned(),
            Err(TransportError::Other(error)) => error.to_string(),
            Ok(_) => panic!("the dummy has dialled"),
        }
    }

    #[test]
    fn on_a_public_network_no_dial_leads_into_our_own_whoever_wanted_it() {
        let reach = Reach::of(PrivatePeers::Ignore, &[], Ipv4Addr::UNSPECIFIED.into());
        let mut gate = Gate::new(DummyTransport::<()>::new().boxed(), reach);
        assert_eq!(refusal(&mut gate, "/ip4/1.2.3.4/tcp/4001"), "passed");
        for private in ["/ip4/127.0.0.1/tcp/1", "/ip4/169.254.169.254/tcp/80", "/ip6/fd00::1/udp/1/quic-v1"] {
            assert!(refusal(&mut gate, private).contains("is not a public address"), "{private}");
        }
        let mut gate = Gate::new(DummyTransport::<()>::new().boxed(), Reach::anywhere());
        assert_eq!(refusal(&mut gate, "/ip4/127.0.0.1/tcp/1"), "passed");
    }
}
