//! AF_PACKET: a network device of this machine, shared with the kernel's own stack.
//!
//! ```text
//!   wire ── eth0 ──► kernel's stack
//!             └────► ring per queue ── AfPacketLink ── NIC
//! ```
//!
//! The engine sees every frame that the device receives, whosever it is; so does the kernel's stack.
//! The engine has a link address of its own beside the device's, for which the device is made
//! promiscuous: what is for the engine the kernel's stack leaves alone, and the other way round. Leave
//! the device without addresses of the kernel's where it is to be the engine's alone.
//!
//! **Receive** is a TPACKET_V2 ring per queue, without a system call. With several queues the kernel
//! spreads frames over them by a hash of their flows (PACKET_FANOUT_HASH). Frames that this machine
//! sends on the device are left out. A VLAN tag that the kernel took off is put back.
//!
//! **To listen**, [`receive_only`](AfPacketConfig::receive_only) makes the rings those of TPACKET_V3: the
//! kernel puts frames one behind the other into blocks of 256 KiB, and hands over a block that is full, or
//! that has had frames for [`block_timeout`](AfPacketConfig::block_timeout). A ring of the same memory holds
//! more frames, a dozen times as many of the shortest, and a frame costs less to take; but it waits for its
//! block, so that nobody is answered in time. Such a link has no transmit queue: what is to be sent by it is
//! dropped, and the engine counts that as `send_dropped`.
//!
//! A frame's receive time ([`Frame::rx_time`](corelane_frame::Frame::rx_time)) is the kernel's, in
//! nanoseconds since 1970.
//!
//! **Send** is one system call per burst (`sendmmsg`). What does not go now, since the device has no
//! room or is down, stays with the caller.
//!
//! **Offloads.** Frames carry a virtio-net header, which says what is left to do with them, both ways
//! ([`Frame::offload`](corelane_frame::Frame::offload)): a veth's peer leaves transport checksums to
//! hardware, and sends super-frames of TCP and UDP, of up to 64 KiB; a NIC puts such together. The
//! engine leaves both to the device, and the kernel does for it what it cannot.
//!
//! A super-frame is longer than a slot of the ring (blocks have room for it): the kernel keeps it beside
//! the ring, and a system call takes it from there. It keeps as many as it gives memory for: 32 MiB to who has the machine's
//! own CAP_NET_ADMIN, and to others twice `net.core.rmem_max`, which may be few. What it does not keep is counted as
//! `super_frames_dropped`, and so is all of it if the pool's slots are not
//! [large enough](Link::longest_frame): the kernel cannot be told to cut it. Turn super-frames off where
//! they come from then: `ethtool -K eth0 gro off lro off` on a NIC, `ethtool -K PEER tso off gso off` at
//! a veth's peer.
//!
//! **Made early.** [`AfPacketLink::new`] opens the sockets, which takes CAP_NET_RAW in the network
//! namespace of the calling thread (`unshare -rn` gives anyone one of their own), and asks the device
//! what it is like; the engine opens the rest when the NIC is enabled, which needs no privilege.
//!
//! **Sleep.** A queue rings when frames arrive, through a thread of the link that waits in the kernel
//! and does nothing while the workers are awake.
//!
//! **Ends.** A device that is down receives nothing and takes nothing until it is up again. One that
//! is taken away ends the queues with [`AfPacketError::Removed`].
//!
//! ```no_run
//! use corelane_io::af_packet::{AfPacketConfig, AfPacketLink};
//!
//! let link = AfPacketLink::new(AfPacketConfig {
//!     name: "veth0".to_owned(),
//!     queues: 2,
//!     ..AfPacketConfig::default()
//! })?;
//! let counters = link.counters();
//! println!("{:?}", counters.read());
//! # Ok::<(), corelane_io::af_packet::AfPacketError>(())
//! ```

