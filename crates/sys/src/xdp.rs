//! AF_XDP sockets: frames of a network device that arrive in, and leave from, the memory of a pool.
//!
//! ```text
//!   XdpSocket ── register ──► Umem (the first of the sockets that share it)
//!       └─ map_rings ─► Unbound ── bind ──► XdpRx, XdpTx
//! ```
//!
//! **Who has a frame.** What the kernel may write to or read from is [`Lent`]: from the moment that
//! it is put into a fill or transmit ring until it is taken out of a receive or completion ring. So
//! no frame of this side reaches those bytes meanwhile. What is lent at the end comes home when the
//! kernel cannot reach it any more: after the socket is closed, which is when both halves are
//! dropped, all four of their rings unmapped, and the receive queue out of its [`XskMap`]. The driver of a
//! zero-copy socket lets go a little later than that, and does not say when: what it still has then
//! stays lent for good, and keeps the memory of its pool.

mod ring;

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, Weak};
use std::{io, mem, ptr};

use corelane_frame::{BURST, Burst, Frame, Lent, Pool, PoolCache, PoolConfig};

use crate::bpf::XskMap;
use crate::call::{Plain, check, check_size, get_option, owned, set_option};
use ring::Ring;

/// The least bytes of a chunk, the kernel's unit of memory for a frame.
pub const MIN_CHUNK: usize = 2048;

/// The most: a page.
pub const MAX_CHUNK: usize = 4096;

/// What the kernel leaves free in front of a received frame.
pub const HEADROOM: usize = 256;

/// The most entries of a ring.
pub const MAX_RING: usize = 1 << 20;

// SAFETY: numbers, without padding.
unsafe impl Plain for libc::xdp_umem_reg {}
// SAFETY: numbers, without padding.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: numbers, without padding.
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: a number.
unsafe impl Plain for libc::xdp_options {}

/// How the kernel sees the memory of a pool: in chunks, one at the start of each slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    chunk: u32,
    headroom: u32,
    /// Whether chunks may start anywhere.
    unaligned: bool,
}

impl Layout {
    /// That of a pool. None if its slots are less than [`MIN_CHUNK`], or its headroom leaves nothing
    /// of a chunk.
    pub fn of(pool: &PoolConfig) -> Option<Self> {
        let chunk = pool.slot_size.min(MAX_CHUNK);
        let headroom = pool.headroom.saturating_sub(HEADROOM);
        let fits = chunk >= MIN_CHUNK && headroom + HEADROOM < chunk;
        fits.then_some(Self {
            chunk: chunk as u32,
            headroom: headroom as u32,
            // Aligned chunks lie side by side, and are as large as a power of two.
            unaligned: !(chunk.is_power_of_two() && chunk == pool.stride()),
        })
    }

    /// Whether chunks are aligned to their size, so that none crosses a page: what zero-copy takes.
    pub fn is_aligned(&self) -> bool {
        !self.unaligned
    }

    /// The longest frame that can be received.
    pub fn room(&self) -> usize {
        (self.chunk - self.headroom) as usize - HEADROOM
    }

    /// The longest frame that can be sent.
    pub fn longest(&self) -> usize {
        self.chunk as usize
    }

    /// Where in the memory an address of the kernel is.
    #[inline]
    fn place(&self, address: u64) -> usize {
        // Of an unaligned chunk, the high bits are the offset from its start.
        const BASE: u64 = (1 << 48) - 1;
        (if self.unaligned {
            (address & BASE) + (address >> 48)
        } else {
            address
        }) as usize
    }
}

/// What a socket, its halves and its memory have in common.
#[derive(Debug)]
struct Core {
    /// Where frames for the socket come from, once they do.
    entered: OnceLock<(Arc<XskMap>, u32)>,
    /// Closed before what follows is dropped.
    fd: OwnedFd,
    left: [Left; 2],
}

/// What a half that is gone left to the kernel.
#[derive(Debug, Default)]
struct Left(OnceLock<(Lent, bool)>);

impl Drop for Core {
    fn drop(&mut self) {
        // Nothing more comes, even if a child of this process has a copy of the descriptor.
        if let Some((map, queue)) = self.entered.get() {
            map.remove(*queue);
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some((lent, true)) = self.0.take() {
            // The driver may still write.
            mem::forget(lent);
        }
    }
}

/// An AF_XDP socket that has no rings yet.
#[derive(Debug)]
pub struct XdpSocket(Arc<Core>);

/// The memory of a pool, as sockets of one device share it.
#[derive(Debug)]
pub struct Umem {
    core: Arc<Core>,
    pool: Pool,
    layout: Layout,
}

/// How many entries the rings of a socket have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSizes {
    receive: u32,
    send: u32,
}

