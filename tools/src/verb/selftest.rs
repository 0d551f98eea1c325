//! `selftest`: what the tester can do.

use std::fmt::Write;
use std::time::Duration;

use corelane::engine::WhenFull;
use serde::Serialize;

use crate::cli::{self, Asked, SelfTestArgs};
use crate::exit::Exit;
use crate::generator::{Pace, Schedule, Sequence, Traffic};
use crate::interrupt::Interrupt;
use crate::machine::{Machine, Versions};
use crate::progress::Progress;
use crate::report::SCHEMA;
use crate::run::{Bed, Failure, Layout, Output, Trial};
use crate::selftest::{
    Ceiling, ClockCheck, RssCheck, ceiling, ceiling_with_sink, check_clock, check_rss,
};
use crate::unit::{Arrival, Check, Family, FrameSize};

/// Reads of the clock.
const READS: u32 = 10_000_000;

/// Frames of the run whose books are checked.
const BOOKS: Duration = Duration::from_millis(200);

/// The result; `corelane_tools::selftest` has its fields.
#[derive(Debug, Serialize)]
struct SelfTest {
    schema: u32,
    verb: &'static str,
    versions: Versions,
    machine: Machine,
    clock: ClockCheck,
    rss: RssCheck,
    ceilings: Vec<CeilingShare>,
    /// None if somebody interrupted before.
    ledger: Option<LedgerCheck>,
    interrupted: bool,
    passed: bool,
}

#[derive(Debug, Serialize)]
struct CeilingShare {
    frames: String,
    pace: &'static str,
    sink: &'static str,
    #[serde(flatten)]
    ceiling: Ceiling,
}

/// A run whose books balance, and the same with one count changed, which have to be found out.
#[derive(Debug, Serialize)]
struct LedgerCheck {
    frames: u64,
    balances: bool,
    spoiled: u32,
    found: u32,
}

pub(super) fn selftest(args: &SelfTestArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let output = Output::new(args.json.as_deref(), &[])?;
    let clock = check_clock(READS);
    let rss = check_rss();
    let ceilings = ceilings(args.duration, interrupt)?;
    let ledger = if interrupt.is_raised() {
        None
    } else {
        Some(ledger(interrupt)?)
    };
    let interrupted = interrupt.is_raised();
    let is_clock = clock.monotonic;
    let holds = |ledger: &LedgerCheck| ledger.balances && ledger.spoiled == ledger.found;
    let is_ledger = ledger.as_ref().is_none_or(holds);
    let is_rss = rss.wrong == 0;
    let test = SelfTest {
        schema: SCHEMA,
        verb: "selftest",
        versions: Versions::here(),
        machine: Machine::here(),
        clock,
        rss,
        ceilings,
        ledger,
        interrupted,
        passed: is_clock && is_ledger && is_rss && !interrupted,
    };
    let json = serde_json::to_string_pretty(&test)
        .map_err(|error| Failure::Run(format!("no JSON: {error}")))?;
    output.write(&text(&test), &json)?;
    Ok(match (is_ledger, is_clock, is_rss) {
        (false, ..) => Exit::Accounting,
        _ if interrupted => Exit::Interrupted,
        (_, false, _) => Exit::Invalid,
        (.., false) => Exit::Failed,
        _ => Exit::Done,
    })
}

/// Those that were tried to their end before somebody interrupted.
fn ceilings(duration: Duration, interrupt: &Interrupt) -> Result<Vec<CeilingShare>, Failure> {
    let size = |size: u16| FrameSize::Fixed(size);
    let imix = "imix".parse().unwrap_or(FrameSize::Fixed(64));
    let mut all = Vec::new();
    for (family, frame_size) in [
        (Family::V4, size(64)),
        (Family::Mixed, size(64)),
        (Family::Mixed, size(512)),
        (Family::Mixed, imix),
        (Family::Mixed, size(1518)),
    ] {
        let frames = Sequence::draw(&Traffic {
            family,
            frame_size,
            ..Traffic::new(1000)
        });
        // A plan that nobody can keep up with shows what planning costs.
        let planned = Pace::Planned(Schedule::new(Arrival::Cbr, 1e9, 1).into());
        for (pace_name, pace) in [("max", Pace::Max), ("cbr", planned)] {
            let mut push = |sink, ceiling| {
                if !interrupt.is_raised() {
                    all.push(CeilingShare {
                        frames: format!("{family} {frame_size}"),
                        pace: pace_name,
                        sink,
                        ceiling,
                    });
                }
            };
            let (source, alone) = (frames.clone(), pace.clone());
            push("none", ceiling(source, alone, duration, interrupt)?);
            if frame_size == size(64) {
                for (sink, check, latency) in [
                    ("counts", Check::Off, false),
                    ("order", Check::Order, false),
                    ("order and latency", Check::Order, true),
                    ("full", Check::Full, false),
                ] {
                    let (frames, pace) = (frames.clone(), pace.clone());
                    push(
                        sink,
                        ceiling_with_sink(frames, pace, duration, check, latency, interrupt)?,
                    );
                }
            }
        }
    }
    Ok(all)
}

