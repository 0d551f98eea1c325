use super::*;
use crate::{parse_ethernet, parse_ipv6};
use proptest::prelude::*;

const MAC: MacAddr = MacAddr([0x02, 0x00, 0x5e, 0x10, 0x00, 0x01]);
const A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5eff, 0xfe10, 1);
const B: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const NONCE: [u8; 6] = [0xc9, 0xeb, 0x41, 0x20, 0x35, 0x36];

/// The probe of a Linux kernel for `A`, from the wire.
const KERNEL_PROBE: [u8; 86] = [
    0x33, 0x33, 0xff, 0x10, 0x00, 0x01, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x86, 0xdd, //
    0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0x10, 0x00, 0x01, //
    0x87, 0x00, 0xd0, 0xb9, 0, 0, 0, 0, //
    0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x00, 0x00, 0x5e, 0xff, 0xfe, 0x10, 0x00, 0x01, //
    0x0e, 0x01, 0xc9, 0xeb, 0x41, 0x20, 0x35, 0x36,
];

fn parse_frame(frame: &[u8]) -> Result<NdpMessage<'_>, NdpError> {
    let packet = parse_ipv6(parse_ethernet(frame).unwrap().payload).unwrap();
    assert_eq!(packet.next_header(), IpProtocol::ICMPV6);
    parse_ndp(
        packet.source(),
        packet.destination(),
        packet.header.hop_limit,
        packet.payload,
    )
}

/// A message with this content behind type, code and checksum, the checksum right.
fn message(source: Ipv6Addr, destination: Ipv6Addr, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend_from_slice(rest);
    let len = bytes.len() as u32;
    let pseudo = checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, len);
    set_checksum(&mut bytes, pseudo);
    bytes
}

/// Four bytes of flags, the target and the options.
fn neighbor(flags: u8, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flags, 0, 0, 0];
    bytes.extend_from_slice(&target.octets());
    bytes.extend_from_slice(options);
    bytes
}

fn solicit(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    target: Ipv6Addr,
    options: &[u8],
) -> Result<(), NdpError> {
    let bytes = message(source, destination, 135, 0, &neighbor(0, target, options));
    parse_ndp(source, destination, 255, &bytes).map(|message| {
        assert!(matches!(message, NdpMessage::NeighborSolicitation(_)));
    })
}

fn advertise(destination: Ipv6Addr, flags: u8, target: Ipv6Addr) -> Result<(), NdpError> {
    let bytes = message(B, destination, 136, 0, &neighbor(flags, target, &[]));
    parse_ndp(B, destination, 255, &bytes).map(|message| {
        assert!(matches!(message, NdpMessage::NeighborAdvertisement(_)));
    })
}

const SOURCE_LINK: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 9];

#[test]
fn a_probe_is_the_one_of_a_kernel() {
    let mut buffer = [0xee; 100];
    let spec = SolicitationSpec::probe(MAC, A, Some(NONCE));
    assert_eq!(build_neighbor_solicitation(&mut buffer, &spec), Ok(86));
    assert_eq!(buffer[..86], KERNEL_PROBE);
    assert_eq!(buffer[86..], [0xee; 14]);
    let Ok(NdpMessage::NeighborSolicitation(solicitation)) = parse_frame(&KERNEL_PROBE) else {
        panic!("not a solicitation");
    };
    assert_eq!(solicitation.target, A);
    assert_eq!(solicitation.nonce(), Some(&NONCE[..]));
    assert_eq!(solicitation.source_link_address(), None);
}

#[test]
fn resolving_asks_the_group_and_probing_asks_the_neighbor() {
    let mut buffer = [0; 100];
    let other = MacAddr([2, 0, 0, 0, 0, 9]);
    for (spec, to_mac, to) in [
        (
            SolicitationSpec::resolution(MAC, A, B),
            MacAddr([0x33, 0x33, 0xff, 0, 0, 2]),
            solicited_node(B),
        ),
        (SolicitationSpec::reachability(MAC, A, other, B), other, B),
    ] {
        let len = build_neighbor_solicitation(&mut buffer, &spec).unwrap();
        let ethernet = parse_ethernet(&buffer[..len]).unwrap();
        let header = ethernet.header;
        assert_eq!((header.source, header.destination), (MAC, to_mac));
        let packet = parse_ipv6(ethernet.payload).unwrap();
        assert_eq!((packet.source(), packet.destination()), (A, to));
        let Ok(NdpMessage::NeighborSolicitation(read)) = parse_frame(&buffer[..len]) else {
            panic!("not a solicitation");
        };
        assert_eq!((read.target, read.nonce()), (B, None));
        assert_eq!(read.source_link_address(), Some(MAC));
    }
}

