//! What is public, and what that means for a node.

use proptest::prelude::*;

use super::*;

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn peer(addresses: &[&str]) -> NamedPeer {
    NamedPeer { id: PeerId::random(), addresses: addresses.iter().map(|text| address(text)).collect() }
}

fn reach(private_peers: PrivatePeers, bootstrap: &[&str]) -> Reach {
    let bootstrap: Vec<NamedPeer> = bootstrap.iter().map(|text| peer(&[text])).collect();
    Reach::of(private_peers, &bootstrap, Ipv4Addr::UNSPECIFIED.into())
}

const PUBLIC: &[&str] = &[
    "/ip4/1.2.3.4/tcp/4001",
    "/ip4/100.63.255.255/tcp/1",
    "/ip4/100.128.0.0/tcp/1",
    "/ip4/172.15.255.255/tcp/1",
    "/ip4/172.32.0.0/tcp/1",
    "/ip4/223.255.255.255/udp/1/quic-v1",
    "/ip6/2604:1380::1/tcp/4001",
    "/ip6/2a01:4f8::1/udp/4001/quic-v1",
    "/ip6/::ffff:1.2.3.4/tcp/1",
    "/ip6/64:ff9b::102:304/tcp/1",
    "/ip6/2002:102:304::1/tcp/1",
    "/dns4/example.org/tcp/4001",
    "/dnsaddr/bootstrap.libp2p.io",
    "/dns6/example.org./tcp/4001",
];

const NOT_PUBLIC: &[&str] = &[
    "/ip4/0.0.0.0/tcp/1",
    "/ip4/0.1.2.3/tcp/1",
    "/ip4/10.0.0.1/tcp/1",
    "/ip4/100.64.0.0/tcp/1",
    "/ip4/100.127.255.255/tcp/1",
    "/ip4/127.0.0.1/tcp/1",
    "/ip4/169.254.169.254/tcp/80",
    "/ip4/172.16.0.0/tcp/1",
    "/ip4/172.31.255.255/tcp/1",
    "/ip4/192.0.0.8/tcp/1",
    "/ip4/192.0.2.1/tcp/1",
    "/ip4/192.168.1.1/udp/1/quic-v1",
    "/ip4/198.19.0.1/tcp/1",
    "/ip4/198.51.100.1/tcp/1",
    "/ip4/203.0.113.7/tcp/1",
    "/ip4/224.0.0.1/tcp/1",
    "/ip4/240.0.0.1/tcp/1",
    "/ip4/255.255.255.255/tcp/1",
    "/ip6/::/tcp/1",
    "/ip6/::1/tcp/1",
    "/ip6/::127.0.0.1/tcp/1",
    "/ip6/::ffff:10.0.0.1/tcp/1",
    "/ip6/64:ff9b::a00:1/tcp/1",
    "/ip6/64:ff9b:1::102:304/tcp/1",
    "/ip6/100::1/tcp/1",
    "/ip6/2001::1/tcp/1",
    "/ip6/2001:db8::1/tcp/1",
    "/ip6/2002:a00:1::1/tcp/1",
    "/ip6/2002:7f00:1::1/tcp/1",
    "/ip6/3fff:fff::1/tcp/1",
    "/ip6/fc00::1/tcp/1",
    "/ip6/fd12:3456::1/tcp/1",
    "/ip6/fe80::1/tcp/1",
    "/ip6/ff02::1/tcp/1",
    "/dns4/localhost/tcp/1",
    "/dns4/LOCALHOST./tcp/1",
    "/dns4/dht/tcp/1",
    "/dns4/printer.local/tcp/1",
    "/dns4/metadata.google.internal/tcp/80",
    "/dns4/dht.parsec.svc/tcp/1",
    "/dns4/dht.parsec.svc.cluster.local/tcp/1",
    "/dns4/127.0.0.1/tcp/1",
    "/memory/7",
];

#[test]
fn what_is_public_is_the_same_place_from_everywhere() {
    for text in PUBLIC {
        assert!(is_public(&address(text)), "{text}");
    }
    for text in NOT_PUBLIC {
        assert!(!is_public(&address(text)), "{text}");
    }
}

