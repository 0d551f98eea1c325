//! A result of `profile`; [the module](crate::profile) says what its fields are.

use serde::Deserialize;

use super::Run;
use crate::figures::{figure_if_any, or_default, share, share_if_any};

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Profile {
    pub(in crate::page) sampler: Sampler,
    pub(in crate::page) samples: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::page) warnings: Vec<String>,
    pub(in crate::page) stages: Vec<Stage>,
    #[serde(default)]
    pub(in crate::page) difference: Option<Difference>,
    pub(in crate::page) bench: Run,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Sampler {
    pub(in crate::page) name: String,
    pub(in crate::page) event: String,
    pub(in crate::page) unwinding: String,
    pub(in crate::page) frequency_hz: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Stage {
    pub(in crate::page) group: String,
    pub(in crate::page) stage: String,
    pub(in crate::page) samples: u64,
    #[serde(deserialize_with = "share")]
    pub(in crate::page) share: f64,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) ns_per_packet: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(in crate::page) packets_per_call: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct Difference {
    pub(in crate::page) against: String,
    pub(in crate::page) stages: Vec<StageDifference>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::page) struct StageDifference {
    pub(in crate::page) group: String,
    pub(in crate::page) stage: String,
    #[serde(default, deserialize_with = "share_if_any")]
    pub(in crate::page) before: Option<f64>,
    #[serde(default, deserialize_with = "share_if_any")]
    pub(in crate::page) after: Option<f64>,
}
