use super::*;
use crate::membership::RecordKind;
use crate::ndp::{ALL_NODES, ALL_ROUTERS};
use crate::{parse_ethernet, parse_hop_by_hop, parse_ipv6};
use proptest::prelude::*;

const MAC: MacAddr = MacAddr([0x02, 0x00, 0x5e, 0x10, 0x00, 0x01]);
const HOST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5eff, 0xfe10, 1);
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 0, 0x1234);
const SOLICITED_NODE: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff10, 1);

/// What a Linux kernel sends, from the wire.
const KERNEL_V1_REPORT: &str = "33330000123402005e10000186dd 6000000000200001\
    fe8000000000000000005efffe100001 ff0e0000000000000000000000001234 3a00050200000100\
    8300fe9400000000 ff0e0000000000000000000000001234";
const KERNEL_V1_DONE: &str = "33330000000202005e10000186dd 6000000000200001\
    fe8000000000000000005efffe100001 ff020000000000000000000000000002 3a00050200000100\
    84000fd300000000 ff0e0000000000000000000000001234";
const KERNEL_V2_REPORT: &str = "33330000001602005e10000186dd 6000000000240001\
    fe8000000000000000005efffe100001 ff020000000000000000000000000016 3a00050200000100\
    8f0013e700000001 04000000 ff0200000000000000000001ff100001";
const KERNEL_V2_REPORT_FROM_NOBODY: &str = "33330000001602005e10000186dd 6000000000240001\
    00000000000000000000000000000000 ff020000000000000000000000000016 3a00050200000100\
    8f006f7900000001 04000000 ff0200000000000000000001ff100001";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty());
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Reads a frame as a node does.
fn parse_frame(frame: &[u8]) -> Result<MldMessage<'_>, MldError> {
    let ethernet = parse_ethernet(frame).unwrap();
    let packet = parse_ipv6(ethernet.payload).unwrap();
    assert_eq!(
        ethernet.header.destination,
        MacAddr::from_ipv6_multicast(packet.destination())
    );
    assert_eq!(packet.next_header(), IpProtocol::HOP_BY_HOP);
    let options = parse_hop_by_hop(packet.payload).unwrap();
    assert_eq!(options.next_header, IpProtocol::ICMPV6);
    verify_mld_header(packet.header.hop_limit, options.router_alert)?;
    parse_mld(packet.source(), packet.destination(), options.rest)
}

fn with_checksum(source: Ipv6Addr, destination: Ipv6Addr, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let len = bytes.len() as u32;
    let pseudo = checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, len);
    set_checksum(&mut bytes, pseudo);
    bytes
}

/// The bytes of a message about this group, and what follows the group.
fn message(kind: u8, code: u16, group: Ipv6Addr, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend_from_slice(&code.to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&group.octets());
    bytes.extend_from_slice(rest);
    bytes
}

fn error(source: Ipv6Addr, bytes: &[u8]) -> Option<MldError> {
    parse_mld(source, ALL_NODES, &with_checksum(source, ALL_NODES, bytes)).err()
}

