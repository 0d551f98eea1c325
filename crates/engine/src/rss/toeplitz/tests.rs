use super::*;
use proptest::prelude::*;

/// The published test vectors: source, destination, ports of both, hash of the addresses, hash of
/// addresses and ports; and the latter under the symmetric key.
const V4: [(&str, u16, &str, u16, u32, u32, u32); 5] = [
    (
        "66.9.149.187",
        2794,
        "161.142.100.80",
        1766,
        0x323e_8fc2,
        0x51cc_c178,
        0x9fcc_9fcc,
    ),
    (
        "199.92.111.2",
        14230,
        "65.69.140.83",
        4739,
        0xd718_262a,
        0xc626_b0ea,
        0x60d7_60d7,
    ),
    (
        "24.19.198.95",
        12898,
        "12.22.207.184",
        38024,
        0xd2d0_a5de,
        0x5c2b_394a,
        0x3a3e_3a3e,
    ),
    (
        "38.27.205.30",
        48228,
        "209.142.163.6",
        2217,
        0x8298_9176,
        0xafc7_327f,
        0xd26e_d26e,
    ),
    (
        "153.39.163.191",
        44251,
        "202.188.127.2",
        1303,
        0x5d18_09c5,
        0x10e8_28a2,
        0xf23e_f23e,
    ),
];

const V6: [(&str, u16, &str, u16, u32, u32, u32); 3] = [
    (
        "3ffe:2501:200:1fff::7",
        2794,
        "3ffe:2501:200:3::1",
        1766,
        0x2cc1_8cd5,
        0x4020_7d3d,
        0x13eb_13eb,
    ),
    (
        "3ffe:501:8::260:97ff:fe40:efab",
        14230,
        "ff02::1",
        4739,
        0x0f0c_461c,
        0xdde5_1bbf,
        0x3691_3691,
    ),
    (
        "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
        44251,
        "fe80::200:f8ff:fe21:67cf",
        38024,
        0x4b61_e985,
        0x02d1_feef,
        0x0809_0809,
    ),
];

#[test]
fn published_vectors_v4() {
    let (toeplitz, symmetric) = (Toeplitz::default(), Toeplitz::new(&RssKey::SYMMETRIC));
    for (source, source_port, destination, destination_port, addrs, ports, both_ways) in V4 {
        let (s, d): (Ipv4Addr, Ipv4Addr) = (source.parse().unwrap(), destination.parse().unwrap());
        assert_eq!(toeplitz.hash_v4_addrs(s, d), addrs, "{source}");
        assert_eq!(
            toeplitz.hash_v4_ports(s, d, source_port, destination_port),
            ports,
            "{source}"
        );
        assert_eq!(
            symmetric.hash_v4_ports(s, d, source_port, destination_port),
            both_ways
        );
        assert_eq!(
            symmetric.hash_v4_ports(d, s, destination_port, source_port),
            both_ways
        );
    }
}

#[test]
fn published_vectors_v6() {
    let (toeplitz, symmetric) = (Toeplitz::default(), Toeplitz::new(&RssKey::SYMMETRIC));
    for (source, source_port, destination, destination_port, addrs, ports, both_ways) in V6 {
        let (s, d): (Ipv6Addr, Ipv6Addr) = (source.parse().unwrap(), destination.parse().unwrap());
        assert_eq!(toeplitz.hash_v6_addrs(s, d), addrs, "{source}");
        assert_eq!(
            toeplitz.hash_v6_ports(s, d, source_port, destination_port),
            ports,
            "{source}"
        );
        assert_eq!(
            symmetric.hash_v6_ports(s, d, source_port, destination_port),
            both_ways
        );
        assert_eq!(
            symmetric.hash_v6_ports(d, s, destination_port, source_port),
            both_ways
        );
    }
}

/// Bit by bit, as the hash is defined.
fn naive(key: &[u8; RSS_KEY_LEN], input: &[u8]) -> u32 {
    let bit = |bytes: &[u8], at: usize| {
        bytes
            .get(at / 8)
            .is_some_and(|b| b & (0x80 >> (at % 8)) != 0)
    };
    let mut hash = 0;
    for at in (0..input.len() * 8).filter(|&at| bit(input, at)) {
        hash ^= (0..32).fold(0, |window, i| window << 1 | u32::from(bit(key, at + i)));
    }
    hash
}

