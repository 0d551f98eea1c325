//! Section E: groups, who joins them, and what IGMP and MLD say about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use corelane_wire::igmp::{
    ALL_SYSTEMS, IgmpKind, IgmpMessage, IgmpQuerySpec, IgmpQueryVersion, build_igmp,
    build_igmp_query, has_router_alert, parse_igmp,
};
use corelane_wire::mld::{
    MldKind, MldMessage, MldQuerySpec, MldQueryVersion, build_mld_query, build_mld_v1, parse_mld,
    verify_mld_header,
};
use corelane_wire::ndp::ALL_NODES;
use corelane_wire::{
    EtherType, IpProtocol, MacAddr, parse_ethernet, parse_hop_by_hop, parse_ipv4, parse_ipv6,
};

use crate::testing::*;
use crate::*;

const SECOND: Duration = Duration::from_secs(1);
const V4: &str = "239.1.2.3";
const V6: &str = "ff05::1:3";

fn info(group: &str, joins: u32, own: u32) -> GroupInfo {
    GroupInfo {
        group: ip(group),
        joins,
        own,
    }
}

fn not_joined(group: &str) -> Result<(), LeaveGroupError> {
    Err(LeaveGroupError::NotJoined(ip(group)))
}

/// The groups of a NIC but those that every host is in.
fn groups(bed: &Bed) -> Vec<GroupInfo> {
    let mut groups = bed.nic.groups();
    groups.retain(|info| {
        info.group != IpAddr::V4(ALL_SYSTEMS) && info.group != IpAddr::V6(ALL_NODES)
    });
    groups
}

#[test]
fn e1_e3_joins_are_counted() {
    for group in [V4, V6, "224.0.0.251", "ff02::fb"] {
        let bed = bed();
        for joins in 1..=3 {
            bed.nic.join_group(ip(group)).unwrap();
            assert_eq!(groups(&bed), [info(group, joins, 0)]);
            assert_eq!(bed.lookup(&[group]), [Found::GROUP]);
        }
        for left in [2, 1] {
            bed.nic.leave_group(ip(group)).unwrap();
            assert_eq!(groups(&bed), [info(group, left, 0)]);
            assert!(bed.accepts(group) && bed.nic.is_in_group(ip(group)));
        }
        bed.nic.leave_group(ip(group)).unwrap();
        assert!(groups(&bed).is_empty());
        assert!(!bed.accepts(group) && !bed.nic.is_in_group(ip(group)));
        for _ in 0..2 {
            assert_eq!(bed.nic.leave_group(ip(group)), not_joined(group));
        }
        bed.nic.join_group(ip(group)).unwrap();
        assert!(bed.accepts(group), "and it can be joined again");
        assert!(bed.nic.endpoints().is_empty(), "a group is no endpoint");
        assert!(bed.happened().is_empty());
    }
}

#[test]
fn e1_what_is_no_group_cannot_be_joined() {
    let bed = bed();
    for address in [
        "192.0.2.1",
        "0.0.0.0",
        "255.255.255.255",
        "223.255.255.255",
        "240.0.0.0",
        "::",
        "2001:db8::1",
        "fe80::1",
        "::ffff:239.1.2.3",
    ] {
        assert_eq!(
            bed.nic.join_group(ip(address)),
            Err(JoinGroupError::BadAddress {
                address: ip(address),
                reason: BadAddress::NotMulticast
            })
        );
        assert_eq!(bed.nic.leave_group(ip(address)), not_joined(address));
        assert!(!bed.nic.is_in_group(ip(address)));
    }
    bed.nic.join_group(ip(V4)).unwrap();
    let mapped = "::ffff:239.1.2.3";
    assert!(!bed.nic.is_in_group(ip(mapped)));
    assert_eq!(bed.nic.leave_group(ip(mapped)), not_joined(mapped));
    assert_eq!(groups(&bed), [info(V4, 1, 0)]);
}

#[test]
fn e2_unknown_protocols_are_refused_and_duplicates_cannot_be() {
    for (protocols, unknown, family, known) in [
        (Protocols::V4, V6, Family::V6, V4),
        (Protocols::V6, V4, Family::V4, V6),
    ] {
        let bed = bed_of(NicConfig::new("test").protocols(protocols));
        for _ in 0..2 {
            assert_eq!(
                bed.nic.join_group(ip(unknown)),
                Err(JoinGroupError::UnknownProtocol(family))
            );
        }
        assert_eq!(bed.nic.leave_group(ip(unknown)), not_joined(unknown));
        // A group is never an address, neither before nor after it is joined.
        assert!(bed.nic.add_address(ip(known)).is_err());
        bed.nic.join_group(ip(known)).unwrap();
        assert!(bed.nic.add_address(ip(known)).is_err());
        bed.nic.join_group(ip(known)).unwrap();
        assert_eq!(groups(&bed), [info(known, 2, 0)]);
    }
}

