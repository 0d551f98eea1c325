//! No bytes make a parser panic, and what is taken and what is refused agrees with an independent
//! parser, save for the differences each test names.

use corelane_wire::{
    EthernetError, IpProtocol, Ipv4Error, Ipv6Error, TcpError, UdpError, parse_arp, parse_ethernet,
    parse_icmpv4, parse_icmpv6, parse_ipv4, parse_ipv6, parse_tcp, parse_udp,
};
use etherparse::err::{LenError, ipv4, ipv6, tcp};
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..128)
}

/// Bytes that start nearly as an IPv4 packet does, so that each rule is broken often and kept
/// often: the version, header length and total length are near right ones, and the checksum is
/// right more often than not.
fn nearly_ipv4() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![9 => Just(4u8), 1 => 0u8..16];
    let ihl = prop_oneof![6 => Just(5u8), 4 => 0u8..16];
    let total_off = prop_oneof![5 => Just(0i32), 5 => -80i32..8];
    (bytes(), version, ihl, total_off, 0..5).prop_map(|(mut bytes, version, ihl, off, wrong)| {
        if bytes.len() >= 20 {
            bytes[0] = version << 4 | ihl;
            let total = (bytes.len() as i32 + off).max(0) as u16;
            bytes[2..4].copy_from_slice(&total.to_be_bytes());
            let header_len = (usize::from(ihl) * 4).min(bytes.len());
            if wrong > 0 && header_len >= 12 {
                bytes[10..12].fill(0);
                let checksum = corelane_wire::checksum::sum(&bytes[..header_len]).checksum();
                bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
        }
        bytes
    })
}

fn nearly_ipv6() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![9 => Just(6u8), 1 => 0u8..16];
    let off = prop_oneof![5 => Just(0i32), 5 => -80i32..8];
    (bytes(), version, off).prop_map(|(mut bytes, version, off)| {
        if bytes.len() >= 40 {
            bytes[0] = version << 4 | bytes[0] & 0x0f;
            let len = (bytes.len() as i32 - 40 + off).max(0) as u16;
            bytes[4..6].copy_from_slice(&len.to_be_bytes());
        }
        bytes
    })
}

fn with_length(at: usize) -> impl Strategy<Value = Vec<u8>> {
    let off = prop_oneof![5 => Just(0i32), 5 => -120i32..8];
    (bytes(), off).prop_map(move |(mut bytes, off)| {
        let len = (bytes.len() as i32 + off).max(0) as u16;
        if let Some(field) = bytes.get_mut(at..at + 2) {
            field.copy_from_slice(&len.to_be_bytes());
        }
        bytes
    })
}

/// Differences: etherparse does not verify the checksum; it looks into an authentication header,
/// which is a payload here; and an error's kind may differ where several rules are broken.
fn ipv4_agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = parse_ipv4(bytes);
    if bytes.get(9) == Some(&IpProtocol::AH.0) {
        return Ok(());
    }
    match etherparse::Ipv4Slice::from_slice(bytes) {
        Ok(theirs) => {
            let header = theirs.header();
            // Over the bytes: its owned header forgets the reserved flag.
            let sum = etherparse::checksum::Sum16BitWords::new().add_slice(header.slice());
            if sum.ones_complement() != 0 {
                prop_assert_eq!(ours.err(), Some(Ipv4Error::Checksum));
                return Ok(());
            }
            let ours = ours.expect("etherparse takes it");
            prop_assert_eq!(ours.payload, theirs.payload().payload);
            prop_assert_eq!(ours.options, header.options());
            prop_assert_eq!(ours.source(), header.source_addr());
            prop_assert_eq!(ours.destination(), header.destination_addr());
            prop_assert_eq!(ours.protocol().0, header.protocol().0);
            prop_assert_eq!(ours.is_fragment(), header.is_fragmenting_payload());
            prop_assert_eq!(ours.more_fragments(), header.more_fragments());
            let offset = usize::from(header.fragments_offset().value()) * 8;
            prop_assert_eq!(ours.fragment_offset(), offset);
        }
        Err(theirs) => {
            let ours = ours.expect_err("etherparse refuses it");
            use ipv4::{HeaderError, SliceError};
            match theirs {
                SliceError::Header(HeaderError::UnexpectedVersion { .. }) => {
                    prop_assert_eq!(ours, Ipv4Error::Version);
                }
                SliceError::Header(HeaderError::HeaderLengthSmallerThanHeader { .. }) => {
                    prop_assert_eq!(ours, Ipv4Error::HeaderLength);
                }
                SliceError::Len(LenError { .. }) => prop_assert!(
                    matches!(
                        ours,
                        Ipv4Error::Truncated | Ipv4Error::HeaderLength | Ipv4Error::TotalLength
                    ),
                    "{ours:?}"
                ),
                SliceError::Exts(error) => prop_assert!(false, "{error:?}"),
            }
        }
    }
    Ok(())
}

