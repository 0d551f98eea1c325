//! Laying out frames.

use std::net::IpAddr;

use corelane::engine::rss::{RssKey, Toeplitz, flow_hash};
use corelane::wire::build::{
    FrameSpec, IPV4_TRANSPORT_OFFSET, IPV6_TRANSPORT_OFFSET, Ports, build_echo_ipv4,
    build_echo_ipv6, build_ipv4, build_ipv6,
};
use corelane::wire::ipv4::{Fragmentation, Ipv4Fields};
use corelane::wire::ipv6::Ipv6Fields;
use corelane::wire::udp::{write_udp_ipv4, write_udp_ipv6};
use corelane::wire::{Echo, EchoKind, IpProtocol, MacAddr, NoRoom, TcpFlags, checksum};

use super::frame::{LONGEST, LaidOut, Line, Shape, Tail};
use super::signature::{SIGNATURE, Signature};
use super::size::{CHECK_SEQUENCE, size_on_wire};
use super::{Flow, LINE};
use crate::unit::{MAX_FRAME, Protocol};

/// The link address that generated frames come from: locally administered.
pub const SOURCE_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x01]);
/// The one that they go to, unless a device under test has its own; of who receives them.
pub const DESTINATION_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x02]);

const TTL: u8 = 64;
const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
const FRAGMENT_HEADER: usize = 8;
/// Two link addresses.
const MACS: usize = 12;
/// A VLAN tag, and what says that it is one (IEEE 802.1Q).
const TAG: usize = 4;
const TAGGED: [u8; 2] = [0x81, 0x00];

/// The most VLAN tags that a frame is given: IEEE 802.1Q has one, and 802.1ad another around it.
pub const MAX_TAGS: usize = 2;

/// Lays out frames.
pub struct FrameBuilder<'a> {
    tail: &'a Tail,
    tags: &'a [u16],
    signed: bool,
    stream: u8,
    destination_mac: MacAddr,
    /// Whether a frame that is too small for a signature is made larger.
    all_signed: bool,
    toeplitz: Toeplitz,
    scratch: Vec<u8>,
    payload: Vec<u8>,
    /// What the fragments of the next datagram are known by.
    identification: u16,
}

/// How a frame is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A version that there is not.
    Version,
    /// A packet longer than its frame.
    Length,
    /// The frame ends within the network header.
    Truncated,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Version, Self::Length, Self::Truncated];
}

impl<'a> FrameBuilder<'a> {
    /// One for frames with these VLAN tags, outermost first, and with signatures where they fit.
    pub fn new(tail: &'a Tail, tags: &'a [u16], signed: bool) -> Self {
        Self {
            tail,
            tags,
            signed,
            stream: 0,
            destination_mac: DESTINATION_MAC,
            all_signed: false,
            toeplitz: Toeplitz::new(&RssKey::default()),
            scratch: Vec::new(),
            payload: Vec::new(),
            identification: 0,
        }
    }

    /// For frames of this stream, below [`STREAMS`](super::STREAMS).
    pub fn of_stream(self, stream: u8) -> Self {
        Self { stream, ..self }
    }

    /// For a device under test with this link address, all that is whole with a signature, TCP segments and echo
    /// requests too, and larger for it if they have to be: it is all that they are known by when they come back.
    pub fn to_device(mut self, mac: MacAddr) -> Self {
        self.destination_mac = mac;
        self.all_signed = true;
        self
    }

    fn tags_len(&self) -> usize {
        TAG * self.tags.len()
    }

    /// The length in memory of a frame for which `requested` bytes were asked, check sequence included,
    /// and whose headers and least payload are `least` bytes.
    fn len(&self, requested: u16, is_v6: bool, least: usize) -> usize {
        let asked = size_on_wire(requested, is_v6).min(MAX_FRAME) - CHECK_SEQUENCE;
        usize::from(asked).max(least + self.tags_len()).min(LONGEST)
    }

