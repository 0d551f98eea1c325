//! The system calls of real links, as small safe types. Linux only.
//!
//! - [`tap`]: a queue of a TAP device.
//! - [`packet`]: AF_PACKET sockets and their receive rings.
//! - [`xdp`]: AF_XDP sockets, their rings and their memory; [`bpf`]: the program that feeds them.
//! - [`interface`]: what a network device is called and what can be asked of it.
//! - [`link_changes`]: word that something changed of network devices.
//! - [`vnet`]: the header by which the kernel says what it left to the hardware.
//! - [`epoll`]: waiting for many descriptors, and waking who waits.
//!
//! This crate knows nothing of links, and of frames only what [`xdp`] has to, since the kernel writes
//! to them, and what [`vnet`] says of them: it turns arguments into system calls and their results into
//! [`io::Error`](std::io::Error). Nothing here blocks but
//! [`Epoll::wait`](epoll::Epoll::wait) and [`LinkChanges::wait`](link_changes::LinkChanges::wait), and nothing allocates once it is made.
//!
//! Descriptors belong to the network namespace of the thread that opened them, and stay there.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "corelane-sys wraps system calls of Linux: leave it out on other systems, as corelane-io does"
);

pub mod bpf;
mod call;
pub mod epoll;
pub mod interface;
pub mod link_changes;
pub mod packet;
pub mod tap;
pub mod vnet;
pub mod xdp;

/// The numbers of errors that a link tells apart, as [`io::Error::raw_os_error`] has them.
///
/// [`io::Error::raw_os_error`]: std::io::Error::raw_os_error
pub mod errno {
    pub use libc::{
        E2BIG, EACCES, EAFNOSUPPORT, EAGAIN, EBADFD, EBUSY, EEXIST, EINVAL, EIO, EMSGSIZE,
        ENETDOWN, ENOBUFS, ENODEV, ENOENT, ENOMEM, ENXIO, EOPNOTSUPP, EPERM, ERANGE,
    };
}