/// Differences: etherparse looks into extension headers, which are a payload here, and takes a
/// payload length of zero for a jumbogram's.
fn ipv6_agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = parse_ipv6(bytes);
    if bytes.get(4..6) == Some(&[0, 0]) {
        if let Ok(packet) = ours {
            prop_assert!(packet.payload.is_empty());
        }
        return Ok(());
    }
    let Some(next_header) = bytes.get(6).copied().map(etherparse::IpNumber) else {
        prop_assert_eq!(ours.err(), Some(Ipv6Error::Truncated));
        return Ok(());
    };
    if next_header.is_ipv6_ext_header_value() {
        return Ok(());
    }
    match etherparse::Ipv6Slice::from_slice(bytes) {
        Ok(theirs) => {
            let header = theirs.header();
            let ours = ours.expect("etherparse takes it");
            prop_assert_eq!(ours.payload, theirs.payload().payload);
            prop_assert_eq!(ours.source(), header.source_addr());
            prop_assert_eq!(ours.destination(), header.destination_addr());
            prop_assert_eq!(ours.next_header().0, header.next_header().0);
            prop_assert_eq!(ours.header.traffic_class(), header.traffic_class());
            prop_assert_eq!(ours.header.flow_label(), header.flow_label().value());
        }
        Err(theirs) => {
            let ours = ours.expect_err("etherparse refuses it");
            use ipv6::{HeaderError, SliceError};
            match theirs {
                SliceError::Header(HeaderError::UnexpectedVersion { .. }) => {
                    prop_assert_eq!(ours, Ipv6Error::Version);
                }
                SliceError::Len(LenError { .. }) => prop_assert!(
                    matches!(ours, Ipv6Error::Truncated | Ipv6Error::PayloadLength),
                    "{ours:?}"
                ),
                SliceError::Exts(error) => prop_assert!(false, "{error:?}"),
            }
        }
    }
    Ok(())
}

/// Differences: etherparse takes a length of zero for the whole of the bytes (a jumbogram's).
fn udp_agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = parse_udp(bytes);
    if bytes.len() >= 8 && bytes[4..6] == [0, 0] {
        prop_assert_eq!(ours.err(), Some(UdpError::Length));
        return Ok(());
    }
    match etherparse::UdpSlice::from_slice(bytes) {
        Ok(theirs) => {
            let ours = ours.expect("etherparse takes it");
            prop_assert_eq!(ours.payload, theirs.payload());
            prop_assert_eq!(ours.source_port(), theirs.source_port());
            prop_assert_eq!(ours.destination_port(), theirs.destination_port());
            prop_assert_eq!(ours.header.checksum.get(), theirs.checksum());
        }
        Err(_) => {
            let want = if bytes.len() < 8 {
                UdpError::Truncated
            } else {
                UdpError::Length
            };
            prop_assert_eq!(ours.err(), Some(want));
        }
    }
    Ok(())
}

