//! Sampling by a timer's signal in this process.

use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};

use super::folded::Folded;
use super::sampler::{Sampled, SamplerShare, Unavailable};

/// The signal, on.
pub struct InProcess {
    guard: Option<ProfilerGuard<'static>>,
    report: Option<pprof::Result<Report>>,
    frequency: u32,
}

impl InProcess {
    /// Has the kernel signal the threads of this process as they use up time.
    ///
    /// # Errors
    /// There is one already.
    pub(super) fn start(frequency: u32) -> Result<Self, Unavailable> {
        let hertz = i32::try_from(frequency).unwrap_or(i32::MAX);
        let guard = ProfilerGuardBuilder::default()
            .frequency(hertz)
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self {
            guard: Some(guard),
            report: None,
            frequency,
        })
    }

    pub(super) fn stop(&mut self) {
        if let Some(guard) = self.guard.take() {
            self.report = Some(guard.report().build());
        }
    }

    /// What it sampled.
    ///
    /// # Errors
    /// It lost what it had.
    pub(super) fn finish(mut self) -> Result<Sampled, Unavailable> {
        self.stop();
        let nothing = || Unavailable("the sampler in the process has no samples".to_owned());
        let report = self
            .report
            .take()
            .ok_or_else(nothing)?
            .map_err(|error| failed(&error))?;
        Ok(Sampled {
            folded: fold(&report),
            lost: None,
            sampler: SamplerShare {
                name: "in-process",
                event: "CPU time (ITIMER_PROF)".to_owned(),
                unwinding: "DWARF",
                frequency_hz: self.frequency,
            },
        })
    }
}

fn failed(error: &pprof::Error) -> Unavailable {
    Unavailable(format!("the sampler in the process failed: {error}"))
}

/// Each place's own function, without those inlined into it: as perf has them.
fn fold(report: &Report) -> Folded {
    let mut folded = Folded::default();
    for (sample, &count) in &report.data {
        let mut frames = vec![sample.thread_name_or_id()];
        // Some are the innermost first.
        for place in sample.frames.iter().rev() {
            if let Some(function) = place.last() {
                let name = function.sys_name();
                let name = format!("{:#}", rustc_demangle::demangle(&name));
                frames.push(name.replace(';', ":"));
            }
        }
        folded.add(frames.join(";"), u64::try_from(count).unwrap_or(0));
    }
    folded
}
