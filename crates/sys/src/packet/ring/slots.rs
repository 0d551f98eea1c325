//! A ring of slots, a frame in each: TPACKET_V2.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{io, mem};

use corelane_sync::prefetch;

use super::mapping::Mapping;
use super::{FRONT, Header, MOST, RxRing, Slot, VlanTag, sealed};
use crate::vnet::VNET_HEADER_LEN;

/// The least bytes of a block, which the kernel allocates as one: 64 KiB.
const BLOCK: usize = 1 << 16;

/// How far ahead of the frame in work those behind it are asked for: their way here, from the core on which the
/// kernel filled them, takes about as long as the work on so many.
const AHEAD: usize = 12;

/// How many slots a ring has, and how large they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize {
    slots: u32,
    slot: u32,
}

impl RingSize {
    /// Room for as many frames of as many bytes, or a little more: both go by powers of two. None if
    /// that is more than 1 GiB.
    pub fn for_frames(frames: usize, len: usize) -> Option<Self> {
        let slot = len
            .checked_add(FRONT)?
            .max(256)
            .checked_next_power_of_two()?;
        // Whole blocks.
        let slots = frames
            .max(BLOCK / slot)
            .max(1)
            .checked_next_power_of_two()?;
        slots.checked_mul(slot).filter(|&bytes| bytes <= MOST)?;
        Some(Self {
            slots: u32::try_from(slots).ok()?,
            slot: u32::try_from(slot).ok()?,
        })
    }

    /// How many slots.
    pub fn slots(self) -> usize {
        self.slots as usize
    }

    /// Bytes of all slots.
    pub fn bytes(self) -> usize {
        self.slots as usize * self.slot as usize
    }

    pub(in super::super) fn request(self) -> libc::tpacket_req {
        let block = self.slot.max(BLOCK as u32);
        libc::tpacket_req {
            tp_block_size: block,
            tp_block_nr: (self.bytes() / block as usize) as u32,
            tp_frame_size: self.slot,
            tp_frame_nr: self.slots,
        }
    }
}

/// A ring of slots: see the [module](super::super).
#[derive(Debug)]
pub struct SlotRing {
    memory: Mapping,
    size: RingSize,
    next: usize,
    /// So many frames are known to be there.
    known: usize,
}

impl SlotRing {
    /// Of a socket that has been given one of this size.
    pub(in super::super) fn map(socket: BorrowedFd<'_>, size: RingSize) -> io::Result<Self> {
        Ok(Self {
            memory: Mapping::of(socket, size.bytes())?,
            size,
            next: 0,
            known: 0,
        })
    }

    /// The slot that is filled so many after the next.
    #[inline]
    fn slot(&self, ahead: usize) -> NonNull<u8> {
        // A power of two (`RingSize::for_frames`).
        let at = (self.next + ahead) & (self.size.slots() - 1);
        // SAFETY: `at` is less than the slots, all of which lie in the mapping.
        unsafe { self.memory.base().add(at * self.size.slot as usize) }
    }

    /// The status of one of its slots.
    #[inline]
    fn status(&self, slot: NonNull<u8>) -> &AtomicU32 {
        const _: () = assert!(mem::offset_of!(libc::tpacket2_hdr, tp_status) == 0);
        // SAFETY: a slot begins with its status; it is aligned, and both sides access it atomically.
        unsafe { AtomicU32::from_ptr(slot.as_ptr().cast()) }
    }

    /// Whether a frame is in one of its slots.
    #[inline]
    fn is_filled(&self, slot: NonNull<u8>) -> bool {
        // Acquire, against the kernel's barrier before its store: what it wrote is seen.
        self.status(slot).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// Asks for the first lines of a frame that is there, so many after the next.
    #[inline]
    fn fetch(&self, ahead: usize) {
        let slot = self.slot(ahead);
        // SAFETY: a slot has 256 bytes at least (`RingSize::for_frames`).
        let lines = [64, 128].map(|at| unsafe { slot.add(at) });
        // SAFETY: they lie in the slot, which is ours as its frame is there; any bits are valid.
        let lines = lines.map(|line| unsafe { line.as_ref() });
        lines.into_iter().for_each(prefetch::prefetch_read);
    }
}

impl RxRing for SlotRing {
    #[inline]
    fn has_frame(&self) -> bool {
        self.is_filled(self.slot(0))
    }

    #[inline]
    fn ready(&mut self, most: usize) -> usize {
        let most = most.min(self.size.slots());
        let ready = (0..most)
            .take_while(|&ahead| self.is_filled(self.slot(ahead)))
            .count();
        self.known = ready;
        (0..ready.min(AHEAD)).for_each(|ahead| self.fetch(ahead));
        ready
    }

    #[inline]
    fn peek(&mut self) -> Option<Slot<'_, Self>> {
        let slot = self.slot(0);
        if !self.is_filled(slot) {
            return None;
        }
        if self.known > AHEAD {
            self.fetch(AHEAD);
        }
        // SAFETY: the slot is ours, and begins with this header. All bits are valid.
        let header: libc::tpacket2_hdr = unsafe { slot.cast().read() };
        let (start, len) = (usize::from(header.tp_mac), header.tp_snaplen as usize);
        let fits = start >= mem::size_of::<libc::tpacket2_hdr>() + VNET_HEADER_LEN
            && start + len <= self.size.slot as usize;
        // The kernel keeps to the slot. Should it not, the frame is empty.
        let (start, len) = if fits { (start, len) } else { (FRONT, 0) };
        let header = Header {
            status: header.tp_status,
            len: header.tp_len,
            seconds: header.tp_sec,
            nanoseconds: header.tp_nsec,
            vlan: VlanTag {
                protocol: header.tp_vlan_tpid,
                control: header.tp_vlan_tci,
            },
        };
        // SAFETY: frame and vnet header lie in the slot, which has more than `FRONT` bytes.
        Some(unsafe { Slot::new(self, header, slot.add(start), len) })
    }
}

impl sealed::Release for SlotRing {
    #[inline]
    fn release(&mut self) {
        // Release: what was read of the slot was read before.
        let kernel = libc::TP_STATUS_KERNEL;
        self.status(self.slot(0)).store(kernel, Ordering::Release);
        self.next = (self.next + 1) & (self.size.slots() - 1);
        self.known = self.known.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_what_the_kernel_takes() {
        for (frames, len) in [
            (1, 60),
            (4096, 1514),
            (1000, 9018),
            (3, 65_549),
            (1 << 14, 1),
        ] {
            let size = RingSize::for_frames(frames, len).expect("a size");
            let request = size.request();
            assert!(size.slots() >= frames && size.slot as usize >= len + FRONT);
            assert!(request.tp_block_size.is_multiple_of(4096));
            let per_block = request.tp_block_size / request.tp_frame_size;
            assert_eq!(request.tp_frame_nr, per_block * request.tp_block_nr);
            assert!(request.tp_block_nr > 0);
        }
        assert_eq!(RingSize::for_frames(usize::MAX, 60), None);
        assert_eq!(RingSize::for_frames(1, usize::MAX), None);
        assert_eq!(RingSize::for_frames(1 << 20, 2048), None);
    }
}
