//! `bench`: synthetic traffic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corelane::engine::WhenFull;
use corelane::stack::{AddAddressError, Nic};
use serde_json::{Value, json};

use super::finish;
use crate::churn::{Churn, Churned};
use crate::cli::BenchArgs;
use crate::clock::Clock;
use crate::exit::Exit;
use crate::generator::{
    AddressPlan, GeneratorLink, Limits, Pace, RoutePlan, Schedule, Sequence, Source, Traffic,
    mean_size, size_on_wire,
};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::{Setup, time};
use crate::run::{
    Conditions, Failure, Measured, Nics, Outcome, Output, Session, Setting, assemble,
};
use crate::sockets::{self, Sockets};
use crate::unit::{Arrival, Family, FrameSize, Rate};

/// The unmeasured run before the calibration for a rate in percent, and the calibration.
const CALIBRATION_WARMUP: Duration = Duration::from_millis(200);
const CALIBRATION: Duration = Duration::from_secs(1);

pub(super) fn bench(args: &BenchArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let output = Output::new(args.engine.json.as_deref(), &[])?;
    let progress = Progress::new(args.engine.json_to_stdout());
    let (conditions, measured, outcome) = measure(args, &progress, interrupt, &mut Alone)?;
    finish(&assemble(conditions, &measured, outcome), output)
}

/// What goes along with the measured window.
pub(super) trait Companion {
    /// Before it begins: everything is set up and holds.
    fn begin(&mut self) -> Result<(), Failure>;
    /// After it has ended, with the threads still there.
    fn end(&mut self);
}

/// Nobody.
struct Alone;

impl Companion for Alone {
    fn begin(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self) {}
}

/// Runs it, and says what a report is put together from.
pub(super) fn measure(
    args: &BenchArgs,
    progress: &Progress,
    interrupt: &Interrupt,
    companion: &mut dyn Companion,
) -> Result<(Conditions, Measured, Outcome), Failure> {
    progress.stage("frames", None);
    let before = Instant::now();
    let target = Target::new(args);
    let sequence = Sequence::draw(&Traffic {
        family: args.family,
        endpoints: target.plan.len(),
        destinations: args.destinations,
        hit_ratio: args.hit_ratio,
        frame_size: args.frame_size,
        flows: args.flows,
        port: args.sockets.map(|_| sockets::PORT),
        routes: target.routes.clone(),
        seed: args.seed,
    });
    let frames_s = before.elapsed().as_secs_f64();

    let mean = mean_size(args.frame_size, args.family);
    let mut calibrated_pps = None;
    if matches!(args.rate, Rate::Percent(_)) {
        calibrated_pps = Some(calibrate(
            args,
            &target,
            sequence.clone(),
            progress,
            interrupt,
        )?);
    }
    let planned_pps = args.rate.pps(mean, calibrated_pps.unwrap_or(0.0));
    let arrival = args.arrival.unwrap_or(Arrival::Cbr);
    let (pace, when_full) = match planned_pps {
        None => (Pace::Max, WhenFull::Wait),
        Some(pps) => (
            Pace::Planned(Schedule::new(arrival, pps, args.seed)),
            WhenFull::Drop,
        ),
    };
    let setting = setting(args, when_full);

    progress.stage(target.stage(), None);
    let mut setup = Setup {
        frames_s,
        ..Setup::default()
    };
    let clock = Clock::start();
    let longest = sequence.longest();
    let link = GeneratorLink::new(sequence, pace, clock);
    let mut session = Session::start(&setting, link, longest, clock, |nics| {
        target.set_up(nics, &mut setup)
    })?;
    let mut churn = match args.churn {
        None => None,
        Some(per_s) => Some(
            Churn::start(target.churned(session.nics()), per_s)
                .map_err(|error| Failure::Run(format!("no thread for --churn: {error}")))?,
        ),
    };

    progress.stage("warm-up", Some(args.warmup));
    if !args.warmup.is_zero() {
        session.window(limits(args.warmup), progress, interrupt)?;
    }
    companion.begin()?;
    progress.stage("measuring", Some(args.duration));
    churn.iter_mut().for_each(|churn| churn.record(true));
    let measured = session.window(limits(args.duration), progress, interrupt)?;
    companion.end();
    let churn = churn.and_then(Churn::finish);
    progress.clear();

    let conditions = Conditions {
        verb: "bench",
        seed: args.seed,
        flags: flags(args, &setting),
        lines: lines(args, &target, &setting, &setup),
        interrupted: interrupt.is_raised(),
        planned_pps,
        calibrated_pps,
        room: setting.room(),
        too_large: 0,
        churn,
        setup,
        captures: None,
        warnings: Vec::new(),
    };
    Ok((conditions, measured, session.finish()))
}

