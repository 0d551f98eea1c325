//! What set the pace.

use serde::Serialize;

/// What kept the rate from being higher, or from being what was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Nothing: the planned rate was sent and taken.
    None,
    /// The workers: their rings were full.
    Workers,
    /// The generator: the workers waited for it, or it was late.
    Generator,
    /// The frame pool: there was no buffer for a frame.
    Pool,
    /// The link: it took no more at full speed.
    Link,
}

/// From what the limit is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// Whether the rate was `max`.
    pub at_max: bool,
    /// Frames that all rings together hold.
    pub room: u64,
    /// Frames planned.
    pub intended: u64,
    /// Of these, not sent in time.
    pub late: u64,
    /// Dropped because a ring was full.
    pub ring_full: u64,
    /// Dropped because there was no buffer.
    pub pool_empty: u64,
    /// Polls of the generator that gave frames.
    pub productive: u64,
    /// Polls that gave nothing for want of a buffer.
    pub starved: u64,
    /// Times the generator was not polled because a ring was full.
    pub waiting: u64,
    /// The share of its time that the busiest worker was idle.
    pub idle: f64,
}

impl Limit {
    /// What the evidence says. At `max` the generator runs against the rings. It was the limit if
    /// every worker had time left and the generator hardly ever had to wait for room in a ring: a
    /// poll that waits takes a tenth of the time of one that gives a burst, so that fewer of the
    /// former than of the latter are little time. What fits the rings as a whole says nothing. At a
    /// fixed rate the limit is what frames were lost for.
    pub fn of(evidence: &Evidence) -> Self {
        /// The share of polls, or of a worker's time, that is too large to be chance.
        const MUCH: f64 = 0.1;
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let Evidence {
            productive,
            starved,
            waiting,
            intended,
            ..
        } = *evidence;
        if evidence.at_max {
            return if intended <= evidence.room {
                Self::None
            } else if share(starved, productive + starved + waiting) > MUCH && starved > waiting {
                Self::Pool
            } else if waiting > productive || evidence.idle < MUCH {
                Self::Workers
            } else {
                Self::Generator
            };
        }
        let lost = [
            (evidence.ring_full, Self::Workers),
            (evidence.pool_empty, Self::Pool),
            // The last of the planned frames may be late by chance.
            (
                if share(evidence.late, intended) > 0.001 {
                    evidence.late
                } else {
                    0
                },
                Self::Generator,
            ),
        ];
        match lost.into_iter().max_by_key(|(frames, _)| *frames) {
            Some((frames, limit)) if frames > 0 => limit,
            _ => Self::None,
        }
    }
}
