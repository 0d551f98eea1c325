//! What is in a frame, laid out before the run.

use std::net::IpAddr;

use corelane::wire::MacAddr;
use corelane::wire::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};
use rand::{Rng, RngExt};

use super::Flow;
use super::size::{CHECK_SEQUENCE, size_on_wire};
use crate::unit::MAX_FRAME;

/// Bytes of a frame that are laid out one by one: all headers are in them.
pub const LINE: usize = 64;

/// The first bytes of a frame, on a cache line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Line(pub [u8; LINE]);

/// The link addresses of generated frames: locally administered.
pub(super) const SOURCE_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x01]);
pub(super) const DESTINATION_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x02]);

const TTL: u8 = 64;
const LONGEST: usize = (MAX_FRAME - CHECK_SEQUENCE) as usize;

/// The payload of all frames by its place in the frame: frames of any size and family share it.
pub struct Tail(Box<[u8]>);

impl Tail {
    /// Draws it.
    pub fn draw(random: &mut impl Rng) -> Self {
        Self((0..LONGEST).map(|_| random.random()).collect())
    }

    /// The bytes of a frame of `len` bytes behind its line.
    #[inline]
    pub fn behind_line(&self, len: usize) -> &[u8] {
        self.0.get(LINE..len).unwrap_or_default()
    }

    fn between(&self, start: usize, end: usize) -> &[u8] {
        self.0.get(start..end).unwrap_or_default()
    }
}

/// Lays out a UDP frame of `flow` to `destination` for which `requested` bytes were asked, check
/// sequence included: its line, and its length in memory. The rest of the frame is
/// [`Tail::behind_line`]. `scratch` is there to be overwritten.
///
/// A line is longer than the smallest frames: its bytes beyond the length are not part of them.
pub fn lay_out(
    flow: &Flow,
    destination: IpAddr,
    requested: u16,
    tail: &Tail,
    scratch: &mut Vec<u8>,
) -> (Line, u16) {
    let len = size_on_wire(requested, destination.is_ipv6()).min(MAX_FRAME) - CHECK_SEQUENCE;
    scratch.clear();
    scratch.resize(LONGEST.max(LINE), 0);
    let ports = Ports {
        source: flow.source_port,
        destination: flow.destination_port,
    };
    let (source_mac, destination_mac) = (SOURCE_MAC, DESTINATION_MAC);
    let written = match destination {
        IpAddr::V4(destination) => {
            let payload = tail.between(42, len.into());
            let source = flow.source_v4;
            let spec = FrameSpec {
                source_mac,
                destination_mac,
                source,
                destination,
                ttl: TTL,
            };
            build_udp_ipv4(scratch, &spec, ports, payload)
        }
        IpAddr::V6(destination) => {
            let payload = tail.between(62, len.into());
            let source = flow.source_v6;
            let spec = FrameSpec {
                source_mac,
                destination_mac,
                source,
                destination,
                ttl: TTL,
            };
            build_udp_ipv6(scratch, &spec, ports, payload)
        }
    };
    debug_assert_eq!(
        written.ok(),
        Some(len.into()),
        "the scratch holds the longest frame"
    );
    let line = scratch.first_chunk().copied().unwrap_or([0; LINE]);
    (Line(line), len)
}
