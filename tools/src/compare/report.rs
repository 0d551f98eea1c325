//! The comparison, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Serialize;

use super::{Compared, Difference, Judge, Side, Summary, Verdict};
use crate::exit::Exit;
use crate::report::{SCHEMA, difference, duration, scaled};

/// Two results side by side; as JSON, version 1.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    schema: u32,
    kind: &'static str,
    /// Files, or the options that were run.
    a: String,
    b: String,
    /// Which test says what is chance: `mann_whitney_u`, or for rounds `sign_flip`.
    test: &'static str,
    /// How much worse B may be.
    tolerance: f64,
    /// Conditions that are not the same, beside what is compared.
    differences: Vec<Difference>,
    /// What makes either side one that nothing can be concluded from.
    problems: Vec<String>,
    /// Rounds that were left out because the tester spoiled a run of them, and why.
    set_aside: Vec<String>,
    /// Figures that only one side has.
    unmatched: Vec<String>,
    /// The figures.
    figures: Vec<Compared>,
    /// Whether the samples are intervals of one run on each side: what is found is true of those runs.
    within_runs: bool,
    /// Whether samples are pairs, of rounds.
    #[serde(skip)]
    paired: bool,
    /// Whether it was ended early by a signal.
    interrupted: bool,
}

impl Comparison {
    /// Compares two sides, named `names`, that differ in their conditions by `differences`.
    pub fn new(
        [a, b]: &[Side; 2],
        names: [String; 2],
        differences: Vec<Difference>,
        judge: Judge,
        interrupted: bool,
    ) -> Self {
        let named = |name: &'static str, side: &Side| {
            let problems = side.problems.clone().into_iter();
            problems.map(move |problem| format!("{name}: {problem}"))
        };
        let problems: Vec<_> = named("A", a).chain(named("B", b)).collect();
        let judge = Judge {
            comparable: judge.comparable && differences.is_empty() && problems.is_empty(),
            ..judge
        };
        let only = |name: &'static str, one: &Side, other: &Side| -> Vec<String> {
            let is_there = |figure: &str| other.figures.iter().any(|it| it.name == figure);
            let mut names: Vec<_> = one.figures.iter().map(|it| it.name.clone()).collect();
            names.retain(|figure| !is_there(figure));
            names
                .iter()
                .map(|figure| format!("{figure}: only in {name}"))
                .collect()
        };
        let [name_a, name_b] = names;
        Self {
            schema: SCHEMA,
            kind: "compare",
            a: name_a,
            b: name_b,
            test: judge.test(),
            tolerance: judge.tolerance,
            differences,
            problems,
            set_aside: Vec::new(),
            unmatched: [only("A", a, b), only("B", b, a)].concat(),
            figures: judge.compare(&a.figures, &b.figures),
            within_runs: !judge.paired && [a, b].iter().any(|side| side.verb != "search"),
            paired: judge.paired,
            interrupted,
        }
    }

    /// With the rounds that were left out.
    #[must_use]
    pub fn without(self, set_aside: Vec<String>) -> Self {
        Self { set_aside, ..self }
    }

    /// How the process ends.
    pub fn exit(&self) -> Exit {
        let is_invalid = !self.differences.is_empty() || !self.problems.is_empty();
        if self.interrupted {
            Exit::Interrupted
        } else if is_invalid || self.figures.is_empty() {
            Exit::Invalid
        } else if self.figures.iter().any(|figure| figure.regression) {
            Exit::Unmet
        } else if self.is_too_short() {
            Exit::Invalid
        } else {
            Exit::Done
        }
    }

    /// Whether it has too few rounds or repeats to find what may be there, and has found no regression. A figure
    /// that results have once, beside others that they have often, does not make it so.
    fn is_too_short(&self) -> bool {
        let figures = || self.figures.iter();
        let mut too_few = figures().filter(|figure| figure.is_too_few());
        let is_all = too_few.clone().count() == self.figures.len();
        !self.figures.is_empty()
            && !figures().any(|figure| figure.regression)
            && (is_all || too_few.any(Compared::is_repeated))
    }

    /// As JSON, without the end of a line.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "A  {}\nB  {}", self.a, self.b)?;
        if self.interrupted {
            writeln!(out, "interrupted: this is what there is")?;
        }
        writeln!(
            out,
            "\n{:<16} {:>32} {:>32} {:>7}  difference",
            "", "A, median (spread, samples)", "B, median (spread, samples)", "B by A"
        )?;
        for figure in &self.figures {
            writeln!(
                out,
                "{:<16} {:>32} {:>32} {:>7.3}  {}",
                figure.name,
                summary(&figure.a, figure.unit),
                summary(&figure.b, figure.unit),
                figure.ratio,
                self.verdict(figure),
            )?;
        }
        if self.paired {
            writeln!(
                out,
                "\nB by A is the median of the ratios of the pairs, not the ratio of the medians."
            )?;
        }
        if self.is_too_short() {
            writeln!(out, "\n{}", self.too_short())?;
        }
        if !self.set_aside.is_empty() {
            let mut by_reason = BTreeMap::<&str, usize>::new();
            for reason in &self.set_aside {
                *by_reason.entry(reason).or_default() += 1;
            }
            for (reason, count) in by_reason {
                let plural = if count == 1 { " was" } else { "s were" };
                writeln!(out, "{count} round{plural} left out: {reason}")?;
            }
        }
        for line in &self.unmatched {
            writeln!(out, "{line}")?;
        }
        if self.within_runs {
            writeln!(
                out,
                "\nThe samples are intervals of one run on each side: what is real is so of those two runs.\n\
                 Whether it comes from what was run, rounds tell: --a and --b."
            )?;
        }
        if !self.differences.is_empty() {
            writeln!(out, "\nNOT COMPARABLE: the conditions differ")?;
            for Difference { name, a, b } in &self.differences {
                writeln!(out, "  {name}: {}", difference(a, b))?;
            }
            writeln!(out, "What is meant to differ is named with --differing.")?;
        }
        if !self.problems.is_empty() {
            writeln!(out, "\nNOT COMPARABLE")?;
            for problem in &self.problems {
                writeln!(out, "  {problem}")?;
            }
        }
        Ok(())
    }

    /// What is said of too few samples.
    fn too_short(&self) -> String {
        let enough = self.figures.iter().filter_map(|figure| figure.enough).max();
        let enough = enough.unwrap_or_default();
        if self.paired {
            format!(
                "NOT VALID: too few rounds for any difference to be more than chance; --rounds {enough} \
                 has enough"
            )
        } else {
            format!(
                "NOT VALID: too few samples for any difference to be more than chance; {enough} of each \
                 side are enough"
            )
        }
    }

    fn verdict(&self, figure: &Compared) -> String {
        let p = figure
            .p_value
            .map_or_else(String::new, |p| format!(" (p {p:.3})"));
        let percent = 100.0 * self.tolerance;
        let enough = figure.enough.unwrap_or_default();
        match figure.verdict {
            Verdict::Better => format!("real: better{p}"),
            Verdict::Worse if figure.regression => {
                format!("real: WORSE by more than {percent}%{p}")
            }
            Verdict::Worse => format!("real: worse, by no more than {percent}%{p}"),
            Verdict::NoDifference => format!("may be chance{p}"),
            Verdict::TooFew => format!(
                "too few samples: {} and {} cannot tell, {enough} of each can (search --repeat, or rounds)",
                figure.a.samples, figure.b.samples
            ),
            Verdict::TooFewRounds => {
                let pairs = figure.a.samples.min(figure.b.samples);
                let plural = if pairs == 1 { "" } else { "s" };
                format!("too few rounds: {pairs} pair{plural} cannot tell, {enough} can")
            }
            Verdict::NotComparable => "not comparable".to_owned(),
        }
    }
}

fn summary(summary: &Summary, unit: &str) -> String {
    let median = match unit {
        "ns" => duration(summary.median),
        unit => scaled(summary.median, unit),
    };
    match summary.samples {
        1 => format!("{median} (1)"),
        n => format!("{median} ({:.1}%, {n})", 100.0 * summary.spread),
    }
}
