//! `search`: the highest load that the engine takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{read_by, streams_of};
use crate::cli::{EngineArgs, SearchArgs, Usage};
use crate::config::LoadProfile;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::machine::{Machine, Versions};
use crate::progress::Progress;
use crate::report::SCHEMA;
use crate::run::{Failure, Output, Setting};
use crate::search::{
    Books, Goal, GoalReport, SearchReport, Suite, check_targets, reached, under_most,
};
use crate::unit::{Arrival, FrameSize, RFC2544, Rate, Slo};

/// The shortest trial of RFC 2544, section 24.
const RFC_2544_TRIAL: Duration = Duration::from_secs(60);

/// The trials of `--quick`.
const QUICK_TRIAL: Duration = Duration::from_millis(100);

/// The trials where nothing is said.
const TRIAL: Duration = Duration::from_secs(1);

/// How often the longest burst is searched for: RFC 9004 and RFC 2544 ask for 50.
const BURSTS: usize = 50;

pub(super) fn search(args: &SearchArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    interrupt.prepare();
    let suite = suite(args)?;
    let read = read_by(&args.load, args.profile.as_deref(), suite.profile.as_ref());
    let output = Output::new(args.engine.json.as_deref(), &read)?;
    let progress = Progress::new(args.engine.json_to_stdout());
    let results = suite.run(&progress, interrupt)?;
    let slo = args.engine.slo.as_ref();
    let sizes: Vec<_> = results
        .sizes
        .iter()
        .map(|searched| {
            let mut size = searched.report();
            size.slo = slo.map(|slo| reached(slo, &size));
            size
        })
        .collect();
    let tester_limited = sizes
        .iter()
        .flat_map(|size| &size.goals)
        .any(|goal| goal.tester_limited)
        || slo.is_some_and(Slo::needs_latency)
            && sizes
                .iter()
                .filter_map(under_most)
                .any(|under| under.tester_limited);
    let is_unfinished = sizes
        .iter()
        .flat_map(|size| &size.goals)
        .any(GoalReport::is_unfinished);
    let books = Books::of(
        sizes
            .iter()
            .flat_map(|size| &size.trials)
            .map(|it| &it.trial),
    );
    let accounting_holds = !results.accounting_violated && books.holds();
    let has_bad_clock = sizes.iter().any(|size| !size.self_check.clock.monotonic);
    let is_unmet = sizes
        .iter()
        .any(|size| size.slo.as_ref().is_some_and(|slo| !slo.met));
    let setting = Setting::of_load(&suite.engine, &suite.load);
    let mut flags = flags(args, &suite, &setting);
    let streams = suite.profile.as_ref().map(|_| &results.streams);
    flags.insert("streams", json!(streams));
    let report = SearchReport {
        schema: SCHEMA,
        kind: "search",
        verb: "search",
        versions: Versions::here(),
        machine: Machine::here(),
        seed: args.load.seed,
        derived: derived(args, &setting, &flags),
        flags,
        interrupted: interrupt.is_raised(),
        warnings: {
            let mut all = results.warnings;
            all.extend(warnings(tester_limited, args.links.ends().is_some()));
            for warning in sizes.iter().flat_map(|size| size.self_check.warnings()) {
                if !all.contains(&warning) {
                    all.push(warning);
                }
            }
            all
        },
        deviations: deviations(&suite),
        core_stalls: results.stalls,
        accounting_holds,
        books,
        tester_limited,
        sizes,
        scaling: results.scaling,
        conditions: vec![conditions(args, &setting, &results.target)],
    };
    let json = report
        .json()
        .map_err(|error| Failure::Run(format!("no JSON: {error}")))?;
    output.write(&report.text(), &json)?;
    Ok(if !accounting_holds {
        Exit::Accounting
    } else if report.interrupted {
        Exit::Interrupted
    } else if tester_limited || is_unfinished || has_bad_clock {
        Exit::Invalid
    } else if is_unmet {
        Exit::Unmet
    } else {
        Exit::Done
    })
}

