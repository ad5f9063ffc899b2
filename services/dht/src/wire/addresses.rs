//! Multiaddresses as they come in from the wire and from configuration.

use std::collections::VecDeque;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// How many addresses of one peer are kept. Go peers announce up to a dozen (two transports, IPv4 and IPv6, a few
/// ports, relays); more than this is noise or malice.
pub(crate) const MAX_PER_PEER: usize = 16;

/// The longest address that is looked at. WebTransport behind a relay, with two certificate hashes and two peer ids, takes
/// about 200 bytes; without a bound a DNS name alone could fill a message.
pub(crate) const MAX_ADDRESS_BYTES: usize = 256;

/// Splits `…/p2p/ID` into the address to dial and the peer that should answer there.
pub(crate) fn split_peer(address: &Multiaddr) -> Option<(PeerId, Multiaddr)> {
    let mut rest = address.clone();
    match rest.pop() {
        Some(Protocol::P2p(peer)) => Some((peer, rest)),
        _ => None,
    }
}

/// Whether our transports can dial this at all: TCP, WebSocket over it with or without TLS, QUIC or this process's own memory,
/// neither relays nor browsers' transports, and at most [`MAX_ADDRESS_BYTES`] long.
pub(crate) fn is_dialable(address: &Multiaddr) -> bool {
    if address.len() > MAX_ADDRESS_BYTES {
        return false;
    }
    let mut parts: Vec<Protocol<'_>> = address.iter().collect();
    if let Some(Protocol::P2p(_)) = parts.last() {
        parts.pop();
    }
    let Some((host, transport)) = parts.split_first() else { return false };
    match host {
        Protocol::Memory(_) => transport.is_empty(),
        Protocol::Dnsaddr(_) if transport.is_empty() => true,
        Protocol::Ip4(_)
        | Protocol::Ip6(_)
        | Protocol::Dns(_)
        | Protocol::Dns4(_)
        | Protocol::Dns6(_)
        | Protocol::Dnsaddr(_) => is_our_transport(transport),
        _ => false,
    }
}

fn is_our_transport(parts: &[Protocol<'_>]) -> bool {
    match parts {
        [Protocol::Udp(_), Protocol::QuicV1] => true,
        // A secure WebSocket is written in three ways (multiaddr specification, `wss`, `tls/ws`, `tls/sni/NAME/ws`).
        [Protocol::Tcp(_), web @ ..] => matches!(
            web,
            [] | [Protocol::Ws(_)]
                | [Protocol::Wss(_)]
                | [Protocol::Tls, Protocol::Ws(_)]
                | [Protocol::Tls, Protocol::Sni(_), Protocol::Ws(_)]
        ),
        _ => false,
    }
}

/// The name of an address's transport, for those that we do not have: the outermost protocol that says how to speak.
pub(crate) fn transport_of(address: &Multiaddr) -> String {
    let names_a_transport = |part: &Protocol<'_>| {
        !matches!(part, Protocol::P2p(_) | Protocol::Certhash(_) | Protocol::Sni(_) | Protocol::Http)
    };
    let parts: Vec<_> = address.iter().collect();
    match parts.iter().rev().find(|part| names_a_transport(part)) {
        _ if parts.contains(&Protocol::P2pCircuit) => Protocol::P2pCircuit.tag().to_owned(),
        Some(part) if address.len() <= MAX_ADDRESS_BYTES => part.tag().to_owned(),
        _ => "an address that is too long".to_owned(),
    }
}

/// Whether an address leads to the same machine that dials it.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        Some(Protocol::Memory(_)) => true,
        _ => false,
    }
}

/// Whether an address stands for whatever addresses a DNS record lists.
pub(crate) fn is_dnsaddr(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Dnsaddr(_)))
}

/// Whether an address has to be looked up in the DNS before it can be dialled.
pub(crate) fn is_name(address: &Multiaddr) -> bool {
    matches!(
        address.iter().next(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_))
    )
}

/// Whether a listener is bound to all interfaces, so that its address is useless to others.
pub(crate) fn is_unspecified(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => ip.is_unspecified(),
        _ => false,
    }
}

