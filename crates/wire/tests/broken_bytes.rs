//! No bytes make a parser panic, and what is taken and what is refused agrees with an independent
//! parser, save for the differences each test names.

use corelane_wire::fragment::{
    plan_ipv4_fragments, plan_ipv6_fragments, write_ipv4_fragment_header,
    write_ipv6_fragment_headers,
};
use corelane_wire::icmp_echo::IcmpHeader;
use corelane_wire::icmp_error::{
    TimeExceeded, build_icmp_error_ipv4, build_icmp_error_ipv6, may_answer_with_error_ipv4,
    may_answer_with_error_ipv6,
};
use corelane_wire::igmp::IgmpQueryVersion;
use corelane_wire::ipv4_options::policy;
use corelane_wire::{
    EthernetError, ExtensionEnd, ExtensionWalk, HopByHopError, Icmpv4Message, Icmpv4Problem,
    Icmpv6Message, Icmpv6Problem, IgmpError, IgmpMessage, IpProtocol, Ipv4Error, Ipv6Error,
    MacAddr, NdpError, NdpMessage, QuoteError, TcpError, UdpError, checksum, parse_arp,
    parse_arp_message, parse_ethernet, parse_hop_by_hop, parse_icmp_error_ipv4,
    parse_icmp_error_ipv6, parse_icmpv4, parse_icmpv6, parse_igmp, parse_ipv4, parse_ipv6,
    parse_mld, parse_ndp, parse_tcp, parse_udp, skip_extensions,
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

fn nearly_igmp() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        Just(0x11u8),
        Just(0x12),
        Just(0x16),
        Just(0x17),
        Just(0x22),
        any::<u8>()
    ];
    let byte = prop_oneof![3 => 0u8..3, 1 => any::<u8>()];
    let bytes = proptest::collection::vec(byte, 0..64);
    let group = prop_oneof![Just([0; 4]), Just([239, 1, 2, 3]), any::<[u8; 4]>()];
    (bytes, kind, group, 0..8).prop_map(|(mut bytes, kind, group, wrong)| {
        if bytes.len() >= 8 {
            bytes[0] = kind;
            bytes[2..4].fill(0);
            if kind != 0x22 {
                bytes[4..8].copy_from_slice(&group);
            }
            let checksum = checksum::sum(&bytes).checksum();
            bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
            bytes[3] ^= u8::from(wrong == 0);
        }
        bytes
    })
}

/// Differences: etherparse neither verifies the checksum nor looks whether the group is one, and it
/// reads records only when asked for them.
fn igmp_agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    use etherparse::IgmpSlice as S;
    let ours = parse_igmp(bytes);
    let theirs = S::from_slice(bytes);
    let Ok(theirs) = theirs else {
        prop_assert!(ours.is_err());
        return Ok(());
    };
    if !theirs.is_checksum_valid() {
        prop_assert_eq!(ours.err(), Some(IgmpError::Checksum));
        return Ok(());
    }
    let is_group = |octets: [u8; 4]| octets[0] >> 4 == 0xe;
    match (ours, theirs) {
        (Ok(IgmpMessage::Query(ours)), S::MembershipQuery(theirs)) => {
            prop_assert_eq!(
                ours.version == IgmpQueryVersion::V1,
                theirs.max_response_time() == 0
            );
            prop_assert!(ours.version < IgmpQueryVersion::V3);
        }
        (Ok(IgmpMessage::Query(ours)), S::MembershipQueryWithSources(theirs)) => {
            prop_assert_eq!(ours.version, IgmpQueryVersion::V3);
            let tenths = theirs.max_response_code().as_10th_secs();
            prop_assert_eq!(ours.max_response.as_millis(), u128::from(tenths) * 100);
            prop_assert_eq!(ours.suppress, theirs.s_flag());
            prop_assert_eq!(ours.robustness, theirs.qrv().value());
            prop_assert!(
                ours.sources()
                    .map(|source| source.octets())
                    .eq(theirs.source_addresses())
            );
        }
        (Ok(IgmpMessage::ReportV1(group)), S::MembershipReportV1(theirs)) => {
            prop_assert_eq!(group.octets(), theirs.group_address().octets);
        }
        (Ok(IgmpMessage::ReportV2(group)), S::MembershipReportV2(theirs)) => {
            prop_assert_eq!(group.octets(), theirs.group_address().octets);
        }
        (Ok(IgmpMessage::Leave(group)), S::LeaveGroup(theirs)) => {
            prop_assert_eq!(group.octets(), theirs.group_address().octets);
        }
        (Err(IgmpError::Group), theirs) => {
            prop_assert!(!is_group(theirs.bytes4to7()));
        }
        (Ok(IgmpMessage::ReportV3(ours)), S::MembershipReportV3(theirs)) => {
            prop_assert_eq!(ours.len(), usize::from(theirs.num_of_records()));
            for (ours, theirs) in ours.zip(theirs.group_records()) {
                let theirs = theirs.unwrap();
                prop_assert_eq!(ours.group.octets(), theirs.multicast_address());
                prop_assert_eq!(ours.sources.len(), usize::from(theirs.num_of_sources()));
            }
        }
        (Err(IgmpError::Records), S::MembershipReportV3(theirs)) => {
            let whole = theirs.group_records().take_while(Result::is_ok).count();
            prop_assert!(whole < usize::from(theirs.num_of_records()));
        }
        (Ok(IgmpMessage::Other(kind)), S::Unknown(_)) => prop_assert_eq!(kind, bytes[0]),
        (ours, theirs) => prop_assert!(false, "{:?} {:?}", ours, theirs),
    }
    Ok(())
}