mod counters;
mod error;
mod queue;

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use corelane_engine::link::{Link, LinkError, Queues};
use corelane_frame::{Pool, PoolConfig};
use corelane_sys::errno;
use corelane_sys::interface::InterfaceName;
use corelane_sys::packet::{BlockSize, MAX_FANOUT, PacketSocket, RingSize, RxRing};
use corelane_wire::{ETHERNET_HEADER_LEN, MacAddr, Offloads};

use crate::device::{
    self, Changes, Counts, Ethernet, SUPER_FRAME, VLAN_TAG_LEN, Watch, Word, queue_counters,
    random_mac,
};

pub use counters::AfPacketCounters;
pub use error::AfPacketError;
use queue::{PacketRx, PacketTx};

/// The most queues of an AF_PACKET link.
pub const MAX_QUEUES: usize = MAX_FANOUT;

/// What the kernel may keep of super-frames for a queue, in bytes; it doubles that for what it adds.
const KEPT: c_int = 16 << 20;

/// What an AF_PACKET link is like.
#[derive(Clone, Debug)]
pub struct AfPacketConfig {
    /// The name of the device.
    pub name: String,
    /// Queues, 1 to [`MAX_QUEUES`]: as many as the engine has workers, or one.
    pub queues: usize,
    /// Frames of full length that the receive ring of a queue holds; rounded up to a power of two, or to
    /// blocks, of which there are 8 at least.
    pub ring: usize,
    /// Whether to send past the device's queueing discipline: faster on a NIC, but what finds its
    /// ring full is dropped, and rules of `tc` do not apply.
    pub bypass_qdisc: bool,
    /// Whether to take super-frames, and to give them.
    pub super_frames: bool,
    /// Whether to receive in blocks, and to send nothing: the link has no transmit queue.
    pub receive_only: bool,
    /// How long frames wait for others in their block, or up to twice as long; rounded up to milliseconds, 1
    /// at least. Short ones leave blocks the emptier the less traffic there is. It is of no use unless
    /// [`receive_only`](Self::receive_only).
    pub block_timeout: Duration,
}

impl Default for AfPacketConfig {
    /// `eth0`, one queue, a ring of 4096 frames, through the queueing discipline, with super-frames, both
    /// ways; blocks of 10 ms.
    fn default() -> Self {
        Self {
            name: "eth0".to_owned(),
            queues: 1,
            ring: 4096,
            bypass_qdisc: false,
            super_frames: true,
            receive_only: false,
            block_timeout: Duration::from_millis(10),
        }
    }
}

/// A link made of AF_PACKET sockets: see the [module](self).
#[derive(Debug)]
pub struct AfPacketLink {
    name: InterfaceName,
    /// What [`Link::name`] answers.
    text: String,
    index: c_int,
    /// The engine's.
    mac: MacAddr,
    /// The kernel's.
    device_mac: MacAddr,
    mtu: usize,
    ring: usize,
    bypass_qdisc: bool,
    super_frames: bool,
    /// How long frames wait for their block, where they come in blocks and nothing is sent.
    blocks: Option<Duration>,
    counters: AfPacketCounters,
    /// Gone once the link is open.
    closed: Option<Closed>,
    /// Ends after the queues.
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Closed {
    sockets: Vec<PacketSocket>,
    counts: Vec<(Counts, Counts)>,
    /// None where there is no such word, or an earlier try has used it up.
    changes: Option<Changes>,
}

impl AfPacketLink {
    /// Opens the sockets and asks what the device is like. Nothing is received yet.
    ///
    /// # Errors
    /// [`AfPacketError`].
    pub fn new(config: AfPacketConfig) -> Result<Self, AfPacketError> {
        let AfPacketConfig {
            name,
            queues,
            ring,
            bypass_qdisc,
            super_frames,
            receive_only,
            block_timeout,
        } = config;
        if !(1..=MAX_QUEUES).contains(&queues) {
            return Err(AfPacketError::Queues { queues });
        }
        let name: InterfaceName = name.parse()?;
        let system = |what| move |source| AfPacketError::system(name, what, source);
        let changes = Changes::of(name).ok();
        let Ethernet {
            index,
            mtu,
            mac: device_mac,
            ..
        } = Ethernet::ask(name).map_err(|why| AfPacketError::unknown(name, why))?;
        let (counts, counters) = queue_counters(queues);
        let mut link = Self {
            name,
            text: name.to_string(),
            index,
            mac: random_mac(),
            device_mac,
            mtu,
            ring,
            bypass_qdisc,
            super_frames,
            blocks: receive_only.then_some(block_timeout),
            counters: AfPacketCounters::new(counters),
            closed: None,
            watch: None,
        };
        link.check_ring()?;
        let sockets: io::Result<Vec<_>> = (0..queues).map(|_| link.socket()).collect();
        let sockets = sockets.map_err(system("open a socket"))?;
        link.closed = Some(Closed {
            sockets,
            counts,
            changes,
        });
        Ok(link)
    }

