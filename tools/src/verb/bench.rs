//! `bench`: synthetic traffic.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use corelane::engine::WhenFull;
use corelane::wire::MacAddr;
use serde_json::{Value, json};

use super::frames_kept::FramesKept;
use super::pcap_out;
use super::{finish, outputs, read_by, streams_of};
use crate::churn::Churn;
use crate::cli::{BenchArgs, Usage};
use crate::config::LoadProfile;
use crate::exit::Exit;
use crate::generator::{Pace, Spread, Window};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::{Setup, time};
use crate::run::{
    Bed, Conditions, Failure, Layout, Measured, Outcome, Taken, Trial, assemble, check_free,
};
use crate::selftest::SelfCheck;
use crate::unit::{Arrival, Rate};

/// The unmeasured run before the calibration for a rate in percent, and the calibration.
const CALIBRATION_WARMUP: Duration = Duration::from_millis(200);
const CALIBRATION: Duration = Duration::from_secs(1);

pub(super) fn bench(args: &BenchArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    interrupt.prepare();
    if let Some(file) = &args.pcap_out {
        return write_frames(args, file, interrupt);
    }
    if let Some(ends) = args.links.ends() {
        return super::bench_links::bench(args, &ends, interrupt);
    }
    let streams = streams(args)?;
    let streams = streams.as_ref();
    let (output, latencies) = outputs(&args.engine, beside(args, streams)?)?;
    let progress = Progress::new(args.engine.json_to_stdout());
    let (conditions, measured, outcome) = measure(args, streams, &progress, interrupt, &mut Alone)?;
    latencies.write(measured.latencies().as_ref(), &measured.intervals)?;
    finish(&assemble(conditions, &measured, outcome), output)
}

/// The streams that are asked for, if any are.
pub(super) fn streams(args: &BenchArgs) -> Result<Option<LoadProfile>, Usage> {
    args.profile.as_deref().map(streams_of).transpose()
}

/// What a run with these streams reads, and the frames that it keeps: what else it writes is beside that.
pub(super) fn beside<'a>(
    args: &'a BenchArgs,
    streams: Option<&'a LoadProfile>,
) -> Result<Vec<Taken<'a>>, Usage> {
    let read = read_by(&args.load, args.profile.as_deref(), streams);
    FramesKept::beside(read, &args.keep)
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
    streams: Option<&LoadProfile>,
    progress: &Progress,
    interrupt: &Interrupt,
    companion: &mut dyn Companion,
) -> Result<(Conditions, Measured, Outcome), Failure> {
    progress.stage("frames", None);
    let layout = layout(args, streams, None)?;
    let mean = layout.frames().mean_size(0);
    let arrival = args.arrival.unwrap_or(Arrival::Cbr);
    let calibrated_pps = match args.rate {
        Rate::Percent(_) => Some(calibrate(&layout, progress, interrupt)?),
        _ => None,
    };
    let planned_pps = match args.profile {
        Some(_) => Some(layout.pps()),
        None => args.rate.pps(mean, calibrated_pps.unwrap_or(0.0)),
    };
    let when_full = match planned_pps {
        None => WhenFull::Wait,
        Some(_) => WhenFull::Drop,
    };
    progress.stage("self-test", None);
    let pace = planned_pps.map_or(Pace::Max, |_| layout.ceiling(arrival));
    let self_check = SelfCheck::run(layout.frames().clone(), pace)?;
    let trial = |duration| Trial {
        arrival,
        ..Trial::new(planned_pps, duration)
    };

    let spread = layout.spread();
    if let Some(spread) = &spread {
        if spread.shares.len() > 1 {
            progress.say(&spread.to_string());
        }
        let warning = spread.warning();
        warning
            .iter()
            .for_each(|it| progress.say(&format!("warning: {it}")));
    }
    progress.stage(layout.target().stage(), None);
    let kept = FramesKept::of(&args.keep)?;
    let mut bed = Bed::start_with(&layout, when_full, &FramesKept::between(kept.as_ref()))?;
    let churned = || layout.target().churned(bed.nics());
    let mut churn = Churn::start_if(args.churn, churned)?;

    interrupt.begin();
    progress.stage("warm-up", Some(args.warmup));
    if !args.warmup.is_zero() {
        bed.trial(&trial(args.warmup), progress, interrupt)?;
    }
    companion.begin()?;
    kept.iter().for_each(FramesKept::begin);
    progress.stage("measuring", Some(args.duration));
    churn.iter_mut().for_each(|churn| churn.record(true));
    let result = bed.trial(&trial(args.duration), progress, interrupt)?;
    companion.end();
    let churn = churn.and_then(Churn::finish);
    progress.clear();

    let setup = bed.setup();
    let outcome = bed.finish();
    let mut lines = lines(args, &layout, &setup, spread.as_ref());
    if let Some(kept) = kept {
        lines.push(kept.write()?);
    }
    let conditions = Conditions {
        verb: "bench",
        seed: args.load.seed,
        flags: flags(args, &layout),
        derived: layout.setting().derived(),
        lines,
        interrupted: interrupt.is_raised(),
        planned_pps,
        calibrated_pps,
        room: layout.setting().room(),
        too_large: 0,
        churn,
        setup,
        captures: None,
        warnings: spread
            .iter()
            .filter_map(Spread::warning)
            .chain(layout.one_sided(args.load.family))
            .collect(),
        streams: layout.profile_streams().to_vec(),
        spread,
        self_check: Some(self_check.used(result.offered_pps())),
        slo: args.engine.slo.clone(),
    };
    Ok((conditions, result.measured, outcome))
}

