//! Faulty devices between the generator and the engine, which count their faults themselves: the result has to
//! find each of them, to the digit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corelane::engine::WhenFull;
use corelane::engine::link::{Link, LinkError, Queues, RxQueue, RxStatus};
use corelane::frame::{Burst, Frame, Pool, PoolCache};
use corelane::wire::MacAddr;
use corelane_tools::cli::{self, Asked, BenchArgs};
use corelane_tools::interrupt::Interrupt;
use corelane_tools::progress::Progress;
use corelane_tools::run::{Bed, Layout, Trial, TrialResult};

/// What is done to one frame in so many.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Drop,
    Duplicate,
    /// It is overtaken by this many.
    Reorder(usize),
    /// A bit of these bytes is flipped.
    Corrupt(usize, usize),
    /// Nothing is polled for so long, as if the thread had no core.
    Pause(Duration),
}

/// One frame in so many.
const EACH: u64 = 100;

struct FaultyLink {
    inner: Box<dyn Link>,
    fault: Fault,
    each: u64,
    faults: Arc<AtomicU64>,
}

struct FaultyQueue {
    inner: Box<dyn RxQueue>,
    fault: Fault,
    each: u64,
    faults: Arc<AtomicU64>,
    frames: u64,
    arrived: Burst,
    ready: VecDeque<Frame>,
    /// A frame that waits, and for how many others.
    held: Option<(Frame, usize)>,
}

impl Link for FaultyLink {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn mac(&self) -> Option<MacAddr> {
        self.inner.mac()
    }

    fn mtu(&self) -> usize {
        self.inner.mtu()
    }

    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError> {
        let Queues { rx, tx } = self.inner.open(pool)?;
        let faulty = |inner| {
            Box::new(FaultyQueue {
                inner,
                fault: self.fault,
                each: self.each,
                faults: Arc::clone(&self.faults),
                frames: 0,
                arrived: Burst::new(),
                ready: VecDeque::new(),
                held: None,
            }) as Box<dyn RxQueue>
        };
        Ok(Queues {
            rx: rx.into_iter().map(faulty).collect(),
            tx,
        })
    }
}

impl FaultyQueue {
    fn take(&mut self, mut frame: Frame, cache: &mut PoolCache) {
        self.frames += 1;
        let is_hit = self.frames.is_multiple_of(self.each);
        if is_hit && self.fault != Fault::None {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        match self.fault {
            Fault::Drop if is_hit => return cache.recycle(frame),
            Fault::Duplicate if is_hit => {
                let mut copy = cache.alloc().expect("a free frame");
                copy.set_data(frame.data()).unwrap();
                copy.set_rx_time(frame.rx_time());
                self.ready.push_back(copy);
            }
            Fault::Reorder(by) if is_hit => {
                assert!(self.held.is_none(), "one at a time");
                self.held = Some((frame, by));
                return;
            }
            Fault::Corrupt(from, to) if is_hit => {
                let bits = (to - from) * 8;
                let bit = (self.frames / self.each) as usize * 7 % bits;
                frame.data_mut()[from + bit / 8] ^= 1 << (bit % 8);
            }
            Fault::Pause(time) if is_hit => std::thread::sleep(time),
            _ => {}
        }
        self.ready.push_back(frame);
        if let Some((_, left)) = &mut self.held {
            *left -= 1;
        }
        if let Some((frame, 0)) = self.held.take_if(|(_, left)| *left == 0) {
            self.ready.push_back(frame);
        }
    }
}

impl RxQueue for FaultyQueue {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let mut status = RxStatus::Ready;
        if self.ready.is_empty() {
            status = self.inner.rx_burst(cache, &mut self.arrived)?;
            let mut arrived = std::mem::take(&mut self.arrived);
            for frame in arrived.drain(..) {
                self.take(frame, cache);
            }
            if self.ready.is_empty() {
                // Nothing comes that could overtake it.
                self.ready.extend(self.held.take().map(|(frame, _)| frame));
            }
        }
        while !out.is_full()
            && let Some(frame) = self.ready.pop_front()
        {
            out.push(frame);
        }
        Ok(status)
    }
}

