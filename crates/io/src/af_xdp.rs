//! AF_XDP: a network device of this machine, in place of the kernel's own stack.
//!
//! ```text
//!            XDP program                      frame pool
//!   wire ── queue 0 ──► receive ring ───► the frame itself ──► NIC
//!        ◄───────────── transmit ring ◄── the frame itself ◄──
//! ```
//!
//! The engine's frame pool is the memory of the device's sockets (their UMEM), and the kernel's rings
//! are the link's: between them no byte of a frame is copied. What the driver copies, it copies
//! between its own memory and the pool: all of it, unless it can do [zero-copy](ZeroCopy).
//!
//! A program of six instructions sends what the device receives to the queue's socket, before the
//! kernel's own stack sees it: while the link is open, the device is the engine's alone. Beside it
//! runs no other XDP program. It is gone when the link is, and when its process is, killed or not.
//!
//! **Mode.** [Native](XdpMode::Native) runs the program in the driver; [generic](XdpMode::Generic)
//! behind it, where each frame has cost more already, on any device and at any MTU.
//! [`Auto`](XdpMode::Auto) takes the first that works.
//!
//! **Queues.** A socket for each queue of the device, so the link has as many: what came by another
//! would go to the kernel's stack. The device spreads flows, as it is set up to (a veth by their hash;
//! in generic mode one queue off, so that none comes by the last). All sockets share one memory; each
//! has rings of its own.
//!
//! **The pool.** A slot is at least 2,048 bytes. The kernel uses 4,096 of it at most, and leaves 256
//! free in front of what it receives: frames of up to 1,792 bytes fit the default slot, up to 3,840
//! any. Longer ones are dropped and counted as `kernel_dropped`, or stay unsent as `send_refused`.
//! [`Stride::Packed`](corelane_frame::Stride) of 2,048 or 4,096 is what zero-copy needs; without,
//! any stride will do, the default among them. What the rings hold ([`AfXdpConfig::ring`] and
//! [`AfXdpConfig::send_ring`], for each queue) is out of the pool while the link is open: an engine that
//! makes its own pool adds it. The whole pool is pinned, once for each link: beyond `ulimit -l`, that
//! takes CAP_IPC_LOCK.
//!
//! **Who has a frame.** A frame in a fill or transmit ring is lent: the kernel has it until it comes
//! back by the receive or completion ring, and no other handle to its slot is there meanwhile
//! ([`Lent`](corelane_frame::Lent)). It counts as [out](corelane_frame::PoolStats::out). When both
//! halves of a queue are dropped, its socket is closed, and all that was lent is back in the pool. A
//! zero-copy driver may write a little longer, without saying how long: what it has then stays out for
//! good, and the pool's memory with it.
//!
//! **Send** is a ring, and a system call per burst; where the kernel copies it takes some frames per
//! call. A burst that finds the device down waits in the ring until it is up; those behind it
//! stay with the caller. So does a frame that is longer than the device's MTU of now, a header and a tag: the kernel
//! does not look, and what the driver makes of it is its own affair. What a driver drops counts as `send_lost`, as far
//! as the kernel tells.
//!
//! **Checksums.** A sender on the same machine leaves transport checksums to the hardware, and AF_XDP
//! has no word for that: such frames look corrupt, and the engine drops them. Nobody can ask a veth's
//! peer how it is set, so the link looks at one frame of each burst, and at all for as long as there are
//! such: one whose checksum is nothing but the sum of its pseudo header counts as `partial_checksums`. If there
//! are any, this line is missing, in the namespace of the peer:
//!
//! ```text
//! ethtool -K PEER tx off
//! ```
//!
//! It turns off super-frames too, which are too long for a slot. On a NIC: `ethtool -K eth0 gro off
//! lro off rxvlan off`, the last since a VLAN tag that was taken off is lost.
//!
//! **Made early.** [`AfXdpLink::new`] opens the sockets, loads the program and attaches it, which takes
//! CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF (so it is not for user namespaces); until the engine opens
//! the link all frames go on to the kernel's stack. To open takes no privilege but for the limit of
//! locked memory.
//!
//! **Sleep.** As for AF_PACKET: a thread of the link waits in the kernel, and rings.
//!
//! **Ends.** A device that is down receives nothing until it is up again. One that is taken away ends
//! the queues with [`AfXdpError::Removed`].
//!
//! ```no_run
//! use corelane_io::af_xdp::{AfXdpConfig, AfXdpLink};
//!
//! let link = AfXdpLink::new(AfXdpConfig {
//!     name: "veth0".to_owned(),
//!     queues: 1,
//!     ..AfXdpConfig::default()
//! })?;
//! println!("native: {}", link.is_native());
//! let counters = link.counters();
//! println!("{:?}", counters.read());
//! # Ok::<(), corelane_io::af_xdp::AfXdpError>(())
//! ```

