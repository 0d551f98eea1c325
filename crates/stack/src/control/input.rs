//! What workers hand to the control plane: ARP, neighbor discovery and group membership messages, and
//! ICMP errors.
//!
//! Solicitations for addresses in use are answered from the snapshot, without the NIC's lock; only
//! what concerns an address that is being probed, or the groups, takes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use corelane_frame::Frame;
use corelane_sync::refs::AddressKind;
use corelane_wire::arp::{ArpMessage, parse_arp_message};
use corelane_wire::extension::{ExtensionEnd, ExtensionWalk};
use corelane_wire::igmp::{IgmpMessage, IgmpQuery, parse_igmp};
use corelane_wire::mld::{MldMessage, MldQuery, is_mld, parse_mld};
use corelane_wire::ndp::{
    self, AdvertisementSpec, NdpMessage, NeighborAdvertisement, NeighborSolicitation, parse_ndp,
};
use corelane_wire::{
    EtherType, IpProtocol, Ipv4Packet, Ipv6Packet, MacAddr, parse_ethernet, parse_ipv4, parse_ipv6,
};

use super::{Control, Message};
use crate::address::{Family, Key};
use crate::group::Query;
use crate::neighbor::{Advertisement, NeighborCache, Turn};
use crate::nic::{Nic, NicShared};
use crate::protocol_counters::ProtocolCounter;
use crate::stack::Pending;

/// What the control plane made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A neighbor solicitation, answered.
    Answered,
    /// Somebody else has, or probes for, an address that is being probed here: it was given up.
    Duplicate,
    /// A probe of our own that came back.
    LoopedBack,
    /// Somebody else says that he has an address that is in use here.
    Conflict,
    /// Taken note of: a query or a report of a group, what a neighbor says of itself, an error about
    /// a packet that was sent from here.
    Noted,
    /// Valid, and no concern of this NIC.
    Ignored,
    /// The NIC is disabled or removed.
    NicDown,
    /// Not a message for the control plane: the workers hand none such over.
    Invalid,
}

impl Verdict {
    /// The word for it in traces.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Duplicate => "duplicate",
            Self::LoopedBack => "looped_back",
            Self::Conflict => "conflict",
            Self::Noted => "noted",
            Self::Ignored => "ignored",
            Self::NicDown => "nic_down",
            Self::Invalid => "invalid",
        }
    }
}

/// Deals with a frame that a worker handed over.
pub(crate) fn control_input(nic: &Nic, frame: &Frame) -> Verdict {
    // No snapshot is kept while this goes on: what is given up could not be closed.
    if !nic.is_enabled() || nic.is_gone() {
        return Verdict::NicDown;
    }
    let Ok(ethernet) = parse_ethernet(frame.data()) else {
        return Verdict::Invalid;
    };
    let sender = ethernet.header.source;
    match ethernet.header.ethertype() {
        EtherType::ARP => arp_input(nic, ethernet.payload),
        EtherType::IPV4 => match parse_ipv4(ethernet.payload) {
            Ok(packet) if packet.protocol() == IpProtocol::ICMPV4 => {
                nic.stack().shared().icmpv4_error(nic, &packet)
            }
            Ok(packet) => igmp_input(nic, &packet, sender),
            Err(_) => Verdict::Invalid,
        },
        EtherType::IPV6 => match parse_ipv6(ethernet.payload) {
            Ok(packet) => icmpv6_input(nic, &packet, sender),
            Err(_) => Verdict::Invalid,
        },
        _ => Verdict::Invalid,
    }
}

fn igmp_input(nic: &Nic, packet: &Ipv4Packet<'_>, sender: MacAddr) -> Verdict {
    if packet.protocol() != IpProtocol::IGMP {
        return Verdict::Invalid;
    }
    let Ok(message) = parse_igmp(packet.payload) else {
        return Verdict::Invalid;
    };
    nic.shared().count(ProtocolCounter::IgmpReceived);
    match message {
        IgmpMessage::Query(query) => queried(nic, Family::V4, &igmp_query(&query)),
        IgmpMessage::ReportV1(group) | IgmpMessage::ReportV2(group) => {
            heard_report(nic, Key::v4(group.to_bits()), sender)
        }
        // Hosts of the newer version do not listen to each other (RFC 3376 section 5).
        IgmpMessage::Leave(_) | IgmpMessage::ReportV3(_) | IgmpMessage::Other(_) => {
            Verdict::Ignored
        }
    }
}

