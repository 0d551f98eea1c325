//! TAP devices: network devices whose other end is a descriptor.

use std::ffi::{c_int, c_short, c_uint};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use corelane_wire::Offload;

use crate::call::{check, check_size};
use crate::interface::InterfaceName;
use crate::vnet::{VNET_HEADER_LEN, VnetHeader};

/// The device that TAPs are made through.
pub const TUN_DEVICE: &str = "/dev/net/tun";

/// The most queues of a TAP.
pub const MAX_TAP_QUEUES: usize = 256;

/// A descriptor of TAP devices that is not yet a queue of one.
#[derive(Debug)]
pub struct Unattached(OwnedFd);

impl Unattached {
    /// Opens [`TUN_DEVICE`].
    ///
    /// # Errors
    /// It is not there, or may not be opened.
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(TUN_DEVICE)?;
        Ok(Self(file.into()))
    }

    /// Becomes a queue of the TAP of this name, which is made if it is not there; `%d` in the name
    /// stands for the first number that is free. The device goes with its last queue, unless it was
    /// made to stay. `multi_queue` has to be what the device was made with.
    ///
    /// # Errors
    /// `EPERM`: the privilege to make or attach is missing; `EBUSY`: its one queue is taken; `E2BIG`:
    /// all of its queues are; `EINVAL`: there is a device of this name, and it is no TAP, or differs
    /// in `multi_queue`.
    pub fn attach(&self, name: &InterfaceName, multi_queue: bool) -> io::Result<InterfaceName> {
        let mut flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        if multi_queue {
            flags |= libc::IFF_MULTI_QUEUE;
        }
        let mut request = name.request();
        request.ifr_ifru.ifru_flags = flags as c_short;
        // SAFETY: the kernel reads and writes an `ifreq` during the call.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
        Ok(InterfaceName::of(&request))
    }

    /// Says that each frame has a virtio-net header, and that the kernel may leave checksums to this
    /// side, and no more, which holds for the device.
    ///
    /// # Errors
    /// The descriptor is not attached.
    pub fn into_queue(self) -> io::Result<TapQueue> {
        let header = VNET_HEADER_LEN as c_int;
        // SAFETY: the kernel reads an `int` during the call.
        check(unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const header)
        })?;
        let queue = TapQueue(self.0);
        queue.set_offloads(libc::TUN_F_CSUM)?;
        Ok(queue)
    }
}

/// A queue of a TAP. It does not block.
#[derive(Debug)]
pub struct TapQueue(OwnedFd);

/// A frame that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its bytes in the buffer.
    pub len: usize,
    /// Whether the buffer was too small: what did not fit is lost.
    pub is_cut: bool,
    /// What is left to do with it.
    pub header: VnetHeader,
}

impl TapQueue {
    /// Lets the kernel leave super-frames to this side too, of up to 64 KiB, which holds for the device.
    /// Returns whether those of UDP are among them, which kernels before 6.2 do not know.
    ///
    /// # Errors
    /// None in a kernel of our time.
    pub fn take_super_frames(&self) -> io::Result<bool> {
        let tcp = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
        match self.set_offloads(tcp | libc::TUN_F_USO4 | libc::TUN_F_USO6) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                self.set_offloads(tcp).map(|()| false)
            }
            set => set.map(|()| true),
        }
    }

    fn set_offloads(&self, offloads: c_uint) -> io::Result<()> {
        // SAFETY: a call without pointers.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TUNSETOFFLOAD, offloads) }).map(drop)
    }

    /// Receives a frame.
    ///
    /// # Errors
    /// `EAGAIN`: there is none; `EBADFD`: the device is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut header = [0; VNET_HEADER_LEN];
        // The kernel does not say that it cut a frame: only one that reaches this byte was too long.
        let mut beyond = 0u8;
        let room = buffer.len();
        let parts = [
            libc::iovec {
                iov_base: header.as_mut_ptr().cast(),
                iov_len: VNET_HEADER_LEN,
            },
            libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: room,
            },
            libc::iovec {
                iov_base: (&raw mut beyond).cast(),
                iov_len: 1,
            },
        ];
        // SAFETY: each part is memory borrowed mutably here, as long as it says.
        let got = unsafe { libc::readv(self.0.as_raw_fd(), parts.as_ptr(), parts.len() as c_int) };
        let len = check_size(got)?.saturating_sub(VNET_HEADER_LEN);
        Ok(Received {
            len: len.min(room),
            is_cut: len > room,
            header: VnetHeader::parse(&header),
        })
    }

    /// Sends a frame, and says what is left to do with it.
    ///
    /// # Errors
    /// `EIO`: the device is down; `EINVAL`: the frame is too short, or not what is said of it; `EBADFD`:
    /// the device is gone.
    pub fn send(&self, frame: &[u8], left: Option<Offload>) -> io::Result<()> {
        let header = VnetHeader::write(left);
        let parts = [
            libc::iovec {
                iov_base: header.as_ptr().cast_mut().cast(),
                iov_len: VNET_HEADER_LEN,
            },
            libc::iovec {
                iov_base: frame.as_ptr().cast_mut().cast(),
                iov_len: frame.len(),
            },
        ];
        // SAFETY: each part is memory borrowed here, as long as it says, which the kernel only reads.
        let sent =
            unsafe { libc::writev(self.0.as_raw_fd(), parts.as_ptr(), parts.len() as c_int) };
        check_size(sent).map(drop)
    }
}

impl AsFd for TapQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
