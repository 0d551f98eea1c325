//! A ring of blocks, many frames in each: TPACKET_V3.
//!
//! ```text
//!   block: status, count, where the first is │ header, frame │ header, frame │ …
//!                                              └── to the next ──┘
//! ```
//!
//! The kernel hands a block over when the next frame finds no room in it, or when its time is over and it has
//! frames. What it says of where they are is believed as far as it stays in the block.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{io, mem};

use super::mapping::Mapping;
use super::{FRONT, Header, MOST, RxRing, Slot, VlanTag, sealed};
use crate::vnet::VNET_HEADER_LEN;

/// Bytes of a block: three super-frames, so that little is left over where the next one does not fit.
const BLOCK: usize = 1 << 18;

/// The least blocks of a ring. One is filled while others are read.
const LEAST: usize = 8;

/// The length of what a block begins with.
const BLOCK_HEADER: usize = mem::size_of::<libc::tpacket_block_desc>();

/// The length of what the kernel says of a frame, in front of it.
const FRAME_HEADER: usize = mem::size_of::<libc::tpacket3_hdr>();

/// What the kernel takes for the least room of a frame. It has no other meaning where blocks change hands.
const FRAME: usize = 1 << 11;

/// How many blocks a ring has; each has 256 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSize {
    blocks: u32,
}

impl BlockSize {
    /// Room for as many frames of as many bytes, and for more that are shorter. None if that is more than
    /// 1 GiB, or if one frame is more than a block.
    pub fn for_frames(frames: usize, len: usize) -> Option<Self> {
        let in_each = (BLOCK - BLOCK_HEADER).checked_div(len.checked_add(FRONT)?)?;
        let blocks = (in_each > 0).then(|| frames.div_ceil(in_each).max(LEAST))?;
        blocks.checked_mul(BLOCK).filter(|&bytes| bytes <= MOST)?;
        let blocks = u32::try_from(blocks).ok()?;
        Some(Self { blocks })
    }

    /// How many blocks.
    pub fn blocks(self) -> usize {
        self.blocks as usize
    }

    /// Bytes of all blocks.
    pub fn bytes(self) -> usize {
        self.blocks() * BLOCK
    }

    /// `timeout` is rounded up to milliseconds; of none the kernel would make one of its own.
    pub(in super::super) fn request(self, timeout: Duration) -> libc::tpacket_req3 {
        let timeout = timeout.as_nanos().div_ceil(1_000_000).max(1);
        libc::tpacket_req3 {
            tp_block_size: BLOCK as u32,
            tp_block_nr: self.blocks,
            tp_frame_size: FRAME as u32,
            tp_frame_nr: self.blocks * (BLOCK / FRAME) as u32,
            tp_retire_blk_tov: u32::try_from(timeout).unwrap_or(u32::MAX),
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        }
    }
}

/// A ring of blocks: see the [module](super::super).
#[derive(Debug)]
pub struct BlockRing {
    memory: Mapping,
    size: BlockSize,
    /// The block in work, or to be filled next.
    block: usize,
    /// How many of its frames are left; 0 until it is opened.
    left: usize,
    /// Where the next of them is, in bytes of the block.
    next: usize,
    /// How far behind the next is the one after it; 0 if it was not looked at, or is the last.
    step: usize,
}

/// What a block says of its frames.
struct Opened {
    count: usize,
    first: usize,
}

impl BlockRing {
    /// Of a socket that has been given one of this size.
    pub(in super::super) fn map(socket: BorrowedFd<'_>, size: BlockSize) -> io::Result<Self> {
        Ok(Self::on(Mapping::of(socket, size.bytes())?, size))
    }

    /// `memory` has the bytes of this size.
    fn on(memory: Mapping, size: BlockSize) -> Self {
        Self {
            memory,
            size,
            block: 0,
            left: 0,
            next: 0,
            step: 0,
        }
    }

    /// The block in work.
    #[inline]
    fn block(&self) -> NonNull<u8> {
        self.block_at(self.block)
    }

    #[inline]
    fn block_at(&self, number: usize) -> NonNull<u8> {
        debug_assert!(number < self.size.blocks());
        // SAFETY: the number is less than the blocks (`behind`), all of which lie in the mapping.
        unsafe { self.memory.base().add(number * BLOCK) }
    }

    /// The number of the block so many after the one in work, which is less than the blocks are.
    #[inline]
    fn behind(&self, ahead: usize) -> usize {
        (self.block + ahead) % self.size.blocks()
    }

    /// The status of one of its blocks.
    #[inline]
    fn status(&self, block: NonNull<u8>) -> &AtomicU32 {
        const AT: usize = mem::offset_of!(libc::tpacket_block_desc, hdr);
        const _: () = assert!(mem::offset_of!(libc::tpacket_hdr_v1, block_status) == 0);
        // SAFETY: the status lies in the block's header; it is aligned, as the block is to a page, and both
        // sides access it atomically.
        unsafe { AtomicU32::from_ptr(block.add(AT).as_ptr().cast()) }
    }

