//! Frames that came due while the generator was not polled.

use std::sync::Arc;

use corelane::frame::BURST;

/// How many frames may be on their way to who receives, and how many are. To be asked as often as one likes, and from
/// any thread.
#[derive(Clone)]
pub struct Room {
    most: u64,
    on_way: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Room {
    /// For `most` frames, one at least; `on_way` says how many are.
    pub fn new(most: u64, on_way: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            most: most.max(1),
            on_way: Arc::new(on_way),
        }
    }

    fn left(&self) -> u64 {
        self.most.saturating_sub((self.on_way)())
    }

    /// As many as are worth being sent together.
    fn worthwhile(&self) -> u64 {
        (self.most / 2).clamp(1, BURST as u64)
    }
}

/// How many of the frames that are due may wait for room.
///
/// A generator that was gone has to send at once what came due meanwhile, faster than any load, and what runs over then
/// says nothing about who receives. So as many frames as came due while it was gone may wait for room. Later ones
/// wait in their place, behind them, but never more than that: what is due beyond it is sent whether there
/// is room or not. Once less waits, no more may wait again: so a receiver that takes less than the load loses as
/// many frames as if the generator had been there all the time, and one that takes more loses none.
#[derive(Default)]
pub(super) struct Overdue {
    room: Option<Room>,
    may_wait: u64,
    /// Frames that are sent before it is asked again how many are due and have room.
    to_send: u64,
}

impl Overdue {
    /// None may, unless it can be known whether there is room.
    pub(super) fn new(room: Option<Room>) -> Self {
        Self {
            room,
            ..Self::default()
        }
    }

    /// Whether frames may wait at all.
    pub(super) fn is_patient(&self) -> bool {
        self.room.is_some()
    }

    /// So many came due while nobody polled.
    pub(super) fn add(&mut self, frames: u64) {
        self.may_wait += frames;
        self.to_send = 0;
    }

    /// Whether some may wait now.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.may_wait > 0
    }

    /// No more may.
    pub(super) fn end(&mut self) {
        self.may_wait = 0;
    }

    /// Whether it has to be said how many are due before any is sent.
    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.to_send == 0
    }

    /// So many are due: as many of them are sent next as have room, or may not wait. To know that takes its time, so it is
    /// not asked for each burst; and what is not worth it waits until there is more room.
    pub(super) fn allow(&mut self, due: u64) {
        self.may_wait = self.may_wait.min(due);
        let pressing = due - self.may_wait;
        let (room, worthwhile) = self.room.as_ref().map_or((due, 0), |room| {
            (room.left().min(due), room.worthwhile().min(due))
        });
        let sent = pressing.max(room);
        self.to_send = if sent >= worthwhile { sent } else { 0 };
    }

    /// How many are sent now, at most `most`.
    #[inline]
    pub(super) fn take(&mut self, most: u64) -> u64 {
        let sent = self.to_send.min(most);
        self.to_send -= sent;
        sent
    }
}
