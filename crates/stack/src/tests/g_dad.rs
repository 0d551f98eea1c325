//! Section G: duplicate address detection, neighbor solicitations and advertisements, link-local
//! addresses; and the defects around them.

use std::time::Duration;

use corelane_wire::ndp::{ALL_NODES, AdvertisementSpec, NdpMessage, SolicitationSpec, parse_ndp};
use corelane_wire::ndp::{build_neighbor_solicitation, solicited_node};
use corelane_wire::{MacAddr, parse_ethernet, parse_ipv6};

use crate::testing::*;
use crate::*;

const SECOND: Duration = Duration::from_secs(1);
const ADDRESS: &str = "2001:db8::1";

fn dad(transmits: u8) -> NicConfig {
    NicConfig::new("test").ndp(NdpConfig {
        transmits,
        ..NdpConfig::default()
    })
}

fn assigned(address: &str) -> Event {
    Event::AddressAssigned {
        nic: NicId(1),
        address: ip(address),
    }
}

fn duplicate(address: &str, offender: Option<MacAddr>) -> Event {
    Event::DuplicateAddress {
        nic: NicId(1),
        address: ip(address),
        offender,
    }
}

fn closed(address: &str) -> Event {
    Event::EndpointClosed {
        nic: NicId(1),
        address: ip(address),
    }
}

/// Another host's probe.
fn probe(target: &str, nonce: Option<[u8; 6]>) -> SolicitationSpec {
    SolicitationSpec::probe(OTHER, v6(target), nonce)
}

/// Another host's solicitation, to the group of `target` or to itself.
fn solicitation(target: &str, to_group: bool, source_link: Option<MacAddr>) -> SolicitationSpec {
    let target = v6(target);
    let group = solicited_node(target);
    SolicitationSpec {
        source_mac: OTHER,
        source: v6("2001:db8::99"),
        destination: if to_group { group } else { target },
        destination_mac: if to_group {
            MacAddr::from_ipv6_multicast(group)
        } else {
            MAC
        },
        target,
        source_link,
        nonce: None,
    }
}

fn advertisement(target: &str) -> AdvertisementSpec {
    AdvertisementSpec {
        source_mac: OTHER,
        source: v6(target),
        destination: ALL_NODES,
        destination_mac: MacAddr::from_ipv6_multicast(ALL_NODES),
        target: v6(target),
        router: false,
        solicited: false,
        override_: true,
        target_link: Some(OTHER),
    }
}

#[test]
fn g1_without_transmits_an_address_is_in_use_when_it_is_added() {
    let bed = bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::Permanent));
    assert!(bed.probes().is_empty());
    assert!(bed.happened().is_empty(), "assigned by the call, not later");
}

#[test]
fn g2_n_probes_a_timer_apart_and_then_it_is_assigned() {
    let bed = bed_of(dad(3));
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(bed.probes(), [v6(ADDRESS)], "the first one within the call");
    for _ in 0..2 {
        bed.advance(SECOND - Duration::from_nanos(1));
        assert!(bed.probes().is_empty());
        bed.advance(Duration::from_nanos(1));
        assert_eq!(bed.probes(), [v6(ADDRESS)]);
    }
    bed.advance(SECOND - Duration::from_nanos(1));
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::PermanentTentative));
    assert!(bed.happened().is_empty());
    bed.advance(Duration::from_nanos(1));
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::Permanent));
    assert_eq!(bed.happened(), [assigned(ADDRESS)]);
    assert_eq!(bed.nic.poll(), None, "nothing is left to do");
}

#[test]
fn g3_a_probe_is_what_the_rfc_says() {
    let bed = probing_bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    let sent = bed.sent();
    let [frame] = &sent[..] else {
        panic!("{sent:?}")
    };
    let ethernet = parse_ethernet(frame).unwrap();
    let packet = parse_ipv6(ethernet.payload).unwrap();
    let group = v6("ff02::1:ff00:1");
    assert_eq!(
        (
            packet.source(),
            packet.destination(),
            packet.header.hop_limit
        ),
        (v6("::"), group, 255)
    );
    assert_eq!(ethernet.header.source, MAC);
    assert_eq!(
        ethernet.header.destination,
        MacAddr([0x33, 0x33, 0xff, 0, 0, 1])
    );
    let message = parse_ndp(v6("::"), group, 255, packet.payload);
    let Ok(NdpMessage::NeighborSolicitation(message)) = message else {
        panic!("{message:?}")
    };
    assert_eq!(message.target, v6(ADDRESS));
    assert_eq!(message.source_link_address(), None);
    assert_eq!(message.nonce().map(<[u8]>::len), Some(6));
    let sent = bed
        .nic
        .protocol_counter(ProtocolCounter::NeighborSolicitationsSent);
    assert_eq!(sent, 1);
    // Without the nonce: no option at all.
    let bed = bed_of(NicConfig::new("test").ndp(NdpConfig {
        nonce: false,
        ..NdpConfig::default()
    }));
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(bed.sent()[0].len(), 78);
}

