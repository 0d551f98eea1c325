//! `compare`: two results side by side.

use std::path::Path;

use serde_json::Value;

use super::latency_files::LatencyFiles;
use crate::cli::{self, Asked, BenchArgs, CompareArgs, Usage};
use crate::compare::{Comparison, Difference, Judge, Rounds, Side, Turns};
use crate::config::LoadProfile;
use crate::exit::Exit;
use crate::figures;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{Failure, Output, Taken};

pub(super) fn compare(args: &CompareArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let judge = |paired| Judge {
        paired,
        tolerance: args.tolerance,
        comparable: true,
    };
    let (output, comparison) = match (&args.a, &args.b, &args.files[..]) {
        (Some(a), Some(b), _) => {
            // What the options name is read now.
            interrupt.prepare();
            let (rounds, runs) = rounds(args, a, b)?;
            interrupt.begin();
            let output = Output::new(args.json.as_deref(), &taken(&rounds, &runs)?)?;
            let progress = Progress::new(output.is_stdout_json());
            let Turns { sides, set_aside } = rounds.run(&progress, interrupt)?;
            let names = rounds
                .sides
                .map(|(program, flags)| format!("{} bench {}", program.display(), flags.join(" ")));
            // They run here, in turns: what differs is what is compared.
            let raised = interrupt.is_raised();
            let comparison =
                Comparison::new(&sides, names, Vec::new(), judge(true), raised).without(set_aside);
            (output, comparison)
        }
        (_, _, [a, b]) => {
            // It looks at them in one go.
            interrupt.prepare();
            let taken = [a, b].map(|file| Taken {
                file,
                holds: "a result that is compared".to_owned(),
            });
            let output = Output::new(args.json.as_deref(), &taken)?;
            let sides = [read(a)?, read(b)?];
            let [one, other] = &sides;
            check_names(&args.differing, one, other)?;
            let differences = Difference::between(one, other, &args.differing);
            let names = [a, b].map(|file| file.display().to_string());
            let comparison = Comparison::new(&sides, names, differences, judge(false), false);
            (output, comparison)
        }
        _ => return Err(Usage::new("what is to be compared? Two files, or --a and --b").into()),
    };
    let json = comparison
        .json()
        .map_err(|error| Failure::Run(format!("no JSON: {error}")))?;
    output.write(&comparison.text(), &json)?;
    Ok(comparison.exit())
}

fn read(file: &Path) -> Result<Side, Usage> {
    let name = file.display();
    let text =
        std::fs::read(file).map_err(|error| Usage::new(format!("cannot read {name}: {error}")))?;
    let result: Value =
        figures::parse(&text).map_err(|error| Usage::new(format!("{name}: {error}")))?;
    Side::of(&result).map_err(|error| Usage::new(format!("{name}: {error}")))
}

/// A condition that neither side has was meant to be another.
fn check_names(names: &[String], a: &Side, b: &Side) -> Result<(), Usage> {
    let known = || a.conditions.keys().chain(b.conditions.keys());
    match names
        .iter()
        .find(|name| !known().any(|known| known == *name))
    {
        None => Ok(()),
        Some(name) => {
            let meant =
                crate::unit::nearest(name, known().map(String::as_str)).unwrap_or("workers");
            Err(Usage::value(
                "--differing",
                &format!("'{name}' is no condition of theirs"),
                meant,
            ))
        }
    }
}

/// Options of `bench` that its runs in rounds do not have.
const NOT_OF_A_RUN: [(&str, &str); 3] = [
    ("--json", "the comparison has one"),
    ("--slo", "the comparison has --tolerance"),
    ("--pcap-out", "it sends nothing"),
];

/// The rounds, and for A and B what their options say; none if they are another program's.
fn rounds(args: &CompareArgs, a: &str, b: &str) -> Result<(Rounds, [Option<Run>; 2]), Failure> {
    let this = || {
        std::env::current_exe()
            .map_err(|error| Failure::Run(format!("cannot tell which program this is: {error}")))
    };
    let side = |option: &str, flags: &str, binary: Option<&Path>| {
        let flags = shlex::split(flags)
            .ok_or_else(|| Usage::new(format!("{option}: a quote is missing in '{flags}'")))?;
        for (other, why) in NOT_OF_A_RUN {
            let is_it = |flag: &String| flag.split('=').next() == Some(other);
            if flags.iter().any(is_it) {
                return Err(Usage::new(format!(
                    "{option}: {other} of a run is not for others: {why}"
                ))
                .into());
            }
        }
        // Found out now, and not by the first run. Another program may know other options.
        let run = Run::of(&flags);
        let (program, run) = match binary {
            Some(path) => (path.to_owned(), run.ok()),
            None => {
                let run = run.map_err(|usage| Usage::new(format!("{option}: {usage}")))?;
                (this()?, Some(run))
            }
        };
        Ok::<_, Failure>(((program, flags), run))
    };
    let (a, run_a) = side("--a", a, args.binary_a.as_deref())?;
    let (b, run_b) = side("--b", b, args.binary_b.as_deref())?;
    let rounds = Rounds {
        sides: [a, b],
        rounds: args.rounds,
        duration: args.duration,
    };
    Ok((rounds, [run_a, run_b]))
}

/// What the options of one of the sides say.
struct Run {
    args: BenchArgs,
    streams: Option<LoadProfile>,
}

impl Run {
    fn of(flags: &[String]) -> Result<Self, Usage> {
        let flags = flags.iter().map(String::as_str);
        match cli::parse(["corelane", "bench"].into_iter().chain(flags))? {
            Asked::Bench(args) => Ok(Self {
                streams: super::bench::streams(&args)?,
                args,
            }),
            _ => Err(Usage::new("that runs nothing")),
        }
    }
}

/// What the runs read and write, and the programs: the comparison is in none of these.
fn taken<'a>(rounds: &'a Rounds, runs: &'a [Option<Run>; 2]) -> Result<Vec<Taken<'a>>, Usage> {
    let mut all = Vec::new();
    for ((name, (program, _)), run) in ["A", "B"].into_iter().zip(&rounds.sides).zip(runs) {
        let mut of_side = vec![Taken {
            file: program,
            holds: "the program".to_owned(),
        }];
        if let Some(Run { args, streams }) = run {
            of_side.extend(super::bench::beside(args, streams.as_ref())?);
            of_side.extend(LatencyFiles::taken(&args.engine));
        }
        all.extend(of_side.into_iter().map(|it| Taken {
            holds: format!("{} of {name}", it.holds),
            ..it
        }));
    }
    Ok(all)
}
