//! A result of `search`.

use serde::Deserialize;

use super::{Head, Percentiles, Slo};
use crate::figures::{figure, figure_if_any, or_default, share, share_if_any};

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Search {
    /// Read on its own: what is read into both at once has no place in an error.
    #[serde(skip)]
    pub(in crate::page) head: Head,
    #[serde(default)]
    pub(in crate::page) accounting_holds: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) deviations: Vec<String>,
    pub(in crate::page) sizes: Vec<SizeResult>,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) scaling: Vec<ScalingPoint>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct SizeResult {
    pub(in crate::page) frame_size: String,
    pub(in crate::page) goals: Vec<Goal>,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) trials: Vec<Trial>,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) latency: Vec<UnderLoad>,
    #[serde(default)]
    pub(in crate::page) back_to_back: Option<BackToBack>,
    #[serde(default)]
    pub(in crate::page) slo: Option<Slo>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Goal {
    pub(in crate::page) name: String,
    #[serde(default, deserialize_with = "share_if_any")]
    pub(in crate::page) loss_ratio: Option<f64>,
    #[serde(default, deserialize_with = "share_if_any")]
    pub(in crate::page) exceed_ratio: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) final_trial_s: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) duration_sum_s: Option<f64>,
    #[serde(default, deserialize_with = "share_if_any")]
    pub(in crate::page) width: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) lower_pps: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) upper_pps: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) conditional_throughput_pps: Option<f64>,
    /// Of a coarser step, where the search ended before.
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) known_lower_pps: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) known_upper_pps: Option<f64>,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) irregular: bool,
    #[serde(default)]
    pub(in crate::page) irregular_because: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) tester_limited: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) repeats: Vec<Repeat>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Repeat {
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) conditional_throughput_pps: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Trial {
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) offered_pps: f64,
    #[serde(deserialize_with = "share")]
    pub(in crate::page) loss_ratio: f64,
    #[serde(default)]
    pub(in crate::page) valid: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct UnderLoad {
    #[serde(deserialize_with = "share")]
    pub(in crate::page) fraction: f64,
    pub(in crate::page) latency_ns: Percentiles,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) streams: Vec<StreamUnderLoad>,
}

/// A stream of a profile.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct StreamUnderLoad {
    pub(in crate::page) name: String,
    /// None if not all of its frames are known apart.
    #[serde(default, deserialize_with = "share_if_any")]
    pub(in crate::page) loss_ratio: Option<f64>,
    #[serde(default)]
    pub(in crate::page) latency_ns: Option<Percentiles>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct BackToBack {
    #[serde(deserialize_with = "figure")]
    pub(in crate::page) mean_frames: f64,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) stddev_frames: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) corrected_buffer_s: Option<f64>,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) unlimited: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct ScalingPoint {
    pub(in crate::page) workers: u64,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) ndr_pps: Option<f64>,
}

impl Goal {
    /// The rate that it is about: between its bounds, if the conditional throughput is not known.
    pub(in crate::page) fn pps(&self) -> Option<f64> {
        self.conditional_throughput_pps.or(self.lower())
    }

    /// The lower bound, as far as it is known.
    pub(in crate::page) fn lower(&self) -> Option<f64> {
        self.lower_pps.or(self.known_lower_pps)
    }

    /// The upper bound, as far as it is known.
    pub(in crate::page) fn upper(&self) -> Option<f64> {
        self.upper_pps.or(self.known_upper_pps)
    }

    /// What repetitions found, from the least to the most.
    pub(in crate::page) fn spread(&self) -> Option<(f64, f64)> {
        let found = || {
            let repeats = self.repeats.iter();
            repeats.filter_map(|repeat| repeat.conditional_throughput_pps)
        };
        (found().count() > 1).then(|| {
            let least = found().fold(f64::INFINITY, f64::min);
            (least, found().fold(0.0, f64::max))
        })
    }
}
