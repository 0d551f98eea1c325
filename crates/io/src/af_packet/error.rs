//! What can go wrong with an AF_PACKET link.

use std::io;

use corelane_sys::errno;
use corelane_sys::interface::{InterfaceName, NameError};
use thiserror::Error;

use crate::device;

/// An AF_PACKET link that could not be made, or broke.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AfPacketError {
    /// No network device can be called that.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No queue, or too many.
    #[error(
        "an AF_PACKET link has 1 to {} queues, not {queues}",
        super::MAX_QUEUES
    )]
    Queues {
        /// The number asked for.
        queues: usize,
    },
    /// No ring can be so large, or so small.
    #[error("a receive ring of {frames} frames: it must be at least 1 and at most 1 GiB in all")]
    RingSize {
        /// The frames asked for.
        frames: usize,
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
    /// The privilege is missing.
    #[error(
        "no AF_PACKET socket for '{name}': {source}: it takes CAP_NET_RAW. Run as root, give the \
         program the capability (`setcap cap_net_raw+ep FILE`), or run in a namespace of your own \
         (`unshare -rn`)"
    )]
    Permission {
        /// The device.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no memory for a receive ring.
    #[error(
        "no memory for a receive ring of {} KiB ('{name}'): ask for fewer frames or queues", bytes / 1024
    )]
    NoMemory {
        /// The device.
        name: String,
        /// The bytes asked for.
        bytes: usize,
    },
    /// The queues cannot share the device's frames.
    #[error(
        "the queues of '{name}' cannot share its frames (PACKET_FANOUT): {source}: older kernels want \
         the device up: `ip link set {name} up`"
    )]
    Fanout {
        /// The device.
        name: String,
        /// What the system said.
        source: io::Error,
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

impl AfPacketError {
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
            errno::EPERM | errno::EACCES => Self::Permission { name, source },
            _ => Self::System { name, what, source },
        }
    }

    /// Why a ring of so many bytes was not made.
    pub(super) fn ring(name: InterfaceName, bytes: usize, source: io::Error) -> Self {
        match device::errno(&source) {
            errno::ENOMEM => Self::NoMemory {
                name: name.to_string(),
                bytes,
            },
            _ => Self::system(name, "make its receive ring", source),
        }
    }

    pub(super) fn fanout(name: InterfaceName, source: io::Error) -> Self {
        let name = name.to_string();
        Self::Fanout { name, source }
    }
}
