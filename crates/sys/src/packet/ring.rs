//! Receiving into memory shared with the kernel: TPACKET_V2.
//!
//! A slot is the kernel's or the user's; its status word says whose, and each hands it over by a
//! store to it when it is done with the rest.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{io, mem, ptr, slice};

use corelane_sync::prefetch;

use crate::vnet::{VNET_HEADER_LEN, VnetHeader};

/// What the kernel puts in front of a frame in its slot, at most: its header, a socket address, the
/// vnet header, and what aligns the network header.
const FRONT: usize = 128;

/// The least bytes of a block, which the kernel allocates as one: 64 KiB.
const BLOCK: usize = 1 << 16;

/// How far ahead of the frame in work those behind it are asked for: their way here, from the core on which the
/// kernel filled them, takes about as long as the work on so many.
const AHEAD: usize = 12;

/// The protocol of VLAN tags where the kernel does not say: 802.1Q.
const VLAN: u16 = 0x8100;

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
        const MOST: usize = 1 << 30;
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

    pub(super) fn request(self) -> libc::tpacket_req {
        let block = self.slot.max(BLOCK as u32);
        libc::tpacket_req {
            tp_block_size: block,
            tp_block_nr: (self.bytes() / block as usize) as u32,
            tp_frame_size: self.slot,
            tp_frame_nr: self.slots,
        }
    }
}

/// The ring that a socket receives into: the user's end.
///
/// It keeps its memory, whatever becomes of the socket.
#[derive(Debug)]
pub struct RxRing {
    base: NonNull<u8>,
    size: RingSize,
    next: usize,
    /// So many frames are known to be there.
    known: usize,
}

// SAFETY: the mapping belongs to the process, and this is the only end on the user's side.
unsafe impl Send for RxRing {}

/// A VLAN tag that the kernel took off a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// Its protocol: 802.1Q (0x8100) or another.
    pub protocol: u16,
    /// Priority and number.
    pub control: u16,
}

impl RxRing {
    pub(super) fn map(socket: BorrowedFd<'_>, size: RingSize) -> io::Result<Self> {
        // SAFETY: the kernel chooses where; nobody else knows of the mapping.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size.bytes(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
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
        unsafe { self.base.add(at * self.size.slot as usize) }
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

    /// Whether a frame is there.
    #[inline]
    pub fn has_frame(&self) -> bool {
        self.is_filled(self.slot(0))
    }

    /// How many frames are there, `most` at most. They are on their way into the cache from now on, some ahead of
    /// the [next](Self::peek).
    #[inline]
    pub fn ready(&mut self, most: usize) -> usize {
        let most = most.min(self.size.slots());
        let ready = (0..most)
            .take_while(|&ahead| self.is_filled(self.slot(ahead)))
            .count();
        self.known = ready;
        (0..ready.min(AHEAD)).for_each(|ahead| self.fetch(ahead));
        ready
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

    /// The next frame, if there is one. It stays the next until it is [released](Slot::release).
    #[inline]
    pub fn peek(&mut self) -> Option<Slot<'_>> {
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
        Some(Slot {
            // The kernel keeps to the slot. Should it not, the frame is empty.
            data: if fits {
                start..start + len
            } else {
                FRONT..FRONT
            },
            header,
            slot,
            ring: self,
        })
    }
}

impl Drop for RxRing {
    fn drop(&mut self) {
        // SAFETY: the mapping of `map`, of which no reference is left: slots borrow the ring.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.size.bytes()) };
    }
}

/// A frame in its slot.
#[derive(Debug)]
pub struct Slot<'r> {
    ring: &'r mut RxRing,
    /// The ring's next.
    slot: NonNull<u8>,
    header: libc::tpacket2_hdr,
    data: std::ops::Range<usize>,
}

impl Slot<'_> {
    /// The frame, as much of it as the slot holds; without its outer VLAN tag, if that was taken off.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: the range lies in the slot (`peek`), which is ours until `release`, and that takes
        // `self`.
        unsafe {
            let data = self.slot.add(self.data.start);
            slice::from_raw_parts(data.as_ptr(), self.data.len())
        }
    }

    /// Whether the frame was longer than the slot.
    #[inline]
    pub fn is_cut(&self) -> bool {
        self.header.tp_len as usize > self.data.len()
    }

    /// Whether the frame was longer than the slot, and is kept beside the ring: it has to be
    /// [received](super::PacketSocket::receive_kept) before the slot is released.
    #[inline]
    pub fn is_kept(&self) -> bool {
        self.header.tp_status & libc::TP_STATUS_COPY != 0
    }

    /// When the kernel had it, in nanoseconds since 1970: by the device's driver, if something on the
    /// machine asks for that, or else when it was put into the ring.
    #[inline]
    pub fn time_ns(&self) -> u64 {
        u64::from(self.header.tp_sec) * 1_000_000_000 + u64::from(self.header.tp_nsec)
    }

    /// What is left to do with it. Places count from the start of [`data`](Self::data).
    #[inline]
    pub fn vnet_header(&self) -> VnetHeader {
        let mut bytes = [0; VNET_HEADER_LEN];
        // SAFETY: the kernel wrote the header right in front of the frame; `peek` saw that there is
        // room, and the slot is ours.
        unsafe {
            let front = self.slot.add(self.data.start - VNET_HEADER_LEN);
            ptr::copy_nonoverlapping(front.as_ptr(), bytes.as_mut_ptr(), VNET_HEADER_LEN);
        }
        VnetHeader::parse(&bytes)
    }

    /// The VLAN tag that was taken off.
    #[inline]
    pub fn vlan_tag(&self) -> Option<VlanTag> {
        let has = |bit| self.header.tp_status & bit != 0;
        has(libc::TP_STATUS_VLAN_VALID).then(|| VlanTag {
            protocol: if has(libc::TP_STATUS_VLAN_TPID_VALID) {
                self.header.tp_vlan_tpid
            } else {
                VLAN
            },
            control: self.header.tp_vlan_tci,
        })
    }

    /// Gives the slot back to the kernel.
    #[inline]
    pub fn release(self) {
        // Release: what was read of the slot was read before.
        let kernel = libc::TP_STATUS_KERNEL;
        self.ring.status(self.slot).store(kernel, Ordering::Release);
        self.ring.next = (self.ring.next + 1) & (self.ring.size.slots() - 1);
        self.ring.known = self.ring.known.saturating_sub(1);
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
