//! What was found, as it is reported.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::burst::BackToBack;
use super::controller::{Found, GoalResult, Irregular};
use super::evidence::Evidence;
use super::goal::Attributes;
use super::ledger::Books;
use super::text;
use super::trial::{Load, Trial};
use crate::latency::Percentiles;
use crate::machine::{Machine, Versions};
use crate::report::{SloShare, StreamShare};
use crate::run::{Layout, LoadResult};
use crate::selftest::{CoreStalls, SelfCheck};

/// The result of `search`; as JSON, version 1.
///
/// Rates are frames per second, of the one direction of the one interface that there is. Sizes have the
/// frame check sequence with them. Fields may be added without a new version.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    /// 1.
    pub schema: u32,
    /// `search`.
    pub kind: &'static str,
    /// `search`: as the other results have it.
    pub verb: &'static str,
    /// What was measured.
    pub versions: Versions,
    /// Where.
    pub machine: Machine,
    /// What random draws started from.
    pub seed: u64,
    /// Every option as it was in effect, by its name with `_` for `-`.
    pub flags: BTreeMap<&'static str, Value>,
    /// Names of flags that nobody said and that follow from others: two results may differ in them.
    pub derived: Vec<&'static str>,
    /// Whether it was ended early by a signal.
    pub interrupted: bool,
    /// What ran, in lines for people.
    pub conditions: Vec<String>,
    /// What may make the result mean less.
    pub warnings: Vec<String>,
    /// How trials differ from those of RFC 2544, section 23, and what counts as lost.
    pub deviations: Vec<String>,
    /// How long the cores were gone before the search, with nothing of this program on them that could be the
    /// reason; empty on real links.
    pub core_stalls: Vec<CoreStalls>,
    /// Whether the books of every trial balanced.
    pub accounting_holds: bool,
    /// The books of all trials together.
    pub books: Books,
    /// Whether some result says something about the tester rather than about the engine.
    pub tester_limited: bool,
    /// By frame size.
    pub sizes: Vec<SizeReport>,
    /// The first goal's rate of the first size by number of workers; empty without `--scale-workers`.
    pub scaling: Vec<ScalingPoint>,
}

/// What was found for one size of frames.
#[derive(Clone, Debug, Serialize)]
pub struct SizeReport {
    /// As it was asked for; `profile` where the streams of one say it.
    pub frame_size: String,
    /// The mean size of the frames sent, in bytes, with the check sequence: IPv6 frames are 66 at least.
    pub mean_bytes: f64,
    /// The largest load that was tried: what was asked for, or more than the generator sends.
    pub max_load_pps: Load,
    /// What the tester found out about itself before, and the share of its ceiling that that is.
    pub self_check: SelfCheck,
    /// The first goal's rate as bits per second on a link, with preamble and gap.
    pub link_bps: Option<f64>,
    /// For each goal.
    pub goals: Vec<GoalReport>,
    /// Every trial that counted, in order.
    pub trials: Vec<TrialReport>,
    /// Under shares of the first goal's rate; empty without `--latency`.
    pub latency: Vec<UnderLoad>,
    /// Null without `--back-to-back`.
    pub back_to_back: Option<BackToBack>,
    /// Whether targets were met; null without `--slo`.
    pub slo: Option<SloShare>,
}

/// What was found for a goal: the medians of the searches.
#[derive(Clone, Debug, Serialize)]
pub struct GoalReport {
    /// What was asked.
    #[serde(flatten)]
    pub goal: Attributes,
    /// The Relevant Lower Bound.
    pub lower_pps: Option<Load>,
    /// The Relevant Upper Bound.
    pub upper_pps: Option<Load>,
    /// The Conditional Throughput at the lower bound.
    pub conditional_throughput_pps: Option<f64>,
    /// The lower bound that is known: the relevant one, or, where a search ended before it was found, that of
    /// a coarser step.
    pub known_lower_pps: Option<Load>,
    /// The upper bound that is known.
    pub known_upper_pps: Option<Load>,
    /// Whether some search had no regular result (RFC 9971): bounds, less than the width apart.
    pub irregular: bool,
    /// Why the first of them had none: `no_upper_bound`, `no_lower_bound` or `not_finished`.
    pub irregular_because: Option<&'static str>,
    /// Whether most searches were limited by the tester.
    pub tester_limited: bool,
    /// Each search.
    pub repeats: Vec<RepeatReport>,
}

