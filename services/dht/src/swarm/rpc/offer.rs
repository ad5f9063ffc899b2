//! The protocol ids of the network, and which of them to offer for a stream, in which order.
//!
//! Some networks changed their protocol id, and their peers speak both the old and the new one. A single protocol that
//! is offered is assumed to be accepted and costs no round trip (multistream-select, `V1Lazy`); if several are offered,
//! each refusal costs one. So once one has been agreed on a connection, only that one is offered there.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use libp2p::core::upgrade::{OutboundUpgrade, UpgradeInfo};
use libp2p::{Stream, StreamProtocol};

/// What to offer on a connection.
#[derive(Debug, Clone)]
pub(crate) struct Offer(Arc<[StreamProtocol]>);

impl Offer {
    pub(super) fn of(protocols: Vec<StreamProtocol>) -> Self {
        Self(protocols.into())
    }

    /// The peer has agreed to this one.
    pub(super) fn settle(&mut self, on: &StreamProtocol) {
        if self.0.len() > 1 {
            self.0 = [on.clone()].into();
        }
    }
}

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.to_vec()
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, agreed: StreamProtocol) -> Self::Future {
        ready(Ok((stream, agreed)))
    }
}
