//! What a NIC counts, per worker.

use corelane_sync::counters::CounterKey;

use crate::{DropReason, IcmpCounter};

/// A counter of one NIC on one worker. [`DropReason`]s are counters too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicCounter {
    /// Frames a worker took up.
    Received,
    /// Bytes of those frames, the Ethernet header included.
    ReceivedBytes,
    /// Packets given to a handler.
    Delivered,
    /// Packets sent on to another link.
    Forwarded,
    /// Packets the stack itself dealt with (an echo request it answered, say).
    Consumed,
    /// Frames a link took for sending.
    Sent,
    /// Bytes of those frames.
    SentBytes,
    /// Frames that no transmit queue had room for.
    SendDropped,
    /// Frames taken up that did not come from the link: what the NIC itself sent, looped back. They
    /// are among the received.
    Looped,
    /// Datagrams that super-frames to this host were cut into: taken up too, and among the received.
    Unpacked,
    /// Super-frames that were cut into segments, since the link does not take them.
    Segmented,
    /// What these were cut into.
    Segments,
    /// Checksums that the sender left to the hardware, completed.
    ChecksumsCompleted,
    /// TCP resets, which answer segments for ports that nobody has.
    ResetsSent,
    /// Frames dropped for this reason.
    Drop(DropReason),
    /// ICMP messages, beside what became of their frames.
    Icmp(IcmpCounter),
}

/// The counters that are not drops.
const FIXED: usize = 14;

impl CounterKey for NicCounter {
    const COUNT: usize = FIXED + DropReason::COUNT + IcmpCounter::COUNT;

    #[inline]
    fn index(self) -> usize {
        match self {
            Self::Received => 0,
            Self::ReceivedBytes => 1,
            Self::Delivered => 2,
            Self::Forwarded => 3,
            Self::Consumed => 4,
            Self::Sent => 5,
            Self::SentBytes => 6,
            Self::SendDropped => 7,
            Self::Looped => 8,
            Self::ResetsSent => 9,
            Self::Unpacked => 10,
            Self::Segmented => 11,
            Self::Segments => 12,
            Self::ChecksumsCompleted => 13,
            Self::Drop(reason) => FIXED + reason as usize,
            Self::Icmp(counter) => FIXED + DropReason::COUNT + counter as usize,
        }
    }
}

/// What a NIC counted, over one worker or the sum of all.
///
/// At a quiescent point `received = delivered + forwarded + consumed + Σ drops`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicTotals {
    /// Frames taken up.
    pub received: u64,
    /// Bytes of those frames, the Ethernet header included.
    pub received_bytes: u64,
    /// Packets given to a handler.
    pub delivered: u64,
    /// Packets sent on to another link.
    pub forwarded: u64,
    /// Packets the stack itself dealt with.
    pub consumed: u64,
    /// Frames a link took for sending.
    pub sent: u64,
    /// Bytes of those frames.
    pub sent_bytes: u64,
    /// Frames that no transmit queue had room for.
    pub send_dropped: u64,
    /// Frames taken up that the NIC itself sent, looped back; they are among the received.
    pub looped: u64,
    /// Datagrams that super-frames to this host were cut into; they are among the received.
    pub unpacked: u64,
    /// Super-frames that were cut into segments, since the link does not take them.
    pub segmented: u64,
    /// What these were cut into.
    pub segments: u64,
    /// Checksums that the sender left to the hardware, completed.
    pub checksums_completed: u64,
    /// TCP resets, which answer segments for ports that nobody has.
    pub resets_sent: u64,
    /// Frames dropped, by reason in the order of [`DropReason::ALL`].
    pub drops: [u64; DropReason::COUNT],
    /// ICMP messages, in the order of [`IcmpCounter::ALL`].
    pub icmp: [u64; IcmpCounter::COUNT],
}

impl Default for NicTotals {
    fn default() -> Self {
        Self::read(|_| 0)
    }
}

