//! What is measured: groups of cases that take turns.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::cores;
use super::machine::{self, Machine};
use super::options::{HELP, Options};
use super::probe::{self, Distance};
use super::report;
use super::sample::{Average, Budget, Sample, Size};
use super::stats::Spread;

type Body<'c> = Box<dyn FnMut(Budget) -> Sample + 'c>;
type Setup<'c> = Box<dyn FnOnce(Size) -> Body<'c> + 'c>;

/// One run of one bench program.
pub struct Bench {
    options: Options,
    report: Report,
}

/// Everything a run came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    pub(super) quick: bool,
    pub(super) rounds: usize,
    pub(super) sample_ms: f64,
    pub(super) machine: Machine,
    pub(super) load_after: Option<f64>,
    pub(super) groups: Vec<Measured>,
    pub(super) values: Vec<Value>,
    pub(super) figures: Vec<Figure>,
}

/// A single figure that is not a time per operation of a case.
#[derive(Debug, Serialize)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

/// What a value is to be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// A figure to reach: it is met if one of its clauses is.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub(super) what: String,
    pub(super) met: bool,
    pub(super) clauses: Vec<Clause>,
}

#[derive(Debug, Serialize)]
pub(super) struct Clause {
    pub(super) unit: String,
    pub(super) value: f64,
    pub(super) bound: Bound,
}

impl Bench {
    /// The whole program: reads the arguments, measures what `define` says, reports.
    pub fn main(name: &'static str, define: impl FnOnce(&mut Self)) -> ExitCode {
        let options = match Options::parse(env::args().skip(1)) {
            Ok(Some(options)) => options,
            Ok(None) => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        };
        match Self::measure(name, options, define) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
        }
    }

    fn measure(
        name: &'static str,
        options: Options,
        define: impl FnOnce(&mut Self),
    ) -> Result<(), String> {
        let list = options.list;
        let pinned_to = if list { None } else { cores::pin_main() };
        let round_trip = if list { None } else { machine::distance() };
        let taken = (!list).then(probe::taken);
        let mut bench = Self {
            report: Report {
                bench: name,
                quick: options.quick,
                rounds: options.rounds,
                sample_ms: options.sample.as_secs_f64() * 1e3,
                machine: Machine::here(pinned_to, round_trip, taken),
                load_after: None,
                groups: Vec::new(),
                values: Vec::new(),
                figures: Vec::new(),
            },
            options,
        };
        if !list && !bench.options.test {
            report::begin(&bench.report);
        }
        define(&mut bench);
        let Self {
            options,
            mut report,
        } = bench;
        if list {
            return Ok(());
        }
        if report.groups.is_empty() && report.values.is_empty() {
            return Err(format!(
                "no case of '{name}' matches {:?}; see --list",
                options.filters
            ));
        }
        report.load_after = machine::load();
        if options.test {
            println!("{name}: every body did its work");
        } else {
            report::end(&report);
        }
        match options.json {
            Some(path) => report::write_json(&report, &path)
                .map_err(|error| format!("cannot write {}: {error}", path.display())),
            None => Ok(()),
        }
    }

    /// How large things are to be.
    pub fn size(&self) -> Size {
        if self.options.quick {
            Size::Tiny
        } else {
            Size::Full
        }
    }

    /// How many rounds a body of its own is to make.
    pub fn rounds(&self) -> usize {
        self.options.rounds
    }

    /// Whether something measured outside of groups is to run. `--list` prints its name.
    pub fn wants(&self, name: &str) -> bool {
        if self.options.list {
            println!("{name}");
            return false;
        }
        self.options.wants(name)
    }

    /// Starts a group. Its first case is what the others are compared with.
    pub fn group<'c>(&mut self, name: impl Into<String>) -> Group<'_, 'c> {
        Group {
            bench: self,
            name: name.into(),
            two_cores: false,
            cases: Vec::new(),
        }
    }

    /// Reports a value.
    pub fn value(&mut self, name: impl Into<String>, value: f64, unit: impl Into<String>) {
        let value = Value {
            name: name.into(),
            value,
            unit: unit.into(),
        };
        if !self.options.test {
            report::value(&value);
        }
        self.report.values.push(value);
    }

    /// Reports whether a figure is reached: if one of `clauses` (a unit, the value if it was
    /// measured, the bound) holds. Says nothing if none was measured, or at tiny sizes.
    pub fn figure(&mut self, what: &str, clauses: &[(&str, Option<f64>, Bound)]) {
        let clauses: Vec<Clause> = clauses
            .iter()
            .filter_map(|(unit, value, bound)| {
                Some(Clause {
                    unit: (*unit).to_owned(),
                    value: (*value)?,
                    bound: *bound,
                })
            })
            .collect();
        if clauses.is_empty() || self.options.quick {
            return;
        }
        let met = clauses
            .iter()
            .any(|clause| clause.bound.holds(clause.value));
        self.report.figures.push(Figure {
            what: what.to_owned(),
            met,
            clauses,
        });
    }
}

