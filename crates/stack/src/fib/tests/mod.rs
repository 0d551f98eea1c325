//! The tries and the table against linear searches.

mod rows;
mod tries;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::Prefix;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An address with few distinct bits, so that prefixes nest and share their beginnings: the bits
/// of `n` spread over the address, one to a nibble and its neighbour.
fn address(v4: bool, n: u16) -> IpAddr {
    if v4 {
        let spread = (0..16).filter(|bit| n >> bit & 1 != 0);
        Ipv4Addr::from_bits(spread.fold(0, |bits, bit| bits | 1 << (2 * bit + bit / 3 % 2))).into()
    } else {
        let spread = (0..16).filter(|bit| n >> bit & 1 != 0);
        Ipv6Addr::from_bits(spread.fold(0, |bits, bit| bits | 1 << (8 * bit + bit % 8))).into()
    }
}