impl RingSizes {
    /// Room for as many frames, or a little more: both go by powers of two. None if there is no
    /// such ring.
    pub fn new(receive: usize, send: usize) -> Option<Self> {
        let size = |frames: usize| {
            let valid = (1..=MAX_RING).contains(&frames);
            valid.then(|| frames.next_power_of_two() as u32)
        };
        Some(Self {
            receive: size(receive)?,
            send: size(send)?,
        })
    }

    /// The most frames that the kernel has of a socket.
    pub fn frames(&self) -> usize {
        self.receive as usize + self.send as usize
    }

    /// The most that it has to receive into.
    pub fn receive(&self) -> usize {
        self.receive as usize
    }
}

/// Whether frames are copied between the memory of the driver and that of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyMode {
    /// Not where the driver can do without.
    Any,
    /// Always.
    Copy,
    /// Never.
    ZeroCopy,
}

impl XdpSocket {
    /// A socket that receives nothing yet. Needs CAP_NET_RAW in its namespace; what follows does
    /// not.
    ///
    /// # Errors
    /// `EPERM`: the privilege is missing; `EAFNOSUPPORT`: the kernel was built without.
    pub fn new() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: a call without pointers.
        let fd = owned(unsafe { libc::socket(libc::AF_XDP, kind, 0) })?;
        Ok(Self(Arc::new(Core {
            entered: OnceLock::new(),
            fd,
            left: Default::default(),
        })))
    }

    /// Has the kernel pin the memory of a pool. The layout is of that pool's configuration.
    ///
    /// # Errors
    /// `ENOBUFS`, `ENOMEM`: it is more than the process may lock (`ulimit -l`); `EINVAL`: the layout
    /// is another pool's.
    pub fn register(&self, pool: &Pool, layout: Layout) -> io::Result<Umem> {
        if Layout::of(pool.config()) != Some(layout) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let arena = pool.arena();
        let memory = libc::xdp_umem_reg {
            // The kernel writes only to what is lent (see the module): exposed, as to a device.
            addr: arena.cast::<u8>().as_ptr().expose_provenance() as u64,
            len: arena.len() as u64,
            chunk_size: layout.chunk,
            headroom: layout.headroom,
            flags: if layout.unaligned {
                libc::XDP_UMEM_UNALIGNED_CHUNK_FLAG
            } else {
                0
            },
            tx_metadata_len: 0,
        };
        let option = libc::XDP_UMEM_REG;
        set_option(self.0.fd.as_fd(), libc::SOL_XDP, option, &memory)?;
        Ok(Umem {
            core: Arc::clone(&self.0),
            pool: pool.clone(),
            layout,
        })
    }

    /// Makes the rings.
    ///
    /// # Errors
    /// `ENOMEM`: there is no memory for them.
    pub fn map_rings(self, sizes: RingSizes) -> io::Result<Unbound> {
        let fd = self.0.fd.as_fd();
        let RingSizes { receive, send } = sizes;
        for (option, size) in [
            (libc::XDP_UMEM_FILL_RING, receive),
            (libc::XDP_UMEM_COMPLETION_RING, send),
            (libc::XDP_RX_RING, receive),
            (libc::XDP_TX_RING, send),
        ] {
            set_option(fd, libc::SOL_XDP, option, &(size as c_int))?;
        }
        let none = || libc::xdp_ring_offset {
            producer: 0,
            consumer: 0,
            desc: 0,
            flags: 0,
        };
        let mut offsets = libc::xdp_mmap_offsets {
            rx: none(),
            tx: none(),
            fr: none(),
            cr: none(),
        };
        get_option(fd, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, &mut offsets)?;
        let (fill, complete) = (
            libc::XDP_UMEM_PGOFF_FILL_RING as i64,
            libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64,
        );
        Ok(Unbound {
            fill: Ring::map(fd, fill, receive, &offsets.fr)?,
            complete: Ring::map(fd, complete, send, &offsets.cr)?,
            receive: Ring::map(fd, libc::XDP_PGOFF_RX_RING, receive, &offsets.rx)?,
            send: Ring::map(fd, libc::XDP_PGOFF_TX_RING, send, &offsets.tx)?,
            core: self.0,
        })
    }
}