/// The frames, for the engine or for the device on real links that has this link address.
pub(super) fn layout(
    args: &BenchArgs,
    streams: Option<&LoadProfile>,
    device: Option<MacAddr>,
) -> Result<Layout, Failure> {
    let (engine, load, size) = (&args.engine, &args.load, args.frame_size);
    match streams {
        None => Ok(Layout::new(engine, load, size, device)),
        Some(profile) => Layout::of_profile(engine, load, size, device, profile),
    }
}

/// Writes what would be sent to a capture, and sends nothing.
fn write_frames(args: &BenchArgs, file: &Path, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let streams = streams(args)?;
    let read = read_by(&args.load, args.profile.as_deref(), streams.as_ref());
    check_free("--pcap-out", file, &read)?;
    let layout = layout(args, streams.as_ref(), None)?;
    let pps = match args.profile {
        Some(_) => Some(layout.pps()),
        None if matches!(args.rate, Rate::Percent(_)) => None,
        None => args.rate.pps(layout.frames().mean_size(0), 0.0),
    };
    let arrival = args.arrival.unwrap_or(Arrival::Cbr);
    let window = Window {
        pace: pps.map_or(Pace::Max, |pps| Pace::Planned(layout.plan(pps, arrival))),
        duration: Some(args.duration),
        ..Window::default()
    };
    let at = format!("--rate {}", args.rate);
    let frames = &mut layout.frames().clone();
    pcap_out::write(file, frames, window, (&at, "--rate 1Mpps"), interrupt)
}

/// What the engine takes at `max`, in frames per second.
fn calibrate(layout: &Layout, progress: &Progress, interrupt: &Interrupt) -> Result<f64, Failure> {
    progress.stage("calibration", Some(CALIBRATION));
    let mut bed = Bed::start(layout, WhenFull::Wait)?;
    let mut run = |duration| bed.trial(&Trial::new(None, duration), progress, interrupt);
    run(CALIBRATION_WARMUP)?;
    let result = run(CALIBRATION)?;
    bed.finish();
    Ok(result.offered_pps())
}