    /// The link address of the device: the kernel's.
    pub fn device_mac(&self) -> MacAddr {
        self.device_mac
    }

    /// Reads what the link and the kernel count, also while an engine has the link.
    pub fn counters(&self) -> AfPacketCounters {
        self.counters.clone()
    }

    fn socket(&self) -> io::Result<PacketSocket> {
        let socket = PacketSocket::new()?;
        socket.ignore_outgoing()?;
        if self.bypass_qdisc {
            socket.bypass_qdisc()?;
        }
        // Blocks have room for them.
        if self.super_frames && self.blocks.is_none() {
            socket.keep_long_frames(KEPT)?;
        }
        Ok(socket)
    }

    /// The longest frame of the device's own, in bytes. The kernel takes the outer tag off.
    fn longest_in_ring(&self) -> usize {
        self.mtu + ETHERNET_HEADER_LEN + VLAN_TAG_LEN
    }

    /// There can be a ring of so many frames.
    fn check_ring(&self) -> Result<(), AfPacketError> {
        match self.blocks {
            None => self.slots(&PoolConfig::default()).map(drop),
            Some(_) => self.block_size().map(drop),
        }
    }

    /// Slots for what the device takes, as far as it fits a frame of the pool.
    fn slots(&self, pool: &PoolConfig) -> Result<RingSize, AfPacketError> {
        let fits = pool.slot_size.saturating_sub(pool.headroom);
        self.some(|frames| RingSize::for_frames(frames, self.longest_in_ring().min(fits)))
    }

    /// Blocks for what the device takes, as far as anybody sends it.
    fn block_size(&self) -> Result<BlockSize, AfPacketError> {
        self.some(|frames| BlockSize::for_frames(frames, self.longest_in_ring().min(SUPER_FRAME)))
    }

    /// The size of a ring of some frames.
    fn some<S>(&self, size: impl FnOnce(usize) -> Option<S>) -> Result<S, AfPacketError> {
        let size = (self.ring > 0).then(|| size(self.ring)).flatten();
        size.ok_or(AfPacketError::RingSize { frames: self.ring })
    }

    /// Sets up the sockets, each with a ring of so many bytes, and has them receive, all at one moment.
    fn connect<R>(
        &self,
        closed: &mut Closed,
        bytes: usize,
        make_ring: impl Fn(&mut PacketSocket) -> io::Result<R>,
    ) -> Result<(Vec<R>, Watch), AfPacketError> {
        let system = |what| move |source| AfPacketError::system(self.name, what, source);
        let Closed {
            sockets, changes, ..
        } = closed;
        let rings: io::Result<_> = sockets.iter_mut().map(make_ring).collect();
        let rings = rings.map_err(|source| AfPacketError::ring(self.name, bytes, source))?;
        // Until all are in the group, each would receive what another has too.
        let several = sockets.len() > 1;
        let mut group = None;
        for socket in &*sockets {
            if several {
                socket.set_deaf(true).map_err(system("set a filter"))?;
            }
            socket.bind(self.index).map_err(system("bind to it"))?;
            let promiscuous = socket.join_promiscuous(self.index);
            promiscuous.map_err(system("make it promiscuous"))?;
            if several {
                let joined = socket.join_fanout(group);
                group = Some(joined.map_err(|source| AfPacketError::fanout(self.name, source))?);
            }
        }
        for socket in sockets.iter().filter(|_| several) {
            socket
                .set_deaf(false)
                .map_err(system("take off the filter"))?;
        }
        // What it does not take, the socket refuses.
        let word = |changes| Word {
            changes,
            mtu: Box::new(|_| ()),
        };
        let word = changes.take().map(word);
        let descriptors = sockets.iter().map(|socket| socket.as_fd());
        let watch = Watch::new(&self.text, descriptors, word).map_err(system("watch it"))?;
        Ok((rings, watch))
    }

