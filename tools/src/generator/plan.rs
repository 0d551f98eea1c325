//! When the frames of one or more streams are due, in the order of their times.

use std::ops::Range;

use super::Schedule;

/// The planned times of the streams of a window, gone through once; times count from its start.
#[derive(Clone, Debug)]
pub struct Plan {
    lanes: Vec<Lane>,
}

#[derive(Clone, Debug)]
struct Lane {
    schedule: Schedule,
    during: Range<u64>,
    /// The number of its next frame, and when that is due: all ones if it is not to come.
    next: u64,
    due: u64,
}

impl Lane {
    fn new(schedule: Schedule, during: Range<u64>) -> Self {
        let mut lane = Self {
            schedule,
            during,
            next: 0,
            due: 0,
        };
        lane.due = lane.at(0);
        lane
    }

    #[inline]
    fn at(&self, n: u64) -> u64 {
        let time = self.during.start.saturating_add(self.schedule.at(n));
        if time < self.during.end {
            time
        } else {
            u64::MAX
        }
    }

    fn due_before(&self, end: u64, limit: u64) -> u64 {
        let end = end.min(self.during.end).saturating_sub(self.during.start);
        self.schedule.due_before(end, limit)
    }

    #[inline]
    fn take(&mut self) -> u64 {
        let due = self.due;
        self.next += 1;
        self.due = self.at(self.next);
        due
    }
}

impl From<Schedule> for Plan {
    fn from(schedule: Schedule) -> Self {
        Self::new([(schedule, 0..u64::MAX)])
    }
}

impl Plan {
    /// Streams, by number, and from when to when each runs, in nanoseconds; a schedule's times count from
    /// the start of its stream.
    pub fn new(streams: impl IntoIterator<Item = (Schedule, Range<u64>)>) -> Self {
        let lanes = streams.into_iter();
        Self {
            lanes: lanes
                .map(|(schedule, during)| Lane::new(schedule, during))
                .collect(),
        }
    }

    /// Takes the next frame if it is due before `until`: its time and its stream. Of those due at once the
    /// one of the lowest stream is first.
    #[inline]
    pub fn next_before(&mut self, until: u64) -> Option<(u64, usize)> {
        if let [lane] = &mut self.lanes[..] {
            return (lane.due < until).then(|| (lane.take(), 0));
        }
        let lanes = self.lanes.iter_mut().enumerate();
        let (stream, first) = lanes.min_by_key(|(_, lane)| lane.due)?;
        (first.due < until).then(|| (first.take(), stream))
    }

    /// How many frames of a stream are due before `end`, however many were taken.
    pub fn due_of_stream(&self, stream: usize, end: u64) -> u64 {
        let lane = self.lanes.get(stream);
        lane.map_or(0, |lane| lane.due_before(end, u64::MAX))
    }

    /// How many frames are due before `end` in all, at most `limit`, however many were taken.
    pub fn due_before(&self, end: u64, limit: u64) -> u64 {
        let lanes = self.lanes.iter();
        let due = lanes.map(|lane| lane.due_before(end, limit));
        due.fold(0, u64::saturating_add).min(limit)
    }
}
