//! Neighbor discovery and group membership: two independent parsers read what this crate builds,
//! and this crate reads what they build.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use corelane_wire::igmp::{
    ALL_SYSTEMS, IgmpKind, IgmpQuerySpec, IgmpQueryVersion, build_igmp, build_igmp_query,
    build_igmp_v3_report,
};
use corelane_wire::mld::{MldQuerySpec, MldQueryVersion, build_mld_query, build_mld_v2_report};
use corelane_wire::ndp::{
    ALL_NODES, AdvertisementSpec, SolicitationSpec, build_neighbor_advertisement,
    build_neighbor_solicitation,
};
use corelane_wire::{
    GroupRecord, MacAddr, NdpMessage, RecordKind, parse_ethernet, parse_hop_by_hop, parse_ipv6,
    parse_mld, parse_ndp,
};
use etherparse::igmp::GroupAddress;
use etherparse::{IgmpSlice, NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;
use smoltcp::wire as smol;

fn caps() -> smoltcp::phy::ChecksumCapabilities {
    smoltcp::phy::ChecksumCapabilities::default()
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

fn address() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(Ipv6Addr::from)
}

fn unicast() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(|mut octets| {
        octets[0] &= 0x7f;
        octets[15] |= 1;
        octets.into()
    })
}

fn link_local() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 8]>().prop_map(|low| {
        let mut octets = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        octets[8..].copy_from_slice(&low);
        octets.into()
    })
}

fn group() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(|mut octets| {
        octets[0] = 0xff;
        octets.into()
    })
}

fn address_v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(Ipv4Addr::from)
}

fn group_v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(|[a, b, c, d]| Ipv4Addr::new(0xe0 | a & 0x0f, b, c, d))
}

/// The IPv6 packet of a frame as smoltcp reads it.
fn smol_ipv6(frame: &[u8]) -> smol::Ipv6Packet<&[u8]> {
    let ethernet = smol::EthernetFrame::new_checked(frame).unwrap();
    assert_eq!(ethernet.ethertype(), smol::EthernetProtocol::Ipv6);
    smol::Ipv6Packet::new_checked(ethernet.payload()).unwrap()
}

/// The ICMPv6 message of these bytes as smoltcp reads it, its checksum verified.
fn smol_icmpv6<'a>(
    bytes: &'a [u8],
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> smol::Icmpv6Repr<'a> {
    let packet = smol::Icmpv6Packet::new_checked(bytes).unwrap();
    smol::Icmpv6Repr::parse(&source, &destination, &packet, &caps()).unwrap()
}

/// Etherparse reads the checksum of the ICMPv6 message as right.
fn etherparse_icmpv6_is_valid(frame: &[u8]) -> bool {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let (Some(NetSlice::Ipv6(net)), Some(TransportSlice::Icmpv6(icmp))) =
        (sliced.net, sliced.transport)
    else {
        panic!("no ICMPv6 in IPv6");
    };
    let header = net.header();
    icmp.is_checksum_valid(header.source(), header.destination())
}

fn igmp(frame: &[u8]) -> IgmpSlice<'_> {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let (Some(NetSlice::Ipv4(net)), Some(TransportSlice::Igmp(igmp))) =
        (sliced.net, sliced.transport)
    else {
        panic!("no IGMP in IPv4");
    };
    let header = net.header();
    assert_eq!(header.options(), [148, 4, 0, 0]);
    assert_eq!(
        header.header_checksum(),
        header.to_header().calc_header_checksum()
    );
    assert!(igmp.is_checksum_valid());
    igmp
}

