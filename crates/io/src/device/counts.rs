//! What the queues of a device count.

use corelane_sync::counters::{self, CounterKey, CounterReader, CounterWriter, counters};

/// What a queue counts beyond what the engine does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeviceCounter {
    /// Frames dropped: longer than a slot of the ring or of the pool.
    TooLong,
    /// Super-frames received.
    SuperFramesReceived,
    /// Super-frames sent.
    SuperFramesSent,
    /// Super-frames dropped: longer than a buffer of the pool, or than the kernel had memory for.
    SuperFramesDropped,
    /// Frames dropped that are not what the kernel said of them.
    OffloadInvalid,
    /// VLAN tags put back.
    TagsRestored,
    /// Bursts cut short since the pool had no more buffers.
    BufferWaits,
    /// Bursts cut short since the device had no room, or was down.
    SendWaits,
    /// Frames that the device does not take.
    SendRefused,
    /// Frames sent that the driver dropped, as far as the kernel tells.
    SendLost,
    /// Frames received, super-frames aside, whose checksum was left to hardware.
    PartialChecksums,
    /// Frames of another pool, copied to be sent.
    Copied,
}

impl CounterKey for DeviceCounter {
    const COUNT: usize = 12;

    fn index(self) -> usize {
        self as usize
    }
}

/// What one queue counts with.
pub(crate) type Counts = CounterWriter<DeviceCounter>;

/// Reads what all queues of a link count.
#[derive(Clone, Debug)]
pub(crate) struct QueueCounters(Vec<CounterReader<DeviceCounter>>);

/// Counters for so many queues: of each, those of its receive half and of its transmit half.
pub(crate) fn queue_counters(queues: usize) -> (Vec<(Counts, Counts)>, QueueCounters) {
    let mut readers = Vec::new();
    let mut half = || {
        let (writer, reader) = counters();
        readers.push(reader);
        writer
    };
    let halves = (0..queues).map(|_| (half(), half())).collect();
    (halves, QueueCounters(readers))
}

impl QueueCounters {
    /// The totals by name, of links that are told what was left to hardware.
    pub(crate) fn read(&self) -> Vec<(&'static str, u64)> {
        let named = [
            ("too_long", DeviceCounter::TooLong),
            ("super_frames_received", DeviceCounter::SuperFramesReceived),
            ("super_frames_sent", DeviceCounter::SuperFramesSent),
            ("super_frames_dropped", DeviceCounter::SuperFramesDropped),
            ("offload_invalid", DeviceCounter::OffloadInvalid),
            ("partial_checksums", DeviceCounter::PartialChecksums),
            ("vlan_tags_restored", DeviceCounter::TagsRestored),
            ("buffer_waits", DeviceCounter::BufferWaits),
            ("send_waits", DeviceCounter::SendWaits),
            ("send_refused", DeviceCounter::SendRefused),
        ];
        named.map(|(name, key)| (name, self.total(key))).into()
    }

    /// One of the totals.
    pub(crate) fn total(&self, key: DeviceCounter) -> u64 {
        counters::sum(&self.0, key)
    }
}
