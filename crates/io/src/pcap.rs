//! Capture files: [`Capture`] reads pcap and pcapng, [`PcapWriter`] writes pcap, [`PcapngWriter`]
//! pcapng, and [`PcapLink`] makes a link of captures.
//!
//! # What is read
//!
//! | | |
//! |---|---|
//! | pcap | version 2.4, both byte orders, microseconds and nanoseconds |
//! | pcapng | version 1, both byte orders, several sections and interfaces, decimal and binary time resolutions, time offsets; enhanced, simple and (obsolete) packet blocks; blocks of any other type are stepped over |
//! | link types | Ethernet (1), raw IP (12, 14, 101), raw IPv4 (228), raw IPv6 (229), BSD loopback (0, 108), Linux cooked v1 (113) and v2 (276) |
//!
//! The engine sees Ethernet only, so a packet of another link type gets an Ethernet header in the
//! place of its own: the destination address is zero, the source address is the one in a Linux
//! cooked header if it is six bytes long and zero otherwise, and the EtherType comes from the
//! cooked header's protocol, the loopback header's address family or the IP version.
//!
//! # What is refused
//!
//! [`Capture::open`] answers with a [`PcapError`] that names the file: one that cannot be read, is
//! empty, is no capture (the error says what it looks like, a compressed file for example), is
//! larger than [`MAX_FILE`], has a version not in the table, or has a link type not in the table. A
//! pcapng file may *declare* interfaces of other link types (a capture on all interfaces does), as
//! long as one interface is supported and no packet was captured on an unsupported one.
//!
//! # What is not delivered, or not whole
//!
//! A file that breaks off, or makes no sense from some point on, gives the packets before that
//! point, and [`Capture::end`] says [`PcapEnd::Truncated`], where and why. [`CaptureCounts`] counts
//! the packets that cannot be made Ethernet frames of. A packet that the snap length cut short is
//! delivered as it is, and counted: its receiver decides. Trailers and frame check sequences stay at
//! the end of their frame. Time stamps are taken as they are, also where they run backwards
//! (counted) or where a damaged one says more than a second's worth of microseconds.
//!
//! # Why pcap-parser reads
//!
//! Two crates were run over 636 real and deliberately broken captures. The typed reader of
//! pcap-file 2.0 gives up on 184 of them, because it treats as errors what real files hold:
//! packets longer than the snap length (which is every cut packet), or a microsecond field out of
//! range; and its pcapng reader cannot read an interface block with a time zone or with text that
//! is not UTF-8. The parsing functions of pcap-parser 0.17 read all 636 and leave judging to the
//! caller. (So does pcap-file's untyped pcap reader, but its pcapng counterpart is not untyped.) Of
//! pcap-parser, four things are not used here because they are wrong in that version: its slice
//! iterator reads big-endian files as little-endian and repeats an error for ever, its time
//! resolution refuses every power of two, its time offset is little-endian always, and its block
//! parser gives up over a malformed block that could be stepped over. What pcapng is written here
//! goes through pcap-file: writing is where it has no fault but one, which [`PcapngWriter`] mends.

mod capture;
mod error;
mod framing;
mod legacy;
mod link;
mod link_type;
mod load;
mod ng;
mod ng_writer;
mod writer;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use capture::{Capture, CaptureCounts, Format, MAX_FILE, Packet};
pub use error::{PcapBreak, PcapEnd, PcapError};
pub use framing::LinkKind;
pub use link::{PcapCounters, PcapLink, PcapTx};
pub use link_type::LinkType;
pub use ng_writer::{FrameDirection, Interface, InterfaceCounts, PcapngWriter};
pub use writer::{PcapWriteError, PcapWriter};
