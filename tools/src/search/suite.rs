//! Everything that `search` measures: each frame size, again and again, and what follows from its result.

use std::time::{Duration, Instant};

use corelane::engine::WhenFull;
use serde_json::Value;

use super::burst::{BackToBack, longest_burst};
use super::controller::{Found, Limits, SearchError, search};
use super::goal::Goal;
use super::on_bed::OnBed;
use super::report::{ScalingPoint, Searched, UnderLoad};
use super::trial::Load;
use crate::cli::{EngineArgs, LinkArgs, LoadArgs, Usage};
use crate::config::LoadProfile;
use crate::interrupt::Interrupt;
use crate::links::{LinkBed, Ports};
use crate::progress::Progress;
use crate::run::{Bed, Failure, Layout, TestBed, Trial};
use crate::selftest::{CoreStalls, SelfCheck, check_cores};
use crate::unit::{Arrival, FrameSize, Rate};

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The engine.
    pub engine: EngineArgs,
    /// The traffic, but for the size of its frames.
    pub load: LoadArgs,
    /// How frames come, unless a profile says so.
    pub arrival: Arrival,
    /// Streams instead of one load.
    pub profile: Option<LoadProfile>,
    /// Real links instead of an engine, if any are said.
    pub links: LinkArgs,
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
    /// How long the cores were gone before it all.
    pub stalls: Vec<CoreStalls>,
    /// For each size, in order, as far as it came.
    pub sizes: Vec<Searched>,
    /// What the frames go to, in a few words.
    pub target: String,
    /// For each size, what makes the streams of a profile another load than those of another; null without one.
    pub streams: Vec<Value>,
    /// What may make the results mean less.
    pub warnings: Vec<String>,
    /// The rate by workers.
    pub scaling: Vec<ScalingPoint>,
    /// Whether the books of some trial did not balance.
    pub accounting_violated: bool,
}

/// Shares of the first goal's rate at which latency is measured; at 0 there is but a trickle.
pub(super) const FRACTIONS: [f64; 4] = [0.0, 0.1, 0.5, 0.9];

/// Frames per second of that trickle: as good as none, and enough to tell percentiles from.
const TRICKLE: f64 = 1_000.0;

/// How long the cores are looked at before.
const STALLS: Duration = Duration::from_millis(500);

impl Suite {
    /// What frames of a size are called: those of a profile have sizes of their own, but for streams that leave it to
    /// the option.
    fn name_of(&self, size: FrameSize) -> String {
        match (&self.profile, self.sizes.len()) {
            (None, _) => size.to_string(),
            (Some(_), 0 | 1) => "profile".to_owned(),
            (Some(_), _) => format!("profile, {size}"),
        }
    }
}

/// How long the generator is asked what it can send, and how often.
const CEILING: Duration = Duration::from_millis(100);
const ATTEMPTS: usize = 3;

/// How much more than to an engine whose rings are full, and out of the caches, a generator may send to one that keeps up:
/// 25 Mpps for 18 to 20, measured with rings of 65,536. What it does not send after all is found to be its limit.
const BESIDE_FULL_RINGS: f64 = 1.5;

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
        let ends = self.links.ends();
        let ports = ends.map(|ends| Ports::open(&self.links, &ends, &|link| link));
        progress.say(&self.forecast());
        let mut run = Run {
            suite: self,
            ports: ports.transpose()?,
            progress,
            interrupt,
            results: Results::default(),
        };
        run.all()?;
        progress.clear();
        Ok(run.results)
    }

    /// The trials that measure latency.
    pub(super) fn latency_trial(&self) -> Duration {
        let duration = self.goals.iter().map(|goal| goal.final_trial).max();
        duration.unwrap_or_default().max(Duration::from_secs(1))
    }

    fn limits(&self, max_load: Load) -> Limits {
        // At least ten frames in the shortest trial.
        let shortest = self.goals.iter().map(|goal| goal.initial_trial).min();
        let few = 10.0 / shortest.unwrap_or(CEILING).as_secs_f64();
        Limits {
            min_load: (max_load / SMALLEST).max(few.ceil() as Load),
            max_load,
            warmup: (!self.warmup.is_zero()).then_some(self.warmup),
            max_time: self.time_limit,
            fail_fast: self.fail_fast,
        }
    }
}

struct Run<'a> {
    suite: &'a Suite,
    /// The links, if it is not an engine of this process.
    ports: Option<Ports>,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
    results: Results,
}

