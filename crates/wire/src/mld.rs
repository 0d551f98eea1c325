//! Multicast listener discovery for IPv6: versions 1 (RFC 2710) and 2 (RFC 3810).

use std::net::Ipv6Addr;
use std::time::Duration;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::build::{IPV6_TRANSPORT_OFFSET, assemble, ipv6_headers};
use crate::checksum;
use crate::cursor::{Cursor, set_checksum};
use crate::ethernet::EthernetHeader;
use crate::ethertype::EtherType;
use crate::hop_by_hop::{ROUTER_ALERT_HEADER_LEN, ROUTER_ALERT_MLD, router_alert_header};
use crate::icmpv6::{Icmpv6Error, parse_icmpv6};
use crate::ipv6::Ipv6Fields;
use crate::mac::MacAddr;
use crate::membership::{
    Addresses, GroupRecord, GroupRecords, QueryTail, ReportHeader, decode_u16, encode_u16,
    put_report,
};
use crate::protocol::IpProtocol;
use crate::room::NoRoom;

/// The ICMPv6 type of a query of either version.
pub const MLD_QUERY: u8 = 130;
/// The ICMPv6 type of a report of version 1.
pub const MLD_REPORT_V1: u8 = 131;
/// The ICMPv6 type of a done message of version 1.
pub const MLD_DONE: u8 = 132;
/// The ICMPv6 type of a report of version 2.
pub const MLD_REPORT_V2: u8 = 143;

/// The hop limit of every MLD message.
pub const MLD_HOP_LIMIT: u8 = 1;

/// All routers that speak MLDv2: where reports of version 2 go.
pub const MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

const OFFSET: usize = IPV6_TRANSPORT_OFFSET + ROUTER_ALERT_HEADER_LEN;
const MAX_MESSAGE_LEN: usize = u16::MAX as usize - ROUTER_ALERT_HEADER_LEN;

/// Whether an ICMPv6 type is one of multicast listener discovery: [`parse_mld`] reads it.
#[inline]
pub const fn is_mld(kind: u8) -> bool {
    matches!(kind, MLD_QUERY | MLD_REPORT_V1 | MLD_DONE | MLD_REPORT_V2)
}

/// The fixed part of all messages but a report of version 2.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct MldHeader {
    kind: u8,
    code: u8,
    checksum: U16,
    max_response_code: U16,
    reserved: U16,
    group: [u8; 16],
}

/// An MLD message that passed every check of [`parse_mld`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MldMessage<'a> {
    /// Who listens?
    Query(MldQuery<'a>),
    /// In version 1: a host listens to this group.
    ReportV1(Ipv6Addr),
    /// In version 1: a host listens to this group no more.
    Done(Ipv6Addr),
    /// In version 2: what a host listens to.
    ReportV2(GroupRecords<'a, Ipv6Addr>),
    /// Not MLD, but an ICMPv6 message of this type.
    Other(u8),
}

/// The version of a query (RFC 3810 section 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MldQueryVersion {
    /// RFC 2710.
    V1 = 1,
    /// RFC 3810.
    V2 = 2,
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MldQuery<'a> {
    /// Its version.
    pub version: MldQueryVersion,
    /// The group it is about; `None` for all of them.
    pub group: Option<Ipv6Addr>,
    /// How long a host may wait before it answers; zero asks for an answer at once.
    pub max_response: Duration,
    /// Routers are not to lower their timers. False in version 1.
    pub suppress: bool,
    /// The querier's robustness variable; 0 if it did not tell, as in version 1.
    pub robustness: u8,
    /// The querier's query interval; zero if it did not tell, as in version 1.
    pub interval: Duration,
    sources: Addresses<'a, Ipv6Addr>,
}

impl<'a> MldQuery<'a> {
    /// The sources it is about; none means all of them.
    pub fn sources(&self) -> Addresses<'a, Ipv6Addr> {
        self.sources.clone()
    }
}

/// Why a message is not a valid one of MLD: a rule it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MldError {
    /// The hop limit is not 1: see [`verify_mld_header`].
    #[error("the hop limit is not 1")]
    HopLimit,
    /// No router alert for MLD: see [`verify_mld_header`].
    #[error("no router alert option for multicast listener discovery")]
    RouterAlert,
    /// Shorter than an ICMPv6 header, or than its type asks.
    #[error("shorter than an MLD message of its type")]
    Truncated,
    /// The checksum is wrong.
    #[error("wrong ICMPv6 checksum")]
    Checksum,
    /// The source is not a link-local address; for a message of a host it may be unspecified too
    /// (RFC 3590).
    #[error("an MLD message from an address that is not link-local")]
    Source,
    /// A query of a length that no version has: below 24 or 25 to 27 bytes.
    #[error("an MLD query of a length that no version has")]
    QueryLength,
    /// The sources of a query end beyond it.
    #[error("the sources of an MLD query end beyond it")]
    Sources,
    /// The records of a report end beyond it.
    #[error("the records of an MLD report end beyond it")]
    Records,
    /// The group is not a multicast address.
    #[error("an MLD message about an address that is not a group")]
    Group,
}