/// A socket with rings, of no device yet.
#[derive(Debug)]
pub struct Unbound {
    // Unmapped before the socket is closed.
    fill: Ring<u64>,
    complete: Ring<u64>,
    receive: Ring<libc::xdp_desc>,
    send: Ring<libc::xdp_desc>,
    core: Arc<Core>,
}

impl Unbound {
    /// Binds the socket to a queue of a device. `mode` is that of the first that a memory is bound
    /// with; the others follow.
    ///
    /// # Errors
    /// `EINVAL`: there is no such queue; `EBUSY`: another socket has it, perhaps one that is just
    /// being closed; `EOPNOTSUPP`: no zero-copy; `ENODEV`: there is no such device. With it comes
    /// what was to be bound, to try again.
    pub fn bind(
        self,
        umem: &Umem,
        device: c_int,
        queue: u32,
        mode: CopyMode,
    ) -> Result<(XdpRx, XdpTx), (Box<Self>, io::Error)> {
        let shares = !Arc::ptr_eq(&umem.core, &self.core);
        let flags = match mode {
            _ if shares => libc::XDP_SHARED_UMEM,
            CopyMode::Any => libc::XDP_USE_NEED_WAKEUP,
            CopyMode::Copy => libc::XDP_USE_NEED_WAKEUP | libc::XDP_COPY,
            CopyMode::ZeroCopy => libc::XDP_USE_NEED_WAKEUP | libc::XDP_ZEROCOPY,
        };
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: flags,
            sxdp_ifindex: device as u32,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: if shares {
                umem.core.fd.as_raw_fd() as u32
            } else {
                0
            },
        };
        let len = mem::size_of::<libc::sockaddr_xdp>() as libc::socklen_t;
        // SAFETY: the kernel reads the address during the call.
        let bound = check(unsafe {
            libc::bind(
                self.core.fd.as_raw_fd(),
                ptr::from_ref(&address).cast(),
                len,
            )
        });
        let mut options = libc::xdp_options { flags: 0 };
        let asked = bound.and_then(|_| {
            let (level, option) = (libc::SOL_XDP, libc::XDP_OPTIONS);
            get_option(self.core.fd.as_fd(), level, option, &mut options)
        });
        if let Err(error) = asked {
            return Err((Box::new(self), error));
        }
        let zero_copy = options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0;
        let Self {
            fill,
            complete,
            receive,
            send,
            core,
        } = self;
        let layout = umem.layout;
        let rx = XdpRx {
            fill,
            receive,
            layout,
            zero_copy,
            lent: ManuallyDrop::new(Lent::new(&umem.pool)),
            core: Arc::clone(&core),
        };
        let tx = XdpTx {
            send,
            complete,
            layout,
            zero_copy,
            lent: ManuallyDrop::new(Lent::new(&umem.pool)),
            core,
        };
        Ok((rx, tx))
    }
}

/// The half of a socket that receives.
#[derive(Debug)]
pub struct XdpRx {
    // Unmapped before the socket is closed.
    fill: Ring<u64>,
    receive: Ring<libc::xdp_desc>,
    layout: Layout,
    zero_copy: bool,
    lent: ManuallyDrop<Lent>,
    core: Arc<Core>,
}

impl XdpRx {
    /// Whether the driver receives into the pool, and sends from it.
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Has the map send the frames of this queue here, until the socket is closed.
    ///
    /// # Errors
    /// The map has no such queue (`E2BIG`), or it was done before (`EEXIST`).
    pub fn enter(&self, map: &Arc<XskMap>, queue: u32) -> io::Result<()> {
        let entered = self.core.entered.set((Arc::clone(map), queue));
        entered.map_err(|_| io::Error::from_raw_os_error(libc::EEXIST))?;
        map.insert(queue, self.core.fd.as_fd())
    }

    /// Frames that the kernel has.
    #[inline]
    pub fn lent(&self) -> usize {
        self.lent.len()
    }

    /// Whether a frame is there.
    #[inline]
    pub fn has_frame(&self) -> bool {
        self.receive.filled() > 0
    }

    /// Appends what was received to `out`, a burst at most and as far as there is room, and returns
    /// how many.
    #[inline]
    pub fn receive(&mut self, out: &mut Burst) -> usize {
        let most = out.remaining_capacity().min(BURST);
        let count = most.min(self.receive.filled() as usize);
        for _ in 0..count {
            let descriptor = self.receive.take();
            let at = self.layout.place(descriptor.addr);
            // The kernel returns what it was lent.
            if let Some(frame) = self.lent.take_back(at, descriptor.len as usize) {
                frame.prefetch_read();
                out.push(frame);
            }
        }
        if count > 0 {
            self.receive.release();
        }
        count
    }

