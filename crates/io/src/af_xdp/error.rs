//! What can go wrong with an AF_XDP link.

use std::io;

use corelane_sys::errno;
use corelane_sys::interface::{InterfaceName, NameError};
use corelane_sys::xdp::{MAX_CHUNK, MAX_RING, MIN_CHUNK};
use thiserror::Error;

use crate::device;

/// An AF_XDP link that could not be made, or broke.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AfXdpError {
    /// No network device can be called that.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No queue, or too many.
    #[error("an AF_XDP link has 1 to {} queues, not {queues}", super::MAX_QUEUES)]
    Queues {
        /// The number asked for.
        queues: usize,
    },
    /// No rings can be so large, or so small.
    #[error("rings of {ring} frames to receive and {send_ring} to send: each has 1 to {MAX_RING}")]
    RingSize {
        /// The frames asked for, to receive.
        ring: usize,
        /// The frames asked for, to send.
        send_ring: usize,
    },
    /// There is no such device.
    #[error("there is no network device '{name}' in this namespace: `ip link` lists them")]
    NoDevice {
        /// The name asked for.
        name: String,
    },
    /// Its frames have no Ethernet header.
    #[error("the frames of '{name}' have no Ethernet header: take an Ethernet device")]
    NotEthernet {
        /// The device.
        name: String,
    },
    /// The device has other queues than the link.
    #[error(
        "'{name}' receives by {device} queues, the link by {queues}: what comes by a queue of one and not \
         of the other is lost to the engine. Give the link {device}, or the device {queues} (`ethtool -L \
         {name} combined {queues}`; a veth is made with `numrxqueues {queues}`, and its peer with \
         `numtxqueues {queues}`)"
    )]
    OtherQueues {
        /// The device.
        name: String,
        /// Its queues.
        device: u32,
        /// Those of the link.
        queues: usize,
    },
    /// The device has no such queue.
    #[error("'{name}' has no queue {queue}: ask for as many as it has (`ethtool -l {name}`)")]
    NoQueue {
        /// The device.
        name: String,
        /// The queue, from 0.
        queue: usize,
    },
    /// The kernel was built without.
    #[error("this kernel has no AF_XDP sockets: it was built without CONFIG_XDP_SOCKETS")]
    Unsupported,
    /// The privilege is missing.
    #[error(
        "cannot {what} ('{name}'): {source}: AF_XDP takes CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF, and a \
         user namespace cannot give the last. Run as root, or give the program the capabilities (`setcap \
         cap_net_raw,cap_net_admin,cap_bpf,cap_ipc_lock+ep FILE`)"
    )]
    Permission {
        /// The device.
        name: String,
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The pool is more memory than the process may lock.
    #[error(
        "cannot lock the {} KiB of the frame pool for '{name}': {source}: raise the limit (`ulimit -l`, \
         LimitMEMLOCK= of a service), give the program CAP_IPC_LOCK, or make rings and pool smaller",
        bytes / 1024
    )]
    LockedMemory {
        /// The device.
        name: String,
        /// The bytes of the pool.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
    /// Another program is at work on the device.
    #[error(
        "'{name}' has an XDP program already: end what put it there (another AF_XDP link?), or take it \
         off (`ip link set {name} xdp off`)"
    )]
    Busy {
        /// The device.
        name: String,
    },
    /// Another socket has the queue.
    #[error("queue {queue} of '{name}' is another AF_XDP socket's: end the program that has it")]
    QueueBusy {
        /// The device.
        name: String,
        /// The queue, from 0.
        queue: usize,
    },
    /// The MTU is more than the driver takes with a program.
    #[error(
        "the driver of '{name}' runs no XDP program at an MTU of {mtu}: frames have to fit a page there \
         (on a veth, the peer's MTU counts, and has to be below 3,520). Lower it (`ip link set {name} \
         mtu 1500`), or take generic mode (XdpMode::Generic, `mode = \"generic\"`), which has no such limit"
    )]
    Mtu {
        /// The device.
        name: String,
        /// Its MTU.
        mtu: usize,
    },
    /// The driver runs no program.
    #[error(
        "the driver of '{name}' runs no XDP program: {source}: take generic mode (XdpMode::Generic, \
         `mode = \"generic\"`), or `auto`, which does where it has to"
    )]
    NotNative {
        /// The device.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The driver cannot do without copies.
    #[error(
        "no zero-copy on '{name}': {source}: its driver cannot. Take ZeroCopy::Auto, which does where it \
         can"
    )]
    NotZeroCopy {
        /// The device.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The pool's slots cannot be a device's memory without copies.
    #[error(
        "zero-copy takes frames that lie side by side in halves of pages or pages, not {slot_size} bytes, \
         {stride} apart: set PoolConfig::slot_size to {MIN_CHUNK} or {MAX_CHUNK} and PoolConfig::stride to \
         Stride::Packed"
    )]
    NotPacked {
        /// The pool's slot size.
        slot_size: usize,
        /// From slot to slot.
        stride: usize,
    },
    /// The pool's slots cannot be a device's memory.
    #[error(
        "AF_XDP takes frames of at least {MIN_CHUNK} bytes, of which the kernel uses the first {MAX_CHUNK} \
         at most: set PoolConfig::slot_size to {MIN_CHUNK} or more (it is {slot_size}) and \
         PoolConfig::headroom well below that (it is {headroom})"
    )]
    Slots {
        /// The pool's slot size.
        slot_size: usize,
        /// The pool's headroom.
        headroom: usize,
    },
    /// The rings would hold all of the pool.
    #[error(
        "the rings of '{name}' hold {held} frames, and the pool has {slots}: set PoolConfig::slots to \
         {at_least} at the least, or make the rings smaller"
    )]
    PoolTooSmall {
        /// The device.
        name: String,
        /// What the rings hold.
        held: usize,
        /// What the pool has.
        slots: usize,
        /// What it has to have.
        at_least: usize,
    },
    /// The device is gone.
    #[error("the device was removed while it was in use: end and begin again")]
    Removed,
    /// Anything else.
    #[error("cannot {what} ('{name}'): {source}")]
    System {
        /// The device.
        name: String,
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl AfXdpError {
    /// Why the device is not known.
    pub(super) fn unknown(name: InterfaceName, why: device::Unknown) -> Self {
        match why {
            device::Unknown::NotEthernet => Self::NotEthernet {
                name: name.to_string(),
            },
            device::Unknown::System(what, source) => Self::system(name, what, source),
        }
    }

    pub(super) fn system(name: InterfaceName, what: &'static str, source: io::Error) -> Self {
        let name = name.to_string();
        match device::errno(&source) {
            errno::ENODEV | errno::ENXIO => Self::NoDevice { name },
            errno::EPERM | errno::EACCES => Self::Permission { name, what, source },
            errno::EAFNOSUPPORT => Self::Unsupported,
            _ => Self::System { name, what, source },
        }
    }

    /// Why a program could not be attached in the driver.
    pub(super) fn native(name: InterfaceName, mtu: usize, source: io::Error) -> Self {
        match device::errno(&source) {
            errno::ERANGE => Self::Mtu {
                name: name.to_string(),
                mtu,
            },
            errno::EOPNOTSUPP => Self::NotNative {
                name: name.to_string(),
                source,
            },
            _ => Self::attach(name, source),
        }
    }

    /// Why a program could not be attached.
    pub(super) fn attach(name: InterfaceName, source: io::Error) -> Self {
        match device::errno(&source) {
            errno::EBUSY | errno::EEXIST => Self::Busy {
                name: name.to_string(),
            },
            _ => Self::system(name, "attach an XDP program", source),
        }
    }

    pub(super) fn memory(name: InterfaceName, bytes: usize, source: io::Error) -> Self {
        match device::errno(&source) {
            errno::ENOBUFS | errno::ENOMEM => Self::LockedMemory {
                name: name.to_string(),
                bytes,
                source,
            },
            _ => Self::system(name, "register the frame pool", source),
        }
    }

    pub(super) fn bind(name: InterfaceName, queue: usize, source: io::Error) -> Self {
        let text = name.to_string();
        match device::errno(&source) {
            errno::EINVAL => Self::NoQueue { name: text, queue },
            errno::EBUSY => Self::QueueBusy { name: text, queue },
            errno::EOPNOTSUPP => Self::NotZeroCopy { name: text, source },
            _ => Self::system(name, "bind to it", source),
        }
    }
}