#[test]
fn solicited_node_groups_have_the_low_24_bits() {
    let address = "2001:db8::1234:56ab:cdef".parse().unwrap();
    let group: Ipv6Addr = "ff02::1:ffab:cdef".parse().unwrap();
    assert_eq!(solicited_node(address), group);
    assert_eq!(
        solicited_node(A),
        "ff02::1:ff10:1".parse::<Ipv6Addr>().unwrap()
    );
}

#[test]
fn every_rule_on_probes_has_its_error() {
    let group = solicited_node(A);
    let any = Ipv6Addr::UNSPECIFIED;
    assert_eq!(solicit(any, group, A, &[]), Ok(()));
    assert_eq!(solicit(any, ALL_NODES, A, &[]), Err(NdpError::Destination));
    assert_eq!(solicit(any, A, A, &[]), Err(NdpError::Destination));
    let other = solicited_node(B);
    assert_eq!(solicit(any, other, A, &[]), Err(NdpError::Destination));
    assert_eq!(
        solicit(any, group, A, &SOURCE_LINK),
        Err(NdpError::SourceLinkAddress)
    );
    // Of a length that holds no link address of six bytes it is one nevertheless.
    let mut long = [0; 16];
    long[..2].copy_from_slice(&[1, 2]);
    assert_eq!(
        solicit(any, group, A, &long),
        Err(NdpError::SourceLinkAddress)
    );
    // From an address there is no such rule.
    assert_eq!(solicit(B, A, A, &SOURCE_LINK), Ok(()));
    assert_eq!(solicit(B, ALL_NODES, A, &SOURCE_LINK), Ok(()));
}

#[test]
fn every_rule_on_options_has_its_error() {
    for (options, want) in [
        (&[200, 1, 0, 0, 0, 0, 0, 0][..], Ok(())),
        (&[14, 0, 0, 0, 0, 0, 0, 0], Err(NdpError::OptionLength)),
        (&[14, 0], Err(NdpError::OptionLength)),
        (&[14], Err(NdpError::OptionOverrun)),
        (&[14, 1, 0, 0, 0, 0, 0], Err(NdpError::OptionOverrun)),
        (&[14, 2, 0, 0, 0, 0, 0, 0], Err(NdpError::OptionOverrun)),
        (
            &[14, 1, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0],
            Err(NdpError::OptionLength),
        ),
    ] {
        assert_eq!(solicit(B, A, A, options), want, "{options:?}");
    }
}

#[test]
fn every_rule_on_both_messages_has_its_error() {
    let group: Ipv6Addr = "ff02::1:2".parse().unwrap();
    for kind in [NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT] {
        let good = message(B, A, kind, 0, &neighbor(0, A, &[]));
        assert!(parse_ndp(B, A, 255, &good).is_ok());
        for hop_limit in 0..255 {
            assert_eq!(parse_ndp(B, A, hop_limit, &good), Err(NdpError::HopLimit));
        }
        for len in 0..24 {
            assert_eq!(parse_ndp(B, A, 255, &good[..len]), Err(NdpError::Truncated));
        }
        for bit in 8..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(parse_ndp(B, A, 255, &bad), Err(NdpError::Checksum), "{bit}");
        }
        assert_eq!(parse_ndp(B, B, 255, &good), Err(NdpError::Checksum));
        let code = message(B, A, kind, 1, &neighbor(0, A, &[]));
        assert_eq!(parse_ndp(B, A, 255, &code), Err(NdpError::Code));
        let target = message(B, A, kind, 0, &neighbor(0, group, &[]));
        assert_eq!(
            parse_ndp(B, A, 255, &target),
            Err(NdpError::MulticastTarget)
        );
        // Reserved bits are ignored.
        let reserved = message(B, A, kind, 0, &neighbor(0x1f, A, &[]));
        assert!(parse_ndp(B, A, 255, &reserved).is_ok());
    }
}

#[test]
fn an_advertisement_to_a_group_is_not_solicited() {
    assert_eq!(advertise(ALL_NODES, OVERRIDE, A), Ok(()));
    assert_eq!(
        advertise(ALL_NODES, SOLICITED | OVERRIDE, A),
        Err(NdpError::SolicitedMulticast)
    );
    assert_eq!(advertise(A, SOLICITED | OVERRIDE, A), Ok(()));
}

