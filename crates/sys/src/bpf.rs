//! The program that gives a device's frames to AF_XDP sockets, loaded and attached by the `bpf`
//! system call.

use std::ffi::{c_int, c_long};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use crate::call::owned;

/// Commands, kinds and flags of `linux/bpf.h`, which libc does not have.
mod command {
    pub(super) const MAP_CREATE: i32 = 0;
    pub(super) const MAP_UPDATE: i32 = 2;
    pub(super) const MAP_DELETE: i32 = 3;
    pub(super) const PROGRAM_LOAD: i32 = 5;
    pub(super) const LINK_CREATE: i32 = 28;
}
const MAP_OF_SOCKETS: u32 = 17;
const PROGRAM_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const FLAG_GENERIC: u32 = 1 << 1;
const FLAG_NATIVE: u32 = 1 << 2;

#[repr(C)]
struct MapAttributes {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
}

#[repr(C)]
struct ElementAttributes {
    map: u32,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramAttributes {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
struct LinkAttributes {
    program: u32,
    device: u32,
    attach: u32,
    flags: u32,
}

/// Calls `bpf`, which reads what the pointers in the attributes point to.
///
/// # Safety
/// `A` is what the command takes, and its pointers are valid for what the command reads.
unsafe fn bpf<A>(command: c_int, attributes: &A) -> io::Result<c_int> {
    // SAFETY: the kernel reads as many bytes as the attributes have; the caller answers for what
    // they point to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            c_long::from(command),
            ptr::from_ref(attributes),
            mem::size_of::<A>(),
        )
    };
    // A descriptor or 0; -1 for an error.
    c_int::try_from(result)
        .ok()
        .filter(|&result| result >= 0)
        .ok_or_else(io::Error::last_os_error)
}

/// Which socket takes the frames of which queue.
#[derive(Debug)]
pub struct XskMap(OwnedFd);

impl XskMap {
    /// An empty map for so many queues. Needs CAP_BPF and CAP_NET_ADMIN, not in a user namespace.
    ///
    /// # Errors
    /// `EPERM`: the privilege is missing.
    pub fn new(queues: u32) -> io::Result<Self> {
        let attributes = MapAttributes {
            kind: MAP_OF_SOCKETS,
            key_size: 4,
            value_size: 4,
            entries: queues,
            flags: 0,
        };
        // SAFETY: attributes without pointers.
        owned(unsafe { bpf(command::MAP_CREATE, &attributes) }?).map(Self)
    }

    fn element(&self, command: c_int, queue: u32, socket: u32) -> io::Result<()> {
        let attributes = ElementAttributes {
            map: self.0.as_raw_fd() as u32,
            _pad: 0,
            key: ptr::from_ref(&queue) as u64,
            value: ptr::from_ref(&socket) as u64,
            flags: 0,
        };
        // SAFETY: key and value are the four bytes each that the map was made for, read during the
        // call.
        unsafe { bpf(command, &attributes) }.map(drop)
    }

    /// Gives the frames of a queue to a socket.
    pub(crate) fn insert(&self, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.element(command::MAP_UPDATE, queue, socket.as_raw_fd() as u32)
    }

    /// Leaves the frames of a queue to the kernel's own stack.
    pub(crate) fn remove(&self, queue: u32) {
        // It may be gone already, with its socket.
        let _ = self.element(command::MAP_DELETE, queue, 0);
    }
}

/// The program: a queue's frames to the map's socket, or to the kernel's own stack if it has none.
#[derive(Debug)]
pub struct Redirect(OwnedFd);

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver.
    Native,
    /// Behind it, whatever the driver can.
    Generic,
}

/// A program at work on a device, until this is dropped or its process ends, however it ends.
#[derive(Debug)]
pub struct Attached(#[expect(dead_code, reason = "detaches when it is closed")] OwnedFd);

impl Redirect {
    /// Loads it. Needs what [`XskMap::new`] does.
    ///
    /// # Errors
    /// `EPERM`: the privilege is missing.
    pub fn load(map: &XskMap) -> io::Result<Self> {
        // As the instruction has it: code, registers (source and destination), offset, number.
        let instruction = |code: u8, registers: u8, offset: i16, number: i32| {
            let [o0, o1] = offset.to_ne_bytes();
            let [n0, n1, n2, n3] = number.to_ne_bytes();
            [code, registers, o0, o1, n0, n1, n2, n3]
        };
        // The destination is in the low bits on little-endian machines.
        let registers = |to: u8, from: u8| {
            if cfg!(target_endian = "little") {
                from << 4 | to
            } else {
                to << 4 | from
            }
        };
        const PASS: i32 = 2;
        const REDIRECT_MAP: i32 = 51;
        const QUEUE: i16 = 16;
        let code = [
            // r2 = context->rx_queue_index
            instruction(0x61, registers(2, 1), QUEUE, 0),
            // r1 = map, in two parts; the source says that it is a descriptor.
            instruction(0x18, registers(1, 1), 0, map.0.as_raw_fd()),
            instruction(0, 0, 0, 0),
            // r3 = what to do where the map has nothing
            instruction(0xb7, registers(3, 0), 0, PASS),
            // return bpf_redirect_map(r1, r2, r3)
            instruction(0x85, 0, 0, REDIRECT_MAP),
            instruction(0x95, 0, 0, 0),
        ];
        let attributes = ProgramAttributes {
            kind: PROGRAM_XDP,
            instructions: code.len() as u32,
            code: code.as_ptr() as u64,
            license: c"MIT OR Apache-2.0".as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel_version: 0,
            flags: 0,
        };
        // SAFETY: the code is as many instructions of eight bytes as it says, the license ends with
        // a zero; both are read during the call.
        owned(unsafe { bpf(command::PROGRAM_LOAD, &attributes) }?).map(Self)
    }

    /// Has it run for the frames that a device receives. Needs Linux 5.9.
    ///
    /// # Errors
    /// `EBUSY`, `EEXIST`: the device has a program; `EOPNOTSUPP`: its driver runs none; `ERANGE`:
    /// its MTU is too large for that; `ENODEV`, `EINVAL`: there is no such device.
    pub fn attach(&self, device: c_int, mode: AttachMode) -> io::Result<Attached> {
        let attributes = LinkAttributes {
            program: self.0.as_raw_fd() as u32,
            device: device as u32,
            attach: ATTACH_XDP,
            flags: match mode {
                AttachMode::Native => FLAG_NATIVE,
                AttachMode::Generic => FLAG_GENERIC,
            },
        };
        // SAFETY: attributes without pointers.
        owned(unsafe { bpf(command::LINK_CREATE, &attributes) }?).map(Attached)
    }
}