impl Run<'_> {
    fn layout(
        &self,
        size: FrameSize,
        workers: Option<usize>,
        latency: bool,
    ) -> Result<Layout, Failure> {
        let suite = self.suite;
        let engine = EngineArgs {
            workers,
            latency,
            ..suite.engine.clone()
        };
        let device = self.ports.as_ref().map(|ports| ports.device().mac);
        let layout = match &suite.profile {
            None => Layout::new(&engine, &suite.load, size, device),
            Some(profile) => Layout::of_profile(&engine, &suite.load, size, device, profile)?,
        };
        Ok(layout.interruptible(self.interrupt))
    }

    fn all(&mut self) -> Result<(), Failure> {
        let suite = self.suite;
        // On links the device is elsewhere, and what the tester loses by its cores it counts.
        if self.ports.is_none() {
            self.progress.stage("cores", None);
            self.results.stalls = check_cores(STALLS);
        }
        self.progress.stage("frames", None);
        let layouts: Vec<Layout> = suite
            .sizes
            .iter()
            .map(|&size| self.layout(size, suite.engine.workers, false))
            .collect::<Result<_, _>>()?;
        for (&size, layout) in suite.sizes.iter().zip(&layouts) {
            self.results.target = layout.target().describe();
            self.progress.stage("self-test", None);
            let pace = layout.ceiling(suite.arrival);
            let self_check = SelfCheck::run(layout.frames().clone(), pace)?;
            self.results.streams.push(layout.stream_flags());
            let searched = Searched::new(suite.name_of(size), layout, self_check);
            self.results.sizes.push(searched);
        }
        for _ in 0..suite.repeat {
            for (i, layout) in layouts.iter().enumerate() {
                let what = suite.name_of(suite.sizes[i]);
                let (max_load, found) = self.search(layout, "search", &what)?;
                self.results.sizes[i].add(max_load, found);
            }
        }
        for (i, layout) in layouts.iter().enumerate() {
            let rate = self.results.sizes[i].rate();
            let what = suite.name_of(suite.sizes[i]);
            if suite.latency && !self.interrupt.is_raised() {
                let layout = self.layout(suite.sizes[i], suite.engine.workers, true)?;
                self.results.sizes[i].latency = self.latency(&layout, &what, rate)?;
            }
            if let Some(repeats) = suite.bursts {
                self.results.sizes[i].back_to_back = self.bursts(layout, &what, repeats, rate)?;
            }
        }
        if let (true, Some(layout)) = (suite.scale_workers, layouts.first()) {
            self.scale(layout)?;
        }
        Ok(())
    }

    /// One search on an engine of its own, and the largest load that it was allowed.
    fn search(
        &mut self,
        layout: &Layout,
        stage: &'static str,
        what: &str,
    ) -> Result<(Load, Option<Found>), Failure> {
        let suite = self.suite;
        let found = self.on_bed(layout, stage, what, |bed| {
            let mean = layout.mean_size();
            let asked = suite.max_rate.and_then(|rate| rate.pps(mean, 0.0));
            let max_load = match asked {
                Some(pps) => pps as Load,
                None => match ceiling(bed)? {
                    Some(pps) if bed.bed.knows_room() => (pps * BESIDE_FULL_RINGS) as Load,
                    Some(pps) => pps as Load,
                    None => return Ok(None),
                },
            };
            let limits = suite.limits(max_load);
            match search(&suite.goals, &limits, bed) {
                Ok(found) => Ok(Some((max_load, Some(found)))),
                Err(SearchError::Measurer(failure)) => Err(failure),
                Err(error) => {
                    let from = limits.min_load;
                    let what =
                        format!("no search from {from} to {max_load} frames per second: {error}");
                    Err(match asked {
                        Some(_) => Usage::new(format!("--max-rate: {what}")).into(),
                        None => Failure::Run(what),
                    })
                }
            }
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Latency at shares of a rate; without a rate, of no load only.
    fn latency(
        &mut self,
        layout: &Layout,
        what: &str,
        rate: Option<f64>,
    ) -> Result<Vec<UnderLoad>, Failure> {
        let duration = self.suite.latency_trial();
        let under_load = self.on_bed(layout, "latency", what, |bed| {
            let mut under_load = Vec::new();
            for fraction in FRACTIONS {
                let pps = match rate {
                    _ if fraction == 0.0 => TRICKLE,
                    Some(rate) => rate * fraction,
                    None => break,
                };
                let trial = bed.trial(pps, duration);
                match bed.run(&trial)? {
                    Some(result) => under_load.extend(UnderLoad::of(fraction, pps, &result)),
                    None => break,
                }
            }
            Ok(Some(under_load))
        })?;
        Ok(under_load.unwrap_or_default())
    }

    fn bursts(
        &mut self,
        layout: &Layout,
        what: &str,
        repeats: usize,
        rate: Option<f64>,
    ) -> Result<Option<BackToBack>, Failure> {
        self.on_bed(layout, "bursts", what, |bed| {
            let Some(pps) = ceiling(bed)? else {
                return Ok(None);
            };
            let longest = (pps * LONGEST_BURST.as_secs_f64()).ceil() as u64;
            let mut lengths = Vec::new();
            for _ in 0..repeats {
                let length = longest_burst(bed.bed.room(), longest, |frames| {
                    let duration = Duration::from_secs_f64(frames as f64 / pps);
                    let result = bed.run(&Trial::new(Some(pps), duration))?;
                    Ok::<_, Failure>(result.map(|result| result.lost() > 0))
                })?;
                lengths.extend(length);
                // Interrupted; or one that is not limited, which it is not going to be and takes its time.
                if length.is_none_or(|length| length >= longest) {
                    break;
                }
            }
            Ok(BackToBack::of(&lengths, longest, pps, rate))
        })
    }

    /// The rate of the first size with 1, 2, 4 ... workers, and with all of them, which is known.
    fn scale(&mut self, layout: &Layout) -> Result<(), Failure> {
        let suite = self.suite;
        let (all, size) = (layout.setting().workers, suite.sizes[0]);
        for workers in powers_below(all) {
            if self.interrupt.is_raised() {
                break;
            }
            let layout = self.layout(size, Some(workers), false)?;
            let self_check = self.results.sizes[0].self_check().clone();
            let mut searched = Searched::new(suite.name_of(size), &layout, self_check);
            for _ in 0..suite.repeat {
                let what = format!("--workers {workers}");
                let (max_load, found) = self.search(&layout, "scaling", &what)?;
                searched.add(max_load, found);
            }
            self.results
                .scaling
                .push(ScalingPoint::of(workers, &searched));
        }
        let last = ScalingPoint::of(all, &self.results.sizes[0]);
        self.results.scaling.push(last);
        Ok(())
    }

    /// Does something with an engine, which is stopped afterwards; nothing once somebody has interrupted.
    fn on_bed<T>(
        &mut self,
        layout: &Layout,
        stage: &'static str,
        what: &str,
        run: impl FnOnce(&mut OnBed<'_>) -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        if self.interrupt.is_raised() {
            return Ok(None);
        }
        self.progress.stage(stage, None);
        let (progress, interrupt) = (self.progress, self.interrupt);
        let workers = layout.setting().workers;
        let arrival = self.suite.arrival;
        let run = |bed: &mut dyn TestBed| {
            interrupt.begin();
            let mut on_bed = OnBed {
                bed,
                progress,
                interrupt,
                what,
                arrival,
                trials: 0,
                since: Instant::now(),
                workers,
                holds: true,
            };
            let done = run(&mut on_bed)?;
            Ok::<_, Failure>((done, on_bed.holds))
        };
        let (done, holds) = match &mut self.ports {
            Some(ports) => {
                let mut bed = LinkBed::start(ports, layout)?;
                let done = run(&mut bed)?;
                bed.finish()?;
                done
            }
            None => {
                let mut bed = match Bed::start(layout, WhenFull::Drop) {
                    // What is known by then is what there is to report.
                    Err(Failure::Interrupted(_)) => return Ok(None),
                    bed => bed?,
                };
                let done = run(&mut bed)?;
                for warning in bed.finish().warnings {
                    if !self.results.warnings.contains(&warning) {
                        self.results.warnings.push(warning);
                    }
                }
                done
            }
        };
        self.results.accounting_violated |= !holds;
        Ok(done)
    }
}

/// The most that the generator sends to an engine that drops what it has no room for, in frames per second:
/// the best of some attempts, the others having been disturbed. None if it was interrupted.
fn ceiling(bed: &mut OnBed<'_>) -> Result<Option<f64>, Failure> {
    let mut best = 0.0;
    for _ in 0..ATTEMPTS {
        match bed.run(&Trial::new(None, CEILING))? {
            Some(result) => best = result.offered_pps().max(best),
            None => return Ok(None),
        }
    }
    if best < 1.0 {
        return Err(Failure::Run("the generator sends nothing".to_owned()));
    }
    Ok(Some(best))
}

/// 1, 2, 4 ... as long as it is less.
pub(super) fn powers_below(all: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1), |n| Some(n * 2)).take_while(move |&n| n < all)
}