#[test]
fn e4_bug11_joins_and_addresses_do_not_touch_each_other() {
    let bed = bed();
    let (address, group) = ("2001:db8::1", "ff02::1:ff00:1");
    bed.add(ip(address));
    assert_eq!(groups(&bed), [info(group, 0, 1)]);
    bed.nic.join_group(ip(group)).unwrap();
    assert_eq!(groups(&bed), [info(group, 1, 1)]);
    // Removing "the address" of the group takes nothing away.
    for _ in 0..2 {
        assert!(bed.nic.remove_address(ip(group)).is_err());
    }
    assert!(bed.accepts(group));
    bed.nic.leave_group(ip(group)).unwrap();
    assert_eq!(bed.nic.leave_group(ip(group)), not_joined(group));
    assert_eq!(groups(&bed), [info(group, 0, 1)]);
    assert!(bed.accepts(group), "the address needs it");
    bed.remove(address);
    assert!(groups(&bed).is_empty());
    // In the other order.
    bed.nic.join_group(ip(group)).unwrap();
    bed.add(ip(address));
    bed.remove(address);
    assert_eq!(groups(&bed), [info(group, 1, 0)]);
    assert!(bed.accepts(group));
    bed.nic.leave_group(ip(group)).unwrap();
    bed.nic.join_group(ip(group)).unwrap();
    assert!(bed.accepts(group), "a new join is one that takes packets");
}

#[test]
fn e5_no_route_holds_a_group() {
    for (address, group) in [("192.0.2.1", V4), ("2001:db8::1", V6)] {
        let bed = bed();
        bed.add(ip(address));
        bed.nic.join_group(ip(group)).unwrap();
        let route = bed.nic.route(None, ip(group)).unwrap();
        let before = groups(&bed).len();
        bed.nic.leave_group(ip(group)).unwrap();
        assert!(!bed.accepts(group), "although there is a route to it");
        assert_eq!(groups(&bed).len(), before - 1);
        assert!(
            bed.nic
                .endpoints()
                .iter()
                .all(|info| info.prefix.address() == ip(address))
        );
        route.write_packet(IpProtocol::UDP, &[], None).unwrap();
        bed.nic.join_group(ip(group)).unwrap();
        assert!(bed.accepts(group));
        for spoofing in [false, true] {
            bed.nic.set_spoofing(spoofing).unwrap();
            assert!(bed.nic.hold(ip(group)).is_err());
            assert!(bed.nic.route(Some(ip(group)), ip(address)).is_err());
        }
    }
}

#[test]
fn e6_joins_are_the_nics_own_and_enabling_joins_what_every_host_is_in() {
    let (all_v4, all_v6) = ("224.0.0.1", "ff02::1");
    let (one, two) = (bed(), bed());
    one.nic.join_group(ip(V4)).unwrap();
    assert!(one.accepts(V4) && !two.accepts(V4));
    for (protocols, v4, v6) in [
        (Protocols::Both, true, true),
        (Protocols::V4, true, false),
        (Protocols::V6, false, true),
    ] {
        let bed = bed_of(NicConfig::new("test").protocols(protocols).disabled());
        let member = || [all_v4, all_v6].map(|group| bed.nic.is_in_group(ip(group)));
        assert_eq!(member(), [false, false]);
        for _ in 0..2 {
            bed.nic.enable().unwrap();
            bed.nic.enable().unwrap();
            assert_eq!(member(), [v4, v6]);
            assert!(
                bed.nic
                    .groups()
                    .iter()
                    .all(|info| (info.joins, info.own) == (0, 1))
            );
            for group in [all_v4, all_v6] {
                assert_eq!(bed.nic.leave_group(ip(group)), not_joined(group));
            }
            bed.nic.disable().unwrap();
            assert_eq!(member(), [false, false], "once in, once out");
        }
        bed.happened();
    }
    // A user's joins stay while the NIC is disabled, of these groups too.
    let bed = bed();
    for group in [all_v4, all_v6, V4] {
        bed.nic.join_group(ip(group)).unwrap();
    }
    bed.nic.disable().unwrap();
    assert!(bed.nic.is_in_group(ip(all_v4)) && bed.nic.is_in_group(ip(V4)));
    bed.nic.enable().unwrap();
    for group in [all_v4, all_v6] {
        bed.nic.leave_group(ip(group)).unwrap();
        assert!(bed.accepts(group), "the NIC's own is left");
    }
}

#[test]
fn e7_addresses_that_share_24_bits_share_a_group() {
    for probing in [false, true] {
        let bed = if probing { probing_bed() } else { bed() };
        let group = "ff02::1:ff12:3456";
        let sharing = [
            "2001:db8::12:3456",
            "2001:db8:1::ab12:3456",
            "fe80::12:3456",
        ];
        for (n, address) in sharing.into_iter().enumerate() {
            bed.add(ip(address));
            assert_eq!(groups(&bed), [info(group, 0, n as u32 + 1)]);
            assert_eq!(bed.lookup(&[group]), [Found::GROUP]);
        }
        bed.add(ip("2001:db8::13:3456"));
        let other = "ff02::1:ff13:3456";
        assert_eq!(groups(&bed), [info(group, 0, 3), info(other, 0, 1)]);
        assert_eq!(bed.lookup(&["ff02::1:ff14:3456"]), [Found::NOTHING]);
        bed.advance(SECOND);
        let held = bed.nic.hold(ip(sharing[1])).unwrap();
        for (n, address) in sharing.into_iter().enumerate() {
            assert!(bed.accepts(group));
            bed.remove(address);
            let left = groups(&bed)
                .into_iter()
                .find(|info| info.group == ip(group));
            assert_eq!(left.map(|info| info.own), (n < 2).then_some(2 - n as u32));
        }
        assert!(!bed.accepts(group), "one of them is still held");
        assert!(bed.accepts(other));
        drop(held);
    }
}

