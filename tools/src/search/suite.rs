//! Everything that `search` measures: each frame size, again and again, and what follows from its result.

use std::time::{Duration, Instant};

use corelane::engine::WhenFull;

use super::burst::{BackToBack, longest_burst};
use super::controller::{Found, Limits, SearchError, search};
use super::goal::Goal;
use super::in_memory::OnBed;
use super::report::{ScalingPoint, Searched, UnderLoad};
use super::trial::Load;
use crate::cli::{EngineArgs, LoadArgs};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{Bed, Failure, Layout, Trial};
use crate::unit::{FrameSize, Rate};

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The engine.
    pub engine: EngineArgs,
    /// The traffic, but for the size of its frames.
    pub load: LoadArgs,
    /// The sizes.
    pub sizes: Vec<FrameSize>,
    /// What is searched for. What is measured at a share of a rate takes the first one's.
    pub goals: Vec<Goal>,
    /// The largest load; none for as much as the generator can send.
    pub max_rate: Option<Rate>,
    /// The unmeasured trial before each search.
    pub warmup: Duration,
    /// How long a search may take.
    pub time_limit: Duration,
    /// Whether a goal that is missed at the smallest load ends its search.
    pub fail_fast: bool,
    /// How often each search is done.
    pub repeat: usize,
    /// Whether to measure latency under load.
    pub latency: bool,
    /// How many searches for the longest burst; none without.
    pub bursts: Option<usize>,
    /// Whether to search with fewer workers too, for the first size.
    pub scale_workers: bool,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// For each size, in order, as far as it came.
    pub sizes: Vec<Searched>,
    /// What the frames go to, in a few words.
    pub target: String,
    /// The rate by workers.
    pub scaling: Vec<ScalingPoint>,
    /// Whether the books of some trial did not balance.
    pub accounting_violated: bool,
}

/// Shares of the first goal's rate at which latency is measured; at 0 there is but a trickle.
const FRACTIONS: [f64; 4] = [0.0, 0.1, 0.5, 0.9];

/// Frames per second of that trickle: as good as none, and enough to tell percentiles from.
const TRICKLE: f64 = 1_000.0;

/// How long the generator is asked what it can send.
const CEILING: Duration = Duration::from_millis(100);

/// How long a burst may be: RFC 2544, section 26.4, has the duration of a trial be 2 seconds at least.
const LONGEST_BURST: Duration = Duration::from_secs(2);

/// The smallest load, as a part of the largest.
const SMALLEST: u64 = 1000;

impl Suite {
    /// Measures it all, the sizes taking turns; what is there when somebody interrupts is returned.
    ///
    /// # Errors
    /// A trial could not be performed.
    pub fn run(&self, progress: &Progress, interrupt: &Interrupt) -> Result<Results, Failure> {
        let mut results = Results::default();
        progress.stage("frames", None);
        let layouts: Vec<Layout> = self
            .sizes
            .iter()
            .map(|&size| self.layout(size, self.engine.workers, false))
            .collect();
        results.target = layouts
            .first()
            .map_or_else(String::new, |layout| layout.target().describe());
        for _ in 0..self.repeat {
            for (i, layout) in layouts.iter().enumerate() {
                if interrupt.is_raised() {
                    break;
                }
                progress.stage("search", None);
                let (ceiling, found) = self.search(layout, &mut results, progress, interrupt)?;
                if results.sizes.len() <= i {
                    results.sizes.push(Searched::new(self.sizes[i], layout));
                }
                results.sizes[i].add(ceiling, found);
            }
        }
        let rates: Vec<_> = results.sizes.iter().map(Searched::rate).collect();
        for (i, (rate, layout)) in rates.into_iter().zip(&layouts).enumerate() {
            if self.latency && !interrupt.is_raised() {
                progress.stage("latency", None);
                let layout = self.layout(self.sizes[i], self.engine.workers, true);
                let latency = self.latency(&layout, rate, &mut results, progress, interrupt)?;
                results.sizes[i].latency = latency;
            }
            if let Some(repeats) = self.bursts
                && !interrupt.is_raised()
            {
                progress.stage("bursts", None);
                let bursts =
                    self.bursts(layout, repeats, rate, &mut results, progress, interrupt)?;
                results.sizes[i].back_to_back = bursts;
            }
        }
        if self.scale_workers {
            self.scale(&layouts, &mut results, progress, interrupt)?;
        }
        progress.clear();
        Ok(results)
    }

    fn layout(&self, size: FrameSize, workers: Option<usize>, latency: bool) -> Layout {
        let engine = EngineArgs {
            workers,
            latency,
            ..self.engine.clone()
        };
        Layout::new(&engine, &self.load, size)
    }

