//! What can go wrong with a TAP.

use std::io;

use corelane_sys::errno;
use corelane_sys::interface::{Interface, InterfaceName, NameError};
use thiserror::Error;

use crate::device;

/// A TAP link that could not be made, or broke.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TapError {
    /// No network device can be called that.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No queue, or too many.
    #[error("a TAP link has 1 to {} queues, not {queues}", super::MAX_QUEUES)]
    Queues {
        /// The number asked for.
        queues: usize,
    },
    /// The kernel's TAP driver is not there.
    #[error(
        "/dev/net/tun: {source}: load the driver (`modprobe tun`); a container needs the device \
         passed in (`--device /dev/net/tun`)"
    )]
    NoDriver {
        /// What the system said.
        source: io::Error,
    },
    /// The kernel's TAP driver may not be used.
    #[error(
        "/dev/net/tun may not be opened by this user: {source}: `chmod 666 /dev/net/tun`, which is what \
         most systems have, or run as root"
    )]
    DriverPermission {
        /// What the system said.
        source: io::Error,
    },
    /// The privilege is missing.
    #[error(
        "the TAP '{name}' cannot be {what}: {source}: it takes CAP_NET_ADMIN. Run as root, or in a \
         namespace of your own (`unshare -rn`), or have root make it for you: `ip tuntap add dev \
         {name} mode tap multi_queue user $USER; ip link set {name} up`"
    )]
    Permission {
        /// The device.
        name: String,
        /// What was to be done with it.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Its one queue is in use.
    #[error(
        "the TAP '{name}' is in use and has one queue: end the program that has it, or take another name"
    )]
    Busy {
        /// The device.
        name: String,
    },
    /// All queues are in use.
    #[error("the TAP '{name}' takes no more queues after {attached} of this link: ask for fewer")]
    NoMoreQueues {
        /// The device.
        name: String,
        /// Those that it took.
        attached: usize,
    },
    /// A device of this name that is something else.
    #[error(
        "there is a device '{name}', and it is no TAP: take another name, or another kind of link, which takes a \
         device as it is (AF_PACKET, `kind = \"af_packet\"`, or AF_XDP)"
    )]
    NotTap {
        /// The device.
        name: String,
    },
    /// It was made for one queue.
    #[error(
        "the TAP '{name}' has one queue: ask for one, or make it anew with more (`ip tuntap add dev {name} mode tap \
         multi_queue`)"
    )]
    OneQueue {
        /// The device.
        name: String,
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

impl TapError {
    /// The driver's device did not open.
    pub(super) fn open(source: io::Error) -> Self {
        match device::errno(&source) {
            errno::ENOENT | errno::ENODEV | errno::ENXIO => Self::NoDriver { source },
            errno::EPERM | errno::EACCES => Self::DriverPermission { source },
            _ => Self::System {
                name: corelane_sys::tap::TUN_DEVICE.to_owned(),
                what: "open the TAP driver",
                source,
            },
        }
    }

    /// A queue could not be attached, after so many that could.
    pub(super) fn attach(name: InterfaceName, attached: usize, source: io::Error) -> Self {
        let device = name.to_string();
        match device::errno(&source) {
            errno::EPERM | errno::EACCES => Self::Permission {
                name: device,
                what: "attached to",
                source,
            },
            errno::EBUSY => Self::Busy { name: device },
            errno::E2BIG => Self::NoMoreQueues {
                name: device,
                attached,
            },
            errno::EINVAL => match Interface::new(name).and_then(|there| there.is_tap()) {
                Ok(true) => Self::OneQueue { name: device },
                Ok(false) => Self::NotTap { name: device },
                // It is gone by now.
                Err(_) => Self::system(name, "attach to it", source),
            },
            _ => Self::system(name, "attach to it", source),
        }
    }

    pub(super) fn system(name: InterfaceName, what: &'static str, source: io::Error) -> Self {
        let name = name.to_string();
        match device::errno(&source) {
            errno::EPERM | errno::EACCES => Self::Permission {
                name,
                what: "set up",
                source,
            },
            _ => Self::System { name, what, source },
        }
    }
}
