//! Our ring and its rivals behind one interface: bursts in, bursts out.

use std::sync::Arc;
use std::sync::mpsc::{self, TrySendError};

use arrayvec::ArrayVec;
use corelane::sync::ring::{self, ring};
use crossbeam::channel;
use crossbeam::queue::ArrayQueue;

/// The sending end.
pub trait Push<T, const N: usize>: Send {
    /// Moves what fits out of `from` and returns how many that were. In which order those items
    /// arrive that one call moved is the ring's affair.
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize;
}

/// The receiving end.
pub trait Pop<T, const N: usize>: Send {
    /// Fills `into` as far as there is something to fill it with, and returns how many came.
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize;
}

/// Ours, by bursts.
pub struct Ours<E>(E);

/// Ours, one at a time.
pub struct OursByItem<E>(E);

/// rtrb, by chunks.
pub struct Rtrb<E>(E);

/// rtrb, one at a time.
pub struct RtrbByItem<E>(E);

/// crossbeam's queue for many senders and receivers.
pub struct Queue<T>(Arc<ArrayQueue<T>>);

/// crossbeam's bounded channel.
pub struct Crossbeam<E>(E);

/// The standard library's bounded channel.
pub struct Std<E>(E);

/// Makes the two ends of our ring, by bursts.
pub fn ours<T: Send>(capacity: usize) -> (Ours<ring::Producer<T>>, Ours<ring::Consumer<T>>) {
    let (producer, consumer) = ring(capacity).expect("a ring");
    (Ours(producer), Ours(consumer))
}

/// Makes the two ends of our ring, one item at a time.
pub fn ours_by_item<T: Send>(
    capacity: usize,
) -> (OursByItem<ring::Producer<T>>, OursByItem<ring::Consumer<T>>) {
    let (producer, consumer) = ring(capacity).expect("a ring");
    (OursByItem(producer), OursByItem(consumer))
}

/// Makes the two ends of rtrb, by chunks.
pub fn rtrb<T>(capacity: usize) -> (Rtrb<rtrb::Producer<T>>, Rtrb<rtrb::Consumer<T>>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    (Rtrb(producer), Rtrb(consumer))
}

/// Makes the two ends of rtrb, one item at a time.
pub fn rtrb_by_item<T>(
    capacity: usize,
) -> (RtrbByItem<rtrb::Producer<T>>, RtrbByItem<rtrb::Consumer<T>>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    (RtrbByItem(producer), RtrbByItem(consumer))
}

/// Makes the two ends of crossbeam's queue.
pub fn array_queue<T>(capacity: usize) -> (Queue<T>, Queue<T>) {
    let queue = Arc::new(ArrayQueue::new(capacity));
    (Queue(Arc::clone(&queue)), Queue(queue))
}

/// Makes the two ends of crossbeam's bounded channel.
pub fn crossbeam_channel<T>(
    capacity: usize,
) -> (
    Crossbeam<channel::Sender<T>>,
    Crossbeam<channel::Receiver<T>>,
) {
    let (sender, receiver) = channel::bounded(capacity);
    (Crossbeam(sender), Crossbeam(receiver))
}

/// Makes the two ends of the standard library's bounded channel.
pub fn std_channel<T>(capacity: usize) -> (Std<mpsc::SyncSender<T>>, Std<mpsc::Receiver<T>>) {
    let (sender, receiver) = mpsc::sync_channel(capacity);
    (Std(sender), Std(receiver))
}

impl<T: Send, const N: usize> Push<T, N> for Ours<ring::Producer<T>> {
    #[inline]
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        self.0.push_burst(from)
    }
}

impl<T: Send, const N: usize> Pop<T, N> for Ours<ring::Consumer<T>> {
    #[inline]
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        self.0.pop_burst(into)
    }
}

impl<T: Send, const N: usize> Push<T, N> for Rtrb<rtrb::Producer<T>> {
    #[inline]
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        let wanted = from.len();
        // Its own way of asking only when the remembered answer is not enough.
        let free = if self.0.cached_slots() < wanted {
            self.0.slots()
        } else {
            wanted
        };
        match self.0.write_chunk_uninit(free.min(wanted)) {
            Ok(chunk) => chunk.fill_from_iter(from.drain(..free.min(wanted))),
            Err(_) => 0,
        }
    }
}

