//! What a ping takes, beside one to a loop that has nothing but the link.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use corelane::frame::Burst;
use corelane_lab::ping::Pinger;
use corelane_lab::raw::Raw;

use super::{MOST_TIMES_BARE, add, cores, keep_to, median, met, ratios};
use crate::link::Kind;
use crate::site::{Host, namespace};
use crate::table::Table;
use crate::wire::Wire;

/// The round trip of a ping to the engine, polling and sleeping, beside that to a bare loop that echoes.
pub(super) fn round_trip(kinds: &[Kind], table: &mut Table) -> Result<()> {
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
    let mut link = engine.enter(move || kind.link(device))??;
    let mut raw = Raw::of(&mut *link, 1920)?;
    wire.up()?;
    wire.introduce()?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let echo = scope.spawn(|| echo(&mut raw, &stop));
        let time = median_ping(&wire);
        stop.store(true, Ordering::Relaxed);
        echo.join().map_err(|_| anyhow!("the echo panicked"))??;
        time
    })
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