mod counters;
mod error;
mod queue;

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corelane_engine::link::{Link, LinkError, Queues};
use corelane_frame::{Pool, PoolConfig};
use corelane_sys::bpf::{AttachMode, Attached, Redirect, XskMap};
use corelane_sys::errno;
use corelane_sys::interface::InterfaceName;
use corelane_sys::packet::PacketSocket;
use corelane_sys::xdp::{CopyMode, Layout, RingSizes, Umem, XdpRx, XdpSocket, XdpTx};
use corelane_wire::{ETHERNET_HEADER_LEN, MacAddr};

use crate::device::{
    self, Changes, Counts, Ethernet, Health, PartialWatch, VLAN_TAG_LEN, Watch, Word,
    queue_counters, random_mac,
};

pub use counters::AfXdpCounters;
pub use error::AfXdpError;
use queue::{QueueRx, QueueTx};

/// The most queues of an AF_XDP link.
pub const MAX_QUEUES: usize = 256;

/// The longest frame that fits the page that the kernel uses of a slot, behind what it leaves free.
const LONGEST: usize = 3_840;

/// What a device takes beyond its MTU, in bytes: the header, and a tag.
const BEYOND_MTU: usize = ETHERNET_HEADER_LEN + VLAN_TAG_LEN;

/// Frames that a pool has beyond what the rings hold, for the others.
const SPARE: usize = 256;

/// What counting the queues of a device is called in an error.
const COUNT_QUEUES: &str = "count its queues";

/// How long the kernel may take to give up a queue after its socket was closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the XDP program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver if it can, otherwise behind it.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// Behind the driver.
    Generic,
}

/// Whether the driver works on the frame pool itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZeroCopy {
    /// If it can and the pool's slots are packed; otherwise it copies.
    #[default]
    Auto,
    /// It has to.
    Require,
    /// It copies.
    Off,
}

/// What an AF_XDP link is like.
#[derive(Clone, Debug)]
pub struct AfXdpConfig {
    /// The name of the device.
    pub name: String,
    /// Queues, 1 to [`MAX_QUEUES`]: as many as the device has. An engine with as many workers, or
    /// one, polls them best.
    pub queues: usize,
    /// Where the program runs.
    pub mode: XdpMode,
    /// Whether the driver works on the frame pool itself.
    pub zero_copy: ZeroCopy,
    /// Frames that the kernel has to receive into, for each queue; rounded up to a power of two.
    pub ring: usize,
    /// Frames that it has to send at most, for each queue; rounded up to a power of two.
    pub send_ring: usize,
}

impl Default for AfXdpConfig {
    /// `eth0`, one queue, native and zero-copy where they are to be had, 4096 frames to receive and
    /// 1024 to send.
    fn default() -> Self {
        Self {
            name: "eth0".to_owned(),
            queues: 1,
            mode: XdpMode::Auto,
            zero_copy: ZeroCopy::Auto,
            ring: 4096,
            send_ring: 1024,
        }
    }
}

/// A link made of AF_XDP sockets: see the [module](self).
#[derive(Debug)]
pub struct AfXdpLink {
    name: InterfaceName,
    /// What [`Link::name`] answers.
    text: String,
    index: c_int,
    /// The engine's.
    mac: MacAddr,
    /// The kernel's.
    device_mac: MacAddr,
    mtu: usize,
    sizes: RingSizes,
    zero_copy: ZeroCopy,
    counters: AfXdpCounters,
    device: Arc<OnDevice>,
    takes: Arc<Takes>,
    /// Gone once the link is open.
    closed: Option<Closed>,
    /// Ends after the queues.
    watch: Option<Watch>,
}

