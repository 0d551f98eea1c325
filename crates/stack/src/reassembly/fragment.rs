//! One fragment: where its parts are, and which datagram it is a part of.

use std::ops::Range;

use corelane_frame::Frame;
use corelane_wire::ipv6::{IPV6_FRAGMENT_HEADER_LEN, Ipv6FragmentHeader};
use corelane_wire::{
    IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol, Ipv4Header, Ipv6Header, ipv4, ipv6,
};
use zerocopy::FromBytes;

use super::header_chain;
use super::outcome::{Outcome, ParameterProblem, ReassemblyDrop};
use crate::address::{Family, Key};

/// The longest packet, in bytes: IPv4's with its header, IPv6's without.
pub(super) const MAX_PACKET: usize = u16::MAX as usize;

/// Where the payload length stands in an IPv6 header.
const PAYLOAD_LENGTH_AT: u32 = 4;
/// Where the offset stands in a fragment header.
const OFFSET_AT: usize = 2;

/// Where the headers of a fragment are, in bytes from the start of the frame's data. The network
/// header has been checked by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentPlace {
    /// An IPv4 packet.
    V4 {
        /// Where its header is.
        network: usize,
    },
    /// An IPv6 packet.
    V6 {
        /// Where its header is.
        network: usize,
        /// Where the fragment header is: behind the IPv6 header, or behind hop-by-hop options,
        /// routing header and such.
        header: usize,
        /// Where the next-header field is that announces it: in the IPv6 header, or in the extension
        /// header in front.
        announced: usize,
    },
}

impl FragmentPlace {
    /// Bytes that count for the length field of the whole besides the payload, where the headers of
    /// the first fragment end at `headers`.
    pub(super) fn overhead(self, headers: usize) -> usize {
        match self {
            Self::V4 { network } => headers.saturating_sub(network),
            Self::V6 {
                network, header, ..
            } => header.saturating_sub(network + IPV6_HEADER_LEN),
        }
    }
}

/// Which datagram a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DatagramKey {
    source: Key,
    destination: Key,
    identification: u32,
    pub(super) nic: u16,
    /// For IPv6 it is not of the key (RFC 8200 section 4.5): zero.
    protocol: u8,
    pub(super) family: Family,
}

impl DatagramKey {
    /// That of a place without a datagram.
    pub(super) const NONE: Self = Self {
        source: Key::v6(0),
        destination: Key::v6(0),
        identification: 0,
        nic: 0,
        protocol: 0,
        family: Family::V6,
    };
}

/// A fragment that was parsed.
pub(super) struct Fragment<'a> {
    pub(super) place: FragmentPlace,
    /// The frame up to the payload.
    pub(super) headers: &'a [u8],
    /// What it carries.
    pub(super) payload: &'a [u8],
    /// Where that belongs, in bytes.
    pub(super) offset: usize,
    /// Whether parts behind it exist.
    pub(super) more: bool,
    /// What the datagram carries.
    pub(super) protocol: IpProtocol,
    pub(super) traffic_class: u8,
    source: Key,
    destination: Key,
    identification: u32,
}

impl<'a> Fragment<'a> {
    /// None if the frame is shorter than its headers say.
    pub(super) fn parse(data: &'a [u8], place: FragmentPlace) -> Option<Self> {
        match place {
            FragmentPlace::V4 { network } => Self::parse_ipv4(data, place, network),
            FragmentPlace::V6 {
                network,
                header,
                announced,
            } => {
                let is_in_front =
                    announced < header && network.saturating_add(IPV6_HEADER_LEN) <= header;
                is_in_front.then(|| Self::parse_ipv6(data, place, network, header))?
            }
        }
    }

    fn parse_ipv4(data: &'a [u8], place: FragmentPlace, network: usize) -> Option<Self> {
        let packet = data.get(network..)?;
        let (header, _) = Ipv4Header::ref_from_prefix(packet).ok()?;
        let header_len = header.header_len().max(IPV4_HEADER_LEN);
        let end = usize::from(header.total_length.get());
        let (headers, payload) = split(data, network + header_len..network + end)?;
        Some(Self {
            place,
            headers,
            payload,
            offset: header.fragment_offset(),
            more: header.more_fragments(),
            protocol: header.protocol,
            traffic_class: header.traffic_class,
            source: Key::v4(header.source().to_bits()),
            destination: Key::v4(header.destination().to_bits()),
            identification: header.identification.get().into(),
        })
    }

    fn parse_ipv6(data: &'a [u8], place: FragmentPlace, network: usize, at: usize) -> Option<Self> {
        let (header, _) = Ipv6Header::ref_from_prefix(data.get(network..)?).ok()?;
        let (fragment, _) = Ipv6FragmentHeader::ref_from_prefix(data.get(at..)?).ok()?;
        let end = network + IPV6_HEADER_LEN + usize::from(header.payload_length.get());
        let (headers, payload) = split(data, at + IPV6_FRAGMENT_HEADER_LEN..end)?;
        Some(Self {
            place,
            headers,
            payload,
            offset: fragment.fragment_offset(),
            more: fragment.more_fragments(),
            protocol: fragment.next_header,
            traffic_class: header.traffic_class(),
            source: Key::v6(header.source().to_bits()),
            destination: Key::v6(header.destination().to_bits()),
            identification: fragment.identification.get(),
        })
    }

