//! What counts as one address where places are shared out.

use std::net::{IpAddr, Ipv6Addr};

/// The bits of an IPv6 address that say which network it is in; a subscriber is given one such network at least.
const NETWORK_BITS: u32 = 64;

/// Whose address it is: an IPv4 address, also one that is mapped, or the network of an IPv6 address.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << NETWORK_BITS)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_and_a_mapped_ipv4_address_is_what_it_is() {
        let of = |text: &str| subscriber(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3::4"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:2:ffff:ffff:ffff:ffff"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:3::1"), "2001:db8:1:3::");
        assert_eq!((of("::ffff:192.0.2.1"), of("192.0.2.1")), ("192.0.2.1".to_owned(), "192.0.2.1".to_owned()));
    }
}