proptest! {
    #[test]
    fn solicitations(
        macs in (mac(), mac()),
        source in unicast(),
        destination in address(),
        target in unicast(),
        source_link in proptest::option::of(mac()),
    ) {
        let spec = SolicitationSpec {
            source_mac: macs.0,
            source,
            destination,
            destination_mac: macs.1,
            target,
            source_link,
            nonce: None,
        };
        let mut buffer = [0; 128];
        let n = build_neighbor_solicitation(&mut buffer, &spec).unwrap();
        let packet = smol_ipv6(&buffer[..n]);
        prop_assert_eq!(packet.hop_limit(), 255);
        let want = smol::NdiscRepr::NeighborSolicit {
            target_addr: target,
            lladdr: source_link.map(|mac| smol::EthernetAddress(mac.0).into()),
        };
        let got = smol_icmpv6(packet.payload(), source, destination);
        prop_assert_eq!(got, smol::Icmpv6Repr::Ndisc(want));
        prop_assert!(etherparse_icmpv6_is_valid(&buffer[..n]));

        // And the other way.
        let want = smol::Icmpv6Repr::Ndisc(want);
        let mut theirs = vec![0; want.buffer_len()];
        let mut packet = smol::Icmpv6Packet::new_unchecked(&mut theirs[..]);
        want.emit(&source, &destination, &mut packet, &caps());
        prop_assert_eq!(&theirs[..], &buffer[54..n]);
        match parse_ndp(source, destination, 255, &theirs) {
            Ok(NdpMessage::NeighborSolicitation(got)) => {
                prop_assert_eq!(got.target, target);
                prop_assert_eq!(got.source_link_address(), source_link);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn advertisements(
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
        let mut buffer = [0; 128];
        let n = build_neighbor_advertisement(&mut buffer, &spec).unwrap();
        let packet = smol_ipv6(&buffer[..n]);
        prop_assert_eq!(packet.hop_limit(), 255);
        let mut smol_flags = smol::NdiscNeighborFlags::empty();
        smol_flags.set(smol::NdiscNeighborFlags::ROUTER, flags.0);
        smol_flags.set(smol::NdiscNeighborFlags::SOLICITED, flags.1);
        smol_flags.set(smol::NdiscNeighborFlags::OVERRIDE, flags.2);
        let want = smol::NdiscRepr::NeighborAdvert {
            flags: smol_flags,
            target_addr: target,
            lladdr: target_link.map(|mac| smol::EthernetAddress(mac.0).into()),
        };
        let got = smol_icmpv6(packet.payload(), source, destination);
        prop_assert_eq!(got, smol::Icmpv6Repr::Ndisc(want));
        prop_assert!(etherparse_icmpv6_is_valid(&buffer[..n]));
    }

    #[test]
    fn igmp_of_versions_1_and_2(
        source_mac in mac(),
        source in address_v4(),
        to in group_v4(),
        about in group_v4(),
        tenths in 1u8..,
    ) {
        let mut buffer = [0; 64];
        for kind in [IgmpKind::ReportV1, IgmpKind::ReportV2, IgmpKind::Leave] {
            let n = build_igmp(&mut buffer, source_mac, source, to, kind, about).unwrap();
            let (number, want) = match igmp(&buffer[..n]) {
                IgmpSlice::MembershipReportV1(slice) => (IgmpKind::ReportV1, slice.group_address()),
                IgmpSlice::MembershipReportV2(slice) => (IgmpKind::ReportV2, slice.group_address()),
                IgmpSlice::LeaveGroup(slice) => (IgmpKind::Leave, slice.group_address()),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!((number, want), (kind, GroupAddress { octets: about.octets() }));
            let ethernet = smol::EthernetFrame::new_checked(&buffer[..n]).unwrap();
            prop_assert_eq!(ethernet.dst_addr().0, MacAddr::from_ipv4_multicast(to).0);
            let ipv4 = smol::Ipv4Packet::new_checked(ethernet.payload()).unwrap();
            prop_assert!(ipv4.verify_checksum());
            prop_assert_eq!((ipv4.header_len(), ipv4.hop_limit()), (24, 1));
            prop_assert_eq!((ipv4.dscp(), ipv4.ecn()), (0x30, 0));
            prop_assert_eq!((ipv4.src_addr(), ipv4.dst_addr()), (source, to));
            let packet = smol::IgmpPacket::new_checked(ipv4.payload()).unwrap();
            let want = match kind {
                IgmpKind::ReportV1 => smol::IgmpRepr::MembershipReport {
                    group_addr: about,
                    version: smol::IgmpVersion::Version1,
                },
                IgmpKind::ReportV2 => smol::IgmpRepr::MembershipReport {
                    group_addr: about,
                    version: smol::IgmpVersion::Version2,
                },
                IgmpKind::Leave => smol::IgmpRepr::LeaveGroup { group_addr: about },
            };
            prop_assert_eq!(smol::IgmpRepr::parse(&packet), Ok(want));
        }
        let spec = IgmpQuerySpec {
            version: IgmpQueryVersion::V2,
            group: Some(about),
            max_response: Duration::from_millis(u64::from(tenths) * 100),
            suppress: false,
            robustness: 0,
            interval: Duration::ZERO,
            sources: &[],
        };
        let n = build_igmp_query(&mut buffer, source_mac, source, about, &spec).unwrap();
        match igmp(&buffer[..n]) {
            IgmpSlice::MembershipQuery(slice) => {
                prop_assert_eq!(slice.max_response_time(), tenths);
                prop_assert_eq!(slice.group_address().octets, about.octets());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn igmp_of_version_3(
        source_mac in mac(),
        source in address_v4(),
        about in proptest::option::of(group_v4()),
        sources in proptest::collection::vec(address_v4(), 0..8),
        code: u8,
        suppress: bool,
        robustness in 0u8..8,
    ) {
        let mut buffer = [0; 256];
        // The time that has this code, by the other's reading.
        let tenths = etherparse::igmp::MaxResponseCode(code).as_10th_secs();
        let spec = IgmpQuerySpec {
            version: IgmpQueryVersion::V3,
            group: about,
            max_response: Duration::from_millis(u64::from(tenths) * 100),
            suppress,
            robustness,
            interval: Duration::from_secs(u64::from(tenths)),
            sources: &sources,
        };
        let to = about.unwrap_or(ALL_SYSTEMS);
        let n = build_igmp_query(&mut buffer, source_mac, source, to, &spec).unwrap();
        match igmp(&buffer[..n]) {
            IgmpSlice::MembershipQueryWithSources(slice) => {
                prop_assert_eq!(slice.max_response_code().0, code);
                prop_assert_eq!(slice.qqic(), code);
                prop_assert_eq!(slice.s_flag(), suppress);
                prop_assert_eq!(slice.qrv().value(), robustness);
                let group = about.unwrap_or(Ipv4Addr::UNSPECIFIED);
                prop_assert_eq!(slice.group_address().octets, group.octets());
                let got: Vec<Ipv4Addr> = slice.source_addresses().map(Ipv4Addr::from).collect();
                prop_assert_eq!(&got, &sources);
            }
            other => prop_assert!(false, "{:?}", other),
        }

        let group = about.unwrap_or(ALL_SYSTEMS);
        let records = [
            GroupRecord { kind: RecordKind::BlockOldSources, group, sources: &sources },
            GroupRecord { kind: RecordKind::ChangeToExclude, group, sources: &[] },
        ];
        let n = build_igmp_v3_report(&mut buffer, source_mac, source, &records).unwrap();
        match igmp(&buffer[..n]) {
            IgmpSlice::MembershipReportV3(slice) => {
                prop_assert_eq!(slice.num_of_records(), 2);
                for (got, sent) in slice.group_records().zip(&records) {
                    let got = got.unwrap();
                    prop_assert_eq!(got.record_type().0, sent.kind.as_u8());
                    prop_assert_eq!(Ipv4Addr::from(got.multicast_address()), sent.group);
                    prop_assert!(
                        got.source_addresses().map(Ipv4Addr::from).eq(sent.sources.iter().copied())
                    );
                }
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn mld_of_version_2(
        source_mac in mac(),
        source in link_local(),
        about in proptest::option::of(group()),
        sources in proptest::collection::vec(address(), 0..8),
        millis in 0u16..0x8000,
        seconds in 0u8..128,
        suppress: bool,
        robustness in 0u8..8,
    ) {
        let mut buffer = [0; 512];
        let spec = MldQuerySpec {
            version: MldQueryVersion::V2,
            group: about,
            max_response: Duration::from_millis(u64::from(millis)),
            suppress,
            robustness,
            interval: Duration::from_secs(u64::from(seconds)),
            sources: &sources,
        };
        let to = about.unwrap_or(ALL_NODES);
        let n = build_mld_query(&mut buffer, source_mac, source, to, &spec).unwrap();
        prop_assert!(etherparse_icmpv6_is_valid(&buffer[..n]));
        let packet = smol_ipv6(&buffer[..n]);
        prop_assert_eq!(packet.hop_limit(), 1);
        prop_assert_eq!(packet.next_header(), smol::IpProtocol::HopByHop);
        // Smoltcp splits an extension header off first, and then reads its options.
        let extension = smol::Ipv6ExtHeader::new_checked(packet.payload()).unwrap();
        prop_assert_eq!(extension.next_header(), smol::IpProtocol::Icmpv6);
        {
            let options = smol::Ipv6HopByHopHeader::new_checked(extension.payload()).unwrap();
            let options = smol::Ipv6HopByHopRepr::parse(&options).unwrap().options;
            let alert = smol::Ipv6OptionRouterAlert::MulticastListenerDiscovery;
            prop_assert_eq!(options.first(), Some(&smol::Ipv6OptionRepr::RouterAlert(alert)));
        }
        let message = &packet.payload()[8..];
        match smol_icmpv6(message, source, to) {
            smol::Icmpv6Repr::Mld(smol::MldRepr::Query {
                max_resp_code,
                mcast_addr,
                s_flag,
                qrv,
                qqic,
                num_srcs,
                data,
            }) => {
                prop_assert_eq!(max_resp_code, millis);
                prop_assert_eq!(mcast_addr, about.unwrap_or(Ipv6Addr::UNSPECIFIED));
                prop_assert_eq!((s_flag, qrv, qqic), (suppress, robustness, seconds));
                prop_assert_eq!(usize::from(num_srcs), sources.len());
                let octets: Vec<u8> = sources.iter().flat_map(Ipv6Addr::octets).collect();
                prop_assert_eq!(data, &octets[..]);
            }
            other => prop_assert!(false, "{:?}", other),
        }

        let group = about.unwrap_or(ALL_NODES);
        let record = GroupRecord { kind: RecordKind::AllowNewSources, group, sources: &sources };
        let n = build_mld_v2_report(&mut buffer, source_mac, source, &[record]).unwrap();
        let frame = parse_ethernet(&buffer[..n]).unwrap();
        let packet = parse_ipv6(frame.payload).unwrap();
        let message = parse_hop_by_hop(packet.payload).unwrap().rest;
        match smol_icmpv6(message, source, packet.destination()) {
            smol::Icmpv6Repr::Mld(smol::MldRepr::Report { nr_mcast_addr_rcrds, data }) => {
                prop_assert_eq!(nr_mcast_addr_rcrds, 1);
                let got = smol::MldAddressRecord::new_checked(data).unwrap();
                prop_assert_eq!(got.record_type(), smol::MldRecordType::AllowNewSources);
                prop_assert_eq!(got.mcast_addr(), group);
                prop_assert_eq!(usize::from(got.num_srcs()), sources.len());
            }
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(parse_mld(source, packet.destination(), message).is_ok());
    }
}
