//! In which order a peer's addresses are dialled, and which has how much of a head start.
//!
//! As go-libp2p does by default (`p2p/net/swarm/dial_ranker.go`): QUIC before TCP, IPv6 before IPv4 (RFC 8305: the second
//! one dialled is of the other family), low ports first, and addresses of private networks apart from public ones, with
//! shorter delays. Difference: a DNS name, which Go has resolved by then, ranks as a public IPv4 address of its transport.

use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::wire::reach::is_public;

/// How long the first address of a transport is ahead of its second, and QUIC of TCP (Go: `PublicTCPDelay`, `PublicQUICDelay`;
/// `PrivateTCPDelay`, `PrivateQUICDelay`).
const PUBLIC_DELAY: Duration = Duration::from_millis(250);
const PRIVATE_DELAY: Duration = Duration::from_millis(30);

/// How desirable an address is within its group; the least comes first.
type Score = (Kind, Family, u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Quic,
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    V6,
    V4,
}

fn score(address: &Multiaddr) -> Score {
    let (mut kind, mut family, mut port) = (Kind::Tcp, Family::V4, 0);
    for part in address.iter() {
        match part {
            Protocol::Ip6(_) | Protocol::Dns6(_) => family = Family::V6,
            Protocol::QuicV1 => kind = Kind::Quic,
            Protocol::Tcp(number) | Protocol::Udp(number) => port = number,
            _ => {}
        }
    }
    (kind, family, port)
}

/// For each address, in the order in which they were given, how long after the first it is dialled.
pub(super) fn delays(addresses: &[&Multiaddr]) -> Vec<Duration> {
    let mut delays = vec![Duration::ZERO; addresses.len()];
    for (public, delay) in [(false, PRIVATE_DELAY), (true, PUBLIC_DELAY)] {
        let group = |index: &usize| is_public(addresses[*index]) == public;
        let mut order: Vec<usize> = (0..addresses.len()).filter(group).collect();
        order.sort_by_key(|index| score(addresses[*index]));
        let (quic, tcp): (Vec<usize>, Vec<usize>) =
            order.into_iter().partition(|index| score(addresses[*index]).0 == Kind::Quic);
        // TCP waits for the last of QUIC, and as long again.
        let mut offset = Duration::ZERO;
        for transport in [quic, tcp] {
            let steps = steps(&transport.iter().map(|index: &usize| score(addresses[*index]).1).collect::<Vec<_>>());
            for (index, step) in transport.iter().zip(&steps) {
                delays[*index] = offset + delay * *step;
            }
            if let Some(last) = steps.iter().max() {
                offset += delay * (last + 1);
            }
        }
    }
    delays
}

/// After how many delays each address of one transport has its turn; their families come IPv6 first. The first begins, the
/// next is the first of the other family, and the rest follow together.
fn steps(families: &[Family]) -> Vec<u32> {
    let other = families.iter().position(|family| Some(family) != families.first());
    let rest = if other.is_some() { 2 } else { 1 };
    let step = |index: usize| match index {
        0 => 0,
        index if Some(index) == other => 1,
        _ => rest,
    };
    (0..families.len()).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(addresses: &[&str]) -> Vec<u128> {
        let addresses: Vec<Multiaddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        delays(&addresses.iter().collect::<Vec<_>>()).iter().map(Duration::as_millis).collect()
    }

    #[test]
    fn a_single_address_is_dialled_at_once() {
        for address in ["/ip4/1.2.3.4/tcp/1", "/dns4/example.org/tcp/443/wss", "/memory/7", "/ip6/fd00::1/tcp/1"] {
            assert_eq!(millis(&[address]), [0]);
        }
    }

    #[test]
    fn quic_goes_ahead_of_tcp_and_ipv6_of_ipv4() {
        assert_eq!(millis(&["/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/udp/1/quic-v1"]), [250, 0]);
        assert_eq!(millis(&["/ip4/1.2.3.4/tcp/1", "/ip6/2a00::1/tcp/1"]), [250, 0]);
        let dual =
            ["/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/udp/1/quic-v1", "/ip6/2a00::1/tcp/1", "/ip6/2a00::1/udp/1/quic-v1"];
        assert_eq!(millis(&dual), [750, 250, 500, 0]);
    }

    #[test]
    fn what_is_left_of_a_transport_follows_together() {
        let ports = ["/ip4/1.2.3.4/tcp/3", "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/2"];
        assert_eq!(millis(&ports), [250, 0, 250]);
        let families = [
            "/ip6/2a00::1/udp/1/quic-v1",
            "/ip6/2a00::1/udp/2/quic-v1",
            "/ip4/1.2.3.4/udp/1/quic-v1",
            "/ip4/1.2.3.4/tcp/1",
        ];
        assert_eq!(millis(&families), [0, 500, 250, 750]);
    }

    #[test]
    fn private_addresses_have_an_order_and_shorter_delays_of_their_own() {
        let addresses = ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/1"];
        assert_eq!(millis(&addresses), [30, 0, 0]);
    }
}
