//! TAP: a network device of this machine whose other end is the engine.
//!
//! ```text
//!   kernel's stack ── tap0 ═══ queue per worker ═══ TapLink ── NIC
//!   192.0.2.1          its own link address         another    192.0.2.2
//! ```
//!
//! The kernel is the engine's neighbor: it resolves, pings and routes to the engine's addresses as to
//! those of any host on a wire.
//!
//! **Queues.** With one for each worker, the kernel spreads flows over them by a hash; a flow that was
//! answered then comes by the queue that its answers went by. A worker that answers keeps its flows so.
//! What other threads send, by sockets and routes, goes by the first worker's queue, and such flows
//! gather there.
//!
//! **Made early.** [`TapLink::new`] makes the device, or attaches to one that was made to stay (`ip
//! tuntap add`), and brings it up: what the device is like is known before the engine is built, and
//! privileges can be dropped before the engine starts. The device is of the network namespace of the
//! calling thread. One that the link made goes with it.
//!
//! **Privilege.** CAP_NET_ADMIN in the network namespace. `unshare -rn` gives anyone a namespace of
//! their own with it; a device that root made for a user (`ip tuntap add dev tap0 mode tap
//! multi_queue user USER`, then `ip link set tap0 up`) needs none.
//!
//! **Offloads.** Each frame has a virtio-net header, which says what is left to do with it, both ways
//! ([`Frame::offload`](corelane_frame::Frame::offload)). The kernel may leave transport checksums to this
//! side; and, if the pool's slots are [large enough](Link::longest_frame), super-frames of TCP and (from
//! Linux 6.2 on) UDP, of up to 64 KiB: with smaller ones it cuts what it sends to the MTU itself. The
//! engine leaves both to the kernel, which passes them on undone to whom that is enough for.
//!
//! **System calls.** One for each frame, each way: there are no others for a TAP.
//!
//! **Sleep.** A queue rings when frames arrive, through a thread of the link that waits in the kernel
//! and does nothing while the workers are awake.
//!
//! **Ends.** A device that is taken away (`ip link del`) ends the queues with
//! [`TapError::Removed`]. One that is set down receives nothing and takes nothing until it is up
//! again.
//!
//! ```no_run
//! use corelane_io::tap::{TapConfig, TapLink};
//!
//! let link = TapLink::new(TapConfig {
//!     name: "tap0".to_owned(),
//!     queues: 2,
//!     ..TapConfig::default()
//! })?;
//! println!("the kernel's end is {}", link.device_mac());
//! # Ok::<(), corelane_io::tap::TapError>(())
//! ```

mod error;
mod queue;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use corelane_engine::link::{Link, LinkError, Queues};
use corelane_frame::{Pool, PoolConfig};
use corelane_sys::interface::{Interface, InterfaceName};
use corelane_sys::tap::{MAX_TAP_QUEUES, TapQueue, Unattached};
use corelane_wire::{ETHERNET_HEADER_LEN, MacAddr, Offloads};

use crate::device::{
    Counts, QueueCounters, SUPER_FRAME, VLAN_TAG_LEN, Watch, queue_counters, random_mac,
};

pub use error::TapError;
use queue::{TapRx, TapTx};

/// The most queues of a TAP link.
pub const MAX_QUEUES: usize = MAX_TAP_QUEUES;

/// What a TAP link is like.
#[derive(Clone, Debug)]
pub struct TapConfig {
    /// The name of the device. `%d` in it stands for the first number that is free.
    pub name: String,
    /// Queues, 1 to [`MAX_QUEUES`]: as many as the engine has workers, or one.
    pub queues: usize,
    /// Whether to take super-frames, and to give them.
    pub super_frames: bool,
}

impl Default for TapConfig {
    /// `tap%d`, one queue, with super-frames.
    fn default() -> Self {
        Self {
            name: "tap%d".to_owned(),
            queues: 1,
            super_frames: true,
        }
    }
}

/// A link made of a TAP device: see the [module](self).
#[derive(Debug)]
pub struct TapLink {
    name: String,
    /// The engine's.
    mac: MacAddr,
    /// The kernel's.
    device_mac: MacAddr,
    mtu: usize,
    super_frames: bool,
    counters: TapCounters,
    /// Gone once the link is open.
    closed: Option<Closed>,
    /// Ends after the queues.
    watch: Watch,
}

#[derive(Debug)]
struct Closed {
    queues: Vec<Arc<TapQueue>>,
    counts: Vec<(Counts, Counts)>,
}

