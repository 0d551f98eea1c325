//! A and B in turns.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::verdict::enough_rounds;
use super::{Figure, Side, child};
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

/// What rounds come to.
#[derive(Clone, Debug)]
pub struct Turns {
    /// The sides, with as many samples as there were rounds that count.
    pub sides: [Side; 2],
    /// Of each round that was left out, why. It was done again, unless there were too many.
    pub set_aside: Vec<String>,
}

/// What a run comes to.
enum Ran {
    /// A result.
    Well(Side),
    /// One that something can be concluded from about the tester only.
    Spoiled(Side),
    /// It, or this process, was interrupted.
    Interrupted,
}

impl Rounds {
    /// Runs them; each side has as many samples of a figure as there were rounds, sample i of one side
    /// taken right beside sample i of the other. A round that has a run which the tester spoiled is left out
    /// and done again, up to half as often as there are rounds, and three times at least. Fewer rounds, if
    /// somebody interrupts or if more are spoiled; none is an error, but if all are spoiled the last is what
    /// there is.
    ///
    /// # Errors
    /// A run has no result.
    pub fn run(&self, progress: &Progress, interrupt: &Interrupt) -> Result<Turns, Failure> {
        let mut rounds = Vec::new();
        let (mut last, mut set_aside) = (None, Vec::new());
        let spare = (self.rounds / 2).max(3);
        progress.stage("rounds", None);
        while rounds.len() < self.rounds && set_aside.len() <= spare {
            progress.note(&format!(
                "{} of {}, {} set aside",
                rounds.len(),
                self.rounds,
                set_aside.len()
            ));
            // Whoever is first in a round is second in the next.
            let a_first = (rounds.len() + set_aside.len()).is_multiple_of(2);
            let Some((pair, is_spoiled)) = self.pair(a_first, interrupt)? else {
                break;
            };
            if is_spoiled {
                set_aside.push(reasons(&pair));
                last = Some(pair);
            } else {
                if rounds.is_empty() {
                    self.warn_of_too_few(&pair, progress);
                }
                rounds.push(pair);
            }
        }
        progress.clear();
        let sides = rounds.into_iter().reduce(|mut all, pair| {
            for (side, more) in all.iter_mut().zip(pair) {
                side.append(more);
            }
            all
        });
        let nothing =
            || Failure::Interrupted("interrupted before the first round ended".to_owned());
        Ok(Turns {
            sides: sides.or(last).ok_or_else(nothing)?,
            set_aside,
        })
    }

    /// Says so if there are to be too few rounds to find anything of the figures that one of them has.
    fn warn_of_too_few(&self, [a, b]: &[Side; 2], progress: &Progress) {
        let is_both = |one: &&Figure| b.figures.iter().any(|other| other.name == one.name);
        let figures = a.figures.iter().filter(is_both).count();
        let enough = enough_rounds(figures);
        if self.rounds < enough {
            progress.say(&format!(
                "warning: --rounds {} cannot tell a difference of {figures} figures from chance, {enough} can",
                self.rounds
            ));
        }
    }

    /// One round, and whether the tester spoiled it. None if it was interrupted.
    fn pair(
        &self,
        a_first: bool,
        interrupt: &Interrupt,
    ) -> Result<Option<([Side; 2], bool)>, Failure> {
        let order = if a_first { [0, 1] } else { [1, 0] };
        let mut spoiled = false;
        let mut ran = |side| match self.one(side, interrupt)? {
            Ran::Well(side) => Ok::<_, Failure>(Some(side)),
            Ran::Spoiled(side) => {
                spoiled = true;
                Ok(Some(side))
            }
            Ran::Interrupted => Ok(None),
        };
        let Some(one) = ran(order[0])? else {
            return Ok(None);
        };
        let Some(other) = ran(order[1])? else {
            return Ok(None);
        };
        let pair = if a_first { [one, other] } else { [other, one] };
        Ok(Some((pair, spoiled)))
    }

    /// One run.
    fn one(&self, side: usize, interrupt: &Interrupt) -> Result<Ran, Failure> {
        // A run that starts now is not told.
        if interrupt.is_raised() {
            return Ok(Ran::Interrupted);
        }
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
        let output = match child::output(command.args(["--json", "-"]), interrupt) {
            Ok(output) => output,
            Err(_) if interrupt.is_raised() => return Ok(Ran::Interrupted),
            Err(error) => {
                let program = show(program);
                return Err(Failure::Run(format!(
                    "{name}: cannot run {program}: {error}"
                )));
            }
        };
        let code = output.status.code();
        // Somebody may have told it as well, and before this process, or before it can end in order.
        let ended_by_it = output.status.signal() == Some(Signal::SIGINT as i32);
        if interrupt.is_raised() || ended_by_it || code == Some(Exit::Interrupted.code().into()) {
            return Ok(Ran::Interrupted);
        }
        let invalid = Some(Exit::Invalid.code().into());
        if code != Some(0) && code != invalid {
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
        let mut side = side
            .map_err(|error| {
                Failure::Run(format!("{name}: no result of {}: {error}", show(program)))
            })?
            .whole();
        if code == invalid && side.problems.is_empty() {
            side.problems.push("it is not valid".to_owned());
        }
        Ok(if !side.problems.is_empty() {
            Ran::Spoiled(side)
        } else {
            Ran::Well(side)
        })
    }
}

/// Why a round is left out.
fn reasons(pair: &[Side; 2]) -> String {
    let named = ["A", "B"].iter().zip(pair);
    let reasons = named.flat_map(|(name, side)| {
        let problems = side.problems.iter();
        problems.map(move |problem| format!("{name}: {problem}"))
    });
    reasons.collect::<Vec<_>>().join(", ")
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
