//! Internet group management for IPv4: versions 1 (RFC 1112), 2 (RFC 2236) and 3 (RFC 3376).

use std::net::Ipv4Addr;
use std::time::Duration;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::build::{assemble, ipv4_headers};
use crate::checksum::{self, Sum};
use crate::cursor::{Cursor, set_checksum};
use crate::ethernet::{ETHERNET_HEADER_LEN, EthernetHeader};
use crate::ethertype::EtherType;
use crate::ipv4::{IPV4_HEADER_LEN, Ipv4Fields, ipv4_header_mut};
use crate::mac::MacAddr;
use crate::membership::{
    Addresses, GroupRecord, GroupRecords, QueryTail, ReportHeader, decode_u8, encode_u8, put_report,
};
use crate::protocol::IpProtocol;
use crate::room::NoRoom;

/// The IGMP type of a query of any version.
pub const IGMP_QUERY: u8 = 0x11;
/// The IGMP type of a report of version 1.
pub const IGMP_REPORT_V1: u8 = 0x12;
/// The IGMP type of a report of version 2.
pub const IGMP_REPORT_V2: u8 = 0x16;
/// The IGMP type of a leave message of version 2.
pub const IGMP_LEAVE: u8 = 0x17;
/// The IGMP type of a report of version 3.
pub const IGMP_REPORT_V3: u8 = 0x22;

/// The time to live of every IGMP message.
pub const IGMP_TTL: u8 = 1;
/// The type of service of every IGMP message: internetwork control.
pub const IGMP_TOS: u8 = 0xc0;

/// All systems of the link: where general queries go. No IGMP message is about it.
pub const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// All routers of the link: where leave messages of version 2 go.
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// All routers that speak IGMPv3: where reports of version 3 go.
pub const IGMPV3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);

const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_ROUTER_ALERT: u8 = 148;
const ROUTER_ALERT: [u8; 4] = [OPTION_ROUTER_ALERT, 4, 0, 0];
const HEADER_LEN: usize = IPV4_HEADER_LEN + ROUTER_ALERT.len();
const OFFSET: usize = ETHERNET_HEADER_LEN + HEADER_LEN;
const MAX_MESSAGE_LEN: usize = u16::MAX as usize - HEADER_LEN;

/// How long a host may wait before it answers a query of version 1, which does not tell.
const V1_MAX_RESPONSE: Duration = Duration::from_secs(10);
/// The unit of a response time.
const RESPONSE_UNIT_MS: u64 = 100;

/// Whether the options of an IPv4 header have a router alert (RFC 2113) of any value. RFC 3376
/// section 9 lets a host ignore messages without one.
pub fn has_router_alert(options: &[u8]) -> bool {
    let mut rest = options;
    while let Some((&kind, behind)) = rest.split_first() {
        match kind {
            OPTION_END => return false,
            OPTION_NOP => rest = behind,
            _ => {
                // Its length counts the number and the length too.
                let Some((option, next)) = behind
                    .first()
                    .and_then(|&len| rest.split_at_checked(usize::from(len)))
                    .filter(|(option, _)| option.len() >= 2)
                else {
                    return false;
                };
                if kind == OPTION_ROUTER_ALERT {
                    return option.len() == ROUTER_ALERT.len();
                }
                rest = next;
            }
        }
    }
    false
}

/// The fixed part of all messages but a report of version 3.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IgmpHeader {
    kind: u8,
    max_response_code: u8,
    checksum: U16,
    group: [u8; 4],
}

/// An IGMP message whose checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IgmpMessage<'a> {
    /// Who listens?
    Query(IgmpQuery<'a>),
    /// In version 1: a host listens to this group.
    ReportV1(Ipv4Addr),
    /// In version 2: a host listens to this group.
    ReportV2(Ipv4Addr),
    /// In version 2: a host listens to this group no more.
    Leave(Ipv4Addr),
    /// In version 3: what a host listens to.
    ReportV3(GroupRecords<'a, Ipv4Addr>),
    /// A message of another type.
    Other(u8),
}

/// The version of a query (RFC 3376 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum IgmpQueryVersion {
    /// RFC 1112.
    V1 = 1,
    /// RFC 2236.
    V2 = 2,
    /// RFC 3376.
    V3 = 3,
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgmpQuery<'a> {
    /// Its version.
    pub version: IgmpQueryVersion,
    /// The group it is about; `None` for all of them, as in every query of version 1.
    pub group: Option<Ipv4Addr>,
    /// How long a host may wait before it answers: 10 s in version 1; zero asks for an answer at
    /// once.
    pub max_response: Duration,
    /// Routers are not to lower their timers. False before version 3.
    pub suppress: bool,
    /// The querier's robustness variable; 0 if it did not tell, as before version 3.
    pub robustness: u8,
    /// The querier's query interval; zero if it did not tell, as before version 3.
    pub interval: Duration,
    sources: Addresses<'a, Ipv4Addr>,
}