impl NicTotals {
    /// Totals of what `value` says of each counter.
    pub fn read(value: impl Fn(NicCounter) -> u64) -> Self {
        Self {
            received: value(NicCounter::Received),
            received_bytes: value(NicCounter::ReceivedBytes),
            delivered: value(NicCounter::Delivered),
            forwarded: value(NicCounter::Forwarded),
            consumed: value(NicCounter::Consumed),
            sent: value(NicCounter::Sent),
            sent_bytes: value(NicCounter::SentBytes),
            send_dropped: value(NicCounter::SendDropped),
            looped: value(NicCounter::Looped),
            unpacked: value(NicCounter::Unpacked),
            segmented: value(NicCounter::Segmented),
            segments: value(NicCounter::Segments),
            checksums_completed: value(NicCounter::ChecksumsCompleted),
            resets_sent: value(NicCounter::ResetsSent),
            drops: std::array::from_fn(|i| value(NicCounter::Drop(DropReason::ALL[i]))),
            icmp: std::array::from_fn(|i| value(NicCounter::Icmp(IcmpCounter::ALL[i]))),
        }
    }

    /// The count of each drop reason.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().copied().zip(self.drops)
    }

    /// The count of one drop reason.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    /// The count of each kind of ICMP message.
    pub fn icmp(&self) -> impl Iterator<Item = (IcmpCounter, u64)> {
        IcmpCounter::ALL.iter().copied().zip(self.icmp)
    }

    /// The count of one kind of ICMP message.
    pub fn icmp_of(&self, counter: IcmpCounter) -> u64 {
        self.icmp[counter as usize]
    }

    /// All drops together.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().sum()
    }

    /// Frames taken up and not accounted for yet: 0 at every quiescent point.
    pub fn balance(&self) -> i64 {
        let ended = self.delivered + self.forwarded + self.consumed + self.dropped();
        self.received.wrapping_sub(ended) as i64
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        self.zip(earlier, u64::wrapping_sub)
    }

    /// The sum of two.
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }

    fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            received: f(self.received, other.received),
            received_bytes: f(self.received_bytes, other.received_bytes),
            delivered: f(self.delivered, other.delivered),
            forwarded: f(self.forwarded, other.forwarded),
            consumed: f(self.consumed, other.consumed),
            sent: f(self.sent, other.sent),
            sent_bytes: f(self.sent_bytes, other.sent_bytes),
            send_dropped: f(self.send_dropped, other.send_dropped),
            looped: f(self.looped, other.looped),
            unpacked: f(self.unpacked, other.unpacked),
            segmented: f(self.segmented, other.segmented),
            segments: f(self.segments, other.segments),
            checksums_completed: f(self.checksums_completed, other.checksums_completed),
            resets_sent: f(self.resets_sent, other.resets_sent),
            drops: std::array::from_fn(|i| f(self.drops[i], other.drops[i])),
            icmp: std::array::from_fn(|i| f(self.icmp[i], other.icmp[i])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_counter_has_its_own_index() {
        let fixed = [
            NicCounter::Received,
            NicCounter::ReceivedBytes,
            NicCounter::Delivered,
            NicCounter::Forwarded,
            NicCounter::Consumed,
            NicCounter::Sent,
            NicCounter::SentBytes,
            NicCounter::SendDropped,
            NicCounter::Looped,
            NicCounter::ResetsSent,
            NicCounter::Unpacked,
            NicCounter::Segmented,
            NicCounter::Segments,
            NicCounter::ChecksumsCompleted,
        ];
        let drops = DropReason::ALL.iter().map(|r| NicCounter::Drop(*r));
        let icmp = IcmpCounter::ALL.iter().map(|c| NicCounter::Icmp(*c));
        let indices: HashSet<_> = fixed
            .into_iter()
            .chain(drops)
            .chain(icmp)
            .map(CounterKey::index)
            .collect();
        assert_eq!(indices.len(), NicCounter::COUNT);
        assert!(indices.iter().all(|i| *i < NicCounter::COUNT));
    }

    #[test]
    fn totals_balance_and_subtract() {
        let mut a = NicTotals {
            received: 10,
            delivered: 4,
            consumed: 1,
            ..NicTotals::default()
        };
        a.drops[DropReason::InvalidAddress as usize] = 3;
        assert_eq!(a.balance(), 2);
        a.forwarded = 2;
        assert_eq!(a.balance(), 0);
        assert_eq!(a.since(&a), NicTotals::default());
        assert_eq!(a.plus(&NicTotals::default()), a);
        assert_eq!(a.plus(&a).dropped(), 6);
    }
}