/// Checks what an MLD message's IPv6 and hop-by-hop headers have to say (RFC 3810 section 6.2): a
/// hop limit of 1 and a router alert with the value for MLD.
///
/// # Errors
/// [`MldError::HopLimit`] or [`MldError::RouterAlert`].
#[inline]
pub const fn verify_mld_header(hop_limit: u8, router_alert: Option<u16>) -> Result<(), MldError> {
    if hop_limit != MLD_HOP_LIMIT {
        return Err(MldError::HopLimit);
    }
    match router_alert {
        Some(ROUTER_ALERT_MLD) => Ok(()),
        _ => Err(MldError::RouterAlert),
    }
}

/// Verifies the checksum of an ICMPv6 message between these addresses and reads it. The hop limit
/// and the router alert are for [`verify_mld_header`].
///
/// # Errors
/// A rule the message breaks, see [`MldError`]: it is to be dropped in silence.
pub fn parse_mld(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    message: &[u8],
) -> Result<MldMessage<'_>, MldError> {
    let icmp = parse_icmpv6(message, source, destination).map_err(|error| match error {
        Icmpv6Error::Truncated => MldError::Truncated,
        _ => MldError::Checksum,
    })?;
    let kind = icmp.header.kind;
    if !is_mld(kind) {
        return Ok(MldMessage::Other(kind));
    }
    let from_host = kind != MLD_QUERY;
    if !(source.is_unicast_link_local() || from_host && source.is_unspecified()) {
        return Err(MldError::Source);
    }
    if kind == MLD_REPORT_V2 {
        let Ok((header, records)) = ReportHeader::ref_from_prefix(message) else {
            return Err(MldError::Truncated);
        };
        let records = GroupRecords::parse(records, header.records.get());
        return Ok(MldMessage::ReportV2(records.ok_or(MldError::Records)?));
    }
    let Ok((header, rest)) = MldHeader::ref_from_prefix(message) else {
        return Err(if from_host {
            MldError::Truncated
        } else {
            MldError::QueryLength
        });
    };
    let group = Ipv6Addr::from_octets(header.group);
    Ok(match kind {
        MLD_QUERY => MldMessage::Query(parse_query(header, rest)?),
        _ if !group.is_multicast() => return Err(MldError::Group),
        MLD_REPORT_V1 => MldMessage::ReportV1(group),
        _ => MldMessage::Done(group),
    })
}

fn parse_query<'a>(header: &MldHeader, rest: &'a [u8]) -> Result<MldQuery<'a>, MldError> {
    let code = header.max_response_code.get();
    let mut query = MldQuery {
        version: MldQueryVersion::V1,
        group: None,
        max_response: Duration::from_millis(u64::from(code)),
        suppress: false,
        robustness: 0,
        interval: Duration::ZERO,
        sources: Addresses::EMPTY,
    };
    if !rest.is_empty() {
        let Ok((tail, rest)) = QueryTail::ref_from_prefix(rest) else {
            return Err(MldError::QueryLength);
        };
        // What is behind the sources is ignored (RFC 3810 section 5.1.12).
        let (sources, _) = Addresses::split(rest, tail.sources()).ok_or(MldError::Sources)?;
        query.version = MldQueryVersion::V2;
        query.max_response = Duration::from_millis(decode_u16(code));
        query.suppress = tail.suppress();
        query.robustness = tail.robustness();
        query.interval = Duration::from_secs(tail.interval_s());
        query.sources = sources;
    }
    let group = Ipv6Addr::from_octets(header.group);
    if !group.is_unspecified() {
        if !group.is_multicast() {
            return Err(MldError::Group);
        }
        query.group = Some(group);
    }
    Ok(query)
}

/// The messages of hosts in version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MldKind {
    /// A report, sent to the group.
    Report = MLD_REPORT_V1,
    /// A done message, sent to [`crate::ndp::ALL_ROUTERS`].
    Done = MLD_DONE,
}

