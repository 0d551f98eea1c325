//! `bench`: synthetic traffic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corelane::engine::WhenFull;
use corelane::stack::{AddAddressError, Nic};
use serde_json::{Value, json};

use super::finish;
use crate::churn::Churn;
use crate::cli::BenchArgs;
use crate::clock::Clock;
use crate::exit::Exit;
use crate::generator::{
    AddressPlan, GeneratorLink, Limits, Pace, Schedule, Sequence, Source, Traffic, mean_size,
    size_on_wire,
};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::{Setup, time};
use crate::run::{Conditions, Failure, Output, Session, Setting, assemble};
use crate::unit::{Arrival, Family, FrameSize, Rate};

/// The unmeasured run before the calibration for a rate in percent, and the calibration.
const CALIBRATION_WARMUP: Duration = Duration::from_millis(200);
const CALIBRATION: Duration = Duration::from_secs(1);

pub(super) fn bench(args: &BenchArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let output = Output::new(args.engine.json.as_deref(), &[])?;
    let progress = Progress::new(args.engine.json_to_stdout());

    progress.stage("frames", None);
    let before = Instant::now();
    let sequence = Sequence::draw(&Traffic {
        family: args.family,
        endpoints: args.endpoints,
        destinations: args.destinations,
        hit_ratio: args.hit_ratio,
        frame_size: args.frame_size,
        flows: args.flows,
        seed: args.seed,
    });
    let frames_s = before.elapsed().as_secs_f64();

    let mean = mean_size(args.frame_size, args.family);
    let mut calibrated_pps = None;
    if matches!(args.rate, Rate::Percent(_)) {
        calibrated_pps = Some(calibrate(args, sequence.clone(), &progress, interrupt)?);
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
    let setting = Setting::new(&args.engine, when_full, args.seed);

    let plan = AddressPlan::new(args.family, args.endpoints);
    progress.stage("endpoints", None);
    let mut endpoints_s = 0.0;
    let clock = Clock::start();
    let longest = sequence.longest();
    let link = GeneratorLink::new(sequence, pace, clock);
    let session = Session::start(&setting, link, longest, clock, |nic| {
        let before = Instant::now();
        add_endpoints(nic, plan)?;
        endpoints_s = before.elapsed().as_secs_f64();
        Ok(())
    })?;
    let mut churn = match args.churn {
        None => None,
        Some(per_s) => Some(
            Churn::start(session.nic().clone(), plan, per_s)
                .map_err(|error| Failure::Run(format!("no thread for --churn: {error}")))?,
        ),
    };

    progress.stage("warm-up", Some(args.warmup));
    if !args.warmup.is_zero() {
        session.window(limits(args.warmup), &progress, interrupt)?;
    }
    progress.stage("measuring", Some(args.duration));
    churn.iter_mut().for_each(|churn| churn.record(true));
    let measured = session.window(limits(args.duration), &progress, interrupt)?;
    let churn = churn.and_then(Churn::finish);
    let setup = Setup {
        endpoints: plan.len().into(),
        endpoints_s,
        frames_s,
    };
    progress.clear();

    let conditions = Conditions {
        verb: "bench",
        seed: args.seed,
        flags: flags(args, &setting),
        lines: lines(args, &setting, &setup),
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
    let report = assemble(conditions, &measured, session.finish());
    finish(&report, output)
}

/// What the engine takes at `max`, in frames per second.
fn calibrate(
    args: &BenchArgs,
    sequence: Sequence,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<f64, Failure> {
    progress.stage("calibration", Some(CALIBRATION));
    let setting = Setting::new(&args.engine, WhenFull::Wait, args.seed);
    let plan = AddressPlan::new(args.family, args.endpoints);
    let clock = Clock::start();
    let longest = sequence.longest();
    let link = GeneratorLink::new(sequence, Pace::Max, clock);
    let session = Session::start(&setting, link, longest, clock, |nic| {
        add_endpoints(nic, plan)
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

fn add_endpoints(nic: &Nic, plan: AddressPlan) -> Result<(), Failure> {
    nic.transaction(|tx| plan.iter().try_for_each(|address| tx.add_address(address)))
        .map_err(AddAddressError::from)
        .flatten()
        .map_err(|error| Failure::Run(format!("cannot add the endpoints: {error}")))
}

fn flags(args: &BenchArgs, setting: &Setting) -> BTreeMap<&'static str, Value> {
    let mut flags = setting.flags();
    flags.extend([
        ("endpoints", json!(args.endpoints)),
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

fn lines(args: &BenchArgs, setting: &Setting, setup: &Setup) -> Vec<String> {
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
    vec![
        format!(
            "{}, {} endpoints (added in {}), destinations {}, family {}{}",
            setting.describe(),
            args.endpoints,
            time((setup.endpoints_s * 1e9) as u64),
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
