use super::*;
use crate::ipv6::{Ipv6Fields, parse_ipv6, write_ipv6, write_ipv6_fragment};
use proptest::prelude::*;
use std::net::Ipv6Addr;

const HBH: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;
const UDP: u8 = 17;

/// Padding that fills a header of 16 bytes.
const PAD_14: [u8; 14] = [1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A packet of these headers, each a number and its bytes, whose first is filled in.
fn packet(to_group: bool, headers: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (at, (_, bytes)) in headers.iter().enumerate() {
        let mut bytes = bytes.clone();
        if let (Some((next, _)), Some(first)) = (headers.get(at + 1), bytes.first_mut()) {
            *first = *next;
        }
        payload.extend(bytes);
    }
    let source = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);
    let unicast = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let destination = if to_group { group } else { unicast };
    let next_header = IpProtocol(headers.first().map_or(59, |(kind, _)| *kind));
    let mut bytes = vec![0; 40];
    let fields = Ipv6Fields::new(source, destination, next_header, 64);
    write_ipv6(&mut bytes, &fields, payload.len()).unwrap();
    bytes.extend(payload);
    bytes
}

/// A header around these options.
fn options(options: &[u8]) -> Vec<u8> {
    let len = (options.len() + 2).next_multiple_of(8);
    let mut bytes = vec![59, (len / 8 - 1) as u8];
    bytes.extend(options);
    bytes.resize(len, 0);
    bytes
}

fn routing(kind: u8, segments_left: u8) -> Vec<u8> {
    vec![59, 0, kind, segments_left, 0, 0, 0, 0]
}

fn fragment(offset: u16, more: bool) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    write_ipv6_fragment(&mut bytes, IpProtocol(59), offset, more, 7).unwrap();
    bytes
}

fn udp() -> (u8, Vec<u8>) {
    (UDP, vec![0xaa; 16])
}

fn end(bytes: &[u8]) -> Result<ExtensionEnd<'_>, ExtensionError> {
    ExtensionWalk::new(&parse_ipv6(bytes).unwrap()).end()
}

fn error(bytes: &[u8]) -> ExtensionError {
    end(bytes).unwrap_err()
}

fn problem_at(code: u8, pointer: u32) -> ExtensionError {
    ExtensionError::ParameterProblem { code, pointer }
}

#[test]
fn every_header_is_told_and_what_is_behind_them() {
    let bytes = packet(
        false,
        &[
            (HBH, options(&[5, 2, 0, 0])),
            (DESTINATION, options(&PAD_14)),
            (ROUTING, routing(0, 0)),
            (FRAGMENT, fragment(0, false)),
            (DESTINATION, options(&[0x1e, 1, 9])),
            udp(),
        ],
    );
    let walk = ExtensionWalk::new(&parse_ipv6(&bytes).unwrap());
    let headers: Vec<_> = walk.clone().map(Result::unwrap).collect();
    let offsets: Vec<_> = headers
        .iter()
        .map(|header| (header.offset, header.bytes.len(), header.next_header.0))
        .collect();
    let want = [
        (40, 8, DESTINATION),
        (48, 16, ROUTING),
        (64, 8, FRAGMENT),
        (72, 8, DESTINATION),
        (80, 8, UDP),
    ];
    assert_eq!(offsets, want);
    let router_alert = Some(0);
    assert_eq!(headers[0].extension, Extension::HopByHop { router_alert });
    assert_eq!(headers[1].extension, Extension::DestinationOptions);
    assert_eq!(headers[2].extension, Extension::Routing(0));
    assert!(
        matches!(headers[3].extension, Extension::Fragment(header) if header.identification.get() == 7)
    );
    let Ok(ExtensionEnd::UpperLayer(upper)) = walk.end() else {
        panic!("no upper layer");
    };
    assert_eq!((upper.protocol, upper.offset), (IpProtocol::UDP, 88));
    assert_eq!(bytes[upper.next_header_offset], UDP);
    assert_eq!(upper.next_header_offset, 80);
    assert_eq!(upper.payload, [0xaa; 16]);
}

#[test]
fn without_any_the_end_is_the_payload() {
    for (kind, payload) in [
        udp(),
        (59, vec![]),
        (51, vec![1; 20]),
        (50, vec![]),
        (200, vec![2]),
    ] {
        let bytes = packet(false, &[(kind, payload.clone())]);
        assert!(
            ExtensionWalk::new(&parse_ipv6(&bytes).unwrap())
                .next()
                .is_none()
        );
        let Ok(ExtensionEnd::UpperLayer(upper)) = end(&bytes) else {
            panic!("no upper layer");
        };
        let want = UpperLayer {
            protocol: IpProtocol(kind),
            offset: 40,
            next_header_offset: 6,
            payload: &bytes[40..],
        };
        assert_eq!(upper, want);
    }
}

