//! What becomes of a device, as an AF_PACKET socket that is bound to it tells.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

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
    /// When the socket told that the device was down, in nanoseconds since 1970, if nothing came after. It
    /// is told once only, not again when the device is removed.
    down: Option<u64>,
}

impl Health {
    /// A frame was found, which the kernel had at that time, in nanoseconds since 1970: the device is up, if
    /// that was after it was down. In a block, what came before is found later.
    #[inline]
    pub(crate) fn frame_came(&mut self, time_ns: u64) {
        if self.down.is_some_and(|since| time_ns > since) {
            self.down = None;
        }
    }

    /// Looks, every now and then, after a poll that found nothing. Whether the device is there: one
    /// that is down comes back, one that is gone does not.
    #[inline]
    pub(crate) fn look(&mut self, socket: &PacketSocket, waker: &Waker) -> io::Result<bool> {
        self.empty = self.empty.wrapping_add(1);
        if !waker.take_failure() && self.down.is_none() && !self.empty.is_multiple_of(POLLS) {
            return Ok(true);
        }
        if socket.is_orphan()? {
            return Ok(false);
        }
        match socket.take_error() {
            Err(error) if errno(&error) == errno::ENETDOWN => self.down = Some(now_ns()),
            asked => asked?,
        }
        Ok(true)
    }
}

/// By the clock of [`Frame::rx_time`](corelane_frame::Frame::rx_time).
#[cold]
fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_device_went_down_says_nothing_of_it() {
        let mut health = Health {
            down: Some(1000),
            ..Health::default()
        };
        health.frame_came(999);
        assert_eq!(health.down, Some(1000));
        health.frame_came(1001);
        assert_eq!(health.down, None);
        health.frame_came(1002);
        assert_eq!(health.down, None);
    }
}
