//! Whether a result reaches what was asked of it.

use serde::Serialize;

use super::{scaled, time};
use crate::latency::Latencies;
use crate::unit::{Goal, Metric, Slo};

/// Targets and whether they were met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SloShare {
    /// Whether all were.
    pub met: bool,
    /// Each.
    pub goals: Vec<GoalShare>,
}

/// A target and what was reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoalShare {
    /// As it was asked for.
    pub goal: String,
    /// What was reached; null if it is not known, which does not meet any target.
    pub reached: Option<f64>,
    /// What that is in: `ns`, `ratio` (a share) or `pps` (frames per second).
    pub unit: &'static str,
    /// Whether that is enough.
    pub met: bool,
}

impl SloShare {
    /// Of what was reached of each target.
    pub fn by(slo: &Slo, reached: impl Fn(&Goal) -> Option<f64>) -> Self {
        let share = |goal: &Goal| {
            let reached = reached(goal);
            GoalShare {
                goal: goal.to_string(),
                reached,
                unit: goal.metric.unit(),
                met: reached.is_some_and(|reached| goal.is_met_by(reached)),
            }
        };
        let goals: Vec<GoalShare> = slo.goals().iter().map(share).collect();
        Self {
            met: goals.iter().all(|goal| goal.met),
            goals,
        }
    }

    /// Of a window of so many seconds, in which `intended` frames were planned and `received` received.
    pub fn of(
        slo: &Slo,
        latencies: Option<&Latencies>,
        intended: u64,
        received: u64,
        seconds: f64,
    ) -> Self {
        Self::by(slo, |goal| match goal.metric {
            Metric::Latency(millionths) => latencies?.at(f64::from(millionths) / 1e6),
            Metric::Loss if intended > 0 => {
                Some(intended.saturating_sub(received) as f64 / intended as f64)
            }
            Metric::Loss => None,
            Metric::Rate => Some(received as f64 / seconds.max(f64::MIN_POSITIVE)),
            // Only searches have targets of it.
            Metric::Found => None,
        })
    }
}

impl GoalShare {
    /// Whether it was met, and what was reached, in words.
    pub fn outcome(&self) -> String {
        let met = if self.met { "met" } else { "UNMET" };
        format!("{met}: {}", self.reached_in_words())
    }

    fn reached_in_words(&self) -> String {
        match self.reached {
            None => "not known".to_owned(),
            Some(reached) => match self.unit {
                "ns" => time(reached as u64),
                "ratio" => format!("{:.4}%", 100.0 * reached),
                _ => scaled(reached, "pps"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{Snapshot, shared};

    #[test]
    fn targets_are_met_or_not() {
        let (mut writer, reader) = shared();
        (1..=1000).for_each(|us| writer.record(us * 1000, 1));
        let latencies = reader.since(&Snapshot::default());
        for (slo, met) in [
            ("p99<1ms", true),
            ("p99<980us", false),
            ("p50<=510us,max<=1ms", true),
            ("max<1ms", false),
            ("loss=0", false),
            ("loss<=0.2%", true),
            ("loss<0.05%", false),
            ("rate>=499pps", true),
            ("rate>500pps", false),
            // 100,000 values make a p99.999.
            ("p99.999<100s", false),
        ] {
            let slo: Slo = slo.parse().unwrap();
            let share = SloShare::of(&slo, Some(&latencies), 1001, 1000, 2.0);
            assert_eq!(share.met, met, "{slo} {share:?}");
        }
        let slo: Slo = "p50<1s".parse().unwrap();
        assert!(!SloShare::of(&slo, None, 1, 1, 1.0).met);
    }
}
