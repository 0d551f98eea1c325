use super::*;
use crate::extension::{ExtensionEnd, ExtensionWalk};
use crate::ipv4::{Fragmentation, Ipv4Fields, parse_ipv4, write_ipv4};
use crate::ipv6::{Ipv6Fields, parse_ipv6, write_ipv6};
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn ipv4(fragmentation: Fragmentation, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let (a, b) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
    let fields = Ipv4Fields {
        fragmentation,
        identification: 0x1234,
        traffic_class: 8,
        ..Ipv4Fields::new(a, b, IpProtocol::UDP, 9)
    };
    let mut bytes = vec![0; 20];
    write_ipv4(&mut bytes, &fields, options.len() + payload.len()).unwrap();
    bytes[0] = 0x40 | ((20 + options.len()) / 4) as u8;
    bytes.extend(options);
    bytes[10..12].fill(0);
    let checksum = checksum::sum(&bytes).checksum();
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The fragments of a packet, each a whole one.
fn cut_ipv4(bytes: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let packet = parse_ipv4(bytes).unwrap();
    let whole = |fragment: Fragment| {
        let mut bytes = vec![0; 60];
        let len = write_ipv4_fragment_header(&mut bytes, &packet, &fragment).unwrap();
        bytes.truncate(len);
        bytes.extend(&packet.payload[fragment.range]);
        bytes
    };
    plan_ipv4_fragments(&packet, mtu)
        .unwrap()
        .map(whole)
        .collect()
}

/// Puts the payload of fragments together, which are in order, and tells whether more follows.
fn join_ipv4(fragments: &[Vec<u8>]) -> (Vec<u8>, bool) {
    let first = parse_ipv4(&fragments[0]).unwrap().fragment_offset();
    let (mut payload, mut more) = (Vec::new(), true);
    for bytes in fragments {
        let packet = parse_ipv4(bytes).unwrap();
        assert!(more, "behind the last");
        assert_eq!(packet.fragment_offset(), first + payload.len());
        assert_eq!(packet.header.identification.get(), 0x1234);
        assert_eq!((packet.header.ttl, packet.header.traffic_class), (9, 8));
        payload.extend(packet.payload);
        more = packet.more_fragments();
    }
    (payload, more)
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|n| n as u8).collect()
}

#[test]
fn only_copied_options_are_in_later_fragments() {
    // Record route, router alert, an unknown one that is copied, of three bytes, and padding.
    let options = [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 200, 3, 1, 0, 0];
    let bytes = ipv4(Fragmentation::Allowed, &options, &payload(200));
    let fragments = cut_ipv4(&bytes, 100);
    let first = parse_ipv4(&fragments[0]).unwrap();
    assert_eq!((first.options, first.payload.len()), (&options[..], 64));
    for fragment in &fragments[1..] {
        let fragment = parse_ipv4(fragment).unwrap();
        assert_eq!(fragment.options, [148, 4, 0, 0, 200, 3, 1, 0]);
    }
    // 20 bytes of header and 16 or 8 of options.
    let lens: Vec<_> = fragments.iter().map(Vec::len).collect();
    assert_eq!(lens, [36 + 64, 28 + 72, 28 + 64]);
    assert_eq!(join_ipv4(&fragments), (payload(200), false));
    // A fragment of it again has the same.
    let again = cut_ipv4(&fragments[1], 68);
    for fragment in &again {
        assert_eq!(parse_ipv4(fragment).unwrap().options.len(), 8);
    }
    assert!(join_ipv4(&again).1);
}

#[test]
fn what_fits_is_one_fragment_as_it_was() {
    for len in [0, 8, 60, 1480] {
        let bytes = ipv4(Fragmentation::Allowed, &[], &payload(len));
        assert_eq!(cut_ipv4(&bytes, 1500), [bytes]);
    }
    let part = Fragmentation::Fragment {
        offset: 3,
        more: true,
    };
    let bytes = ipv4(part, &[148, 4, 0, 0], &payload(16));
    assert_eq!(cut_ipv4(&bytes, 68), [bytes]);
}

