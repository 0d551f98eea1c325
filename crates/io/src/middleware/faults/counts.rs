//! What was done to frames.
#![expect(
    clippy::disallowed_types,
    reason = "guards the list of lanes, which a link adds to when it is opened"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corelane_stack::Time;
use corelane_sync::counters::{CounterKey, CounterReader, CounterWriter, counters};

/// What a lane counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Seen,
    Dropped,
    Corrupted,
    Duplicated,
    Reordered,
    Delayed,
    Stalled,
    Overflow,
    NoBuffer,
    Passed,
}

impl CounterKey for Fault {
    const COUNT: usize = 10;

    fn index(self) -> usize {
        self as usize
    }
}

/// What others may know of a lane.
pub(super) struct LaneShared {
    counters: CounterReader<Fault>,
    /// When it has something to do next, in nanoseconds on its clock; `u64::MAX` if never.
    due: AtomicU64,
}

impl LaneShared {
    pub(super) fn new() -> (CounterWriter<Fault>, Arc<Self>) {
        let (writer, counters) = counters();
        let due = AtomicU64::new(u64::MAX);
        (writer, Arc::new(Self { counters, due }))
    }

    pub(super) fn set_due(&self, due: Option<Time>) {
        let due = due.map_or(u64::MAX, Time::as_nanos);
        // Most of the time it is what it was: no line to be written.
        if self.due.load(Ordering::Relaxed) != due {
            self.due.store(due, Ordering::Relaxed);
        }
    }
}

/// The lanes of each direction.
#[derive(Default)]
pub(super) struct Lanes([Mutex<Vec<Arc<LaneShared>>>; 2]);

impl Lanes {
    pub(super) fn add(&self, direction: u64, lane: Arc<LaneShared>) {
        let [rx, tx] = &self.0;
        let list = if direction == 0 { rx } else { tx };
        list.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lane);
    }

    fn of(&self, direction: usize) -> Vec<Arc<LaneShared>> {
        let list = self.0.get(direction);
        list.map_or_else(Vec::new, |list| {
            list.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }
}

/// What was done to the frames of one direction, over all queues.
///
/// `seen + duplicated = passed + dropped + overflow`, and what is held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionCounts {
    /// Came.
    pub seen: u64,
    /// Vanished, as the plan has it.
    pub dropped: u64,
    /// Had bits flipped.
    pub corrupted: u64,
    /// Came twice: the copies.
    pub duplicated: u64,
    /// Were overtaken by as many frames as the plan has it. One that nobody came to overtake in time
    /// is not counted.
    pub reordered: u64,
    /// Waited, as delay and jitter have it.
    pub delayed: u64,
    /// Waited for the end of a stall.
    pub stalled: u64,
    /// Vanished since as many frames as can be were held back.
    pub overflow: u64,
    /// Were to come twice, and there was no buffer for the copy.
    pub no_buffer: u64,
    /// Went on.
    pub passed: u64,
}

impl DirectionCounts {
    /// The counts by name.
    pub fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("seen", self.seen),
            ("dropped", self.dropped),
            ("corrupted", self.corrupted),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("delayed", self.delayed),
            ("stalled", self.stalled),
            ("overflow", self.overflow),
            ("no_buffer", self.no_buffer),
            ("passed", self.passed),
        ]
    }
}

/// Reads what [`Faults`](super::Faults) count.
#[derive(Clone)]
pub struct FaultsCounters {
    lanes: Arc<Lanes>,
}

impl FaultsCounters {
    pub(super) fn new(lanes: Arc<Lanes>) -> Self {
        Self { lanes }
    }

    /// Of frames on their way to the engine.
    pub fn rx(&self) -> DirectionCounts {
        self.of(0)
    }

    /// Of frames that the engine sends.
    pub fn tx(&self) -> DirectionCounts {
        self.of(1)
    }

    /// When a frame that is held back goes on next, by the clock of the faults; None if none is.
    pub fn next_due(&self) -> Option<Time> {
        let lanes = [self.lanes.of(0), self.lanes.of(1)].concat();
        let due = lanes.iter().map(|lane| lane.due.load(Ordering::Relaxed));
        due.min()
            .filter(|due| *due != u64::MAX)
            .map(Time::from_nanos)
    }

    fn of(&self, direction: usize) -> DirectionCounts {
        let lanes = self.lanes.of(direction);
        let sum = |fault| lanes.iter().map(|lane| lane.counters.value(fault)).sum();
        DirectionCounts {
            seen: sum(Fault::Seen),
            dropped: sum(Fault::Dropped),
            corrupted: sum(Fault::Corrupted),
            duplicated: sum(Fault::Duplicated),
            reordered: sum(Fault::Reordered),
            delayed: sum(Fault::Delayed),
            stalled: sum(Fault::Stalled),
            overflow: sum(Fault::Overflow),
            no_buffer: sum(Fault::NoBuffer),
            passed: sum(Fault::Passed),
        }
    }
}