    /// One search on an engine of its own, and the largest load that it was allowed.
    fn search(
        &self,
        layout: &Layout,
        results: &mut Results,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<(Load, Option<Found>), Failure> {
        on_bed(layout, results, progress, interrupt, |bed| {
            let asked = self
                .max_rate
                .and_then(|rate| rate.pps(layout.frames().mean_size(0), 0.0));
            let max_load = match asked {
                Some(pps) => pps as Load,
                None => match bed.run(&Trial::new(None, CEILING))? {
                    Some(result) => result.offered_pps() as Load,
                    None => return Ok((0, None)),
                },
            };
            // At least ten frames in the shortest trial.
            let shortest = self.goals.iter().map(|goal| goal.initial_trial).min();
            let few = 10.0 / shortest.unwrap_or(CEILING).as_secs_f64();
            let limits = Limits {
                min_load: (max_load / SMALLEST).max(few.ceil() as Load),
                max_load,
                warmup: (!self.warmup.is_zero()).then_some(self.warmup),
                max_time: self.time_limit,
                fail_fast: self.fail_fast,
            };
            match search(&self.goals, &limits, bed) {
                Ok(found) => Ok((max_load, Some(found))),
                Err(SearchError::Measurer(failure)) => Err(failure),
                Err(error) => Err(Failure::Run(format!(
                    "no search from {} to {max_load} frames per second: {error}",
                    limits.min_load
                ))),
            }
        })
    }

    /// Latency at shares of a rate; without a rate, of no load only.
    fn latency(
        &self,
        layout: &Layout,
        rate: Option<f64>,
        results: &mut Results,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<UnderLoad>, Failure> {
        let duration = self.goals.iter().map(|goal| goal.final_trial).max();
        let duration = duration.unwrap_or_default().max(Duration::from_secs(1));
        on_bed(layout, results, progress, interrupt, |bed| {
            let mut under_load = Vec::new();
            for fraction in FRACTIONS {
                let pps = match rate {
                    _ if fraction == 0.0 => TRICKLE,
                    Some(rate) => rate * fraction,
                    None => break,
                };
                match bed.run(&Trial::new(Some(pps), duration))? {
                    Some(result) => under_load.extend(UnderLoad::of(fraction, pps, &result)),
                    None => break,
                }
            }
            Ok(under_load)
        })
    }

    fn bursts(
        &self,
        layout: &Layout,
        repeats: usize,
        rate: Option<f64>,
        results: &mut Results,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Option<BackToBack>, Failure> {
        on_bed(layout, results, progress, interrupt, |bed| {
            let Some(ceiling) = bed.run(&Trial::new(None, CEILING))? else {
                return Ok(None);
            };
            let pps = ceiling.offered_pps();
            let longest = (pps * LONGEST_BURST.as_secs_f64()) as u64;
            let mut lengths = Vec::new();
            for _ in 0..repeats {
                let length = longest_burst(bed.room, longest.max(1), |frames| {
                    let duration = Duration::from_secs_f64(frames as f64 / pps);
                    let result = bed.run(&Trial::new(Some(pps), duration))?;
                    Ok::<_, Failure>(result.map(|result| result.lost() > 0))
                })?;
                match length {
                    Some(length) => lengths.push(length),
                    None => break,
                }
                // One that is not limited is not going to be: it took its time.
                if length == Some(longest) {
                    break;
                }
            }
            Ok(BackToBack::of(&lengths, longest, pps, rate))
        })
    }

    /// The rate of the first size with 1, 2, 4 ... workers, and with all of them, which is known.
    fn scale(
        &self,
        layouts: &[Layout],
        results: &mut Results,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let (Some(layout), Some(&size)) = (layouts.first(), self.sizes.first()) else {
            return Ok(());
        };
        let all = layout.setting().workers;
        let powers = std::iter::successors(Some(1), |n| Some(n * 2));
        for workers in powers.take_while(|&n| n < all) {
            if interrupt.is_raised() {
                return Ok(());
            }
            progress.stage("scaling", None);
            let layout = self.layout(size, Some(workers), false);
            let mut searched = Searched::new(size, &layout);
            for _ in 0..self.repeat {
                let (ceiling, found) = self.search(&layout, results, progress, interrupt)?;
                searched.add(ceiling, found);
            }
            results.scaling.push(ScalingPoint::of(workers, &searched));
        }
        if let Some(searched) = results.sizes.first() {
            results.scaling.push(ScalingPoint::of(all, searched));
        }
        Ok(())
    }
}

/// Does something with an engine, which is stopped afterwards.
fn on_bed<T>(
    layout: &Layout,
    results: &mut Results,
    progress: &Progress,
    interrupt: &Interrupt,
    run: impl FnOnce(&mut OnBed<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut bed = Bed::start(layout, WhenFull::Drop)?;
    let mut on_bed = OnBed {
        bed: &mut bed,
        room: layout.setting().room(),
        progress,
        interrupt,
        since: Instant::now(),
        holds: true,
    };
    let done = run(&mut on_bed);
    results.accounting_violated |= !on_bed.holds;
    bed.finish();
    done
}
