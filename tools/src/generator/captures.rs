//! Captures as the traffic.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use corelane::frame::{Frame, MAX_SLOT_SIZE};
use corelane::io::pcap::{Capture, Packet};
use corelane::wire::{EtherType, MacAddr, parse_ethernet, parse_ipv4, parse_ipv6};

use super::Source;

/// The packets of one or more captures, one file after the other.
pub struct CaptureSet {
    captures: Vec<Capture>,
    places: Vec<Place>,
    too_large: u64,
    too_short: u64,
    longest: usize,
}

/// Bytes of an Ethernet header, without which no link takes a frame.
const ETHERNET: usize = 14;

#[derive(Clone, Copy)]
struct Place {
    capture: u32,
    packet: u32,
}

impl CaptureSet {
    /// The packets of these captures that fit behind `headroom` bytes in the largest slot there is.
    pub fn new(captures: Vec<Capture>, headroom: usize) -> Self {
        Self::within(captures, 0..=MAX_SLOT_SIZE.saturating_sub(headroom))
    }

    /// The packets of these captures that links take: frames, of `room` bytes at most.
    pub fn of_links(captures: Vec<Capture>, room: usize) -> Self {
        Self::within(captures, ETHERNET..=room)
    }

    fn within(captures: Vec<Capture>, lengths: RangeInclusive<usize>) -> Self {
        let mut places = Vec::new();
        let (mut too_large, mut too_short, mut longest) = (0, 0, 0);
        for (capture, packets) in captures.iter().enumerate() {
            for (packet, bytes) in packets.packets().enumerate() {
                if bytes.len() > *lengths.end() {
                    too_large += 1;
                } else if bytes.len() < *lengths.start() {
                    too_short += 1;
                } else {
                    longest = longest.max(bytes.len());
                    places.push(Place {
                        capture: capture as u32,
                        packet: packet as u32,
                    });
                }
            }
        }
        Self {
            captures,
            places,
            too_large,
            too_short,
            longest,
        }
    }

    /// The captures.
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// Packets that can be sent.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Packets that there is no room for.
    pub fn too_large(&self) -> u64 {
        self.too_large
    }

    /// Packets that are no frames.
    pub fn too_short(&self) -> u64 {
        self.too_short
    }

    /// The length of the longest packet that can be sent, as a frame, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The mean length of the packets that can be sent, as frames, in bytes.
    pub fn mean_len(&self) -> f64 {
        let bytes: u64 = self.packets().map(|packet| packet.len() as u64).sum();
        bytes as f64 / self.places.len().max(1) as f64
    }

    /// The time of each packet in nanoseconds since the first one, and the time from the start of
    /// one round to the next. Each file starts where the one before ended, the mean gap of that one
    /// later; so does a round.
    pub fn times(&self) -> (Vec<u64>, u64) {
        let mut times = Vec::with_capacity(self.places.len());
        let mut start = 0u64;
        let mut latest = 0u64;
        let mut of = None;
        let mut in_file = 0u64;
        let after = |start: u64, latest: u64, n: u64| {
            latest.saturating_add(
                (latest - start)
                    .checked_div(n.saturating_sub(1))
                    .unwrap_or(0),
            )
        };
        for (place, packet) in self.places.iter().zip(self.packets()) {
            if of != Some(place.capture) {
                start = after(start, latest, in_file);
                latest = start;
                in_file = 0;
                of = Some(place.capture);
            }
            latest = latest.max(start.saturating_add(packet.offset_ns()));
            in_file += 1;
            times.push(latest);
        }
        (times, after(start, latest, in_file))
    }

    /// The unicast addresses that well-formed packets are sent to, each once, in order.
    pub fn destinations(&self) -> BTreeSet<IpAddr> {
        let frames = self.frames();
        let destinations = frames.filter_map(|frame| destination(&frame));
        destinations.filter(is_unicast).collect()
    }

    /// The frames that can be sent.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> {
        self.packets().map(|packet| {
            let header = packet.substitute_header();
            let header = header.as_ref().map_or(&[][..], |header| header);
            [header, packet.payload()].concat()
        })
    }

    fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        self.places.iter().filter_map(|&place| self.packet(place))
    }

    #[inline]
    fn packet(&self, place: Place) -> Option<Packet<'_>> {
        self.captures
            .get(place.capture as usize)?
            .get(place.packet as usize)
    }
}

fn destination(frame: &[u8]) -> Option<IpAddr> {
    let ethernet = parse_ethernet(frame).ok()?;
    match ethernet.header.ethertype() {
        EtherType::IPV4 => Some(parse_ipv4(ethernet.payload).ok()?.destination().into()),
        EtherType::IPV6 => Some(parse_ipv6(ethernet.payload).ok()?.destination().into()),
        _ => None,
    }
}

fn is_unicast(address: &IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(broadcast || address.is_multicast() || address.is_unspecified())
}

/// Fills frames with the packets of captures, over and over.
pub struct CaptureFrames {
    set: Arc<CaptureSet>,
    at: usize,
    /// Destination and source, in place of those in the capture.
    addresses: Option<(MacAddr, MacAddr)>,
}

impl CaptureFrames {
    /// From the first packet on.
    pub fn new(set: Arc<CaptureSet>) -> Self {
        Self {
            set,
            at: 0,
            addresses: None,
        }
    }

    /// Likewise, to a link address and from another, whatever those in the capture are.
    pub fn addressed(set: Arc<CaptureSet>, to: MacAddr, from: MacAddr) -> Self {
        Self {
            addresses: Some((to, from)),
            ..Self::new(set)
        }
    }
}

impl Source for CaptureFrames {
    fn longest(&self) -> usize {
        self.set.longest
    }

    fn rewind(&mut self) {
        self.at = 0;
    }

    fn streams(&self) -> usize {
        1
    }

    fn numbered(&self, _stream: usize) -> u64 {
        0
    }

    fn fill(&mut self, _stream: usize, frames: &mut [Frame]) {
        for frame in frames {
            if let Some(&place) = self.set.places.get(self.at)
                && let Some(packet) = self.set.packet(place)
            {
                // It fits: the set holds no packet that is longer than the longest.
                let written = packet.write_to(frame);
                debug_assert!(written.is_ok());
                if let Some((to, from)) = self.addresses
                    && let Some(header) = frame.data_mut().first_chunk_mut::<12>()
                {
                    header[..6].copy_from_slice(&to.octets());
                    header[6..].copy_from_slice(&from.octets());
                }
            }
            self.skip(0, 1);
        }
    }

    fn skip(&mut self, _stream: usize, n: u64) {
        let len = self.set.len().max(1) as u64;
        self.at = ((self.at as u64 + n % len) % len) as usize;
    }
}