/// A difference: etherparse stops at an option that it knows and whose length it does not like.
fn neighbor_discovery_agrees(
    kind: u8,
    rest: &[u8],
    a: [u8; 16],
    b: [u8; 16],
) -> Result<(), TestCaseError> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend_from_slice(rest);
    let (source, destination) = (a.into(), b.into());
    let sum =
        checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, bytes.len() as u32)
            + checksum::sum(&bytes);
    bytes[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
    let ours = parse_ndp(source, destination, 255, &bytes);
    let theirs = etherparse::Icmpv6Slice::from_slice(&bytes);
    prop_assert_ne!(ours, Err(NdpError::Checksum));
    prop_assert!(theirs.is_err() || theirs.is_ok_and(|slice| slice.is_checksum_valid(a, b)));
    let Some(options) = bytes.get(24..) else {
        let least_len = if kind == 134 { 16 } else { 24 };
        prop_assert_eq!(ours.is_err(), bytes.len() < least_len);
        return Ok(());
    };
    let mut theirs = etherparse::icmpv6::NdpOptionsIterator::from_slice(options);
    let ours = match ours {
        Ok(NdpMessage::NeighborSolicitation(ours)) => ours.options,
        Ok(NdpMessage::NeighborAdvertisement(ours)) => ours.options,
        Err(NdpError::OptionLength | NdpError::OptionOverrun) => {
            prop_assert!(theirs.any(|option| option.is_err()));
            return Ok(());
        }
        _ => return Ok(()),
    };
    let mut count = 0;
    for (ours, theirs) in ours.iter().zip(theirs.by_ref()) {
        let Ok(theirs) = theirs else { return Ok(()) };
        prop_assert_eq!(theirs.as_bytes()[0], ours.kind);
        prop_assert_eq!(&theirs.as_bytes()[2..], ours.data);
        count += 1;
    }
    prop_assert_eq!(count, ours.iter().count());
    prop_assert!(theirs.next().is_none());
    Ok(())
}

/// Differences: smoltcp takes a second router alert, and leaves it to its caller what to do about
/// unknown options.
fn hop_by_hop_agrees(rest: &[u8]) -> Result<(), TestCaseError> {
    use smoltcp::wire::{Ipv6OptionRepr as R, Ipv6OptionsIterator};
    let len = rest.len() / 8 * 8 + 8;
    let mut bytes = vec![58, (len / 8 - 1) as u8];
    bytes.extend_from_slice(rest);
    bytes.resize(len, 0);
    let ours = parse_hop_by_hop(&bytes);
    let mut alerts = Vec::new();
    let mut unknown = None;
    for option in Ipv6OptionsIterator::new(&bytes[2..]) {
        match option {
            Err(_) => {
                prop_assert!(ours.is_err());
                return Ok(());
            }
            Ok(R::RouterAlert(alert)) => alerts.push(u16::from(alert)),
            Ok(R::Unknown { type_, .. }) => {
                let kind = u8::from(type_);
                if kind >> 6 != 0 && unknown.is_none() {
                    unknown = Some(kind);
                }
            }
            Ok(_) => {}
        }
    }
    match ours {
        Ok(ours) => {
            prop_assert_eq!(unknown, None);
            prop_assert_eq!(alerts, Vec::from_iter(ours.router_alert));
        }
        Err(HopByHopError::RouterAlert) => prop_assert!(alerts.len() > 1),
        Err(HopByHopError::UnknownOption { kind, offset, .. }) => {
            prop_assert_eq!(unknown, Some(kind));
            prop_assert_eq!(bytes[offset], kind);
        }
        Err(error) => prop_assert!(false, "{error}"),
    }
    Ok(())
}