fn igmp_query(query: &IgmpQuery<'_>) -> Query {
    Query {
        version: query.version as u8,
        group: query.group.map(IpAddr::V4),
        max_response: query.max_response,
        robustness: query.robustness,
        interval: query.interval,
        sources: query.sources().map(IpAddr::V4).collect(),
    }
}

fn icmpv6_input(nic: &Nic, packet: &Ipv6Packet<'_>, sender: MacAddr) -> Verdict {
    let Ok(ExtensionEnd::UpperLayer(upper)) = ExtensionWalk::new(packet).end() else {
        return Verdict::Invalid;
    };
    let (protocol, message) = (upper.protocol, upper.payload);
    match message.first() {
        Some(kind) if protocol == IpProtocol::ICMPV6 && ndp::is_ndp(*kind) => {
            ndp_input(nic, packet, message, sender)
        }
        Some(kind) if protocol == IpProtocol::ICMPV6 && is_mld(*kind) => {
            mld_input(nic, packet, message, sender)
        }
        Some(_) if protocol == IpProtocol::ICMPV6 => {
            nic.stack().shared().icmpv6_error(nic, packet, message)
        }
        _ => Verdict::Invalid,
    }
}

fn ndp_input(nic: &Nic, packet: &Ipv6Packet<'_>, message: &[u8], sender: MacAddr) -> Verdict {
    let (source, destination) = (packet.source(), packet.destination());
    match parse_ndp(source, destination, packet.header.hop_limit, message) {
        Ok(NdpMessage::NeighborSolicitation(message)) => {
            nic.shared()
                .count(ProtocolCounter::NeighborSolicitationsReceived);
            solicited(nic, source, destination, &message, sender)
        }
        Ok(NdpMessage::NeighborAdvertisement(message)) => {
            nic.shared()
                .count(ProtocolCounter::NeighborAdvertisementsReceived);
            advertised(nic, &message, sender)
        }
        Ok(NdpMessage::Other(_)) | Err(_) => Verdict::Invalid,
    }
}

fn mld_input(nic: &Nic, packet: &Ipv6Packet<'_>, message: &[u8], sender: MacAddr) -> Verdict {
    let Ok(message) = parse_mld(packet.source(), packet.destination(), message) else {
        return Verdict::Invalid;
    };
    nic.shared().count(ProtocolCounter::MldReceived);
    match message {
        MldMessage::Query(query) => queried(nic, Family::V6, &mld_query(&query)),
        MldMessage::ReportV1(group) => heard_report(nic, Key::v6(group.to_bits()), sender),
        MldMessage::Done(_) | MldMessage::ReportV2(_) | MldMessage::Other(_) => Verdict::Ignored,
    }
}

fn mld_query(query: &MldQuery<'_>) -> Query {
    Query {
        version: query.version as u8,
        group: query.group.map(IpAddr::V6),
        max_response: query.max_response,
        robustness: query.robustness,
        interval: query.interval,
        sources: query.sources().map(IpAddr::V6).collect(),
    }
}

/// A router asks who is in which group.
fn queried(nic: &Nic, family: Family, query: &Query) -> Verdict {
    nic.on_groups(|Control { groups, rng, .. }, now| groups.query(family, query, now, rng))
}

/// Another host has answered for a group. One of our own that came back is no other host's.
fn heard_report(nic: &Nic, group: Key, sender: MacAddr) -> Verdict {
    if sender == nic.mac() {
        return Verdict::Ignored;
    }
    nic.on_groups(|control, now| control.groups.heard_report(group, now))
}

