//! What a sender left to hardware, done in software: super-frames cut into segments, checksums completed,
//! where the link takes neither.

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_stack::NicCounter;
use corelane_sync::counters::CounterWriter;
use corelane_wire::{Offload, Offloads, Segmentation, SuperFrame};

use super::link_output::{drop_unsent, measure, transmit_done};
use super::observer::Observer;
use crate::link::{LinkError, TxQueue};
use crate::trace::{LinkOutput, Outcome};

/// Whether a frame has something left to do that may not be left to a link that takes `offloads`.
#[cold]
pub(super) fn is_for_software(frames: &[Frame], offloads: Offloads) -> bool {
    let mut left = frames.iter().filter_map(Frame::offload);
    left.any(|offload| !offloads.take(&offload))
}

/// Sends all of `frames`, in order: as they are where the link takes them so, and otherwise what becomes
/// of them. What finds no room is dropped and counted.
#[cold]
pub(super) fn transmit_in_segments<O: Observer>(
    queue: &mut dyn TxQueue,
    cache: &mut PoolCache,
    frames: &mut Burst,
    counters: &mut CounterWriter<NicCounter>,
    observer: &mut O,
) -> Result<(), LinkError> {
    let offloads = queue.offloads();
    let mut line = Line {
        queue,
        cache,
        counters,
        observer,
        staged: Burst::new(),
        result: Ok(()),
    };
    for mut frame in frames.drain(..) {
        let offload = frame.offload().filter(|it| !offloads.take(it));
        match offload {
            Some(Offload {
                segmentation: Some(segmentation),
                ..
            }) => line.cut(frame, segmentation),
            Some(Offload { .. }) => {
                complete(&mut frame, line.counters);
                line.push(frame);
            }
            None => line.push(frame),
        }
    }
    line.flush();
    line.result
}

/// What is on its way to a transmit queue.
struct Line<'l, O> {
    queue: &'l mut dyn TxQueue,
    cache: &'l mut PoolCache,
    counters: &'l mut CounterWriter<NicCounter>,
    observer: &'l mut O,
    staged: Burst,
    result: Result<(), LinkError>,
}

impl<O: Observer> Line<'_, O> {
    fn push(&mut self, frame: Frame) {
        if self.staged.is_full() {
            self.flush();
        }
        self.staged.push(frame);
    }

    /// Sends what is staged, unless the queue has ended.
    fn flush(&mut self) {
        let Self {
            queue,
            cache,
            counters,
            observer,
            staged,
            result,
        } = self;
        if result.is_ok() {
            let (bytes, _) = measure(staged);
            *result = transmit_done(&mut **queue, cache, staged, bytes, counters, *observer);
        }
        drop_unsent(cache, staged, counters, *observer);
    }

    /// Cuts a super-frame. Segments for which there is no buffer are dropped, and counted as others that
    /// are not sent.
    fn cut(&mut self, whole: Frame, segmentation: Segmentation) {
        let parsed = parse(&whole, segmentation);
        let outcome = match &parsed {
            Some(_) => LinkOutput::Segmented,
            None => LinkOutput::NoRoom,
        };
        self.observer.step(&whole, Outcome::LinkOutput(outcome));
        if let Some(parts) = parsed {
            let count = parts.count();
            self.counters.add(NicCounter::Segmented, 1);
            self.counters.add(NicCounter::Segments, count as u64);
            for index in 0..count {
                let mut made = segment(self.cache, &whole, &parts, index);
                if made.is_none() {
                    // What was sent comes back.
                    self.flush();
                    made = segment(self.cache, &whole, &parts, index);
                }
                match made {
                    Some(frame) => self.push(frame),
                    None => self.counters.add(NicCounter::SendDropped, 1),
                }
            }
        } else {
            self.counters.add(NicCounter::SendDropped, 1);
        }
        self.cache.recycle(whole);
    }
}

/// Takes a super-frame apart, if it is what is said of it.
pub(super) fn parse(frame: &Frame, segmentation: Segmentation) -> Option<SuperFrame<'_>> {
    SuperFrame::parse(frame.data(), segmentation.kind, segmentation.segment_size).ok()
}

/// A segment of a super-frame, in a frame of its own; None if there is none for it.
pub(super) fn segment(
    cache: &mut PoolCache,
    whole: &Frame,
    parts: &SuperFrame<'_>,
    index: usize,
) -> Option<Frame> {
    let mut frame = cache.alloc()?;
    let written = parts.write(index, frame.spare_mut());
    if written.is_ok_and(|len| frame.set_len(len).is_ok()) {
        frame.set_nic(whole.nic());
        frame.set_rx_time(whole.rx_time());
        frame.set_rss_hash(whole.rss_hash());
        frame.set_trace(whole.trace());
        return Some(frame);
    }
    cache.recycle(frame);
    None
}

/// Completes the checksum of a frame that is no super-frame, and has no padding.
pub(super) fn complete(frame: &mut Frame, counters: &mut CounterWriter<NicCounter>) {
    if let Some(partial) = frame.offload().and_then(|it| it.checksum)
        // One that has no place is wrong, wherever it is looked at.
        && partial.complete(frame.data_mut()).is_ok()
    {
        counters.add(NicCounter::ChecksumsCompleted, 1);
    }
    frame.set_offload(None);
}
