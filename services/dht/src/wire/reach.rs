//! Which addresses may be dialled: on a public network, addresses named by strangers must be public.
//!
//! Peers announce all addresses of their interfaces, 127.0.0.1 and 192.168.0.7 included. Dialled from here, these lead
//! to machines of our own network: the dial fails for the wrong reason, or a stranger makes us connect to services
//! behind our firewall. [`Reach`] is checked wherever such addresses come in (the address book, provider records, what
//! others say our own address is) and again before a dial (`rpc`, `serving`, and after DNS by the `gate`, since a
//! public name may stand for a private address). What the operator configured is always dialled.
//!
//! Go does the same for its public DHT: `manet.IsPublicAddr` (go-multiaddr `net/private.go`) as its `AddressFilter`
//! (go-libp2p-kad-dht `dual/dual.go`), and peers without a public address are not asked (`dht_filters.go`,
//! `PublicQueryFilter`). Differences: that filter of Go's takes no DNS name for public, so that a peer with names alone is
//! never asked, and nobody there looks at what a name stands for; 6to4 and the well-known NAT64 prefix are public in Go
//! whatever IPv4 address they hold, and so is NAT64 of local use.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::wire::addresses::{is_loopback, is_unspecified, split_peer};
use crate::wire::messages::NamedPeer;

/// What to do with private, loopback and other addresses of strangers that are not public.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PrivatePeers {
    /// As the bootstrap peers suggest: a network is public if there are any, each at a public address or name.
    #[default]
    Auto,
    /// Dial them all.
    Dial,
    /// Ignore them on every network.
    Ignore,
}

/// How far a network extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Public,
    /// Several machines. A loopback address leads each of them to itself.
    Site,
    Machine,
}

/// Which addresses may be dialled; see the module's documentation.
#[derive(Debug, Clone)]
pub struct Reach(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    extent: Extent,
    /// What the operator configured, without `/p2p/…`.
    configured: HashSet<Multiaddr>,
    /// Peers whom the operator configured by a DNS name, whatever that stands for.
    named: HashSet<PeerId>,
}

impl Reach {
    /// What `private_peers` means to a node that listens at an address and joins through these peers.
    pub(crate) fn of(private_peers: PrivatePeers, bootstrap: &[NamedPeer], listen_ip: IpAddr) -> Self {
        let mut addresses = bootstrap.iter().flat_map(|peer| &peer.addresses).peekable();
        let extent = match private_peers {
            PrivatePeers::Dial => Extent::Machine,
            PrivatePeers::Ignore => Extent::Public,
            PrivatePeers::Auto if addresses.peek().is_none() && listen_ip.is_loopback() => Extent::Machine,
            PrivatePeers::Auto if addresses.peek().is_none() => Extent::Site,
            PrivatePeers::Auto if addresses.clone().any(is_loopback) => Extent::Machine,
            PrivatePeers::Auto if addresses.clone().all(is_public) => Extent::Public,
            PrivatePeers::Auto => Extent::Site,
        };
        let by_name = |peer: &&NamedPeer| peer.addresses.iter().any(|address| host_name(address).is_some());
        let named = bootstrap.iter().filter(by_name).map(|peer| peer.id).collect();
        Self(Arc::new(Inner { extent, configured: addresses.map(without_peer).collect(), named }))
    }

    /// Every address may be dialled, as on a network within one machine.
    pub(crate) fn anywhere() -> Self {
        Self::of(PrivatePeers::Dial, &[], Ipv4Addr::LOCALHOST.into())
    }

    /// Whether strangers' addresses must be public.
    pub(crate) fn is_public(&self) -> bool {
        self.0.extent == Extent::Public
    }

    /// Whether this address may be dialled, whoever named it.
    pub(crate) fn permits(&self, address: &Multiaddr) -> bool {
        let fits = match self.0.extent {
            Extent::Public => is_public(address),
            Extent::Site => !is_loopback(address) && !is_unspecified(address),
            Extent::Machine => true,
        };
        fits || self.0.configured.contains(&without_peer(address))
    }

    /// The same for an address to which a DNS name may have been resolved.
    pub(crate) fn permits_resolved(&self, address: &Multiaddr) -> bool {
        self.permits(address) || split_peer(address).is_some_and(|(peer, _)| self.0.named.contains(&peer))
    }
}

fn without_peer(address: &Multiaddr) -> Multiaddr {
    split_peer(address).map_or_else(|| address.clone(), |(_, rest)| rest)
}

fn host_name<'a>(address: &'a Multiaddr) -> Option<std::borrow::Cow<'a, str>> {
    match address.iter().next() {
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) | Protocol::Dnsaddr(name)) => Some(name),
        _ => None,
    }
}

/// Whether an address leads to a place that is the same from everywhere: an address of the public internet, or a name in
/// the public DNS.
pub(crate) fn is_public(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => is_public_ipv4(ip),
        Some(Protocol::Ip6(ip)) => is_public_ipv6(ip),
        _ => host_name(address).is_some_and(|name| is_public_name(&name)),
    }
}

/// The special-purpose blocks of IPv4 that are not globally reachable (IANA's registry, RFC 6890), the multicast and reserved
/// ones, and the withdrawn anycast address of 6to4: first address, length of the prefix.
const SPECIAL_IPV4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

fn is_public_ipv4(ip: Ipv4Addr) -> bool {
    let within = |(first, length): &([u8; 4], u32)| (ip.to_bits() ^ u32::from_be_bytes(*first)) >> (32 - length) == 0;
    !SPECIAL_IPV4.iter().any(within)
}

/// Global unicast is 2000::/3. Within it lie IETF protocol assignments with Teredo (2001::/23) and two blocks for
/// documentation. An address that holds an IPv4 address (mapped, 6to4, NAT64 with the well-known prefix) is as public as that.
fn is_public_ipv6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let ipv4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => is_public_ipv4(ipv4(g, h)),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => is_public_ipv4(ipv4(g, h)),
        (0x2002, _) => is_public_ipv4(ipv4(b, c)),
        (0x2001, 0x0000..0x0200 | 0x0db8) => false,
        (0x3fff, 0x0000..0x1000) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

/// Names that mean nothing, or something else, in the public DNS: those of special use (RFC 6761, 6762, 8375), and those that
/// ICANN keeps free for private use; besides those of Kubernetes' services.
const PRIVATE_NAMES: &[&str] =
    &["localhost", "local", "internal", "test", "invalid", "arpa", "home", "corp", "mail", "lan", "svc"];

/// A name of one word is a container's or a host's nearby. (No top-level domain has an address of its own to dial.)
fn is_public_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    // An IP address in the place of a name is none, and a top-level domain is no number.
    !PRIVATE_NAMES.iter().any(|private| last.eq_ignore_ascii_case(private))
        && !last.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests;