/// What is built of a packet that was parsed, at any MTU and into any buffer: nothing panics, and
/// what was built is a packet again.
fn takes_apart(bytes: &[u8], mtu: usize, room: usize) -> Result<(), TestCaseError> {
    let mut buffer = vec![0; room];
    if let Ok(packet) = parse_ipv4(bytes) {
        let _ = policy(packet.options);
        let _ = may_answer_with_error_ipv4(&packet, false);
        for fragment in plan_ipv4_fragments(&packet, mtu).into_iter().flatten() {
            let Ok(len) = write_ipv4_fragment_header(&mut buffer, &packet, &fragment) else {
                continue;
            };
            let mut whole = buffer[..len].to_vec();
            whole.extend(&packet.payload[fragment.range.clone()]);
            let whole = parse_ipv4(&whole).unwrap();
            prop_assert_eq!(whole.fragment_offset(), fragment.offset);
            prop_assert_eq!(whole.more_fragments(), fragment.more);
        }
    }
    if let Ok(packet) = parse_ipv6(bytes) {
        for header in ExtensionWalk::new(&packet).flatten() {
            prop_assert_eq!(header.bytes, &bytes[header.offset..][..header.bytes.len()]);
        }
        let too_big = Icmpv6Problem::PacketTooBig { mtu: 1280 };
        let _ = may_answer_with_error_ipv6(&packet, too_big, false);
        if let Ok(plan) = plan_ipv6_fragments(&packet, mtu + 1200) {
            for fragment in plan.clone() {
                let written =
                    write_ipv6_fragment_headers(&mut buffer, &packet, &plan, &fragment, 1);
                prop_assert!(written.is_ok() || plan.headers_len() > room);
                prop_assert!(packet.payload.get(fragment.range).is_some());
            }
        }
    }
    if let Ok(segment) = parse_tcp(bytes) {
        let is_reset = segment.flags().contains(corelane_wire::TcpFlags::RST);
        prop_assert_eq!(segment.reset().is_none(), is_reset);
    }
    let macs = (MacAddr::BROADCAST, MacAddr::BROADCAST);
    let (a4, a6) = ([192, 0, 2, 1].into(), [1; 16].into());
    let problem = Icmpv4Problem::TimeExceeded(TimeExceeded::HopLimit);
    let built = build_icmp_error_ipv4(&mut buffer, macs.0, macs.1, a4, a4, problem, bytes);
    prop_assert!(built.is_ok_and(|len| len <= room.min(590)) || room < 42 + 68);
    let problem = Icmpv6Problem::TimeExceeded(TimeExceeded::HopLimit);
    let built = build_icmp_error_ipv6(&mut buffer, macs.0, macs.1, a6, a6, problem, bytes);
    prop_assert!(built.is_ok_and(|len| len <= room.min(1294)) || room < 62 + 48);
    Ok(())
}

/// An error message that quotes these bytes, with this header, read: nothing panics, and what is told
/// of the quoted packet is in it. Etherparse reads the same header.
fn error_messages_agree(kind: u8, rest: [u8; 4], quote: &[u8]) -> Result<(), TestCaseError> {
    let header = IcmpHeader {
        kind,
        code: rest[0] % 16,
        checksum: 0.into(),
        rest,
    };
    let message = Icmpv4Message {
        header: &header,
        payload: quote,
    };
    match parse_icmp_error_ipv4(&message) {
        Ok((_, quoted)) => {
            let theirs = etherparse::LaxIpv4Slice::from_slice(quote);
            let (theirs, _) = theirs.expect("etherparse takes the header");
            let header = theirs.header();
            prop_assert_eq!(quoted.source, header.source_addr());
            prop_assert_eq!(quoted.destination, header.destination_addr());
            prop_assert_eq!(quoted.protocol.0, header.protocol().0);
            prop_assert_eq!(quoted.length, header.total_len());
            prop_assert!(quote[header.slice().len()..].starts_with(quoted.transport));
        }
        Err(QuoteError::Kind(_)) => prop_assert!(!matches!(kind, 3 | 11 | 12)),
        Err(QuoteError::Truncated) => {}
        Err(QuoteError::Header) => prop_assert!(quote.len() >= 20),
    }
    let message = Icmpv6Message {
        header: &header,
        payload: quote,
    };
    match parse_icmp_error_ipv6(&message) {
        Ok((_, quoted)) => {
            let theirs = etherparse::Ipv6HeaderSlice::from_slice(quote);
            let theirs = theirs.expect("etherparse takes the header");
            prop_assert_eq!(quoted.source, theirs.source_addr());
            prop_assert_eq!(quoted.destination, theirs.destination_addr());
            prop_assert_eq!(quoted.length, theirs.payload_length());
            prop_assert!(quoted.transport.len() <= quote.len() - 40);
            prop_assert!(quoted.ports.is_none() || quoted.transport.len() >= 4);
        }
        Err(QuoteError::Kind(_)) => prop_assert!(!(1..=4).contains(&kind)),
        Err(QuoteError::Truncated) => {}
        Err(QuoteError::Header) => prop_assert!(quote.len() >= 40),
    }
    Ok(())
}

