//! A and B in turns.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Side;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::Failure;

/// Before each run, unmeasured.
const WARMUP: &str = "200ms";

/// Two programs with two sets of options.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// The program and the options of `bench` for each side.
    pub sides: [(PathBuf, Vec<String>); 2],
    /// How often.
    pub rounds: usize,
    /// How long a run measures whose options do not say.
    pub duration: Duration,
}

impl Rounds {
    /// Runs them; each side has as many samples of a figure as there were rounds, sample i of one side
    /// taken right beside sample i of the other. Fewer rounds, if somebody interrupts; none is an error.
    ///
    /// # Errors
    /// A run has no result.
    pub fn run(&self, progress: &Progress, interrupt: &Interrupt) -> Result<[Side; 2], Failure> {
        let mut sides: Option<[Side; 2]> = None;
        progress.stage("rounds", None);
        for round in 0..self.rounds {
            // Whoever is first in a round is second in the next.
            let [first, second] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            let (Some(one), Some(other)) =
                (self.one(first, interrupt)?, self.one(second, interrupt)?)
            else {
                break;
            };
            let pair = if first == 0 {
                [one, other]
            } else {
                [other, one]
            };
            match &mut sides {
                None => sides = Some(pair),
                Some(sides) => {
                    for (side, more) in sides.iter_mut().zip(pair) {
                        side.append(more);
                    }
                }
            }
        }
        progress.clear();
        sides.ok_or_else(|| Failure::Run("interrupted before the first round ended".to_owned()))
    }

    /// One run. None if it, or this process, was interrupted.
    fn one(&self, side: usize, interrupt: &Interrupt) -> Result<Option<Side>, Failure> {
        let (program, flags) = &self.sides[side];
        let name = ["A", "B"][side];
        let mut command = Command::new(program);
        command.arg("bench").args(flags);
        let has = |option: &str| {
            let mut flags = flags.iter();
            flags.any(|flag| flag == option || flag.starts_with(&format!("{option}=")))
        };
        if !has("--duration") {
            command
                .arg("--duration")
                .arg(format!("{}ns", self.duration.as_nanos()));
        }
        if !has("--warmup") {
            command.args(["--warmup", WARMUP]);
        }
        let output = command.args(["--json", "-"]).output().map_err(|error| {
            Failure::Run(format!("{name}: cannot run {}: {error}", show(program)))
        })?;
        let code = output.status.code();
        if interrupt.is_raised() || code == Some(Exit::Interrupted.code().into()) {
            return Ok(None);
        }
        if code != Some(0) {
            let said = String::from_utf8_lossy(&output.stderr);
            let what = said.lines().next().unwrap_or("it says nothing");
            return Err(Failure::Run(format!(
                "{name}: {} bench {}: {}: {what}",
                show(program),
                flags.join(" "),
                output.status
            )));
        }
        let side = serde_json::from_slice::<Value>(&output.stdout)
            .map_err(|error| error.to_string())
            .and_then(|result| Side::of(&result).map_err(|error| error.to_string()));
        side.map(|side| Some(side.whole())).map_err(|error| {
            Failure::Run(format!("{name}: no result of {}: {error}", show(program)))
        })
    }
}

fn show(program: &Path) -> std::path::Display<'_> {
    program.display()
}

impl Side {
    /// With one sample of each figure: that of the whole run.
    fn whole(mut self) -> Self {
        for figure in &mut self.figures {
            figure.samples = vec![figure.whole];
        }
        self
    }

    /// Adds the samples of another run of the same. A figure that one of them lacks is left as it is.
    fn append(&mut self, more: Self) {
        for figure in &mut self.figures {
            let same = more.figures.iter().find(|more| more.name == figure.name);
            figure
                .samples
                .extend(same.into_iter().flat_map(|same| &same.samples));
        }
        for problem in more.problems {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }
}
