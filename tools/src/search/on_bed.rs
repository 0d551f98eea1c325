//! Trials on a bed: the engine in this process, or a device on real links.

use std::time::{Duration, Instant};

use super::trial::{Load, Measurer, Trial, TrialInput};
use crate::generator::Lateness;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{self, Failure, TestBed, TrialResult};

/// Performs trials on a [`TestBed`]: a [`Bed`](run::Bed) on which a full ring means a drop, or a
/// [`LinkBed`](crate::links::LinkBed).
///
/// # What is lost
///
/// The generator's link has no wire that could be full: a frame is due at its planned time, and a worker's
/// ring takes it or does not, as a NIC's descriptor ring would. So lost is, of the frames that were planned:
/// what found the ring full, what found no buffer, what the engine dropped, and what the generator could
/// not send in time. There is no back-pressure in a trial: that is what `bench --rate max` has. On real links
/// it is what did not come back, and what the link did not take in time.
///
/// # Which loss is the engine's
///
/// A generator that lost its core sends what came due meanwhile at once, and rings that are smaller than
/// that overflow though the engine is fast enough. A trial with loss is valid if frames were sent on time: if
/// the generator was never so late (by p99.9, where more than one in a thousand was lost) that more came
/// due than the rings hold; and if the tester itself lost none that came back.
pub(super) struct OnBed<'a> {
    pub(super) bed: &'a mut dyn TestBed,
    pub(super) progress: &'a Progress,
    pub(super) interrupt: &'a Interrupt,
    /// When its clock was started.
    pub(super) since: Instant,
    /// Whether the books of every trial balanced.
    pub(super) holds: bool,
}

impl OnBed<'_> {
    /// Runs a trial, and keeps in mind whether its books balance. None if it was interrupted.
    pub(super) fn run(&mut self, trial: &run::Trial) -> Result<Option<TrialResult<()>>, Failure> {
        let result = self.bed.try_load(trial, self.progress, self.interrupt)?;
        self.holds &= result.accounting.holds;
        Ok((!self.interrupt.is_raised()).then_some(result))
    }
}

impl Measurer for OnBed<'_> {
    type Error = Failure;

    fn measure(&mut self, input: TrialInput) -> Result<Option<Trial>, Failure> {
        let result = self.run(&run::Trial::new(Some(input.load as f64), input.duration))?;
        Ok(result.map(|result| {
            let kept = Kept {
                intended: result.intended,
                lost: result.lost(),
                unsent: result.unsent.all(),
                lost_by_tester: result.lost_by_tester,
                lateness: result.lateness,
            };
            let valid = kept.is_valid(input.load, self.bed.room());
            Trial::new(
                input,
                result.intended,
                result.offered,
                result.received,
                valid,
            )
        }))
    }

    fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

/// How the generator kept its plan in a trial.
struct Kept {
    intended: u64,
    lost: u64,
    unsent: u64,
    lost_by_tester: u64,
    lateness: Lateness,
}

impl Kept {
    /// Whether the loss is the engine's: see [`OnBed`].
    fn is_valid(&self, load: Load, room: u64) -> bool {
        /// A share so small that the latest frames alone may have made it.
        const FEW: f64 = 0.001;
        let share = |frames: u64| frames as f64 / self.intended.max(1) as f64;
        let late_ns = if share(self.lost) > FEW {
            self.lateness.p999
        } else {
            self.lateness.max
        };
        let came_due = late_ns as f64 / 1e9 * load as f64;
        let on_time = share(self.unsent) <= FEW && came_due <= room as f64;
        self.lost == 0 || (on_time && self.lost_by_tester == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_the_engines_if_frames_were_sent_on_time() {
        let valid = |lost, unsent, max, p999| {
            let lateness = Lateness {
                p999,
                max,
                ..Lateness::default()
            };
            let kept = Kept {
                intended: 1_000_000,
                lost,
                unsent,
                lost_by_tester: 0,
                lateness,
            };
            kept.is_valid(10_000_000, 1024)
        };
        // At 10 million a second, 1024 frames come due in 102.4 us.
        assert!(valid(0, 0, 1_000_000, 1_000_000));
        assert!(valid(10, 0, 100_000, 1_000));
        assert!(!valid(10, 0, 110_000, 1_000));
        // More is lost than the latest of a thousand frames can have made.
        assert!(valid(10_000, 0, 110_000, 1_000));
        assert!(!valid(10_000, 0, 110_000, 110_000));
        // It was behind at the end.
        assert!(!valid(10_000, 1_001, 0, 0));
        assert!(valid(10_000, 1_000, 0, 0));
    }
}