#[test]
fn each_reason_not_to_fragment_has_its_error() {
    let plan = |fragmentation, len, mtu| {
        let bytes = ipv4(fragmentation, &[], &payload(len));
        plan_ipv4_fragments(&parse_ipv4(&bytes).unwrap(), mtu).err()
    };
    let allowed = Fragmentation::Allowed;
    for mtu in [0, 28, 67] {
        let error = Some(FragmentError::Mtu { mtu, least: 68 });
        assert_eq!(plan(allowed, 9, mtu), error);
    }
    assert_eq!(plan(allowed, 9, 68), None);
    let forbidden = Some(FragmentError::Forbidden);
    assert_eq!(plan(Fragmentation::Forbidden, 9, 68), forbidden);
    let at = |offset| Fragmentation::Fragment {
        offset,
        more: false,
    };
    assert_eq!(plan(at(8191), 7, 68), None);
    assert_eq!(plan(at(8191), 8, 68), Some(FragmentError::TooLong));
    assert_eq!(plan(at(8000), 1536, 68), Some(FragmentError::TooLong));
}

#[test]
fn headers_are_written_only_where_they_fit() {
    let bytes = ipv4(Fragmentation::Allowed, &[148, 4, 0, 0], &payload(100));
    let packet = parse_ipv4(&bytes).unwrap();
    let first = plan_ipv4_fragments(&packet, 68).unwrap().next().unwrap();
    let error = write_ipv4_fragment_header(&mut [0; 23], &packet, &first);
    assert_eq!(
        error,
        Err(NoRoom {
            needed: 24,
            room: 23
        })
    );
    let long = Fragment {
        offset: 0,
        range: 0..65516,
        more: true,
    };
    let error = write_ipv4_fragment_header(&mut [0; 60], &packet, &long);
    assert_eq!(error.map_err(|error| error.needed), Err(65540));
}

