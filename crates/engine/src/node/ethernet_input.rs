//! Sorts a burst of Ethernet frames by network protocol.

use corelane_frame::{BURST, Frame};
use corelane_stack::DropReason;
use corelane_sync::prefetch::prefetch_read_slice;
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType};

use super::tally::Tally;

/// How many frames ahead of the one being read the processor is asked for.
const AHEAD: usize = 8;

/// The places in the burst of its IPv4 and IPv6 frames.
pub(super) struct Families {
    v4: [u8; BURST],
    v4_len: usize,
    v6: [u8; BURST],
    v6_len: usize,
}

impl Families {
    pub(super) fn v4(&self) -> &[u8] {
        &self.v4[..self.v4_len]
    }

    pub(super) fn v6(&self) -> &[u8] {
        &self.v6[..self.v6_len]
    }
}

/// Sorts the frames without a branch on the family: at random mixes every second such branch
/// would be mispredicted, and again in each stage behind.
pub(super) fn ethernet_input(frames: &[Frame], tally: &mut Tally<'_>) -> Families {
    let mut families = Families {
        v4: [0; BURST],
        v4_len: 0,
        v6: [0; BURST],
        v6_len: 0,
    };
    let mut bytes = 0;
    for frame in frames.iter().take(AHEAD) {
        prefetch_read_slice(frame.data());
    }
    for (place, frame) in frames.iter().enumerate() {
        if let Some(ahead) = frames.get(place + AHEAD) {
            prefetch_read_slice(ahead.data());
        }
        bytes += frame.len();
        let Some(header) = frame.data().first_chunk::<ETHERNET_HEADER_LEN>() else {
            tally.dropped(DropReason::EthernetTruncated);
            continue;
        };
        let ethertype = EtherType(u16::from_be_bytes([header[12], header[13]]));
        let is_v4 = ethertype == EtherType::IPV4;
        let is_v6 = ethertype == EtherType::IPV6;
        // Written whatever it is; counted only if it is so.
        families.v4[families.v4_len % BURST] = place as u8;
        families.v4_len += usize::from(is_v4);
        families.v6[families.v6_len % BURST] = place as u8;
        families.v6_len += usize::from(is_v6);
        if !(is_v4 | is_v6) {
            tally.dropped(DropReason::UnknownProtocol);
        }
    }
    tally.received(frames.len(), bytes);
    families
}