/// The program at work.
#[derive(Debug)]
struct OnDevice {
    map: Arc<XskMap>,
    native: bool,
    _program: Attached,
}

/// The longest frame that the device takes, as of what was last heard of it. The kernel does not look, and drivers
/// may lose what is longer without a word.
#[derive(Debug)]
struct Takes(AtomicUsize);

impl Takes {
    /// At this MTU of the device.
    fn at(mtu: usize) -> Self {
        Self(AtomicUsize::new(longest_at(mtu)))
    }

    /// It has this MTU by now.
    fn hear(&self, mtu: usize) {
        self.0.store(longest_at(mtu), Ordering::Relaxed);
    }

    /// In bytes.
    #[inline]
    fn longest(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The longest frame that a device of this MTU takes, in bytes: beyond that of a slot, none does.
fn longest_at(mtu: usize) -> usize {
    (mtu + BEYOND_MTU).min(LONGEST)
}

#[derive(Debug)]
struct Closed {
    sockets: Vec<XdpSocket>,
    sentries: Vec<PacketSocket>,
    counts: Vec<(Counts, Counts)>,
    /// None where there is no such word, or an earlier try has used it up.
    changes: Option<Changes>,
}

/// How many queues a device receives by, which a link on it has to have: 1 where its driver does not tell.
///
/// # Errors
/// There is no such device.
pub fn queues_of(name: &str) -> Result<usize, AfXdpError> {
    let name: InterfaceName = name.parse()?;
    let ethernet = Ethernet::ask(name).map_err(|why| AfXdpError::unknown(name, why))?;
    let told = ethernet.interface.receive_queues();
    let told = told.map_err(|source| AfXdpError::system(name, COUNT_QUEUES, source))?;
    Ok(told.map_or(1, |queues| queues as usize))
}

impl AfXdpLink {
    /// Opens the sockets and attaches the program. Nothing is received yet.
    ///
    /// # Errors
    /// [`AfXdpError`].
    pub fn new(config: AfXdpConfig) -> Result<Self, AfXdpError> {
        let AfXdpConfig {
            name,
            queues,
            mode,
            zero_copy,
            ring,
            send_ring,
        } = config;
        if !(1..=MAX_QUEUES).contains(&queues) {
            return Err(AfXdpError::Queues { queues });
        }
        let sizes = RingSizes::new(ring, send_ring);
        let sizes = sizes.ok_or(AfXdpError::RingSize { ring, send_ring })?;
        let name: InterfaceName = name.parse()?;
        let system = |what| move |source| AfXdpError::system(name, what, source);
        let changes = Changes::of(name).ok();
        let Ethernet {
            interface,
            index,
            mtu: device_mtu,
            mac: device_mac,
        } = Ethernet::ask(name).map_err(|why| AfXdpError::unknown(name, why))?;
        let has = interface.receive_queues().map_err(system(COUNT_QUEUES))?;
        if let Some(device) = has
            && device as usize != queues
        {
            return Err(AfXdpError::OtherQueues {
                name: name.to_string(),
                device,
                queues,
            });
        }
        let sockets: io::Result<_> = (0..queues).map(|_| XdpSocket::new()).collect();
        let sockets = sockets.map_err(system("open an AF_XDP socket"))?;
        let sentries: io::Result<_> = (0..queues).map(|_| sentry(index)).collect();
        let sentries = sentries.map_err(system("make it promiscuous"))?;
        let map = XskMap::new(queues as u32).map_err(system("make a map of sockets"))?;
        let program = Redirect::load(&map).map_err(system("load an XDP program"))?;
        let (program, native) = attach(&program, name, index, device_mtu, mode)?;
        let (counts, counters) = queue_counters(queues);
        Ok(Self {
            name,
            text: name.to_string(),
            index,
            mac: random_mac(),
            device_mac,
            mtu: longest_at(device_mtu) - BEYOND_MTU,
            takes: Arc::new(Takes::at(device_mtu)),
            sizes,
            zero_copy,
            counters: AfXdpCounters::new(counters),
            device: Arc::new(OnDevice {
                map: Arc::new(map),
                native,
                _program: program,
            }),
            closed: Some(Closed {
                sockets,
                sentries,
                counts,
                changes,
            }),
            watch: None,
        })
    }

    /// The link address of the device: the kernel's.
    pub fn device_mac(&self) -> MacAddr {
        self.device_mac
    }

    /// Whether the program runs in the driver.
    pub fn is_native(&self) -> bool {
        self.device.native
    }

    /// Reads what the link and the kernel count, also while an engine has the link.
    pub fn counters(&self) -> AfXdpCounters {
        self.counters.clone()
    }

    /// What the pool is to the kernel, and how it is used.
    fn layout(&self, pool: &PoolConfig, held: usize) -> Result<(Layout, CopyMode), AfXdpError> {
        let &PoolConfig {
            slots,
            slot_size,
            headroom,
            ..
        } = pool;
        let layout = Layout::of(pool).ok_or(AfXdpError::Slots {
            slot_size,
            headroom,
        })?;
        let at_least = held + SPARE;
        if slots < at_least {
            return Err(AfXdpError::PoolTooSmall {
                name: self.text.clone(),
                held,
                slots,
                at_least,
            });
        }
        let mode = match self.zero_copy {
            ZeroCopy::Require if !layout.is_aligned() => {
                return Err(AfXdpError::NotPacked {
                    slot_size,
                    stride: pool.stride(),
                });
            }
            ZeroCopy::Require => CopyMode::ZeroCopy,
            ZeroCopy::Auto if layout.is_aligned() && self.is_native() => CopyMode::Any,
            ZeroCopy::Auto | ZeroCopy::Off => CopyMode::Copy,
        };
        Ok((layout, mode))
    }

    /// Gives the sockets their memory, rings and queues, and frames to receive into.
    fn connect(
        &self,
        sockets: Vec<XdpSocket>,
        pool: &Pool,
        layout: Layout,
        mode: CopyMode,
    ) -> Result<Vec<(XdpRx, XdpTx)>, AfXdpError> {
        let system = |what| move |source| AfXdpError::system(self.name, what, source);
        let mut umem: Option<Umem> = None;
        let mut halves = Vec::new();
        let mut cache = pool.cache();
        for (queue, socket) in sockets.into_iter().enumerate() {
            let memory = match umem.take() {
                Some(memory) => memory,
                None => socket
                    .register(pool, layout)
                    .map_err(|source| AfXdpError::memory(self.name, pool.arena().len(), source))?,
            };
            let mut unbound = socket
                .map_rings(self.sizes)
                .map_err(system("make its rings"))?;
            let deadline = Instant::now() + PATIENCE;
            let (mut rx, tx) = loop {
                match unbound.bind(&memory, self.index, queue as u32, mode) {
                    Ok(bound) => break bound,
                    // The kernel gives up a queue some time after its socket is closed.
                    Err((again, error))
                        if device::errno(&error) == errno::EBUSY && Instant::now() < deadline =>
                    {
                        unbound = *again;
                        thread::sleep(Duration::from_millis(1));
                    }
                    Err((_, error)) => return Err(AfXdpError::bind(self.name, queue, error)),
                }
            };
            while rx.lent() < self.sizes.receive() && rx.refill(&mut cache) {}
            umem = Some(memory);
            halves.push((rx, tx));
        }
        for (queue, (rx, _)) in halves.iter().enumerate() {
            rx.enter(&self.device.map, queue as u32)
                .map_err(system("give it the frames of a queue"))?;
        }
        Ok(halves)
    }
}

/// A socket that takes nothing in, makes the device promiscuous, and is told what becomes of it.
fn sentry(index: c_int) -> io::Result<PacketSocket> {
    let socket = PacketSocket::new()?;
    socket.set_deaf(true)?;
    socket.ignore_outgoing()?;
    socket.bind(index)?;
    socket.join_promiscuous(index)?;
    Ok(socket)
}

/// Attaches the program, and tells whether in the driver.
fn attach(
    program: &Redirect,
    name: InterfaceName,
    index: c_int,
    mtu: usize,
    mode: XdpMode,
) -> Result<(Attached, bool), AfXdpError> {
    if mode != XdpMode::Generic {
        let native = program.attach(index, AttachMode::Native);
        match native.map_err(|source| AfXdpError::native(name, mtu, source)) {
            Ok(attached) => return Ok((attached, true)),
            Err(
                AfXdpError::Mtu { .. } | AfXdpError::NotNative { .. } | AfXdpError::System { .. },
            ) if mode == XdpMode::Auto => {}
            Err(error) => return Err(error),
        }
    }
    let generic = program.attach(index, AttachMode::Generic);
    let attached = generic.map_err(|source| AfXdpError::attach(name, source))?;
    Ok((attached, false))
}

impl Link for AfXdpLink {
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

    /// What the rings hold.
    fn holds(&self) -> usize {
        let queues = self.closed.as_ref().map_or(0, |it| it.counts.len());
        queues * self.sizes.frames()
    }

    /// After an error it may be tried again while the privilege is there: it takes new sockets.
    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError> {
        let refused = |error| LinkError::new(self.text.clone(), error);
        let (layout, mode) = self.layout(pool.config(), self.holds()).map_err(refused)?;
        let Some(mut closed) = self.closed.take() else {
            return Err(LinkError::already_open(&self.text));
        };
        match self.open_sockets(&mut closed, pool, layout, mode) {
            Ok((halves, watch)) => {
                let queues = self.queues(closed, halves, &watch);
                self.watch = Some(watch);
                Ok(queues)
            }
            Err(error) => {
                self.closed = Some(closed);
                Err(LinkError::new(self.text.clone(), error))
            }
        }
    }
}

impl AfXdpLink {
    fn open_sockets(
        &self,
        closed: &mut Closed,
        pool: &Pool,
        layout: Layout,
        mode: CopyMode,
    ) -> Result<(Vec<(XdpRx, XdpTx)>, Watch), AfXdpError> {
        let system = |what| move |source| AfXdpError::system(self.name, what, source);
        let mut sockets = std::mem::take(&mut closed.sockets);
        // Those of an earlier try are gone.
        while sockets.len() < closed.counts.len() {
            sockets.push(XdpSocket::new().map_err(system("open an AF_XDP socket"))?);
        }
        let halves = self.connect(sockets, pool, layout, mode)?;
        let sockets = halves.iter().map(|(rx, _)| rx.as_fd());
        let sentries = closed.sentries.iter().map(AsFd::as_fd);
        let watched: Vec<_> = sockets.chain(sentries).collect();
        let word = closed.changes.take().map(|changes| {
            let takes = Arc::clone(&self.takes);
            let mtu = Box::new(move |mtu| takes.hear(mtu));
            Word { changes, mtu }
        });
        let watch = Watch::new(&self.text, watched.into_iter(), word);
        Ok((halves, watch.map_err(system("watch it"))?))
    }

    fn queues(&self, closed: Closed, halves: Vec<(XdpRx, XdpTx)>, watch: &Watch) -> Queues {
        let mut open = Queues {
            rx: Vec::new(),
            tx: Vec::new(),
        };
        let zero_copy = halves.iter().all(|(rx, _)| rx.is_zero_copy());
        let probes = halves.iter().map(|(rx, _)| rx.probe());
        self.counters.opened(probes, zero_copy);
        let count = halves.len();
        let Closed {
            sentries, counts, ..
        } = closed;
        let queues = halves.into_iter().zip(sentries).zip(counts);
        for (number, (((socket, sender), sentry), (rx, tx))) in queues.enumerate() {
            let unsent = Arc::<AtomicBool>::default();
            open.rx.push(Box::new(QueueRx {
                link: self.text.clone(),
                number,
                socket,
                sentry,
                waker: watch.waker(number),
                sentry_waker: watch.waker(count + number),
                health: Health::default(),
                counts: rx,
                counters: self.counters.clone(),
                partial: PartialWatch::default(),
                unsent: Arc::clone(&unsent),
                copies: !zero_copy,
                _device: Arc::clone(&self.device),
            }));
            open.tx.push(Box::new(QueueTx {
                link: self.text.clone(),
                socket: sender,
                counts: tx,
                takes: Arc::clone(&self.takes),
                copies: !zero_copy,
                down: false,
                unsent,
                _device: Arc::clone(&self.device),
            }));
        }
        open
    }
}

/// The error that ends a queue.
#[cold]
fn failed(link: &str, what: &'static str, source: io::Error) -> LinkError {
    let error = match device::errno(&source) {
        errno::ENXIO | errno::ENODEV => AfXdpError::Removed,
        _ => AfXdpError::System {
            name: link.to_owned(),
            what,
            source,
        },
    };
    LinkError::new(link, error)
}
