//! One trial, and who measures it.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::ledger::Lost;

/// A load, in whole frames per second: trials at the same load add up.
pub type Load = u64;

/// What a trial is to be (the Trial Input of RFC 9971).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialInput {
    /// The intended load.
    pub load: Load,
    /// How long frames are sent.
    pub duration: Duration,
}

/// What a trial was (the Trial Result of RFC 9971).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The intended load, in frames per second (RFC 2285: Iload).
    pub offered_pps: Load,
    /// How long frames were sent, as intended. It is the Trial Effective Duration as well.
    #[serde(rename = "duration_s", serialize_with = "seconds")]
    pub duration: Duration,
    /// Frames that the load and the duration come to.
    pub intended: u64,
    /// Frames that were sent (RFC 2285: Oload, as a count).
    pub sent: u64,
    /// Frames that came through.
    pub received: u64,
    /// The Trial Loss Ratio: what of the intended frames did not come through. What was not sent counts
    /// as lost: a tester that falls short must not make a system look better.
    pub loss_ratio: f64,
    /// What else than the system may have caused the loss, if there is any.
    pub spoiled_by: Option<Spoiler>,
    /// What became of what did not come through.
    pub lost: Lost,
    /// How late frames were sent, by p99.9, in nanoseconds.
    pub sent_late_p999_ns: u64,
}

/// What may have caused a loss that is not the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoiler {
    /// The tester did not send so much, or had no room for what came back.
    Tester,
    /// The tester's core was taken from it for a while.
    TesterCore,
    /// A worker's core was taken from it for so long that its ring ran over, and no more was lost than
    /// came meanwhile.
    WorkerCore,
}

impl Trial {
    /// The trial in which so many frames were counted.
    pub fn new(
        input: TrialInput,
        intended: u64,
        sent: u64,
        received: u64,
        spoiled_by: Option<Spoiler>,
    ) -> Self {
        // More may come than was intended where frames are doubled: that is no forwarding ratio above 1.
        let lost = intended.saturating_sub(received);
        Self {
            offered_pps: input.load,
            duration: input.duration,
            intended,
            sent,
            received,
            loss_ratio: if intended == 0 {
                0.0
            } else {
                lost as f64 / intended as f64
            },
            spoiled_by,
            lost: Lost::default(),
            sent_late_p999_ns: 0,
        }
    }

    /// With what became of the frames that did not come through, and how late frames were sent, by p99.9.
    pub fn with_causes(self, lost: Lost, sent_late_p999_ns: u64) -> Self {
        Self {
            lost,
            sent_late_p999_ns,
            ..self
        }
    }

    /// Whether the loss, if there is any, is the system's.
    pub fn is_valid(&self) -> bool {
        self.spoiled_by.is_none()
    }

    /// The Trial Forwarding Rate: the part of the load that came through.
    pub fn forwarding_rate(&self) -> f64 {
        self.offered_pps as f64 * (1.0 - self.loss_ratio)
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What performs trials: the Measurer of RFC 9971.
pub trait Measurer {
    /// Why it cannot.
    type Error;

    /// Performs a trial. None if somebody wants the search to end.
    ///
    /// # Errors
    /// It could not be performed.
    fn measure(&mut self, input: TrialInput) -> Result<Option<Trial>, Self::Error>;

    /// How long the trials have taken so far, waiting and all: what the time limit of a search is held
    /// against.
    fn elapsed(&self) -> Duration;
}