/// What the engine takes at `max`, in frames per second.
fn calibrate(
    args: &BenchArgs,
    target: &Target,
    sequence: Sequence,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<f64, Failure> {
    progress.stage("calibration", Some(CALIBRATION));
    let setting = setting(args, WhenFull::Wait);
    let clock = Clock::start();
    let longest = sequence.longest();
    let link = GeneratorLink::new(sequence, Pace::Max, clock);
    let mut session = Session::start(&setting, link, longest, clock, |nics| {
        target.set_up(nics, &mut Setup::default())
    })?;
    session.window(limits(CALIBRATION_WARMUP), progress, interrupt)?;
    let measured = session.window(limits(CALIBRATION), progress, interrupt)?;
    session.finish();
    Ok(measured.achieved_pps())
}

fn limits(duration: Duration) -> Limits {
    Limits {
        duration: Some(duration),
        ..Limits::default()
    }
}

fn setting(args: &BenchArgs, when_full: WhenFull) -> Setting {
    let setting = Setting::new(&args.engine, when_full, args.seed);
    match args.sockets {
        _ if args.forward => setting.forwarding(),
        Some(sockets) => setting.with_sockets(&args.engine, sockets),
        None => setting,
    }
}

/// What the frames go to.
struct Target {
    plan: AddressPlan,
    routes: Option<Arc<RoutePlan>>,
    sockets: bool,
}

impl Target {
    fn new(args: &BenchArgs) -> Self {
        let draw = || RoutePlan::draw(args.family, args.routes, args.neighbors, args.seed);
        Self {
            plan: AddressPlan::new(args.family, args.sockets.unwrap_or(args.endpoints)),
            routes: args.forward.then(|| Arc::new(draw())),
            sockets: args.sockets.is_some(),
        }
    }

    fn stage(&self) -> &'static str {
        if self.routes.is_some() {
            "routes"
        } else {
            "endpoints"
        }
    }

    /// Adds it all, and notes what that was and how long it took.
    fn set_up(&self, nics: &Nics, setup: &mut Setup) -> Result<Option<Sockets>, Failure> {
        let before = Instant::now();
        if let (Some(routes), Some(egress)) = (&self.routes, &nics.egress) {
            routes
                .install(egress)
                .map_err(|error| Failure::Run(format!("cannot route: {error}")))?;
            setup.routes = routes.len().into();
            setup.neighbors = routes.neighbors().count() as u64;
            setup.routes_s = before.elapsed().as_secs_f64();
            return Ok(None);
        }
        add_endpoints(&nics.ingress, self.plan)?;
        let sockets = self
            .sockets
            .then(|| Sockets::bind(&nics.ingress, self.plan))
            .transpose()
            .map_err(|error| Failure::Run(format!("cannot bind the sockets: {error}")))?;
        setup.endpoints = self.plan.len().into();
        setup.endpoints_s = before.elapsed().as_secs_f64();
        Ok(sockets)
    }

    /// What comes and goes beside it.
    fn churned(&self, nics: &Nics) -> Churned {
        match (&self.routes, &nics.egress) {
            (Some(plan), Some(egress)) => Churned::Routes {
                egress: egress.clone(),
                plan: Arc::clone(plan),
            },
            _ => Churned::Addresses {
                nic: nics.ingress.clone(),
                plan: self.plan,
            },
        }
    }
}

fn add_endpoints(nic: &Nic, plan: AddressPlan) -> Result<(), Failure> {
    nic.transaction(|tx| plan.iter().try_for_each(|address| tx.add_address(address)))
        .map_err(AddAddressError::from)
        .flatten()
        .map_err(|error| Failure::Run(format!("cannot add the endpoints: {error}")))
}