    /// Lays out a frame of `flow` to `destination` for which `requested` bytes were asked, check sequence
    /// included; the datagram of [`Protocol::Fragments`] is two.
    pub fn lay_out(
        &mut self,
        protocol: Protocol,
        flow: &Flow,
        destination: IpAddr,
        requested: u16,
        out: &mut Vec<LaidOut>,
    ) {
        let header = match protocol {
            Protocol::Udp | Protocol::IcmpEcho => UDP_HEADER,
            Protocol::TcpSyn => TCP_HEADER,
            Protocol::Fragments => return self.fragments(flow, destination, requested, out),
        };
        let at = network_end(destination) + header;
        let least = at + if self.all_signed { SIGNATURE } else { 0 };
        let len = self.len(requested, destination.is_ipv6(), least);
        let data_at = at + self.tags_len();
        let data = self.tail.between(data_at, len);
        let is_signed = match protocol {
            Protocol::Udp => self.signed && data.len() >= SIGNATURE,
            _ => self.all_signed,
        };
        self.payload.clear();
        if is_signed {
            // What is hashed is known before the frame is.
            let number = 0;
            let hash = match protocol {
                Protocol::IcmpEcho => self.address_hash(flow, destination),
                _ => self.tuple_hash(flow, destination),
            };
            let stream = self.stream;
            let signature = Signature {
                number,
                hash,
                stream,
            };
            self.payload.extend(signature.bytes());
        }
        let signed = self.payload.len();
        self.payload
            .extend_from_slice(data.get(signed..).unwrap_or_default());
        let written = match protocol {
            Protocol::IcmpEcho => self.icmp_echo(flow, destination),
            Protocol::TcpSyn => {
                tcp_syn(&mut self.payload, flow, destination);
                self.packet(flow, destination, IpProtocol::TCP, Whole::Yes)
            }
            _ => {
                udp_datagram(&mut self.payload, flow, destination);
                self.packet(flow, destination, IpProtocol::UDP, Whole::Yes)
            }
        };
        let signature = if is_signed { data_at } else { 0 };
        self.finish(written, len, at, signature, out);
    }

    /// Puts an echo request with the payload as its data into a frame, at the front of the scratch.
    fn icmp_echo(&mut self, flow: &Flow, destination: IpAddr) -> Result<usize, NoRoom> {
        let echo = Echo {
            kind: EchoKind::Request,
            identifier: flow.source_port,
            sequence: flow.destination_port,
            data: &self.payload,
        };
        self.scratch.resize(LONGEST.max(LINE), 0);
        let (buffer, to_mac) = (&mut self.scratch[..], self.destination_mac);
        match destination {
            IpAddr::V4(to) => build_echo_ipv4(buffer, &spec(flow.source_v4, to, to_mac), &echo),
            IpAddr::V6(to) => build_echo_ipv6(buffer, &spec(flow.source_v6, to, to_mac), &echo),
        }
    }

    /// A datagram in two fragments, in frames of the size asked for: the first, which ends at a multiple of eight
    /// bytes, with up to seven of padding behind it.
    fn fragments(
        &mut self,
        flow: &Flow,
        destination: IpAddr,
        requested: u16,
        out: &mut Vec<LaidOut>,
    ) {
        let is_v6 = destination.is_ipv6();
        let at = network_end(destination) + if is_v6 { FRAGMENT_HEADER } else { 0 };
        let shift = self.tags_len();
        let len = self.len(requested, is_v6, at + 2 * UDP_HEADER);
        let room = len - at - shift;
        let first = room / 8 * 8;
        // The payload of each fragment is the tail at its own place.
        self.payload.clear();
        self.payload.extend_from_slice(
            self.tail
                .between(at + shift + UDP_HEADER, at + shift + first),
        );
        self.payload
            .extend_from_slice(self.tail.between(at + shift, len));
        udp_datagram(&mut self.payload, flow, destination);
        let datagram = std::mem::take(&mut self.payload);
        self.identification = self.identification.wrapping_add(1);
        for (range, more) in [(0..first, true), (first..datagram.len(), false)] {
            let offset = (range.start / 8) as u16;
            let part = Whole::No { offset, more };
            if is_v6 {
                // RFC 8200 section 4.5.
                let [a, b] = (offset << 3 | u16::from(more)).to_be_bytes();
                let [c, d] = self.identification.to_be_bytes();
                let header = [IpProtocol::UDP.0, 0, a, b, 0, 0, c, d];
                self.payload.extend_from_slice(&header);
            }
            self.payload
                .extend_from_slice(datagram.get(range).unwrap_or_default());
            let protocol = if is_v6 {
                IpProtocol::IPV6_FRAGMENT
            } else {
                IpProtocol::UDP
            };
            let written = self.packet(flow, destination, protocol, part);
            self.payload.clear();
            self.finish(written, len, at + UDP_HEADER, 0, out);
        }
    }