/// Cases that take turns.
pub struct Group<'b, 'c> {
    bench: &'b mut Bench,
    name: String,
    two_cores: bool,
    cases: Vec<(String, Setup<'c>)>,
}

impl<'c> Group<'_, 'c> {
    /// The cases use two cores: the distance between them is told with the results.
    pub fn two_cores(mut self) -> Self {
        self.two_cores = true;
        self
    }

    /// Adds a case. `setup` makes everything it needs, once, if the case is asked for, and returns
    /// what takes one sample.
    pub fn case<B>(mut self, name: impl Into<String>, setup: impl FnOnce(Size) -> B + 'c) -> Self
    where
        B: FnMut(Budget) -> Sample + 'c,
    {
        self.cases
            .push((name.into(), Box::new(|size| Box::new(setup(size)))));
        self
    }

    /// Takes the samples, in turns, and reports. Nothing is measured if none of the cases is asked
    /// for; the first one is whenever another is.
    pub fn run(self) -> Measured {
        let Self {
            bench,
            name,
            two_cores,
            cases,
        } = self;
        let mut measured = Measured {
            name,
            two_cores,
            ..Measured::default()
        };
        if bench.options.list {
            for (case, _) in &cases {
                println!("{}/{case}", measured.name);
            }
            return measured;
        }
        let wanted: Vec<bool> = cases
            .iter()
            .map(|(case, _)| bench.options.wants(&format!("{}/{case}", measured.name)))
            .collect();
        if !wanted.contains(&true) {
            return measured;
        }
        report::setting_up(&measured.name);
        let mut bodies: Vec<(String, Body<'_>)> = cases
            .into_iter()
            .zip(wanted)
            .enumerate()
            .filter(|(at, (_, wanted))| *at == 0 || *wanted)
            .map(|(_, ((case, setup), _))| (case, setup(bench.size())))
            .collect();
        measured.cases = bodies
            .iter()
            .map(|(case, _)| Case::new(&measured.name, case))
            .collect();
        let budget = Budget {
            measure: bench.options.sample,
            average: Average::Undisturbed,
        };
        // Two cores are far apart or near, and that changes: told before and after each round.
        let distance =
            || (two_cores && cores::have_two_cores()).then(|| Distance::of(probe::round_trip()));
        for round in 0..bench.options.rounds {
            report::progress(&measured.name, round, bench.options.rounds);
            let before = distance();
            for ((_, body), case) in bodies.iter_mut().zip(&mut measured.cases) {
                let (sample, disturbed) = if two_cores {
                    undisturbed(body, budget)
                } else {
                    (body(budget), false)
                };
                measured.disturbed += usize::from(disturbed);
                assert!(sample.operations > 0, "{} did nothing", case.name);
                case.operations += sample.operations;
                case.samples.push(sample.ns_per_op);
            }
            if let (Some(before), Some(after)) = (before, distance()) {
                measured.distances.push(before.until(after));
            }
        }
        measured.summarise();
        if bench.options.test {
            report::did_work(&measured);
        } else {
            report::group(&measured);
        }
        bench.report.groups.push(measured.clone());
        measured
    }
}

/// How often a sample is taken anew.
const TRIES: usize = 12;

/// A sample in which neither of the two threads waited for its core for more than a twentieth of
/// the time: without the other one it would measure something else. After [`TRIES`] in vain, the
/// last one, and true.
fn undisturbed(body: &mut Body<'_>, budget: Budget) -> (Sample, bool) {
    let mut tries = 0;
    loop {
        let (before, start) = (cores::waited_ns(), Instant::now());
        let sample = body(budget);
        let waited = u128::from(cores::waited_ns() - before);
        let disturbed = waited > start.elapsed().as_nanos() / 20;
        tries += 1;
        if !disturbed || tries == TRIES || budget.measure.is_zero() {
            return (sample, disturbed);
        }
    }
}

/// What the cases of a group came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    pub(super) name: String,
    pub(super) two_cores: bool,
    pub(super) cases: Vec<Case>,
    /// The class of each round.
    pub(super) distances: Vec<Distance>,
    /// Samples during which a thread had to wait for its core, whenever they were taken.
    pub(super) disturbed: usize,
}

/// One case of a group.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Case {
    /// `group/case`.
    pub(super) name: String,
    pub(super) operations: u64,
    /// Nanoseconds per operation, by round.
    pub(super) samples: Vec<f64>,
    pub(super) ns_per_op: Option<Spread>,
    /// How many times the first case's, round by round.
    pub(super) ratio: Option<Spread>,
    /// Both again by the distance of the cores, with the number of rounds.
    pub(super) by_distance: BTreeMap<Distance, (usize, Spread, Spread)>,
}

impl Case {
    fn new(group: &str, case: &str) -> Self {
        Self {
            name: format!("{group}/{case}"),
            operations: 0,
            samples: Vec::new(),
            ns_per_op: None,
            ratio: None,
            by_distance: BTreeMap::new(),
        }
    }
}

