use super::*;
use proptest::prelude::*;

/// RFC 1071 section 4.1, word by word.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        sum += u32::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[test]
fn rfc_1071_example() {
    // Section 3: the sum of these four words is ddf2, its complement 220d.
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(sum(&bytes).fold(), 0xddf2);
    assert_eq!(sum(&bytes).checksum(), 0x220d);
}

#[test]
fn rfc_1624_examples() {
    // Section 4: the example on which RFC 1141's equation fails.
    assert_eq!(update_u16(0xdd2f, 0x5555, 0x3285), 0x0000);
    // Section 2: the checksum fields of the header before and after, over the rest cd7a.
    let header = |word: u16| [0xcd7a_u16.to_be_bytes(), word.to_be_bytes()].concat();
    assert_eq!(sum(&header(0x5555)).checksum(), 0xdd2f);
    assert_eq!(sum(&header(0x3285)).checksum(), 0x0000);
    let with_checksum = [&header(0x3285)[..], &[0, 0]].concat();
    assert!(sum(&with_checksum).is_valid());
}

#[test]
fn a_header_from_life_is_valid() {
    let header = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00,
        0x01, 0xc0, 0xa8, 0x00, 0xc7,
    ];
    assert!(sum_20(&header).is_valid());
    assert!(sum(&header).is_valid());
    let mut broken = header;
    broken[8] ^= 1;
    assert!(!sum_20(&broken).is_valid());
}

#[test]
fn nothing_is_not_valid() {
    assert!(!sum(&[]).is_valid());
    assert!(!sum(&[0; 40]).is_valid());
    assert_eq!(sum(&[0; 40]).checksum(), 0xffff);
}

#[test]
fn a_front_and_what_is_beyond_are_summed_as_one() {
    // All ones, so that each addition carries, and a mixture.
    let mixed: Vec<u8> = (0..200_u32).map(|n| (n * n * 31 + 7) as u8).collect();
    for bytes in [vec![0xff; 200], mixed] {
        for beyond in 0..150 {
            for (front, summed) in [
                (8, sum_front::<8>(&bytes, beyond)),
                (16, sum_front::<16>(&bytes, beyond)),
                (40, sum_front::<40>(&bytes, beyond)),
            ] {
                let all = &bytes[..front + beyond];
                assert_eq!(
                    summed.map(Sum::fold),
                    Some(naive(all)),
                    "{front} + {beyond}"
                );
            }
        }
        assert!(sum_front::<40>(&bytes[..39], 0).is_none());
        assert!(sum_front::<40>(&bytes, 161).is_none());
        assert!(sum_front::<40>(&bytes, usize::MAX).is_none());
    }
}

#[test]
fn adding_carries_around() {
    let high = Sum(u64::MAX);
    assert_eq!((high + Sum::word(1)).fold(), 1);
    let mut total = high;
    total += high;
    assert_eq!(total.fold(), 0xffff);
}

#[test]
fn long_input_of_ones() {
    for len in [65534, 65535, 65536, 1 << 20] {
        let bytes = vec![0xff; len];
        assert_eq!(sum(&bytes).fold(), naive(&bytes));
    }
}

proptest! {
    #[test]
    fn agrees_with_the_naive_sum(bytes in proptest::collection::vec(any::<u8>(), 0..2100)) {
        prop_assert_eq!(sum(&bytes).fold(), naive(&bytes));
    }

    #[test]
    fn agrees_at_any_alignment(bytes: [u8; 96], from in 0usize..40, len in 0usize..56) {
        let part = &bytes[from..from + len];
        prop_assert_eq!(sum(part).fold(), naive(part));
    }

    #[test]
    fn header_sum_agrees(bytes: [u8; 20]) {
        prop_assert_eq!(sum_20(&bytes).fold(), naive(&bytes));
    }

    #[test]
    fn parts_add_up(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..150) {
        let at = (at * 2).min(bytes.len() & !1);
        let (front, back) = bytes.split_at(at);
        prop_assert_eq!((sum(front) + sum(back)).fold(), naive(&bytes));
        prop_assert_eq!((sum(back) + sum(front)).fold(), naive(&bytes));
    }

    #[test]
    fn a_message_with_its_checksum_is_valid(mut bytes in proptest::collection::vec(any::<u8>(), 2..300)) {
        bytes[..2].fill(0);
        let checksum = sum(&bytes).checksum();
        bytes[..2].copy_from_slice(&checksum.to_be_bytes());
        prop_assert!(sum(&bytes).is_valid());
        bytes[..2].copy_from_slice(&checksum.wrapping_add(1).to_be_bytes());
        prop_assert!(!sum(&bytes).is_valid());
    }

    #[test]
    fn pseudo_headers_agree(a: [u8; 4], b: [u8; 4], c: [u8; 16], d: [u8; 16], protocol: u8, len: u32) {
        let short = len as u16;
        let v4 = [&a[..], &b, &[0, protocol], &short.to_be_bytes()].concat();
        prop_assert_eq!(
            pseudo_header_ipv4(a.into(), b.into(), IpProtocol(protocol), short).fold(),
            naive(&v4)
        );
        let v6 = [&c[..], &d, &len.to_be_bytes(), &[0, 0, 0, protocol]].concat();
        prop_assert_eq!(
            pseudo_header_ipv6(c.into(), d.into(), IpProtocol(protocol), len).fold(),
            naive(&v6)
        );
    }

    #[test]
    fn update_agrees_with_computing_anew(bytes: [u8; 20], at in 0usize..5, new: u32) {
        // One byte that is not zero keeps the message off the one case that differs.
        let mut bytes = bytes;
        bytes[10] = 0;
        bytes[11] = 0;
        bytes[0] |= 1;
        bytes[19] |= 1;
        let before = sum(&bytes).checksum();

        let at16 = [0, 2, 4, 12, 14][at];
        let mut changed = bytes;
        changed[at16..at16 + 2].copy_from_slice(&(new as u16).to_be_bytes());
        let old = u16::from_be_bytes([bytes[at16], bytes[at16 + 1]]);
        prop_assert_eq!(update_u16(before, old, new as u16), sum(&changed).checksum());

        let at32 = [0, 4, 12, 16, 4][at];
        let mut changed = bytes;
        changed[at32..at32 + 4].copy_from_slice(&new.to_be_bytes());
        let old = u32::from_be_bytes(bytes[at32..at32 + 4].try_into().unwrap());
        let after = update_u32(before, old, new);
        prop_assert_eq!(after, sum(&changed).checksum());
    }
}

proptest! {
    #[test]
    fn a_sum_is_valid_if_it_folds_to_all_ones(sum: u64, multiple in 0u64..1 << 47) {
        prop_assert_eq!(Sum(sum).is_valid(), fold(sum) == 0xffff);
        let multiple = multiple * 0xffff;
        prop_assert_eq!(Sum(multiple).is_valid(), fold(multiple) == 0xffff);
        prop_assert_eq!(Sum(multiple).is_valid(), multiple != 0);
    }
}