    /// Puts the payload into a packet and that into a frame, at the front of the scratch.
    fn packet(
        &mut self,
        flow: &Flow,
        destination: IpAddr,
        protocol: IpProtocol,
        whole: Whole,
    ) -> Result<usize, NoRoom> {
        self.scratch.resize(LONGEST.max(LINE), 0);
        let (buffer, payload) = (&mut self.scratch[..], &self.payload[..]);
        let to_mac = self.destination_mac;
        match destination {
            IpAddr::V4(to) => {
                let mut fields = Ipv4Fields::new(flow.source_v4, to, protocol, TTL);
                if let Whole::No { offset, more } = whole {
                    fields.fragmentation = Fragmentation::Fragment { offset, more };
                    fields.identification = self.identification;
                }
                build_ipv4(buffer, SOURCE_MAC, to_mac, &fields, payload)
            }
            IpAddr::V6(to) => {
                let fields = Ipv6Fields::new(flow.source_v6, to, protocol, TTL);
                build_ipv6(buffer, SOURCE_MAC, to_mac, &fields, payload)
            }
        }
    }

    /// Takes the frame from the scratch, with the tags put in and padding up to `len` bytes. Without the tags, what is
    /// behind `head` bytes is the tail's, padding too.
    fn finish(
        &mut self,
        written: Result<usize, NoRoom>,
        len: usize,
        head: usize,
        signature: usize,
        out: &mut Vec<LaidOut>,
    ) {
        let untagged = len - self.tags_len();
        debug_assert!(
            written.as_ref().is_ok_and(|written| *written <= untagged),
            "the scratch holds the longest frame"
        );
        self.scratch.truncate(untagged);
        let padding = written.ok().and_then(|end| self.scratch.get_mut(end..));
        padding.unwrap_or_default().fill(0);
        let tags = self.tags.iter().flat_map(|tag| {
            let [a, b] = tag.to_be_bytes();
            [TAGGED[0], TAGGED[1], a, b]
        });
        self.scratch.splice(MACS..MACS, tags);
        let hash = flow_hash(&self.toeplitz, &self.scratch);
        let version = self.scratch.get(14 + self.tags_len());
        let is_v6 = version.is_some_and(|byte| byte >> 4 == 6);
        self.scratch.resize(LONGEST.max(LINE), 0);
        let line = self.scratch.first_chunk().copied().unwrap_or([0; LINE]);
        let second = self.scratch.get(LINE..).and_then(|rest| rest.first_chunk());
        out.push(LaidOut {
            line: Line(line),
            second: second
                .filter(|_| head + self.tags_len() > LINE)
                .map(|bytes| Line(*bytes)),
            shape: Shape {
                len: len as u16,
                signature: signature as u16,
                hash,
                is_v6,
                second: 0,
            },
        });
    }