#[test]
fn g4_bug09_a_probe_without_room_is_sent_again_and_no_address_is_stuck() {
    let bed = bed_of(dad(2));
    // The queue to the link takes 256 frames and nobody takes them out.
    let addresses: Vec<String> = (1..=300).map(|n| format!("2001:db8::{n:x}")).collect();
    for address in &addresses {
        bed.nic.add_address(ip(address)).unwrap();
    }
    assert_eq!(bed.probes().len(), 256);
    bed.advance(Duration::from_millis(2));
    assert_eq!(bed.probes().len(), 44, "what had no room comes later");
    for _ in 0..20 {
        bed.advance(Duration::from_millis(200));
        bed.sent();
    }
    assert_eq!(bed.listed().len(), 300, "all of them in the end");
    let sent = ProtocolCounter::NeighborSolicitationsSent;
    assert_eq!(bed.nic.protocol_counter(sent), 600, "two for each");
}

#[test]
fn g4_bug09_without_a_free_frame_an_address_stays_tentative_until_there_is_one() {
    let bed = probing_bed();
    let mut cache = bed.pool.cache();
    let all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.advance(Duration::from_secs(5));
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::PermanentTentative));
    assert!(bed.nic.protocol_counter(ProtocolCounter::Unsent) > 0);
    drop(all);
    cache.flush();
    bed.advance(Duration::from_millis(1));
    assert_eq!(bed.probes(), [v6(ADDRESS)]);
    bed.advance(SECOND);
    assert_eq!(bed.happened(), [assigned(ADDRESS)]);
}

#[test]
fn g5_bug06_bug07_a_tentative_address_is_used_for_nothing() {
    let bed = probing_bed();
    bed.nic.add_address(prefix("2001:db8::1/64")).unwrap();
    let is_nothing = |bed: &Bed| {
        assert!(bed.listed().is_empty());
        assert!(bed.nic.primary_addresses(Family::V6).is_empty());
        assert!(!bed.accepts(ADDRESS));
        assert!(!bed.nic.is_local(ip(ADDRESS)));
        assert!(bed.nic.hold(ip(ADDRESS)).is_err());
        assert!(matches!(
            bed.nic.route(Some(ip(ADDRESS)), ip("2001:db8::99")),
            Err(RouteError::BadLocalAddress(_))
        ));
        assert!(matches!(
            bed.nic.route(None, ip("2001:db8::99")),
            Err(RouteError::NoRoute(_))
        ));
    };
    is_nothing(&bed);
    bed.nic.set_promiscuous(true).unwrap();
    is_nothing(&bed);
    bed.nic.set_spoofing(true).unwrap();
    is_nothing(&bed);
    bed.nic.add_range(prefix("2001:db8::/64")).unwrap();
    is_nothing(&bed);
    bed.advance(SECOND);
    assert!(bed.accepts(ADDRESS));
    let route = bed.nic.route(None, ip("2001:db8::99")).unwrap();
    assert_eq!(route.local(), ip(ADDRESS));
}

