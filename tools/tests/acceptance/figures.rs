//! Rates and times of the engine beside those of the kernel, in one run, in turns.
//!
//! What is compared is measured within the second, over and over, and the ratios of neighbors are what
//! counts: a machine that others use too is slower for both. So a figure fails only where its median is
//! far off; whether what was asked was met is told with it.

mod reader;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use core_affinity::CoreId;
use corelane::engine::allowed_cores;
use corelane::engine::link::Link;
use corelane::frame::Burst;
use corelane::io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane::io::af_xdp::{AfXdpConfig, AfXdpLink, XdpMode};
use corelane::io::tap::{TapConfig, TapLink};
use corelane_lab::ping::Pinger;
use corelane_lab::raw::Raw;

use crate::cases::overload::{blast, sink};
use crate::iperf;
use crate::link::Kind;
use crate::site::{Host, Router, namespace};
use crate::table::Table;
use crate::wire::{SOON, Wire};

/// Of the kernel's rate, the least that does not fail. What was asked is more, and whether it was met is told:
/// where others use the machine, the engine's thread waits for a core and the kernel, in the sender's, does not.
const LEAST_FORWARDED: f64 = 0.5;

/// The same of super-frames. The kernel passes them on by reference; a link has them copied in and out, on
/// cores that both ends of the connection want.
const LEAST_TCP: f64 = 0.25;

/// Of the time of a bare loop, the most that does not fail.
const MOST_TIMES_BARE: f64 = 2.0;

/// Takes them all.
pub(crate) fn take(kinds: &[Kind], table: &mut Table) {
    for (what, figure) in [
        (
            "router, 60-byte UDP",
            forwarding as fn(&[Kind], &mut Table) -> Result<()>,
        ),
        ("router, TCP", tcp),
        ("ping, round trip", round_trip),
        ("reader", reader::reader),
    ] {
        let begin = Instant::now();
        if let Err(error) = figure(kinds, table) {
            table.fail(what, format!("{error:#}"));
        }
        println!("figures {what} ({} ms)", begin.elapsed().as_millis());
    }
}

/// Frames of 60 bytes that are delivered by a router.
fn forwarding(kinds: &[Kind], table: &mut Table) -> Result<()> {
    let kernel = Router::by_kernel(&[])?;
    let engines = kinds.iter().map(|&kind| Router::start(kind));
    let engines = engines.collect::<Result<Vec<_>>>()?;
    let rates = in_turns(5, &kernel, engines, |router| {
        let _sink = sink(&router.right)?;
        let (client, far) = (router.client(), router.right.kernel_v4());
        client.succeed(&format!("ping -q -c 1 {far}"), SOON)?;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let blaster = scope.spawn(|| blast(client, &far, 1, &stop));
            let rate = rate_of(&router.right);
            stop.store(true, Ordering::Relaxed);
            blaster
                .join()
                .map_err(|_| anyhow!("the blaster panicked"))??;
            rate
        })
    })?;
    let what = "router, 60-byte UDP, frames delivered";
    table.figure(
        format!("{what}, kernel"),
        format!("{:.2} Mpps", median(&rates.reference) / 1e6),
    );
    for (kind, rates_of) in kinds.iter().zip(&rates.others) {
        let asked = match kind {
            Kind::Tap => None,
            Kind::Packet => Some(1.0),
            Kind::XdpNative | Kind::XdpGeneric => Some(1.5),
        };
        let what = format!("{what}, {}", kind.label());
        let unit = format!("{:.2} Mpps", median(rates_of) / 1e6);
        ratio(
            table,
            &what,
            &unit,
            &ratios(rates_of, &rates.reference),
            (asked, LEAST_FORWARDED),
        );
    }
    Ok(())
}

/// Packets per second that a kernel's device receives.
fn rate_of(wire: &Wire) -> Result<f64> {
    thread::sleep(Duration::from_millis(150));
    let (before, begin) = (wire.counts()?.received, Instant::now());
    thread::sleep(Duration::from_millis(500));
    let (after, took) = (wire.counts()?.received, begin.elapsed());
    Ok((after - before) as f64 / took.as_secs_f64())
}