impl<'a> IgmpQuery<'a> {
    /// The sources it is about; none means all of them.
    pub fn sources(&self) -> Addresses<'a, Ipv4Addr> {
        self.sources.clone()
    }
}

/// Why bytes are not an IGMP message: the first rule they break, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum IgmpError {
    /// Shorter than a message.
    #[error("shorter than an IGMP message")]
    Truncated,
    /// The checksum is wrong.
    #[error("wrong IGMP checksum")]
    Checksum,
    /// A query of a length that no version has: 9 to 11 bytes.
    #[error("an IGMP query of a length that no version has")]
    QueryLength,
    /// The sources of a query end beyond it.
    #[error("the sources of an IGMP query end beyond it")]
    Sources,
    /// The records of a report end beyond it.
    #[error("the records of an IGMP report end beyond it")]
    Records,
    /// The group is not a multicast address.
    #[error("an IGMP message about an address that is not a group")]
    Group,
}

/// Verifies the checksum of the payload of an IPv4 packet and reads it. The time to live and the
/// options are the caller's to look at, see [`has_router_alert`].
///
/// # Errors
/// The first rule the message breaks, see [`IgmpError`]: it is to be dropped in silence.
pub fn parse_igmp(message: &[u8]) -> Result<IgmpMessage<'_>, IgmpError> {
    let Ok((header, rest)) = IgmpHeader::ref_from_prefix(message) else {
        return Err(IgmpError::Truncated);
    };
    if !checksum::sum(message).is_valid() {
        return Err(IgmpError::Checksum);
    }
    let group = || {
        let group = Ipv4Addr::from_octets(header.group);
        if group.is_multicast() {
            Ok(group)
        } else {
            Err(IgmpError::Group)
        }
    };
    Ok(match header.kind {
        IGMP_QUERY => IgmpMessage::Query(parse_query(header, rest)?),
        IGMP_REPORT_V1 => IgmpMessage::ReportV1(group()?),
        IGMP_REPORT_V2 => IgmpMessage::ReportV2(group()?),
        IGMP_LEAVE => IgmpMessage::Leave(group()?),
        IGMP_REPORT_V3 => {
            let Ok((header, records)) = ReportHeader::ref_from_prefix(message) else {
                return Err(IgmpError::Truncated);
            };
            let records = GroupRecords::parse(records, header.records.get());
            IgmpMessage::ReportV3(records.ok_or(IgmpError::Records)?)
        }
        other => IgmpMessage::Other(other),
    })
}

fn parse_query<'a>(header: &IgmpHeader, rest: &'a [u8]) -> Result<IgmpQuery<'a>, IgmpError> {
    let code = header.max_response_code;
    let mut query = IgmpQuery {
        version: IgmpQueryVersion::V1,
        // Version 1 zeroes it when sent and ignores it when received.
        group: None,
        max_response: V1_MAX_RESPONSE,
        suppress: false,
        robustness: 0,
        interval: Duration::ZERO,
        sources: Addresses::EMPTY,
    };
    if rest.is_empty() && code == 0 {
        return Ok(query);
    }
    let units = if rest.is_empty() {
        query.version = IgmpQueryVersion::V2;
        u64::from(code)
    } else {
        let Ok((tail, rest)) = QueryTail::ref_from_prefix(rest) else {
            return Err(IgmpError::QueryLength);
        };
        // What is behind the sources is ignored (RFC 3376 section 4.1.10).
        let (sources, _) = Addresses::split(rest, tail.sources()).ok_or(IgmpError::Sources)?;
        query.version = IgmpQueryVersion::V3;
        query.suppress = tail.suppress();
        query.robustness = tail.robustness();
        query.interval = Duration::from_secs(tail.interval_s());
        query.sources = sources;
        decode_u8(code)
    };
    query.max_response = Duration::from_millis(units * RESPONSE_UNIT_MS);
    let group = Ipv4Addr::from_octets(header.group);
    if !group.is_unspecified() {
        if !group.is_multicast() {
            return Err(IgmpError::Group);
        }
        query.group = Some(group);
    }
    Ok(query)
}

/// The messages of hosts in versions 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum IgmpKind {
    /// A report of version 1, sent to the group.
    ReportV1 = IGMP_REPORT_V1,
    /// A report of version 2, sent to the group.
    ReportV2 = IGMP_REPORT_V2,
    /// A leave message, sent to [`ALL_ROUTERS`].
    Leave = IGMP_LEAVE,
}

/// Builds a frame with an IGMP message of version 1 or 2 about `group` at the front of `buffer` and
/// returns its length, 46. Its link destination is the one of the group `destination`.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter.
pub fn build_igmp(
    buffer: &mut [u8],
    source_mac: MacAddr,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    kind: IgmpKind,
    group: Ipv4Addr,
) -> Result<usize, NoRoom> {
    build(buffer, source_mac, source, destination, |cursor| {
        let header = IgmpHeader {
            kind: kind as u8,
            max_response_code: 0,
            checksum: U16::ZERO,
            group: group.octets(),
        };
        cursor.put(header.as_bytes());
    })
}