#[test]
fn e8_groups_are_not_probed_and_join_nothing() {
    let bed = probing_bed();
    for group in ["ff02::1:ff00:1", "ff05::3", "ff0e::12:3456", V4] {
        bed.nic.join_group(ip(group)).unwrap();
        assert_eq!(bed.nic.is_tentative(ip(group)), Ok(false));
        assert!(bed.accepts(group), "at once");
    }
    assert_eq!(groups(&bed).len(), 4, "each itself and no other");
    bed.advance(10 * SECOND);
    assert!(bed.sent().is_empty());
    assert!(bed.happened().is_empty());
}

/// A membership message as the link sees it.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    source: String,
    destination: String,
    /// Version 3 or 2: the records; else what it is, and of which group.
    what: String,
}

fn said(source: &str, destination: &str, what: &str) -> Said {
    let [source, destination, what] = [source, destination, what].map(str::to_owned);
    Said {
        source,
        destination,
        what,
    }
}

/// What the NIC said of its groups since the last call; every message is checked to be one that a
/// router listens to.
fn heard(bed: &Bed) -> Vec<Said> {
    bed.sent().iter().map(|frame| read(frame)).collect()
}

fn read(frame: &[u8]) -> Said {
    let ethernet = parse_ethernet(frame).unwrap();
    assert_eq!(ethernet.header.source, MAC);
    if ethernet.header.ethertype() == EtherType::IPV4 {
        let packet = parse_ipv4(ethernet.payload).unwrap();
        assert_eq!(packet.protocol(), IpProtocol::IGMP);
        assert_eq!(packet.header.ttl, 1);
        assert!(has_router_alert(packet.options));
        let to = packet.destination();
        assert_eq!(
            ethernet.header.destination,
            MacAddr::from_ipv4_multicast(to)
        );
        let what = match parse_igmp(packet.payload).unwrap() {
            IgmpMessage::ReportV1(group) => format!("v1 report {group}"),
            IgmpMessage::ReportV2(group) => format!("v2 report {group}"),
            IgmpMessage::Leave(group) => format!("leave {group}"),
            IgmpMessage::ReportV3(records) => {
                let records = records.map(|record| {
                    let sources: Vec<_> = record.sources.collect();
                    format!("{:?} {} {sources:?}", record.kind.unwrap(), record.group)
                });
                records.collect::<Vec<_>>().join(", ")
            }
            other => panic!("{other:?}"),
        };
        return said(&packet.source().to_string(), &to.to_string(), &what);
    }
    let packet = parse_ipv6(ethernet.payload).unwrap();
    let (from, to) = (packet.source(), packet.destination());
    assert_eq!(packet.next_header(), IpProtocol::HOP_BY_HOP);
    let options = parse_hop_by_hop(packet.payload).unwrap();
    assert_eq!(options.next_header, IpProtocol::ICMPV6);
    verify_mld_header(packet.header.hop_limit, options.router_alert).unwrap();
    assert_eq!(
        ethernet.header.destination,
        MacAddr::from_ipv6_multicast(to)
    );
    let what = match parse_mld(from, to, options.rest).unwrap() {
        MldMessage::ReportV1(group) => format!("v1 report {group}"),
        MldMessage::Done(group) => format!("done {group}"),
        MldMessage::ReportV2(records) => {
            let records = records.map(|record| {
                let sources: Vec<_> = record.sources.collect();
                format!("{:?} {} {sources:?}", record.kind.unwrap(), record.group)
            });
            records.collect::<Vec<_>>().join(", ")
        }
        other => panic!("{other:?}"),
    };
    said(&from.to_string(), &to.to_string(), &what)
}

fn joined(group: &str) -> String {
    format!("ChangeToExclude {group} []")
}

fn left(group: &str) -> String {
    format!("ChangeToInclude {group} []")
}

fn is_in(group: &str) -> String {
    format!("ModeIsExclude {group} []")
}

const ROUTERS_V4: &str = "224.0.0.22";
const ROUTERS_V6: &str = "ff02::16";

fn newest() -> NicConfig {
    NicConfig::new("test")
        .igmp(Some(IgmpVersion::V3))
        .mld(Some(MldVersion::V2))
}

fn older() -> NicConfig {
    NicConfig::new("test")
        .igmp(Some(IgmpVersion::V2))
        .mld(Some(MldVersion::V1))
}

