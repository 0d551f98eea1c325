//! Goals as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::goal::Goal;
use crate::unit::{ValueError, duration, nearest, ratio};

/// A goal by name, or by its attributes: `pdr`, `loss=0.1%`, `pdr,loss=2%,name=P2`. What is not said is
/// as with the goal named first, or with `ndr`.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalText {
    text: String,
    base: Base,
    name: Option<String>,
    loss_ratio: Option<f64>,
    exceed_ratio: Option<f64>,
    width: Option<f64>,
    initial_trial: Option<Duration>,
    final_trial: Option<Duration>,
    duration_sum: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    Ndr,
    Pdr,
    Throughput,
}

const BASES: [(&str, Base); 3] = [
    ("ndr", Base::Ndr),
    ("pdr", Base::Pdr),
    ("throughput", Base::Throughput),
];

const KEYS: [&str; 7] = ["name", "loss", "exceed", "width", "initial", "trial", "sum"];

const LONGEST: Duration = Duration::from_secs(86_400);

impl GoalText {
    /// The goal, with trials of `trial` where it says nothing else.
    pub fn goal(&self, trial: Duration) -> Goal {
        let trial = self.final_trial.unwrap_or(trial);
        let base = match self.base {
            Base::Ndr => Goal::ndr(trial),
            Base::Pdr => Goal::pdr(trial),
            Base::Throughput => Goal::throughput(trial),
        };
        // One that differs from what its name says needs another name.
        let is_named = !self.text.contains('=');
        Goal {
            name: match &self.name {
                Some(name) => name.clone(),
                None if is_named => base.name,
                None => self.text.clone(),
            },
            loss_ratio: self.loss_ratio.unwrap_or(base.loss_ratio),
            exceed_ratio: self.exceed_ratio.unwrap_or(base.exceed_ratio),
            width: self.width.unwrap_or(base.width),
            initial_trial: self.initial_trial.unwrap_or(base.initial_trial),
            final_trial: trial,
            duration_sum: self.duration_sum.unwrap_or(base.duration_sum),
        }
    }
}

impl FromStr for GoalText {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut goal = Self {
            text: text.to_owned(),
            base: Base::Ndr,
            name: None,
            loss_ratio: None,
            exceed_ratio: None,
            width: None,
            initial_trial: None,
            final_trial: None,
            duration_sum: None,
        };
        for (i, part) in text.split(',').map(str::trim).enumerate() {
            let time = |value| duration(value, Duration::from_millis(1)..=LONGEST).map(Some);
            match part.split_once('=') {
                Some(("name", value)) if !value.is_empty() => goal.name = Some(value.to_owned()),
                Some(("loss", value)) => goal.loss_ratio = Some(ratio(value)?),
                Some(("exceed", value)) => goal.exceed_ratio = Some(ratio(value)?),
                Some(("width", value)) => goal.width = Some(ratio(value)?),
                Some(("initial", value)) => goal.initial_trial = time(value)?,
                Some(("trial", value)) => goal.final_trial = time(value)?,
                Some(("sum", value)) => goal.duration_sum = time(value)?,
                Some((key, _)) => {
                    let meant = nearest(key, KEYS).unwrap_or("loss");
                    let what = format!("is no goal: its keys are {}", KEYS.join(", "));
                    return Err(ValueError::new(text, what, format!("{meant}=...")));
                }
                None => {
                    let word = part.to_lowercase();
                    let found = BASES.iter().find(|(name, _)| i == 0 && *name == word);
                    let Some((_, base)) = found else {
                        let names = BASES.map(|(name, _)| name);
                        let what = "is no goal: ndr, pdr, throughput, or KEY=VALUE,...";
                        return Err(ValueError::new(
                            text,
                            what,
                            nearest(part, names).unwrap_or("ndr"),
                        ));
                    };
                    goal.base = *base;
                }
            }
        }
        goal.goal(Duration::from_secs(1))
            .check()
            .map_err(|error| ValueError::new(text, format!("is no goal: {error}"), "ndr"))?;
        Ok(goal)
    }
}

impl fmt::Display for GoalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
