//! `replay`: captures as the traffic.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corelane::engine::WhenFull;
use corelane::frame::PoolConfig;
use corelane::io::pcap::{Capture, PcapEnd};
use corelane::stack::Nic;
use serde_json::{Value, json};

use super::frames_kept::FramesKept;
use super::pcap_out;
use super::{finish, outputs};
use crate::churn::{Churn, Churned};
use crate::cli::{ReplayArgs, Usage};
use crate::clock::Clock;
use crate::exit::Exit;
use crate::generator::{
    AddressPlan, CaptureFrames, CaptureSet, GeneratorLink, Pace, RoutePlan, Schedule, Window,
};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::{CaptureShare, Setup};
use crate::run::{
    Conditions, Failure, Session, Setting, Taken, assemble, check_free, install, say,
};
use crate::selftest::SelfCheck;
use crate::unit::{Family, Speed};

/// Nothing is drawn in a replay; the endpoint table's hash starts from this, always.
pub(super) const SEED: u64 = 1;

/// Packets that go through unmeasured first, at most.
const WARMUP: u64 = 1 << 16;

/// A replay that takes this long may not be what was wanted: captures have odd times in them.
const LONG: Duration = Duration::from_secs(6 * 3600);

const NOTHING_DELIVERED: &str = "nothing was delivered, the NIC has no address: --own gives it the \
                                 destinations of the capture, --promiscuous lets it take any";

pub(super) fn replay(args: &ReplayArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    interrupt.prepare();
    if let Some(file) = &args.pcap_out {
        return write_frames(args, file, interrupt);
    }
    if let Some(ends) = args.links.ends() {
        return super::replay_links::replay(args, &ends, interrupt);
    }
    let progress = Progress::new(args.engine.json_to_stdout());
    progress.stage("captures", None);
    let before = Instant::now();
    let set = CaptureSet::new(captures(args)?, PoolConfig::default().headroom);
    let set = Arc::new(set);
    check_not_empty(args, set.len() as u64 + set.too_large())?;
    check_pace(args, &set)?;
    let frames_s = before.elapsed().as_secs_f64();
    let (output, latencies) = outputs(&args.engine, taken(args)?)?;
    let kept = FramesKept::of(&args.keep)?;

    let (pace, when_full, planned_pps) = pace(args.speed, &set);
    let setting = Setting {
        forward: args.forward,
        ..Setting::new(&args.engine, when_full, SEED)
    };

    progress.stage("self-test", None);
    let self_check = SelfCheck::run(CaptureFrames::new(Arc::clone(&set)), Pace::Max)?;
    let routes = args.forward.then(|| Arc::new(RoutePlan::defaults(SEED)));
    progress.stage("endpoints", None);
    let mut setup = Setup {
        frames_s,
        ..Setup::default()
    };
    let clock = Clock::start();
    let (link, generator) = GeneratorLink::new(CaptureFrames::new(Arc::clone(&set)), clock);
    let link = FramesKept::between(kept.as_ref())(Box::new(link));
    let link = (link, generator);
    let mut session = Session::start(&setting, link, set.longest(), clock, |nics| {
        if let Some(routes) = &routes {
            install(routes, nics, &mut setup, interrupt)?;
        }
        if args.own {
            let before = Instant::now();
            setup.endpoints = own(&nics.ingress, &set);
            setup.endpoints_s = before.elapsed().as_secs_f64();
        }
        Ok(None)
    })?;
    // None of those that come and go is among the capture's but by chance.
    let others = AddressPlan::new(Family::Mixed, 0);
    let churned = || Churned::of(session.nics(), routes.as_ref(), others);
    let mut churn = Churn::start_if(args.churn, churned)?;
    // Every thread has then done everything once. The pace is not kept: a capture can take days.
    let warmup = Window {
        frames: Some((set.len() as u64).min(WARMUP)),
        ..Window::default()
    };
    interrupt.begin();
    session.window(warmup, &progress, interrupt)?;
    let expected = expected(args, &set);
    say_if_long(expected);
    kept.iter().for_each(FramesKept::begin);
    progress.stage("replaying", expected);
    churn.iter_mut().for_each(|churn| churn.record(true));
    let measured = session.window(window(args, pace, &set), &progress, interrupt)?;
    let churn = churn.and_then(Churn::finish);
    progress.clear();

    let conditions = Conditions {
        verb: "replay",
        seed: SEED,
        flags: flags(args, &setting),
        derived: setting.derived(),
        lines: lines(args, &setting, &set, &setup),
        interrupted: interrupt.is_raised(),
        planned_pps,
        calibrated_pps: None,
        room: setting.room(),
        too_large: set.too_large() * rounds(args, &set, measured.totals.intended),
        churn,
        setup,
        streams: Vec::new(),
        captures: Some(shares(&set)),
        warnings: warnings(&set),
        spread: None,
        self_check: Some(self_check.used(measured.achieved_pps())),
        slo: args.engine.slo.clone(),
    };
    latencies.write(measured.latencies().as_ref(), &measured.intervals)?;
    let mut report = assemble(conditions, &measured, session.finish());
    if let Some(kept) = kept {
        report.conditions.push(kept.write()?);
    }
    let takes_any = args.own || args.forward || args.engine.promiscuous;
    if report.delivered == 0 && report.received > 0 && !takes_any {
        report.warnings.push(NOTHING_DELIVERED.to_owned());
    }
    finish(&report, output)
}

