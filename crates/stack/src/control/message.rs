//! What a NIC sends by itself: made while its lock is held, sent after it was released.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use corelane_wire::build::build_arp;
use corelane_wire::igmp::{self, IgmpKind, build_igmp, build_igmp_v3_report};
use corelane_wire::membership::GroupRecord;
use corelane_wire::mld::{MldKind, build_mld_v1, build_mld_v2_report};
use corelane_wire::ndp::{
    self, AdvertisementSpec, SolicitationSpec, build_neighbor_advertisement,
    build_neighbor_solicitation,
};
use corelane_wire::{ArpPacket, MacAddr, NoRoom};

use super::Control;
use super::dad::Nonce;
use crate::address::Family;
use crate::endpoint::Endpoints;
use crate::group::{GroupMessage, Record, records_per_message};
use crate::protocol_counters::ProtocolCounter;

/// A message to be put into a frame.
pub(crate) enum Message {
    /// A probe for a tentative address.
    Probe {
        target: Ipv6Addr,
        nonce: Option<Nonce>,
    },
    /// The answer to a solicitation.
    Advertisement(AdvertisementSpec),
    /// The answer to an ARP request.
    ArpReply {
        /// Whose link address was asked for.
        sender: Ipv4Addr,
        /// Who asked.
        to: (MacAddr, Ipv4Addr),
    },
    /// Tells everybody that the NIC has an IPv4 address.
    ArpAnnouncement { address: Ipv4Addr },
    /// IGMP, from this address.
    Igmp(GroupMessage, Ipv4Addr),
    /// MLD, from this address.
    Mld(GroupMessage, Ipv6Addr),
}

impl Message {
    /// Writes the frame at the front of `buffer` and returns its length.
    pub(crate) fn write(&self, mac: MacAddr, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        match self {
            Self::Probe { target, nonce } => {
                let spec = SolicitationSpec::probe(mac, *target, *nonce);
                build_neighbor_solicitation(buffer, &spec)
            }
            Self::Advertisement(spec) => build_neighbor_advertisement(buffer, spec),
            Self::ArpReply { sender, to } => {
                let packet = ArpPacket::reply((mac, *sender), *to);
                build_arp(buffer, to.0, &packet)
            }
            Self::ArpAnnouncement { address } => {
                let packet = ArpPacket::announcement(mac, *address);
                build_arp(buffer, MacAddr::BROADCAST, &packet)
            }
            Self::Igmp(message, source) => write_igmp(message, mac, *source, buffer),
            Self::Mld(message, source) => write_mld(message, mac, *source, buffer),
        }
    }

    /// Whether it is of IGMP or MLD: those are sent in their order.
    pub(crate) fn is_report(&self) -> bool {
        matches!(self, Self::Igmp(..) | Self::Mld(..))
    }

    /// What it counts as.
    pub(crate) fn counter(&self) -> ProtocolCounter {
        match self {
            Self::Probe { .. } => ProtocolCounter::NeighborSolicitationsSent,
            Self::Advertisement(_) => ProtocolCounter::NeighborAdvertisementsSent,
            Self::ArpReply { .. } => ProtocolCounter::ArpRepliesSent,
            Self::ArpAnnouncement { .. } => ProtocolCounter::ArpRequestsSent,
            Self::Igmp(..) => ProtocolCounter::IgmpSent,
            Self::Mld(..) => ProtocolCounter::MldSent,
        }
    }
}

fn write_igmp(
    message: &GroupMessage,
    mac: MacAddr,
    source: Ipv4Addr,
    buffer: &mut [u8],
) -> Result<usize, NoRoom> {
    let mut send =
        |destination, kind, group| build_igmp(buffer, mac, source, destination, kind, group);
    match message {
        GroupMessage::V1Report { group } => send(v4(*group), IgmpKind::ReportV1, v4(*group)),
        GroupMessage::V2Report { group } => send(v4(*group), IgmpKind::ReportV2, v4(*group)),
        GroupMessage::Leave { group } => send(igmp::ALL_ROUTERS, IgmpKind::Leave, v4(*group)),
        GroupMessage::Report { records, .. } => {
            let sources = sources(records, v4);
            let records = group_records(records, &sources, v4);
            build_igmp_v3_report(buffer, mac, source, &records)
        }
    }
}

fn write_mld(
    message: &GroupMessage,
    mac: MacAddr,
    source: Ipv6Addr,
    buffer: &mut [u8],
) -> Result<usize, NoRoom> {
    let mut send =
        |destination, kind, group| build_mld_v1(buffer, mac, source, destination, kind, group);
    match message {
        GroupMessage::V1Report { group } | GroupMessage::V2Report { group } => {
            send(v6(*group), MldKind::Report, v6(*group))
        }
        GroupMessage::Leave { group } => send(ndp::ALL_ROUTERS, MldKind::Done, v6(*group)),
        GroupMessage::Report { records, .. } => {
            let sources = sources(records, v6);
            let records = group_records(records, &sources, v6);
            build_mld_v2_report(buffer, mac, source, &records)
        }
    }
}

/// The sources of each record, in the wire's types.
fn sources<A>(records: &[Record], address: impl Fn(IpAddr) -> A) -> Vec<Vec<A>> {
    records
        .iter()
        .map(|record| {
            record
                .sources
                .iter()
                .map(|source| address(*source))
                .collect()
        })
        .collect()
}

