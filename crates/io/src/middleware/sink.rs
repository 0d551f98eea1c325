//! What copies of frames end in.

use std::fmt::Write as _;
use std::io::{self, Write};

use corelane_wire::{EtherType, parse_arp, parse_ethernet, parse_ipv4, parse_ipv6};

use super::mirror::{Direction, MirrorCounts, Mirrored};
use crate::pcap::{Interface, InterfaceCounts, PcapngWriter};

/// Takes copies, on the thread of a [`Mirror`](super::Mirror).
pub trait FrameSink: Send {
    /// Takes a copy.
    ///
    /// # Errors
    /// It cannot: nothing more comes.
    fn frame(&mut self, frame: &Mirrored) -> io::Result<()>;

    /// Hands what it has on: nothing is waiting now.
    ///
    /// # Errors
    /// It cannot: nothing more comes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// There is no more.
    ///
    /// # Errors
    /// It cannot end as it should.
    fn end(&mut self, counts: MirrorCounts) -> io::Result<()>;
}

/// Writes pcapng, and at its end how many frames were lost.
pub struct PcapngSink<W: Write> {
    out: Option<W>,
    interface: Interface,
    writer: Option<PcapngWriter<W>>,
}

impl<W: Write + Send> PcapngSink<W> {
    /// To `out`, which should buffer.
    pub fn new(out: W, interface: Interface) -> Self {
        Self {
            out: Some(out),
            interface,
            writer: None,
        }
    }

    /// The headers are written with the first frame, whose time the file begins with.
    fn writer(&mut self, time_ns: u64) -> io::Result<&mut PcapngWriter<W>> {
        if let Some(out) = self.out.take() {
            self.writer = Some(PcapngWriter::new(out, &self.interface, time_ns)?);
        }
        let failed = || io::Error::other("the headers could not be written");
        self.writer.as_mut().ok_or_else(failed)
    }
}

impl<W: Write + Send> FrameSink for PcapngSink<W> {
    fn frame(&mut self, frame: &Mirrored) -> io::Result<()> {
        let (time, direction) = (frame.time_ns, frame.direction);
        self.writer(time)?
            .write(time, direction, frame.data(), frame.original_len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), PcapngWriter::flush)
    }

    fn end(&mut self, counts: MirrorCounts) -> io::Result<()> {
        self.writer(0)?;
        let counts = InterfaceCounts {
            seen: counts.seen,
            lost: counts.lost,
        };
        let writer = self.writer.take();
        writer.map_or(Ok(()), |writer| writer.finish(counts).map(drop))
    }
}

/// Writes a line for each frame: time, link, direction, length, and what the frame is.
pub struct TextSink<W> {
    out: W,
    link: String,
    describe: fn(&[u8]) -> String,
}

impl<W: Write + Send> TextSink<W> {
    /// To `out`, of the link of this name; `describe` says what a frame is, as [`summary`] does.
    pub fn new(out: W, link: impl Into<String>, describe: fn(&[u8]) -> String) -> Self {
        let link = link.into();
        Self {
            out,
            link,
            describe,
        }
    }
}

impl<W: Write + Send> FrameSink for TextSink<W> {
    fn frame(&mut self, frame: &Mirrored) -> io::Result<()> {
        let (seconds, nanos) = (frame.time_ns / 1_000_000_000, frame.time_ns % 1_000_000_000);
        let direction = match frame.direction {
            Direction::Inbound => "receives",
            Direction::Outbound => "sends",
        };
        writeln!(
            self.out,
            "{seconds}.{nanos:09} {} {direction} {} bytes {}",
            self.link,
            frame.original_len,
            (self.describe)(frame.data())
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn end(&mut self, counts: MirrorCounts) -> io::Result<()> {
        if counts.lost > 0 {
            let (lost, seen) = (counts.lost, counts.seen);
            writeln!(
                self.out,
                "{}: {lost} of {seen} frames are missing here",
                self.link
            )?;
        }
        self.out.flush()
    }
}

/// A frame in a few words: `02:00:00:00:00:09 > 02:00:00:00:00:01 192.0.2.9 > 192.0.2.1 UDP`.
pub fn summary(frame: &[u8]) -> String {
    let Ok(ethernet) = parse_ethernet(frame) else {
        return "too short for a header".to_owned();
    };
    let header = ethernet.header;
    let mut text = format!("{} > {}", header.source, header.destination);
    // Writing to a String does not fail.
    let _ = match header.ethertype() {
        EtherType::IPV4 => match parse_ipv4(ethernet.payload) {
            Ok(packet) => write!(
                text,
                " {} > {} {}",
                packet.source(),
                packet.destination(),
                packet.protocol()
            ),
            Err(error) => write!(text, " IPv4: {error}"),
        },
        EtherType::IPV6 => match parse_ipv6(ethernet.payload) {
            Ok(packet) => write!(
                text,
                " {} > {} {}",
                packet.source(),
                packet.destination(),
                packet.next_header()
            ),
            Err(error) => write!(text, " IPv6: {error}"),
        },
        EtherType::ARP => match parse_arp(ethernet.payload) {
            Ok(arp) => write!(text, " ARP {} > {}", arp.sender_ip(), arp.target_ip()),
            Err(error) => write!(text, " ARP: {error}"),
        },
        other => write!(text, " {other}"),
    };
    text
}
