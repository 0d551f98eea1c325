//! What the handle, the workers and the references of one NIC share.
#![expect(
    clippy::disallowed_types,
    reason = "serialises the control plane; no worker takes these locks"
)]

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_frame::{Frame, PoolCache};
use corelane_sync::counters::{CounterReader, CounterWriter, counters};
use corelane_sync::snapshot::Handle;
use corelane_wire::NoRoom;

use super::{NicId, Settings};
use crate::clock::Clock;
use crate::control::{Control, Message};
use crate::counters::NicCounter;
use crate::datapath::NicSnapshot;
use crate::endpoint::Endpoints;
use crate::packet_endpoint::{Direction, TapWriter};
use crate::protocol_counters::{ProtocolCounter, ProtocolCounters};
use crate::queue::FrameQueue;
use crate::stack::Stack;

/// What the handle, the workers and the references of one NIC share.
pub(crate) struct NicShared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) endpoints: Endpoints,
    pub(crate) snapshots: Handle<NicSnapshot>,
    pub(crate) stack: Stack,
    pub(super) clock: Clock,
    pub(super) control: Mutex<Control>,
    /// Removed: handles and references stay, and nothing can be done with them.
    pub(super) gone: AtomicBool,
    /// What each worker counts, and what those count that send for them, or are no workers.
    pub(super) counters: Mutex<NicCounters>,
    pub(super) protocol_counters: Arc<ProtocolCounters>,
    /// Where frames come from that no worker makes.
    pub(super) frames: Mutex<PoolCache>,
    pub(crate) outbound: FrameQueue,
    pub(crate) looped: FrameQueue,
}

thread_local! {
    /// The NICs in whose transactions this thread is.
    static IN_TRANSACTION: RefCell<Vec<*const NicShared>> = const { RefCell::new(Vec::new()) };
}

/// Marks this thread as being in a transaction of a NIC.
pub(super) struct InTransaction;

impl InTransaction {
    pub(super) fn of(nic: &NicShared) -> Self {
        IN_TRANSACTION.with_borrow_mut(|nics| nics.push(nic));
        Self
    }
}

impl Drop for InTransaction {
    fn drop(&mut self) {
        IN_TRANSACTION.with_borrow_mut(Vec::pop);
    }
}

impl NicShared {
    pub(crate) fn id(&self) -> NicId {
        self.settings.id
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The control plane's lock. It would wait for itself for ever inside a transaction of the
    /// same NIC: that is a panic instead.
    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        let nested = IN_TRANSACTION.with_borrow(|nics| nics.contains(&std::ptr::from_ref(self)));
        assert!(
            !nested,
            "a control call on NIC '{}' from inside its own transaction: use the transaction",
            self.settings.name
        );
        // A panic in an embedder's transaction leaves whole changes behind, never half of one.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counters(&self) -> MutexGuard<'_, NicCounters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, counter: ProtocolCounter) {
        self.protocol_counters.add(counter);
    }

    /// Counts what is done by threads that are no workers: in the NIC's sum.
    pub(crate) fn count_frames(&self, counter: NicCounter, frames: u64) {
        self.counters().of_control().add(counter, frames);
    }

    /// A frame of this NIC's without content; None if there is no free one.
    fn blank_frame(&self) -> Option<Frame> {
        let mut cache = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = cache.alloc();
        // Kept in the cache, free frames would be missing elsewhere.
        cache.flush();
        drop(cache);
        let mut frame = frame?;
        frame.set_nic(self.id().0);
        frame.set_rx_time(self.clock.now().as_nanos());
        Some(frame)
    }

    /// A frame with what `write` puts into it; None if there is no free frame, or no room in it.
    pub(crate) fn make_frame(
        &self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, NoRoom>,
    ) -> Option<Frame> {
        let mut frame = self.blank_frame()?;
        let len = write(frame.spare_mut()).ok()?;
        frame.set_len(len).ok()?;
        Some(frame)
    }

    /// A frame of these parts, one behind the other; None if there is no free frame, or no room in it.
    pub(crate) fn frame_of(&self, parts: &[&[u8]]) -> Option<Frame> {
        let mut frame = self.blank_frame()?;
        for part in parts {
            frame.append(part).ok()?;
        }
        Some(frame)
    }

    pub(crate) fn copy_frame(&self, frame: &Frame) -> Option<Frame> {
        self.frame_of(&[frame.data()])
    }

    /// Whether so many more frames can be put in line to be sent, as of now.
    pub(crate) fn has_room_for(&self, frames: usize) -> bool {
        self.outbound.room() >= frames
    }

    /// Puts a frame in line to be sent, and shows it to the packet endpoints that asked for that: here,
    /// since whoever takes it out may be no worker.
    pub(crate) fn push_outbound(&self, frame: Frame) -> Result<(), Frame> {
        // Asked first, so that what is tried again is shown once, but for a race for the last place.
        if self.outbound.room() == 0 {
            return Err(frame);
        }
        let snapshot = self.snapshots.load();
        if let Some(taps) = snapshot.taps.as_deref().filter(|taps| taps.shows_sent()) {
            let mut seat = self.stack.shared().control_seat();
            let mut cache = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            let (frames, local) = (std::iter::once(&frame), self.settings.station());
            let mut writer = TapWriter::new(&mut seat, &mut cache);
            taps.show(frames, Direction::Outbound, local, &mut writer);
            // Kept in the cache, free frames would be missing elsewhere.
            cache.flush();
        }
        drop(snapshot);
        self.push(&self.outbound, frame)
    }

    pub(crate) fn push_looped(&self, frame: Frame) -> Result<(), Frame> {
        self.push(&self.looped, frame)
    }

    fn push(&self, queue: &FrameQueue, frame: Frame) -> Result<(), Frame> {
        queue.push(frame)?;
        // Nobody empties the queues of a NIC that is gone: either this sees that it is, or the
        // removal saw the frame.
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.is_gone() {
            self.count_unsent(queue.clear());
        }
        Ok(())
    }

    /// Counts frames that were in line on a NIC that is gone.
    #[cold]
    fn count_unsent(&self, frames: usize) {
        if frames > 0 {
            self.count_frames(NicCounter::SendDropped, frames as u64);
        }
    }

    /// Sends messages, without the lock. Probes and reports that found no room are tried again later.
    pub(crate) fn transmit(&self, messages: Vec<Message>) {
        let mut unsent = Vec::new();
        let mut reports_wait = false;
        for message in messages {
            if reports_wait && message.is_report() {
                unsent.push(message);
                continue;
            }
            let frame = self.make_frame(|buffer| message.write(self.settings.mac, buffer));
            match frame.map(|frame| self.push_outbound(frame)) {
                Some(Ok(())) => self.count(message.counter()),
                _ => {
                    reports_wait |= message.is_report();
                    unsent.push(message);
                }
            }
        }
        if !unsent.is_empty() {
            let now = self.clock.now();
            self.control().unsent(unsent, now);
        }
    }
}

#[derive(Default)]
pub(super) struct NicCounters {
    pub(super) workers: Vec<CounterReader<NicCounter>>,
    pub(super) senders: Vec<CounterReader<NicCounter>>,
    /// What threads count that are no workers; made when there is something.
    control: Option<CounterWriter<NicCounter>>,
}

impl NicCounters {
    fn of_control(&mut self) -> &mut CounterWriter<NicCounter> {
        let senders = &mut self.senders;
        self.control.get_or_insert_with(|| {
            let (writer, reader) = counters();
            senders.push(reader);
            writer
        })
    }
}