/// An IPv6 packet with extension headers, mostly of one unit. Differences from etherparse: it goes
/// into authentication headers, and does not look at what the headers say.
fn extensions_agree(next_header: u8, payload: &[u8]) -> Result<(), TestCaseError> {
    let mut bytes = vec![0; 40];
    bytes[0] = 0x60;
    bytes[5] = payload.len() as u8;
    bytes[6] = next_header;
    bytes.extend_from_slice(payload);
    let packet = parse_ipv6(&bytes).unwrap();
    let Ok(ExtensionEnd::UpperLayer(ours)) = ExtensionWalk::new(&packet).end() else {
        return Ok(());
    };
    if ours.protocol == IpProtocol::AH || payload.is_empty() {
        return Ok(());
    }
    // Numbers that etherparse knows as extension headers, and that are an upper layer here.
    if etherparse::IpNumber(ours.protocol.0).is_ipv6_ext_header_value() {
        return Ok(());
    }
    let theirs = etherparse::Ipv6Slice::from_slice(&bytes);
    let theirs = theirs.expect("etherparse takes it");
    prop_assert_eq!(theirs.payload().ip_number.0, ours.protocol.0);
    prop_assert_eq!(theirs.payload().payload, ours.payload);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn packets_are_taken_apart(
        (four, six) in (nearly_ipv4(), nearly_ipv6()),
        mtu in prop_oneof![Just(68usize), 60usize..200],
        room in 0usize..300,
    ) {
        takes_apart(&four, mtu, room)?;
        takes_apart(&six, mtu, room)?;
    }

    #[test]
    fn error_messages(
        (four, six) in (nearly_ipv4(), nearly_ipv6()),
        kind in 0u8..14,
        rest in prop_oneof![2 => Just([0; 4]), 1 => any::<[u8; 4]>()],
    ) {
        error_messages_agree(kind, rest, &four)?;
        error_messages_agree(kind, rest, &six)?;
    }

    #[test]
    fn extensions(
        next_header in proptest::sample::select(vec![0u8, 43, 44, 60]),
        mut payload in proptest::collection::vec(
            prop_oneof![
                4 => proptest::sample::select(vec![0u8, 1, 4, 17, 43, 44, 60]),
                1 => any::<u8>(),
            ],
            0..100,
        ),
    ) {
        for length in payload.iter_mut().skip(1).step_by(8) {
            *length &= 1;
        }
        extensions_agree(next_header, &payload)?;
    }

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
    fn igmp(bytes in nearly_igmp()) {
        igmp_agrees(&bytes)?;
    }

    #[test]
    fn neighbor_discovery(
        rest in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..80),
        kind in 134u8..138,
        a: [u8; 16],
        b: [u8; 16],
    ) {
        neighbor_discovery_agrees(kind, &rest, a, b)?;
    }

    #[test]
    fn hop_by_hop(
        rest in proptest::collection::vec(prop_oneof![0u8..6, any::<u8>()], 6..40),
    ) {
        hop_by_hop_agrees(&rest)?;
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
        let _ = parse_igmp(&bytes);
        let _ = parse_ndp(a.into(), b.into(), 255, &bytes);
        let _ = parse_mld(a.into(), b.into(), &bytes);
        let _ = parse_hop_by_hop(&bytes);
        let _ = corelane_wire::igmp::has_router_alert(&bytes);
        let _ = policy(&bytes);
        let _ = parse_arp_message(&bytes);
        let _ = skip_extensions(IpProtocol(bytes.len() as u8), &bytes);
        for kind in 0..13 {
            error_messages_agree(kind, a[..4].try_into().unwrap(), &bytes)?;
        }
        takes_apart(&bytes, 68, 100)?;
        let mut changed = bytes.clone();
        let _ = corelane_wire::icmpv4::make_echo_reply_in_place(&mut changed);
        let _ = corelane_wire::icmpv6::make_echo_reply_in_place(&mut changed);
        prop_assert_eq!(changed.len(), bytes.len());
    }
}