/// Builds a frame with a report of version 3 to [`IGMPV3_ROUTERS`] at the front of `buffer` and
/// returns its length: 46, and for each record 8 and 4 for each source.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the packet longer than 65,535 bytes.
pub fn build_igmp_v3_report(
    buffer: &mut [u8],
    source_mac: MacAddr,
    source: Ipv4Addr,
    records: &[GroupRecord<'_, Ipv4Addr>],
) -> Result<usize, NoRoom> {
    build(buffer, source_mac, source, IGMPV3_ROUTERS, |cursor| {
        put_report(cursor, IGMP_REPORT_V3, records);
    })
}

/// What to put into a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IgmpQuerySpec<'a> {
    /// The version; the first two have room for `group` and `max_response` alone, and the first one
    /// for nothing.
    pub version: IgmpQueryVersion,
    /// The group it is about, if not all of them.
    pub group: Option<Ipv4Addr>,
    /// How long a host may wait before it answers, rounded down to what has a code. In version 2 at
    /// least 0.1 s: a code of zero would make it version 1.
    pub max_response: Duration,
    /// Routers are not to lower their timers.
    pub suppress: bool,
    /// The robustness variable; above 7 it is not told.
    pub robustness: u8,
    /// The query interval, rounded down to what has a code.
    pub interval: Duration,
    /// The sources it is about, if not all of them.
    pub sources: &'a [Ipv4Addr],
}

/// Builds a frame with a query at the front of `buffer` and returns its length: 46, in version 3 4
/// more, and 4 for each source. Its link destination is the one of the group `destination`:
/// [`ALL_SYSTEMS`] or the group it is about.
///
/// # Errors
/// [`NoRoom`] if `buffer` is shorter, or the packet longer than 65,535 bytes.
pub fn build_igmp_query(
    buffer: &mut [u8],
    source_mac: MacAddr,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    spec: &IgmpQuerySpec<'_>,
) -> Result<usize, NoRoom> {
    let units = u64::try_from(spec.max_response.as_millis()).unwrap_or(u64::MAX) / RESPONSE_UNIT_MS;
    let (max_response_code, group) = match spec.version {
        IgmpQueryVersion::V1 => (0, None),
        IgmpQueryVersion::V2 => (u8::try_from(units).unwrap_or(u8::MAX).max(1), spec.group),
        IgmpQueryVersion::V3 => (encode_u8(units), spec.group),
    };
    build(buffer, source_mac, source, destination, |cursor| {
        let header = IgmpHeader {
            kind: IGMP_QUERY,
            max_response_code,
            checksum: U16::ZERO,
            group: group.unwrap_or(Ipv4Addr::UNSPECIFIED).octets(),
        };
        cursor.put(header.as_bytes());
        if spec.version == IgmpQueryVersion::V3 {
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
    source: Ipv4Addr,
    destination: Ipv4Addr,
    put: impl FnOnce(&mut Cursor<'_>),
) -> Result<usize, NoRoom> {
    assemble(
        buffer,
        OFFSET,
        |behind| {
            let mut cursor = Cursor::new(behind);
            put(&mut cursor);
            let message = cursor.finish(MAX_MESSAGE_LEN)?;
            set_checksum(message, Sum::ZERO);
            Ok(message.len())
        },
        |front, len| {
            let destination_mac = MacAddr::from_ipv4_multicast(destination);
            let ethernet = EthernetHeader::new(destination_mac, source_mac, EtherType::IPV4);
            let fields = Ipv4Fields {
                traffic_class: IGMP_TOS,
                ..Ipv4Fields::new(source, destination, IpProtocol::IGMP, IGMP_TTL)
            };
            ipv4_headers(front, &ethernet, &fields, ROUTER_ALERT.len() + len)?;
            add_router_alert(front.get_mut(ETHERNET_HEADER_LEN..).unwrap_or_default());
            Ok(())
        },
    )
}

/// Puts a router alert behind the fixed header of a packet, whose total length counts it already.
fn add_router_alert(packet: &mut [u8]) {
    if let Some(options) = packet.get_mut(IPV4_HEADER_LEN..HEADER_LEN) {
        options.copy_from_slice(&ROUTER_ALERT);
    }
    if let Some(header) = ipv4_header_mut(packet) {
        header.version_ihl = 0x40 | (HEADER_LEN / 4) as u8;
        header.checksum = U16::ZERO;
    }
    let sum = packet.get(..HEADER_LEN).map_or(Sum::ZERO, checksum::sum);
    if let Some(header) = ipv4_header_mut(packet) {
        header.checksum.set(sum.checksum());
    }
}

#[cfg(test)]
mod tests;