fn write_frames(args: &ReplayArgs, file: &Path, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let set = Arc::new(CaptureSet::new(
        captures(args)?,
        PoolConfig::default().headroom,
    ));
    check_not_empty(args, set.len() as u64)?;
    check_pace(args, &set)?;
    check_free("--pcap-out", file, &taken(args)?)?;
    let (pace, ..) = pace(args.speed, &set);
    let window = window(args, pace, &set);
    let frames = &mut CaptureFrames::new(Arc::clone(&set));
    let instead = ("--speed max", "--speed 1");
    pcap_out::write(file, frames, window, instead, interrupt)
}

/// The captures.
pub(super) fn captures(args: &ReplayArgs) -> Result<Vec<Capture>, Failure> {
    let files = args.files.iter();
    let open = |file| Capture::open(file).map_err(|error| Usage::new(error.to_string()).into());
    files.map(open).collect()
}

/// There is something to send.
pub(super) fn check_not_empty(args: &ReplayArgs, packets: u64) -> Result<(), Usage> {
    if packets > 0 {
        return Ok(());
    }
    let files: Vec<_> = args
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    Err(Usage::new(format!("no packets in {}", files.join(", "))))
}

/// Packets that go round and round at a pace of their own have one.
pub(super) fn check_pace(args: &ReplayArgs, set: &CaptureSet) -> Result<(), Usage> {
    let is_paced = args.duration.is_some() && args.speed != Speed::Max;
    let (_, period) = set.times();
    if !is_paced || period > 0 || set.is_empty() {
        return Ok(());
    }
    Err(Usage::value(
        "--duration",
        "all packets of the capture have one time, so that it has no pace to go on at",
        "--speed max",
    ))
}

/// Their files, so that none is written over.
pub(super) fn taken(args: &ReplayArgs) -> Result<Vec<Taken<'_>>, Usage> {
    let taken = args.files.iter().map(|file| Taken {
        file,
        holds: "a capture that is replayed".to_owned(),
    });
    FramesKept::beside(taken.collect(), &args.keep)
}

/// Says so if the replay takes so long that it may not be what was wanted.
pub(super) fn say_if_long(expected: Option<Duration>) {
    if let Some(long) = expected.filter(|expected| *expected >= LONG) {
        let days = long.as_secs_f64() / 86_400.0;
        say(&format!(
            "corelane: at this speed the replay takes {days:.1} days; --speed max does not wait"
        ));
    }
}

/// When frames are due, what a full ring means, and the mean rate of the plan if there is one.
pub(super) fn pace(speed: Speed, set: &CaptureSet) -> (Pace, WhenFull, Option<f64>) {
    let Speed::Times(times) = speed else {
        return (Pace::Max, WhenFull::Wait, None);
    };
    let (due, period) = set.times();
    let scale = |ns: u64| (ns as f64 / times) as u64;
    let pps = set.len() as f64 / (scale(period).max(1) as f64 / 1e9);
    let schedule = Schedule::recorded(due.into_iter().map(scale), scale(period));
    (Pace::Planned(schedule.into()), WhenFull::Drop, Some(pps))
}

/// What is sent: all of it so often, or over and over for so long.
pub(super) fn window(args: &ReplayArgs, pace: Pace, set: &CaptureSet) -> Window {
    // Of nothing that fits, nothing is sent for any time.
    let duration = args.duration.filter(|_| !set.is_empty());
    Window {
        pace,
        frames: match duration {
            Some(_) => None,
            None => Some(set.len() as u64 * u64::from(args.repeat)),
        },
        duration,
        room: None,
    }
}