pub(super) fn flags(args: &BenchArgs, layout: &Layout) -> BTreeMap<&'static str, Value> {
    let mut flags = layout.setting().flags();
    flags.extend(args.load.flags());
    flags.extend([
        (
            "frame_size",
            json!(args.profile.is_none().then(|| args.frame_size.to_string())),
        ),
        (
            "profile",
            json!(args.profile.as_ref().map(|file| file.display().to_string())),
        ),
        ("streams", layout.stream_flags()),
        (
            "rate",
            json!(args.profile.is_none().then(|| args.rate.to_string())),
        ),
        (
            "arrival",
            json!(
                (args.rate != Rate::Max).then(|| args.arrival.unwrap_or(Arrival::Cbr).to_string())
            ),
        ),
        ("duration_s", json!(args.duration.as_secs_f64())),
        ("warmup_s", json!(args.warmup.as_secs_f64())),
        ("churn", json!(args.churn)),
        ("capture", json!(args.keep.capture)),
    ]);
    flags
}

fn lines(args: &BenchArgs, layout: &Layout, setup: &Setup, spread: Option<&Spread>) -> Vec<String> {
    let size = layout.describe_frames(args.frame_size);
    let hits = if args.load.hit_ratio < 1.0 {
        format!(", {:.1}% of them hit", 100.0 * args.load.hit_ratio)
    } else {
        String::new()
    };
    let rate = match (layout.describe_streams(), args.rate) {
        (Some(streams), _) => streams,
        (None, Rate::Max) => "rate max".to_owned(),
        (None, rate) => format!("rate {rate} {}", args.arrival.unwrap_or(Arrival::Cbr)),
    };
    let setting = layout.setting();
    let population = layout.target().describe();
    let mut lines = vec![
        format!(
            "{}, {population} (added in {}), destinations {}, family {}{}",
            setting.describe(),
            time(((setup.endpoints_s + setup.routes_s) * 1e9) as u64),
            args.load.destinations,
            args.load.family,
            if args.engine.promiscuous {
                ", promiscuous"
            } else {
                ""
            },
        ),
        format!(
            "{size}{hits}, {} flows, seed {}, {rate}, {:.2} s measured after {:.2} s",
            args.load.flows,
            args.load.seed,
            args.duration.as_secs_f64(),
            args.warmup.as_secs_f64(),
        ),
    ];
    // With one worker there is nothing to spread.
    lines.extend(
        spread
            .filter(|spread| spread.shares.len() > 1)
            .map(ToString::to_string),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Asked};
    use crate::verb::exit_of;

    type Spoil = fn(&mut Measured);

    /// How a short run ends whose counts `spoil` has changed.
    fn exit(options: &str, spoil: Spoil) -> Exit {
        let line = format!("corelane bench --workers 1 --duration 50ms --warmup 0s {options}");
        let Ok(Asked::Bench(args)) = cli::parse(line.split_whitespace()) else {
            panic!("refused: {line}");
        };
        let (progress, interrupt) = (Progress::new(true), Interrupt::default());
        let (conditions, mut measured, outcome) =
            measure(&args, None, &progress, &interrupt, &mut Alone).unwrap();
        spoil(&mut measured);
        exit_of(&assemble(conditions, &measured, outcome))
    }

    #[test]
    fn a_frame_lost_at_the_end_of_its_way_ends_with_the_status_of_the_books() {
        for options in ["", "--forward", "--sockets 10"] {
            assert_eq!(exit(options, |_| {}), Exit::Done, "{options}");
        }
        let spoiled: [(&str, Spoil); 6] = [
            ("", |measured| measured.handled[0].packets -= 1),
            ("--forward", |measured| measured.taken[0].packets -= 1),
            ("--forward", |measured| {
                measured.after.nics[1].totals.send_dropped += 1;
            }),
            ("--forward", |measured| {
                measured.after.nics[1].totals.sent -= 1;
            }),
            ("--sockets 10", |measured| {
                measured.sockets.as_mut().unwrap().read -= 1;
            }),
            ("--sockets 10", |measured| {
                measured.sockets.as_mut().unwrap().full += 1;
            }),
        ];
        for (i, (options, spoil)) in spoiled.into_iter().enumerate() {
            assert_eq!(exit(options, spoil), Exit::Accounting, "{i}: {options}");
        }
    }
}