impl<T: Send, const N: usize> Pop<T, N> for Rtrb<rtrb::Consumer<T>> {
    #[inline]
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        let room = into.remaining_capacity();
        let ready = if self.0.cached_slots() < room {
            self.0.slots()
        } else {
            room
        };
        match self.0.read_chunk(ready.min(room)) {
            Ok(chunk) => {
                let n = chunk.len();
                into.extend(chunk);
                n
            }
            Err(_) => 0,
        }
    }
}

/// Pushes items one at a time, the last first, until `try_push` hands one back.
#[inline]
fn one_by_one<T, const N: usize>(
    from: &mut ArrayVec<T, N>,
    mut try_push: impl FnMut(T) -> Result<(), T>,
) -> usize {
    let before = from.len();
    while let Some(item) = from.pop() {
        if let Err(item) = try_push(item) {
            from.push(item);
            break;
        }
    }
    before - from.len()
}

/// Pops items one at a time.
#[inline]
fn fill<T, const N: usize>(
    into: &mut ArrayVec<T, N>,
    mut try_pop: impl FnMut() -> Option<T>,
) -> usize {
    let before = into.len();
    while !into.is_full()
        && let Some(item) = try_pop()
    {
        into.push(item);
    }
    into.len() - before
}

impl<T: Send, const N: usize> Push<T, N> for OursByItem<ring::Producer<T>> {
    #[inline]
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        one_by_one(from, |item| self.0.push(item).map_err(|full| full.0))
    }
}

impl<T: Send, const N: usize> Pop<T, N> for OursByItem<ring::Consumer<T>> {
    #[inline]
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        fill(into, || self.0.pop())
    }
}

impl<T: Send, const N: usize> Push<T, N> for RtrbByItem<rtrb::Producer<T>> {
    #[inline]
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        one_by_one(from, |item| {
            self.0
                .push(item)
                .map_err(|rtrb::PushError::Full(item)| item)
        })
    }
}

impl<T: Send, const N: usize> Pop<T, N> for RtrbByItem<rtrb::Consumer<T>> {
    #[inline]
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        fill(into, || self.0.pop().ok())
    }
}

impl<T: Send, const N: usize> Push<T, N> for Queue<T> {
    #[inline]
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        one_by_one(from, |item| self.0.push(item))
    }
}

impl<T: Send, const N: usize> Pop<T, N> for Queue<T> {
    #[inline]
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        fill(into, || self.0.pop())
    }
}

impl<T: Send, const N: usize> Push<T, N> for Crossbeam<channel::Sender<T>> {
    #[inline]
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        one_by_one(from, |item| {
            self.0
                .try_send(item)
                .map_err(channel::TrySendError::into_inner)
        })
    }
}

impl<T: Send, const N: usize> Pop<T, N> for Crossbeam<channel::Receiver<T>> {
    #[inline]
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        fill(into, || self.0.try_recv().ok())
    }
}

impl<T: Send, const N: usize> Push<T, N> for Std<mpsc::SyncSender<T>> {
    #[inline]
    fn push(&mut self, from: &mut ArrayVec<T, N>) -> usize {
        one_by_one(from, |item| {
            self.0.try_send(item).map_err(|error| match error {
                TrySendError::Full(item) | TrySendError::Disconnected(item) => item,
            })
        })
    }
}

impl<T: Send, const N: usize> Pop<T, N> for Std<mpsc::Receiver<T>> {
    #[inline]
    fn pop(&mut self, into: &mut ArrayVec<T, N>) -> usize {
        fill(into, || self.0.try_recv().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten at a time through four slots, whole and once each.
    fn passes<P: Push<u64, 10>, C: Pop<u64, 10>>((mut producer, mut consumer): (P, C)) {
        let mut burst: ArrayVec<u64, 10> = (0..10).collect();
        let mut got = Vec::new();
        let mut into = ArrayVec::new();
        while got.len() < 10 {
            let pushed = producer.push(&mut burst);
            assert!(pushed <= 4);
            assert_eq!(consumer.pop(&mut into), pushed);
            got.extend(into.drain(..));
        }
        got.sort_unstable();
        assert!(got.into_iter().eq(0..10) && burst.is_empty());
        assert_eq!(producer.push(&mut burst) + consumer.pop(&mut into), 0);
    }

    #[test]
    fn all_of_them_pass_everything() {
        passes(ours(4));
        passes(ours_by_item(4));
        passes(rtrb(4));
        passes(rtrb_by_item(4));
        passes(array_queue(4));
        passes(crossbeam_channel(4));
        passes(std_channel(4));
    }
}