    fn tuple_hash(&self, flow: &Flow, destination: IpAddr) -> u32 {
        let (from, to) = (flow.source_port, flow.destination_port);
        match destination {
            IpAddr::V4(destination) => {
                self.toeplitz
                    .hash_v4_ports(flow.source_v4, destination, from, to)
            }
            IpAddr::V6(destination) => {
                self.toeplitz
                    .hash_v6_ports(flow.source_v6, destination, from, to)
            }
        }
    }

    fn address_hash(&self, flow: &Flow, destination: IpAddr) -> u32 {
        match destination {
            IpAddr::V4(destination) => self.toeplitz.hash_v4_addrs(flow.source_v4, destination),
            IpAddr::V6(destination) => self.toeplitz.hash_v6_addrs(flow.source_v6, destination),
        }
    }

    /// Makes a frame malformed: every device has to drop it.
    pub fn spoil(&self, frame: &mut LaidOut, defect: Defect) {
        let at = 14 + self.tags_len();
        match defect {
            Defect::Version => {
                if let Some(byte) = frame.line.0.get_mut(at) {
                    *byte |= 0xf0;
                }
            }
            Defect::Length => {
                let length_at = at + if frame.shape.is_v6 { 4 } else { 2 };
                if let Some(length) = frame.line.0.get_mut(length_at..length_at + 2) {
                    length.copy_from_slice(&u16::MAX.to_be_bytes());
                }
            }
            Defect::Truncated => frame.shape.len = (at + 10) as u16,
        }
        frame.shape.signature = 0;
        let front = usize::from(frame.shape.len).min(LINE);
        let front = frame.line.0.get(..front).unwrap_or_default();
        frame.shape.hash = flow_hash(&self.toeplitz, front);
    }
}

/// Whether a packet is a whole datagram.
#[derive(Clone, Copy)]
enum Whole {
    Yes,
    No { offset: u16, more: bool },
}

fn network_end(destination: IpAddr) -> usize {
    match destination {
        IpAddr::V4(_) => IPV4_TRANSPORT_OFFSET,
        IpAddr::V6(_) => IPV6_TRANSPORT_OFFSET,
    }
}

fn spec<A>(source: A, destination: A, destination_mac: MacAddr) -> FrameSpec<A> {
    FrameSpec {
        source_mac: SOURCE_MAC,
        destination_mac,
        source,
        destination,
        ttl: TTL,
    }
}

/// Puts a UDP header in front of a payload.
fn udp_datagram(payload: &mut Vec<u8>, flow: &Flow, destination: IpAddr) {
    let ports = Ports {
        source: flow.source_port,
        destination: flow.destination_port,
    };
    let data = std::mem::take(payload);
    payload.resize(UDP_HEADER + data.len(), 0);
    let written = match destination {
        IpAddr::V4(to) => write_udp_ipv4(payload, flow.source_v4, to, ports, &data),
        IpAddr::V6(to) => write_udp_ipv6(payload, flow.source_v6, to, ports, &data),
    };
    debug_assert!(written.is_ok());
}

/// Puts the header of the opening segment of a connection (RFC 9293) in front of data.
fn tcp_syn(segment: &mut Vec<u8>, flow: &Flow, destination: IpAddr) {
    let data = std::mem::take(segment);
    segment.extend(flow.source_port.to_be_bytes());
    segment.extend(flow.destination_port.to_be_bytes());
    // Sequence number, acknowledgement, header length, flags, window, checksum, urgent pointer.
    let flags = TcpFlags::SYN.0;
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend_from_slice(&data);
    let len = segment.len();
    let pseudo_header = match destination {
        IpAddr::V4(to) => {
            checksum::pseudo_header_ipv4(flow.source_v4, to, IpProtocol::TCP, len as u16)
        }
        IpAddr::V6(to) => {
            checksum::pseudo_header_ipv6(flow.source_v6, to, IpProtocol::TCP, len as u32)
        }
    };
    let sum = (pseudo_header + checksum::sum(segment)).checksum();
    if let Some(field) = segment.get_mut(16..18) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}