fn group_records<'a, A>(
    records: &[Record],
    sources: &'a [Vec<A>],
    address: impl Fn(IpAddr) -> A,
) -> Vec<GroupRecord<'a, A>> {
    records
        .iter()
        .zip(sources)
        .map(|(record, sources)| GroupRecord {
            kind: record.kind,
            group: address(record.group),
            sources,
        })
        .collect()
}

/// A group of the IPv4 protocol, which has no other.
fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// A group of the IPv6 protocol, which has no other.
fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V6(address) => address,
        IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED,
    }
}

/// Puts what many changes brought about into as few reports as hold it: one for each address of
/// thousands that are added together would find no room. `fit` is how many records without sources
/// fit into one.
fn merge(reports: Vec<GroupMessage>, fit: impl Fn(Family) -> usize) -> Vec<GroupMessage> {
    let plain = |records: &[Record]| records.iter().all(|record| record.sources.is_empty());
    let mut merged: Vec<GroupMessage> = Vec::new();
    for report in reports {
        if let (
            Some(GroupMessage::Report {
                family: of,
                records: before,
            }),
            GroupMessage::Report { family, records },
        ) = (merged.last_mut(), &report)
            && of == family
            && before.len() + records.len() <= fit(*family)
            && plain(before)
            && plain(records)
        {
            before.extend_from_slice(records);
        } else {
            merged.push(report);
        }
    }
    merged
}

impl GroupMessage {
    fn family(&self) -> Family {
        match self {
            Self::V1Report { group } | Self::V2Report { group } | Self::Leave { group } => {
                Family::of(*group)
            }
            Self::Report { family, .. } => *family,
        }
    }
}

impl Control {
    /// Makes messages of what the groups' protocols have to say, with the sources as they are now.
    ///
    /// Without an address they come from the unspecified one (RFC 3376 section 4.2.13, RFC 3590):
    /// switches between here and the routers learn from them all the same.
    pub(super) fn take_reports(&mut self, endpoints: &Endpoints) {
        if self.reports.is_empty() {
            return;
        }
        let any_v4 = IpAddr::V4(igmp::IGMPV3_ROUTERS);
        let source_v4 = self.source_for(endpoints, any_v4);
        let source_v4 = source_v4.map_or(Ipv4Addr::UNSPECIFIED, |i| v4(endpoints.at(i).address()));
        let source_v6 = self.link_local_source().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let mtu = self.settings.mtu;
        let fit = |family| records_per_message(family, mtu);
        for report in merge(std::mem::take(&mut self.reports), fit) {
            let message = match report.family() {
                Family::V4 => Message::Igmp(report, source_v4),
                Family::V6 => Message::Mld(report, source_v6),
            };
            let at_once = self.queue_up(message);
            self.messages.extend(at_once);
        }
    }

    /// What is to be sent once the lock is released.
    pub(crate) fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_one_transaction_share_messages() {
        let record = |group: u8, sources: &[IpAddr]| Record {
            kind: corelane_wire::RecordKind::ChangeToExclude,
            group: [239, 0, 0, group].into(),
            sources: sources.to_vec(),
        };
        let report = |records: &[Record]| GroupMessage::Report {
            family: Family::V4,
            records: records.to_vec(),
        };
        let leave = GroupMessage::Leave {
            group: [239, 0, 0, 9].into(),
        };
        let sourced = record(4, &[[192, 0, 2, 1].into()]);
        let merged = merge(
            vec![
                report(&[record(1, &[])]),
                report(&[record(2, &[])]),
                report(&[record(3, &[])]),
                report(std::slice::from_ref(&sourced)),
                leave.clone(),
                report(&[record(5, &[])]),
            ],
            |_| 2,
        );
        let expected = [
            report(&[record(1, &[]), record(2, &[])]),
            report(&[record(3, &[])]),
            report(&[sourced]),
            leave,
            report(&[record(5, &[])]),
        ];
        assert_eq!(merged, expected);
    }

    #[test]
    fn leaves_go_to_the_routers_and_reports_to_the_group() {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let group: IpAddr = "239.1.2.3".parse().unwrap();
        let mut buffer = [0; 128];
        let source = Ipv4Addr::new(192, 0, 2, 1);
        let leave = Message::Igmp(GroupMessage::Leave { group }, source);
        let len = leave.write(mac, &mut buffer).unwrap();
        assert_eq!(&buffer[30..34], &igmp::ALL_ROUTERS.octets(), "{len}");
        let report = Message::Igmp(GroupMessage::V2Report { group }, source);
        report.write(mac, &mut buffer).unwrap();
        assert_eq!(&buffer[30..34], &[239, 1, 2, 3]);
        let group: IpAddr = "ff05::1:3".parse().unwrap();
        let source = "fe80::1".parse().unwrap();
        let done = Message::Mld(GroupMessage::Leave { group }, source);
        done.write(mac, &mut buffer).unwrap();
        assert_eq!(&buffer[38..54], &ndp::ALL_ROUTERS.octets());
        assert!(done.write(mac, &mut buffer[..40]).is_err());
    }
}