/// What one search found for a goal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `GoalReport`")]
pub struct RepeatReport {
    pub lower_pps: Option<Load>,
    pub upper_pps: Option<Load>,
    pub conditional_throughput_pps: Option<f64>,
    pub irregular: bool,
    pub irregular_because: Option<&'static str>,
    pub tester_limited: bool,
    /// What speaks for the lower bound that is known.
    pub lower: Option<Evidence>,
    /// What speaks for the upper one.
    pub upper: Option<Evidence>,
    /// How long the search took.
    pub elapsed_s: f64,
}

/// A trial, and of which search it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrialReport {
    /// The search's number, from 0.
    pub repeat: usize,
    /// Whether the loss, if there is any, is the system's.
    pub valid: bool,
    /// What was counted.
    #[serde(flatten)]
    pub trial: Trial,
}

/// Latency under a load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnderLoad {
    /// The share of the first goal's rate; 0 for a trickle that is as good as no load.
    pub fraction: f64,
    /// The load.
    pub offered_pps: f64,
    /// What of it was lost: a loss is no latency, and the two belong together.
    pub loss_ratio: f64,
    /// From the planned send time to the handler, or to the link it is forwarded to.
    pub latency_ns: Percentiles,
    /// Whether frames were sent so late that it says little about the engine.
    pub tester_limited: bool,
    /// By stream of a profile; empty without one.
    pub streams: Vec<StreamUnderLoad>,
}

/// Latency of a stream under a load of all streams.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamUnderLoad {
    /// Its name.
    pub name: String,
    /// What of it was lost, as of all frames; null if not all of its frames have numbers, by which alone a stream's are
    /// known.
    pub loss_ratio: Option<f64>,
    /// As of all frames; null if none of it came.
    pub latency_ns: Option<Percentiles>,
}

/// The rate with so many workers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalingPoint {
    /// Workers.
    pub workers: usize,
    /// The first goal's Conditional Throughput, or if a search ended before, the most that is known to be upheld;
    /// its name is that of the first goal of `sizes[0].goals`.
    pub ndr_pps: Option<f64>,
    /// Whether a search had no regular result.
    pub irregular: bool,
}

/// What has been found for one size so far.
#[derive(Clone, Debug)]
pub struct Searched {
    size: String,
    mean_bytes: f64,
    max_load: Load,
    self_check: SelfCheck,
    found: Vec<Found>,
    /// Under load.
    pub latency: Vec<UnderLoad>,
    /// The longest bursts.
    pub back_to_back: Option<BackToBack>,
}

impl Searched {
    /// Nothing yet.
    pub(super) fn new(size: String, layout: &Layout, self_check: SelfCheck) -> Self {
        Self {
            size,
            mean_bytes: layout.mean_size(),
            self_check,
            max_load: 0,
            found: Vec::new(),
            latency: Vec::new(),
            back_to_back: None,
        }
    }

    /// What the tester found out about itself before.
    pub(super) fn self_check(&self) -> &SelfCheck {
        &self.self_check
    }

    /// Adds a search, if there was one.
    pub(super) fn add(&mut self, max_load: Load, found: Option<Found>) {
        self.max_load = self.max_load.max(max_load);
        self.found.extend(found);
    }

    /// The first goal's rate; if its search ended before, the most that is known to be upheld.
    pub(super) fn rate(&self) -> Option<f64> {
        self.goals().first().and_then(GoalReport::rate)
    }

    /// The goals with their medians.
    fn goals(&self) -> Vec<GoalReport> {
        let goals = self.found.first().map_or(0, |found| found.goals.len());
        (0..goals)
            .filter_map(|i| {
                let of_search = |found: &Found| Some((found.goals.get(i)?.clone(), found.elapsed));
                let results: Option<Vec<_>> = self.found.iter().map(of_search).collect();
                GoalReport::of(&results?)
            })
            .collect()
    }

