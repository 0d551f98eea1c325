//! Rates and times of the engine beside those of the kernel, in one run, in turns.
//!
//! What is compared is measured within the second, over and over, and the ratios of neighbors are what
//! counts: a machine that others use too is slower for both. So a figure fails only where its median is
//! far off; whether what was asked was met is told with it.

mod host;
mod ping;
mod reader;
mod router;

use std::time::Instant;

use anyhow::{Result, ensure};
use core_affinity::CoreId;
use corelane::engine::allowed_cores;
use corelane_lab::harness;

use crate::link::Kind;
use crate::table::Table;

/// Of the time of a bare loop, the most that does not fail.
const MOST_TIMES_BARE: f64 = 2.0;

/// Takes them all, or those that are asked for: `figures`, or one by a part of its name, as `figures::reader`.
pub(crate) fn take(kinds: &[Kind], arguments: &[String], table: &mut Table) {
    let all = harness::is_wanted("figures", arguments);
    let asked = |what: &str| {
        let mut parts = arguments
            .iter()
            .filter_map(|it| it.strip_prefix("figures::"));
        parts.any(|part| what.contains(part))
    };
    for (what, figure) in [
        (
            "router, 60-byte UDP",
            router::forwarding as fn(&[Kind], &mut Table) -> Result<()>,
        ),
        ("router, TCP", router::tcp),
        ("host, TCP", host::tcp),
        ("ping, round trip", ping::round_trip),
        ("reader", reader::reader),
    ] {
        if !all && !asked(what) {
            continue;
        }
        let begin = Instant::now();
        if let Err(error) = figure(kinds, table) {
            table.fail(what, format!("{error:#}"));
        }
        println!("figures {what} ({} ms)", begin.elapsed().as_millis());
    }
}

/// The cores of who answers and of who asks: the first is where the engine's only worker is. None on a
/// machine of one core.
pub(crate) fn cores() -> Option<[CoreId; 2]> {
    let allowed = allowed_cores();
    let cores = allowed.first().zip(allowed.get(1));
    cores.map(|(&answers, &asks)| [answers, asks].map(|id| CoreId { id }))
}

/// Keeps this thread to a core. Where the kernel has it depends on who woke it, and a ping with it.
pub(crate) fn keep_to(core: CoreId) -> Result<()> {
    ensure!(
        core_affinity::set_for_current(core),
        "cannot keep to core {}",
        core.id
    );
    Ok(())
}

/// Whether what was asked is so.
fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "not met" }
}

/// Adds a figure, or that it is too bad to be one.
fn add(table: &mut Table, what: &str, is: String, is_well: bool) {
    if is_well {
        table.figure(what, is);
    } else {
        table.fail(what, is);
    }
}

/// By round.
fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