    /// Lends frames of `cache` until the kernel has as many as its ring holds, a burst at most.
    /// Whether there were enough.
    #[inline]
    pub fn refill(&mut self, cache: &mut PoolCache) -> bool {
        // What is received and not yet taken out counts: the receive ring has to hold it all.
        let size = self.fill.size() as usize;
        let missing = size.saturating_sub(self.lent.len());
        let want = missing.min(self.fill.room() as usize).min(BURST);
        if want == 0 {
            return true;
        }
        let mut burst = Burst::new();
        let got = cache.alloc_burst(&mut burst, want);
        for frame in burst.drain(..) {
            match self.lent.lend(frame) {
                Ok(start) => self.fill.put(start as u64),
                Err(foreign) => cache.recycle(foreign),
            }
        }
        self.fill.publish();
        got == want
    }

    /// Tells the driver that the ring was filled, if it asks for that.
    ///
    /// # Errors
    /// As [`XdpTx::kick`].
    #[inline]
    pub fn wake(&self) -> io::Result<()> {
        if !self.fill.needs_wakeup() {
            return Ok(());
        }
        // SAFETY: a call without a buffer.
        let done = unsafe {
            libc::recvfrom(
                self.core.fd.as_raw_fd(),
                ptr::null_mut(),
                0,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        check_size(done).map(drop)
    }

    /// As [`XdpTx::kick`], from the thread that receives.
    ///
    /// # Errors
    /// As [`XdpTx::kick`].
    pub fn kick_sender(&self) -> io::Result<()> {
        kick(&self.core)
    }

    /// Asks for the statistics of the socket, while it is open.
    pub fn probe(&self) -> XdpProbe {
        XdpProbe(Arc::downgrade(&self.core))
    }
}

impl AsFd for XdpRx {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.core.fd.as_fd()
    }
}

impl Drop for XdpRx {
    fn drop(&mut self) {
        // SAFETY: it is taken once, here, and not used again.
        let lent = unsafe { ManuallyDrop::take(&mut self.lent) };
        leave(&self.core, 0, lent, self.zero_copy);
    }
}

/// The half of a socket that sends.
#[derive(Debug)]
pub struct XdpTx {
    // Unmapped before the socket is closed.
    send: Ring<libc::xdp_desc>,
    complete: Ring<u64>,
    layout: Layout,
    zero_copy: bool,
    lent: ManuallyDrop<Lent>,
    core: Arc<Core>,
}

impl XdpTx {
    /// Whether a frame is of the pool that this sends from.
    #[inline]
    pub fn is_ours(&self, frame: &Frame) -> bool {
        self.lent.is_ours(frame)
    }

    /// Takes back what was sent.
    #[inline]
    pub fn reclaim(&mut self, cache: &mut PoolCache) {
        loop {
            let count = (self.complete.filled() as usize).min(BURST);
            if count == 0 {
                return;
            }
            let mut burst = Burst::new();
            for _ in 0..count {
                let at = self.layout.place(self.complete.take());
                burst.extend(self.lent.take_back(at, 0));
            }
            self.complete.release();
            cache.recycle_burst(&mut burst);
        }
    }

    /// For how many frames there is room. No more are lent than the completion ring holds.
    #[inline]
    pub fn room(&self) -> usize {
        let unsent = self.complete.size() as usize;
        unsent
            .saturating_sub(self.lent.len())
            .min(self.send.room() as usize)
    }

    /// Lends a frame to be sent once it is [published](Self::publish).
    ///
    /// # Errors
    /// The frame itself: there is no room, or it is empty, too long or of another pool.
    #[inline]
    pub fn put(&mut self, frame: Frame) -> Result<(), Frame> {
        let (offset, len) = (frame.headroom(), frame.len());
        let fits = len > 0 && len <= self.layout.longest();
        if !fits || self.room() == 0 {
            return Err(frame);
        }
        let start = self.lent.lend(frame)?;
        self.send.put(libc::xdp_desc {
            addr: (start + offset) as u64,
            len: len as u32,
            options: 0,
        });
        Ok(())
    }

    /// Shows the kernel what was put in.
    #[inline]
    pub fn publish(&mut self) {
        self.send.publish();
    }

    /// How many the kernel has not looked at yet.
    #[inline]
    pub fn untaken(&self) -> u32 {
        self.send.untaken()
    }

