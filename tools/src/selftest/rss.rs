//! Receive side scaling against the published vectors.

use std::net::{Ipv4Addr, Ipv6Addr};

use corelane::engine::rss::{RssKey, Toeplitz};
use serde::Serialize;

/// How many published hashes came out as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RssCheck {
    /// Right ones.
    pub right: u32,
    /// Wrong ones.
    pub wrong: u32,
}

/// Source, source port, destination, destination port; the hashes without and with the ports, and with the
/// ports under the symmetric key (where every word repeats its half).
type Vector<A> = (A, u16, A, u16, u32, u32, u32);

/// "RSS hashing types" and "Verifying the RSS hash calculation" of the Windows driver documentation.
const V4: [Vector<[u8; 4]>; 5] = [
    (
        [66, 9, 149, 187],
        2794,
        [161, 142, 100, 80],
        1766,
        0x323e_8fc2,
        0x51cc_c178,
        0x9fcc_9fcc,
    ),
    (
        [199, 92, 111, 2],
        14230,
        [65, 69, 140, 83],
        4739,
        0xd718_262a,
        0xc626_b0ea,
        0x60d7_60d7,
    ),
    (
        [24, 19, 198, 95],
        12898,
        [12, 22, 207, 184],
        38024,
        0xd2d0_a5de,
        0x5c2b_394a,
        0x3a3e_3a3e,
    ),
    (
        [38, 27, 205, 30],
        48228,
        [209, 142, 163, 6],
        2217,
        0x8298_9176,
        0xafc7_327f,
        0xd26e_d26e,
    ),
    (
        [153, 39, 163, 191],
        44251,
        [202, 188, 127, 2],
        1303,
        0x5d18_09c5,
        0x10e8_28a2,
        0xf23e_f23e,
    ),
];

const V6: [Vector<u128>; 3] = [
    (
        0x3ffe_2501_0200_1fff_0000_0000_0000_0007,
        2794,
        0x3ffe_2501_0200_0003_0000_0000_0000_0001,
        1766,
        0x2cc1_8cd5,
        0x4020_7d3d,
        0x13eb_13eb,
    ),
    (
        0x3ffe_0501_0008_0000_0260_97ff_fe40_efab,
        14230,
        0xff02_0000_0000_0000_0000_0000_0000_0001,
        4739,
        0x0f0c_461c,
        0xdde5_1bbf,
        0x3691_3691,
    ),
    (
        0x3ffe_1900_4545_0003_0200_f8ff_fe21_67cf,
        44251,
        0xfe80_0000_0000_0000_0200_f8ff_fe21_67cf,
        38024,
        0x4b61_e985,
        0x02d1_feef,
        0x0809_0809,
    ),
];

/// Computes all of them.
pub fn check_rss() -> RssCheck {
    let (key, symmetric) = (
        Toeplitz::new(&RssKey::MICROSOFT),
        Toeplitz::new(&RssKey::SYMMETRIC),
    );
    let v4 = V4
        .into_iter()
        .flat_map(|(from, from_port, to, to_port, addresses, ports, both)| {
            let (from, to) = (Ipv4Addr::from(from), Ipv4Addr::from(to));
            [
                key.hash_v4_addrs(from, to) == addresses,
                key.hash_v4_ports(from, to, from_port, to_port) == ports,
                symmetric.hash_v4_ports(from, to, from_port, to_port) == both,
                symmetric.hash_v4_ports(to, from, to_port, from_port) == both,
            ]
        });
    let v6 = V6
        .into_iter()
        .flat_map(|(from, from_port, to, to_port, addresses, ports, both)| {
            let (from, to) = (Ipv6Addr::from(from), Ipv6Addr::from(to));
            [
                key.hash_v6_addrs(from, to) == addresses,
                key.hash_v6_ports(from, to, from_port, to_port) == ports,
                symmetric.hash_v6_ports(from, to, from_port, to_port) == both,
                symmetric.hash_v6_ports(to, from, to_port, from_port) == both,
            ]
        });
    let (mut right, mut wrong) = (0, 0);
    for is_right in v4.chain(v6) {
        if is_right {
            right += 1;
        } else {
            wrong += 1;
        }
    }
    RssCheck { right, wrong }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_published_hashes_are_ours() {
        assert_eq!(
            check_rss(),
            RssCheck {
                right: 32,
                wrong: 0
            }
        );
    }
}