    fn refused(&self, error: AfPacketError) -> LinkError {
        LinkError::new(&*self.text, error)
    }

    /// Opens it with rings of so many bytes.
    fn open_with<R: RxRing + 'static>(
        &mut self,
        bytes: usize,
        make_ring: impl Fn(&mut PacketSocket) -> io::Result<R>,
    ) -> Result<Queues, LinkError> {
        let Some(mut closed) = self.closed.take() else {
            return Err(LinkError::already_open(&self.text));
        };
        let (rings, watch) = match self.connect(&mut closed, bytes, make_ring) {
            Ok(connected) => connected,
            Err(error) => {
                // What was set up cannot be undone but by closing.
                let fresh: io::Result<_> = closed.sockets.iter().map(|_| self.socket()).collect();
                closed.sockets = fresh.unwrap_or(closed.sockets);
                self.closed = Some(closed);
                return Err(self.refused(error));
            }
        };
        let Closed {
            sockets, counts, ..
        } = closed;
        let mut open = Queues {
            rx: Vec::new(),
            tx: Vec::new(),
        };
        let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
        self.counters.opened(&sockets);
        let queues = sockets.into_iter().zip(rings).zip(counts);
        for (number, ((socket, ring), (rx, tx))) in queues.enumerate() {
            open.rx.push(Box::new(PacketRx::new(
                self.text.clone(),
                Arc::clone(&socket),
                ring,
                watch.waker(number),
                rx,
                self.counters.clone(),
            )));
            if self.blocks.is_none() {
                open.tx.push(Box::new(PacketTx {
                    link: self.text.clone(),
                    socket,
                    offloads: Offloads {
                        checksum: true,
                        tcp_v4: self.super_frames,
                        tcp_v6: self.super_frames,
                        udp: self.super_frames,
                    },
                    counts: tx,
                }));
            }
        }
        self.watch = Some(watch);
        Ok(open)
    }
}

impl Link for AfPacketLink {
    fn name(&self) -> &str {
        &self.text
    }

    /// One of its own, made up and locally administered, unless the NIC is given one.
    fn mac(&self) -> Option<MacAddr> {
        Some(self.mac)
    }

    /// That of the device when the link was made.
    fn mtu(&self) -> usize {
        self.mtu
    }

    fn longest_frame(&self) -> usize {
        let of_mtu = self.mtu + ETHERNET_HEADER_LEN + 2 * VLAN_TAG_LEN;
        if self.super_frames {
            of_mtu.max(SUPER_FRAME)
        } else {
            of_mtu
        }
    }

    /// After an error it may be tried again while the privilege is there: it takes new sockets.
    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError> {
        match self.blocks {
            None => {
                let size = self.slots(pool.config()).map_err(|it| self.refused(it))?;
                self.open_with(size.bytes(), |socket| socket.receive_ring(size))
            }
            Some(timeout) => {
                let size = self.block_size().map_err(|it| self.refused(it))?;
                self.open_with(size.bytes(), |socket| socket.receive_blocks(size, timeout))
            }
        }
    }
}

/// The error that ends a queue.
#[cold]
fn failed(link: &str, what: &'static str, source: io::Error) -> LinkError {
    let error = match device::errno(&source) {
        errno::ENXIO | errno::ENODEV => AfPacketError::Removed,
        _ => AfPacketError::System {
            name: link.to_owned(),
            what,
            source,
        },
    };
    LinkError::new(link, error)
}
