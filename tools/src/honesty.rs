//! The instrument against devices of known timing, in virtual time: what it reads has to be what they did.

use std::collections::VecDeque;
use std::time::Duration;

use corelane::engine::link::RxQueue;
use corelane::frame::{Burst, Frame, Pool, PoolConfig};

use crate::clock::Clock;
use crate::generator::{GeneratorLink, Pace, Schedule, Sequence, Totals, Traffic, Window};
use crate::latency::{Latencies, Percentiles};
use crate::sink::{Arrived, Ends, Sinks};
use crate::unit::{Arrival, Check};

const MS: u64 = 1_000_000;

/// A device, polled again and again: it takes frames and gives those that are through at this moment.
trait Device {
    /// How long until the next poll, in nanoseconds, given how many frames it was given.
    fn poll(&mut self, now: u64, arrived: &mut Burst, through: &mut VecDeque<Frame>) -> u64;

    /// Whether frames are taken from the generator now.
    fn takes(&self, _now: u64) -> bool {
        true
    }
}

/// Runs `pps` frames per second for a time through a device.
fn run(device: &mut impl Device, pps: f64, duration: Duration) -> (Latencies, Totals) {
    let clock = Clock::told();
    let frames = Sequence::draw_frames(&Traffic::new(100), 4096);
    let (link, handle) = GeneratorLink::new(frames, clock);
    let mut queue = link.into_queue();
    let pool = Pool::new(PoolConfig {
        slots: 4096,
        ..PoolConfig::default()
    })
    .unwrap();
    let mut cache = pool.cache();
    let mut sinks = Sinks::new(Ends {
        clock,
        latency: true,
        check: Check::Order,
        streams: 0,
    });
    let mut recorder = sinks.maker().recorder(0);
    sinks.start_window();
    handle.run(Window {
        pace: Pace::Planned(Schedule::new(Arrival::Cbr, pps, 1).into()),
        duration: Some(duration),
        ..Window::default()
    });
    let (mut arrived, mut through) = (Burst::new(), VecDeque::new());
    let mut totals = None;
    let mut in_device = 0;
    loop {
        if totals.is_none() && device.takes(clock.now()) {
            queue.rx_burst(&mut cache, &mut arrived).unwrap();
            in_device += arrived.len();
            totals = handle.ended();
        }
        let step = device.poll(clock.now(), &mut arrived, &mut through);
        in_device -= through.len();
        let mut frames = through.iter();
        recorder.record(|| {
            frames
                .next()
                .map(|frame| Arrived::frame(frame, Check::Order))
        });
        through.drain(..).for_each(|frame| cache.recycle(frame));
        clock.advance(step);
        if let (Some(totals), 0) = (totals, in_device) {
            let handled = sinks.handled().remove(0);
            assert_eq!(handled.packets, totals.emitted);
            return (handled.latency.unwrap(), totals);
        }
    }
}

/// Delays each frame by a time, from when it was planned to be sent.
struct Delay {
    by: u64,
    step: u64,
    inside: VecDeque<Frame>,
}

impl Device for Delay {
    fn poll(&mut self, now: u64, arrived: &mut Burst, through: &mut VecDeque<Frame>) -> u64 {
        self.inside.extend(arrived.drain(..));
        while self
            .inside
            .front()
            .is_some_and(|frame| frame.rx_time() + self.by <= now)
        {
            through.extend(self.inside.pop_front());
        }
        self.step
    }
}

#[test]
fn a_delay_is_read_to_the_nanosecond() {
    for by in [0, 1000, 250_000, 12_345_000] {
        let mut device = Delay {
            by,
            step: 1000,
            inside: VecDeque::new(),
        };
        let pps = if by > MS { 100_000.0 } else { 1e6 };
        let (latencies, totals) = run(&mut device, pps, Duration::from_millis(100));
        let read = Percentiles::of_latencies(&latencies);
        assert_eq!(
            (read.min, read.p50, read.p99.unwrap(), read.max),
            (by, by, by, by),
            "{read:?}"
        );
        assert_eq!((read.count, totals.late), (totals.intended, 0));
        assert_eq!(totals.lateness.max, 0, "the generator was on time");
    }
}

/// Takes nothing for a time in each period; each frame takes it a time otherwise.
struct Stall {
    length: u64,
    period: u64,
    service: u64,
}

/// From the start of a period to its stall: neither end of a run is in one.
const UNTIL_STALL: u64 = 100 * MS;

impl Stall {
    /// How long the stall still is.
    fn left(&self, now: u64) -> u64 {
        let into = (now % self.period).checked_sub(UNTIL_STALL);
        into.map_or(0, |into| self.length.saturating_sub(into))
    }
}

impl Device for Stall {
    fn takes(&self, now: u64) -> bool {
        self.left(now) == 0
    }

    fn poll(&mut self, now: u64, arrived: &mut Burst, through: &mut VecDeque<Frame>) -> u64 {
        if !self.takes(now) {
            return self.left(now);
        }
        let n = arrived.len() as u64;
        through.extend(arrived.drain(..));
        (n * self.service).max(100)
    }
}

/// The experiment of MEASURING: 20 ms every 500 ms, 300 ns a packet, at 500,000 a second. A frame sent `s`
/// into the stall waits 20 ms − 0.85 s, and 1 % of all are those of the first 5 ms: p99 is 15.75 ms. A loop
/// that waits for each reply would read less than a microsecond.
#[test]
fn a_stall_shows_in_the_latency_of_all_that_was_due_meanwhile() {
    let mut device = Stall {
        length: 20 * MS,
        period: 500 * MS,
        service: 300,
    };
    let (latencies, totals) = run(&mut device, 500_000.0, Duration::from_secs(2));
    let read = Percentiles::of_latencies(&latencies);
    assert_eq!(
        (totals.intended, totals.late, totals.pool_empty),
        (1_000_000, 0, 0)
    );
    assert!(read.p50 < 20_000, "{read:?}");
    assert!(
        (15_500_000..16_100_000).contains(&read.p99.unwrap()),
        "{read:?}"
    );
    assert!(
        (19_500_000..=20_000_000).contains(&read.p999.unwrap()),
        "{read:?}"
    );
    assert!((19_990_000..=20_001_000).contains(&read.max), "{read:?}");
    // It was the device that did not take them; but the generator cannot know, and says that it was late.
    assert!(totals.lateness.p999 > 19 * MS);
}

#[test]
fn a_stall_of_a_tenth_of_each_second_is_a_tenth_of_all_frames() {
    let mut device = Stall {
        length: 100 * MS,
        period: 1000 * MS,
        service: 100,
    };
    let (latencies, totals) = run(&mut device, 200_000.0, Duration::from_secs(2));
    assert_eq!((totals.intended, totals.late), (400_000, 0));
    // 10 % are sent in the stall; 0.2 % more while what waited is worked off.
    let waited = latencies.histogram.len() - latencies.histogram.count_between(0, 20_000);
    let share = waited as f64 / totals.intended as f64;
    assert!((0.100..0.104).contains(&share), "{share}");
    let read = Percentiles::of_latencies(&latencies);
    assert!((99_980_000..=100_001_000).contains(&read.max), "{read:?}");
    // Half of those that waited did for more than half of the time.
    let p95 = latencies.at(0.95).unwrap();
    assert!((48e6..52e6).contains(&p95), "{p95}");
}
