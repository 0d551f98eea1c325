//! What a burst came to, added to the counters once at its end.

use corelane_stack::{DropReason, IcmpCounter, NicCounter};
use corelane_sync::counters::CounterWriter;

/// The counts of one burst on one NIC.
pub(super) struct Tally<'w> {
    counters: &'w mut CounterWriter<NicCounter>,
    received: u64,
    received_bytes: u64,
    delivered: u64,
    consumed: u64,
    forwarded: u64,
    /// The reason dropped for last, and how often in a row: a burst's drops are mostly of one kind.
    reason: DropReason,
    dropped: u64,
}

impl<'w> Tally<'w> {
    pub(super) fn new(counters: &'w mut CounterWriter<NicCounter>) -> Self {
        Self {
            counters,
            received: 0,
            received_bytes: 0,
            delivered: 0,
            consumed: 0,
            forwarded: 0,
            reason: DropReason::InvalidAddress,
            dropped: 0,
        }
    }

    pub(super) fn received(&mut self, frames: usize, bytes: usize) {
        self.received += frames as u64;
        self.received_bytes += bytes as u64;
    }

    /// Takes up datagrams that a super-frame was cut into: its bytes are received already.
    pub(super) fn unpacked(&mut self, datagrams: usize) {
        self.received += datagrams as u64;
        self.counters.add(NicCounter::Unpacked, datagrams as u64);
    }

    pub(super) fn delivered(&mut self, packets: usize) {
        self.delivered += packets as u64;
    }

    pub(super) fn consumed(&mut self) {
        self.consumed += 1;
    }

    pub(super) fn forwarded(&mut self, packets: usize) {
        self.forwarded += packets as u64;
    }

    /// Counts an ICMP message, beside what becomes of its frame.
    pub(super) fn icmp(&mut self, counter: IcmpCounter) {
        self.counters.add(NicCounter::Icmp(counter), 1);
    }

    /// The counters themselves, for what is sent.
    #[inline]
    pub(super) fn counters(&mut self) -> &mut CounterWriter<NicCounter> {
        self.counters
    }

    // Not inlined: the stages' loops stay small, and what they keep in registers stays there.
    #[inline(never)]
    pub(super) fn dropped(&mut self, reason: DropReason, packets: u64) {
        if self.reason != reason {
            self.flush_drops();
            self.reason = reason;
        }
        self.dropped += packets;
    }

    fn flush_drops(&mut self) {
        if self.dropped > 0 {
            self.counters
                .add(NicCounter::Drop(self.reason), self.dropped);
            self.dropped = 0;
        }
    }

    /// Adds everything to the NIC's counters; returns the bytes received.
    pub(super) fn finish(mut self) -> u64 {
        self.flush_drops();
        // Received last: who reads in between sees outcomes without their frames, never frames
        // that seem lost.
        self.counters.add(NicCounter::Delivered, self.delivered);
        if self.consumed > 0 {
            self.counters.add(NicCounter::Consumed, self.consumed);
        }
        if self.forwarded > 0 {
            self.counters.add(NicCounter::Forwarded, self.forwarded);
        }
        self.counters
            .add(NicCounter::ReceivedBytes, self.received_bytes);
        self.counters.add(NicCounter::Received, self.received);
        self.received_bytes
    }
}
