//! What is for the control plane, and what is dropped for being invalid.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use corelane_stack::{DropReason, Inbound, PacketFlags};
use corelane_wire::build::{FrameSpec, build_echo_ipv6, build_ipv6};
use corelane_wire::extension::{ExtensionEnd, ExtensionWalk};
use corelane_wire::hop_by_hop::router_alert_header;
use corelane_wire::igmp::{
    ALL_SYSTEMS, IgmpKind, IgmpQuerySpec, IgmpQueryVersion, build_igmp, build_igmp_query,
};
use corelane_wire::ipv6::Ipv6Fields;
use corelane_wire::mld::{MldKind, MldQuerySpec, MldQueryVersion, build_mld_query, build_mld_v1};
use corelane_wire::ndp::{ALL_NODES, SolicitationSpec, build_neighbor_solicitation};
use corelane_wire::{
    ETHERNET_HEADER_LEN, Echo, EchoKind, IPV6_HEADER_LEN, IpProtocol, MacAddr, checksum, parse_ipv6,
};

use super::control_input::{Examined, examine_igmp, examine_v6};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const HOST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const HOP_LIMIT: usize = ETHERNET_HEADER_LEN + 7;
const TTL: usize = ETHERNET_HEADER_LEN + 8;

/// What a frame's packet is to the control plane.
fn examine(frame: &[u8]) -> Examined {
    let v4 = frame[12..14] == [8, 0];
    if v4 {
        return examine_igmp(&frame[ETHERNET_HEADER_LEN..]);
    }
    let packet = parse_ipv6(&frame[ETHERNET_HEADER_LEN..]).unwrap();
    let Ok(ExtensionEnd::UpperLayer(upper)) = ExtensionWalk::new(&packet).end() else {
        panic!("headers that break no rule");
    };
    if upper.protocol != IpProtocol::ICMPV6 {
        return Examined::PassOn;
    }
    let inbound = Inbound {
        frame: 0,
        ports: [0; 4],
        protocol: upper.protocol,
        flags: PacketFlags::ICMP,
        network: ETHERNET_HEADER_LEN as u8,
        transport: (ETHERNET_HEADER_LEN + upper.offset) as u16,
        end: frame.len() as u32,
    };
    examine_v6(frame, &inbound, false)
}

fn solicitation() -> Vec<u8> {
    let mut frame = vec![0; 128];
    let spec = SolicitationSpec::probe(MAC, HOST, None);
    let len = build_neighbor_solicitation(&mut frame, &spec).unwrap();
    frame.truncate(len);
    frame
}

fn mld_query() -> Vec<u8> {
    let mut frame = vec![0; 128];
    let spec = MldQuerySpec {
        version: MldQueryVersion::V2,
        group: None,
        max_response: Duration::from_secs(1),
        suppress: false,
        robustness: 2,
        interval: Duration::from_secs(125),
        sources: &[],
    };
    let len = build_mld_query(&mut frame, MAC, ROUTER, ALL_NODES, &spec).unwrap();
    frame.truncate(len);
    frame
}

fn igmp_query(version: IgmpQueryVersion) -> Vec<u8> {
    let mut frame = vec![0; 128];
    let spec = IgmpQuerySpec {
        version,
        group: None,
        max_response: Duration::from_secs(1),
        suppress: false,
        robustness: 2,
        interval: Duration::from_secs(125),
        sources: &[],
    };
    let router = Ipv4Addr::new(192, 0, 2, 254);
    let len = build_igmp_query(&mut frame, MAC, router, ALL_SYSTEMS, &spec).unwrap();
    frame.truncate(len);
    frame
}

#[test]
fn g12_g13_neighbor_discovery_that_is_to_be_discarded() {
    assert_eq!(examine(&solicitation()), Examined::Punt);
    let invalid = Examined::Dropped(DropReason::NdpInvalid);
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = solicitation();
        change(&mut frame);
        examine(&frame)
    };
    assert_eq!(broken(&|f| f[HOP_LIMIT] = 254), invalid, "through a router");
    assert_eq!(
        broken(&|f| *f.last_mut().unwrap() ^= 1),
        invalid,
        "checksum"
    );
    assert_eq!(
        broken(&|f| {
            f.truncate(f.len() - 4);
            f[ETHERNET_HEADER_LEN + 5] -= 4;
        }),
        invalid,
        "too short"
    );
}

#[test]
fn neighbor_discovery_with_a_fragment_header_is_discarded_though_it_is_whole() {
    let headers = ETHERNET_HEADER_LEN + IPV6_HEADER_LEN;
    for frame in [solicitation(), icmpv6(134, 16, 255)] {
        assert_ne!(examine(&frame), Examined::Dropped(DropReason::NdpInvalid));
        let mut atomic = frame;
        atomic[ETHERNET_HEADER_LEN + 6] = IpProtocol::IPV6_FRAGMENT.0;
        atomic[ETHERNET_HEADER_LEN + 5] += 8;
        let fragment = [IpProtocol::ICMPV6.0, 0, 0, 0, 0, 0, 0, 7];
        atomic.splice(headers..headers, fragment);
        // RFC 6980 section 5.
        assert_eq!(examine(&atomic), Examined::Dropped(DropReason::NdpInvalid));
    }
}