/// What the options ask for.
fn suite(args: &SearchArgs) -> Result<Suite, Usage> {
    let sizes = match &args.frame_size[..] {
        [] if args.rfc2544 => RFC2544.map(FrameSize::Fixed).to_vec(),
        [] => vec![FrameSize::Fixed(64)],
        sizes => sizes.to_vec(),
    };
    let trial = args.duration.unwrap_or(if args.rfc2544 {
        RFC_2544_TRIAL
    } else if args.quick {
        QUICK_TRIAL
    } else {
        TRIAL
    });
    let goals: Vec<Goal> = if args.rfc2544 {
        vec![Goal::throughput(trial)]
    } else if args.goal.is_empty() {
        vec![Goal::ndr(trial), Goal::pdr(trial)]
    } else {
        args.goal.iter().map(|goal| goal.goal(trial)).collect()
    };
    check_different("--goal", goals.iter().map(|goal| goal.name.to_lowercase()))?;
    check_different("--frame-size", sizes.iter().map(ToString::to_string))?;
    for (goal, text) in goals.iter().zip(&args.goal) {
        goal.check()
            .map_err(|error| Usage::new(format!("--goal: '{text}' with --duration: {error}")))?;
    }
    if let Some(slo) = &args.engine.slo {
        check_targets(slo, &goals).map_err(|error| Usage::new(format!("--slo: {error}")))?;
    }
    if matches!(args.max_rate, Some(Rate::Percent(_))) {
        return Err(Usage::value(
            "--max-rate",
            "a share of what? a search has no maximum yet",
            "20Mpps",
        ));
    }
    let profile = args
        .profile
        .as_ref()
        .map(|file| streams(file))
        .transpose()?;
    Ok(Suite {
        // Of the search as a whole: its trials have none.
        engine: EngineArgs {
            slo: None,
            ..args.engine.clone()
        },
        load: args.load.clone(),
        arrival: args.arrival.unwrap_or(Arrival::Cbr),
        profile,
        links: args.links.clone(),
        sizes,
        max_rate: args.max_rate,
        warmup: args.warmup,
        time_limit: args.time_limit.unwrap_or_else(|| Goal::patience(&goals)),
        goals,
        fail_fast: args.fail_fast,
        repeat: args.repeat,
        latency: args.engine.measures_latency(),
        bursts: args.back_to_back.then_some(BURSTS),
        scale_workers: args.scale_workers,
    })
}

/// Nothing is searched for twice under one name: nobody could tell the results apart.
fn check_different(option: &str, names: impl Iterator<Item = String>) -> Result<(), Usage> {
    let mut seen = BTreeSet::new();
    for name in names {
        if seen.contains(&name) {
            return Err(Usage::new(format!("{option}: there is '{name}' already")));
        }
        seen.insert(name);
    }
    Ok(())
}

/// The streams of a profile that have one load from the beginning to the end.
fn streams(file: &Path) -> Result<LoadProfile, Usage> {
    let profile = streams_of(file)?;
    let mut streams = profile.streams.iter();
    match streams.find(|stream| !stream.start.is_zero() || stream.stop.is_some()) {
        None => Ok(profile),
        Some(stream) => Err(Usage::new(format!(
            "--profile: {} has a start or a stop: a trial of a search has the same load from its beginning to \
             its end",
            stream.name
        ))),
    }
}

fn flags(args: &SearchArgs, suite: &Suite, setting: &Setting) -> BTreeMap<&'static str, Value> {
    let sizes: Vec<_> = suite.sizes.iter().map(ToString::to_string).collect();
    let goals: Vec<_> = suite.goals.iter().map(Goal::attributes).collect();
    let mut flags = setting.flags();
    flags.extend(args.load.flags());
    if args.links.ends().is_some() {
        for option in ["workers", "ring", "pool_slots", "promiscuous", "check"] {
            flags.remove(option);
        }
        flags.extend(args.links.flags());
    }
    flags.extend([
        ("frame_size", json!(sizes)),
        (
            "profile",
            json!(args.profile.as_ref().map(|file| file.display().to_string())),
        ),
        (
            "arrival",
            json!(suite.profile.is_none().then(|| suite.arrival.to_string())),
        ),
        ("goals", json!(goals)),
        (
            "max_rate",
            json!(suite.max_rate.map(|rate| rate.to_string())),
        ),
        ("warmup_s", json!(suite.warmup.as_secs_f64())),
        ("time_limit_s", json!(suite.time_limit.as_secs_f64())),
        ("fail_fast", json!(suite.fail_fast)),
        ("repeat", json!(suite.repeat)),
        ("latency", json!(suite.latency)),
        ("back_to_back", json!(args.back_to_back)),
        ("scale_workers", json!(suite.scale_workers)),
        (
            "slo",
            json!(args.engine.slo.as_ref().map(ToString::to_string)),
        ),
    ]);
    flags
}