fn igmp_query(
    bed: &Bed,
    version: IgmpQueryVersion,
    group: Option<&str>,
    max_response: Duration,
) -> Verdict {
    let group: Option<Ipv4Addr> = group.map(|group| group.parse().unwrap());
    let spec = IgmpQuerySpec {
        version,
        group,
        max_response,
        suppress: false,
        robustness: 2,
        interval: 125 * SECOND,
        sources: &[],
    };
    let mut buffer = [0; 128];
    let router = Ipv4Addr::new(192, 0, 2, 254);
    let to = group.unwrap_or(ALL_SYSTEMS);
    let len = build_igmp_query(&mut buffer, OTHER, router, to, &spec).unwrap();
    bed.input(&buffer[..len])
}

fn mld_query(
    bed: &Bed,
    version: MldQueryVersion,
    group: Option<&str>,
    max_response: Duration,
    sources: &[Ipv6Addr],
) -> Verdict {
    let group = group.map(v6);
    let spec = MldQuerySpec {
        version,
        group,
        max_response,
        suppress: false,
        robustness: 2,
        interval: 125 * SECOND,
        sources,
    };
    let mut buffer = [0; 256];
    let to = group.unwrap_or(ALL_NODES);
    let len = build_mld_query(&mut buffer, OTHER, v6("fe80::99"), to, &spec).unwrap();
    bed.input(&buffer[..len])
}

#[test]
fn e9_nothing_is_said_unless_it_is_switched_on() {
    let silent = [
        bed(),
        bed_of(NicConfig::new("test").igmp(None).mld(None)),
        // On a loopback link there is nobody to hear it.
        bed_on(newest(), true),
    ];
    for bed in silent {
        bed.add(prefix("192.0.2.1/24"));
        bed.add(prefix("fe80::1/64"));
        for group in [V4, V6] {
            bed.nic.join_group(ip(group)).unwrap();
        }
        assert_eq!(
            igmp_query(&bed, IgmpQueryVersion::V3, None, SECOND),
            Verdict::Noted
        );
        assert_eq!(
            mld_query(&bed, MldQueryVersion::V2, None, SECOND, &[]),
            Verdict::Noted
        );
        bed.advance(20 * SECOND);
        for group in [V4, V6] {
            bed.nic.leave_group(ip(group)).unwrap();
        }
        bed.remove("fe80::1");
        bed.nic.disable().unwrap();
        bed.nic.enable().unwrap();
        bed.nic.remove().unwrap();
        assert!(bed.sent().is_empty());
        let sent = [ProtocolCounter::IgmpSent, ProtocolCounter::MldSent];
        assert_eq!(
            sent.map(|counter| bed.nic.protocol_counter(counter)),
            [0, 0]
        );
    }
    // One protocol does not switch the other on.
    let bed = bed_of(NicConfig::new("test").igmp(Some(IgmpVersion::V3)));
    bed.nic.join_group(ip(V6)).unwrap();
    bed.nic.join_group(ip(V4)).unwrap();
    bed.advance(20 * SECOND);
    assert!(
        heard(&bed)
            .iter()
            .all(|said| said.destination == ROUTERS_V4)
    );
}

#[test]
fn e9_a_join_and_a_leave_are_told_at_once_and_once_more() {
    let bed = bed_of(newest());
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("fe80::1/64"));
    bed.advance(10 * SECOND);
    let own = joined("ff02::1:ff00:1");
    assert_eq!(
        heard(&bed),
        [
            said("fe80::1", ROUTERS_V6, &own),
            said("fe80::1", ROUTERS_V6, &own)
        ]
    );
    for (group, from, to) in [(V4, "192.0.2.1", ROUTERS_V4), (V6, "fe80::1", ROUTERS_V6)] {
        let report = |what: String| said(from, to, &what);
        bed.nic.join_group(ip(group)).unwrap();
        assert_eq!(heard(&bed), [report(joined(group))]);
        bed.nic.join_group(ip(group)).unwrap();
        assert!(
            heard(&bed).is_empty(),
            "the second join is nobody's business"
        );
        bed.advance(SECOND);
        assert_eq!(heard(&bed), [report(joined(group))], "the robustness is 2");
        bed.advance(100 * SECOND);
        assert!(heard(&bed).is_empty());
        bed.nic.leave_group(ip(group)).unwrap();
        assert!(heard(&bed).is_empty(), "somebody is still in it");
        bed.nic.leave_group(ip(group)).unwrap();
        assert_eq!(heard(&bed), [report(left(group))]);
        bed.advance(SECOND);
        assert_eq!(heard(&bed), [report(left(group))]);
        bed.advance(100 * SECOND);
        assert!(heard(&bed).is_empty());
    }
    assert_eq!(bed.nic.poll(), None, "nothing is under way");
    let count = |counter| bed.nic.protocol_counter(counter);
    assert_eq!(count(ProtocolCounter::IgmpSent), 4);
    assert_eq!(count(ProtocolCounter::MldSent), 6);
}

