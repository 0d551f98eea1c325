//! Receiving into memory shared with the kernel.
//!
//! | ring | of the kernel's | what changes hands | a frame is seen |
//! |---|---|---|---|
//! | [`SlotRing`] | TPACKET_V2 | a slot: one frame, in the room of the longest | as soon as it is there |
//! | [`BlockRing`] | TPACKET_V3 | a block: frames one behind the other, in the room of each | when its block is full, or its time is over |
//!
//! A slot or block is the kernel's or the user's; its status word says whose, and each hands it over by a
//! store to it when it is done with the rest.

mod blocks;
mod mapping;
mod slots;

use std::ptr::NonNull;
use std::{fmt, ptr, slice};

use crate::vnet::{VNET_HEADER_LEN, VnetHeader};

pub use blocks::{BlockRing, BlockSize};
pub use slots::{RingSize, SlotRing};

/// What the kernel puts in front of a frame, at most: its header, a socket address, the vnet header, and
/// what aligns the network header.
const FRONT: usize = 128;

/// The most bytes of a ring: 1 GiB.
const MOST: usize = 1 << 30;

/// The protocol of VLAN tags where the kernel does not say: 802.1Q.
const VLAN: u16 = 0x8100;

/// The ring that a socket receives into: the user's end.
///
/// It keeps its memory, whatever becomes of the socket.
pub trait RxRing: sealed::Release + fmt::Debug + Send {
    /// Whether a frame is there.
    fn has_frame(&self) -> bool;

    /// How many frames are there, `most` at most. They may be on their way into the cache from now on, some
    /// ahead of the [next](Self::peek).
    fn ready(&mut self, most: usize) -> usize;

    /// The next frame, if there is one. It stays the next until it is [released](Slot::release).
    fn peek(&mut self) -> Option<Slot<'_, Self>>
    where
        Self: Sized;
}

/// What rings have for slots alone.
mod sealed {
    /// The kernel's side of a slot's end.
    pub trait Release {
        /// Lets go of the next frame.
        fn release(&mut self);
    }
}

/// What the kernel says of a frame, in either version.
#[derive(Clone, Copy, Debug)]
struct Header {
    status: u32,
    /// Bytes on the wire, of which those in the ring may be fewer.
    len: u32,
    seconds: u32,
    nanoseconds: u32,
    vlan: VlanTag,
}

/// A VLAN tag that the kernel took off a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// Its protocol: 802.1Q (0x8100) or another.
    pub protocol: u16,
    /// Priority and number.
    pub control: u16,
}

/// A frame in its ring.
#[derive(Debug)]
pub struct Slot<'r, R> {
    ring: &'r mut R,
    header: Header,
    /// Where the frame begins, behind a vnet header. It is the ring's next, and all of it in the ring's memory.
    data: NonNull<u8>,
    len: usize,
}

impl<'r, R: RxRing> Slot<'r, R> {
    /// # Safety
    /// `len` bytes at `data` and the vnet header in front of them lie in the ring's memory, in a slot or block
    /// that is the user's until the ring's next frame is released.
    #[inline]
    unsafe fn new(ring: &'r mut R, header: Header, data: NonNull<u8>, len: usize) -> Self {
        Self {
            ring,
            header,
            data,
            len,
        }
    }

    /// The frame, as much of it as the ring holds; without its outer VLAN tag, if that was taken off.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: the bytes are the user's (`new`) until `release`, and that takes `self`; any bits are valid.
        unsafe { slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }

    /// Whether the frame was longer than what the ring holds of it.
    #[inline]
    pub fn is_cut(&self) -> bool {
        self.header.len as usize > self.len
    }

    /// Whether the frame was longer than its slot, and is kept beside the ring: it has to be
    /// [received](super::PacketSocket::receive_kept) before the slot is released.
    #[inline]
    pub fn is_kept(&self) -> bool {
        self.header.status & libc::TP_STATUS_COPY != 0
    }

    /// When the kernel had it, in nanoseconds since 1970: by the device's driver, if something on the
    /// machine asks for that, or else when it was put into the ring.
    #[inline]
    pub fn time_ns(&self) -> u64 {
        u64::from(self.header.seconds) * 1_000_000_000 + u64::from(self.header.nanoseconds)
    }

    /// What is left to do with it. Places count from the start of [`data`](Self::data).
    #[inline]
    pub fn vnet_header(&self) -> VnetHeader {
        let mut bytes = [0; VNET_HEADER_LEN];
        // SAFETY: the kernel writes the header right in front of the frame, where there is room for it (`new`).
        unsafe {
            let front = self.data.sub(VNET_HEADER_LEN);
            ptr::copy_nonoverlapping(front.as_ptr(), bytes.as_mut_ptr(), VNET_HEADER_LEN);
        }
        VnetHeader::parse(&bytes)
    }

    /// The VLAN tag that was taken off.
    #[inline]
    pub fn vlan_tag(&self) -> Option<VlanTag> {
        let has = |bit| self.header.status & bit != 0;
        has(libc::TP_STATUS_VLAN_VALID).then(|| VlanTag {
            protocol: if has(libc::TP_STATUS_VLAN_TPID_VALID) {
                self.header.vlan.protocol
            } else {
                VLAN
            },
            ..self.header.vlan
        })
    }

    /// Lets go of the frame: with a slot, or with the last of a block, its memory is the kernel's again.
    #[inline]
    pub fn release(self) {
        self.ring.release();
    }
}