    /// What one of its blocks says, if it is the user's.
    #[inline]
    fn opened(&self, block: NonNull<u8>) -> Option<Opened> {
        // Acquire, against the kernel's barrier before its store: what it wrote is seen.
        if self.status(block).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the block is ours, and begins with this header. All bits are valid.
        let header = unsafe {
            let header: libc::tpacket_block_desc = block.cast().read();
            header.hdr.bh1
        };
        Some(Opened {
            count: header.num_pkts as usize,
            first: header.offset_to_first_pkt as usize,
        })
    }

    /// Whether the block in work has frames left, or else the next one that has any.
    #[inline]
    fn open(&mut self) -> bool {
        self.left > 0 || self.open_next()
    }

    #[inline(never)]
    fn open_next(&mut self) -> bool {
        // Those without frames, which the kernel does not hand over these days, are passed by: each once.
        for _ in 0..self.size.blocks() {
            let Some(Opened { count, first }) = self.opened(self.block()) else {
                return false;
            };
            (self.left, self.next, self.step) = (count, first, 0);
            if count > 0 {
                return true;
            }
            self.close();
        }
        false
    }

    /// Gives the block in work back to the kernel.
    fn close(&mut self) {
        self.left = 0;
        // Release: what was read of the block was read before.
        let kernel = libc::TP_STATUS_KERNEL;
        self.status(self.block()).store(kernel, Ordering::Release);
        self.block = self.behind(1);
    }

    /// What the kernel says of the next frame of the block in work; None if that is not in the block.
    #[inline]
    fn header(&self) -> Option<libc::tpacket3_hdr> {
        if self.next < BLOCK_HEADER || self.next > BLOCK - FRAME_HEADER {
            return None;
        }
        // SAFETY: the block is ours while it has frames left, and the header lies in it, wherever it begins.
        // All bits are valid.
        Some(unsafe { self.block().add(self.next).cast().read_unaligned() })
    }

    /// Goes on to the frame behind the next.
    #[inline]
    fn advance(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.next = self.next.saturating_add(self.step);
        if self.left == 0 || self.step < FRAME_HEADER {
            // The last one, or what says so: others that there may be cannot be found.
            self.close();
        }
    }
}

impl RxRing for BlockRing {
    #[inline]
    fn has_frame(&self) -> bool {
        self.left > 0 || self.opened(self.block()).is_some()
    }

    /// Frames lie one behind the other, and the processor asks for what is behind by itself.
    #[inline]
    fn ready(&mut self, most: usize) -> usize {
        if !self.open() {
            return 0;
        }
        let mut ready = self.left;
        let mut ahead = 1;
        while ready < most
            && ahead < self.size.blocks()
            && let Some(Opened { count, .. }) = self.opened(self.block_at(self.behind(ahead)))
        {
            ready = ready.saturating_add(count);
            ahead += 1;
        }
        ready.min(most)
    }

    #[inline]
    fn peek(&mut self) -> Option<Slot<'_, Self>> {
        while self.open() {
            let Some(header) = self.header() else {
                // The kernel keeps to the block. Should it not, what is left of it is lost.
                self.close();
                continue;
            };
            self.step = header.tp_next_offset as usize;
            if header.tp_status & libc::TP_STATUS_USER == 0 {
                // It made room for a frame, and dropped and counted it: it had no vnet header for it.
                self.advance();
                continue;
            }
            let (start, len) = (usize::from(header.tp_mac), header.tp_snaplen as usize);
            let fits = start >= FRAME_HEADER + VNET_HEADER_LEN
                && len <= BLOCK
                && self.next + start + len <= BLOCK;
            // As above: the frame is empty then.
            let (at, len) = if fits {
                (self.next + start, len)
            } else {
                (FRONT, 0)
            };
            let header = Header {
                status: header.tp_status,
                len: header.tp_len,
                seconds: header.tp_sec,
                nanoseconds: header.tp_nsec,
                vlan: VlanTag {
                    protocol: header.hv1.tp_vlan_tpid,
                    // It has the room of 32 bits for 16.
                    control: header.hv1.tp_vlan_tci as u16,
                },
            };
            let block = self.block();
            // SAFETY: frame and vnet header lie in the block, which has more than `FRONT` bytes.
            return Some(unsafe { Slot::new(self, header, block.add(at), len) });
        }
        None
    }
}

impl sealed::Release for BlockRing {
    #[inline]
    fn release(&mut self) {
        if self.left > 0 {
            self.advance();
        }
    }
}

#[cfg(test)]
mod tests;