impl TapLink {
    /// Makes the device, or attaches to it, and brings it up.
    ///
    /// # Errors
    /// [`TapError`].
    pub fn new(config: TapConfig) -> Result<Self, TapError> {
        let TapConfig {
            name,
            queues: count,
            super_frames,
        } = config;
        if !(1..=MAX_QUEUES).contains(&count) {
            return Err(TapError::Queues { queues: count });
        }
        let (name, queues) = attach(&name.parse()?, count)?;
        let system = |what| move |source| TapError::system(name, what, source);
        let interface = Interface::new(name).map_err(system("ask about it"))?;
        let mtu = interface.mtu().map_err(system("read its MTU"))?;
        let device_mac = interface.mac().map_err(system("read its link address"))?;
        interface.bring_up().map_err(system("bring it up"))?;
        let watch = Watch::new(
            name.as_str(),
            queues.iter().map(|queue| queue.as_fd()),
            None,
        )
        .map_err(system("watch it"))?;
        let (counts, counters) = queue_counters(count);
        Ok(Self {
            name: name.to_string(),
            mac: random_mac(),
            device_mac: MacAddr(device_mac.unwrap_or_default()),
            mtu,
            super_frames,
            counters: TapCounters(counters),
            closed: Some(Closed { queues, counts }),
            watch,
        })
    }

    /// The link address of the kernel's end.
    pub fn device_mac(&self) -> MacAddr {
        self.device_mac
    }

    /// Reads what the link counts, also while an engine has it.
    pub fn counters(&self) -> TapCounters {
        self.counters.clone()
    }
}

impl TapLink {
    /// Has the kernel leave super-frames to this side if there is room for them; what may be left to it.
    fn offloads(&self, pool: &Pool, queues: &[Arc<TapQueue>]) -> Offloads {
        let mut offloads = Offloads {
            checksum: true,
            ..Offloads::NONE
        };
        let PoolConfig {
            slot_size,
            headroom,
            ..
        } = *pool.config();
        if !self.super_frames {
            return offloads;
        }
        // What the kernel takes from here does not depend on what it leaves to this side.
        (offloads.tcp_v4, offloads.tcp_v6) = (true, true);
        // Any queue will do: it holds for the device. Without, the kernel cuts what it sends.
        if let Some(queue) = queues.first()
            && slot_size - headroom >= SUPER_FRAME
        {
            offloads.udp = queue.take_super_frames().unwrap_or(false);
        }
        offloads
    }
}

/// The queues of a device, and its name, which is known in full only then.
fn attach(
    name: &InterfaceName,
    count: usize,
) -> Result<(InterfaceName, Vec<Arc<TapQueue>>), TapError> {
    let mut multi_queue = count > 1;
    let mut name = *name;
    let mut queues = Vec::new();
    while queues.len() < count {
        let queue = Unattached::open().map_err(TapError::open)?;
        let attached = match queue.attach(&name, multi_queue) {
            // A device that was made for several queues may have one in use.
            Err(error) if is_invalid(&error) && count == 1 && !multi_queue => {
                multi_queue = true;
                queue.attach(&name, multi_queue)
            }
            attached => attached,
        };
        name = attached.map_err(|error| TapError::attach(name, queues.len(), error))?;
        let queue = queue.into_queue();
        let queue = queue.map_err(|error| TapError::system(name, "set its offloads", error))?;
        queues.push(Arc::new(queue));
    }
    Ok((name, queues))
}

fn is_invalid(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

impl Link for TapLink {
    fn name(&self) -> &str {
        &self.name
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

    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError> {
        let Some(Closed { queues, counts }) = self.closed.take() else {
            return Err(LinkError::already_open(&self.name));
        };
        let offloads = self.offloads(pool, &queues);
        let mut open = Queues {
            rx: Vec::new(),
            tx: Vec::new(),
        };
        for (number, (queue, (rx, tx))) in queues.into_iter().zip(counts).enumerate() {
            open.rx.push(Box::new(TapRx {
                link: self.name.clone(),
                queue: Arc::clone(&queue),
                waker: self.watch.waker(number),
                counts: rx,
            }));
            open.tx.push(Box::new(TapTx {
                link: self.name.clone(),
                queue,
                offloads,
                counts: tx,
            }));
        }
        Ok(open)
    }
}

/// Reads what a [`TapLink`] counts, from any thread.
#[derive(Clone, Debug)]
pub struct TapCounters(QueueCounters);

impl TapCounters {
    /// The counters by name:
    /// - received and dropped: `too_long` for a buffer of the pool, `offload_invalid`: not what the
    ///   kernel said of them;
    /// - received undone: `super_frames_received`, and `partial_checksums` of other frames;
    /// - sent undone: `super_frames_sent`;
    /// - `buffer_waits`: bursts cut short because the pool had no more buffers;
    /// - `send_waits`: bursts cut short because the device had no room or was down, `send_refused`:
    ///   frames that it does not take. The engine counts both as `send_dropped`.
    ///
    /// What the kernel dropped since a queue was full it counts itself, as dropped on transmit
    /// (`ip -s link`).
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        let mut all = self.0.read();
        // The kernel puts tags back itself, and cuts super-frames that there is no room for.
        all.retain(|&(name, _)| !matches!(name, "vlan_tags_restored" | "super_frames_dropped"));
        all
    }
}
