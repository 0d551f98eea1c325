//! What a router passes on: the engine, beside the kernel and beside a loop that has nothing but the links.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::{add, cores, keep_to, median, met, ratios};
use crate::cases::overload::{blast, sink};
use crate::iperf;
use crate::link::Kind;
use crate::site::Router;
use crate::table::Table;
use crate::wire::{SOON, Wire};

/// Of the kernel's rate, the least that does not fail. What was asked is more, and whether it was met is told:
/// where others use the machine, the engine's thread waits for a core and the kernel, in the sender's, does not.
const LEAST_FORWARDED: f64 = 0.5;

/// The same of super-frames. The kernel passes them on by reference; a link has them copied in and out, on
/// cores that both ends of the connection want.
const LEAST_TCP: f64 = 0.25;

/// Of the rate of a bare loop over the same links, the least that does not fail.
const LEAST_OF_BARE: f64 = 0.5;

/// Frames of 60 bytes that are delivered by a router. The sender has a core of its own: on it runs all of the
/// kernel's forwarding, and of a link's what the kernel does until the frame is in its ring.
pub(super) fn forwarding(kinds: &[Kind], table: &mut Table) -> Result<()> {
    let kernel = Router::by_kernel(&[])?;
    let pairs = kinds.iter().map(|&kind| {
        let asked = match kind {
            Kind::Tap => None,
            Kind::Packet => Some(1.0),
            Kind::XdpNative | Kind::XdpGeneric => Some(1.5),
        };
        Pair::start(kind, asked)
    });
    let pairs = pairs.collect::<Result<Vec<_>>>()?;
    let (reference, lines) = in_turns(11, &kernel, pairs, |router| {
        let _sink = sink(&router.right)?;
        let (client, far) = (router.client(), router.right.kernel_v4());
        client.succeed(&format!("ping -q -c 1 {far}"), SOON)?;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let blaster = scope.spawn(|| {
                if let Some([_, sender]) = cores() {
                    keep_to(sender)?;
                }
                blast(client, &far, 1, &stop)
            });
            let rate = rate_of(&router.right);
            stop.store(true, Ordering::Relaxed);
            blaster
                .join()
                .map_err(|_| anyhow!("the blaster panicked"))??;
            rate
        })
    })?;
    let what = "router, 60-byte UDP, frames delivered";
    let unit = |rates: &[f64]| format!("{:.2} Mpps", median(rates) / 1e6);
    table.figure(format!("{what}, kernel"), unit(&reference));
    for line in &lines {
        let what = format!("{what}, {}", line.kind.label());
        line.tell(
            table,
            &what,
            &unit(&line.engine),
            &reference,
            LEAST_FORWARDED,
        );
    }
    Ok(())
}

/// Packets per second that a kernel's device receives.
fn rate_of(wire: &Wire) -> Result<f64> {
    thread::sleep(Duration::from_millis(60));
    let (before, begin) = (wire.counts()?.received, Instant::now());
    thread::sleep(Duration::from_millis(200));
    let (after, took) = (wire.counts()?.received, begin.elapsed());
    Ok((after - before) as f64 / took.as_secs_f64())
}

/// TCP through a router: beside the kernel's, whose ends have the same offloads.
pub(super) fn tcp(kinds: &[Kind], table: &mut Table) -> Result<()> {
    for &kind in kinds {
        let kernel = Router::by_kernel(kind.offloads_off())?;
        // It is asked of links that carry super-frames.
        let asked = kind.offloads_off().is_empty().then_some(1.0);
        let pair = Pair::start(kind, asked)?;
        let (reference, lines) = in_turns(3, &kernel, vec![pair], |router| {
            let _server = iperf::Server::start(router.server())?;
            let far = router.right.kernel_v4();
            let second = Duration::from_secs(1);
            let measured = iperf::run(router.client(), &format!("-c {far}"), second);
            Ok(measured?.gigabits)
        })?;
        let off = match kind.offloads_off() {
            [] => String::new(),
            off => format!(", {} off at the ends", off.join(" and ")),
        };
        let what = format!("router, TCP, {}{off}", kind.label());
        for line in &lines {
            let unit = format!(
                "{:.1} Gb/s, kernel {:.1}",
                median(&line.engine),
                median(&reference)
            );
            line.tell(table, &what, &unit, &reference, LEAST_TCP);
        }
    }
    Ok(())
}

/// The engine as the router on a kind of link, and a bare loop on the same where something is asked of it.
struct Pair {
    kind: Kind,
    asked: Option<f64>,
    engine: Router,
    bare: Option<Router>,
}

impl Pair {
    fn start(kind: Kind, asked: Option<f64>) -> Result<Self> {
        Ok(Self {
            kind,
            asked,
            engine: Router::start(kind)?,
            bare: asked.map(|_| Router::bare(kind)).transpose()?,
        })
    }
}

/// What was measured of a pair, by round.
struct Line {
    kind: Kind,
    asked: Option<f64>,
    engine: Vec<f64>,
    bare: Vec<f64>,
}

/// Measures the kernel and then each pair, in so many rounds; all have to have kept their books.
fn in_turns(
    rounds: usize,
    kernel: &Router,
    pairs: Vec<Pair>,
    mut measure: impl FnMut(&Router) -> Result<f64>,
) -> Result<(Vec<f64>, Vec<Line>)> {
    let mut reference = Vec::new();
    let line = |pair: &Pair| Line {
        kind: pair.kind,
        asked: pair.asked,
        engine: Vec::new(),
        bare: Vec::new(),
    };
    let mut lines: Vec<_> = pairs.iter().map(line).collect();
    for _ in 0..rounds {
        reference.push(measure(kernel)?);
        for (pair, line) in pairs.iter().zip(&mut lines) {
            line.engine.push(measure(&pair.engine)?);
            if let Some(bare) = &pair.bare {
                line.bare.push(measure(bare)?);
            }
        }
    }
    for Pair { engine, bare, .. } in pairs {
        engine.end()?;
        bare.map_or(Ok(()), Router::end)?;
    }
    Ok((reference, lines))
}

impl Line {
    /// Adds the ratio to the kernel's, by round, with what was asked and how much of a bare loop's it is; fails
    /// where it is far off.
    fn tell(&self, table: &mut Table, what: &str, unit: &str, kernel: &[f64], least: f64) {
        let to_kernel = ratios(&self.engine, kernel);
        let middle = median(&to_kernel);
        let lowest = to_kernel.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = to_kernel.iter().copied().fold(0.0, f64::max);
        let mut is =
            format!("{unit}: {middle:.2} times the kernel's ({lowest:.2} to {highest:.2})");
        if let Some(asked) = self.asked {
            is += &format!("; asked: {asked:.1}, {}", met(middle >= asked));
        }
        let mut is_well = middle >= least;
        if !self.bare.is_empty() {
            let of_bare = median(&ratios(&self.engine, &self.bare));
            let bare = median(&ratios(&self.bare, kernel));
            is +=
                &format!("; {of_bare:.2} times a bare loop over the same link, which is {bare:.2}");
            is_well &= of_bare >= LEAST_OF_BARE;
        }
        add(table, what, is, is_well);
    }
}
