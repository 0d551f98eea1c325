//! Trials on a bed: the engine in this process, or a device on real links.

use std::time::{Duration, Instant};

use super::ledger::Lost;
use super::trial::{Load, Measurer, Spoiler, Trial, TrialInput};
use crate::generator::Lateness;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::scaled;
use crate::run::{self, Failure, LoadResult, TestBed};
use crate::threads::Waited;
use crate::unit::Arrival;

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
/// A generator that lost its core has to send what came due meanwhile, and rings that are smaller than that would
/// overflow though the engine is fast enough. So as many frames wait for room in the rings
/// ([`Room`](crate::generator::Room)). On real links, where nobody knows of room, they are sent at once.
///
/// A trial with loss is valid if frames were sent on time: if the generator was never so late (by p99.9, where more than
/// one in a thousand was lost; but for what waited) that more came due than the rings hold; and if the tester itself lost
/// none that came back.
///
/// So it is with a worker that lost its core to something else: its ring overflows meanwhile. A worker that is
/// fast enough loses no more than came for it in that time. So the loss is taken for the machine's if some
/// worker waited for its core for longer than its ring holds what comes, and if no more was lost than came
/// for workers that waited; what is lost beyond that was too much for the engine.
pub(super) struct OnBed<'a> {
    pub(super) bed: &'a mut dyn TestBed,
    pub(super) progress: &'a Progress,
    pub(super) interrupt: &'a Interrupt,
    /// What is measured, for who looks on.
    pub(super) what: &'a str,
    /// How frames come.
    pub(super) arrival: Arrival,
    /// Trials so far.
    pub(super) trials: usize,
    /// When its clock was started.
    pub(super) since: Instant,
    /// Workers of the engine.
    pub(super) workers: usize,
    /// Whether the books of every trial balanced.
    pub(super) holds: bool,
}

impl OnBed<'_> {
    /// A trial whose frames come as they are to come.
    pub(super) fn trial(&self, pps: f64, duration: Duration) -> run::Trial {
        run::Trial {
            arrival: self.arrival,
            ..run::Trial::new(Some(pps), duration)
        }
    }

    /// Runs a trial, and keeps in mind whether its books balance. None if it was interrupted.
    pub(super) fn run(&mut self, trial: &run::Trial) -> Result<Option<LoadResult>, Failure> {
        self.trials += 1;
        self.progress.note(&format!(
            "{}, trial {} after {:.0} s, {}",
            self.what,
            self.trials,
            self.since.elapsed().as_secs_f64(),
            trial
                .pps
                .map_or("full speed".to_owned(), |pps| scaled(pps, "pps")),
        ));
        let result = self.bed.try_load(trial, self.progress, self.interrupt)?;
        self.holds &= result.accounting.holds;
        Ok((!self.interrupt.is_raised()).then_some(result))
    }
}