    /// Whether the kernel sends only when it is [kicked](Self::kick).
    #[inline]
    pub fn needs_kick(&self) -> bool {
        self.send.needs_wakeup()
    }

    /// Has the kernel send: some of it, where it copies.
    ///
    /// # Errors
    /// `EAGAIN`, `EBUSY`, `ENOBUFS`: it did not send all; `ENETDOWN`: the device is down; `ENXIO`: it
    /// is gone.
    #[inline]
    pub fn kick(&self) -> io::Result<()> {
        kick(&self.core)
    }
}

impl Drop for XdpTx {
    fn drop(&mut self) {
        // SAFETY: it is taken once, here, and not used again.
        let lent = unsafe { ManuallyDrop::take(&mut self.lent) };
        leave(&self.core, 1, lent, self.zero_copy);
    }
}

fn kick(core: &Core) -> io::Result<()> {
    // SAFETY: a call without a buffer.
    let done = unsafe {
        libc::sendto(
            core.fd.as_raw_fd(),
            ptr::null(),
            0,
            libc::MSG_DONTWAIT,
            ptr::null(),
            0,
        )
    };
    check_size(done).map(drop)
}

/// Leaves to the socket what a half of it lent.
fn leave(core: &Core, half: usize, lent: Lent, zero_copy: bool) {
    if let Some(Left(left)) = core.left.get(half) {
        // Each half is dropped once.
        drop(left.set((lent, zero_copy)));
    }
}

/// Reads the statistics of a socket, and does not keep it open.
#[derive(Clone, Debug)]
pub struct XdpProbe(Weak<Core>);

/// What the kernel counted of a socket since it was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpStatistics {
    /// Received and dropped: too long, or nothing to receive into.
    pub dropped: u64,
    /// Received and dropped since the receive ring was full.
    pub ring_full: u64,
    /// How often the fill ring was empty.
    pub fill_empty: u64,
    /// Entries of the fill and transmit rings that made no sense.
    pub invalid: u64,
}

impl XdpProbe {
    /// The statistics. None if the socket is closed.
    pub fn read(&self) -> Option<XdpStatistics> {
        let core = self.0.upgrade()?;
        let mut read = libc::xdp_statistics {
            rx_dropped: 0,
            rx_invalid_descs: 0,
            tx_invalid_descs: 0,
            rx_ring_full: 0,
            rx_fill_ring_empty_descs: 0,
            tx_ring_empty_descs: 0,
        };
        let option = libc::XDP_STATISTICS;
        get_option(core.fd.as_fd(), libc::SOL_XDP, option, &mut read).ok()?;
        Some(XdpStatistics {
            dropped: read.rx_dropped,
            ring_full: read.rx_ring_full,
            fill_empty: read.rx_fill_ring_empty_descs,
            invalid: read.rx_invalid_descs + read.tx_invalid_descs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_frame::Stride;

    #[test]
    fn layouts_are_what_the_kernel_takes() {
        let of = |slot_size, headroom, stride| {
            Layout::of(&PoolConfig {
                slot_size,
                headroom,
                stride,
                ..PoolConfig::default()
            })
        };
        let aligned = of(2048, 128, Stride::Packed).expect("a layout");
        assert!(aligned.is_aligned());
        assert_eq!((aligned.room(), aligned.longest()), (1792, 2048));
        assert_eq!(aligned.place(4096 + 256), 4352);
        let spread = of(2048, 320, Stride::Spread).expect("a layout");
        assert!(!spread.is_aligned());
        assert_eq!(spread.room(), 1728);
        assert_eq!(spread.place(2112 | 320 << 48), 2432);
        // Larger slots than a chunk may be.
        for stride in [Stride::Packed, Stride::Spread] {
            let large = of(65_536 + 512, 512, stride).expect("a layout");
            assert!(!large.is_aligned());
            assert_eq!((large.room(), large.longest()), (4096 - 512, 4096));
        }
        assert_eq!(of(1984, 128, Stride::Packed), None);
        assert_eq!(of(4096, 4032, Stride::Packed).map(|it| it.room()), Some(64));
        assert_eq!(of(8192, 4096, Stride::Packed), None);
    }

    #[test]
    fn sizes_are_powers_of_two() {
        let sizes = RingSizes::new(1000, 1).expect("sizes");
        assert_eq!((sizes.receive(), sizes.frames()), (1024, 1025));
        for (receive, send) in [(0, 1), (1, 0), (MAX_RING + 1, 1), (1, usize::MAX)] {
            assert_eq!(RingSizes::new(receive, send), None);
        }
    }
}
