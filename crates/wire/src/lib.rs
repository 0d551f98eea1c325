//! Views of protocol headers in place, builders and checksums.
//!
//! A *view* is a reference to a header inside the bytes of a frame: nothing is copied, and a field
//! is turned from network order when it is read. `parse_*` takes bytes of any kind and either
//! proves that they hold what the function's name says or returns an error that tells which rule
//! they break; no input makes it panic. `write_*` puts one header (and, for the protocols whose
//! checksum covers it, the payload) at the front of a buffer and returns how many bytes it wrote;
//! `build_*` of [`build`] does so for a whole Ethernet frame.
//!
//! There is no I/O and no allocation in this crate.
//!
//! ```
//! use corelane_wire::build::{FrameSpec, Ports, build_udp_ipv4};
//! use corelane_wire::{MacAddr, parse_ethernet, parse_ipv4, parse_udp};
//!
//! let spec = FrameSpec {
//!     source_mac: MacAddr([2, 0, 0, 0, 0, 1]),
//!     destination_mac: MacAddr([2, 0, 0, 0, 0, 2]),
//!     source: "198.18.0.1".parse()?,
//!     destination: "198.19.0.1".parse()?,
//!     ttl: 64,
//! };
//! let mut buffer = [0; 64];
//! let n = build_udp_ipv4(&mut buffer, &spec, Ports { source: 1024, destination: 7 }, b"hello")?;
//!
//! let frame = parse_ethernet(&buffer[..n])?;
//! let packet = parse_ipv4(frame.payload)?;
//! let datagram = parse_udp(packet.payload)?;
//! datagram.verify_checksum_ipv4(packet.source(), packet.destination())?;
//! assert_eq!(datagram.payload, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod arp;
pub mod build;
pub mod checksum;
mod cursor;
pub mod ethernet;
pub mod ethertype;
pub mod extension;
pub mod filter;
pub mod fragment;
pub mod hop_by_hop;
pub mod icmp_echo;
pub mod icmp_error;
pub mod icmpv4;
pub mod icmpv6;
pub mod igmp;
pub mod ipv4;
pub mod ipv4_options;
pub mod ipv6;
mod ipv6_option;
pub mod mac;
pub mod membership;
pub mod mld;
pub mod ndp;
pub mod offload;
pub mod protocol;
pub mod room;
pub mod segment;
pub mod tcp;
pub mod udp;

pub use arp::{ArpError, ArpMessage, ArpOperation, ArpPacket, parse_arp, parse_arp_message};
pub use ethernet::{
    ETHERNET_HEADER_LEN, EthernetError, EthernetFrame, EthernetHeader, parse_ethernet,
};
pub use ethertype::EtherType;
pub use extension::{ExtensionEnd, ExtensionError, ExtensionWalk, UpperLayer, skip_extensions};
pub use filter::PacketFilter;
pub use fragment::{Fragment, FragmentError};
pub use hop_by_hop::{HopByHop, HopByHopError, parse_hop_by_hop};
pub use icmp_echo::{Echo, EchoKind};
pub use icmp_error::{
    Icmpv4Problem, Icmpv6Problem, QuoteError, QuotedPacket, parse_icmp_error_ipv4,
    parse_icmp_error_ipv6,
};
pub use icmpv4::{Icmpv4Error, Icmpv4Message, parse_icmpv4};
pub use icmpv6::{Icmpv6Error, Icmpv6Message, parse_icmpv6};
pub use igmp::{IgmpError, IgmpMessage, IgmpQuery, parse_igmp};
pub use ipv4::{IPV4_HEADER_LEN, Ipv4Error, Ipv4Header, Ipv4Packet, parse_ipv4};
pub use ipv4_options::{Ipv4Option, Ipv4OptionKind, Ipv4OptionPolicy, Ipv4Options};
pub use ipv6::{IPV6_HEADER_LEN, Ipv6Error, Ipv6Header, Ipv6Packet, parse_ipv6};
pub use mac::{MacAddr, ParseMacError};
pub use membership::{GroupRecord, RecordKind};
pub use mld::{MldError, MldMessage, MldQuery, parse_mld};
pub use ndp::{NdpError, NdpMessage, parse_ndp, solicited_node};
pub use offload::{Offload, Offloads, PartialChecksum, SegmentKind, Segmentation};
pub use protocol::IpProtocol;
pub use room::NoRoom;
pub use segment::{SegmentError, SuperFrame};
pub use tcp::{TcpError, TcpFlags, TcpHeader, TcpSegment, parse_tcp};
pub use udp::{UDP_HEADER_LEN, UdpDatagram, UdpError, UdpHeader, parse_udp};