#[test]
fn messages_of_routers_are_checked_but_not_read() {
    for (kind, len) in [
        (ROUTER_SOLICITATION, 8),
        (ROUTER_ADVERTISEMENT, 16),
        (REDIRECT, 40),
    ] {
        let good = message(B, A, kind, 0, &vec![0; len - 4]);
        assert_eq!(parse_ndp(B, A, 255, &good), Ok(NdpMessage::Other(kind)));
        assert_eq!(parse_ndp(B, A, 254, &good), Err(NdpError::HopLimit));
        let short = message(B, A, kind, 0, &vec![0; len - 5]);
        assert_eq!(parse_ndp(B, A, 255, &short), Err(NdpError::Truncated));
        let code = message(B, A, kind, 7, &vec![0; len - 4]);
        assert_eq!(parse_ndp(B, A, 255, &code), Err(NdpError::Code));
        assert_eq!(parse_ndp(A, A, 255, &good), Err(NdpError::Checksum));
    }
    for kind in (0..=u8::MAX).filter(|&kind| !is_ndp(kind)) {
        let other = message(B, A, kind, 0, &[0; 40]);
        assert_eq!(parse_ndp(B, A, 255, &other), Err(NdpError::NotNdp(kind)));
    }
}

#[test]
fn the_first_option_of_a_kind_counts_if_it_is_of_the_right_length() {
    let mut options = vec![200, 1, 1, 1, 1, 1, 1, 1];
    options.extend_from_slice(&[2, 1, 2, 0, 0, 0, 0, 7]);
    options.extend_from_slice(&[1, 2, 2, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    options.extend_from_slice(&SOURCE_LINK);
    options.extend_from_slice(&[14, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    let bytes = message(B, A, 135, 0, &neighbor(0, A, &options));
    let Ok(NdpMessage::NeighborSolicitation(got)) = parse_ndp(B, A, 255, &bytes) else {
        panic!("not a solicitation");
    };
    assert_eq!(got.source_link_address(), None);
    assert_eq!(got.target_link_address(), Some(MacAddr([2, 0, 0, 0, 0, 7])));
    assert_eq!(
        got.nonce(),
        Some(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13][..])
    );
    let kinds: Vec<u8> = got.options.iter().map(|option| option.kind).collect();
    assert_eq!(kinds, [200, 2, 1, 1, 14]);
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

fn unicast() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(|mut octets| {
        octets[0] &= 0x7f;
        octets[15] |= 1;
        octets.into()
    })
}

proptest! {
    #[test]
    fn solicitations_round_trip(
        macs in (mac(), mac()),
        source in unicast(),
        destination: [u8; 16],
        target in unicast(),
        source_link in proptest::option::of(mac()),
        nonce: Option<[u8; 6]>,
    ) {
        let spec = SolicitationSpec {
            source_mac: macs.0,
            source,
            destination: destination.into(),
            destination_mac: macs.1,
            target,
            source_link,
            nonce,
        };
        let mut buffer = [0; 94];
        let n = build_neighbor_solicitation(&mut buffer, &spec).unwrap();
        for room in 0..n {
            prop_assert_eq!(
                build_neighbor_solicitation(&mut vec![0; room], &spec),
                Err(NoRoom { needed: n, room })
            );
        }
        match parse_frame(&buffer[..n]) {
            Ok(NdpMessage::NeighborSolicitation(got)) => {
                prop_assert_eq!(got.target, target);
                prop_assert_eq!(got.source_link_address(), source_link);
                prop_assert_eq!(got.nonce(), nonce.as_ref().map(|nonce| &nonce[..]));
                prop_assert_eq!(got.target_link_address(), None);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn advertisements_round_trip(
        macs in (mac(), mac()),
        source in unicast(),
        destination in unicast(),
        target in unicast(),
        flags: (bool, bool, bool),
        target_link in proptest::option::of(mac()),
    ) {
        let spec = AdvertisementSpec {
            source_mac: macs.0,
            source,
            destination,
            destination_mac: macs.1,
            target,
            router: flags.0,
            solicited: flags.1,
            override_: flags.2,
            target_link,
        };
        let mut buffer = [0; 86];
        let n = build_neighbor_advertisement(&mut buffer, &spec).unwrap();
        for room in 0..n {
            prop_assert_eq!(
                build_neighbor_advertisement(&mut vec![0; room], &spec),
                Err(NoRoom { needed: n, room })
            );
        }
        match parse_frame(&buffer[..n]) {
            Ok(NdpMessage::NeighborAdvertisement(got)) => {
                prop_assert_eq!((got.router, got.solicited, got.override_), flags);
                prop_assert_eq!((got.target, got.target_link_address()), (target, target_link));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn any_content_is_a_message_or_an_error(
        source: [u8; 16],
        destination: [u8; 16],
        kind in prop_oneof![Just(135u8), Just(136u8), 133u8..138],
        rest in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..100),
    ) {
        let (source, destination) = (source.into(), destination.into());
        let bytes = message(source, destination, kind, 0, &rest);
        if let Ok(NdpMessage::NeighborSolicitation(got)) =
            parse_ndp(source, destination, 255, &bytes)
        {
            let len: usize = got.options.iter().map(|option| option.data.len() + 2).sum();
            prop_assert_eq!(len, bytes.len() - 24);
        }
    }
}