#[test]
fn g6_duplicates_that_the_embedder_found() {
    let bed = probing_bed();
    let detect = |address: &str| bed.nic.duplicate_detected(ip(address), Some(OTHER));
    let bad = DuplicateDetectedError::BadAddress;
    let state = DuplicateDetectedError::InvalidEndpointState;
    assert_eq!(detect(ADDRESS), Err(bad(ip(ADDRESS))));
    bed.nic.add_address(ip("192.0.2.1")).unwrap();
    assert_eq!(detect("192.0.2.1"), Err(state(ip("192.0.2.1"))));
    assert_eq!(detect("192.0.2.2"), Err(bad(ip("192.0.2.2"))));
    let mapped = "::ffff:192.0.2.1";
    assert_eq!(detect(mapped), Err(bad(ip(mapped))), "not that address");
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(detect(ADDRESS), Ok(()));
    let expected = [duplicate(ADDRESS, Some(OTHER)), closed(ADDRESS)];
    assert_eq!(bed.happened(), expected);
    assert_eq!(detect(ADDRESS), Err(bad(ip(ADDRESS))));
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.advance(SECOND);
    assert_eq!(detect(ADDRESS), Err(state(ip(ADDRESS))));
    bed.nic.remove().unwrap();
    assert_eq!(
        detect(ADDRESS),
        Err(DuplicateDetectedError::NicGone(NicGone(NicId(1))))
    );
}

#[test]
fn g7_another_hosts_probe_ends_ours() {
    let bed = probing_bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(
        bed.solicit(&solicitation(ADDRESS, true, Some(OTHER))),
        Verdict::Ignored,
        "whoever resolves it gets no answer, and is no duplicate"
    );
    assert_eq!(bed.solicit(&probe("2001:db8::2", None)), Verdict::Ignored);
    assert_eq!(bed.probes(), [v6(ADDRESS)]);
    assert_eq!(
        bed.solicit(&probe(ADDRESS, Some([7; 6]))),
        Verdict::Duplicate
    );
    let expected = [duplicate(ADDRESS, Some(OTHER)), closed(ADDRESS)];
    assert_eq!(bed.happened(), expected);
    assert_eq!(bed.kind(ADDRESS), None);
    assert_eq!(bed.nic.poll(), None, "and its timer is gone");
    assert!(!bed.nic.is_in_group(ip("ff02::1:ff00:1")));
}

#[test]
fn g8_an_advertisement_ends_a_probe() {
    let bed = probing_bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    let offender = MacAddr([2, 0, 0, 0, 0, 0x77]);
    let mut spec = advertisement(ADDRESS);
    spec.target_link = Some(offender);
    assert_eq!(bed.advertise(&spec), Verdict::Duplicate);
    let expected = [duplicate(ADDRESS, Some(offender)), closed(ADDRESS)];
    assert_eq!(bed.happened(), expected);
    assert_eq!(bed.advertise(&spec), Verdict::Ignored, "not here any more");
}

#[test]
fn g9_a_failed_address_can_be_added_again() {
    let bed = probing_bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.advertise(&advertisement(ADDRESS));
    bed.advance(Duration::from_secs(10));
    assert_eq!(bed.probes().len(), 1, "nothing is tried by itself");
    bed.happened();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.advance(SECOND);
    assert_eq!(bed.happened(), [assigned(ADDRESS)]);
}

#[test]
fn g10_solicitations_for_own_addresses_are_answered_as_linux_does() {
    let bed = bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    let answer = |spec: &SolicitationSpec| {
        assert_eq!(bed.solicit(spec), Verdict::Answered);
        let sent = bed.sent();
        let [frame] = &sent[..] else {
            panic!("{sent:?}")
        };
        let ethernet = parse_ethernet(frame).unwrap();
        let packet = parse_ipv6(ethernet.payload).unwrap();
        let (source, destination) = (packet.source(), packet.destination());
        assert_eq!(source, v6(ADDRESS));
        let hop_limit = packet.header.hop_limit;
        match parse_ndp(source, destination, hop_limit, packet.payload) {
            Ok(NdpMessage::NeighborAdvertisement(it)) => {
                assert_eq!((it.target, it.router), (v6(ADDRESS), false));
                (
                    ethernet.header.destination,
                    destination,
                    (it.solicited, it.override_),
                    it.target_link_address(),
                )
            }
            other => panic!("{other:?}"),
        }
    };
    let asker = v6("2001:db8::99");
    let link = MacAddr([2, 0, 0, 0, 0, 0x55]);
    assert_eq!(
        answer(&solicitation(ADDRESS, true, Some(link))),
        (link, asker, (true, true), Some(MAC)),
        "to the group: to the link address that it tells"
    );
    assert_eq!(
        answer(&solicitation(ADDRESS, false, None)),
        (OTHER, asker, (true, false), None),
        "unicast: without the override flag and the link address"
    );
    for nobodys in [MacAddr::BROADCAST, MacAddr::UNSPECIFIED] {
        assert_eq!(
            answer(&solicitation(ADDRESS, true, Some(nobodys))).0,
            OTHER,
            "told a link address that is no station's: to the frame's"
        );
    }
    assert_eq!(
        answer(&probe(ADDRESS, Some([1; 6]))),
        (
            MacAddr::from_ipv6_multicast(ALL_NODES),
            ALL_NODES,
            (false, true),
            Some(MAC)
        ),
        "a probe: to all nodes, unsolicited"
    );
    assert_eq!(
        bed.solicit(&solicitation("2001:db8::2", true, None)),
        Verdict::Ignored
    );
    assert!(bed.sent().is_empty());
    assert_eq!(bed.listed().len(), 1);
}

