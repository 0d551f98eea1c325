//! Choosing a sampler, and using it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::folded::Folded;
use super::perf::PerfRecording;
use crate::unit::{ValueError, nearest};

/// Which sampler is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// perf if it works, otherwise the one in this process.
    #[default]
    Auto,
    /// This one.
    Only(Sampler),
}

/// What interrupts threads and notes what they were in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// The kernel's, by the program `perf`.
    Perf,
    /// A timer's signal in this process.
    InProcess,
}

impl Sampler {
    const ALL: [Self; 2] = [Self::Perf, Self::InProcess];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::InProcess => "in-process",
        }
    }
}

impl FromStr for Choice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let found = Sampler::ALL.iter().find(|sampler| sampler.name() == text);
        found.map(|&sampler| Self::Only(sampler)).ok_or_else(|| {
            let words = Sampler::ALL.map(Sampler::name).into_iter().chain(["auto"]);
            let meant = nearest(text, words).unwrap_or("auto");
            ValueError::new(text, "is not auto, perf or in-process", meant)
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Only(sampler) => sampler.name(),
        })
    }
}

/// Why a sampler cannot be had, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// How samples were taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `profile`")]
pub struct SamplerShare {
    pub name: &'static str,
    pub event: String,
    pub unwinding: &'static str,
    pub frequency_hz: u32,
}

/// What was sampled.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// The stacks.
    pub folded: Folded,
    /// Samples that were lost; none if that is not known.
    pub lost: Option<u64>,
    /// How.
    pub sampler: SamplerShare,
}

/// A sampler that runs.
pub enum Recording {
    /// By perf.
    Perf(PerfRecording),
    /// In this process.
    #[cfg(feature = "in-process-sampler")]
    InProcess(super::in_process::InProcess),
}

impl Recording {
    /// Starts one on all threads of this process. What it could not have instead, if it had to choose another,
    /// it says in `notes`.
    ///
    /// # Errors
    /// The one that is asked for cannot be had, or none can.
    pub fn start(
        choice: Choice,
        frequency: u32,
        notes: &mut Vec<String>,
    ) -> Result<Self, Unavailable> {
        let perf = || PerfRecording::start(frequency).map(Self::Perf);
        match choice {
            Choice::Only(Sampler::Perf) => perf(),
            Choice::Only(Sampler::InProcess) => Self::in_process(frequency),
            Choice::Auto => perf().or_else(|refused| {
                let inside = Self::in_process(frequency)
                    .map_err(|other| Unavailable(format!("{refused}. And {other}")))?;
                notes.push(format!(
                    "{refused}. The sampler in the process was used instead"
                ));
                Ok(inside)
            }),
        }
    }

    #[cfg(feature = "in-process-sampler")]
    fn in_process(frequency: u32) -> Result<Self, Unavailable> {
        super::in_process::InProcess::start(frequency).map(Self::InProcess)
    }

    #[cfg(not(feature = "in-process-sampler"))]
    fn in_process(_frequency: u32) -> Result<Self, Unavailable> {
        Err(Unavailable(
            "this build has no sampler in the process (feature in-process-sampler)".to_owned(),
        ))
    }

    /// Stops sampling; what was sampled is [`finish`](Self::finish)'s to say, which takes longer.
    pub fn stop(&mut self) {
        match self {
            Self::Perf(perf) => perf.stop(),
            #[cfg(feature = "in-process-sampler")]
            Self::InProcess(sampler) => sampler.stop(),
        }
    }

    /// What was sampled.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn finish(self) -> Result<Sampled, Unavailable> {
        match self {
            Self::Perf(perf) => perf.finish(),
            #[cfg(feature = "in-process-sampler")]
            Self::InProcess(sampler) => sampler.finish(),
        }
    }
}
