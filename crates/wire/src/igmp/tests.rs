use super::*;
use crate::membership::RecordKind;
use crate::{parse_ethernet, parse_ipv4};
use proptest::prelude::*;

const MAC: MacAddr = MacAddr([0x02, 0x00, 0x5e, 0x10, 0x00, 0x01]);
const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

/// What a Linux kernel sends for `GROUP`, from the wire.
const KERNEL_V2_REPORT: &str = "01005e01020302005e1000010800\
    46c000200000400001023112c0000201ef01020394040000 1600f8faef010203";
const KERNEL_V2_LEAVE: &str = "01005e00000202005e1000010800\
    46c000200000400001024214c0000201e000000294040000 1700f7faef010203";
const KERNEL_V3_JOIN: &str = "01005e00001602005e1000010800\
    46c0002800004000010241f8c0000201e000001694040000 2200e8f9000000010400 0000ef010203";
const KERNEL_V3_LEAVE: &str = "01005e00001602005e1000010800\
    46c0002800004000010241f8c0000201e000001694040000 2200e9f9000000010300 0000ef010203";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty());
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Checks the headers of a frame and returns its message.
fn payload(frame: &[u8]) -> &[u8] {
    let ethernet = parse_ethernet(frame).unwrap();
    let packet = parse_ipv4(ethernet.payload).unwrap();
    assert_eq!(
        ethernet.header.destination,
        MacAddr::from_ipv4_multicast(packet.destination())
    );
    assert_eq!(packet.protocol(), IpProtocol::IGMP);
    assert_eq!(packet.header.ttl, 1);
    assert_eq!(packet.header.traffic_class, 0xc0);
    assert!(has_router_alert(packet.options));
    packet.payload
}

fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    set_checksum(&mut bytes, Sum::ZERO);
    bytes
}

fn query(bytes: &[u8]) -> Result<IgmpQuery<'_>, IgmpError> {
    parse_igmp(bytes).map(|message| match message {
        IgmpMessage::Query(query) => query,
        other => panic!("{other:?}"),
    })
}

#[test]
fn frames_are_those_of_a_kernel() {
    let mut buffer = [0; 64];
    let built = build_igmp(&mut buffer, MAC, HOST, GROUP, IgmpKind::ReportV2, GROUP);
    assert_eq!(buffer[..built.unwrap()], hex(KERNEL_V2_REPORT));
    let built = build_igmp(&mut buffer, MAC, HOST, ALL_ROUTERS, IgmpKind::Leave, GROUP);
    assert_eq!(buffer[..built.unwrap()], hex(KERNEL_V2_LEAVE));
    for (kind, want) in [
        (RecordKind::ChangeToExclude, KERNEL_V3_JOIN),
        (RecordKind::ChangeToInclude, KERNEL_V3_LEAVE),
    ] {
        let record = GroupRecord {
            kind,
            group: GROUP,
            sources: &[],
        };
        let n = build_igmp_v3_report(&mut buffer, MAC, HOST, &[record]).unwrap();
        assert_eq!(buffer[..n], hex(want));
    }
}

#[test]
fn a_kernels_frames_are_read() {
    let read = |text| {
        let frame = hex(text);
        let message = payload(&frame).to_vec();
        format!("{:?}", parse_igmp(&message).unwrap())
    };
    assert_eq!(read(KERNEL_V2_REPORT), "ReportV2(239.1.2.3)");
    assert_eq!(read(KERNEL_V2_LEAVE), "Leave(239.1.2.3)");
    let frame = hex(KERNEL_V3_JOIN);
    let Ok(IgmpMessage::ReportV3(mut records)) = parse_igmp(payload(&frame)) else {
        panic!("not a report");
    };
    let record = records.next().unwrap();
    assert_eq!(
        (record.kind, record.group, record.sources.len()),
        (Some(RecordKind::ChangeToExclude), GROUP, 0)
    );
    assert_eq!(records.next(), None);
}