/// A neighbor solicitation (RFC 4861 section 7.2.3, RFC 4862 section 5.4.3).
fn solicited(
    nic: &Nic,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    message: &NeighborSolicitation<'_>,
    sender: MacAddr,
) -> Verdict {
    let target = message.target;
    let is_probe = source.is_unspecified();
    // A group's link address is nobody's, whoever says so (RFC 1812 section 3.3.2).
    let told = message.source_link_address();
    let told = told.filter(|mac| mac.is_unicast() && !is_probe);
    let mut owned = ownership(nic.shared(), target, is_probe);
    if owned == Owned::Tentative && is_probe {
        let verdict = probed_by_other(nic, target, message.nonce(), sender);
        if verdict != Verdict::Ignored {
            return verdict;
        }
        // Not tentative any more: it was assigned, or removed, in between.
        owned = ownership(nic.shared(), target, is_probe);
    }
    match owned {
        // Whoever resolves an address that is being probed gets no answer.
        Owned::Tentative | Owned::No => Verdict::Ignored,
        Owned::Assigned if is_probe && sender == nic.mac() => Verdict::LoopedBack,
        owned => {
            let to_group = destination.is_multicast();
            // Whoever asks is going to be answered: what it says of itself comes first (RFC 4861
            // section 7.2.3). A probe says nothing.
            if let Some(mac) = told {
                let key = Key::v6(source.to_bits());
                nic.stack()
                    .shared()
                    .on_link(nic.id(), |cache, turn| cache.solicited_from(key, mac, turn));
            }
            // The unicast form leaves the link address out: whoever asked has it. One that is not
            // owned but accepted does not override what a real owner says.
            let answer = AdvertisementSpec {
                source_mac: nic.mac(),
                source: target,
                destination: if is_probe { ndp::ALL_NODES } else { source },
                destination_mac: if is_probe {
                    MacAddr::from_ipv6_multicast(ndp::ALL_NODES)
                } else {
                    told.unwrap_or(sender)
                },
                target,
                router: nic.forwarding().v6,
                solicited: !is_probe,
                override_: owned == Owned::Assigned && (to_group || is_probe),
                target_link: (to_group || owned == Owned::Accepted).then(|| nic.mac()),
            };
            nic.shared().transmit(vec![Message::Advertisement(answer)]);
            Verdict::Answered
        }
    }
}

/// What an address is to the NIC.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owned {
    Assigned,
    Tentative,
    /// Not its own, but it takes packets for it, or sends from it.
    Accepted,
    No,
}

/// Whose `target` is. A probe is objected to for the NIC's own addresses only: in a range, or on
/// a spoofing NIC, others may live.
fn ownership(nic: &Arc<NicShared>, target: Ipv6Addr, is_probe: bool) -> Owned {
    let key = Key::v6(target.to_bits());
    // A mapped address would be found as the IPv4 address that it stands for.
    if key.is_v4() {
        return Owned::No;
    }
    let snapshot = nic.snapshots.load();
    match snapshot.kind(&nic.endpoints, key) {
        Some(AddressKind::Permanent) => Owned::Assigned,
        Some(AddressKind::PermanentTentative) => Owned::Tentative,
        _ if is_probe || !key.can_be_local() => Owned::No,
        Some(AddressKind::PermanentExpired) if !snapshot.spoofing => Owned::No,
        _ if snapshot.spoofing || snapshot.ranges.contains(key) => Owned::Accepted,
        _ => Owned::No,
    }
}

/// Another host probes for the address that is being probed here; or that was one of ours, and came
/// back (RFC 7527).
fn probed_by_other(nic: &Nic, target: Ipv6Addr, nonce: Option<&[u8]>, sender: MacAddr) -> Verdict {
    let key = Key::v6(target.to_bits());
    nic.locked(|transaction| {
        let looped_back =
            nonce.is_some_and(|nonce| transaction.control.dads.is_looped_back(key, nonce));
        if looped_back {
            nic.shared().count(ProtocolCounter::LoopedBackProbes);
            return Verdict::LoopedBack;
        }
        give_up(transaction, target, sender)
    })
}

/// A neighbor advertisement (RFC 4862 section 5.4.4).
fn advertised(nic: &Nic, message: &NeighborAdvertisement<'_>, sender: MacAddr) -> Verdict {
    let target = message.target;
    let offender = message.target_link_address().unwrap_or(sender);
    match ownership(nic.shared(), target, true) {
        Owned::Tentative => nic.locked(|transaction| give_up(transaction, target, offender)),
        // One of our own that came back is no conflict.
        Owned::Assigned if sender != nic.mac() => {
            nic.shared().count(ProtocolCounter::AddressConflicts);
            nic.locked(|transaction| transaction.tell_conflict(target.into(), offender));
            Verdict::Conflict
        }
        Owned::Assigned => Verdict::Ignored,
        Owned::Accepted | Owned::No => heard_advertisement(nic, message),
    }
}