#[test]
fn g11_an_advertisement_for_a_settled_address_is_told_and_changes_nothing() {
    let bed = bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(bed.advertise(&advertisement(ADDRESS)), Verdict::Conflict);
    let expected = Event::AddressConflict {
        nic: NicId(1),
        address: ip(ADDRESS),
        offender: OTHER,
    };
    assert_eq!(bed.happened(), [expected]);
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::Permanent));
    let mut ours = advertisement(ADDRESS);
    ours.source_mac = MAC;
    assert_eq!(bed.advertise(&ours), Verdict::Ignored, "our own, come back");
    assert_eq!(
        bed.advertise(&advertisement("2001:db8::2")),
        Verdict::Ignored
    );
}

/// What a mapped address stands for is an IPv4 address of the NIC, and nothing that neighbor
/// discovery knows of.
#[test]
fn g10_g11_a_mapped_address_is_nobodys() {
    let bed = bed();
    let mapped = "::ffff:192.0.2.1";
    bed.add(ip("192.0.2.1"));
    for spoofing in [false, true] {
        bed.nic.set_spoofing(spoofing).unwrap();
        for spec in [solicitation(mapped, true, Some(OTHER)), probe(mapped, None)] {
            assert_eq!(bed.solicit(&spec), Verdict::Ignored);
        }
        assert_eq!(bed.advertise(&advertisement(mapped)), Verdict::Ignored);
    }
    assert!(bed.sent().is_empty() && bed.happened().is_empty());
}

#[test]
fn g12_g13_what_is_not_valid_is_not_listened_to() {
    let bed = probing_bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    let mut frame = [0; 128];
    let len = build_neighbor_solicitation(&mut frame, &probe(ADDRESS, None)).unwrap();
    let spoil = |at: usize, value: u8| {
        let mut frame = frame[..len].to_vec();
        frame[at] = value;
        bed.input(&frame)
    };
    assert_eq!(spoil(14 + 7, 254), Verdict::Invalid, "hop limit");
    assert_eq!(spoil(14 + 40 + 1, 1), Verdict::Invalid, "code");
    assert_eq!(spoil(14 + 40 + 2, 0x12), Verdict::Invalid, "checksum");
    assert_eq!(bed.input(&frame[..len - 1]), Verdict::Invalid, "cut short");
    assert_eq!(bed.input(&frame[..13]), Verdict::Invalid);
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::PermanentTentative));
    let received = ProtocolCounter::NeighborSolicitationsReceived;
    assert_eq!(bed.nic.protocol_counter(received), 0);
    assert_eq!(bed.input(&frame[..len]), Verdict::Duplicate);
    assert_eq!(bed.nic.protocol_counter(received), 1);
}

#[test]
fn g14_tentative_or_not() {
    let bed = probing_bed();
    let tentative = |address: &str| bed.nic.is_tentative(ip(address));
    assert_eq!(tentative(ADDRESS), Ok(false), "absent");
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.nic.add_address(ip("192.0.2.1")).unwrap();
    assert_eq!(tentative(ADDRESS), Ok(true));
    assert_eq!(tentative("192.0.2.1"), Ok(false));
    bed.advance(SECOND);
    assert_eq!(tentative(ADDRESS), Ok(false));
    bed.nic.remove().unwrap();
    assert_eq!(tentative(ADDRESS), Err(NicGone(NicId(1))));
}