#[test]
fn the_length_and_the_code_tell_the_version_of_a_query() {
    let v1 = with_checksum(&[0x11, 0, 0, 0, 0, 0, 0, 0]);
    let got = query(&v1).unwrap();
    assert_eq!((got.version, got.group), (IgmpQueryVersion::V1, None));
    assert_eq!(got.max_response, Duration::from_secs(10));
    // A group is ignored.
    let v1 = with_checksum(&[0x11, 0, 0, 0, 10, 0, 0, 1]);
    assert_eq!(query(&v1).unwrap().group, None);

    let v2 = with_checksum(&[0x11, 100, 0, 0, 0, 0, 0, 0]);
    let got = query(&v2).unwrap();
    assert_eq!((got.version, got.group), (IgmpQueryVersion::V2, None));
    assert_eq!(got.max_response, Duration::from_secs(10));
    // Not exponential in version 2.
    let v2 = with_checksum(&[0x11, 0xff, 0, 0, 239, 1, 2, 3]);
    let got = query(&v2).unwrap();
    assert_eq!(got.max_response, Duration::from_millis(25_500));
    assert_eq!(got.group, Some(GROUP));
    assert_eq!(got.sources().len(), 0);

    let v3 = with_checksum(&[
        0x11, 0x8a, 0, 0, 239, 1, 2, 3, 0x0a, 0x9c, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2, 0xff,
    ]);
    let got = query(&v3).unwrap();
    assert_eq!(
        (got.version, got.group),
        (IgmpQueryVersion::V3, Some(GROUP))
    );
    assert_eq!(got.max_response, Duration::from_millis(26 * 8 * 100));
    assert!(got.suppress);
    assert_eq!(got.robustness, 2);
    assert_eq!(got.interval, Duration::from_secs(28 << 4));
    assert!(
        got.sources()
            .eq([Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)])
    );
    // A code of zero is version 3 all the same, and asks for an answer at once.
    let v3 = with_checksum(&[0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let got = query(&v3).unwrap();
    assert_eq!((got.version, got.group), (IgmpQueryVersion::V3, None));
    assert_eq!(got.max_response, Duration::ZERO);
}

#[test]
fn a_query_of_version_2_never_looks_like_one_of_version_1() {
    let spec = IgmpQuerySpec {
        version: IgmpQueryVersion::V2,
        group: None,
        max_response: Duration::ZERO,
        suppress: false,
        robustness: 0,
        interval: Duration::ZERO,
        sources: &[],
    };
    let mut buffer = [0; 46];
    let n = build_igmp_query(&mut buffer, MAC, HOST, ALL_SYSTEMS, &spec).unwrap();
    let got = query(payload(&buffer[..n])).unwrap();
    assert_eq!(got.version, IgmpQueryVersion::V2);
    assert_eq!(got.max_response, Duration::from_millis(100));
}

#[test]
fn each_rule_has_its_error() {
    let error = |bytes: &[u8]| parse_igmp(&with_checksum(bytes)).err();
    for len in 0..8 {
        let bytes = with_checksum(&[0x16, 0, 0, 0, 239, 1, 2, 3]);
        assert_eq!(parse_igmp(&bytes[..len]).err(), Some(IgmpError::Truncated));
    }
    for len in 9..12 {
        let bytes = [0x11, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0];
        assert_eq!(error(&bytes[..len]), Some(IgmpError::QueryLength));
    }
    let sources = [0x11, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 1, 10, 0, 0];
    assert_eq!(error(&sources), Some(IgmpError::Sources));
    let records = [0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 2];
    assert_eq!(error(&records), Some(IgmpError::Records));
    for kind in [0x12, 0x16, 0x17] {
        assert_eq!(error(&[kind, 0, 0, 0, 239, 1, 2, 3]), None);
        for group in [[0; 4], [10, 0, 0, 1], [223, 255, 255, 255], [240, 0, 0, 0]] {
            let [a, b, c, d] = group;
            let message = [kind, 0, 0, 0, a, b, c, d];
            assert_eq!(error(&message), Some(IgmpError::Group));
        }
    }
    let group = [0x11, 1, 0, 0, 10, 0, 0, 1];
    assert_eq!(error(&group), Some(IgmpError::Group));
    assert_eq!(
        parse_igmp(&with_checksum(&[0x13, 0, 0, 0, 0, 0, 0, 0])),
        Ok(IgmpMessage::Other(0x13))
    );
    // The checksum covers what is behind the message too.
    let good = with_checksum(&[0x16, 0, 0, 0, 239, 1, 2, 3, 9, 9]);
    assert!(parse_igmp(&good).is_ok());
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(parse_igmp(&bad).err(), Some(IgmpError::Checksum), "{bit}");
    }
    assert_eq!(parse_igmp(&[0; 8]).err(), Some(IgmpError::Checksum));
}

#[test]
fn finds_the_router_alert_among_options() {
    for (options, want) in [
        (&[148, 4, 0, 0][..], true),
        (&[1, 1, 148, 4, 0, 0, 0, 0], true),
        (&[7, 3, 4, 148, 4, 0, 0, 0], true),
        (&[], false),
        (&[0, 148, 4, 0, 0, 0, 0, 0], false),
        (&[7, 7, 4, 148, 4, 0, 0, 0], false),
        (&[7, 0, 148, 4, 0, 0, 0, 0], false),
        (&[7, 1, 148, 4, 0, 0, 0, 0], false),
        (&[7, 200, 148, 4, 0, 0, 0, 0], false),
        (&[148, 3, 0, 0], false),
        (&[1, 1, 1, 148], false),
    ] {
        assert_eq!(has_router_alert(options), want, "{options:?}");
    }
}