/// An ICMPv6 message of this type and length, with a valid checksum.
fn icmpv6(kind: u8, len: usize, hop_limit: u8) -> Vec<u8> {
    let mut message = vec![0; len];
    message[0] = kind;
    let pseudo_header = [
        &ROUTER.octets()[..],
        &HOST.octets(),
        &(len as u32).to_be_bytes(),
        &[0, 0, 0, IpProtocol::ICMPV6.0],
    ];
    let summed = [&pseudo_header.concat()[..], &message].concat();
    message[2..4].copy_from_slice(&checksum::sum(&summed).checksum().to_be_bytes());
    let mut frame = vec![0; 128];
    let fields = Ipv6Fields::new(ROUTER, HOST, IpProtocol::ICMPV6, hop_limit);
    let len = build_ipv6(&mut frame, MAC, MAC, &fields, &message).unwrap();
    frame.truncate(len);
    frame
}

#[test]
fn g12_what_routers_say_is_the_handlers_if_it_is_of_this_link() {
    for (kind, len) in [(133, 8), (134, 16), (137, 40)] {
        assert_eq!(examine(&icmpv6(kind, len, 255)), Examined::PassOn, "{kind}");
        let invalid = Examined::Dropped(DropReason::NdpInvalid);
        assert_eq!(examine(&icmpv6(kind, len, 64)), invalid, "{kind}");
    }
    assert_eq!(
        examine(&icmpv6(1, 8, 64)),
        Examined::PassOn,
        "an error message"
    );
}

#[test]
fn mld_needs_its_router_alert_and_hop_limit() {
    let frame = mld_query();
    assert_eq!(examine(&frame), Examined::Punt);
    let invalid = Examined::Dropped(DropReason::MldInvalid);
    let mut far = frame.clone();
    far[HOP_LIMIT] = 2;
    assert_eq!(examine(&far), invalid, "through a router");
    // Without the options in front: 8 bytes less.
    let mut bare = frame.clone();
    let options = ETHERNET_HEADER_LEN + IPV6_HEADER_LEN;
    bare[ETHERNET_HEADER_LEN + 6] = IpProtocol::ICMPV6.0;
    bare[ETHERNET_HEADER_LEN + 5] -= 8;
    drop(bare.drain(options..options + 8));
    assert_eq!(examine(&bare), invalid, "no router alert");
    let mut wrong = frame;
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(examine(&wrong), invalid, "checksum");
    let mut report = vec![0; 128];
    let group = "ff02::fb".parse().unwrap();
    let len = build_mld_v1(&mut report, MAC, ROUTER, group, MldKind::Report, group).unwrap();
    assert_eq!(examine(&report[..len]), Examined::Punt);
}

#[test]
fn options_before_something_else_are_the_handlers() {
    let mut payload = router_alert_header(IpProtocol::UDP, 0).to_vec();
    payload.extend([0; 8]);
    let mut frame = vec![0; 128];
    let fields = Ipv6Fields::new(ROUTER, HOST, IpProtocol::HOP_BY_HOP, 64);
    let len = build_ipv6(&mut frame, MAC, MAC, &fields, &payload).unwrap();
    assert_eq!(examine(&frame[..len]), Examined::PassOn);
}

#[test]
fn an_echo_request_is_not_for_the_control_plane() {
    let spec = FrameSpec {
        source_mac: MAC,
        destination_mac: MAC,
        source: ROUTER,
        destination: HOST,
        ttl: 64,
    };
    let echo = Echo {
        kind: EchoKind::Request,
        identifier: 1,
        sequence: 2,
        data: b"",
    };
    let mut frame = vec![0; 128];
    let len = build_echo_ipv6(&mut frame, &spec, &echo).unwrap();
    assert_eq!(examine(&frame[..len]), Examined::PassOn);
}

#[test]
fn igmp_of_every_version_is_validated() {
    let invalid = Examined::Dropped(DropReason::IgmpInvalid);
    for version in [
        IgmpQueryVersion::V1,
        IgmpQueryVersion::V2,
        IgmpQueryVersion::V3,
    ] {
        let frame = igmp_query(version);
        assert_eq!(examine(&frame), Examined::Punt, "{version:?}");
        let mut wrong = frame.clone();
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(examine(&wrong), invalid, "{version:?}: checksum");
    }
    let mut report = vec![0; 128];
    let (host, group) = (Ipv4Addr::new(192, 0, 2, 9), Ipv4Addr::new(224, 0, 0, 251));
    let len = build_igmp(&mut report, MAC, host, group, IgmpKind::ReportV2, group).unwrap();
    assert_eq!(examine(&report[..len]), Examined::Punt);
    // The time to live changed with the header's checksum.
    let mut far = report[..len].to_vec();
    let network = ETHERNET_HEADER_LEN;
    far[TTL] = 2;
    far[network + 10..network + 12].fill(0);
    let header_len = usize::from(far[network] & 15) * 4;
    let sum = checksum::sum(&far[network..network + header_len]).checksum();
    far[network + 10..network + 12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(examine(&far), invalid, "through a router");
}
