//! AF_PACKET sockets: the frames of a network device, beside the kernel's own stack.

mod ring;

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use std::{array, io, mem, ptr};

use corelane_wire::Offload;

use crate::call::{Plain, check, check_size, get_option, owned, set_option};
use crate::vnet::{VNET_HEADER_LEN, VnetHeader};

pub use ring::{BlockRing, BlockSize, RingSize, RxRing, Slot, SlotRing, VlanTag};

/// The most frames of one [`PacketSocket::send_burst`].
pub const SEND_BURST: usize = 64;

/// The most sockets that share the frames of a device.
pub const MAX_FANOUT: usize = 256;

/// An AF_PACKET socket of raw frames, with a header of [`vnet`](crate::vnet) in front of each. It
/// does not block.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

/// What a socket received, since this was last read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames that it was given, those dropped among them.
    pub received: u32,
    /// Frames dropped since there was no room.
    pub dropped: u32,
}

/// A frame that was kept beside the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// How many of its bytes were taken.
    pub len: usize,
    /// Whether it was longer.
    pub is_cut: bool,
    /// What is left to do with it.
    pub header: VnetHeader,
}

/// The sockets of one device that share its frames by flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fanout(u16);

// SAFETY: numbers, without padding.
unsafe impl Plain for libc::packet_mreq {}
// SAFETY: numbers, without padding.
unsafe impl Plain for libc::tpacket_stats {}
// SAFETY: numbers, without padding.
unsafe impl Plain for libc::tpacket_req {}
// SAFETY: numbers, without padding.
unsafe impl Plain for libc::tpacket_req3 {}

impl PacketSocket {
    /// A socket that receives nothing yet. Needs CAP_NET_RAW in its namespace; what follows does
    /// not.
    ///
    /// # Errors
    /// `EPERM`: the privilege is missing.
    pub fn new() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: a call without pointers.
        let socket = Self(owned(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?);
        socket.set(libc::PACKET_VNET_HDR, 1)?;
        Ok(socket)
    }

    fn set(&self, option: c_int, value: c_int) -> io::Result<()> {
        set_option(self.as_fd(), libc::SOL_PACKET, option, &value)
    }

    /// Leaves out the frames that this machine sends.
    ///
    /// # Errors
    /// The kernel is older than 4.20.
    pub fn ignore_outgoing(&self) -> io::Result<()> {
        self.set(libc::PACKET_IGNORE_OUTGOING, 1)
    }

    /// Sends past the queueing discipline of the device.
    ///
    /// # Errors
    /// None in a kernel of our time.
    pub fn bypass_qdisc(&self) -> io::Result<()> {
        self.set(libc::PACKET_QDISC_BYPASS, 1)
    }