impl Measurer for OnBed<'_> {
    type Error = Failure;

    fn measure(&mut self, input: TrialInput) -> Result<Option<Trial>, Failure> {
        let trial = run::Trial {
            patient: true,
            ..self.trial(input.load as f64, input.duration)
        };
        let result = self.run(&trial)?;
        Ok(result.map(|result| {
            let kept = Kept {
                intended: result.intended,
                lost: result.lost(),
                unsent: result.unsent.all(),
                lost_by_tester: result.lost_by_tester,
                lateness: if self.bed.knows_room() {
                    result.lateness_polled
                } else {
                    result.lateness
                },
                waited: result.waited,
                workers: self.workers,
            };
            let spoiled_by = kept.spoiled_by(input.load, self.bed.room());
            let known = Lost {
                unsent: kept.unsent,
                ring_full: result.drops.ring_full,
                pool_empty: result.drops.pool_empty,
                dropped: result.dropped,
                on_way: 0,
            };
            let lost = Lost {
                on_way: known.missing(result.offered, result.received),
                ..known
            };
            Trial::new(
                input,
                result.intended,
                result.offered,
                result.received,
                spoiled_by,
            )
            .with_causes(lost, result.lateness.p999)
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
    waited: Waited,
    workers: usize,
}

impl Kept {
    /// What else than the engine may have caused the loss: see [`OnBed`].
    fn spoiled_by(&self, load: Load, room: u64) -> Option<Spoiler> {
        /// A share so small that the latest frames alone may have made it.
        const FEW: f64 = 0.001;
        let share = |frames: u64| frames as f64 / self.intended.max(1) as f64;
        let came_in = |ns: u64| ns as f64 / 1e9 * load as f64;
        if self.lost == 0 {
            return None;
        }
        if share(self.unsent) > FEW || self.lost_by_tester > 0 {
            return Some(Spoiler::Tester);
        }
        let late_ns = if share(self.lost) > FEW {
            self.lateness.p999
        } else {
            self.lateness.max
        };
        if came_in(late_ns) > room as f64 {
            return Some(Spoiler::TesterCore);
        }
        // A worker's part of the load against its part of the room.
        let overflows = came_in(self.waited.longest_ns) > room as f64;
        let at_most = came_in(self.waited.all_ns) / self.workers.max(1) as f64;
        (overflows && self.lost as f64 <= at_most).then_some(Spoiler::WorkerCore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Option<Spoiler> = Some(Spoiler::TesterCore);
    const BEHIND: Option<Spoiler> = Some(Spoiler::Tester);
    const AWAY: Option<Spoiler> = Some(Spoiler::WorkerCore);

    /// Of a million frames at 10 million a second, so that 1024 come due in 102.4 us.
    fn kept(lost: u64) -> Kept {
        Kept {
            intended: 1_000_000,
            lost,
            unsent: 0,
            lost_by_tester: 0,
            lateness: Lateness::default(),
            waited: Waited::default(),
            workers: 1,
        }
    }

    fn spoiled_by(kept: &Kept) -> Option<Spoiler> {
        kept.spoiled_by(10_000_000, 1024)
    }

    #[test]
    fn a_loss_is_the_engines_if_frames_were_sent_on_time() {
        let cause = |lost, unsent, max, p999| {
            let lateness = Lateness {
                p999,
                max,
                ..Lateness::default()
            };
            spoiled_by(&Kept {
                unsent,
                lateness,
                ..kept(lost)
            })
        };
        assert_eq!(cause(0, 0, 1_000_000, 1_000_000), None);
        assert_eq!(cause(10, 0, 100_000, 1_000), None);
        assert_eq!(cause(10, 0, 110_000, 1_000), LATE);
        // More is lost than the latest of a thousand frames can have made.
        assert_eq!(cause(10_000, 0, 110_000, 1_000), None);
        assert_eq!(cause(10_000, 0, 110_000, 110_000), LATE);
        // It was behind at the end.
        assert_eq!(cause(10_000, 1_001, 0, 0), BEHIND);
        assert_eq!(cause(10_000, 1_000, 0, 0), None);
        let lost_by_tester = 1;
        let of_tester = Kept {
            lost_by_tester,
            ..kept(10)
        };
        assert_eq!(spoiled_by(&of_tester), BEHIND);
    }

    #[test]
    fn a_loss_is_the_machines_if_no_more_came_while_workers_had_no_core() {
        let cause = |lost, longest_us: u64, all_us: u64, workers| {
            spoiled_by(&Kept {
                waited: Waited {
                    longest_ns: longest_us * 1000,
                    all_ns: all_us * 1000,
                    ..Waited::default()
                },
                workers,
                ..kept(lost)
            })
        };
        // 4 ms: 40,000 frames came.
        assert_eq!(cause(0, 4_000, 4_000, 1), None);
        assert_eq!(cause(30_000, 4_000, 4_000, 1), AWAY);
        assert_eq!(cause(40_000, 4_000, 4_000, 1), AWAY);
        assert_eq!(cause(40_001, 4_000, 4_000, 1), None);
        // The ring had room for what came.
        assert_eq!(cause(500, 100, 100, 1), None);
        // Of four workers each has a quarter of the load, and of the room.
        assert_eq!(cause(10_000, 4_000, 4_000, 4), AWAY);
        assert_eq!(cause(10_001, 4_000, 4_000, 4), None);
        assert_eq!(cause(20_000, 4_000, 8_000, 4), AWAY);
        assert_eq!(cause(50, 100, 400, 4), None);
    }
}
