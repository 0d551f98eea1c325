//! Sorts a burst of Ethernet frames by network protocol.

use arrayvec::ArrayVec;
use corelane_frame::{BURST, Frame};
use corelane_stack::DropReason;
use corelane_sync::prefetch::prefetch_read_slice;
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType};

use super::tally::Tally;
use crate::places::Places;

/// How many frames ahead of the one being read the processor is asked for.
const AHEAD: usize = 8;

/// A burst sorted by family.
pub(super) struct Sorted<'f> {
    /// The data of each frame, by its place in the burst.
    data: ArrayVec<&'f [u8], BURST>,
    v4: Places,
    v6: Places,
}

impl<'f> Sorted<'f> {
    /// The places of the IPv4 frames, with what follows the Ethernet header.
    pub(super) fn v4(&self) -> impl Iterator<Item = (u8, &'f [u8])> {
        self.packets(&self.v4)
    }

    /// The places of the IPv6 frames, with what follows the Ethernet header.
    pub(super) fn v6(&self) -> impl Iterator<Item = (u8, &'f [u8])> {
        self.packets(&self.v6)
    }

    fn packets(&self, places: &Places) -> impl Iterator<Item = (u8, &'f [u8])> {
        places.iter().map(|place| {
            let data: &'f [u8] = self.data[usize::from(place)];
            (place, data.get(ETHERNET_HEADER_LEN..).unwrap_or_default())
        })
    }
}

/// Sorts the frames without a branch on the family: at random mixes every second such branch
/// would be mispredicted, and again in each stage behind.
#[inline(never)]
pub(super) fn ethernet_input<'f>(frames: &'f [Frame], tally: &mut Tally<'_>) -> Sorted<'f> {
    let mut sorted = Sorted {
        data: ArrayVec::new(),
        v4: Places::new(),
        v6: Places::new(),
    };
    let mut other = Places::new();
    let mut bytes = 0;
    for frame in frames {
        sorted.data.push(frame.data());
        bytes += frame.len();
    }
    for data in sorted.data.iter().take(AHEAD) {
        prefetch_read_slice(data);
    }
    for (place, data) in sorted.data.iter().enumerate() {
        if let Some(ahead) = sorted.data.get(place + AHEAD) {
            prefetch_read_slice(ahead);
        }
        let Some(header) = data.first_chunk::<ETHERNET_HEADER_LEN>() else {
            tally.dropped(DropReason::EthernetTruncated);
            continue;
        };
        let ethertype = EtherType(u16::from_be_bytes([header[12], header[13]]));
        let is_v4 = ethertype == EtherType::IPV4;
        let is_v6 = ethertype == EtherType::IPV6;
        sorted.v4.push_if(is_v4, place);
        sorted.v6.push_if(is_v6, place);
        other.push_if(!(is_v4 | is_v6), place);
    }
    for _ in other.iter() {
        tally.dropped(DropReason::UnknownProtocol);
    }
    tally.received(frames.len(), bytes);
    sorted
}