fn ledger(interrupt: &Interrupt) -> Result<LedgerCheck, Failure> {
    let Ok(Asked::Bench(args)) = cli::parse(["corelane", "bench"]) else {
        return Err(Failure::Run("the defaults of bench are refused".to_owned()));
    };
    let layout = Layout::new(&args.engine, &args.load, args.frame_size, None);
    let mut bed = Bed::start(&layout, WhenFull::Wait)?;
    let result = bed.trial(&Trial::new(None, BOOKS), &Progress::new(true), interrupt)?;
    bed.finish();
    let (mut spoiled, mut found) = (0, 0);
    let mut spoil = |change: &dyn Fn(&mut crate::run::Measured)| {
        let mut measured = result.measured.clone();
        change(&mut measured);
        spoiled += 1;
        found += u32::from(!measured.ledger(0).check().holds);
    };
    spoil(&|measured| measured.totals.emitted += 1);
    spoil(&|measured| measured.totals.intended += 1);
    spoil(&|measured| measured.after.in_flight += 1);
    spoil(&|measured| {
        if let Some(handled) = measured.handled.first_mut() {
            handled.packets += 1;
        }
    });
    spoil(&|measured| {
        if let Some(handled) = measured.handled.first_mut() {
            handled.order.duplicates += 1;
        }
    });
    spoil(&|measured| {
        if let Some(nic) = measured.after.nics.first_mut() {
            nic.totals.received += 1;
        }
    });
    Ok(LedgerCheck {
        frames: result.offered,
        balances: result.accounting.holds,
        spoiled,
        found,
    })
}

fn text(test: &SelfTest) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_text(&mut out, test);
    out
}

fn write_text(out: &mut String, test: &SelfTest) -> std::fmt::Result {
    let SelfTest {
        versions,
        machine,
        clock,
        rss,
        ledger,
        ..
    } = test;
    writeln!(
        out,
        "corelane selftest {} ({} build) on {}, {} cores, {} {}\n",
        versions.corelane, versions.profile, machine.cpu, machine.cores, machine.os, machine.kernel
    )?;
    let tsc = match clock.invariant_tsc {
        Some(true) => ", invariant time stamp counter",
        Some(false) => ", TIME STAMP COUNTER NOT INVARIANT",
        None => "",
    };
    writeln!(
        out,
        "clock      {:.1} ns a read, steps of {} ns, longest gap {} ns, {}; source {}{tsc}",
        clock.read_ns,
        clock.step_ns,
        clock.longest_gap_ns,
        if clock.monotonic {
            "never back"
        } else {
            "GOES BACK"
        },
        clock.source,
    )?;
    writeln!(
        out,
        "rss        {} of {} published hashes{}",
        rss.right,
        rss.right + rss.wrong,
        if rss.wrong > 0 { ": WRONG" } else { "" }
    )?;
    if let Some(ledger) = ledger {
        writeln!(
            out,
            "ledger     {} frames {}; {} of {} changed counts found",
            ledger.frames,
            if ledger.balances {
                "balance"
            } else {
                "DO NOT BALANCE"
            },
            ledger.found,
            ledger.spoiled,
        )?;
    }
    writeln!(
        out,
        "\n{:<12} {:<5} {:<18} {:>10} {:>9}",
        "frames", "pace", "sink", "Mpps", "ns/frame"
    )?;
    for CeilingShare {
        frames,
        pace,
        sink,
        ceiling,
    } in &test.ceilings
    {
        let mpps = ceiling.pps / 1e6;
        writeln!(
            out,
            "{frames:<12} {pace:<5} {sink:<18} {mpps:>10.2} {:>9.1}",
            ceiling.ns
        )?;
    }
    let end = match (test.passed, test.interrupted) {
        (true, _) => "passed",
        (false, true) => "INTERRUPTED before all was tried",
        (false, false) => "FAILED",
    };
    writeln!(out, "\n{end}")
}
