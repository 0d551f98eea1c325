//! Writing a message piece by piece.

use crate::checksum::{self, Sum};
use crate::room::{NoRoom, take};

/// Where the next piece of a message goes. It counts on beyond the end of its buffer, so that the
/// error can tell how much room the whole message needs.
pub(crate) struct Cursor<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(slot) = self.buffer.get_mut(self.len..end) {
            slot.copy_from_slice(bytes);
        }
        self.len = end;
    }

    /// What was put, if all of it found room and is not longer than `limit`.
    pub(crate) fn finish(self, limit: usize) -> Result<&'a mut [u8], NoRoom> {
        take(self.buffer, self.len, limit)
    }
}

/// Sets the checksum of an IGMP or ICMPv6 message, whose bytes 2 and 3 are zero. `pseudo_header` is
/// added to the message's own sum.
pub(crate) fn set_checksum(message: &mut [u8], pseudo_header: Sum) {
    let checksum = (pseudo_header + checksum::sum(message)).checksum();
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}
