//! Sorts a burst of Ethernet frames by network protocol.

use corelane_frame::{BURST, Frame, Marks};
use corelane_stack::{DropReason, NicView};
use corelane_sync::prefetch::prefetch_read_slice;
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType};

use super::observer::Observer;
use super::tally::Tally;
use crate::places::Places;
use crate::trace::{self, Outcome};

/// A burst sorted by family.
pub(super) struct Sorted<'f> {
    /// The data of each frame, by its place in the burst.
    data: [&'f [u8]; BURST],
    v4: Places,
    v6: Places,
    /// The frames of other protocols.
    others: Places,
    /// Whether a frame may be for many stations.
    has_for_many: bool,
    /// Whether something is left to do with a frame.
    has_offloads: bool,
}

impl<'f> Sorted<'f> {
    /// Of no frames yet.
    pub(super) const fn new() -> Self {
        Self {
            data: [&[]; BURST],
            v4: Places::new(),
            v6: Places::new(),
            others: Places::new(),
            has_for_many: false,
            has_offloads: false,
        }
    }

    /// Finds the frames that are neither IPv4 nor IPv6.
    #[cold]
    fn sort_others(&mut self) {
        for (place, data) in self.data.iter().enumerate() {
            let is_ip = [EtherType::IPV4, EtherType::IPV6].contains(&ethertype(data));
            let is_whole = data.len() >= ETHERNET_HEADER_LEN;
            self.others.push_if(is_whole & !is_ip, place);
        }
    }

    /// Whether there are frames that are neither IPv4 nor IPv6.
    #[inline]
    pub(super) fn has_others(&self) -> bool {
        self.others.len() > 0
    }

    /// The places of the frames that are neither IPv4 nor IPv6.
    pub(super) fn into_others(self) -> Places {
        self.others
    }

    /// The places, a bit each, of the frames for many stations: whose address has this bit (IEEE 802).
    pub(super) fn for_many(&self) -> u64 {
        if !self.has_for_many {
            return 0;
        }
        let frames = self.data.iter().enumerate();
        frames.fold(0, |places, (place, data)| {
            let first = data.first().map_or(0, |first| first & 1);
            places | u64::from(first) << (place % BURST)
        })
    }

    /// Whether something is left to do with some of the frames.
    pub(super) fn has_offloads(&self) -> bool {
        self.has_offloads
    }

    /// The places of the frames of a protocol, of IPv4 and IPv6 if the NIC speaks it.
    pub(super) fn places_of(&self, ethertype: EtherType) -> impl Iterator<Item = u8> {
        let (places, exact) = match ethertype {
            EtherType::IPV4 => (&self.v4, true),
            EtherType::IPV6 => (&self.v6, true),
            _ => (&self.others, false),
        };
        places
            .iter()
            .filter(move |place| exact || self.is_of(*place, ethertype))
    }

    /// Whether the frame at a place is of a protocol, by its header alone.
    pub(super) fn is_of(&self, place: u8, ethertype: EtherType) -> bool {
        let data = self.data[usize::from(place) % BURST];
        data.first_chunk::<ETHERNET_HEADER_LEN>()
            .is_some_and(|header| u16::from_be_bytes([header[12], header[13]]) == ethertype.0)
    }

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
            let data: &'f [u8] = self.data[usize::from(place) % BURST];
            (place, data.get(ETHERNET_HEADER_LEN..).unwrap_or_default())
        })
    }
}

/// The protocol of a frame; 0 if its header is not whole.
fn ethertype(data: &[u8]) -> EtherType {
    let header = data.first_chunk::<ETHERNET_HEADER_LEN>();
    EtherType(header.map_or(0, |header| u16::from_be_bytes([header[12], header[13]])))
}

/// Sorts the frames into `sorted`, which is empty, without a branch on the family: at random mixes
/// every second such branch would be mispredicted, and again in each stage behind.
#[inline(never)]
pub(super) fn ethernet_input<'f, O: Observer>(
    view: NicView<'_>,
    frames: &'f [Frame],
    sorted: &mut Sorted<'f>,
    tally: &mut Tally<'_>,
    observer: &mut O,
) {
    let (mut bytes, mut marks) = (0, Marks::default());
    for (frame, data) in frames.iter().zip(&mut sorted.data) {
        *data = frame.data();
        bytes += data.len();
        marks = marks | frame.marks();
        // All at once: the processor works through as many misses as it can.
        prefetch_read_slice(data);
    }
    // No call in this loop, so that its counts stay in registers.
    let (mut truncated, mut first_bytes) = (0, 0);
    let (mut v4, mut v6) = (Places::new(), Places::new());
    for (place, data) in sorted.data.iter().enumerate().take(frames.len()) {
        let (ethertype, is_whole) = match data.first_chunk::<ETHERNET_HEADER_LEN>() {
            Some(header) => {
                first_bytes |= header[0];
                let ethertype = u16::from_be_bytes([header[12], header[13]]);
                (EtherType(ethertype), true)
            }
            None => (EtherType(0), false),
        };
        let is_v4 = ethertype == EtherType::IPV4;
        let is_v6 = ethertype == EtherType::IPV6;
        v4.push_if(is_v4, place);
        v6.push_if(is_v6, place);
        truncated += u64::from(!is_whole);
    }
    sorted.has_for_many = first_bytes & 1 == 1;
    sorted.has_offloads = marks.has_offload();
    if v4.len() + v6.len() + (truncated as usize) < frames.len() {
        sorted.sort_others();
    }
    // A protocol that the NIC does not speak is one that it does not know. The others are for
    // `arp_input`.
    let mut unknown = 0;
    for (accepted, places) in [(view.accepts_v4(), &mut v4), (view.accepts_v6(), &mut v6)] {
        if !accepted {
            unknown += places.len() as u64;
            *places = Places::new();
        }
    }
    (sorted.v4, sorted.v6) = (v4, v6);
    if O::WATCHES {
        observe(frames, sorted, observer);
    }
    for (reason, frames) in [
        (DropReason::EthernetTruncated, truncated),
        (DropReason::UnknownProtocol, unknown),
    ] {
        if frames > 0 {
            tally.dropped(reason, frames);
        }
    }
    tally.received(frames.len(), bytes);
}

fn observe<O: Observer>(frames: &[Frame], sorted: &Sorted<'_>, observer: &mut O) {
    for (place, frame) in (0..).zip(frames) {
        let outcome = if sorted.v4.iter().any(|v4| v4 == place) {
            trace::EthernetInput::Ip4
        } else if sorted.v6.iter().any(|v6| v6 == place) {
            trace::EthernetInput::Ip6
        } else if sorted.others.iter().any(|other| other == place) {
            trace::EthernetInput::Other
        } else if frame.len() < ETHERNET_HEADER_LEN {
            trace::EthernetInput::Dropped(DropReason::EthernetTruncated)
        } else {
            trace::EthernetInput::Dropped(DropReason::UnknownProtocol)
        };
        observer.step(frame, Outcome::EthernetInput(outcome));
    }
}