/// How often all of it was to be sent, the last time in part.
fn rounds(args: &ReplayArgs, set: &CaptureSet, intended: u64) -> u64 {
    match args.duration.filter(|_| !set.is_empty()) {
        Some(_) => intended / set.len() as u64,
        None => args.repeat.into(),
    }
}

/// How long the replay takes at the pace asked for.
pub(super) fn expected(args: &ReplayArgs, set: &CaptureSet) -> Option<Duration> {
    if args.duration.is_some() {
        return args.duration;
    }
    let Speed::Times(times) = args.speed else {
        return None;
    };
    let (_, period) = set.times();
    Duration::try_from_secs_f64(period as f64 / 1e9 / times * f64::from(args.repeat)).ok()
}

/// Adds the destinations of the captures; those that no host can have are left out. How many.
fn own(nic: &Nic, set: &CaptureSet) -> u64 {
    let destinations = set.destinations();
    let added = nic.transaction(|tx| {
        let added = destinations
            .into_iter()
            .filter(|&address| tx.add_address(address).is_ok());
        added.count() as u64
    });
    // Nobody removes the NIC meanwhile.
    added.unwrap_or(0)
}

/// What the captures held.
pub(super) fn shares(set: &CaptureSet) -> Vec<CaptureShare> {
    set.captures().iter().map(capture_share).collect()
}

fn capture_share(capture: &Capture) -> CaptureShare {
    let counts = capture.counts();
    CaptureShare {
        file: capture.name().to_owned(),
        packets: counts.packets,
        skipped: counts.skipped(),
        snap_truncated: counts.snap_truncated,
        broken: match capture.end() {
            PcapEnd::Complete => None,
            PcapEnd::Truncated {
                after_packets,
                at_byte,
                why,
            } => Some(format!(
                "after packet {after_packets}, at byte {at_byte}: {why}"
            )),
        },
    }
}

pub(super) fn warnings(set: &CaptureSet) -> Vec<String> {
    let mut warnings = Vec::new();
    for capture in shares(set) {
        if let Some(why) = capture.broken {
            warnings.push(format!(
                "{}: the rest could not be used, {why}",
                capture.file
            ));
        }
        if capture.skipped > 0 {
            let n = capture.skipped;
            warnings.push(format!(
                "{}: no frame could be made of {n} packets",
                capture.file
            ));
        }
    }
    warnings
}

pub(super) fn flags(args: &ReplayArgs, setting: &Setting) -> BTreeMap<&'static str, Value> {
    let mut flags = setting.flags();
    let files: Vec<_> = args
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    flags.extend([
        ("files", json!(files)),
        ("speed", json!(args.speed.to_string())),
        (
            "repeat",
            json!(args.duration.is_none().then_some(args.repeat)),
        ),
        (
            "duration_s",
            json!(args.duration.map(|it| it.as_secs_f64())),
        ),
        ("forward", json!(args.forward)),
        ("churn", json!(args.churn)),
        ("capture", json!(args.keep.capture)),
        ("own", json!(args.own)),
    ]);
    flags
}

fn lines(args: &ReplayArgs, setting: &Setting, set: &CaptureSet, setup: &Setup) -> Vec<String> {
    let population = if args.forward {
        "a default route of each family".to_owned()
    } else {
        format!("{} endpoints", setup.endpoints)
    };
    vec![
        format!(
            "{}, {population}{}{}",
            setting.describe(),
            if args.own {
                " of the capture's destinations"
            } else {
                ""
            },
            if args.engine.promiscuous {
                ", promiscuous"
            } else {
                ""
            },
        ),
        load_line(args, set),
    ]
}

/// What is sent, and how often.
pub(super) fn load_line(args: &ReplayArgs, set: &CaptureSet) -> String {
    let of = match set.captures() {
        [capture] => capture.name().to_owned(),
        captures => format!("{} files", captures.len()),
    };
    format!(
        "{} packets of {:.0} bytes in the mean, of {of}, {} at speed {}",
        set.len(),
        set.mean_len(),
        match (args.duration, args.repeat) {
            (Some(duration), _) => format!("for {:.2} s", duration.as_secs_f64()),
            (None, 1) => "once".to_owned(),
            (None, repeat) => format!("{repeat} times"),
        },
        args.speed,
    )
}