/// Under which addresses to announce a node: those that were confirmed, and the listeners at the same hosts, since the first
/// transport to be confirmed must not hide the others; without any, the listeners alone. Go announces its listeners always.
pub(crate) fn announced<'a>(
    confirmed: impl Iterator<Item = &'a Multiaddr>,
    listening: impl Iterator<Item = &'a Multiaddr>,
) -> Vec<Multiaddr> {
    let mut announced: Vec<Multiaddr> = confirmed.cloned().collect();
    let mut listening: Vec<&Multiaddr> = listening.filter(|address| !is_unspecified(address)).collect();
    if !announced.is_empty() {
        let host = |address: &Multiaddr| address.iter().next().map(Protocol::acquire);
        let hosts: Vec<_> = announced.iter().map(host).collect();
        listening.retain(|address| hosts.contains(&host(address)) && !announced.contains(address));
    }
    announced.extend(listening.into_iter().cloned());
    announced.truncate(MAX_PER_PEER);
    announced
}

/// Whether somebody who dials this address can arrive at one of the listeners: only if one listens in the same way. From a
/// socket of another kind (QUIC over IPv6 where we listen on IPv4 alone) we only dial, and all whom we dial see the same port.
pub(crate) fn could_lead_here<'a>(observed: &Multiaddr, mut listening: impl Iterator<Item = &'a Multiaddr>) -> bool {
    listening.any(|listener| listener.protocol_stack().eq(observed.protocol_stack()))
}

/// How many peers must have seen us under an address before we announce it (Go: `ActivationThresh` of its observed addresses).
const OBSERVERS_NEEDED: usize = 4;

/// How many addresses that others have seen us under are announced at a time. A node has one or two, each over TCP and QUIC;
/// the oldest give way, as those of a provider that changes them every night should.
const MAX_CONFIRMED: usize = 8;

/// How many addresses are weighed at once. Behind a NAT that gives each connection a port of its own, every
/// observation is another address; the oldest give way.
const MAX_CANDIDATES: usize = 64;

/// What peers say our address is. A node that listens on every interface, or behind a NAT, learns it from them.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    candidates: Vec<(Multiaddr, Vec<PeerId>)>,
    confirmed: VecDeque<Multiaddr>,
}

impl Observed {
    /// Counts one peer's observation; true if the address has just become credible.
    pub(crate) fn note(&mut self, address: Multiaddr, by: PeerId) -> bool {
        if let Some((_, observers)) = self.candidates.iter_mut().find(|(known, _)| *known == address) {
            if observers.len() >= OBSERVERS_NEEDED || observers.contains(&by) {
                return false;
            }
            observers.push(by);
            return observers.len() == OBSERVERS_NEEDED;
        }
        if self.candidates.len() == MAX_CANDIDATES {
            self.candidates.remove(0);
        }
        self.candidates.push((address, vec![by]));
        false
    }

