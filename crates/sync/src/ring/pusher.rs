//! Pushing: what the producer's end keeps at hand, wherever it is.

use super::Full;
use super::shared::Home;
use super::slots::Slots;
use arrayvec::ArrayVec;
use std::ptr;

/// The producer's end, without what keeps the ring alive.
pub(super) struct Pusher<T> {
    /// Those of the ring.
    slots: Slots<T>,
    /// The tail, which only this end moves.
    tail: usize,
    /// The head as last seen; the real one may have moved on since, never back.
    head: usize,
}

impl<T> Pusher<T> {
    /// The end of an empty ring.
    ///
    /// # Safety
    ///
    /// It is the ring's only one, and the ring outlives its use.
    pub(super) unsafe fn new(home: &impl Home<T>) -> Self {
        let tail = home.tail().index.load();
        Self {
            // SAFETY: the caller's promise.
            slots: unsafe { home.body().slots() },
            tail,
            head: tail,
        }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    #[inline]
    pub(super) fn tail(&self) -> usize {
        self.tail
    }

    /// Free slots as last seen if that is at least `wanted`, otherwise as they are now.
    #[inline]
    pub(super) fn free_for(&mut self, wanted: usize, home: &impl Home<T>) -> usize {
        let free = self.capacity() - self.tail.wrapping_sub(self.head);
        if free >= wanted {
            return free;
        }
        self.head = home.body().head.load();
        self.capacity() - self.tail.wrapping_sub(self.head)
    }

    /// Pushes one item.
    ///
    /// # Errors
    ///
    /// [`Full`], with the item.
    ///
    /// # Safety
    ///
    /// `home` is the ring that it was made for.
    #[inline]
    pub(super) unsafe fn push(&mut self, home: &impl Home<T>, item: T) -> Result<(), Full<T>> {
        if self.free_for(1, home) == 0 {
            return Err(Full(item));
        }
        // SAFETY: one slot is free, so that of the tail is ours and empty.
        unsafe { self.slots.write_one(self.tail, item) };
        self.publish(1, home);
        Ok(())
    }

    /// Pushes an item that is made only if there is a free slot; says whether there was.
    ///
    /// # Safety
    ///
    /// As [`push`](Self::push).
    #[inline]
    pub(super) unsafe fn push_with(
        &mut self,
        home: &impl Home<T>,
        make: impl FnOnce() -> T,
    ) -> bool {
        if self.free_for(1, home) == 0 {
            return false;
        }
        // SAFETY: as in `push`. What `make` does, it does to neither end.
        unsafe { self.slots.write_one_with(self.tail, make) };
        self.publish(1, home);
        true
    }

    /// Moves as many items as fit from the front of `from` and returns how many.
    ///
    /// # Safety
    ///
    /// As [`push`](Self::push).
    #[inline]
    pub(super) unsafe fn push_burst<const N: usize>(
        &mut self,
        home: &impl Home<T>,
        from: &mut ArrayVec<T, N>,
    ) -> usize {
        let len = from.len();
        let n = self.free_for(len, home).min(len);
        if n == 0 {
            return 0;
        }
        // SAFETY: `n` slots from the tail on are free, so ours and empty, and `from` begins with at
        // least `n` items. Those are moved out by sliding the rest over them and cutting the
        // length; no code of `T` runs meanwhile.
        unsafe {
            self.slots.write(self.tail, from.as_ptr(), n);
            let items = from.as_mut_ptr();
            ptr::copy(items.add(n), items, len - n);
            from.set_len(len - n);
        }
        self.publish(n, home);
        n
    }

    /// Hands the `n` slots written at the tail to the consumer.
    #[inline]
    fn publish(&mut self, n: usize, home: &impl Home<T>) {
        self.tail = self.tail.wrapping_add(n);
        home.tail().index.store(self.tail);
    }
}