impl Measured {
    fn summarise(&mut self) {
        let Some(first) = self.cases.first().map(|case| case.samples.clone()) else {
            return;
        };
        for case in &mut self.cases {
            let ratios: Vec<f64> = case
                .samples
                .iter()
                .zip(&first)
                .map(|(a, b)| a / b)
                .collect();
            case.ns_per_op = Spread::of(case.samples.clone());
            case.ratio = Spread::of(ratios.clone());
            for class in [
                Distance::Near,
                Distance::Mid,
                Distance::Far,
                Distance::Changing,
            ] {
                let of_class = |values: &[f64]| -> Vec<f64> {
                    let classes = values.iter().zip(&self.distances);
                    classes
                        .filter(|(_, d)| **d == class)
                        .map(|(value, _)| *value)
                        .collect()
                };
                let samples = of_class(&case.samples);
                let n = samples.len();
                if let (Some(ns), Some(ratio)) =
                    (Spread::of(samples), Spread::of(of_class(&ratios)))
                {
                    case.by_distance.insert(class, (n, ns, ratio));
                }
            }
        }
    }

    fn case(&self, case: &str) -> Option<&Case> {
        self.cases
            .iter()
            .find(|c| c.name.strip_prefix(&self.name) == Some(&format!("/{case}")))
    }

    /// The median of a case, in nanoseconds per operation. None if it did not run.
    pub fn ns(&self, case: &str) -> Option<f64> {
        self.case(case)?.ns_per_op.map(|spread| spread.median)
    }

    /// How many times as long `case` takes as `reference` does: the median of the rounds' ratios.
    pub fn ratio(&self, case: &str, reference: &str) -> Option<f64> {
        let (case, reference) = (self.case(case)?, self.case(reference)?);
        let ratios = case
            .samples
            .iter()
            .zip(&reference.samples)
            .map(|(a, b)| a / b);
        Spread::of(ratios.collect()).map(|spread| spread.median)
    }

    /// The rate of `case` in percent of the rate of `reference`.
    pub fn percent(&self, case: &str, reference: &str) -> Option<f64> {
        self.ratio(reference, case).map(|ratio| 100.0 * ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::time::Duration;

    fn bench(filters: &[&str]) -> Bench {
        let options = Options {
            quick: true,
            json: None,
            rounds: 3,
            sample: Duration::ZERO,
            filters: filters.iter().map(ToString::to_string).collect(),
            list: false,
            test: true,
        };
        let report = Report {
            bench: "test",
            quick: true,
            rounds: 3,
            sample_ms: 0.0,
            machine: Machine::here(None, None, None),
            load_after: None,
            groups: Vec::new(),
            values: Vec::new(),
            figures: Vec::new(),
        };
        Bench { options, report }
    }

    #[test]
    fn cases_take_turns_and_ratios_are_by_round() {
        let turns = RefCell::new(String::new());
        let mut bench = bench(&[]);
        let body = |letter: char, values: [f64; 3]| {
            let turns = &turns;
            move |_: Size| {
                let mut values = values.into_iter();
                move |_: Budget| {
                    turns.borrow_mut().push(letter);
                    Sample {
                        operations: 1,
                        ns_per_op: values.next().unwrap(),
                    }
                }
            }
        };
        let measured = bench
            .group("g")
            .case("a", body('a', [1.0, 10.0, 100.0]))
            .case("b", body('b', [3.0, 20.0, 300.0]))
            .run();
        assert_eq!(*turns.borrow(), "ababab");
        assert_eq!(measured.ns("a"), Some(10.0));
        assert_eq!(measured.ns("b"), Some(20.0));
        assert_eq!(measured.ratio("b", "a"), Some(3.0), "the median of 3, 2, 3");
        assert_eq!(measured.percent("a", "b"), Some(300.0));
        assert_eq!(measured.ns("c"), None);
        assert_eq!(bench.report.groups.len(), 1);
    }

    #[test]
    fn a_filter_leaves_the_reference_in() {
        let mut bench = bench(&["g/c"]);
        let one = |_: Size| {
            |_: Budget| Sample {
                operations: 1,
                ns_per_op: 1.0,
            }
        };
        let measured = bench
            .group("g")
            .case("a", one)
            .case("b", |_| -> fn(Budget) -> Sample { panic!("not asked for") })
            .case("c", one)
            .run();
        assert_eq!(measured.cases.len(), 2);
        let other = bench.group("h").case("a", one).run();
        assert!(other.cases.is_empty());
    }

    #[test]
    fn a_figure_needs_one_clause_that_holds() {
        let mut bench = bench(&[]);
        bench.options.quick = false;
        bench.figure(
            "f",
            &[
                ("ns", Some(30.0), Bound::AtMost(22.0)),
                ("x", Some(8.0), Bound::AtMost(8.5)),
            ],
        );
        bench.figure("g", &[("%", Some(59.0), Bound::AtLeast(60.0))]);
        bench.figure("not measured", &[("%", None, Bound::AtLeast(60.0))]);
        let met: Vec<bool> = bench
            .report
            .figures
            .iter()
            .map(|figure| figure.met)
            .collect();
        assert_eq!(met, [true, false]);
    }
}