/// A packet of these extension headers, each a number and its length in units of eight bytes, and
/// UDP behind them.
fn ipv6(headers: &[(u8, u8)], payload: &[u8]) -> Vec<u8> {
    let kinds: Vec<u8> = headers.iter().map(|(kind, _)| *kind).chain([17]).collect();
    let mut behind = Vec::new();
    for (at, (_, units)) in headers.iter().enumerate() {
        let mut header = vec![0; usize::from(*units) * 8];
        header[0] = kinds[at + 1];
        header[1] = units - 1;
        behind.extend(header);
    }
    behind.extend(payload);
    let (a, b) = (Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let mut bytes = vec![0; 40];
    let fields = Ipv6Fields {
        flow_label: 0x12345,
        ..Ipv6Fields::new(a, b, IpProtocol(kinds[0]), 9)
    };
    write_ipv6(&mut bytes, &fields, behind.len()).unwrap();
    bytes.extend(behind);
    bytes
}

fn cut_ipv6(bytes: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let packet = parse_ipv6(bytes).unwrap();
    let plan = plan_ipv6_fragments(&packet, mtu).unwrap();
    let whole = |fragment: Fragment| {
        let mut bytes = vec![0xee; plan.headers_len()];
        let len =
            write_ipv6_fragment_headers(&mut bytes, &packet, &plan, &fragment, 0xabcd).unwrap();
        assert_eq!(len, bytes.len());
        bytes.extend(&packet.payload[fragment.range]);
        assert!(bytes.len() <= mtu);
        bytes
    };
    plan.clone().map(whole).collect()
}

/// Puts a packet together again, whose fragments are in order.
fn join_ipv6(fragments: &[Vec<u8>]) -> Vec<u8> {
    let (mut whole, mut front) = (Vec::new(), 0);
    for (number, bytes) in fragments.iter().enumerate() {
        let packet = parse_ipv6(bytes).unwrap();
        let is_last = number + 1 == fragments.len();
        let (header, at, named_at, payload) = match ExtensionWalk::new(&packet).end().unwrap() {
            ExtensionEnd::Fragment(fragment) => (
                *fragment.header,
                fragment.offset,
                fragment.next_header_offset,
                fragment.payload,
            ),
            ExtensionEnd::UpperLayer(_) => panic!("a whole packet"),
        };
        assert_eq!(header.identification.get(), 0xabcd);
        assert_eq!(header.more_fragments(), !is_last);
        if number == 0 {
            whole = bytes[..at].to_vec();
            whole[named_at] = header.next_header.0;
            front = at;
        }
        assert_eq!(header.fragment_offset(), whole.len() - front);
        whole.extend(payload);
    }
    let len = (whole.len() - 40) as u16;
    whole[4..6].copy_from_slice(&len.to_be_bytes());
    whole
}

#[test]
fn the_unfragmentable_part_is_in_every_fragment() {
    // Of which headers: hop-by-hop, destination, routing; and how many bytes are unfragmentable.
    let cases: [(&[(u8, u8)], usize); 6] = [
        (&[], 0),
        (&[(0, 1)], 8),
        (&[(60, 2)], 0),
        (&[(0, 1), (60, 1), (43, 3)], 40),
        (&[(0, 2), (43, 1), (60, 2)], 24),
        (&[(43, 1), (60, 4)], 8),
    ];
    for (headers, unfragmentable) in cases {
        let bytes = ipv6(headers, &payload(3000));
        let packet = parse_ipv6(&bytes).unwrap();
        let plan = plan_ipv6_fragments(&packet, 1280).unwrap();
        assert_eq!(plan.headers_len(), 48 + unfragmentable, "{headers:?}");
        let fragments = cut_ipv6(&bytes, 1280);
        assert_eq!(fragments.len(), 3);
        assert_eq!(join_ipv6(&fragments), bytes, "{headers:?}");
    }
}

#[test]
fn each_reason_not_to_fragment_ipv6_has_its_error() {
    let plan = |bytes: &[u8], mtu| plan_ipv6_fragments(&parse_ipv6(bytes).unwrap(), mtu).err();
    let long = ipv6(&[], &payload(2000));
    let error = Some(FragmentError::Mtu {
        mtu: 1279,
        least: 1280,
    });
    assert_eq!(plan(&long, 1279), error);
    assert_eq!(plan(&long, 1280), None);
    // 48 bytes of headers and 1,232 of options.
    let full = ipv6(&[(0, 154)], &payload(2000));
    let error = Some(FragmentError::Mtu {
        mtu: 1280,
        least: 1288,
    });
    assert_eq!(plan(&full, 1280), error);
    assert_eq!(plan(&full, 1288), None);
    assert_eq!(
        plan(&ipv6(&[(44, 1)], &[]), 1280),
        Some(FragmentError::Forbidden)
    );
    let mut cut = ipv6(&[(0, 1), (60, 1)], &[]);
    cut[49] = 9;
    assert_eq!(plan(&cut, 1280), Some(FragmentError::Truncated));
    let packet = parse_ipv6(&long).unwrap();
    let plan = plan_ipv6_fragments(&packet, 1280).unwrap();
    let first = plan.clone().next().unwrap();
    let error = write_ipv6_fragment_headers(&mut [0; 47], &packet, &plan, &first, 1);
    assert_eq!(
        error,
        Err(NoRoom {
            needed: 48,
            room: 47
        })
    );
}

proptest! {
    #[test]
    fn fragments_put_together_are_the_packet(
        len in 0usize..3000,
        mtu in 68usize..600,
        words in 0usize..10,
        offset in 0u16..7000,
        more: bool,
        is_part: bool,
    ) {
        let more = more && is_part;
        let fragmentation = if is_part {
            Fragmentation::Fragment { offset, more }
        } else {
            Fragmentation::Allowed
        };
        let options: Vec<u8> = [148, 4, 0, 0].repeat(words);
        let bytes = ipv4(fragmentation, &options, &payload(len));
        let fragments = cut_ipv4(&bytes, mtu);
        prop_assert!(fragments.iter().all(|fragment| fragment.len() <= mtu));
        prop_assert_eq!(join_ipv4(&fragments), (payload(len), more));
        // And taken apart again on a narrower link.
        let again: Vec<_> = fragments.iter().flat_map(|fragment| cut_ipv4(fragment, 68)).collect();
        prop_assert_eq!(join_ipv4(&again), (payload(len), more));
    }

    #[test]
    fn ipv6_fragments_put_together_are_the_packet(
        len in 1300usize..8000,
        mtu in 1280usize..3000,
        hop_by_hop in 0u8..4,
        routing in 0u8..4,
    ) {
        let headers = [(0, hop_by_hop), (43, routing)];
        let headers: Vec<_> = headers.into_iter().filter(|(_, units)| *units > 0).collect();
        let bytes = ipv6(&headers, &payload(len));
        let fragments = cut_ipv6(&bytes, mtu);
        if fragments.len() > 1 {
            prop_assert_eq!(join_ipv6(&fragments), bytes);
        }
    }
}