/// TCP through a router: beside the kernel's, whose ends have the same offloads.
fn tcp(kinds: &[Kind], table: &mut Table) -> Result<()> {
    for &kind in kinds {
        let kernel = Router::by_kernel(kind.offloads_off())?;
        let rates = in_turns(3, &kernel, vec![Router::start(kind)?], |router| {
            let _server = iperf::Server::start(router.server())?;
            let far = router.right.kernel_v4();
            let measured = iperf::run(
                router.client(),
                &format!("-c {far}"),
                Duration::from_secs(1),
            );
            Ok(measured?.gigabits)
        })?;
        let off = match kind.offloads_off() {
            [] => String::new(),
            off => format!(", {} off at the ends", off.join(" and ")),
        };
        let [of_engine] = &rates.others[..] else {
            bail!("{} routers were measured", rates.others.len());
        };
        let unit = format!(
            "{:.1} Gb/s, kernel {:.1}",
            median(of_engine),
            median(&rates.reference)
        );
        let what = format!("router, TCP, {}{off}", kind.label());
        // It is asked of links that carry super-frames.
        let asked = kind.offloads_off().is_empty().then_some(1.0);
        ratio(
            table,
            &what,
            &unit,
            &ratios(of_engine, &rates.reference),
            (asked, LEAST_TCP),
        );
    }
    Ok(())
}

/// What was measured, by round.
struct Turns {
    reference: Vec<f64>,
    others: Vec<Vec<f64>>,
}

/// Measures the reference and then each other, in so many rounds; all have to have kept their books.
fn in_turns(
    rounds: usize,
    reference: &Router,
    others: Vec<Router>,
    mut measure: impl FnMut(&Router) -> Result<f64>,
) -> Result<Turns> {
    let mut turns = Turns {
        reference: Vec::new(),
        others: vec![Vec::new(); others.len()],
    };
    for _ in 0..rounds {
        turns.reference.push(measure(reference)?);
        for (router, rates) in others.iter().zip(&mut turns.others) {
            rates.push(measure(router)?);
        }
    }
    others.into_iter().try_for_each(Router::end)?;
    Ok(turns)
}

/// The round trip of a ping to the engine, polling and sleeping, beside that to a bare loop that echoes.
fn round_trip(kinds: &[Kind], table: &mut Table) -> Result<()> {
    for &kind in kinds {
        let (mut polling, mut sleeping, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..5 {
            bare.push(bare_echo(kind)?);
            for (idle, times) in [("poll", &mut polling), ("interrupt", &mut sleeping)] {
                let top = "workers = 1\ndad_transmits = 0\n";
                let host = Host::start_with(kind, top, &["--idle", idle])?;
                times.push(median_ping(&host.wire)?);
                host.end()?;
            }
        }
        let [of_polling, of_sleeping, of_bare] = [&polling, &sleeping, &bare].map(|it| median(it));
        let more = of_polling - of_bare;
        let met = met(more <= 2.0);
        let is = format!(
            "{of_polling:.1} µs polling, {of_bare:.1} a bare loop: {more:+.1} (asked: +2, {met}); \
             {of_sleeping:.1} by interrupt"
        );
        let what = format!("ping, round trip, {}", kind.label());
        let times_bare = median(&ratios(&polling, &bare));
        let is = format!("{is}; {times_bare:.1} times the bare loop");
        add(table, &what, is, times_bare <= MOST_TIMES_BARE);
    }
    Ok(())
}

/// The cores of who answers and of who asks: the first is where the engine's only worker is. None on a
/// machine of one core.
fn cores() -> Option<[CoreId; 2]> {
    let allowed = allowed_cores();
    let cores = allowed.first().zip(allowed.get(1));
    cores.map(|(&answers, &asks)| [answers, asks].map(|id| CoreId { id }))
}

/// Keeps this thread to a core. Where the kernel has it depends on who woke it, and a ping with it.
fn keep_to(core: CoreId) -> Result<()> {
    ensure!(
        core_affinity::set_for_current(core),
        "cannot keep to core {}",
        core.id
    );
    Ok(())
}

/// The median of many pings, in microseconds. They look for the answer on a core of their own, if there are two.
fn median_ping(wire: &Wire) -> Result<f64> {
    let to: IpAddr = wire.engine_v4().parse()?;
    wire.kernel.enter(|| {
        let mut pinger = Pinger::new(to)?;
        if let Some([_, core]) = cores() {
            keep_to(core)?;
            pinger.spin()?;
        }
        let mut times = Vec::new();
        for _ in 0..800 {
            times.push(pinger.ping(56)?.as_secs_f64() * 1e6);
        }
        Ok(median(&times))
    })?
}

/// The same to a loop that has nothing but the link.
fn bare_echo(kind: Kind) -> Result<f64> {
    let (kernel, engine) = (namespace("kernel")?, namespace("bare")?);
    let wire = Wire::new(Some(kind), &kernel, &engine, 1)?;
    let device = wire.engine_device.clone();
    let mut link = engine.enter(move || link(kind, device))??;
    let mut raw = Raw::of(&mut *link, 1920)?;
    wire.up()?;
    let (address, mac) = (wire.engine_v4(), wire.engine_mac());
    kernel.ip(&format!(
        "neigh replace {address} lladdr {mac} dev {}",
        wire.device
    ))?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let echo = scope.spawn(|| echo(&mut raw, &stop));
        let time = median_ping(&wire);
        stop.store(true, Ordering::Relaxed);
        echo.join().map_err(|_| anyhow!("the echo panicked"))??;
        time
    })
}