proptest! {
    #[test]
    fn an_ipv4_address_that_the_standard_library_knows_for_something_special_is_not_public(bits: u32) {
        let ip = Ipv4Addr::from_bits(bits);
        let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast()
            || ip.is_broadcast() || ip.is_documentation() || ip.is_unspecified();
        prop_assert!(!(special && is_public_ipv4(ip)), "{}", ip);
    }

    #[test]
    fn an_ipv6_address_that_the_standard_library_knows_for_something_special_is_not_public(bits: u128) {
        let ip = Ipv6Addr::from_bits(bits);
        let special = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast()
            || ip.is_unique_local() || ip.is_unicast_link_local();
        prop_assert!(!(special && is_public_ipv6(ip)), "{}", ip);
    }

    #[test]
    fn an_ipv4_address_in_an_ipv6_address_is_as_public_as_by_itself(bits: u32) {
        let (ip, [a, b, c, d]) = (Ipv4Addr::from_bits(bits), bits.to_be_bytes());
        let six_to_four = Ipv6Addr::from_bits(0x2002 << 112 | u128::from(bits) << 80 | 1);
        let nat64: Ipv6Addr = format!("64:ff9b::{a:x}{b:02x}:{c:x}{d:02x}").parse().unwrap();
        for ipv6 in [ip.to_ipv6_mapped(), six_to_four, nat64] {
            prop_assert_eq!(is_public_ipv6(ipv6), is_public_ipv4(ip), "{} in {}", ip, ipv6);
        }
    }

    #[test]
    fn whatever_a_stranger_names_is_dialled_on_a_public_network_exactly_if_it_is_public(bits: u128, v4: bool) {
        let ip = if v4 { IpAddr::from(Ipv4Addr::from_bits(bits as u32)) } else { Ipv6Addr::from_bits(bits).into() };
        let address = Multiaddr::from(ip).with(Protocol::Tcp(4001));
        let public = reach(PrivatePeers::Ignore, &["/ip4/127.0.0.1/tcp/9"]);
        let with_peer = address.clone().with_p2p(PeerId::random()).unwrap();
        for address in [address, with_peer] {
            prop_assert_eq!(public.permits(&address), is_public(&address));
            prop_assert!(reach(PrivatePeers::Dial, &[]).permits(&address));
        }
    }
}

#[test]
fn a_network_is_public_if_there_are_bootstrap_peers_and_each_is() {
    let public = |bootstrap: &[&str]| reach(PrivatePeers::Auto, bootstrap).is_public();
    assert!(public(&["/ip4/104.131.131.82/tcp/4001", "/dnsaddr/bootstrap.libp2p.io"]));
    assert!(!public(&[]));
    assert!(!public(&["/ip4/104.131.131.82/tcp/4001", "/ip4/10.0.0.1/tcp/4001"]));
    assert!(!public(&["/dns4/dht/tcp/4100"]), "deploy/local.env");
    assert!(!public(&["/dns4/dht.parsec-local.svc.cluster.local/tcp/4100"]), "deploy/kubernetes");
    assert!(reach(PrivatePeers::Ignore, &[]).is_public());
    assert!(!reach(PrivatePeers::Dial, &["/dnsaddr/bootstrap.libp2p.io"]).is_public());
}

#[test]
fn loopback_is_dialled_on_a_network_within_one_machine_only() {
    let (loopback, private) = (address("/ip4/127.0.0.1/tcp/1"), address("/ip4/10.0.0.2/tcp/1"));
    let permits = |reach: &Reach| [&loopback, &private].map(|address| reach.permits(address));
    assert_eq!(permits(&reach(PrivatePeers::Auto, &["/ip4/127.0.0.1/tcp/9", "/dns4/dht/tcp/9"])), [true, true]);
    assert_eq!(permits(&reach(PrivatePeers::Auto, &["/ip4/10.0.0.1/tcp/9"])), [false, true]);
    assert_eq!(permits(&reach(PrivatePeers::Auto, &[])), [false, true], "listening on every interface");
    let alone = Reach::of(PrivatePeers::Auto, &[], Ipv4Addr::LOCALHOST.into());
    assert_eq!(permits(&alone), [true, true]);
}

#[test]
fn what_the_operator_configured_is_dialled_always() {
    let configured = "/ip4/127.0.0.1/tcp/9";
    let public = reach(PrivatePeers::Ignore, &[configured]);
    assert!(public.permits(&address(configured)));
    assert!(public.permits(&address(configured).with_p2p(PeerId::random()).unwrap()));
    assert!(!public.permits(&address("/ip4/127.0.0.1/tcp/10")), "the next port is not");
}

#[test]
fn a_configured_name_may_stand_for_a_private_address_and_a_strangers_may_not() {
    let named = peer(&["/dns4/dht.example.org/tcp/9"]);
    let public = Reach::of(PrivatePeers::Auto, std::slice::from_ref(&named), Ipv4Addr::UNSPECIFIED.into());
    assert!(public.is_public());
    let resolved = |peer: PeerId| address("/ip4/10.0.0.1/tcp/9").with_p2p(peer).unwrap();
    assert!(public.permits_resolved(&resolved(named.id)));
    assert!(!public.permits_resolved(&resolved(PeerId::random())));
    assert!(!public.permits(&resolved(named.id)), "no stranger may say so without a name");
}