/// Those of the flags that nobody said and that follow from others.
fn derived(
    args: &SearchArgs,
    setting: &Setting,
    flags: &BTreeMap<&'static str, Value>,
) -> Vec<&'static str> {
    let mut derived = setting.derived();
    // It follows from the goals.
    derived.extend(args.time_limit.is_none().then_some("time_limit_s"));
    // On real links there are no flags of an engine.
    derived.retain(|name| flags.contains_key(name));
    derived
}

fn warnings(tester_limited: bool, on_links: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if tester_limited {
        warnings.push(
            if on_links {
                "the tester, not the device, set a result below: it was behind its plan, sent more than 256 \
                 frames late at once, or had no room for what came; it is not valid for the device"
            } else {
                "the tester or the machine, not the engine, set a result below: the generator was behind its \
                 plan, or it or a worker lost its core, to something else that ran, for longer than the rings \
                 hold (--ring); it is not valid for the engine; let nothing else run, or, as root, run it with \
                 nice -n -19 (corelane doctor says whether that is enough)"
            }
            .to_owned(),
        );
    }
    warnings.extend(Versions::warning());
    warnings
}

/// How the trials differ from those of RFC 2544.
fn deviations(suite: &Suite) -> Vec<String> {
    let [trials, lost] = if suite.links.ends().is_some() {
        [
            "section 23: no learning frames but the warm-up, no waits of 2 s and 5 s: a trial ends when all has \
             come, or nothing has for 200 ms, after 2 s at most",
            "lost is what was due and did not come back as it was sent, or was not sent in time",
        ]
    } else {
        [
            "section 23: no learning frames (addresses are there before), no waits of 2 s and 5 s: a trial \
             begins and ends when nothing is in flight",
            "lost is what was due and not delivered: a worker's ring full, no buffer, dropped by the engine, \
             or not sent in time",
        ]
    };
    let mut lines = vec![trials.to_owned(), lost.to_owned()];
    let shortest = suite.goals.iter().map(|goal| goal.final_trial).min();
    if let Some(trial) = shortest.filter(|trial| *trial < RFC_2544_TRIAL) {
        lines.push(format!(
            "section 24: the trials that decide last {} s, not 60 s",
            trial.as_secs_f64()
        ));
    }
    if suite
        .goals
        .iter()
        .any(|goal| goal.loss_ratio > 0.0 || goal.exceed_ratio > 0.0)
    {
        lines.push(
            "section 26.1: goals that allow loss, or trials with loss, are those of RFC 9971"
                .to_owned(),
        );
    }
    if suite.latency {
        lines.push(
            "section 26.2: latency of every frame of one trial, from its planned send time, not of one \
             frame in each of 20"
                .to_owned(),
        );
    }
    lines
}

fn conditions(args: &SearchArgs, setting: &Setting, target: &str) -> String {
    let load = &args.load;
    if let Some(ends) = args.links.ends() {
        return format!(
            "{ends}, {target}, destinations {}, family {}, {} flows, seed {}",
            load.destinations, load.family, load.flows, load.seed
        );
    }
    let promiscuous = if args.engine.promiscuous {
        ", promiscuous"
    } else {
        ""
    };
    let how = match (&args.profile, args.arrival) {
        (Some(file), _) => format!(", streams of {}", file.display()),
        (None, Some(arrival)) => format!(", {arrival}"),
        (None, None) => String::new(),
    };
    format!(
        "{}, {target}, destinations {}, family {}, {} flows, seed {}{promiscuous}{how}",
        setting.describe(),
        load.destinations,
        load.family,
        load.flows,
        load.seed,
    )
}