/// What a neighbor says of itself (RFC 4861 section 7.2.5).
fn heard_advertisement(nic: &Nic, message: &NeighborAdvertisement<'_>) -> Verdict {
    let advertisement = Advertisement {
        target: Key::v6(message.target.to_bits()),
        mac: message.target_link_address(),
        solicited: message.solicited,
        overrides: message.override_,
        is_router: message.router,
    };
    heard_of(nic, advertisement.target, |cache, turn| {
        cache.advertised(advertisement, turn);
    })
}

/// Something a neighbor said of itself, which changes what is known, if anything is.
fn heard_of(
    nic: &Nic,
    neighbor: Key,
    hear: impl FnOnce(&mut NeighborCache<Pending>, &mut Turn<'_, Pending>),
) -> Verdict {
    let was_known = nic.stack().shared().on_link(nic.id(), |cache, turn| {
        let known = cache.table().find(&**cache.lines(), neighbor);
        hear(cache, turn);
        known.is_some()
    });
    if was_known == Some(true) {
        Verdict::Noted
    } else {
        Verdict::Ignored
    }
}

/// An ARP packet (RFC 826, RFC 5227; BEHAVIOURS O5).
fn arp_input(nic: &Nic, bytes: &[u8]) -> Verdict {
    let shared = nic.shared();
    let Ok(message) = parse_arp_message(bytes) else {
        return Verdict::Invalid;
    };
    let (ArpMessage::Request(packet) | ArpMessage::Reply(packet)) = message;
    let is_request = matches!(message, ArpMessage::Request(_));
    shared.count(if is_request {
        ProtocolCounter::ArpRequestsReceived
    } else {
        ProtocolCounter::ArpRepliesReceived
    });
    let (sender, mac) = (packet.sender_ip(), packet.sender_mac);
    let sender_key = Key::v4(sender.to_bits());
    if mac == nic.mac() {
        // One of our own that came back.
        return Verdict::LoopedBack;
    }
    if !sender.is_unspecified() && nic.has_address(sender) {
        shared.count(ProtocolCounter::AddressConflicts);
        nic.locked(|transaction| transaction.tell_conflict(sender.into(), mac));
        return Verdict::Conflict;
    }
    let (target, is_probe) = (packet.target_ip(), packet.is_probe());
    if !is_request && packet.target_mac == nic.mac() && !packet.is_announcement() {
        return heard_of(nic, sender_key, |cache, turn| {
            cache.arp_reply(sender_key, mac, turn);
        });
    }
    // Nobody has the unspecified address: a probe says nothing of its sender.
    let is_ours = is_request && !packet.is_announcement() && owns_v4(shared, target, is_probe);
    if !is_ours {
        // Whoever it is for, what is known of its sender is brought up to date (RFC 826).
        return heard_of(nic, sender_key, |cache, turn| {
            cache.gratuitous(sender_key, mac, turn);
        });
    }
    if !is_probe {
        nic.stack().shared().on_link(nic.id(), |cache, turn| {
            cache.solicited_from(sender_key, mac, turn);
        });
    }
    shared.transmit(vec![Message::ArpReply {
        sender: target,
        to: (mac, sender),
    }]);
    Verdict::Answered
}

/// Whether an ARP request for `target` is to be answered: as [`ownership`] has it for IPv6.
fn owns_v4(nic: &Arc<NicShared>, target: Ipv4Addr, is_probe: bool) -> bool {
    let key = Key::v4(target.to_bits());
    let snapshot = nic.snapshots.load();
    match snapshot.kind(&nic.endpoints, key) {
        Some(AddressKind::Permanent) => true,
        _ if is_probe || !key.can_be_local() => false,
        Some(AddressKind::PermanentExpired | AddressKind::PermanentTentative) => snapshot.spoofing,
        _ => {
            let accepted = snapshot.spoofing || snapshot.ranges.contains(key);
            accepted && !snapshot.is_directed_broadcast(key)
        }
    }
}

/// Gives an address up, if it is still tentative now that the lock is held.
fn give_up(
    transaction: &mut super::Transaction<'_>,
    target: Ipv6Addr,
    offender: MacAddr,
) -> Verdict {
    if transaction.is_tentative(target) != Some(true) {
        return Verdict::Ignored;
    }
    transaction.give_up(target, Some(offender));
    Verdict::Duplicate
}