#[test]
fn hop_by_hop_options_are_first_or_nowhere() {
    let second = packet(false, &[(HBH, options(&[])), (HBH, options(&[])), udp()]);
    assert_eq!(error(&second), problem_at(UNRECOGNIZED_NEXT_HEADER, 40));
    let behind = [(DESTINATION, options(&PAD_14)), (HBH, options(&[])), udp()];
    assert_eq!(error(&packet(false, &behind)), problem_at(1, 40));
    let behind = [
        (ROUTING, routing(4, 0)),
        (DESTINATION, options(&[])),
        (HBH, options(&[])),
    ];
    assert_eq!(error(&packet(false, &behind)), problem_at(1, 48));
}

#[test]
fn unknown_options_do_what_their_number_says() {
    for (kind, is_hop_by_hop) in [(HBH, true), (DESTINATION, false)] {
        for to_group in [false, true] {
            let of = |option: u8| {
                let header = options(&[1, 0, option, 1, 0]);
                end(&packet(to_group, &[(kind, header), udp()])).err()
            };
            let discarded = |option| {
                Some(ExtensionError::Discard(ExtensionDiscard::UnknownOption(
                    option,
                )))
            };
            let reported = Some(problem_at(UNRECOGNIZED_OPTION, 44));
            assert_eq!(of(0x3e), None);
            assert_eq!(of(0x7e), discarded(0x7e));
            assert_eq!(of(0xbe), reported);
            let unless_group = if to_group { discarded(0xfe) } else { reported };
            assert_eq!(of(0xfe), unless_group);
            // A router alert of one byte: of meaning to hop-by-hop options only.
            let alert =
                is_hop_by_hop.then_some(ExtensionError::Discard(ExtensionDiscard::RouterAlert));
            assert_eq!(of(5), alert);
        }
    }
    let second = packet(
        false,
        &[
            (HBH, options(&[])),
            (DESTINATION, options(&[0x80, 0])),
            udp(),
        ],
    );
    assert_eq!(error(&second), problem_at(UNRECOGNIZED_OPTION, 50));
}

#[test]
fn routes_are_not_followed() {
    for kind in [0, 2, 3, 4, 253] {
        let with = |left| {
            packet(
                false,
                &[(HBH, options(&[])), (ROUTING, routing(kind, left)), udp()],
            )
        };
        assert!(matches!(end(&with(0)), Ok(ExtensionEnd::UpperLayer(_))));
        for left in [1, 255] {
            assert_eq!(error(&with(left)), problem_at(ERRONEOUS_FIELD, 50));
        }
    }
}

#[test]
fn fragments_end_the_walk() {
    for (offset, more) in [(0, true), (2, true), (2, false)] {
        let headers = [
            (HBH, options(&[])),
            (FRAGMENT, fragment(offset, more)),
            udp(),
        ];
        let bytes = packet(false, &headers);
        let walk = ExtensionWalk::new(&parse_ipv6(&bytes).unwrap());
        assert_eq!(walk.clone().count(), 2);
        let Ok(ExtensionEnd::Fragment(fragment)) = walk.end() else {
            panic!("no fragment");
        };
        let header = fragment.header;
        assert_eq!(header.fragment_offset(), usize::from(offset) * 8);
        assert_eq!(header.more_fragments(), more);
        assert_eq!((fragment.offset, fragment.next_header_offset), (48, 40));
        assert_eq!(fragment.payload, [0xaa; 16]);
    }
}

#[test]
fn impossible_fragments_are_reported() {
    let with = |offset, more, (kind, payload)| {
        packet(
            false,
            &[
                (DESTINATION, options(&[])),
                (FRAGMENT, fragment(offset, more)),
                (kind, payload),
            ],
        )
    };
    // Not a multiple of 8, and more follows.
    let odd = with(1, true, (UDP, vec![0; 15]));
    assert_eq!(error(&odd), problem_at(ERRONEOUS_FIELD, 4));
    assert!(end(&with(1, false, (UDP, vec![0; 15]))).is_ok());
    // Beyond the longest packet: 8 bytes of options count.
    assert!(end(&with(8190, false, (UDP, vec![0; 7]))).is_ok());
    let long = with(8190, false, (UDP, vec![0; 8]));
    assert_eq!(error(&long), problem_at(ERRONEOUS_FIELD, 50));
    // A first one without all of its headers.
    let incomplete = problem_at(INCOMPLETE_HEADER_CHAIN, 0);
    assert_eq!(error(&with(0, true, (6, vec![0; 16]))), incomplete);
    assert!(end(&with(0, true, (6, vec![0; 24]))).is_ok());
    let cut = (DESTINATION, vec![59, 2, 1, 20, 0, 0, 0, 0]);
    assert_eq!(error(&with(0, true, cut)), incomplete);
    assert_eq!(error(&with(0, true, (UDP, vec![]))), incomplete);
    // Not the first: nobody can tell.
    assert!(end(&with(1, true, (6, vec![0; 8]))).is_ok());
}