fn query(bytes: &[u8]) -> MldQuery<'_> {
    match parse_mld(HOST, ALL_NODES, bytes) {
        Ok(MldMessage::Query(query)) => query,
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_are_those_of_a_kernel() {
    let mut buffer = [0; 128];
    let n = build_mld_v1(&mut buffer, MAC, HOST, GROUP, MldKind::Report, GROUP).unwrap();
    assert_eq!(buffer[..n], hex(KERNEL_V1_REPORT));
    let n = build_mld_v1(&mut buffer, MAC, HOST, ALL_ROUTERS, MldKind::Done, GROUP).unwrap();
    assert_eq!(buffer[..n], hex(KERNEL_V1_DONE));
    let record = GroupRecord {
        kind: RecordKind::ChangeToExclude,
        group: SOLICITED_NODE,
        sources: &[],
    };
    for (source, want) in [
        (HOST, KERNEL_V2_REPORT),
        (Ipv6Addr::UNSPECIFIED, KERNEL_V2_REPORT_FROM_NOBODY),
    ] {
        let n = build_mld_v2_report(&mut buffer, MAC, source, &[record]).unwrap();
        assert_eq!(buffer[..n], hex(want));
    }
}

#[test]
fn a_kernels_frames_are_read() {
    assert_eq!(
        parse_frame(&hex(KERNEL_V1_REPORT)),
        Ok(MldMessage::ReportV1(GROUP))
    );
    assert_eq!(
        parse_frame(&hex(KERNEL_V1_DONE)),
        Ok(MldMessage::Done(GROUP))
    );
    for text in [KERNEL_V2_REPORT, KERNEL_V2_REPORT_FROM_NOBODY] {
        let frame = hex(text);
        let Ok(MldMessage::ReportV2(mut records)) = parse_frame(&frame) else {
            panic!("not a report");
        };
        let record = records.next().unwrap();
        assert_eq!(
            (record.kind, record.group, record.sources.len()),
            (Some(RecordKind::ChangeToExclude), SOLICITED_NODE, 0)
        );
        assert_eq!(records.next(), None);
    }
}

#[test]
fn hop_limit_and_router_alert_are_asked_for() {
    assert_eq!(verify_mld_header(1, Some(0)), Ok(()));
    for hop_limit in [0, 2, 64, 255] {
        assert_eq!(
            verify_mld_header(hop_limit, Some(0)),
            Err(MldError::HopLimit)
        );
    }
    for alert in [None, Some(1), Some(0xffff)] {
        assert_eq!(verify_mld_header(1, alert), Err(MldError::RouterAlert));
    }
}

#[test]
fn the_length_tells_the_version_of_a_query() {
    let none = Ipv6Addr::UNSPECIFIED;
    let v1 = with_checksum(HOST, ALL_NODES, &message(130, 0xffff, none, &[]));
    let got = query(&v1);
    assert_eq!((got.version, got.group), (MldQueryVersion::V1, None));
    // Not exponential in version 1.
    assert_eq!(got.max_response, Duration::from_millis(65_535));
    assert_eq!((got.sources().len(), got.robustness), (0, 0));

    let mut tail = vec![0x0b, 0x80, 0, 1];
    tail.extend_from_slice(&HOST.octets());
    tail.push(0xff);
    let v2 = with_checksum(HOST, ALL_NODES, &message(130, 0x8001, GROUP, &tail));
    let got = query(&v2);
    assert_eq!((got.version, got.group), (MldQueryVersion::V2, Some(GROUP)));
    assert_eq!(got.max_response, Duration::from_millis(0x1001 << 3));
    assert_eq!((got.suppress, got.robustness), (true, 3));
    assert_eq!(got.interval, Duration::from_secs(128));
    assert!(got.sources().eq([HOST]));

    for len in [1, 2, 3] {
        let bytes = message(130, 1000, none, &[0; 3][..len]);
        assert_eq!(error(HOST, &bytes), Some(MldError::QueryLength));
    }
    for len in 8..24 {
        let bytes = &message(130, 1000, none, &[])[..len];
        assert_eq!(error(HOST, bytes), Some(MldError::QueryLength));
    }
    let fewer = message(130, 1000, GROUP, &tail[..19]);
    assert_eq!(error(HOST, &fewer), Some(MldError::Sources));
}

#[test]
fn each_rule_has_its_error() {
    let global: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let none = Ipv6Addr::UNSPECIFIED;
    let general = message(130, 1000, none, &[]);
    assert_eq!(error(HOST, &general), None);
    assert_eq!(error(global, &general), Some(MldError::Source));
    // A query comes from a router, which has an address.
    assert_eq!(error(none, &general), Some(MldError::Source));
    let specific = message(130, 1000, global, &[]);
    assert_eq!(error(HOST, &specific), Some(MldError::Group));
    for kind in [131, 132] {
        let report = message(kind, 0, GROUP, &[]);
        assert_eq!(error(HOST, &report), None);
        assert_eq!(error(none, &report), None);
        assert_eq!(error(global, &report), Some(MldError::Source));
        assert_eq!(
            error(HOST, &message(kind, 0, global, &[])),
            Some(MldError::Group)
        );
        assert_eq!(error(HOST, &report[..23]), Some(MldError::Truncated));
    }
    let records = [143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0];
    assert_eq!(error(HOST, &records), Some(MldError::Records));
    assert_eq!(error(global, &records), Some(MldError::Source));
    assert_eq!(error(HOST, &[143, 0, 0, 0, 0, 0, 0, 0]), None);
    assert_eq!(
        parse_mld(HOST, HOST, &with_checksum(HOST, HOST, &[135; 24])),
        Err(MldError::Checksum)
    );
    let other = with_checksum(HOST, HOST, &[135, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(parse_mld(HOST, HOST, &other), Ok(MldMessage::Other(135)));
    let good = with_checksum(HOST, ALL_NODES, &general);
    for len in 0..8 {
        assert_eq!(
            parse_mld(HOST, ALL_NODES, &good[..len]).err(),
            Some(MldError::Truncated)
        );
    }
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(
            parse_mld(HOST, ALL_NODES, &bad).err(),
            Some(MldError::Checksum)
        );
    }
}

#[test]
fn reports_that_no_packet_holds_are_refused() {
    let sources = vec![HOST; 4_100];
    let record = GroupRecord {
        kind: RecordKind::ModeIsInclude,
        group: GROUP,
        sources: &sources,
    };
    let mut buffer = vec![0; 100_000];
    assert_eq!(
        build_mld_v2_report(&mut buffer, MAC, HOST, &[record]),
        Err(NoRoom {
            needed: 62 + 8 + 20 + 65_600,
            room: 54 + 65_535
        })
    );
    let record = GroupRecord {
        sources: &sources[..4_093],
        ..record
    };
    let n = build_mld_v2_report(&mut buffer, MAC, HOST, &[record]).unwrap();
    let Ok(MldMessage::ReportV2(mut records)) = parse_frame(&buffer[..n]) else {
        panic!("not a report");
    };
    assert_eq!(records.next().unwrap().sources.len(), 4_093);
}

fn address() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(Ipv6Addr::from)
}

fn group() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(|mut octets| {
        octets[0] = 0xff;
        octets.into()
    })
}

