//! Systems whose throughput is known.

use std::convert::Infallible;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::trial::{Load, Measurer, Spoiler, Trial, TrialInput};

/// Takes so many frames per second and loses the rest; each trial it may take less.
pub(super) struct Simulated {
    pub(super) capacity: f64,
    /// The largest part of its capacity that it may be short of.
    pub(super) noise: f64,
    /// The share of trials in which something takes the machine away for a while.
    pub(super) hiccups: f64,
    /// The share of trials in which something takes the core of a worker away for a while, and it is known.
    pub(super) stolen: f64,
    /// The share of trials in which one frame in a thousand is lost while a worker's core is away, and it is known.
    pub(super) lossy: f64,
    /// What the tester can send at most.
    pub(super) tester: f64,
    /// Trials until somebody interrupts.
    pub(super) until: Option<usize>,
    pub(super) random: SmallRng,
    pub(super) inputs: Vec<TrialInput>,
    pub(super) elapsed: Duration,
}

impl Simulated {
    pub(super) fn new(capacity: f64) -> Self {
        Self {
            capacity,
            noise: 0.0,
            hiccups: 0.0,
            stolen: 0.0,
            lossy: 0.0,
            tester: f64::INFINITY,
            until: None,
            random: SmallRng::seed_from_u64(1),
            inputs: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn noisy(capacity: f64, noise: f64, hiccups: f64, seed: u64) -> Self {
        Self {
            noise,
            hiccups,
            random: SmallRng::seed_from_u64(seed),
            ..Self::new(capacity)
        }
    }

    pub(super) fn loads(&self) -> impl Iterator<Item = Load> + '_ {
        self.inputs.iter().map(|input| input.load)
    }
}

impl Measurer for Simulated {
    type Error = Infallible;

    fn measure(&mut self, input: TrialInput) -> Result<Option<Trial>, Infallible> {
        if self.until.is_some_and(|until| self.inputs.len() >= until) {
            return Ok(None);
        }
        self.inputs.push(input);
        self.elapsed += input.duration;
        let seconds = input.duration.as_secs_f64();
        let intended = (input.load as f64 * seconds) as u64;
        let sent = intended.min((self.tester * seconds) as u64);
        let short = self.noise * self.random.random::<f64>();
        let hiccup = self.random.random_bool(self.hiccups);
        let stolen = self.random.random_bool(self.stolen);
        let share = if hiccup { 0.9 } else { 1.0 - short };
        // A ring runs over while the core is away: at any load.
        let away = if stolen { sent / 20 } else { 0 };
        let lossy = self.lossy > 0.0 && self.random.random_bool(self.lossy);
        let away = away.max(if lossy { sent / 1000 } else { 0 });
        let received = (sent - away).min((self.capacity * share * seconds).round() as u64);
        // More than that it lost itself.
        let explained = (stolen || lossy) && sent - received <= away;
        let spoiled_by = if sent < intended {
            Some(Spoiler::Tester)
        } else {
            explained.then_some(Spoiler::WorkerCore)
        };
        Ok(Some(Trial::new(
            input, intended, sent, received, spoiled_by,
        )))
    }

    fn elapsed(&self) -> Duration {
        self.elapsed
    }
}
