//! The one way in which writing fails.

/// What was to be written does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{needed} bytes do not fit into {room}")]
pub struct NoRoom {
    /// Bytes that were to be written.
    pub needed: usize,
    /// Bytes there were: the length of the buffer, or what the protocol's length field can tell
    /// if that is less.
    pub room: usize,
}

/// The first `needed` bytes of `buffer`, where a length field allows at most `limit` bytes.
#[inline]
pub(crate) fn take(buffer: &mut [u8], needed: usize, limit: usize) -> Result<&mut [u8], NoRoom> {
    let room = buffer.len().min(limit);
    if needed > room {
        return Err(NoRoom { needed, room });
    }
    buffer.get_mut(..needed).ok_or(NoRoom { needed, room })
}