fn bench(options: &str) -> BenchArgs {
    let family = if options.contains("--family") {
        ""
    } else {
        "--family v4"
    };
    let line = format!("corelane bench --workers 1 {family} {options}");
    match cli::parse(line.split_whitespace()) {
        Ok(Asked::Bench(args)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

/// A trial through a faulty device: the result, and the device's own count.
fn run(fault: Fault, options: &str) -> (TrialResult, u64) {
    run_each(EACH, fault, options)
}

/// A bed behind a device with one fault in `each` frames, and the device's own count.
fn faulty_bed(
    layout: &Layout,
    when_full: WhenFull,
    fault: Fault,
    each: u64,
) -> (Bed, Arc<AtomicU64>) {
    let faults = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&faults);
    let bed = Bed::start_with(layout, when_full, &move |inner| {
        Box::new(FaultyLink {
            inner,
            fault,
            each,
            faults: Arc::clone(&counted),
        })
    });
    (bed.unwrap(), faults)
}

/// As [`run`], with one fault in `each` frames.
fn run_each(each: u64, fault: Fault, options: &str) -> (TrialResult, u64) {
    let args = bench(options);
    let layout = Layout::new(&args.engine, &args.load, args.frame_size, None);
    let (mut bed, faults) = faulty_bed(&layout, WhenFull::Wait, fault, each);
    let (progress, interrupt) = (Progress::new(true), Interrupt::default());
    let mut run = |seconds| {
        let trial = Trial::new(None, Duration::from_secs_f64(seconds));
        bed.trial(&trial, &progress, &interrupt).unwrap()
    };
    let mut result = run(0.2);
    // On a machine that has much else to do.
    let mut before = 0;
    while result.offered < 3 * each {
        before += result.offered;
        result = run(2.0);
    }
    bed.finish();
    assert_eq!(result.in_flight, 0);
    let faults = faults.load(Ordering::Relaxed);
    if fault != Fault::None {
        let through = (before + result.offered) / each;
        assert_eq!(faults, through, "the device's own count");
        return (result, through - before / each);
    }
    (result, faults)
}

#[test]
fn a_device_without_faults_has_none() {
    for options in [
        "",
        "--check full",
        "--frame-size imix --check full",
        "--family v6 --frame-size 82",
    ] {
        let (result, _) = run(Fault::None, options);
        let order = result.measured.order();
        assert!(
            order.is_clean() && result.accounting.holds,
            "{options}: {order:?}"
        );
        assert_eq!(
            (order.in_order, order.unchecked),
            (result.offered, 0),
            "{options}"
        );
        assert_eq!(result.measured.totals.numbered, result.offered);
        assert_eq!((result.lost(), result.loss_ratio()), (0, 0.0));
    }
}

#[test]
fn one_frame_in_a_thousand_that_is_dropped_is_found() {
    let (result, faults) = run_each(1000, Fault::Drop, "");
    let order = result.measured.order();
    assert_eq!(result.measured.totals.numbered - order.unique(), faults);
    assert_eq!(
        (result.lost(), order.in_order),
        (faults, result.offered - faults)
    );
    assert!(order.is_clean(), "{order:?}");
    assert!(
        (result.loss_ratio() * 1000.0 - 1.0).abs() < 0.34,
        "{}",
        result.loss_ratio()
    );
    assert!(!result.accounting.holds, "no counter says why");
}

#[test]
fn duplicates_are_found_and_lose_nothing() {
    let (result, faults) = run(Fault::Duplicate, "");
    let order = result.measured.order();
    assert_eq!(
        (order.duplicates, order.reordered, order.corrupt),
        (faults, 0, 0)
    );
    assert_eq!((order.unique(), result.lost()), (result.offered, 0));
    assert!(!result.accounting.holds);
}

#[test]
fn reordered_frames_are_found() {
    for by in [1, 10, 200] {
        let (result, faults) = run_each(500, Fault::Reorder(by), "--flows 1 --destinations one");
        let order = result.measured.order();
        // One that is held at the very end is overtaken by fewer, or by none.
        let found = order.reordered;
        assert!(
            found == faults || found + 1 == faults,
            "{by}: {order:?} of {faults}"
        );
        assert_eq!((order.duplicates, order.corrupt, order.too_late), (0, 0, 0));
        assert_eq!((order.unique(), result.lost()), (result.offered, 0));
        assert!(!result.accounting.holds);
    }
    // Beyond what is remembered it is not known to be the first, and not taken for a duplicate.
    let (result, faults) = run_each(500, Fault::Reorder(300), "--flows 1 --destinations one");
    let order = result.measured.order();
    assert!(
        order.too_late == faults || order.too_late + 1 == faults,
        "{order:?} of {faults}"
    );
    assert_eq!(order.duplicates, 0);
}

#[test]
fn frames_of_other_flows_may_overtake() {
    // Neighbours are of different classes of flows nearly always, and then nothing is out of order.
    let (result, faults) = run(Fault::Reorder(1), "");
    let order = result.measured.order();
    assert!(order.reordered < faults / 10, "{order:?} of {faults}");
}

#[test]
fn a_flipped_bit_is_found() {
    // In the signature; and, where checksums are looked at, anywhere in the payload.
    for (from, to, options) in [
        (42, 58, ""),
        (42, 60, "--check full"),
        (42, 1514, "--check full --frame-size 1518"),
    ] {
        let (result, faults) = run(Fault::Corrupt(from, to), options);
        let order = result.measured.order();
        assert_eq!(
            (order.corrupt, order.duplicates, order.reordered),
            (faults, 0, 0),
            "{options}"
        );
        assert_eq!(
            (order.in_order, result.lost()),
            (result.offered - faults, faults)
        );
        assert!(!result.accounting.holds);
    }
    // In an address or a port: the frame is not what its signature says.
    let (result, faults) = run(Fault::Corrupt(34, 38), "");
    assert_eq!(result.measured.order().corrupt, faults);
    // In the header of IPv4, the engine finds it: a drop by a cause, and the books balance.
    let (result, faults) = run(Fault::Corrupt(22, 34), "");
    assert_eq!((result.dropped, result.lost()), (faults, faults));
    assert!(result.accounting.holds, "{:?}", result.accounting);
}

#[test]
fn small_ipv6_frames_are_said_not_to_be_checked() {
    let (result, faults) = run(Fault::Duplicate, "--family v6");
    let order = result.measured.order();
    assert_eq!(order.unchecked, result.offered + faults);
    assert_eq!((order.duplicates, result.measured.totals.numbered), (0, 0));
    // That there are more than were sent, the books show in any case.
    assert!(!result.accounting.holds);
}

#[test]
fn frames_that_came_due_while_the_generator_was_gone_wait_for_room() {
    let args = bench("--ring 64");
    let layout = Layout::new(&args.engine, &args.load, args.frame_size, None);
    // Once in the trial, for a fifth of it.
    let pause = Fault::Pause(Duration::from_millis(200));
    let (mut bed, faults) = faulty_bed(&layout, WhenFull::Drop, pause, 30_000);
    let trial = Trial {
        patient: true,
        ..Trial::new(Some(50_000.0), Duration::from_secs(1))
    };
    let (progress, interrupt) = (Progress::new(true), Interrupt::default());
    let result = bed.trial(&trial, &progress, &interrupt).unwrap();
    bed.finish();
    assert!(result.accounting.holds, "{:?}", result.accounting);
    assert_eq!(faults.load(Ordering::Relaxed), 1);
    assert!(result.measured.totals.gone.ns >= 200_000_000);
    assert_eq!((result.intended, result.unsent.all()), (50_000, 0));
    // Ten thousand frames came due meanwhile. How many run over all the same is a matter of cores here, not of the ring.
    assert!(result.measured.totals.polls.waiting > 0);
}