    pub(super) fn key(&self, nic: u16) -> DatagramKey {
        let family = self.family();
        DatagramKey {
            source: self.source,
            destination: self.destination,
            identification: self.identification,
            nic,
            protocol: match family {
                Family::V4 => self.protocol.0,
                Family::V6 => 0,
            },
            family,
        }
    }

    /// Whether it is a datagram by itself (RFC 6946).
    pub(super) fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// Where its payload ends in the datagram, in bytes.
    pub(super) fn end(&self) -> usize {
        self.offset + self.payload.len()
    }

    /// The rules that a fragment breaks by itself: it goes, and its datagram is none the worse for
    /// it.
    pub(super) fn check(&self, max_size: usize) -> Result<(), Outcome> {
        if self.payload.is_empty() {
            return Err(Outcome::Dropped(ReassemblyDrop::Empty));
        }
        if self.more && !self.payload.len().is_multiple_of(8) {
            return Err(self.problem(PAYLOAD_LENGTH_AT, ReassemblyDrop::Unaligned));
        }
        let overhead = self.place.overhead(self.headers.len());
        let whole = overhead + self.end();
        if whole > MAX_PACKET {
            let pointer = IPV6_HEADER_LEN + overhead + OFFSET_AT;
            return Err(self.problem(pointer as u32, ReassemblyDrop::TooLong));
        }
        if whole > max_size {
            return Err(Outcome::Dropped(ReassemblyDrop::OverLimit));
        }
        if self.family() == Family::V6
            && self.offset == 0
            && !header_chain::is_complete(self.protocol, self.payload)
        {
            let problem = ParameterProblem {
                code: 3,
                pointer: 0,
            };
            return Err(Outcome::ParameterProblem(problem));
        }
        Ok(())
    }

    /// An erroneous header field. IPv6 has its senders told of it (RFC 8200 section 4.5); for IPv4
    /// it is a drop.
    fn problem(&self, pointer: u32, reason: ReassemblyDrop) -> Outcome {
        match self.family() {
            Family::V4 => Outcome::Dropped(reason),
            Family::V6 => Outcome::ParameterProblem(ParameterProblem { code: 0, pointer }),
        }
    }

    fn family(&self) -> Family {
        match self.place {
            FragmentPlace::V4 { .. } => Family::V4,
            FragmentPlace::V6 { .. } => Family::V6,
        }
    }
}

/// Splits a frame in front of its payload and cuts what follows that.
fn split(data: &[u8], payload: Range<usize>) -> Option<(&[u8], &[u8])> {
    data.get(..payload.end)?.split_at_checked(payload.start)
}

/// Makes the frame of an atomic fragment the datagram that it is. Padding of the link is cut as of
/// the others. None if the frame is shorter than its headers.
pub(super) fn unwrap_atomic(frame: &mut Frame, place: FragmentPlace) -> Option<()> {
    let fragment = Fragment::parse(frame.data(), place)?;
    let (protocol, traffic_class) = (fragment.protocol, fragment.traffic_class);
    let end = fragment.headers.len() + fragment.payload.len();
    frame.truncate(end);
    make_whole(frame, place, protocol, traffic_class)
}

/// Puts the headers of a first fragment right, behind which the whole payload now stands. None if
/// the frame is shorter than its headers, or longer than their length fields can say.
pub(super) fn make_whole(
    frame: &mut Frame,
    place: FragmentPlace,
    protocol: IpProtocol,
    traffic_class: u8,
) -> Option<()> {
    match place {
        FragmentPlace::V4 { network } => {
            let packet = frame.data_mut().get_mut(network..)?;
            let total_length = u16::try_from(packet.len()).ok()?;
            let header = ipv4::ipv4_header_mut(packet)?;
            let header_len = header.header_len();
            header.total_length.set(total_length);
            header.flags_offset.set(0);
            header.traffic_class = traffic_class;
            header.checksum.set(0);
            let checksum = corelane_wire::checksum::sum(packet.get(..header_len)?).checksum();
            ipv4::ipv4_header_mut(packet)?.checksum.set(checksum);
        }
        FragmentPlace::V6 {
            network,
            header,
            announced,
        } => {
            let data = frame.data_mut();
            *data.get_mut(announced)? = protocol.0;
            // What stands in front moves up over the fragment header.
            let front = data.get_mut(..header + IPV6_FRAGMENT_HEADER_LEN)?;
            front.copy_within(..header, IPV6_FRAGMENT_HEADER_LEN);
            frame.pull_front(IPV6_FRAGMENT_HEADER_LEN).ok()?;
            let packet = frame.data_mut().get_mut(network..)?;
            let payload_length = packet.len().checked_sub(IPV6_HEADER_LEN)?;
            let header = ipv6::ipv6_header_mut(packet)?;
            header
                .payload_length
                .set(u16::try_from(payload_length).ok()?);
            let rest = header.version_class_flow.get() & !(0xff << 20);
            header
                .version_class_flow
                .set(rest | u32::from(traffic_class) << 20);
        }
    }
    Some(())
}