fn flags(args: &BenchArgs, setting: &Setting) -> BTreeMap<&'static str, Value> {
    let mut flags = setting.flags();
    flags.extend([
        (
            "endpoints",
            json!((!args.forward).then(|| args.sockets.unwrap_or(args.endpoints))),
        ),
        ("forward", json!(args.forward)),
        ("routes", json!(args.forward.then_some(args.routes))),
        ("neighbors", json!(args.forward.then_some(args.neighbors))),
        ("sockets", json!(args.sockets)),
        ("destinations", json!(args.destinations.to_string())),
        ("family", json!(args.family.to_string())),
        ("frame_size", json!(args.frame_size.to_string())),
        ("smallest_ipv6_frame", json!(size_on_wire(0, true))),
        ("flows", json!(args.flows)),
        ("rate", json!(args.rate.to_string())),
        (
            "arrival",
            json!(
                (args.rate != Rate::Max).then(|| args.arrival.unwrap_or(Arrival::Cbr).to_string())
            ),
        ),
        ("duration_s", json!(args.duration.as_secs_f64())),
        ("warmup_s", json!(args.warmup.as_secs_f64())),
        ("churn", json!(args.churn)),
        ("hit_ratio", json!(args.hit_ratio)),
        ("seed", json!(args.seed)),
    ]);
    flags
}

fn lines(args: &BenchArgs, target: &Target, setting: &Setting, setup: &Setup) -> Vec<String> {
    let size = match args.frame_size {
        FrameSize::Imix => "imix frames".to_owned(),
        FrameSize::Fixed(size) if args.family != Family::V4 && size_on_wire(size, true) != size => {
            format!("{size}-byte frames (IPv6 {})", size_on_wire(size, true))
        }
        FrameSize::Fixed(size) => format!("{size}-byte frames"),
    };
    let hits = if args.hit_ratio < 1.0 {
        format!(", {:.1}% of them hit", 100.0 * args.hit_ratio)
    } else {
        String::new()
    };
    let rate = match args.rate {
        Rate::Max => "rate max".to_owned(),
        rate => format!("rate {rate} {}", args.arrival.unwrap_or(Arrival::Cbr)),
    };
    let population = match (&target.routes, args.sockets) {
        (Some(routes), _) => format!("{} routes to {} neighbors", routes.len(), args.neighbors),
        (None, Some(sockets)) => format!("{sockets} endpoints with a UDP socket each"),
        (None, None) => format!("{} endpoints", args.endpoints),
    };
    vec![
        format!(
            "{}, {population} (added in {}), destinations {}, family {}{}",
            setting.describe(),
            time(((setup.endpoints_s + setup.routes_s) * 1e9) as u64),
            args.destinations,
            args.family,
            if args.engine.promiscuous {
                ", promiscuous"
            } else {
                ""
            },
        ),
        format!(
            "{size}{hits}, {} flows, seed {}, {rate}, {:.2} s measured after {:.2} s",
            args.flows,
            args.seed,
            args.duration.as_secs_f64(),
            args.warmup.as_secs_f64(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Asked};
    use crate::verb::exit_of;

    type Spoil = fn(&mut Measured, &mut Outcome);

    /// How a short run ends whose counts `spoil` has changed.
    fn exit(options: &str, spoil: Spoil) -> Exit {
        let line = format!("corelane bench --workers 1 --duration 50ms --warmup 0s {options}");
        let Ok(Asked::Bench(args)) = cli::parse(line.split_whitespace()) else {
            panic!("refused: {line}");
        };
        let (progress, interrupt) = (Progress::new(true), Interrupt::default());
        let (conditions, mut measured, mut outcome) =
            measure(&args, &progress, &interrupt, &mut Alone).unwrap();
        spoil(&mut measured, &mut outcome);
        exit_of(&assemble(conditions, &measured, outcome))
    }

    #[test]
    fn a_frame_lost_at_the_end_of_its_way_ends_with_the_status_of_the_books() {
        for options in ["", "--forward", "--sockets 10"] {
            assert_eq!(exit(options, |_, _| {}), Exit::Done, "{options}");
        }
        let spoiled: [(&str, Spoil); 6] = [
            ("", |_, outcome| outcome.handled[0].packets -= 1),
            ("--forward", |_, outcome| outcome.taken[0].packets -= 1),
            ("--forward", |measured, _| {
                measured.after.nics[1].totals.send_dropped += 1;
            }),
            ("--forward", |measured, _| {
                measured.after.nics[1].totals.sent -= 1;
            }),
            ("--sockets 10", |_, outcome| {
                outcome.sockets.as_mut().unwrap().read -= 1;
            }),
            ("--sockets 10", |_, outcome| {
                outcome.sockets.as_mut().unwrap().full += 1;
            }),
        ];
        for (i, (options, spoil)) in spoiled.into_iter().enumerate() {
            assert_eq!(exit(options, spoil), Exit::Accounting, "{i}: {options}");
        }
    }
}