/// Builds a frame with an MLD message of version 1 about `group` at the front of `buffer` and
/// returns its length, 86. Its link destination is the one of the group `destination`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn build_mld_v1(
    buffer: &mut [u8],
    source_mac: MacAddr,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    kind: MldKind,
    group: Ipv6Addr,
) -> Result<usize, NoRoom> {
    build(buffer, source_mac, source, destination, |cursor| {
        let header = MldHeader {
            kind: kind as u8,
            code: 0,
            checksum: U16::ZERO,
            max_response_code: U16::ZERO,
            reserved: U16::ZERO,
            group: group.octets(),
        };
        cursor.put(header.as_bytes());
    })
}

/// Builds a frame with a report of version 2 to [`MLDV2_ROUTERS`] at the front of `buffer` and
/// returns its length: 70, and for each record 20 and 16 for each source.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the packet's payload longer than 65,535 bytes.
pub fn build_mld_v2_report(
    buffer: &mut [u8],
    source_mac: MacAddr,
    source: Ipv6Addr,
    records: &[GroupRecord<'_, Ipv6Addr>],
) -> Result<usize, NoRoom> {
    build(buffer, source_mac, source, MLDV2_ROUTERS, |cursor| {
        put_report(cursor, MLD_REPORT_V2, records);
    })
}

/// What to put into a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MldQuerySpec<'a> {
    /// The version; the first one has room for `group` and `max_response` alone.
    pub version: MldQueryVersion,
    /// The group it is about, if not all of them.
    pub group: Option<Ipv6Addr>,
    /// How long a host may wait before it answers, rounded down to what has a code.
    pub max_response: Duration,
    /// Routers are not to lower their timers.
    pub suppress: bool,
    /// The robustness variable; above 7 it is not told.
    pub robustness: u8,
    /// The query interval, rounded down to what has a code.
    pub interval: Duration,
    /// The sources it is about, if not all of them.
    pub sources: &'a [Ipv6Addr],
}

/// Builds a frame with a query at the front of `buffer` and returns its length: 86, in version 2 4
/// more, and 16 for each source. Its link destination is the one of the group `destination`:
/// [`crate::ndp::ALL_NODES`] or the group it is about.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the packet's payload longer than 65,535 bytes.
pub fn build_mld_query(
    buffer: &mut [u8],
    source_mac: MacAddr,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    spec: &MldQuerySpec<'_>,
) -> Result<usize, NoRoom> {
    let millis = u64::try_from(spec.max_response.as_millis()).unwrap_or(u64::MAX);
    let code = match spec.version {
        MldQueryVersion::V1 => u16::try_from(millis).unwrap_or(u16::MAX),
        MldQueryVersion::V2 => encode_u16(millis),
    };
    build(buffer, source_mac, source, destination, |cursor| {
        let header = MldHeader {
            kind: MLD_QUERY,
            code: 0,
            checksum: U16::ZERO,
            max_response_code: U16::new(code),
            reserved: U16::ZERO,
            group: spec.group.unwrap_or(Ipv6Addr::UNSPECIFIED).octets(),
        };
        cursor.put(header.as_bytes());
        if spec.version == MldQueryVersion::V2 {
            let tail = QueryTail::new(
                spec.suppress,
                spec.robustness,
                spec.interval.as_secs(),
                spec.sources.len(),
            );
            cursor.put(tail.as_bytes());
            for source in spec.sources {
                cursor.put(&source.octets());
            }
        }
    })
}

/// Builds a frame around the message that `put` puts, its checksum zero.
fn build(
    buffer: &mut [u8],
    source_mac: MacAddr,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    put: impl FnOnce(&mut Cursor<'_>),
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        OFFSET,
        |behind| {
            let mut cursor = Cursor::new(behind);
            put(&mut cursor);
            let message = cursor.finish(MAX_MESSAGE_LEN)?;
            let len = message.len();
            let pseudo_header = checksum::pseudo_header_ipv6(
                source,
                destination,
                IpProtocol::ICMPV6,
                // At most 65,527.
                len as u32,
            );
            set_checksum(message, pseudo_header);
            Ok(len)
        },
        |front, len| {
            let destination_mac = MacAddr::from_ipv6_multicast(destination);
            let ethernet = EthernetHeader::new(destination_mac, source_mac, EtherType::IPV6);
            let fields =
                Ipv6Fields::new(source, destination, IpProtocol::HOP_BY_HOP, MLD_HOP_LIMIT);
            ipv6_headers(front, &ethernet, &fields, ROUTER_ALERT_HEADER_LEN + len)?;
            let alert = router_alert_header(IpProtocol::ICMPV6, ROUTER_ALERT_MLD);
            if let Some(options) = front.get_mut(IPV6_TRANSPORT_OFFSET..OFFSET) {
                options.copy_from_slice(&alert);
            }
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests;
