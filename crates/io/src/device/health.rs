//! What becomes of a device, as an AF_PACKET socket that is bound to it tells.

use std::io;

use corelane_sys::errno;
use corelane_sys::packet::PacketSocket;

use super::{Waker, errno};

/// Empty polls after which the socket is asked whether it still has a device. Who polls without
/// sleeping is not told otherwise.
const POLLS: u32 = 1 << 12;

/// Looks after the device of a queue.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Empty polls so far.
    empty: u32,
    /// Whether the device was down when the socket was last asked. It is told once only, not again
    /// when the device is removed.
    down: bool,
}

impl Health {
    /// A frame came: the device is up.
    #[inline]
    pub(crate) fn frame_came(&mut self) {
        self.down = false;
    }

    /// Looks, every now and then, after a poll that found nothing. Whether the device is there: one
    /// that is down comes back, one that is gone does not.
    #[inline]
    pub(crate) fn look(&mut self, socket: &PacketSocket, waker: &Waker) -> io::Result<bool> {
        self.empty = self.empty.wrapping_add(1);
        if !waker.take_failure() && !self.down && !self.empty.is_multiple_of(POLLS) {
            return Ok(true);
        }
        if socket.is_orphan()? {
            return Ok(false);
        }
        match socket.take_error() {
            Err(error) if errno(&error) == errno::ENETDOWN => self.down = true,
            asked => asked?,
        }
        Ok(true)
    }
}