#[test]
fn reports_that_no_packet_holds_are_refused() {
    let sources = vec![GROUP; 16_400];
    let record = GroupRecord {
        kind: RecordKind::ModeIsInclude,
        group: GROUP,
        sources: &sources,
    };
    let mut buffer = vec![0; 200_000];
    assert_eq!(
        build_igmp_v3_report(&mut buffer, MAC, HOST, &[record]),
        Err(NoRoom {
            needed: 38 + 8 + 8 + 65_600,
            room: 14 + 65_535
        })
    );
    let record = GroupRecord {
        sources: &sources[..16_373],
        ..record
    };
    let n = build_igmp_v3_report(&mut buffer, MAC, HOST, &[record]).unwrap();
    let Ok(IgmpMessage::ReportV3(mut records)) = parse_igmp(payload(&buffer[..n])) else {
        panic!("not a report");
    };
    assert_eq!(records.next().unwrap().sources.len(), 16_373);
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(Ipv4Addr::from)
}

fn group() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(|[a, b, c, d]| Ipv4Addr::new(0xe0 | a & 0x0f, b, c, d))
}

proptest! {
    #[test]
    fn reports_of_version_3_round_trip(
        source in address(),
        records in proptest::collection::vec(
            (1u8..7, group(), proptest::collection::vec(address(), 0..5)),
            0..6,
        ),
    ) {
        let sent: Vec<GroupRecord<'_, Ipv4Addr>> = records
            .iter()
            .map(|(kind, group, sources)| GroupRecord {
                kind: RecordKind::from_u8(*kind).unwrap(),
                group: *group,
                sources,
            })
            .collect();
        let mut buffer = [0; 512];
        let n = build_igmp_v3_report(&mut buffer, MAC, source, &sent).unwrap();
        for room in 0..n {
            prop_assert_eq!(
                build_igmp_v3_report(&mut vec![0; room], MAC, source, &sent),
                Err(NoRoom { needed: n, room })
            );
        }
        match parse_igmp(payload(&buffer[..n])) {
            Ok(IgmpMessage::ReportV3(got)) => {
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
        version in prop_oneof![
            Just(IgmpQueryVersion::V1),
            Just(IgmpQueryVersion::V2),
            Just(IgmpQueryVersion::V3),
        ],
        group in proptest::option::of(group()),
        max_response in 0u64..5_000_000,
        suppress: bool,
        robustness in 0u8..10,
        interval in 0u64..50_000,
        sources in proptest::collection::vec(address(), 0..5),
    ) {
        let spec = IgmpQuerySpec {
            version,
            group,
            max_response: Duration::from_millis(max_response),
            suppress,
            robustness,
            interval: Duration::from_secs(interval),
            sources: &sources,
        };
        let mut buffer = [0; 128];
        let to = group.unwrap_or(ALL_SYSTEMS);
        let n = build_igmp_query(&mut buffer, MAC, HOST, to, &spec).unwrap();
        let got = query(payload(&buffer[..n])).unwrap();
        prop_assert_eq!(got.version, version);
        if version == IgmpQueryVersion::V1 {
            prop_assert_eq!((got.group, got.max_response), (None, Duration::from_secs(10)));
        } else {
            prop_assert_eq!(got.group, group);
            prop_assert!(got.max_response <= spec.max_response.max(Duration::from_millis(100)));
        }
        if version == IgmpQueryVersion::V3 {
            prop_assert_eq!(got.suppress, suppress);
            prop_assert_eq!(got.robustness, if robustness > 7 { 0 } else { robustness });
            prop_assert!(got.interval <= spec.interval);
            prop_assert!(got.sources().eq(sources.iter().copied()));
            // Less than one step of the code away.
            let limit = Duration::from_millis(31_744 * 100);
            let lost = spec.max_response.min(limit) - got.max_response;
            prop_assert!(lost < Duration::from_millis(100) + spec.max_response / 16);
        } else {
            prop_assert_eq!((got.suppress, got.robustness), (false, 0));
            prop_assert_eq!((got.interval, got.sources().len()), (Duration::ZERO, 0));
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(
        mut bytes in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 8..80),
        kind in prop_oneof![Just(0x11u8), Just(0x22u8), any::<u8>()],
    ) {
        bytes[0] = kind;
        bytes[2..4].fill(0);
        let bytes = with_checksum(&bytes);
        prop_assert_ne!(parse_igmp(&bytes).err(), Some(IgmpError::Checksum));
        let _ = has_router_alert(&bytes);
    }
}