#[test]
fn e9_reports_come_from_the_primary_or_a_link_local_address_or_from_nowhere() {
    let bed = bed_of(newest());
    let source_of = |group: &str| {
        bed.advance(10 * SECOND);
        bed.sent();
        bed.nic.join_group(ip(group)).unwrap();
        let heard = heard(&bed);
        bed.nic.leave_group(ip(group)).unwrap();
        assert_eq!(heard.len(), 1);
        heard.into_iter().next().unwrap().source
    };
    assert_eq!(
        (source_of(V4), source_of(V6)),
        ("0.0.0.0".to_owned(), "::".to_owned())
    );
    // A global address will not do for MLD.
    bed.add(placed(
        "192.0.2.5/24",
        PrimaryEndpointBehavior::NeverPrimary,
    ));
    bed.add(prefix("2001:db8::1/64"));
    assert_eq!(
        (source_of(V4), source_of(V6)),
        ("0.0.0.0".to_owned(), "::".to_owned())
    );
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("fe80::2/64"));
    assert_eq!(
        (source_of(V4), source_of(V6)),
        ("192.0.2.1".to_owned(), "fe80::2".to_owned())
    );
    bed.add(placed(
        "192.0.2.9/24",
        PrimaryEndpointBehavior::FirstPrimary,
    ));
    assert_eq!(source_of(V4), "192.0.2.9");
    bed.remove("192.0.2.9");
    bed.remove("fe80::2");
    assert_eq!(
        (source_of(V4), source_of(V6)),
        ("192.0.2.1".to_owned(), "::".to_owned())
    );
}

#[test]
fn e9_a_tentative_link_local_address_reports_nothing_from_itself() {
    let bed = bed_of(newest().ndp(NdpConfig::default()));
    bed.add(prefix("fe80::1/64"));
    // The report of the solicited-node group goes before the probe (RFC 4862 section 5.4.2).
    let sent = bed.sent();
    let own = joined("ff02::1:ff00:1");
    assert_eq!(read(&sent[0]), said("::", ROUTERS_V6, &own));
    let probe = parse_ipv6(parse_ethernet(&sent[1]).unwrap().payload).unwrap();
    assert_eq!((sent.len(), probe.next_header()), (2, IpProtocol::ICMPV6));
    bed.nic.join_group(ip(V6)).unwrap();
    assert_eq!(heard(&bed), [said("::", ROUTERS_V6, &joined(V6))]);
    bed.advance(3 * SECOND);
    bed.sent();
    bed.nic.leave_group(ip(V6)).unwrap();
    assert_eq!(heard(&bed), [said("fe80::1", ROUTERS_V6, &left(V6))]);
}

#[test]
fn e9_a_general_query_is_answered_within_the_delay() {
    let bed = bed_of(newest());
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("fe80::1/64"));
    for group in [V4, "224.0.0.251", V6, "ff02::fb"] {
        bed.nic.join_group(ip(group)).unwrap();
    }
    bed.advance(20 * SECOND);
    bed.sent();
    for max_response in [SECOND, 10 * SECOND] {
        assert_eq!(
            igmp_query(&bed, IgmpQueryVersion::V3, None, max_response),
            Verdict::Noted
        );
        let heard_v6 = mld_query(&bed, MldQueryVersion::V2, None, max_response, &[]);
        assert_eq!(heard_v6, Verdict::Noted);
        assert!(bed.sent().is_empty(), "not at once");
        let due = bed.nic.poll().unwrap();
        assert!(due <= bed.clock.now() + max_response);
        bed.advance(max_response);
        let mut answers = heard(&bed);
        answers.sort_by(|a, b| a.source.cmp(&b.source));
        let v4 = [is_in("224.0.0.251"), is_in(V4)].join(", ");
        let v6 = [is_in("ff02::fb"), is_in("ff02::1:ff00:1"), is_in(V6)].join(", ");
        assert_eq!(
            answers,
            [
                said("192.0.2.1", ROUTERS_V4, &v4),
                said("fe80::1", ROUTERS_V6, &v6)
            ],
            "all but those that every host is in"
        );
        bed.advance(100 * SECOND);
        assert!(bed.sent().is_empty(), "once");
    }
    // One that asks for an answer at once.
    mld_query(&bed, MldQueryVersion::V2, None, Duration::ZERO, &[]);
    assert_eq!(heard(&bed).len(), 1);
    let received = [ProtocolCounter::IgmpReceived, ProtocolCounter::MldReceived];
    assert_eq!(
        received.map(|counter| bed.nic.protocol_counter(counter)),
        [2, 3]
    );
}