/// A link of this kind on a device of this thread's namespace.
fn link(kind: Kind, name: String) -> Result<Box<dyn Link>> {
    let link: Box<dyn Link> = match kind {
        Kind::Tap => Box::new(TapLink::new(TapConfig {
            name,
            queues: 1,
            super_frames: false,
        })?),
        Kind::Packet => Box::new(AfPacketLink::new(AfPacketConfig {
            name,
            queues: 1,
            ..AfPacketConfig::default()
        })?),
        Kind::XdpNative | Kind::XdpGeneric => Box::new(AfXdpLink::new(AfXdpConfig {
            name,
            queues: 1,
            mode: if kind == Kind::XdpNative {
                XdpMode::Native
            } else {
                XdpMode::Generic
            },
            ..AfXdpConfig::default()
        })?),
    };
    Ok(link)
}

/// Turns IPv4 echo requests round in place, until it is told to stop.
fn echo(raw: &mut Raw, stop: &AtomicBool) -> Result<()> {
    if let Some([core, _]) = cores() {
        keep_to(core)?;
    }
    let Raw { cache, queues } = raw;
    let (rx, tx) = queues
        .rx
        .first_mut()
        .zip(queues.tx.first_mut())
        .context("no queues")?;
    let mut burst = Burst::new();
    let mut answers = Burst::new();
    while !stop.load(Ordering::Relaxed) {
        rx.rx_burst(cache, &mut burst)?;
        for mut frame in burst.drain(..) {
            if turn_round(frame.data_mut()).is_some() {
                answers.push(frame);
            } else {
                cache.recycle(frame);
            }
        }
        if !answers.is_empty() {
            tx.tx_burst(cache, &mut answers)?;
            cache.recycle_burst(&mut answers);
        }
    }
    Ok(())
}

/// An answer of an IPv4 echo request without options; None if it is none.
fn turn_round(frame: &mut [u8]) -> Option<()> {
    if frame.get(12..15)? != [8, 0, 0x45] || frame.get(23) != Some(&1) || frame.get(34) != Some(&8)
    {
        return None;
    }
    let (there, back) = frame.get_mut(..12)?.split_at_mut(6);
    there.swap_with_slice(back);
    let (source, destination) = frame.get_mut(26..34)?.split_at_mut(4);
    source.swap_with_slice(destination);
    frame[34] = 0;
    // RFC 1624: the type was 8 in the higher byte of the first word.
    let sum = u16::from_be_bytes([*frame.get(36)?, *frame.get(37)?]);
    let (sum, carry) = sum.overflowing_add(0x0800);
    let sum = sum + u16::from(carry);
    frame.get_mut(36..38)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// Adds a ratio to the kernel's, by round, with what was asked; fails under the least.
fn ratio(
    table: &mut Table,
    what: &str,
    unit: &str,
    ratios: &[f64],
    (asked, least): (Option<f64>, f64),
) {
    let middle = median(ratios);
    let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = ratios.iter().copied().fold(0.0, f64::max);
    let mut is = format!("{unit}: {middle:.2} times the kernel's ({lowest:.2} to {highest:.2})");
    if let Some(asked) = asked {
        let met = met(middle >= asked);
        is += &format!("; asked: {asked:.1}, {met}");
    }
    add(table, what, is, middle >= least);
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
