//! The generator into a sink, in one thread: what no device under test can be seen to exceed.

use std::time::Duration;

use corelane::engine::link::RxQueue;
use corelane::frame::{Burst, LINE, Pool, PoolConfig};
use serde::Serialize;

use crate::clock::Clock;
use crate::generator::{GeneratorLink, Pace, Source, Window};
use crate::interrupt::Interrupt;
use crate::run::Failure;
use crate::sink::{Arrived, Ends, Sinks};
use crate::unit::Check;

/// What the generator makes when nothing keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Frames per second, recycled as soon as they are made.
    pub pps: f64,
    /// Nanoseconds that a frame takes.
    pub ns: f64,
}

/// Tries a generator, until somebody interrupts: its frames are recycled by its own thread.
///
/// # Errors
/// There is no memory for its frames, or it does not run.
pub fn ceiling(
    source: impl Source,
    pace: Pace,
    duration: Duration,
    interrupt: &Interrupt,
) -> Result<Ceiling, Failure> {
    run(source, pace, duration, None, interrupt)
}

/// As [`ceiling`], with a sink that checks each frame, as handlers do.
///
/// # Errors
/// As `ceiling`.
pub fn ceiling_with_sink(
    source: impl Source,
    pace: Pace,
    duration: Duration,
    check: Check,
    latency: bool,
    interrupt: &Interrupt,
) -> Result<Ceiling, Failure> {
    run(source, pace, duration, Some((check, latency)), interrupt)
}

fn run(
    source: impl Source,
    pace: Pace,
    duration: Duration,
    sink: Option<(Check, bool)>,
    interrupt: &Interrupt,
) -> Result<Ceiling, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::Run(format!("the self-test: {error}"));
    let default = PoolConfig::default();
    let pool = PoolConfig {
        slot_size: (default.headroom + source.longest())
            .next_multiple_of(LINE)
            .max(default.slot_size),
        ..default
    };
    let pool = Pool::new(pool).map_err(|error| failed(&error))?;
    let mut cache = pool.cache();
    let clock = Clock::start();
    let (link, handle) = GeneratorLink::new(source, clock);
    let mut queue = link.into_queue();
    let mut recorder = sink.map(|(check, latency)| {
        let ends = Ends {
            clock,
            latency,
            check,
            streams: 0,
        };
        (Sinks::new(ends).maker().recorder(0), check)
    });
    handle.run(Window {
        pace,
        duration: Some(duration),
        ..Window::default()
    });
    let mut burst = Burst::new();
    loop {
        queue
            .rx_burst(&mut cache, &mut burst)
            .map_err(|error| failed(&error))?;
        if let Some((recorder, check)) = &mut recorder {
            let mut frames = burst.iter();
            recorder.record(|| frames.next().map(|frame| Arrived::frame(frame, *check)));
        }
        cache.recycle_burst(&mut burst);
        if interrupt.is_raised() {
            handle.stop();
        }
        if let Some(totals) = handle.ended() {
            let seconds = totals.elapsed_ns as f64 / 1e9;
            let emitted = totals.emitted.max(1) as f64;
            return Ok(Ceiling {
                pps: emitted / seconds.max(f64::MIN_POSITIVE),
                ns: seconds * 1e9 / emitted,
            });
        }
    }
}
