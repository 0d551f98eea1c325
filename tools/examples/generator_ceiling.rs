//! What the generator costs alone: its frames are recycled at once, by the same thread.
//!
//! `cargo run --release -p corelane-tools --example generator_ceiling`

use std::error::Error;
use std::time::Duration;

use corelane::engine::link::RxQueue;
use corelane::frame::{Burst, Pool, PoolConfig};
use corelane_tools::clock::Clock;
use corelane_tools::generator::{GeneratorLink, Pace, Schedule, Sequence, Source, Traffic, Window};
use corelane_tools::unit::{Arrival, Family, FrameSize};

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:<10} {:>9} {:>6} {:>8}  ns/frame of five windows",
        "pace", "endpoints", "family", "size"
    );
    for (endpoints, family, frame_size) in [
        (1_000, Family::V4, FrameSize::Fixed(64)),
        (1_000, Family::Mixed, FrameSize::Fixed(64)),
        (1_000_000, Family::Mixed, FrameSize::Fixed(64)),
        (1_000, Family::Mixed, "imix".parse()?),
        (1_000, Family::Mixed, FrameSize::Fixed(1518)),
    ] {
        let sequence = Sequence::draw(&Traffic {
            family,
            frame_size,
            ..Traffic::new(endpoints)
        });
        // A plan that nobody can keep up with shows what planning costs.
        let planned = |arrival| Pace::Planned(Schedule::new(arrival, 1e9, 1));
        for (name, pace) in [
            ("max", Pace::Max),
            ("cbr", planned(Arrival::Cbr)),
            ("poisson", planned(Arrival::Poisson)),
            ("burst:32", planned(Arrival::Burst(32))),
        ] {
            let mut costs = Vec::new();
            for _ in 0..5 {
                costs.push(cost(&sequence, pace.clone())?);
            }
            let costs: Vec<String> = costs.iter().map(|ns| format!("{ns:.1}")).collect();
            println!(
                "{name:<10} {endpoints:>9} {family:>6} {frame_size:>8}  {}",
                costs.join(" ")
            );
        }
    }
    Ok(())
}

/// Nanoseconds per frame over a window of 100 ms.
fn cost(sequence: &Sequence, pace: Pace) -> Result<f64, Box<dyn Error>> {
    let pool = Pool::new(PoolConfig::default())?;
    let mut cache = pool.cache();
    assert!(sequence.longest() <= pool.config().slot_size - pool.config().headroom);
    let (link, handle) = GeneratorLink::new(sequence.clone(), Clock::start());
    let mut queue = link.into_queue();
    handle.run(Window {
        pace,
        duration: Some(Duration::from_millis(100)),
        frames: None,
    });
    let mut burst = Burst::new();
    loop {
        queue.rx_burst(&mut cache, &mut burst)?;
        cache.recycle_burst(&mut burst);
        if let Some(totals) = handle.ended() {
            return Ok(totals.elapsed_ns as f64 / totals.emitted.max(1) as f64);
        }
    }
}