#[test]
fn g15_a_link_local_address_from_the_mac() {
    let bed = bed_of(dad(1).link_local(LinkLocal::Eui64));
    let address = "fe80::ff:fe00:1";
    assert_eq!(bed.kind(address), Some(AddressKind::PermanentTentative));
    assert_eq!(bed.probes(), [v6(address)]);
    bed.advance(SECOND);
    assert_eq!(bed.listed(), [format!("{address}/64")]);
    let info = bed.nic.primary_address(Family::V6).unwrap();
    assert_eq!(info.primary, PrimaryEndpointBehavior::CanBePrimary);
    bed.happened();
    // A group is no station's address: silently nothing.
    let group = NicConfig::new("test").mac(MacAddr([0x33, 0x33, 0, 0, 0, 1]));
    let bed = bed_of(group.link_local(LinkLocal::Eui64));
    assert!(bed.listed().is_empty());
}

#[test]
fn g15_a_stable_opaque_link_local_address_that_is_taken_is_replaced_three_times() {
    let stable = LinkLocal::StableOpaque {
        secret: *b"0123456789abcdef",
        network_id: Vec::new(),
    };
    let bed = bed_of(dad(1).link_local(stable.clone()));
    let mut seen = Vec::new();
    while let [target] = bed.probes()[..] {
        assert!(!seen.contains(&target));
        seen.push(target);
        bed.advertise(&advertisement(&target.to_string()));
    }
    assert_eq!(seen.len(), 4);
    assert!(bed.nic.endpoints().is_empty());
    assert_eq!(bed.happened().len(), 8, "each: duplicate, closed");
    // The same NIC on the same network makes the same addresses.
    let again = bed_of(dad(1).link_local(stable));
    assert_eq!(again.probes(), seen[..1]);
}

#[test]
fn g15_g16_enabling_again_keeps_the_link_local_address_and_probes_it() {
    let bed = bed_of(dad(1).link_local(LinkLocal::Eui64));
    bed.advance(SECOND);
    bed.sent();
    bed.nic.disable().unwrap();
    bed.nic.enable().unwrap();
    let address = v6("fe80::ff:fe00:1");
    assert_eq!(bed.probes(), [address]);
    bed.advance(SECOND);
    assert_eq!(bed.listed(), ["fe80::ff:fe00:1/64"]);
}

#[test]
fn g16_bug26_a_disabled_nic_probes_nothing_until_it_is_enabled() {
    let bed = bed_of(dad(1).disabled());
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.advance(Duration::from_secs(10));
    assert!(bed.sent().is_empty());
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::PermanentTentative));
    bed.nic.enable().unwrap();
    assert_eq!(bed.probes(), [v6(ADDRESS)]);
    bed.advance(SECOND);
    assert_eq!(bed.listed(), ["2001:db8::1/128"]);
}

#[test]
fn g16_bug01_on_a_loopback_link_nothing_is_probed() {
    let config = dad(1).link_local(LinkLocal::Eui64);
    let bed = bed_on(config, true);
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::Permanent));
    assert!(bed.sent().is_empty());
}

#[test]
fn g17_bug02_leaving_the_solicited_node_group_by_hand_does_not_disturb_detection() {
    let bed = bed_of(dad(2));
    let group = ip("ff02::1:ff00:1");
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(
        bed.nic.leave_group(group),
        Err(LeaveGroupError::NotJoined(group)),
        "the join is the NIC's own"
    );
    assert!(matches!(
        bed.nic.remove_address(group),
        Err(RemoveAddressError::BadLocalAddress(_))
    ));
    bed.nic.join_group(group).unwrap();
    bed.nic.leave_group(group).unwrap();
    assert!(bed.nic.is_in_group(group));
    bed.advance(2 * SECOND);
    assert_eq!(bed.happened(), [assigned(ADDRESS)]);
}

#[test]
fn g18_a_probe_of_ours_that_comes_back_is_no_duplicate() {
    let bed = probing_bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    let ours = bed.sent().remove(0);
    assert_eq!(bed.input(&ours), Verdict::LoopedBack);
    assert_eq!(bed.kind(ADDRESS), Some(AddressKind::PermanentTentative));
    bed.advance(3 * SECOND);
    assert_eq!(bed.sent().len(), 3, "more, for who hides behind the loop");
    bed.advance(SECOND);
    assert_eq!(bed.happened(), [assigned(ADDRESS)]);
    assert_eq!(bed.input(&ours), Verdict::LoopedBack, "late, and harmless");
    let looped = bed.nic.protocol_counter(ProtocolCounter::LoopedBackProbes);
    assert_eq!(looped, 1);
}