#[test]
fn what_is_cut_off_or_too_much_is_discarded() {
    let discarded = ExtensionError::Discard;
    for kind in [HBH, DESTINATION, ROUTING, FRAGMENT] {
        for len in 0..8 {
            let bytes = packet(false, &[(kind, vec![0; len])]);
            assert_eq!(error(&bytes), discarded(ExtensionDiscard::Truncated));
        }
    }
    let long = packet(false, &[(DESTINATION, vec![59, 1, 1, 4, 0, 0, 0, 0])]);
    assert_eq!(error(&long), discarded(ExtensionDiscard::Truncated));
    for option in [&[1, 5, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 9]] {
        let bytes = packet(false, &[(HBH, options(option)), udp()]);
        assert_eq!(error(&bytes), discarded(ExtensionDiscard::OptionLength));
    }
    let many = |count| {
        let mut headers = vec![(DESTINATION, options(&[])); count];
        headers.push(udp());
        packet(false, &headers)
    };
    assert!(end(&many(MAX_EXTENSION_HEADERS)).is_ok());
    let too_many = error(&many(MAX_EXTENSION_HEADERS + 1));
    assert_eq!(too_many, discarded(ExtensionDiscard::TooManyHeaders));
    // Padding does not count.
    let many = |count| packet(false, &[(HBH, options(&[0x1e, 0, 0].repeat(count))), udp()]);
    assert!(end(&many(MAX_EXTENSION_OPTIONS)).is_ok());
    let too_many = error(&many(MAX_EXTENSION_OPTIONS + 1));
    assert_eq!(too_many, discarded(ExtensionDiscard::TooManyOptions));
    // Twice in one header.
    let twice = packet(false, &[(HBH, options(&[5, 2, 0, 0, 5, 2, 0, 0])), udp()]);
    assert_eq!(error(&twice), discarded(ExtensionDiscard::RouterAlert));
}

#[test]
fn skipping_finds_the_same_and_stops_where_it_must() {
    let chain = |bytes: &[u8]| {
        let packet = parse_ipv6(bytes).unwrap();
        let chain = skip_extensions(packet.next_header(), packet.payload);
        (
            chain.next_header.0,
            chain.next_header_offset,
            chain.upper_layer().map(|(_, offset)| offset),
        )
    };
    let headers = [
        (HBH, options(&[0xfe, 0])),
        (FRAGMENT, fragment(0, true)),
        (ROUTING, routing(9, 9)),
        udp(),
    ];
    assert_eq!(chain(&packet(false, &headers)), (UDP, 56, Some(64)));
    let later = [(FRAGMENT, fragment(1, true)), (DESTINATION, vec![0xff; 8])];
    assert_eq!(chain(&packet(false, &later)), (DESTINATION, 40, None));
    let cut = [(DESTINATION, options(&[])), (ROUTING, vec![UDP, 1, 0, 0])];
    assert_eq!(chain(&packet(false, &cut)), (ROUTING, 40, None));
    assert_eq!(chain(&packet(false, &[udp()])), (UDP, 6, Some(40)));
}

proptest! {
    #[test]
    fn any_bytes_are_walked_to_an_end_or_an_error(
        next in proptest::sample::select(vec![HBH, DESTINATION, ROUTING, FRAGMENT, UDP]),
        mut payload in proptest::collection::vec(
            prop_oneof![
                4 => proptest::sample::select(vec![0, 1, 5, 8, 43, 44, 60]),
                1 => any::<u8>(),
            ],
            0..120,
        ),
        to_group: bool,
    ) {
        // Short headers, that some chains are long.
        for length in payload.iter_mut().skip(1).step_by(8) {
            *length &= 1;
        }
        let bytes = packet(to_group, &[(next, vec![])]);
        let mut bytes = [&bytes[..40], &payload].concat();
        bytes[5] = payload.len() as u8;
        let packet = parse_ipv6(&bytes).unwrap();
        let walk = ExtensionWalk::new(&packet);
        prop_assert!(walk.clone().count() <= MAX_EXTENSION_HEADERS + 1);
        let chain = skip_extensions(packet.next_header(), packet.payload);
        match walk.end() {
            Ok(ExtensionEnd::UpperLayer(upper)) => {
                prop_assert_eq!(chain.upper_layer(), Some((upper.protocol, upper.offset)));
                prop_assert_eq!(chain.next_header_offset, upper.next_header_offset);
                prop_assert_eq!(bytes[upper.next_header_offset], upper.protocol.0);
                prop_assert_eq!(upper.payload, &bytes[upper.offset..]);
            }
            Ok(ExtensionEnd::Fragment(fragment)) => {
                prop_assert!(chain.fragment.is_some());
                prop_assert_eq!(bytes[fragment.next_header_offset], FRAGMENT);
                prop_assert_eq!(fragment.payload, &bytes[fragment.offset + 8..]);
            }
            Err(ExtensionError::ParameterProblem { pointer, .. }) => {
                prop_assert!((pointer as usize) < bytes.len());
            }
            Err(ExtensionError::Discard(_)) => {}
        }
    }
}