    /// As it is reported.
    pub fn report(&self) -> SizeReport {
        let goals = self.goals();
        let mean_bytes = self.mean_bytes;
        let trials = self.found.iter().enumerate().flat_map(|(repeat, found)| {
            let of_search = move |&trial: &Trial| TrialReport {
                repeat,
                valid: trial.is_valid(),
                trial,
            };
            found.trials.iter().map(of_search)
        });
        SizeReport {
            frame_size: self.size.clone(),
            mean_bytes,
            max_load_pps: self.max_load,
            self_check: self.self_check.clone().used(self.max_load as f64),
            link_bps: self.rate().map(|pps| pps * (mean_bytes + 20.0) * 8.0),
            trials: trials.collect(),
            latency: self.latency.clone(),
            back_to_back: self.back_to_back.clone(),
            slo: None,
            goals,
        }
    }
}

impl GoalReport {
    /// Its rate; if the search ended before, the most that is known to be upheld.
    pub fn rate(&self) -> Option<f64> {
        let known = self.known_lower_pps.map(|load| load as f64);
        self.conditional_throughput_pps.or(known)
    }

    /// Whether most searches ended before the bounds were close enough.
    pub fn is_unfinished(&self) -> bool {
        let label = Some(Irregular::NotFinished.label());
        let unfinished = |repeat: &&RepeatReport| repeat.irregular_because == label;
        2 * self.repeats.iter().filter(unfinished).count() > self.repeats.len()
    }

    /// Of the goal's result in each search, and how long that took.
    fn of(searches: &[(GoalResult, Duration)]) -> Option<Self> {
        let (first, _) = searches.first()?;
        let results = || searches.iter().map(|(result, _)| result);
        let because = results().find_map(|result| result.irregular);
        let limited = results().filter(|result| result.tester_limited).count();
        let loads = |of: fn(&GoalResult) -> Option<Load>| {
            let values = results().filter_map(of);
            median(values.map(|load| load as f64)).map(|load| load.round() as Load)
        };
        Some(Self {
            goal: first.goal.attributes(),
            lower_pps: loads(|result| result.lower),
            upper_pps: loads(|result| result.upper),
            known_lower_pps: loads(|result| result.known[0].map(|known| known.load)),
            known_upper_pps: loads(|result| result.known[1].map(|known| known.load)),
            conditional_throughput_pps: median(
                results().filter_map(|result| result.conditional_throughput),
            ),
            irregular: because.is_some(),
            irregular_because: because.map(Irregular::label),
            tester_limited: 2 * limited > searches.len(),
            repeats: searches
                .iter()
                .map(|(result, elapsed)| RepeatReport {
                    lower_pps: result.lower,
                    upper_pps: result.upper,
                    conditional_throughput_pps: result.conditional_throughput,
                    irregular: result.irregular.is_some(),
                    irregular_because: result.irregular.map(Irregular::label),
                    tester_limited: result.tester_limited,
                    lower: result.known[0],
                    upper: result.known[1],
                    elapsed_s: elapsed.as_secs_f64(),
                })
                .collect(),
        })
    }
}

impl UnderLoad {
    /// Of a trial that measured latency.
    pub(super) fn of(fraction: f64, offered_pps: f64, result: &LoadResult) -> Option<Self> {
        Some(Self {
            fraction,
            offered_pps,
            loss_ratio: result.loss_ratio(),
            latency_ns: result.latency?,
            tester_limited: result.tester_limited.unwrap_or(false),
            streams: result.measured.iter().map(StreamUnderLoad::of).collect(),
        })
    }
}

impl StreamUnderLoad {
    fn of(share: &StreamShare) -> Self {
        Self {
            name: share.name.clone(),
            loss_ratio: share.lost_of_intended(),
            latency_ns: share.latency_ns,
        }
    }
}

impl ScalingPoint {
    pub(super) fn of(workers: usize, searched: &Searched) -> Self {
        let goals = searched.goals();
        let first = goals.first();
        Self {
            workers,
            ndr_pps: searched.rate(),
            irregular: first.is_none_or(|goal| goal.irregular),
        }
    }
}

impl SearchReport {
    /// As JSON, without the end of a line.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people.
    pub fn text(&self) -> String {
        text::write(self)
    }
}

impl Irregular {
    /// The word for it in JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoUpperBound => "no_upper_bound",
            Self::NoLowerBound => "no_lower_bound",
            Self::NotFinished => "not_finished",
        }
    }
}

/// The median; of an even number, the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let high = *values.get(values.len() / 2)?;
    let low = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(low, high))
}