    /// An address is announced from now on. Another that gives way to it is returned.
    pub(crate) fn confirm(&mut self, address: Multiaddr) -> Option<Multiaddr> {
        self.confirmed.retain(|known| *known != address);
        self.confirmed.push_back(address);
        if self.confirmed.len() > MAX_CONFIRMED { self.confirmed.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_and_quic_are_dialable_and_relays_are_not() {
        let dialable = |text: &str| is_dialable(&text.parse().unwrap());
        for yes in [
            "/ip4/1.2.3.4/tcp/4001",
            "/ip6/::1/udp/4001/quic-v1",
            "/dns4/example.org/tcp/4001",
            "/dnsaddr/bootstrap.libp2p.io",
            "/memory/7",
            "/ip4/1.2.3.4/tcp/4001/ws",
            "/dns4/example.org/tcp/443/wss",
            "/dns4/example.org/tcp/443/wss/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
            "/dns4/example.org/tcp/443/tls/ws",
            "/ip4/1.2.3.4/tcp/4001/tls/sni/example.libp2p.direct/ws",
        ] {
            assert!(dialable(yes), "{yes}");
        }
        for no in [
            "/ip4/1.2.3.4/udp/4001/quic-v1/webtransport",
            "/ip4/1.2.3.4/tcp/4001/tls",
            "/ip4/1.2.3.4/tcp/4001/ws/tcp/1",
            "/ip4/1.2.3.4/udp/4001/webrtc-direct",
            "/ip4/1.2.3.4/udp/4001/quic",
            "/ip4/1.2.3.4/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ/p2p-circuit",
            "/memory/7/tcp/4001",
        ] {
            assert!(!dialable(no), "{no}");
        }
    }

    #[test]
    fn a_transport_that_is_not_ours_has_a_name() {
        for (address, name) in [
            ("/ip4/1.2.3.4/udp/4001/quic-v1/webtransport", "webtransport"),
            ("/ip4/1.2.3.4/udp/4001/webrtc-direct", "webrtc-direct"),
            ("/ip4/1.2.3.4/udp/4001/quic", "quic"),
            (
                "/ip4/1.2.3.4/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ/p2p-circuit/p2p/\
                 QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
                "p2p-circuit",
            ),
        ] {
            assert_eq!(transport_of(&address.parse().unwrap()), name);
        }
    }

    #[test]
    fn an_address_that_is_too_long_is_not_dialable() {
        let name = |length: usize| format!("/dnsaddr/{}", "a".repeat(length)).parse::<Multiaddr>().unwrap();
        // A code of one byte and a length of two come before the name.
        let (longest, longer) = (name(MAX_ADDRESS_BYTES - 3), name(MAX_ADDRESS_BYTES - 2));
        assert_eq!((longest.len(), is_dialable(&longest)), (MAX_ADDRESS_BYTES, true));
        assert!(!is_dialable(&longer));
    }

    #[test]
    fn loopback_and_memory_lead_nowhere_else() {
        let leads_home = |text: &str| is_loopback(&text.parse().unwrap());
        for yes in ["/ip4/127.0.0.1/tcp/4001", "/ip6/::1/udp/4001/quic-v1", "/memory/7"] {
            assert!(leads_home(yes), "{yes}");
        }
        assert!(!leads_home("/ip4/1.2.3.4/tcp/4001"));
    }

    #[test]
    fn listeners_are_announced_until_an_address_is_confirmed_and_then_those_at_the_same_host() {
        let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Multiaddr>>();
        let announced =
            |confirmed: &[&str], listening: &[&str]| announced(parsed(confirmed).iter(), parsed(listening).iter());
        let (tcp, quic) = ("/ip4/1.2.3.4/tcp/4001", "/ip4/1.2.3.4/udp/4001/quic-v1");
        let (inside, everywhere) = ("/ip4/10.0.0.1/tcp/4001", "/ip4/0.0.0.0/tcp/4001");
        assert_eq!(announced(&[], &[tcp, everywhere, quic]), parsed(&[tcp, quic]));
        // Seen by others over QUIC first: peers that only speak TCP must find us, too.
        assert_eq!(announced(&[quic], &[tcp, quic]), parsed(&[quic, tcp]));
        // Behind a NAT it is not known which other ports lead to us.
        assert_eq!(announced(&[quic], &[inside, everywhere]), parsed(&[quic]));
        let many: Vec<String> = (1..100).map(|port| format!("/ip4/1.2.3.4/tcp/{port}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(announced(&[quic], &many).len(), MAX_PER_PEER);
    }

    #[test]
    fn an_address_of_a_kind_that_we_do_not_listen_on_does_not_lead_here() {
        let listening: [Multiaddr; 2] =
            ["/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1"].map(|address| address.parse().unwrap());
        let leads = |observed: &str| could_lead_here(&observed.parse().unwrap(), listening.iter());
        assert!(leads("/ip4/1.2.3.4/tcp/5001") && leads("/ip4/1.2.3.4/udp/5001/quic-v1"));
        assert!(!leads("/ip6/2001:db8::1/udp/5001/quic-v1") && !leads("/ip4/1.2.3.4/tcp/5001/ws"));
    }

    #[test]
    fn an_observed_address_needs_four_different_peers() {
        let address: Multiaddr = "/ip4/1.2.3.4/tcp/4001".parse().unwrap();
        let peers: Vec<_> = (0..5).map(|_| PeerId::random()).collect();
        let mut observed = Observed::default();
        let mut credible = |peer: usize| observed.note(address.clone(), peers[peer]);
        assert_eq!([0, 1, 1, 2].map(&mut credible), [false; 4]);
        assert!(credible(3), "the fourth peer settles it");
        assert!(!credible(4), "and it is said once");
    }

    #[test]
    fn what_others_see_of_us_is_bounded_and_the_oldest_gives_way() {
        let address = |port: usize| format!("/ip4/1.2.3.4/tcp/{port}").parse::<Multiaddr>().unwrap();
        let mut observed = Observed::default();
        assert!((1..=MAX_CONFIRMED).all(|port| observed.confirm(address(port)).is_none()));
        assert_eq!(observed.confirm(address(1)), None, "it is seen again");
        assert_eq!(observed.confirm(address(100)), Some(address(2)));
        for port in 0..1_000 {
            observed.note(address(port), PeerId::random());
        }
        assert_eq!(observed.candidates.len(), MAX_CANDIDATES);
    }
}