proptest! {
    #[test]
    fn reports_of_version_2_round_trip(
        records in proptest::collection::vec(
            (1u8..7, group(), proptest::collection::vec(address(), 0..5)),
            0..6,
        ),
    ) {
        let sent: Vec<GroupRecord<'_, Ipv6Addr>> = records
            .iter()
            .map(|(kind, group, sources)| GroupRecord {
                kind: RecordKind::from_u8(*kind).unwrap(),
                group: *group,
                sources,
            })
            .collect();
        let mut buffer = [0; 1024];
        let n = build_mld_v2_report(&mut buffer, MAC, HOST, &sent).unwrap();
        for room in 0..n {
            prop_assert_eq!(
                build_mld_v2_report(&mut vec![0; room], MAC, HOST, &sent),
                Err(NoRoom { needed: n, room })
            );
        }
        match parse_frame(&buffer[..n]) {
            Ok(MldMessage::ReportV2(got)) => {
                prop_assert_eq!(got.len(), sent.len());
                for (got, sent) in got.zip(&sent) {
                    prop_assert_eq!(got.kind, Some(sent.kind));
                    prop_assert_eq!(got.group, sent.group);
                    prop_assert!(got.sources.eq(sent.sources.iter().copied()));
                }
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn queries_round_trip(
        is_v2: bool,
        group in proptest::option::of(group()),
        max_response in 0u64..10_000_000,
        suppress: bool,
        robustness in 0u8..10,
        interval in 0u64..50_000,
        sources in proptest::collection::vec(address(), 0..5),
    ) {
        let version = if is_v2 { MldQueryVersion::V2 } else { MldQueryVersion::V1 };
        let spec = MldQuerySpec {
            version,
            group,
            max_response: Duration::from_millis(max_response),
            suppress,
            robustness,
            interval: Duration::from_secs(interval),
            sources: &sources,
        };
        let mut buffer = [0; 256];
        let to = group.unwrap_or(ALL_NODES);
        let n = build_mld_query(&mut buffer, MAC, HOST, to, &spec).unwrap();
        let Ok(MldMessage::Query(got)) = parse_frame(&buffer[..n]) else {
            return Err(TestCaseError::fail("not a query"));
        };
        prop_assert_eq!((got.version, got.group), (version, group));
        prop_assert!(got.max_response <= spec.max_response);
        if is_v2 {
            prop_assert_eq!(got.suppress, suppress);
            prop_assert_eq!(got.robustness, if robustness > 7 { 0 } else { robustness });
            prop_assert!(got.interval <= spec.interval);
            prop_assert!(got.sources().eq(sources.iter().copied()));
            let limit = Duration::from_millis(8_387_584);
            let lost = spec.max_response.min(limit) - got.max_response;
            prop_assert!(lost <= spec.max_response / 4096);
        } else {
            prop_assert_eq!(got.max_response, Duration::from_millis(max_response.min(65_535)));
            prop_assert_eq!((got.interval, got.sources().len()), (Duration::ZERO, 0));
        }
    }

    #[test]
    fn any_content_is_a_message_or_an_error(
        from_link_local: bool,
        mut bytes in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 8..120),
        kind in prop_oneof![Just(130u8), Just(143u8), any::<u8>()],
    ) {
        let source = if from_link_local { HOST } else { Ipv6Addr::UNSPECIFIED };
        bytes[0] = kind;
        bytes[2..4].fill(0);
        let bytes = with_checksum(source, ALL_NODES, &bytes);
        prop_assert_ne!(
            parse_mld(source, ALL_NODES, &bytes).err(),
            Some(MldError::Checksum)
        );
    }
}