    /// Has the device take frames to any link address, as long as the socket is open.
    ///
    /// # Errors
    /// There is no such device.
    pub fn join_promiscuous(&self, index: c_int) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let option = libc::PACKET_ADD_MEMBERSHIP;
        set_option(self.as_fd(), libc::SOL_PACKET, option, &membership)
    }

    /// Starts to receive the frames of a device, and sends on it.
    ///
    /// # Errors
    /// There is no such device.
    pub fn bind(&self, index: c_int) -> io::Result<()> {
        let mut address = any_address();
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index;
        let len = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the kernel reads the address during the call.
        check(unsafe { libc::bind(self.0.as_raw_fd(), ptr::from_ref(&address).cast(), len) })
            .map(drop)
    }

    /// Whether the device it is bound to is gone.
    ///
    /// # Errors
    /// None that a socket of this kind can have.
    pub fn is_orphan(&self) -> io::Result<bool> {
        let mut address = any_address();
        let mut len = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes, of numbers.
        check(unsafe {
            let address = ptr::from_mut(&mut address).cast();
            libc::getsockname(self.0.as_raw_fd(), address, &raw mut len)
        })?;
        Ok(address.sll_ifindex < 0)
    }

    /// Takes nothing more in, or takes in again.
    ///
    /// # Errors
    /// No memory, or (to take in again) it did before.
    pub fn set_deaf(&self, deaf: bool) -> io::Result<()> {
        if !deaf {
            let unused: c_int = 0;
            let option = libc::SO_DETACH_FILTER;
            return set_option(self.as_fd(), libc::SOL_SOCKET, option, &unused);
        }
        // A program of one instruction: return 0, bytes of the frame to keep.
        let mut nothing = libc::sock_filter {
            code: (libc::BPF_RET | libc::BPF_K) as u16,
            jt: 0,
            jf: 0,
            k: 0,
        };
        let program = libc::sock_fprog {
            len: 1,
            filter: &raw mut nothing,
        };
        let len = mem::size_of::<libc::sock_fprog>() as libc::socklen_t;
        // SAFETY: the kernel reads the program, and the one instruction it points to, during the
        // call.
        check(unsafe {
            let program = ptr::from_ref(&program).cast();
            let (level, option) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
            libc::setsockopt(self.0.as_raw_fd(), level, option, program, len)
        })
        .map(drop)
    }

    /// Shares the frames of its device, by a hash of their flows, with those of a group; makes the
    /// group if there is none yet.
    ///
    /// # Errors
    /// `EINVAL`: the device is down, on kernels that mind.
    pub fn join_fanout(&self, group: Option<Fanout>) -> io::Result<Fanout> {
        // The group receives for its members: what they ignore does not count.
        let mut kind = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        if group.is_none() {
            kind |= libc::PACKET_FANOUT_FLAG_UNIQUEID;
        }
        let id = group.map_or(0, |group| u32::from(group.0));
        self.set(libc::PACKET_FANOUT, (kind << 16 | id) as c_int)?;
        let mut joined: c_int = 0;
        let (level, option) = (libc::SOL_PACKET, libc::PACKET_FANOUT);
        get_option(self.as_fd(), level, option, &mut joined)?;
        Ok(Fanout(joined as u16))
    }

    /// What it received since this was last asked.
    ///
    /// # Errors
    /// None that a socket of this kind can have.
    pub fn statistics(&self) -> io::Result<Statistics> {
        // Of a ring of blocks there is a third, behind these: how often it was full.
        let mut read = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let (level, option) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
        get_option(self.as_fd(), level, option, &mut read)?;
        Ok(Statistics {
            received: read.tp_packets,
            dropped: read.tp_drops,
        })
    }

    /// Takes the error that the socket holds, if any: that its device went down (`ENETDOWN`).
    ///
    /// # Errors
    /// The error itself.
    pub fn take_error(&self) -> io::Result<()> {
        let mut held: c_int = 0;
        let (level, option) = (libc::SOL_SOCKET, libc::SO_ERROR);
        get_option(self.as_fd(), level, option, &mut held)?;
        match held {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Keeps frames that are longer than a slot of the ring beside it, as far as `bytes` go:
    /// [`receive_kept`](Self::receive_kept) takes them. The kernel counts its own memory for them, and
    /// gives all of `bytes` to who has CAP_NET_ADMIN, and to others as much as `net.core.rmem_max` says.
    /// Returns how many it gives.
    ///
    /// # Errors
    /// None that a socket of this kind can have.
    pub fn keep_long_frames(&self, bytes: c_int) -> io::Result<usize> {
        let buffer = |option| set_option(self.as_fd(), libc::SOL_SOCKET, option, &bytes);
        buffer(libc::SO_RCVBUFFORCE).or_else(|_| buffer(libc::SO_RCVBUF))?;
        // Any number: what does not fit its slot is kept.
        self.set(libc::PACKET_COPY_THRESH, 1)?;
        let mut given: c_int = 0;
        let (level, option) = (libc::SOL_SOCKET, libc::SO_RCVBUF);
        get_option(self.as_fd(), level, option, &mut given)?;
        Ok(usize::try_from(given).unwrap_or(0))
    }

    /// Takes the first frame that was kept beside the ring, into `front` and then `rest`. What does not
    /// fit is lost.
    ///
    /// # Errors
    /// `EAGAIN`: there is none; `ENETDOWN`: the device went down, which is told once.
    pub fn receive_kept(&self, front: &mut [u8], rest: &mut [u8]) -> io::Result<Kept> {
        let mut header = [0u8; VNET_HEADER_LEN];
        let part = |bytes: &mut [u8]| libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        let mut parts = [part(&mut header), part(front), part(rest)];
        // SAFETY: numbers and pointers: zeros are valid, and ask for nothing.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = parts.as_mut_ptr();
        message.msg_iovlen = parts.len() as _;
        // SAFETY: each part is memory borrowed mutably here, as long as it says.
        let got = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, 0) };
        let len = check_size(got)?.saturating_sub(VNET_HEADER_LEN);
        Ok(Kept {
            len,
            is_cut: message.msg_flags & libc::MSG_TRUNC != 0,
            header: VnetHeader::parse(&header),
        })
    }

    /// Sends frames in one call, the first [`SEND_BURST`] of them at most, each with what is left to do
    /// with it, and returns how many from the front.
    ///
    /// # Errors
    /// Why the first could not be sent. `ENOBUFS`, `EAGAIN`: no room now; `ENETDOWN`: the device is
    /// down; `ENXIO`: it is gone; `EMSGSIZE`, `EINVAL`: it does not take this frame, or it is not what is
    /// said of it.
    pub fn send_burst<'a>(
        &self,
        frames: impl Iterator<Item = (Option<Offload>, &'a [u8])>,
    ) -> io::Result<usize> {
        const NONE: libc::iovec = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        let mut headers = [[0u8; VNET_HEADER_LEN]; SEND_BURST];
        let mut parts = [[NONE; 2]; SEND_BURST];
        let mut count = 0;
        for (([front, data], header), (left, frame)) in
            parts.iter_mut().zip(&mut headers).zip(frames)
        {
            *header = VnetHeader::write(left);
            front.iov_base = header.as_mut_ptr().cast();
            front.iov_len = header.len();
            data.iov_base = frame.as_ptr().cast_mut().cast();
            data.iov_len = frame.len();
            count += 1;
        }
        let first = parts.as_mut_ptr();
        let mut messages: [libc::mmsghdr; SEND_BURST] = array::from_fn(|at| {
            // SAFETY: numbers and pointers: zeros are valid, and ask for nothing.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_iov = first.wrapping_add(at).cast();
            message.msg_hdr.msg_iovlen = 2;
            message
        });
        // SAFETY: the first `count` messages each have two parts, of memory that is borrowed here as
        // long as it says, and only read by the kernel.
        let sent = unsafe { libc::sendmmsg(self.0.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
        Ok(check(sent)? as usize)
    }

    /// Makes the ring of slots that it receives into, before it is bound.
    ///
    /// # Errors
    /// The size is refused (`EINVAL`), there is no memory (`ENOMEM`), or it has a ring (`EBUSY`).
    pub fn receive_ring(&mut self, size: RingSize) -> io::Result<SlotRing> {
        self.make_ring(libc::tpacket_versions::TPACKET_V2, &size.request())?;
        SlotRing::map(self.as_fd(), size)
    }

    /// Makes the ring of blocks that it receives into, before it is bound. A block that has frames is handed
    /// over after `timeout`, of at least a millisecond, or twice that. What is longer than its room in the ring
    /// is cut, and not [kept](Self::keep_long_frames).
    ///
    /// # Errors
    /// As [`receive_ring`](Self::receive_ring).
    pub fn receive_blocks(&mut self, size: BlockSize, timeout: Duration) -> io::Result<BlockRing> {
        let request = size.request(timeout);
        self.make_ring(libc::tpacket_versions::TPACKET_V3, &request)?;
        BlockRing::map(self.as_fd(), size)
    }

    fn make_ring<T: Plain>(
        &mut self,
        version: libc::tpacket_versions,
        request: &T,
    ) -> io::Result<()> {
        self.set(libc::PACKET_VERSION, version as c_int)?;
        let (level, option) = (libc::SOL_PACKET, libc::PACKET_RX_RING);
        set_option(self.as_fd(), level, option, request)
    }
}

fn any_address() -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