#[test]
fn e9_a_query_about_a_group_is_answered_by_its_members() {
    let bed = bed_of(newest());
    for group in [V4, "239.9.9.9", V6, "ff05::9"] {
        bed.nic.join_group(ip(group)).unwrap();
    }
    bed.advance(20 * SECOND);
    bed.sent();
    igmp_query(&bed, IgmpQueryVersion::V3, Some(V4), SECOND);
    bed.advance(SECOND);
    assert_eq!(heard(&bed), [said("0.0.0.0", ROUTERS_V4, &is_in(V4))]);
    mld_query(&bed, MldQueryVersion::V2, Some(V6), SECOND, &[]);
    bed.advance(SECOND);
    assert_eq!(heard(&bed), [said("::", ROUTERS_V6, &is_in(V6))]);
    // About sources: they are all wanted.
    let sources = [v6("2001:db8::a"), v6("2001:db8::b")];
    mld_query(&bed, MldQueryVersion::V2, Some(V6), SECOND, &sources);
    bed.advance(SECOND);
    let expected = format!("ModeIsInclude {V6} {sources:?}");
    assert_eq!(heard(&bed), [said("::", ROUTERS_V6, &expected)]);
    // About a group that nobody here is in, or that is never reported.
    igmp_query(&bed, IgmpQueryVersion::V3, Some("239.9.9.8"), SECOND);
    igmp_query(&bed, IgmpQueryVersion::V3, Some("224.0.0.1"), SECOND);
    mld_query(&bed, MldQueryVersion::V2, Some("ff05::8"), SECOND, &[]);
    mld_query(&bed, MldQueryVersion::V2, Some("ff02::1"), SECOND, &[]);
    // Left before the answer is due: there is nothing to say but that.
    igmp_query(&bed, IgmpQueryVersion::V3, Some(V4), 10 * SECOND);
    bed.nic.leave_group(ip(V4)).unwrap();
    bed.advance(100 * SECOND);
    let gone = said("0.0.0.0", ROUTERS_V4, &left(V4));
    assert_eq!(heard(&bed), [said("0.0.0.0", ROUTERS_V4, &left(V4)), gone]);
}

#[test]
fn e9_an_older_router_is_spoken_to_in_its_version() {
    let bed = bed_of(newest());
    bed.add(prefix("192.0.2.1/24"));
    bed.nic.join_group(ip(V4)).unwrap();
    bed.nic.join_group(ip(V6)).unwrap();
    bed.advance(20 * SECOND);
    bed.sent();
    igmp_query(&bed, IgmpQueryVersion::V2, None, SECOND);
    mld_query(&bed, MldQueryVersion::V1, None, SECOND, &[]);
    bed.advance(SECOND);
    let mut answers = heard(&bed);
    answers.sort_by(|a, b| a.source.cmp(&b.source));
    let expected = [
        said("192.0.2.1", V4, &format!("v2 report {V4}")),
        said("::", V6, &format!("v1 report {V6}")),
    ];
    assert_eq!(answers, expected);
    bed.nic.leave_group(ip(V4)).unwrap();
    bed.nic.leave_group(ip(V6)).unwrap();
    let expected = [
        said("192.0.2.1", "224.0.0.2", &format!("leave {V4}")),
        said("::", "ff02::2", &format!("done {V6}")),
    ];
    assert_eq!(heard(&bed), expected);
    // In version 1 there are reports only.
    igmp_query(&bed, IgmpQueryVersion::V1, None, SECOND);
    bed.nic.join_group(ip(V4)).unwrap();
    assert_eq!(heard(&bed)[0].what, format!("v1 report {V4}"));
    bed.advance(20 * SECOND);
    bed.sent();
    bed.nic.leave_group(ip(V4)).unwrap();
    assert!(heard(&bed).is_empty());
    // And when it has not been heard for long enough, it is the newest again.
    bed.advance(1000 * SECOND);
    bed.nic.join_group(ip(V4)).unwrap();
    assert_eq!(heard(&bed), [said("192.0.2.1", ROUTERS_V4, &joined(V4))]);
}

#[test]
fn e9_another_hosts_report_does_for_ours_in_the_older_versions() {
    let other_v4 = |bed: &Bed, mac: MacAddr| {
        let (mut buffer, group) = ([0; 64], "239.1.2.3".parse().unwrap());
        let from = Ipv4Addr::new(192, 0, 2, 77);
        let len = build_igmp(&mut buffer, mac, from, group, IgmpKind::ReportV2, group).unwrap();
        bed.input(&buffer[..len])
    };
    let other_v6 = |bed: &Bed, mac: MacAddr| {
        let mut buffer = [0; 128];
        let (from, group) = (v6("fe80::77"), v6(V6));
        let len = build_mld_v1(&mut buffer, mac, from, group, MldKind::Report, group).unwrap();
        bed.input(&buffer[..len])
    };
    for (mac, verdict, ours) in [(OTHER, Verdict::Noted, 0), (MAC, Verdict::Ignored, 2)] {
        let bed = bed_of(older());
        bed.nic.join_group(ip(V4)).unwrap();
        bed.nic.join_group(ip(V6)).unwrap();
        let first = heard(&bed);
        assert_eq!(first[0], said("0.0.0.0", V4, &format!("v2 report {V4}")));
        assert_eq!(first[1], said("::", V6, &format!("v1 report {V6}")));
        bed.advance(20 * SECOND);
        assert_eq!(heard(&bed).len(), 2, "once more each");
        igmp_query(&bed, IgmpQueryVersion::V2, None, 10 * SECOND);
        mld_query(&bed, MldQueryVersion::V1, None, 10 * SECOND, &[]);
        assert_eq!(
            (other_v4(&bed, mac), other_v6(&bed, mac)),
            (verdict, verdict)
        );
        bed.advance(10 * SECOND);
        assert_eq!(
            heard(&bed).len(),
            ours,
            "one of ours that came back is not another's"
        );
        // Who was not the last to report does not say that it leaves.
        bed.nic.leave_group(ip(V4)).unwrap();
        bed.nic.leave_group(ip(V6)).unwrap();
        assert_eq!(heard(&bed).len(), ours);
    }
}