fn key() -> impl Strategy<Value = [u8; RSS_KEY_LEN]> {
    proptest::array::uniform::<_, RSS_KEY_LEN>(any::<u8>())
}

proptest! {
    #[test]
    fn agrees_with_the_definition(key in key(), s: u128, d: u128, ports: (u16, u16)) {
        let toeplitz = Toeplitz::new(&RssKey::new(key));
        let p = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();

        let (s6, d6) = (Ipv6Addr::from(s), Ipv6Addr::from(d));
        let input = [&s6.octets()[..], &d6.octets()].concat();
        prop_assert_eq!(toeplitz.hash_v6_addrs(s6, d6), naive(&key, &input));
        let input = [&input[..], &p].concat();
        prop_assert_eq!(toeplitz.hash_v6_ports(s6, d6, ports.0, ports.1), naive(&key, &input));

        let (s4, d4) = (Ipv4Addr::from(s as u32), Ipv4Addr::from(d as u32));
        let input = [&s4.octets()[..], &d4.octets()].concat();
        prop_assert_eq!(toeplitz.hash_v4_addrs(s4, d4), naive(&key, &input));
        let input = [&input[..], &p].concat();
        prop_assert_eq!(toeplitz.hash_v4_ports(s4, d4, ports.0, ports.1), naive(&key, &input));
    }

    #[test]
    fn symmetric_keys_hash_both_directions_alike(
        pair: [u8; 2],
        s: u128,
        d: u128,
        ports: (u16, u16),
    ) {
        let key = RssKey::new(std::array::from_fn(|i| pair[i % 2]));
        prop_assert!(key.is_symmetric());
        for key in [key, RssKey::SYMMETRIC] {
            let toeplitz = Toeplitz::new(&key);
            let (s6, d6) = (Ipv6Addr::from(s), Ipv6Addr::from(d));
            let hash = toeplitz.hash_v6_ports(s6, d6, ports.0, ports.1);
            prop_assert_eq!(hash, toeplitz.hash_v6_ports(d6, s6, ports.1, ports.0));
            prop_assert_eq!(hash >> 16, hash & 0xffff);
            let (s4, d4) = (Ipv4Addr::from(s as u32), Ipv4Addr::from(d as u32));
            prop_assert_eq!(
                toeplitz.hash_v4_ports(s4, d4, ports.0, ports.1),
                toeplitz.hash_v4_ports(d4, s4, ports.1, ports.0)
            );
            prop_assert_eq!(toeplitz.hash_v4_addrs(s4, d4), toeplitz.hash_v4_addrs(d4, s4));
            prop_assert_eq!(toeplitz.hash_v6_addrs(s6, d6), toeplitz.hash_v6_addrs(d6, s6));
        }
    }
}

proptest! {
    #[test]
    fn many_at_once_are_as_one_by_one(
        key: [u8; RSS_KEY_LEN],
        v4 in proptest::collection::vec(any::<[u32; 3]>(), 0..150),
        v6 in proptest::collection::vec(any::<[u32; 9]>(), 0..80),
    ) {
        let toeplitz = Toeplitz::new(&RssKey::new(key));
        let hashes = |inputs: &[[u32; 3]]| {
            let mut hashes = Vec::new();
            toeplitz.many(0..inputs.len(), &mut hashes, |_, i| inputs[i], |all, _, hash| all.push(hash));
            hashes
        };
        prop_assert_eq!(hashes(&v4), v4.iter().map(|input| toeplitz.one(input)).collect::<Vec<_>>());
        let hashes = |inputs: &[[u32; 9]]| {
            let mut hashes = Vec::new();
            toeplitz.many(0..inputs.len(), &mut hashes, |_, i| inputs[i], |all, _, hash| all.push(hash));
            hashes
        };
        prop_assert_eq!(hashes(&v6), v6.iter().map(|input| toeplitz.one(input)).collect::<Vec<_>>());
    }
}
