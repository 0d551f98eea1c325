//! Addresses or routes that come and go while traffic flows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use corelane::stack::Nic;
use hdrhistogram::Histogram;

use crate::generator::{AddressPlan, RoutePlan, route};
use crate::latency::{self, Percentiles};
use crate::report::ChurnShare;
use crate::run::{Failure, Nics};

/// How many of them there are at a time, beside those that stay.
const PRESENT: usize = 1024;

/// What comes and goes, by number: those of a plan that are set aside for this.
pub enum Churned {
    /// Addresses of a NIC.
    Addresses {
        /// The NIC.
        nic: Nic,
        /// The plan.
        plan: AddressPlan,
    },
    /// Routes.
    Routes {
        /// The NIC they leave by.
        egress: Nic,
        /// The plan.
        plan: Arc<RoutePlan>,
    },
}

impl Churned {
    /// Routes of the plan, if there is one, by the NIC that sends on, or addresses of the one that receives.
    pub fn of(nics: &Nics, routes: Option<&Arc<RoutePlan>>, addresses: AddressPlan) -> Self {
        match (routes, &nics.egress) {
            (Some(plan), Some(egress)) => Self::Routes {
                egress: egress.clone(),
                plan: Arc::clone(plan),
            },
            _ => Self::Addresses {
                nic: nics.ingress.clone(),
                plan: addresses,
            },
        }
    }

    /// Adds the one of this number; whether that was done.
    fn add(&self, number: u32) -> bool {
        match self {
            Self::Addresses { nic, plan } => nic.add_address(plan.churned(number)).is_ok(),
            Self::Routes { egress, plan } => plan.churned(number).is_some_and(|(to, router)| {
                let added = egress.stack().add_route(route(to, router, egress));
                added.is_ok()
            }),
        }
    }

    /// Removes it; whether that was done.
    fn remove(&self, number: u32) -> bool {
        match self {
            Self::Addresses { nic, plan } => nic.remove_address(plan.churned(number)).is_ok(),
            Self::Routes { egress, plan } => plan.churned(number).is_some_and(|(to, router)| {
                let removed = egress.stack().remove_route(to, Some(router), egress.id());
                removed.is_ok()
            }),
        }
    }
}

/// A thread that adds and removes at a rate.
///
/// Changes are planned at constant gaps; a change adds a new one or, in turn, removes the oldest of
/// those it added. A thread that is behind catches up without a pause, but not by more
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
    /// Starts it.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(churned: Churned, per_s: u32) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("churn".to_owned())
            .spawn(move || run(&churned, per_s, &for_thread))?;
        Ok(Self {
            shared,
            thread,
            per_s,
            since: Instant::now(),
            recorded: Duration::ZERO,
        })
    }

    /// Starts one of what is `churned`, if there is to be one at this rate.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_if(
        per_s: Option<u32>,
        churned: impl FnOnce() -> Churned,
    ) -> Result<Option<Self>, Failure> {
        let start = |per_s| {
            Self::start(churned(), per_s)
                .map_err(|error| Failure::Run(format!("no thread for --churn: {error}")))
        };
        per_s.map(start).transpose()
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

fn run(churned: &Churned, per_s: u32, shared: &Shared) -> Recorded {
    let mut recorded = Recorded {
        publish: latency::histogram(),
        failed: 0,
    };
    let mut present = VecDeque::with_capacity(PRESENT + 1);
    let mut next = 0u32;
    let mut add = |present: &mut VecDeque<u32>| {
        let added = churned.add(next);
        if added {
            present.push_back(next);
        }
        next = next.wrapping_add(1);
        added
    };
    for _ in 0..PRESENT {
        add(&mut present);
    }

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
            add(&mut present)
        } else {
            let oldest = present.pop_front();
            oldest.is_some_and(|oldest| churned.remove(oldest))
        };
        if shared.recording.load(Ordering::Relaxed) {
            let took = u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX);
            recorded.publish.saturating_record(took);
            recorded.failed += u64::from(!changed);
        }
        change += 1;
    }
    for number in present {
        // It was added above, and nobody else removes it.
        let removed = churned.remove(number);
        debug_assert!(removed);
    }
    recorded
}