#[test]
fn e9_the_groups_of_addresses_are_reported_and_left_with_the_last_of_them() {
    let bed = bed_of(newest());
    let group = "ff02::1:ff12:3456";
    bed.add(ip("2001:db8::12:3456"));
    assert_eq!(heard(&bed), [said("::", ROUTERS_V6, &joined(group))]);
    bed.add(ip("2001:db8:1::12:3456"));
    bed.nic.join_group(ip(group)).unwrap();
    bed.advance(10 * SECOND);
    bed.sent();
    let held = bed.nic.hold(ip("2001:db8:1::12:3456")).unwrap();
    bed.remove("2001:db8::12:3456");
    bed.remove("2001:db8:1::12:3456");
    assert!(heard(&bed).is_empty(), "the user is still in it");
    bed.nic.leave_group(ip(group)).unwrap();
    assert_eq!(heard(&bed), [said("::", ROUTERS_V6, &left(group))]);
    bed.advance(10 * SECOND);
    bed.sent();
    // Added again and removed by itself, while it is held; nothing is said when it is freed.
    bed.add(ip("2001:db8:1::12:3456"));
    bed.remove("2001:db8:1::12:3456");
    let whats: Vec<String> = heard(&bed).into_iter().map(|said| said.what).collect();
    assert_eq!(whats, [joined(group), left(group)]);
    bed.advance(10 * SECOND);
    bed.sent();
    drop(held);
    bed.nic.reclaim();
    bed.advance(10 * SECOND);
    assert!(bed.sent().is_empty());
    // IPv4 addresses have no groups.
    bed.add(prefix("192.0.2.1/24"));
    bed.remove("192.0.2.1");
    assert!(bed.sent().is_empty());
}

#[test]
fn e9_a_nic_that_is_disabled_or_removed_says_good_bye_and_is_silent() {
    for (config, v4_gone, v6_gone) in [
        (
            newest(),
            said("192.0.2.1", ROUTERS_V4, &left(V4)),
            said(
                "fe80::1",
                ROUTERS_V6,
                &[left("ff02::1:ff00:1"), left(V6)].join(", "),
            ),
        ),
        (
            older(),
            said("192.0.2.1", "224.0.0.2", &format!("leave {V4}")),
            said("fe80::1", "ff02::2", &format!("done {V6}")),
        ),
    ] {
        for remove in [false, true] {
            let bed = bed_of(config.clone());
            bed.add(prefix("192.0.2.1/24"));
            bed.add(prefix("fe80::1/64"));
            bed.nic.join_group(ip(V4)).unwrap();
            bed.nic.join_group(ip(V6)).unwrap();
            bed.advance(30 * SECOND);
            bed.sent();
            igmp_query(&bed, IgmpQueryVersion::V3, None, 10 * SECOND);
            if remove {
                bed.nic.remove().unwrap();
            } else {
                bed.nic.disable().unwrap();
            }
            let good_byes = heard(&bed);
            assert!(good_byes.contains(&v4_gone), "{good_byes:?}");
            assert!(good_byes.contains(&v6_gone), "{good_byes:?}");
            bed.advance(100 * SECOND);
            assert!(
                heard(&bed).is_empty(),
                "the answer to the query is not sent"
            );
            assert_eq!(
                igmp_query(&bed, IgmpQueryVersion::V3, None, SECOND),
                Verdict::NicDown
            );
            bed.advance(10 * SECOND);
            assert!(heard(&bed).is_empty());
            if remove {
                continue;
            }
            // What is joined and left meanwhile is not told; enabling tells what there is then.
            bed.nic.join_group(ip("239.9.9.9")).unwrap();
            bed.nic.leave_group(ip(V4)).unwrap();
            bed.nic.leave_group(ip(V6)).unwrap();
            assert!(heard(&bed).is_empty());
            bed.nic.enable().unwrap();
            let whats: Vec<String> = heard(&bed).into_iter().map(|said| said.what).collect();
            let all = whats.join(" | ");
            assert!(
                all.contains("239.9.9.9") && all.contains("ff02::1:ff00:1"),
                "{all}"
            );
            assert!(!all.contains(V4) && !all.contains(V6), "{all}");
        }
    }
}