fn tcp_agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = parse_tcp(bytes);
    match etherparse::TcpSlice::from_slice(bytes) {
        Ok(theirs) => {
            let ours = ours.expect("etherparse takes it");
            prop_assert_eq!(ours.payload, theirs.payload());
            prop_assert_eq!(ours.options, theirs.options());
            prop_assert_eq!(ours.source_port(), theirs.source_port());
            prop_assert_eq!(ours.destination_port(), theirs.destination_port());
            prop_assert_eq!(ours.header.sequence.get(), theirs.sequence_number());
            prop_assert_eq!(
                ours.header.acknowledgement.get(),
                theirs.acknowledgment_number()
            );
            prop_assert_eq!(ours.header.window.get(), theirs.window_size());
            let flags = ours.flags();
            use corelane_wire::TcpFlags as F;
            prop_assert_eq!(flags.contains(F::SYN), theirs.syn());
            prop_assert_eq!(flags.contains(F::ACK), theirs.ack());
            prop_assert_eq!(flags.contains(F::FIN), theirs.fin());
            prop_assert_eq!(flags.contains(F::RST), theirs.rst());
            let (a, b) = ([1, 2, 3, 4], [5, 6, 7, 8]);
            let right = theirs.calc_checksum_ipv4(a, b).unwrap();
            let written = ours.header.checksum.get();
            let is_right = written == right || (written, right) == (0xffff, 0);
            prop_assert_eq!(
                ours.verify_checksum_ipv4(a.into(), b.into()).is_ok(),
                is_right
            );
        }
        Err(tcp::HeaderSliceError::Len(_)) => prop_assert!(ours.is_err()),
        Err(tcp::HeaderSliceError::Content(_)) => {
            prop_assert_eq!(ours.err(), Some(TcpError::DataOffset));
        }
    }
    Ok(())
}

/// A valid TCP checksum by etherparse verifies: random ones hardly ever do.
fn tcp_verifies(mut bytes: Vec<u8>, a: [u8; 16], b: [u8; 16]) -> Result<(), TestCaseError> {
    if bytes.len() < 20 {
        return Ok(());
    }
    bytes[12] = 0x50;
    let slice = etherparse::TcpSlice::from_slice(&bytes).unwrap();
    let checksum = slice.calc_checksum_ipv6(a, b).unwrap();
    bytes[16..18].copy_from_slice(&checksum.to_be_bytes());
    let segment = parse_tcp(&bytes).unwrap();
    prop_assert_eq!(segment.verify_checksum_ipv6(a.into(), b.into()), Ok(()));
    bytes[16] ^= 1;
    let segment = parse_tcp(&bytes).unwrap();
    prop_assert_eq!(
        segment.verify_checksum_ipv6(a.into(), b.into()),
        Err(TcpError::Checksum)
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn ipv4(bytes in nearly_ipv4()) {
        ipv4_agrees(&bytes)?;
    }

    #[test]
    fn ipv6(bytes in nearly_ipv6()) {
        ipv6_agrees(&bytes)?;
    }

    #[test]
    fn udp(bytes in with_length(4)) {
        udp_agrees(&bytes)?;
    }

    #[test]
    fn tcp(bytes in bytes(), a: [u8; 16], b: [u8; 16]) {
        tcp_agrees(&bytes)?;
        tcp_verifies(bytes, a, b)?;
    }

    #[test]
    fn random_bytes(bytes in bytes(), a: [u8; 16], b: [u8; 16]) {
        ipv4_agrees(&bytes)?;
        ipv6_agrees(&bytes)?;
        udp_agrees(&bytes)?;
        prop_assert_eq!(parse_ethernet(&bytes).err(), (bytes.len() < 14).then_some(EthernetError::Truncated));
        prop_assert_eq!(
            parse_arp(&bytes).is_ok(),
            bytes.len() >= 28 && bytes[..6] == [0, 1, 8, 0, 6, 4]
        );
        // Of an ICMP message only the checksum can be wrong.
        let sum = etherparse::checksum::Sum16BitWords::new();
        let valid = bytes.len() >= 8 && sum.add_slice(&bytes).ones_complement() == 0
            && bytes.iter().any(|&byte| byte != 0);
        prop_assert_eq!(parse_icmpv4(&bytes).is_ok(), valid);
        let theirs = etherparse::Icmpv6Slice::from_slice(&bytes);
        let valid = theirs.is_ok_and(|slice| slice.is_checksum_valid(a, b));
        prop_assert_eq!(parse_icmpv6(&bytes, a.into(), b.into()).is_ok(), valid);
        let mut changed = bytes.clone();
        let _ = corelane_wire::icmpv4::make_echo_reply_in_place(&mut changed);
        let _ = corelane_wire::icmpv6::make_echo_reply_in_place(&mut changed);
        prop_assert_eq!(changed.len(), bytes.len());
    }
}
