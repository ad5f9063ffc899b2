//! A peer on the network: what its swarm is made of, the task that owns it, and requests to chosen peers.
//!
//! From the bottom up: [`underlay`] is what carries connections, [`internet`] the real one with its [`gate`], and [`ends`] tells a
//! clean end of a stream from a reset; [`dial`] says whose turn it is among a peer's addresses. [`limits`], [`doors`], [`room`],
//! [`streams`], [`shares`] and [`warmth`] bound what others and we ourselves may cost. [`rpc`] is one request to one peer. [`serving`] is
//! libp2p-kad with its [`records`], [`tap`] what is seen of its own lookups.
//! [`build`] puts a swarm together, and [`driver`] owns it.

pub(crate) mod bootstrap;
pub(crate) mod build;
pub(crate) mod candidates;
pub(crate) mod confirmation;
pub(crate) mod dial;
pub(crate) mod doors;
pub(crate) mod driver;
pub(crate) mod ends;
pub(crate) mod gate;
pub(crate) mod identity;
pub(crate) mod internet;
pub(crate) mod limits;
pub(crate) mod ports;
pub(crate) mod records;
pub(crate) mod room;
pub(crate) mod rpc;
pub(crate) mod serving;
pub(crate) mod shares;
pub(crate) mod streams;
pub(crate) mod tap;
pub(crate) mod underlay;
pub(crate) mod warmth;