#[test]
fn e9_many_groups_share_messages_that_fit_the_mtu() {
    let bed = bed_of(newest().mtu(1280));
    for n in 0..500u16 {
        let [high, low] = n.to_be_bytes();
        bed.nic
            .join_group(IpAddr::from([239, 0, high, low]))
            .unwrap();
        bed.sent();
        let v6 = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, n);
        bed.nic.join_group(IpAddr::from(v6)).unwrap();
        bed.sent();
    }
    bed.advance(20 * SECOND);
    bed.sent();
    igmp_query(&bed, IgmpQueryVersion::V3, None, SECOND);
    mld_query(&bed, MldQueryVersion::V2, None, SECOND, &[]);
    bed.advance(SECOND);
    let frames = bed.sent();
    assert!(frames.iter().all(|frame| frame.len() <= 14 + 1280));
    let records: usize = frames
        .iter()
        .map(|frame| read(frame).what.matches("ModeIsExclude").count())
        .sum();
    assert_eq!(records, 1000);
    assert!(frames.len() < 20, "{} messages", frames.len());
}

#[test]
fn e9_groups_are_reported_again_once_there_is_a_link_local_address() {
    let bed = bed_of(newest().ndp(NdpConfig::default()));
    bed.nic.join_group(ip(V6)).unwrap();
    bed.advance(10 * SECOND);
    assert!(heard(&bed).iter().all(|said| said.source == "::"));
    bed.add(prefix("fe80::1/64"));
    bed.sent();
    bed.advance(SECOND);
    let again = heard(&bed);
    // RFC 3590 section 4: routers have not listened to those from the unspecified address.
    let last = again.last().unwrap();
    assert_eq!(last.source, "fe80::1");
    assert!(last.what.contains(V6) && last.what.contains("ff02::1:ff00:1"));
}

#[test]
fn e9_a_report_without_room_waits_for_it() {
    let bed = bed_of(newest());
    let mut cache = bed.pool.cache();
    let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    bed.nic.join_group(ip(V4)).unwrap();
    assert!(bed.accepts(V4), "joined all the same");
    assert_eq!(bed.nic.protocol_counter(ProtocolCounter::Unsent), 1);
    assert_eq!(bed.nic.protocol_counter(ProtocolCounter::IgmpSent), 0);
    drop(all);
    cache.flush();
    bed.advance(SECOND);
    assert_eq!(
        heard(&bed),
        [
            said("0.0.0.0", ROUTERS_V4, &joined(V4)),
            said("0.0.0.0", ROUTERS_V4, &joined(V4))
        ],
        "the report and its repetition"
    );
}

/// A leave that comes after a later join tells the routers that nobody is there.
#[test]
fn e9_what_waits_for_room_is_not_overtaken() {
    let bed = bed_of(NicConfig::new("test").igmp(Some(IgmpVersion::V2)));
    bed.nic.join_group(ip(V4)).unwrap();
    bed.advance(20 * SECOND);
    bed.sent();
    let mut cache = bed.pool.cache();
    let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    bed.nic.leave_group(ip(V4)).unwrap();
    drop(all);
    cache.flush();
    bed.nic.join_group(ip(V4)).unwrap();
    bed.advance(20 * SECOND);
    let kinds: Vec<u8> = bed.sent().iter().map(|frame| frame[14 + 24]).collect();
    let (leave, report) = (0x17, 0x16);
    assert_eq!(kinds, [leave, report, report]);
    // What still waits when the NIC is removed has one more chance, and is then forgotten.
    let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    bed.nic.leave_group(ip(V4)).unwrap();
    drop(all);
    cache.flush();
    bed.nic.remove().unwrap();
    let kinds: Vec<u8> = bed.sent().iter().map(|frame| frame[14 + 24]).collect();
    assert_eq!(kinds, [leave]);
    assert_eq!(bed.nic.poll(), None);
}

/// More than the queue takes, while there is no frame for any.
#[test]
fn e9_what_waits_for_room_keeps_its_order() {
    let bed = bed_of(NicConfig::new("test").igmp(Some(IgmpVersion::V2)));
    let groups: Vec<[u8; 4]> = (0..600_u16)
        .map(|n| [239, 1, (n >> 8) as u8, n as u8])
        .collect();
    let mut cache = bed.pool.cache();
    let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    for group in &groups {
        bed.nic.join_group(IpAddr::from(*group)).unwrap();
    }
    bed.advance(Duration::from_millis(3));
    drop(all);
    cache.flush();
    let mut told: Vec<[u8; 4]> = Vec::new();
    for _ in 0..4 {
        bed.advance(Duration::from_millis(1));
        let sent = bed.sent();
        told.extend(
            sent.iter()
                .map(|frame| frame[30..34].first_chunk().unwrap()),
        );
    }
    told.truncate(groups.len());
    assert!(told == groups);
}

#[test]
fn e9_a_nic_that_is_gone_keeps_no_reports() {
    let bed = bed_of(newest());
    bed.nic.join_group(ip(V4)).unwrap();
    let mut cache = bed.pool.cache();
    let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    bed.nic.remove().unwrap();
    assert_eq!(bed.nic.poll(), None, "nothing is left to do");
    drop(all);
}
