//! The table and the JSON.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use super::suite::{Bound, Case, Measured, Report, Value};

/// The head of the report: conditions.
pub(super) fn begin(report: &Report) {
    println!("{}: {}", report.bench, report.machine);
    if report.quick {
        println!("quick: tiny sizes, the figures mean nothing");
    }
}

/// That a group is being made.
pub(super) fn setting_up(group: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{group}: setting up");
    }
}

/// How far a group is.
pub(super) fn progress(group: &str, round: usize, rounds: usize) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{group}: {round}/{rounds}");
    }
}

fn clear() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// A group in a test: what ran.
pub(super) fn did_work(group: &Measured) {
    clear();
    for case in &group.cases {
        println!("{} ... {} operations", case.name, case.operations);
    }
}

/// The table of a group.
pub(super) fn group(group: &Measured) {
    clear();
    let Some(first) = group.cases.first() else {
        return;
    };
    let width = group
        .cases
        .iter()
        .map(|case| case.name.len())
        .max()
        .unwrap_or(0)
        .max(24);
    let rounds = first.samples.len();
    println!(
        "\n{:<width$} {:>9} {:>9} {:>9} {:>9} {:>8} {:>17}",
        format!("{} ({rounds} rounds)", group.name),
        "ns",
        "min",
        "max",
        "M/s",
        "ratio",
        "min..max"
    );
    for case in &group.cases {
        line(case, width);
        if group.distances.len() == rounds && case.by_distance.len() > 1 {
            for (class, (n, ns, ratio)) in &case.by_distance {
                let class = format!("{class:?}").to_lowercase();
                println!(
                    "{:>width$} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>8.2} {:>8.2}..{:.2}",
                    format!("{class}, {n} rounds"),
                    ns.median,
                    ns.min,
                    ns.max,
                    1e3 / ns.median,
                    ratio.median,
                    ratio.min,
                    ratio.max
                );
            }
        }
    }
    if group.disturbed > 0 {
        let samples = rounds * group.cases.len();
        let n = group.disturbed;
        println!("DISTURBED: in {n} of {samples} samples threads had to wait for their cores");
    }
    if group.two_cores
        && let Some(case) = group.cases.first()
        && case.by_distance.len() == 1
        && let Some((class, _)) = case.by_distance.first_key_value()
    {
        println!(
            "{:>width$}",
            format!("cores: {}", format!("{class:?}").to_lowercase())
        );
    }
}

fn line(case: &Case, width: usize) {
    let (Some(ns), Some(ratio)) = (case.ns_per_op, case.ratio) else {
        return;
    };
    println!(
        "{:<width$} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>8.2} {:>8.2}..{:.2}",
        case.name,
        ns.median,
        ns.min,
        ns.max,
        1e3 / ns.median,
        ratio.median,
        ratio.min,
        ratio.max
    );
}

/// A value on its own.
pub(super) fn value(value: &Value) {
    clear();
    println!("{:<40} {:>12.3} {}", value.name, value.value, value.unit);
}

/// The figures to reach, at the end.
pub(super) fn end(report: &Report) {
    if !report.figures.is_empty() {
        println!("\nfigures to reach");
    }
    for figure in &report.figures {
        let clauses: Vec<String> = figure
            .clauses
            .iter()
            .map(|clause| {
                let (word, limit) = match clause.bound {
                    Bound::AtMost(limit) => ("at most", limit),
                    Bound::AtLeast(limit) => ("at least", limit),
                };
                format!("{:.2} {} ({word} {limit})", clause.value, clause.unit)
            })
            .collect();
        let verdict = if figure.met { "met    " } else { "NOT MET" };
        println!("{verdict} {}: {}", figure.what, clauses.join(", or "));
    }
    if let (Some(before), Some(after)) = (report.machine.load_before, report.load_after) {
        println!("\nload of the machine: {before:.2} before, {after:.2} after");
    }
}

/// Writes everything.
pub(super) fn write_json(report: &Report, path: &Path) -> io::Result<()> {
    if path == Path::new("-") {
        return write_to(report, io::stdout().lock());
    }
    write_to(report, BufWriter::new(File::create(path)?))
}

fn write_to(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)?;
    out.flush()
}
