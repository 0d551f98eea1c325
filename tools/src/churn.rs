//! Addresses that come and go while traffic flows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use corelane::stack::Nic;
use hdrhistogram::Histogram;

use crate::generator::AddressPlan;
use crate::latency::{self, Percentiles};
use crate::report::ChurnShare;

/// How many churned addresses the NIC has at a time, beside its endpoints.
const PRESENT: usize = 1024;

/// A thread that adds and removes addresses at a rate.
///
/// Changes are planned at constant gaps; a change adds a new address or, in turn, removes the
/// oldest of those it added. A thread that is behind catches up without a pause, but not by more
/// than 10 ms: one that cannot keep up achieves what it achieves.
pub struct Churn {
    shared: Arc<Shared>,
    thread: JoinHandle<Recorded>,
    per_s: u32,
    since: Instant,
    recorded: Duration,
}

/// What is planned and further behind than this is planned anew.
const BACKLOG: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Shared {
    recording: AtomicBool,
    stop: AtomicBool,
}

struct Recorded {
    publish: Histogram<u64>,
    failed: u64,
}

impl Churn {
    /// Starts it on `nic` with the addresses of `plan` that are set aside for this.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(nic: Nic, plan: AddressPlan, per_s: u32) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("churn".to_owned())
            .spawn(move || run(&nic, plan, per_s, &for_thread))?;
        Ok(Self {
            shared,
            thread,
            per_s,
            since: Instant::now(),
            recorded: Duration::ZERO,
        })
    }

    /// Says whether changes are recorded from now on.
    pub fn record(&mut self, on: bool) {
        let was_on = self.shared.recording.swap(on, Ordering::Relaxed);
        let now = Instant::now();
        if was_on {
            self.recorded += now - self.since;
        }
        self.since = now;
    }

    /// Ends it, removes what it added, and tells what was recorded. None if the thread is gone by a
    /// panic.
    pub fn finish(mut self) -> Option<ChurnShare> {
        self.record(false);
        self.shared.stop.store(true, Ordering::Relaxed);
        let Recorded { publish, failed } = self.thread.join().ok()?;
        Some(ChurnShare {
            asked_per_s: self.per_s.into(),
            achieved_per_s: publish.len() as f64
                / self.recorded.as_secs_f64().max(f64::MIN_POSITIVE),
            changes: publish.len(),
            failed,
            publish_ns: Percentiles::of(&publish),
        })
    }
}

fn run(nic: &Nic, plan: AddressPlan, per_s: u32, shared: &Shared) -> Recorded {
    let mut recorded = Recorded {
        publish: latency::histogram(),
        failed: 0,
    };
    let mut present = VecDeque::with_capacity(PRESENT);
    let mut next = 0u32;
    let mut add = || {
        let address = plan.churned(next);
        next = next.wrapping_add(1);
        address
    };
    let begun = nic.transaction(|tx| {
        for _ in 0..PRESENT {
            let address = add();
            if tx.add_address(address).is_ok() {
                present.push_back(address);
            }
        }
    });
    debug_assert!(begun.is_ok(), "nobody removes the NIC");

    let gap = 1e9 / f64::from(per_s.max(1));
    let mut start = Instant::now();
    let mut change = 0u64;
    while !shared.stop.load(Ordering::Relaxed) {
        let planned = Duration::from_nanos((change as f64 * gap) as u64);
        let elapsed = start.elapsed();
        if let Some(early) = planned.checked_sub(elapsed)
            && !early.is_zero()
        {
            // A sleep is longer than most gaps: changes come in small trains, and this thread
            // leaves the core to others in between. Not so long that a stop has to wait.
            thread::sleep(early.min(Duration::from_millis(10)));
            continue;
        }
        if let Some(behind) = elapsed.checked_sub(planned)
            && behind > BACKLOG
        {
            start += behind - BACKLOG;
        }
        let before = Instant::now();
        let changed = if change.is_multiple_of(2) {
            let address = add();
            let added = nic.add_address(address).is_ok();
            if added {
                present.push_back(address);
            }
            added
        } else {
            present
                .pop_front()
                .is_some_and(|oldest| nic.remove_address(oldest).is_ok())
        };
        if shared.recording.load(Ordering::Relaxed) {
            let took = u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX);
            recorded.publish.saturating_record(took);
            recorded.failed += u64::from(!changed);
        }
        change += 1;
    }
    let ended = nic.transaction(|tx| {
        for address in present {
            // It was added above, and nobody else removes it.
            let removed = tx.remove_address(address);
            debug_assert!(removed.is_ok());
        }
    });
    debug_assert!(ended.is_ok());
    recorded
}