#[test]
fn a5_bug08_promotion_probes_and_takes_the_new_configuration() {
    let bed = probing_bed();
    bed.nic.add_address(prefix("2001:db8::1/64")).unwrap();
    bed.advance(SECOND);
    bed.sent();
    bed.happened();
    let held = bed.nic.hold(ip(ADDRESS)).unwrap();
    let route = bed.nic.route(None, ip("2001:db8::99")).unwrap();
    bed.nic.remove_address(ip(ADDRESS)).unwrap();
    assert_eq!(held.kind(), AddressKind::PermanentExpired);
    let config = AddressConfig::from(prefix("2001:db8::1/48"));
    bed.nic
        .add_address(config.primary(PrimaryEndpointBehavior::NeverPrimary))
        .unwrap();
    assert_eq!(held.kind(), AddressKind::PermanentTentative, "the same one");
    assert!(matches!(
        route.check(),
        Err(SendError::InvalidEndpointState(_))
    ));
    assert_eq!(bed.probes(), [v6(ADDRESS)]);
    bed.advance(SECOND);
    assert_eq!(bed.listed(), ["2001:db8::1/48"]);
    assert_eq!(bed.nic.primary_address(Family::V6), None);
    assert!(route.check().is_ok());
    assert_eq!(bed.happened(), [assigned(ADDRESS)]);
}

#[test]
fn a5_bug08_a_held_temporary_endpoint_that_is_added_is_probed_too() {
    let bed = probing_bed();
    bed.nic.set_spoofing(true).unwrap();
    let held = bed.nic.hold(ip(ADDRESS)).unwrap();
    assert!(bed.accepts(ADDRESS));
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    assert_eq!(held.kind(), AddressKind::PermanentTentative);
    assert!(!bed.accepts(ADDRESS), "it received, and does no more");
    assert!(bed.nic.hold(ip(ADDRESS)).is_err());
    bed.advance(SECOND);
    assert_eq!(held.kind(), AddressKind::Permanent);
    assert!(held.is_same(&bed.nic.hold(ip(ADDRESS)).unwrap()));
}

#[test]
fn a18_removing_a_tentative_address_ends_its_probing() {
    let bed = bed_of(dad(3));
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.nic.remove_address(ip(ADDRESS)).unwrap();
    let aborted = Event::DadAborted {
        nic: NicId(1),
        address: ip(ADDRESS),
        reason: AbortReason::AddressRemoved,
    };
    let mut happened = bed.happened();
    happened.sort_by_key(|event| *event != aborted);
    assert_eq!(happened, [aborted, closed(ADDRESS)]);
    bed.sent();
    bed.advance(Duration::from_secs(10));
    assert!(bed.sent().is_empty());
}

#[test]
fn disabling_aborts_and_enabling_probes_anew() {
    let bed = probing_bed();
    bed.nic.add_address(ip(ADDRESS)).unwrap();
    bed.nic.disable().unwrap();
    let happened = bed.happened();
    assert!(happened.contains(&Event::DadAborted {
        nic: NicId(1),
        address: ip(ADDRESS),
        reason: AbortReason::NicDisabled,
    }));
    bed.sent();
    bed.advance(Duration::from_secs(10));
    assert!(bed.sent().is_empty());
    bed.nic.enable().unwrap();
    bed.advance(SECOND);
    assert_eq!(bed.listed(), ["2001:db8::1/128"]);
}

#[test]
fn solicitations_for_a_range_are_answered_but_not_probes() {
    let bed = bed();
    bed.nic.add_range(prefix("2001:db8:5::/64")).unwrap();
    let target = "2001:db8:5::7";
    assert_eq!(
        bed.solicit(&solicitation(target, true, Some(OTHER))),
        Verdict::Answered
    );
    assert_eq!(bed.sent().len(), 1);
    assert_eq!(bed.solicit(&probe(target, None)), Verdict::Ignored);
    bed.nic.set_spoofing(true).unwrap();
    assert_eq!(bed.solicit(&probe("2001:db8:9::1", None)), Verdict::Ignored);
    assert_eq!(
        bed.solicit(&solicitation("2001:db8:9::1", true, None)),
        Verdict::Answered
    );
}
